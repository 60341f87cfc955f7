"""What is said of graphs by their texts alone: here, or where a text is large in a process beside, in the same words."""

import json
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.paths import real_path
from nodegraph.base.visible import visible_line
from nodegraph.language.axes import BadAxis, python_axes, sweep_axes
from nodegraph.language.compile import Compiled
from nodegraph.language.given import inputs_of_places, named_places
from nodegraph.language.graph import Graph
from nodegraph.language.many import Axis
from nodegraph.language.reading import read_graph
from nodegraph.language.setting import with_values
from nodegraph.language.source import SourceText, places
from nodegraph.options import Options
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session
from server.diagnostics import as_problem_list
from server.files import named_in
from server.jobs.tasks import Asked, Told
from server.problems import Problem
from server.settings import Limits
from server.wire import Asking, WantedJob

RANDOM = "random"
SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Bounds:
    """What graphs of requests may name: the folders of the workspace, of uploads, and of what jobs wrote; and how much."""

    folder: Path
    files: Path
    runs: Path
    limits: Limits


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges graphs by the nodes of a session, within bounds."""

    session: Session
    bounds: Bounds

    def asked(self, source: SourceText, asking: Asking) -> Asked:
        """What is asked of a graph. Raises Problem."""
        inputs = asking.inputs
        given = [f"{port}={json.dumps(value)}" for port, value in asking.set.items()]
        with telling(source):
            source = with_values(source, given)
        bound = self.bounds.limits.megapixels
        options = Options(
            None,
            asking.precision,
            max_megapixels=bound,
            compile=asking.compile,
            low_memory=asking.low_memory,
        )
        self._bounded(source, inputs)
        job = Job(inputs, {}, asking.preset, options, asking.until)
        return Asked(Recorded(source), job)

    def _bounded(self, source: SourceText, inputs: Mapping[str, Any]) -> None:
        """Refuse files outside that a request names, which a command line opens; and a graph of too many nodes."""
        graph = read_graph(source.text, source.name)[0]
        if graph is not None and len(graph.nodes) > self.bounds.limits.nodes:
            raise Problem(
                422, "too-large", f"a graph may have {self.bounds.limits.nodes:,} nodes here"
            )
        names = inputs_of_places(graph, self.session.registry) if graph is not None else ()
        self._inside(source, named_places(inputs, names))

    def _inside(self, source: SourceText, named: Iterable[Path]) -> None:
        own = places(source, self.session.registry)
        allowed = [
            real_path(one)
            for one in (self.bounds.folder, self.bounds.files, self.bounds.runs, *own)
        ]
        for place in named:
            if not any(real_path(place).is_relative_to(one) for one in allowed):
                mend = 'upload it, and give {"file": DIGEST}'
                told = f"'{visible_line(place.name[:80])}' lies outside of the workspace; {mend}"
                raise Problem(403, "outside", told)

    def uploads(self, asked: Asked, axes: Sequence[Axis] = ()) -> tuple[str, ...]:
        """The digests of uploads that a job reads."""
        rows = [row for axis in axes for row in axis.rows]
        return tuple(named_in([*asked.job.inputs.values(), *rows], self.bounds.files))

    def compiled(self, asked: Asked) -> Compiled:
        """The program of a graph that is to run. Raises Problem with its diagnostics, and for places outside."""
        compiled = self.session.compiled(asked.opened, asked.job)
        refuse(compiled)
        self._inside(asked.opened.source, compiled.checked().named)
        return compiled

    def drawn(self, asked: Asked, graph: Graph) -> Asked:
        """The same with seeds by lot in the place of "random"."""
        inputs = {n: _lot(v) if n in seeded(graph) else v for n, v in asked.job.inputs.items()}
        return replace(asked, job=replace(asked.job, inputs=inputs))

    def axes(self, graph: Graph, wanted: WantedJob) -> list[Axis]:
        """The axes of a sweep; none for a run alone. Raises Problem."""
        try:
            own = sweep_axes(graph, wanted.sweep) if wanted.sweep else []
            return [*own, *python_axes(wanted.each)]
        except BadAxis as error:
            raise Problem(422, "bad-axis", str(error)) from None
        except GraphError as error:
            raise faulty(error) from None


def seeded(graph: Graph) -> set[str]:
    """The inputs of a graph that are seeds, or lists of them."""
    return {name for name, declared in graph.inputs.items() if "Seed" in declared.type}


def seeds_of(compiled: Compiled) -> dict[str, Any]:
    """The seeds that a program uses, by input."""
    names = seeded(compiled.graph) if compiled.graph is not None else set[str]()
    return {n: v for n, v in compiled.checked().inputs.items() if n in names}


@contextmanager
def telling(source: SourceText) -> Generator[None]:
    """What is wrong with a graph inside is a problem."""
    try:
        yield
    except GraphError as error:
        texts = {source.name: source.text, **error.texts}
        raise faulty(GraphError(error.diagnostics, texts)) from None


def faulty(error: GraphError) -> Problem:
    """The faults of a graph as a problem."""
    found = as_problem_list(error.diagnostics, error.texts)
    first = next((f for f in error.diagnostics if f.severity == "error"), None)
    detail = (
        "the graph has faults" if first is None else f"{first.code} {first.name}: {first.message}"
    )
    return Problem(422, "faulty-graph", detail, diagnostics=found)


def refuse(compiled: Compiled) -> None:
    """Raise a Problem for a graph that cannot run."""
    if compiled.program is None:
        raise faulty(GraphError(compiled.diagnostics, compiled.texts))


def _lot(value: Any) -> Any:
    """A seed by lot in the place of "random"."""
    if isinstance(value, list):
        return [_lot(item) for item in cast("list[Any]", value)]
    return secrets.randbelow(SEEDS) if value == RANDOM else value


def title_of(graph: Graph, source: SourceText) -> str:
    """What a job is called."""
    return graph.title or Path(source.name).stem


@dataclass(frozen=True, slots=True)
class Judging:
    """A judgement in another process: `judged` with what was found, or `problem`."""

    bounds: Bounds
    work: Callable[[Judge], Any]

    def __call__(self, session: Session, token: CancelToken) -> Iterator[Told]:
        try:
            yield {"event": "judged", "found": self.work(Judge(session, self.bounds))}
        except Problem as problem:
            yield {"event": "problem", "problem": problem}


def typed(judge: Judge, source: SourceText, asking: Asking) -> tuple[Asked, list[Told]]:
    """What is asked of a graph, and its faults of names and types. Raises Problem."""
    asked = judge.asked(source, asking)
    found = judge.session.check(asked.opened, asked.job, types=True)
    return asked, as_problem_list(found.diagnostics, found.texts)


def runnable(judge: Judge, source: SourceText, asking: Asking) -> Asked:
    """What is asked of a graph that can run. Raises Problem."""
    asked = judge.asked(source, asking)
    judge.compiled(asked)
    return asked
