"""The one door to graphs: open, check, plan, run, write. The command line, Python and servers render what it gives."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nodegraph.base.codes import Code
from nodegraph.base.devices import device_for
from nodegraph.base.diagnostics import Diagnostic, GraphError, Span, diagnostic, nearest, place
from nodegraph.base.paths import Sandbox, is_file, is_folder, results_folder
from nodegraph.base.workspace import NOWHERE, Workspace
from nodegraph.language.compile import Compiled, compile_graph
from nodegraph.language.graph import Graph
from nodegraph.language.inputs import Request
from nodegraph.language.older import of_older_version
from nodegraph.language.program import Constant, Program
from nodegraph.language.reading import read_graph
from nodegraph.language.source import SourceText, places, read_source
from nodegraph.library.following import registry
from nodegraph.library.registry import Arrays, Registry
from nodegraph.models.residency import Residency
from nodegraph.options import NoDevice, Options
from nodegraph.runtime.actions import deeds
from nodegraph.runtime.cache import Cache, Disk, Memory
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.doubts import doubts
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Completed, Event, Planned, Warned, Written
from nodegraph.runtime.history import History
from nodegraph.runtime.kept_checks import KeptChecks
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.recorded import Recorded, read_picture
from nodegraph.runtime.remote import Remote, remote
from nodegraph.runtime.shape_report import Shapes
from nodegraph.runtime.writing import preview_of, refuse_place, write_outputs

if TYPE_CHECKING:
    from nodegraph.runtime.plan import Plan

PICTURES = (".png", ".apng")


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked of a graph: values of its inputs, as Python gives them or as texts of a command line; a preset; options."""

    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    preset: str | None = None
    options: Options = field(default_factory=Options)
    until: str | None = None
    """A node whose outputs are wanted, in the place of the graph's own."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The faults of a graph, the texts they point into, how many nodes could not be followed, and what nodes raised."""

    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: int = 0
    raised: tuple[BaseException, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A graph that can be run: its program with literals and keys, the engine for it, and what is to be said before.

    `texts` are those of its graph files, by the names that the spans of diagnostics give them.
    """

    keyed: Keyed
    engine: Engine
    options: Options
    texts: Mapping[str, str]
    warnings: tuple[Diagnostic, ...] = ()

    @property
    def program(self) -> Program:
        """The steps, in order, and the outputs."""
        return self.keyed.program


@dataclass(frozen=True)
class Session:
    """Opens and runs graphs of one registry. Results, loaded models and what is known of shapes stay between its runs."""

    registry: Registry = field(default_factory=lambda: registry())
    workspace: Workspace = NOWHERE
    memory: Memory = field(default_factory=Memory)
    shapes: Shapes = field(default_factory=Shapes)
    _residencies: dict[str, Residency] = field(default_factory=dict[str, Residency])
    _remotes: dict[str, Remote] = field(default_factory=dict[str, Remote])

    def fresh(self) -> "Session":
        """This session with the node files of its workspace as they are now; all else is shared with it. Raises NoNodes."""
        return replace(self, registry=registry(self.workspace)) if self.workspace else self

    def open(self, name: str | Path | SourceText) -> Recorded:
        """A graph by file, by the name of a shipped one, out of a picture, or as text. Raises GraphError if there is none.

        From a picture it comes with the inputs and options that made the picture.
        """
        if isinstance(name, SourceText):
            return Recorded(name)
        if Path(name).suffix.lower() in PICTURES:
            found = read_picture(Path(name))
            return replace(found, source=of_older_version(found.source, self.registry))
        return Recorded(find_graph(str(name), self.registry))

    def read(self, opened: Recorded) -> Graph:
        """The graph as it is written. Raises GraphError where a part of the text cannot be read."""
        source = opened.source
        graph, faults = read_graph(source.text, source.name)
        if graph is None or any(fault.code.startswith("E0") for fault in faults):
            raise GraphError(faults, {source.name: source.text})
        return graph

    def compiled(self, opened: Recorded, job: Job, whole: bool = True) -> Compiled:
        """The program of a graph, or its faults of names and types."""
        named = tuple(Path(path) for path in job.options.readable)
        request = Request(job.inputs, job.preset, whole, job.texts, opened.inputs, named, job.until)
        known = self.registry
        if opened.beside:
            known = replace(known, elsewhere=opened.beside)
        return compile_graph(opened.source, known, request)

    def engine(self, opened: Recorded, options: Options, named: tuple[Path, ...] = ()) -> Engine:
        """An engine for a graph: it may read the graph's folder, the shipped graphs, and what the options name.

        Raises NoDevice, and NoAddress.
        """
        readable = (*map(Path, options.readable), *named)
        sandbox = Sandbox(
            places(opened.source, self.registry), Path(options.out), tuple(dict.fromkeys(readable))
        )
        device = chosen_device(opened, options)
        context = RunContext(
            sandbox,
            opened.source.folder or Path(),
            device,
            options.precision or opened.precision or "float32",
            compiled=options.compile,
            max_megapixels=options.max_megapixels,
            residency=self._residency(device, options.low_memory),
        )
        disk = Disk(results_folder(), self.registry) if options.cached else None
        shared = self._remote(options.cache) if options.cache is not None else None
        memory = Memory() if options.low_memory else self.memory
        return Engine(self.registry, context, Cache(memory, disk, remote=shared))

    def _remote(self, address: str) -> Remote:
        """The cache under an address. Raises NoAddress."""
        if address not in self._remotes:
            self._remotes[address] = remote(address)
        return self._remotes[address]

    def settle(self) -> list[Diagnostic]:
        """Wait until caches that machines share have what was made; gives what went wrong with them."""
        for shared in self._remotes.values():
            shared.settle()
        return self._complaints()

    def _complaints(self) -> list[Diagnostic]:
        return [found for shared in self._remotes.values() for found in shared.complaints()]

    def _residency(self, device: str, alone: bool) -> Residency:
        """The keeper of the models on a device, with its memory as the budget. The CPU's needs no torch, and has none.

        One that keeps them one at a time (`alone`) is a run's own, and begins with none.
        """
        if alone:
            return Residency(partial(_budgets, device), alone)
        if device not in self._residencies:
            self._residencies[device] = Residency(partial(_budgets, device))
        return self._residencies[device]

    def check(
        self, opened: Recorded, job: Job, types: bool = False, token: CancelToken | None = None
    ) -> Checked:
        """Every fault of a graph: names and types, and shapes if `types` is not all that is wanted.

        Raises Cancelled, and NoDevice.
        """
        compiled = self.compiled(opened, job, whole=False)
        if types or compiled.program is None:
            return Checked(compiled.diagnostics, compiled.texts)
        engine = self.engine(opened, job.options, compiled.program.named)
        keyed = engine.keyed(compiled.program)
        kept = KeptChecks(
            results_folder() / "checks", self.registry.code if job.options.cached else ""
        )
        unknown = kept.get(keyed)
        if unknown is not None:
            return Checked(compiled.diagnostics, compiled.texts, unknown)
        from nodegraph.runtime.abstract import check_shapes

        report = check_shapes(keyed, engine, self.shapes, token)
        if not report.diagnostics:
            kept.put(keyed, report.unknown)
        faults = (*compiled.diagnostics, *report.diagnostics)
        return Checked(faults, compiled.texts, report.unknown, report.raised)

    def prepare(self, opened: Recorded, job: Job, token: CancelToken | None = None) -> Prepared:
        """A graph ready to run: what is not in the cache was run on shapes, and the weights that it needs are here.

        Raises GraphError with every fault, Cancelled, and NoDevice.
        """
        prepared = self.ready(opened, job)
        keyed, engine = prepared.keyed, prepared.engine
        with _pointing(prepared.texts):
            waiting = self._waiting(keyed, engine)
            if waiting and chosen_device(opened, job.options, ask=True) != engine.context.device:
                return self.prepare(opened, job, token)
            if waiting:
                self.check_waiting(keyed, engine, waiting, token)
        return doubted(opened, prepared, bool(waiting))

    def ready(self, opened: Recorded, job: Job) -> Prepared:
        """A graph that is checked elsewhere, or has run in another process: nothing is run on shapes.

        Raises GraphError with faults of names and types, and NoDevice.
        """
        compiled = self.compiled(opened, job)
        program = compiled.checked()
        engine = self.engine(opened, job.options, program.named)
        keyed = engine.keyed(program)
        return Prepared(keyed, engine, job.options, compiled.texts, compiled.diagnostics)

    def _waiting(self, keyed: Keyed, engine: Engine) -> list[int]:
        """The steps that a run of all outputs would call; all where a literal cannot be read, which the check tells."""
        try:
            return engine.waiting(keyed)
        except GraphError:
            return list(range(len(keyed.program.steps)))

    def check_waiting(
        self, keyed: Keyed, engine: Engine, waiting: list[int], token: CancelToken | None
    ) -> None:
        """Run a program on shapes, and look for the weights of what will run. Raises GraphError."""
        from nodegraph.runtime.abstract import check_shapes, missing_weights

        report = check_shapes(keyed, engine, self.shapes, token)
        missing = tuple(missing_weights(keyed.program, report, waiting))
        if report.errors or missing:
            found = sorted((*report.diagnostics, *missing), key=place)
            raise GraphError(found) from next(iter(report.raised), None)

    def plan(self, opened: Recorded, job: Job) -> "Plan":
        """What a run would do, and why. Raises GraphError where the graph, or a literal, cannot be read."""
        from nodegraph.runtime.plan import make_plan

        compiled = self.compiled(opened, job)
        engine = self.engine(opened, job.options, compiled.checked().named)
        with _pointing(compiled.texts):
            keyed = engine.keyed(compiled.checked())
            made = make_plan(keyed, engine, self.shapes)
        said = doubts(opened, keyed, any(step.works for step in made.steps))
        return replace(made, warnings=(*compiled.diagnostics, *said), texts=compiled.texts)

    def missing(self, opened: Recorded, jobs: Iterable[Job]) -> list[str]:
        """Names of the models that runs of these jobs would need and that are not here; a run tells the faults of a graph.

        Jobs that name the same models are planned once. Raises NoDevice.
        """
        found: dict[str, None] = {}
        seen: set[frozenset[tuple[str, str]]] = set()
        for job in jobs:
            program = self.compiled(opened, job).program
            named = self._models_in(program) if program else frozenset[tuple[str, str]]()
            if named and named not in seen:
                seen.add(named)
                made = self.plan(opened, job)
                found |= {} if made.shapes.errors else {m.name: None for m in made.downloads}
        return list(found)

    def _models_in(self, program: Program) -> frozenset[tuple[str, str]]:
        """The models that a program names, with their kinds."""
        literals = (
            source
            for step in program.steps
            for source in step.inputs.values()
            if isinstance(source, Constant)
        )
        kinds = self.registry.port_type
        return frozenset(
            (source.type.name, str(source.value))
            for source in literals
            if (port := kinds(source.type.name)) is not None and port.weights is not None
        )

    def run(
        self, prepared: Prepared, token: CancelToken | None = None, files: bool = False
    ) -> Iterator[Event]:
        """Run a graph; the last event is Completed. What its nodes ran with is remembered, for the reasons of later plans.

        `files`: what comes out is for `write` alone. If all of it is kept it is read as arrays, without torch.
        Raises NodeFailed, after a Failed event, or Cancelled.
        """
        engine, keyed = prepared.engine, prepared.keyed
        if engine.context.residency.alone:
            self.release()
        yield from self.before(prepared)
        reading = engine.reading(keyed, Arrays(self.registry)) if files else None
        for event in (reading or engine).run(keyed, token=token):
            if isinstance(event, Completed):
                History(engine.cache.disk).write(keyed)
            yield event

    def release(self) -> None:
        """Let every model go that runs have loaded; the next one loads what it needs."""
        for residency in self._residencies.values():
            residency.release()

    def before(self, prepared: Prepared) -> Iterator[Event]:
        """What is told of a graph before it runs."""
        yield Planned(deeds(prepared.engine, prepared.keyed))
        for warning in prepared.warnings:
            yield Warned(warning.node or "", warning)
        yield from (Warned("", complaint) for complaint in self._complaints())

    def place(self, prepared: Prepared) -> None:
        """Look whether what comes out can be written to the folder of the options. Raises GraphError if it can not."""
        with _pointing(prepared.texts):
            refuse_place(Arrays(self.registry), prepared.program, Path(prepared.options.out))

    def write(self, prepared: Prepared, outputs: dict[str, Any]) -> Written:
        """Write what came out to the folder of the options. Raises GraphError for what cannot be written."""
        out = Path(prepared.options.out)
        with _pointing(prepared.texts):
            return write_outputs(Arrays(self.registry), prepared.keyed, outputs, out)

    def preview(self, prepared: Prepared, outputs: Mapping[str, Any]) -> bytes | None:
        """The first output that is a picture, encoded; None where there is none."""
        return preview_of(self.registry, prepared.program, outputs)


@contextmanager
def _pointing(texts: Mapping[str, str]) -> Generator[None]:
    """Give the faults that are raised inside the texts that they point into."""
    try:
        yield
    except GraphError as error:
        raise GraphError(error.diagnostics, texts) from error.__cause__


def chosen_device(opened: Recorded, options: Options, ask: bool = False) -> str:
    """The device of a run: that of the options, else the kind that made the picture where it is here, else what there is.

    `ask`: torch itself, not what it said last. Raises NoDevice for one that is asked for and not there.
    """
    wanted = (opened.device or "auto") if options.device is None else options.device
    try:
        return device_for(wanted, ask)
    except ValueError as error:
        if options.device is not None:
            raise NoDevice(str(error)) from None
        return device_for("auto", ask)


def _budgets(device: str) -> dict[str, int]:
    if device == "cpu":
        return {}
    from nodegraph.base.tensors import memory_budgets

    return memory_budgets(device)


def doubted(opened: Recorded, prepared: Prepared, computes: bool) -> Prepared:
    """The graph, with the warnings that are due to how it is run."""
    found = tuple(doubts(opened, prepared.keyed, computes))
    return replace(prepared, warnings=(*prepared.warnings, *found))


def find_graph(name: str, known: Registry) -> SourceText:
    """A graph by file, or by the name of a shipped one or of a composite. Raises GraphError if there is none."""
    path = Path(name)
    if name in known.clashes:
        raise GraphError([diagnostic(Code.NAME_TAKEN_TWICE, known.clash(name))])
    if path.suffix in (".yaml", ".yml") or is_file(path):
        return read_source(path)
    shipped = {**known.composites, **known.graphs}
    if name in shipped:
        return read_source(shipped[name])
    if name and is_folder(path):
        message = f"'{name}' is a folder; a graph is a file"
        near = nearest(name, map(str, path.glob("*.y*ml")))
    else:
        message = f"'{name}' is neither a graph file nor a shipped graph"
        near = nearest(name, [*map(str, Path().glob("*.y*ml")), *known.composites, *known.listed])
    hint = near or "`nodegraph run` lists the shipped graphs"
    raise GraphError([diagnostic(Code.UNREADABLE_FILE, message, Span(name, 1, 1, 1, 1), hint)])
