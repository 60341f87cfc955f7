"""Graphs from Python: `load("g.yaml")(prompt="…", seed=7).image`."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, cast, get_args

from nodegraph.cache import Cache, Disk
from nodegraph.cancel import CancelToken
from nodegraph.compile import Compiled, compile_graph
from nodegraph.context import MAX_MEGAPIXELS, RunContext
from nodegraph.errors import Diagnostic, GraphError, Span, diagnostic, nearest, place
from nodegraph.events import Completed, Event, Stepped, Warned
from nodegraph.execute import Engine, needed
from nodegraph.inputs import Request
from nodegraph.keys import keys_of
from nodegraph.ownership import own
from nodegraph.paths import Sandbox, cache_folder, is_file, is_folder
from nodegraph.program import Constant, Many, Program
from nodegraph.registry import Registry, installed
from nodegraph.residency import Residency
from nodegraph.source import SourceText, places, read_source
from nodegraph.threads import wait_quietly
from nodegraph.types import Precision

PRECISIONS: tuple[Precision, ...] = get_args(Precision)


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
    """How graphs are run: device (`auto`, `cpu`, `cuda`, `cuda:1`, `mps`), precision, output folder, cache, and what may
    be read beside the graph's folder. Pictures of more than `max_megapixels` are refused before they are decoded.
    Raises TypeError or ValueError for a value that is none."""

    device: str = "cpu"
    precision: Precision = "float32"
    out: str | Path = Path("out")
    cached: bool = True
    readable: Sequence[str | Path] = ()
    max_megapixels: float = MAX_MEGAPIXELS

    def __post_init__(self) -> None:
        _refuse_options(self)


def _refuse_options(options: Options) -> None:
    given: dict[str, Any] = {o.name: getattr(options, o.name) for o in fields(options)}
    device, precision, readable = given["device"], given["precision"], given["readable"]
    if not isinstance(device, str):
        raise TypeError(f"device is a text such as 'cpu' or 'cuda:1', not {device!r}")
    if precision not in PRECISIONS:
        hint = nearest(str(precision), PRECISIONS)
        raise ValueError(f"'{precision}' is not a precision; {hint}")
    if not isinstance(given["out"], str | PathLike):
        raise TypeError(f"out is the path of a folder, not {given['out']!r}")
    if not isinstance(given["cached"], bool):
        raise TypeError(f"cached is True or False, not {given['cached']!r}")
    if isinstance(readable, str | PathLike) or not isinstance(readable, Iterable):
        raise TypeError(f"readable is a list of paths, such as [{readable!r}], not {readable!r}")
    for path in cast("Iterable[Any]", readable):
        if not isinstance(path, str | PathLike):
            raise TypeError(f"readable is a list of paths; {path!r} is none")
    bound = given["max_megapixels"]
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not bound > 0:
        raise ValueError(f"max_megapixels is a number above 0, not {bound!r}")


def make_engine(registry: Registry, source: SourceText, options: Options) -> Engine:
    """An engine for a graph: it may read the graph's folder, the shipped graphs, and what the options name.

    Raises ValueError for a device that is not there.
    """
    folder = source.folder or Path()
    named = tuple(Path(path) for path in options.readable)
    sandbox = Sandbox(places(source, registry), Path(options.out), named)
    device, residency = _device(options.device)
    context = RunContext(
        sandbox,
        folder,
        device,
        options.precision,
        residency=residency,
        max_megapixels=options.max_megapixels,
    )
    disk = Disk(cache_folder() / "results", registry) if options.cached else None
    return Engine(registry, context, Cache(disk=disk))


def _device(wanted: str) -> tuple[str, Residency]:
    """The device, and a keeper of models with its memory as the budget. The CPU's needs no torch, and has no budget."""
    if wanted == "cpu":
        return wanted, Residency()
    from nodegraph.tensors import choose_device, memory_budgets

    device = choose_device(wanted)
    return device, Residency(memory_budgets(device))


@dataclass(frozen=True)
class LoadedGraph:
    """A graph that can be called. Values stay in memory between calls: only what changed runs again."""

    source: SourceText
    registry: Registry
    engine: Engine
    _checked: set[str] = field(default_factory=set[str])
    """What the shapes were checked for: all that may change them."""

    def __call__(self, /, preset: str | None = None, **inputs: Any) -> Result:
        """Run the graph; what nodes and the check warn of is given as a `UserWarning`.

        Raises GraphError with every fault, or NodeFailed.
        """
        for event in self.events(preset, None, **inputs):
            if isinstance(event, Warned):
                warnings.warn(str(event.diagnostic), stacklevel=2)
            if isinstance(event, Completed):
                return Result(event.outputs)
        raise RuntimeError("the run ended without completing")

    def events(
        self, preset: str | None = None, token: CancelToken | None = None, /, **inputs: Any
    ) -> Iterator[Event]:
        """Run the graph and watch it; a graph may have inputs of any name."""
        if not isinstance(cast(Any, preset), str | None):
            raise TypeError(f"preset is a name, not {preset!r}")
        compiled = self.compiled(Request(inputs, preset))
        program = compiled.checked()
        for warning in compiled.diagnostics:
            yield Warned(warning.node or "", warning)
        engine = replace(self.engine, context=self.engine.context.allowing(program.named))
        shaping = _shaping(program)
        if shaping not in self._checked:
            check_before_run(program, engine)
            self._checked.add(shaping)
        for event in engine.run(program, token=token):
            yield given_away(event)

    def compiled(self, request: Request) -> Compiled:
        named = self.engine.context.sandbox.named
        return compile_graph(self.source, self.registry, replace(request, readable=named))

    def check(self) -> tuple[Diagnostic, ...]:
        """Every fault of the graph, types and shapes."""
        compiled = self.compiled(Request(whole=False))
        if compiled.program is None:
            return compiled.diagnostics
        from nodegraph.shapes import check_shapes

        return (*compiled.diagnostics, *check_shapes(compiled.program, self.engine).diagnostics)


