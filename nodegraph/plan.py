"""The plan: what a run would do and why, without running: order, hits, reasons, shapes, cost."""

from dataclasses import dataclass
from typing import Literal

from nodegraph.execute import Engine, needed
from nodegraph.history import History, reason_for
from nodegraph.keys import Key, keys_of
from nodegraph.program import Program, Step
from nodegraph.shapes import ShapeReport, check_shapes

Action = Literal["memory", "disk", "run", "rebuild", "skip"]


@dataclass(frozen=True, slots=True)
class Planned:
    """One step: what would be done with it, the reason, its output shapes and cost."""

    node: str
    type: str
    action: Action
    reason: str
    outputs: tuple[str, ...]
    flops: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and the shape report that the plan was made from."""

    steps: tuple[Planned, ...]
    shapes: ShapeReport

    @property
    def flops(self) -> int:
        """Floating-point operations of the steps that would run."""
        return sum(step.flops for step in self.steps if step.action in ("run", "rebuild"))


def make_plan(program: Program, engine: Engine) -> Plan:
    """What `engine.run(program)` would do. Reads headers of models, but no weights."""
    literals = engine.literals()
    keys = keys_of(program, literals, engine.policy)
    report = check_shapes(program, engine)
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
        action, reason = "rebuild", "a live value; it is made again in each process"
    else:
        action = "run"
    return Planned(step.name, step.spec.name, action, reason, shapes.outputs, shapes.flops)
