"""From the body of a request to a graph and what is asked of it: files by digest, seeds by lot, places confined."""

import json
import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
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
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session
from server.diagnostics import as_problem_list
from server.documents import Documents
from server.files import Files
from server.jobs.tasks import Asked
from server.problems import Problem, absent
from server.settings import Limits
from server.turns import Turns
from server.wire import Asking, WantedJob

RANDOM = "random"
SEEDS = 2**31


@dataclass(frozen=True, slots=True)
class Asks:
    """Reads what requests ask of graphs."""

    session: Session
    documents: Documents
    files: Files
    limits: Limits
    turns: Turns

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

    def asked(self, source: SourceText, asking: Asking) -> Asked:
        """What is asked of a graph. Raises Problem."""
        inputs = {name: self._value(value) for name, value in asking.inputs.items()}
        given = [f"{port}={json.dumps(value)}" for port, value in asking.set.items()]
        with telling(source):
            source = with_values(source, given)
        bound = self.limits.megapixels
        options = Options(None, asking.precision, max_megapixels=bound)
        self._bounded(source, inputs)
        job = Job(inputs, {}, asking.preset, options, asking.until)
        return Asked(Recorded(source), job)

    def _bounded(self, source: SourceText, inputs: Mapping[str, Any]) -> None:
        """Refuse files outside that a request names, which a command line opens; and a graph of too many nodes."""
        graph = read_graph(source.text, source.name)[0]
        if graph is not None and len(graph.nodes) > self.limits.nodes:
            raise Problem(422, "too-large", f"a graph may have {self.limits.nodes:,} nodes here")
        names = inputs_of_places(graph, self.session.registry) if graph is not None else ()
        self._inside(source, named_places(inputs, names))

    def _inside(self, source: SourceText, named: Iterable[Path]) -> None:
        own = places(source, self.session.registry)
        allowed = [
            real_path(one)
            for one in (self.documents.folder, self.files.folder, self.files.runs, *own)
        ]
        for place in named:
            if not any(real_path(place).is_relative_to(one) for one in allowed):
                mend = 'upload it, and give {"file": DIGEST}'
                told = f"'{visible_line(place.name[:80])}' lies outside of the workspace; {mend}"
                raise Problem(403, "outside", told)

    def uploads(self, asked: Asked, axes: Sequence[Axis] = ()) -> tuple[str, ...]:
        """The digests of uploads that a job reads."""
        rows = [row for axis in axes for row in axis.rows]
        return tuple(self.files.named_in([*asked.job.inputs.values(), *rows]))

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
        if any(
            isinstance(values, str) and values.lstrip().startswith("@")
            for values in wanted.each.values()
        ):
            raise Problem(
                422,
                "bad-axis",
                "files of values are read by the command line alone; send the values",
            )
        try:
            own = sweep_axes(graph, wanted.sweep) if wanted.sweep else []
            given = {key: self._value(values) for key, values in wanted.each.items()}
            return [*own, *python_axes(given)]
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