def given_away(event: Event) -> Event:
    """An event with values that are the caller's own: what is done to them changes nothing that is kept."""
    match event:
        case Stepped():
            return replace(event, preview=own(event.preview))
        case Completed(outputs):
            return Completed({name: own(value) for name, value in outputs.items()})
        case _:
            return event


def _shaping(program: Program) -> str:
    """What may change the shapes of a program: its literals, but for texts, seeds and real numbers."""
    literals = [
        (step.name, port, _form(constant.value))
        for step in program.steps
        for port, source in step.inputs.items()
        for constant in (source.entries if isinstance(source, Many) else (source,))
        if isinstance(constant, Constant) and constant.type.name not in ("Text", "Seed", "float")
    ]
    return repr(literals)


def _form(value: Any) -> object:
    """A literal, or the shape of a value that Python gave."""
    if isinstance(value, list):
        return [_form(item) for item in cast("list[Any]", value)]
    if isinstance(value, str | int | float | None):
        return value
    return type(value).__name__, getattr(value, "shape", None), str(getattr(value, "dtype", None))


def check_before_run(program: Program, engine: Engine) -> None:
    """Run a program on shapes, and look for the weights of what will run, unless there is nothing to run.

    Raises GraphError with every fault.
    """
    waiting: list[int] = []
    with suppress(GraphError):  # the check tells it with every other fault
        waiting = _waiting(program, engine)
        if not waiting:
            return
    from nodegraph.shapes import check_shapes, missing_weights

    report = check_shapes(program, engine)
    missing = tuple(missing_weights(program, report, waiting))
    if report.errors or missing:
        found = sorted((*report.diagnostics, *missing), key=place)
        raise GraphError(found) from next(iter(report.raised), None)


def _waiting(program: Program, engine: Engine) -> list[int]:
    """The steps that would run. Raises GraphError for a literal that cannot be read."""
    keys = keys_of(program, engine.literals(), engine.policy)
    hits = [engine.cache.where(key) is not None for key in keys]
    return [i for i in needed(program, tuple(program.outputs), lambda i: hits[i]) if not hits[i]]


@cache
def registry() -> Registry:
    """The registry of what is installed, read once."""
    return installed()


def find_graph(name: str, known: Registry) -> SourceText:
    """A graph by file, or by the name of a shipped one or of a composite. Raises GraphError if there is none."""
    path = Path(name)
    if name in known.clashes:
        raise GraphError([diagnostic("E211", known.clash(name))])
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
        near = nearest(name, [*map(str, Path().glob("*.y*ml")), *shipped])
    hint = near or "`nodegraph run` lists the shipped graphs"
    raise GraphError([diagnostic("E005", message, Span(name, 1, 1, 1, 1), hint)])


def load(graph: str | Path, **options: Any) -> LoadedGraph:
    """Load a graph file, or a shipped graph by name. Options are those of `Options`: device, precision, out, cached, readable,
    max_megapixels.

    The graph is called with its inputs by name. A picture or a mask is the path of a file (text or Path), which that call may
    then read wherever it lies; a `PIL.Image`; a numpy array; or a tensor. Pictures: uint8 [H, W, 3] or [H, W], floats [H, W, 3]
    or [H, W] in [0, 1], tensors float32 [B, 3, H, W] in [-1, 1]. Masks: uint8, bool or floats in [0, 1], [H, W]; tensors
    [B, 1, H, W] in [0, 1]; 1 is known. Lists of them where the input is a list.

    Raises GraphError if there is no such graph, TypeError or ValueError for an option that is none.

    Where torch is not imported yet, its threads will sleep while they wait (`nodegraph.threads`), as in the command line.
    """
    if not isinstance(cast(Any, graph), str | PathLike):
        raise TypeError(f"a graph is the path of a file, or a shipped graph's name, not {graph!r}")
    names = [option.name for option in fields(Options)]
    for name in options:
        if name not in names:
            raise TypeError(f"load() has no option '{name}'; {nearest(name, names)}")
    chosen = Options(**options)
    wait_quietly()
    known = registry()
    for complaint in known.complaints():
        warnings.warn(complaint, stacklevel=2)
    source = find_graph(str(graph), known)
    return LoadedGraph(source, known, make_engine(known, source, chosen))
