"""Graphs from Python: `load("g.yaml")(prompt="…", seed=7).image`."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, cast

from nodegraph.base.diagnostics import Diagnostic, GraphError, GraphWarning, nearest
from nodegraph.base.ownership import own
from nodegraph.base.paths import expanded
from nodegraph.base.threads import wait_quietly
from nodegraph.base.workspace import Workspace
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram
from nodegraph.each import Each
from nodegraph.edited import Edited
from nodegraph.executors.place import executor
from nodegraph.executors.share import Executor
from nodegraph.language.axes import python_axes
from nodegraph.language.source import SourceText
from nodegraph.language.written import graph_text
from nodegraph.notebook import Watch
from nodegraph.options import Options
from nodegraph.result import Result, result_of
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Completed, Event, Stepped, Warned
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Prepared, Session
from nodegraph.sweep import Sweep
from nodegraph.views import Input, Node, Output, input_of, node_of, outputs_of, signature


@dataclass(frozen=True, repr=False)
class LoadedGraph:
    """A graph that can be called. Values stay in memory between calls: only what changed runs again."""

    opened: Recorded
    session: Session
    options: Options

    def __call__(self, /, preset: str | None = None, **inputs: Any) -> Result:
        """Run the graph; what nodes and the check warn of is given as a `GraphWarning`. A notebook shows how it goes.

        Raises GraphError with every fault, or NodeFailed.
        """
        session, prepared = self._prepared(preset, None, inputs)
        events = Watch().follow(session.run(prepared), prepared.program.title or "the graph")
        for event in map(given_away, events):
            if isinstance(event, Warned):
                warnings.warn(str(event.diagnostic), GraphWarning, stacklevel=2)
            if isinstance(event, Completed):
                return result_of(session, prepared, event.outputs)
        raise RuntimeError("the run ended without completing")

    def events(
        self, preset: str | None = None, token: CancelToken | None = None, /, **inputs: Any
    ) -> Iterator[Event]:
        """Run the graph and watch it; a graph may have inputs of any name."""
        session, prepared = self._prepared(preset, token, inputs)
        return map(given_away, session.run(prepared, token))

    def _prepared(
        self, preset: str | None, token: CancelToken | None, inputs: Mapping[str, Any]
    ) -> tuple[Session, Prepared]:
        if not isinstance(cast(Any, preset), str | None):
            raise TypeError(f"preset is a name, not {preset!r}")
        session = self.session.fresh()
        job = Job(inputs, {}, preset, self.options)
        return session, session.prepare(self.opened, job, token)

    def each(
        self,
        inputs: Mapping[str, Any] | None = None,
        /,
        *,
        preset: str | None = None,
        on: str | Executor = "here",
        **axes: Any,
    ) -> Each[Result]:
        """The graph for every combination of values: `graph.each({"prompt": "…"}, guidance=[1, 2, 4], seed=range(4))`.

        `inputs` are those that all cells share. Values are what can be iterated, or a text as on the command line (`"0..3"`,
        `"@prompts.txt"`); `**{"prompt+seed": [("a", 1), ("b", 2)]}` lets inputs go together. `on`: where the cells run, `here`,
        `processes:4`, in four workers, or `ray://HOST:6379`, on the machines of a cluster. Raises GraphError where a value is
        wrong, ValueError for an axis or a place that cannot be read.
        """
        session, job = self.session.fresh(), Job(inputs or {}, {}, preset, self.options)
        found = Sweep(session, self.opened, job, python_axes(axes))
        found.check()
        if isinstance(on, str):
            executor(on, session)  # what is no place is told now
        return Each(found, partial(result_of, session), on)

    @property
    def edit(self) -> Edited["LoadedGraph"]:
        """Edits of the graph's text: `graph.edit.set("sampler.steps", 30).save("mine.yaml")`; this graph stays as it is."""
        opened = self.opened
        loaded = partial(LoadedGraph, session=self.session, options=self.options)
        return Edited(self.session, opened, opened.source.text, self.options, loaded)

    def check(self) -> tuple[Diagnostic, ...]:
        """Every fault of the graph, types and shapes."""
        return self.session.fresh().check(self.opened, Job(options=self.options)).diagnostics

    @property
    def inputs(self) -> Mapping[str, Input]:
        """The inputs by name. As `nodes` and `outputs`, raises GraphError where the text cannot be read."""
        graph = self.session.read(self.opened)
        return {name: input_of(declared) for name, declared in graph.inputs.items()}

    @property
    def nodes(self) -> Mapping[str, Node]:
        """The nodes by name, as the file has them."""
        return {n: node_of(node) for n, node in self.session.read(self.opened).nodes.items()}

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The outputs by name, with their types."""
        session = self.session.fresh()
        job = Job(options=self.options)
        program = session.compiled(self.opened, job, whole=False).program
        return outputs_of(session.read(self.opened), program)

    def _repr_svg_(self) -> str | None:
        """The graph as a picture, in notebooks; none where its text cannot be read."""
        try:
            return svg(diagram(self.session, self.opened), self.session.registry.ports)
        except GraphError:
            return None

    def __repr__(self) -> str:
        try:
            return signature(self.session.read(self.opened))
        except GraphError:
            return f"<graph {self.opened.source.name!r} that cannot be read>"


def given_away(event: Event) -> Event:
    """An event with values that are the caller's own: what is done to them changes nothing that is kept."""
    match event:
        case Stepped():
            return replace(event, preview=own(event.preview), noisy=own(event.noisy))
        case Completed():
            return replace(event, outputs={n: own(value) for n, value in event.outputs.items()})
        case _:
            return event


