"""The plan: what a run would do and why, without running: order, hits, reasons, shapes, cost."""

from dataclasses import dataclass
from typing import Literal

from nodegraph.errors import GraphError
from nodegraph.execute import Engine, needed
from nodegraph.history import History, reason_for
from nodegraph.keys import Key, keys_of
from nodegraph.program import Program, Step
from nodegraph.shapes import ShapeReport, check_shapes
from nodegraph.types import Weights

Action = Literal["memory", "disk", "run", "rebuild", "skip"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One step: what would be done with it, the reason, its output shapes and cost.

    `flops`; `memory`: bytes of the tensors it makes, at their peak; `parameters` of the models on its ports.
    """

    node: str
    type: str
    action: Action
    reason: str
    outputs: tuple[str, ...]
    flops: int
    memory: int
    parameters: int

    @property
    def works(self) -> bool:
        """Whether a run would call the node."""
        return self.action in ("run", "rebuild")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and the shape report that the plan was made from."""

    steps: tuple[Planned, ...]
    shapes: ShapeReport

    @property
    def flops(self) -> int:
        """Floating-point operations of the steps that would run."""
        return sum(step.flops for step in self.steps if step.works)

    @property
    def models(self) -> tuple[Weights, ...]:
        """Every distinct model of the steps that would run."""
        found = {
            model.identity: model
            for planned, shapes in zip(self.steps, self.shapes.steps, strict=True)
            if planned.works
            for model in shapes.models
        }
        return tuple(found.values())

    @property
    def downloads(self) -> tuple[Weights, ...]:
        """The models that would have to be fetched first."""
        return tuple(model for model in self.models if not model.here)

    @property
    def parameters(self) -> int:
        return sum(model.parameters for model in self.models)

    @property
    def peak_memory(self) -> int:
        """Predicted bytes on the device at the worst moment: loaded models, kept results, and one step's tensors.

        Models stay loaded once they are used, and results stay in the memory cache; a budget would make both less.
        """
        loaded: dict[str, int] = {}
        held = peak = 0
        for planned, shapes in zip(self.steps, self.shapes.steps, strict=True):
            if planned.works:
                loaded |= {model.identity: model.size for model in shapes.models}
                peak = max(peak, sum(loaded.values()) + held + shapes.peak)
                held += shapes.kept
        return peak


def make_plan(program: Program, engine: Engine) -> Plan:
    """What `engine.run(program)` would do. Reads headers of models, but no weights.

    Raises GraphError where a literal cannot be read: nothing after it has a key.
    """
    literals = engine.literals()
    report = check_shapes(program, engine)
    try:
        keys = keys_of(program, literals, engine.policy)
    except GraphError as error:
        raise GraphError(report.diagnostics if report.errors else error.diagnostics) from None
    wanted = set(
        needed(program, tuple(program.outputs), lambda i: engine.cache.where(keys[i]) is not None)
    )
    past = History(engine).read(program)
    steps = tuple(
        _planned(engine, step, i, keys, i in wanted, report, reason_for(step, keys, literals, past))
        for i, step in enumerate(program.steps)
    )
    return Plan(steps, report)


def _planned(
    engine: Engine,
    step: Step,
    index: int,
    keys: list[Key],
    wanted: bool,
    report: ShapeReport,
    reason: str,
) -> Planned:
    shapes = report.steps[index]
    where = engine.cache.where(keys[index])
    disk = engine.cache.disk
    live = bool(step.output_types) and disk is not None and not disk.keeps(step.output_types)
    if not wanted:
        action, reason = "skip", "nothing that runs needs it"
    elif where is not None:
        action, reason = where, "the result is there"
    elif not step.spec.pure:
        action, reason = "run", "it is not cached: its results depend on more than its inputs"
    elif live:
        action, reason = "rebuild", "a live value: made again in each process"
    else:
        action = "run"
    parameters = sum(model.parameters for model in shapes.models)
    return Planned(
        step.name,
        step.spec.name,
        action,
        reason,
        shapes.outputs,
        shapes.flops,
        shapes.peak,
        parameters,
    )
