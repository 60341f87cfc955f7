"""The files of subgraphs, each read once, and which of them an unfolding stands inside of."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nodegraph.base.codes import Code
from nodegraph.base.paths import Outside
from nodegraph.language.graph import Graph, GraphNode
from nodegraph.language.reading import read_graph
from nodegraph.language.scope import Faults
from nodegraph.language.source import SourceText, from_file, unread
from nodegraph.library.registry import Registry

DEEPEST = 32
"""How many subgraphs may stand inside each other."""


class Subgraphs:
    """What composites and graph files beside a graph say. `stack`: the identities of the files that are being unfolded."""

    def __init__(self, registry: Registry, faults: Faults) -> None:
        self.registry = registry
        self.faults = faults
        self.stack: list[str] = []
        self.graphs: dict[str, Graph | None] = {}
        self.inner: dict[tuple[str, str], SourceText] = {}
        self.identities: dict[tuple[Path | None, str], str] = {}

    @contextmanager
    def inside(self, source: SourceText) -> Generator[None]:
        """A file is being unfolded meanwhile."""
        self.stack.append(self.identity(source))
        try:
            yield
        finally:
            self.stack.pop()

    def identity(self, source: SourceText) -> str:
        """As the source's own, looked up in the file system once."""
        key = source.folder, source.name
        if key not in self.identities:
            self.identities[key] = source.identity
        return self.identities[key]

    def composite(self, name: str) -> SourceText:
        """The graph of a composite, read once."""
        if ("", name) not in self.inner:
            text = from_file(self.registry.composites[name])
            self.inner["", name] = replace(text, place=name)
        return self.inner["", name]

    def beside(self, node: GraphNode, source: SourceText) -> SourceText | None:
        """The subgraph file that a type names, read once."""
        key = self.identity(source), node.type
        try:
            if key not in self.inner:
                self.inner[key] = source.beside(node.type)
            return self.inner[key]
        except Outside as error:
            hint = "keep it in the folder of the graph that is run, or below"
            self.faults.add(Code.OUTSIDE_FOLDER, str(error), node.type_span, hint, node.name)
        except FileNotFoundError:
            message = f"there is no graph file '{node.type}' beside {Path(source.name).name}"
            self.faults.add(Code.SUBGRAPH_NOT_FOUND, message, node.type_span, None, node.name)
        except (OSError, UnicodeDecodeError) as error:
            self.faults.extend([unread(f"'{node.type}'", error, node.type_span, node.name)])
        return None

    def read(self, node: GraphNode, inner: SourceText) -> Graph | None:
        """The graph of a subgraph's text; None where it has faults or contains itself."""
        identity = self.identity(inner)
        if identity in self.stack:
            chain = " → ".join(Path(n).name for n in [*self.stack, inner.name])
            message = f"a graph contains itself: {chain}"
            self.faults.add(Code.RECURSIVE_SUBGRAPH, message, node.type_span, None, node.name)
            return None
        if len(self.stack) > DEEPEST:
            message = f"subgraphs stand more than {DEEPEST} deep inside each other"
            self.faults.add(Code.DEEP_SUBGRAPHS, message, node.type_span, None, node.name)
            return None
        if identity not in self.graphs:
            graph, faults = read_graph(inner.text, inner.name)
            self.faults.texts[inner.name] = inner.text
            self.graphs[identity] = graph
            self.faults.extend(faults)
        return self.graphs[identity]