def load(graph: str | Path, *, nodes: Iterable[str | Path] = (), **options: Any) -> LoadedGraph:
    """Load a graph file, or a shipped graph by name. Options are those of `Options`: device, precision, out, cached, readable,
    max_megapixels, compile, low_memory, cache. `nodes` are node files, and folders of them, whose nodes the graph may use; one
    that is edited is read again by the next call.

    The graph is called with its inputs by name. A picture or a mask is the path of a file (text or Path), which that call may
    then read wherever it lies; a `PIL.Image`; a numpy array; or a tensor. Pictures: uint8 [H, W, 3] or [H, W], floats [H, W, 3]
    or [H, W] in [0, 1], tensors float32 [B, 3, H, W] in [-1, 1]. Masks: uint8, bool or floats in [0, 1], [H, W]; tensors
    [B, 1, H, W] in [0, 1]; 1 is known. Lists of them where the input is a list.

    Raises GraphError if there is no such graph, TypeError or ValueError for an option that is none, and ValueError for nodes
    that are not there.

    Where torch is not imported yet, its threads will sleep while they wait (`nodegraph.threads`), as in the command line.
    """
    if not isinstance(cast(Any, graph), str | PathLike):
        raise TypeError(f"a graph is the path of a file, or a shipped graph's name, not {graph!r}")
    return _loaded(graph, nodes, options)


def loads(
    graph: str | Mapping[str, Any], *, nodes: Iterable[str | Path] = (), **options: Any
) -> LoadedGraph:
    """A graph from the text of a graph file, or from a mapping that says the same; all else as `load`.

    In a mapping texts mean what they mean in a file: `"$name.port"` is a reference, `"$$5"` the text `$5`. Files and graphs
    that it names are relative to the working directory. Raises as `load`, and ValueError for a mapping that no file can hold.
    """
    if not isinstance(cast(Any, graph), str | Mapping):
        raise TypeError(f"a graph is a text in YAML, or a mapping, not {graph!r}")
    text = graph if isinstance(graph, str) else graph_text(graph)
    return _loaded(SourceText("untitled.yaml", text, Path.cwd()), nodes, options)


def _loaded(
    graph: str | Path | SourceText, nodes: Iterable[str | Path], options: Mapping[str, Any]
) -> LoadedGraph:
    names = [option.name for option in fields(Options)]
    for name in options:
        if name not in names:
            raise TypeError(f"load() has no option '{name}'; {nearest(name, names)}")
    chosen = Options(**options)
    wait_quietly()
    named = [nodes] if isinstance(nodes, str | PathLike) else nodes
    session = Session(workspace=Workspace(tuple(expanded(p).absolute() for p in named))).fresh()
    for complaint in session.registry.complaints():
        warnings.warn(complaint, stacklevel=3)
    loaded = LoadedGraph(session.open(graph), session, chosen)
    session.engine(loaded.opened, chosen)  # a device that is not there is told now
    return loaded
