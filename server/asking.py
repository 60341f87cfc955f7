"""From the body of a request to what is asked of a graph; and where that is judged."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from nodegraph.language.reading import read_graph
from nodegraph.language.source import SourceText
from nodegraph.session import Session
from server.checking import Checker
from server.documents import Documents
from server.files import Files
from server.judging import Bounds, Judge, Judging
from server.problems import Problem, absent
from server.settings import Limits
from server.wire import Asking, WantedJob

LARGE = 2**13
"""Characters from which on a graph is judged in a process beside, by which time this one's answers to others would suffer: a
kibibyte takes 2.5 ms. The largest shipped graph has 6 KiB."""
Found = TypeVar("Found")
Body = TypeVar("Body", bound=Asking)


@dataclass(frozen=True, slots=True)
class Asks:
    """Reads what requests ask of graphs. `beside` judges the large ones, one after the other."""

    session: Session
    documents: Documents
    files: Files
    limits: Limits
    beside: Checker

    def source(self, path: str | None, text: str | None) -> SourceText:
        """The graph of a path, with a text in the place of its own; or of a text alone. Raises Problem."""
        if text is not None and len(text.encode("utf-8", "surrogatepass")) > self.limits.text:
            raise Problem(
                413, "too-large", f"the text of a graph may have {self.limits.text:,} bytes"
            )
        if path is None and text is None:
            raise Problem(422, "malformed", "give the path of a graph, or a text")
        if path is None:
            return SourceText("graph.yaml", text or "", self.documents.folder)
        return self.documents.source(path, self.session.registry, text)

    def given(self, body: Body) -> Body:
        """The body with the places of its uploads in the place of their digests. Raises Problem."""
        inputs = {name: self._value(value) for name, value in body.inputs.items()}
        if not isinstance(body, WantedJob):
            return body.model_copy(update={"inputs": inputs})
        if any(isinstance(v, str) and v.lstrip().startswith("@") for v in body.each.values()):
            detail = "files of values are read by the command line alone; send the values"
            raise Problem(422, "bad-axis", detail)
        each = {key: self._value(values) for key, values in body.each.items()}
        return body.model_copy(update={"inputs": inputs, "each": each})

    def _value(self, value: Any) -> Any:
        """A value of an input; what names an upload becomes its path."""
        if isinstance(value, list):
            return [self._value(item) for item in cast("list[Any]", value)]
        if not isinstance(value, dict):
            return value
        named = cast("dict[str, Any]", value)
        if named.keys() != {"file"} or not isinstance(named["file"], str):
            raise Problem(
                422, "malformed", 'an input is a value, a list of values, or {"file": DIGEST}'
            )
        found = self.files.find(named["file"])
        if found is None:
            raise absent(f"file {named['file'][:64]}; POST /api/v1/uploads keeps one")
        self.files.touch(found.digest)
        return str(found.path)

    def judged(self, work: Callable[[Judge], Found], size: int) -> Found:
        """What a judge finds: in this process where there is little to read, else in the one beside. Raises Problem."""
        bounds = Bounds(self.documents.folder, self.files.folder, self.files.runs, self.limits)
        if size < LARGE:
            return work(Judge(self.session, bounds))
        told = self.beside.ask(Judging(bounds, work))
        if told["event"] == "problem":
            raise told["problem"]
        if told["event"] == "refused":
            raise Problem(
                422, "faulty-graph", "the graph has faults", diagnostics=told["diagnostics"]
            )
        return told["found"]

    def size(self, source: SourceText, body: Asking) -> int:
        """Characters that there are to read: of the text, of the values, and of graph files beside, each time they are used."""
        asked = len(body.model_dump_json(exclude={"text"}))
        return asked + _unfolded(source, LARGE - asked)


def _unfolded(source: SourceText, left: int, depth: int = 32) -> int:
    """Characters of a text and of the graph files that it uses, counted until there are more than so many."""
    size = len(source.text)
    graph = read_graph(source.text, source.name)[0] if size < left and depth else None
    for node in graph.nodes.values() if graph is not None else ():
        if size >= left:
            break
        if node.type.endswith((".yaml", ".yml")):
            with suppress(OSError, UnicodeDecodeError):
                size += _unfolded(source.beside(node.type), left - size, depth - 1)
    return size
