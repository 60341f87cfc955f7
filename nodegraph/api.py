"""Graphs from Python: `load("g.yaml")(prompt="…", seed=7).image`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from nodegraph.cache import Cache, Disk
from nodegraph.cancel import CancelToken
from nodegraph.compile import Compiled, compile_graph
from nodegraph.context import RunContext
from nodegraph.errors import Diagnostic
from nodegraph.events import Completed, Event
from nodegraph.execute import Engine
from nodegraph.inputs import Request
from nodegraph.paths import Sandbox, cache_folder
from nodegraph.registry import Registry, installed
from nodegraph.source import SourceText
from nodegraph.types import Precision


@dataclass(frozen=True)
class Result:
    """The outputs of a run, by name and as attributes."""

    outputs: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.outputs[name]
        except KeyError:
            raise AttributeError(
                f"no output '{name}'; there are {', '.join(self.outputs)}"
            ) from None


@dataclass(frozen=True, slots=True)
class Options:
    """How graphs are run: device, precision, output folder, cache, and what may be read beside the graph's folder."""

    device: str = "cpu"
    precision: Precision = "float32"
    out: Path = Path("out")
    cached: bool = True
    readable: tuple[Path, ...] = ()


def make_engine(registry: Registry, source: SourceText, options: Options) -> Engine:
    """An engine for a graph: it may read the graph's folder, the shipped graphs, and what the options name."""
    folder = source.folder or Path()
    shipped = tuple({path.parent for path in registry.graphs.values()})
    sandbox = Sandbox((folder, *shipped, *options.readable), options.out)
    context = RunContext(sandbox, folder, options.device, options.precision)
    disk = Disk(cache_folder() / "results", registry) if options.cached else None
    return Engine(registry, context, Cache(disk=disk))


@dataclass(frozen=True)
class LoadedGraph:
    """A graph that can be called. Values stay in memory between calls: only what changed runs again."""

    source: SourceText
    registry: Registry
    engine: Engine
    defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __call__(self, preset: str | None = None, **inputs: Any) -> Result:
        """Run the graph. Raises GraphError with every fault, or NodeFailed."""
        for event in self.events(preset, **inputs):
            if isinstance(event, Completed):
                return Result(event.outputs)
        raise RuntimeError("the run ended without completing")

    def events(
        self, preset: str | None = None, token: CancelToken | None = None, **inputs: Any
    ) -> Iterator[Event]:
        """Run the graph and watch it."""
        program = self.compiled(Request({**self.defaults, **inputs}, preset)).checked()
        yield from self.engine.run(program, token=token)

    def compiled(self, request: Request) -> Compiled:
        return compile_graph(self.source, self.registry, request)

    def check(self) -> tuple[Diagnostic, ...]:
        """Every fault of the graph, types and shapes."""
        compiled = self.compiled(Request(self.defaults, whole=False))
        if compiled.program is None:
            return compiled.diagnostics
        from nodegraph.shapes import check_shapes

        return (*compiled.diagnostics, *check_shapes(compiled.program, self.engine).diagnostics)


@cache
def registry() -> Registry:
    """The registry of what is installed, read once."""
    return installed()


def find_graph(name: str, known: Registry) -> SourceText:
    """A graph by file or by the name of a shipped one. Raises GraphError if there is neither."""
    from nodegraph.errors import GraphError, diagnostic, nearest
    from nodegraph.source import read_source

    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_source(path)
    if name in known.graphs:
        return read_source(known.graphs[name])
    hint = nearest(name, known.graphs)
    raise GraphError(
        [diagnostic("E005", f"'{name}' is neither a graph file nor a shipped graph", None, hint)]
    )


def load(graph: str | Path, **options: Any) -> LoadedGraph:
    """Load a graph file, or a shipped graph by name. Options are those of `Options`: device, precision, out, cached."""
    known = registry()
    source = find_graph(str(graph), known)
    return LoadedGraph(source, known, make_engine(known, source, Options(**options)))
