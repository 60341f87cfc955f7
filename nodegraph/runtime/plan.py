"""The plan: what a run would do and why, without running: order, hits, reasons, shapes, cost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from nodegraph.base.diagnostics import Diagnostic, GraphError
from nodegraph.language.program import Program
from nodegraph.library.port import Weights
from nodegraph.runtime.abstract import check_shapes
from nodegraph.runtime.actions import deeds
from nodegraph.runtime.cache import storable
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Action, Deed
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import wires
from nodegraph.runtime.shape_report import ShapeReport, Shapes, StepShapes


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step: what would be done with it, the reason, its output shapes and cost.

    `flops`; `memory`: bytes of the tensors it makes, at their peak; `parameters` of the models on its ports; `key`: what its
    result is kept under.
    """

    node: str
    type: str
    action: Action
    reason: str
    outputs: tuple[str, ...]
    flops: int
    memory: int
    parameters: int
    key: str

    @property
    def works(self) -> bool:
        """Whether a run would call the node."""
        return self.action in ("run", "rebuild")


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in order, and the shape report that the plan was made from.

    `warnings` of names and types; `texts` of the graph's files, by the names that the spans of diagnostics give them.
    """

    steps: tuple[PlannedStep, ...]
    shapes: ShapeReport
    alone: tuple[int, ...] | None = None
    """Where one network at a time is loaded: bytes of the largest that each step uses."""
    warnings: tuple[Diagnostic, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict[str, str])

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

        Models stay loaded once they are used, but for one at a time, and results stay in the memory cache; a budget would
        make both less.
        """
        loaded: dict[str, int] = {}
        held = peak = 0
        for index, (planned, shapes) in enumerate(zip(self.steps, self.shapes.steps, strict=True)):
            if planned.works:
                loaded |= {model.identity: model.size for model in shapes.models}
                weights = sum(loaded.values()) if self.alone is None else self.alone[index]
                peak = max(peak, weights + held + shapes.peak)
                held += shapes.kept
        return peak


def make_plan(program: Program | Keyed, engine: Engine, shapes: Shapes | None = None) -> Plan:
    """What `engine.run(program)` would do. Reads headers of models, but no weights.

    Raises GraphError where a literal cannot be read: nothing after it has a key.
    """
    keyed = program if isinstance(program, Keyed) else engine.keyed(program)
    report = check_shapes(keyed, engine, shapes)
    try:
        found = deeds(engine, keyed)
    except GraphError as error:
        raise GraphError(report.diagnostics if report.errors else error.diagnostics) from None
    kinds = [step.spec.name for step in keyed.program.steps]
    alone = _largest(keyed.program, engine, report) if engine.context.residency.alone else None
    return Plan(tuple(map(_planned, found, kinds, report.steps)), report, alone)


def _largest(program: Program, engine: Engine, report: ShapeReport) -> tuple[int, ...]:
    """Bytes of the largest network that each step calls: those on its ports, and inside of live values that it is given."""
    found: list[int] = []
    for step, shapes in zip(program.steps, report.steps, strict=True):
        given = [
            found[wire.step]
            for wire in wires(step.inputs)
            if not storable(program.steps[wire.step].output_types[wire.output], engine.library)
        ]
        found.append(max((*given, *(model.size for model in shapes.models)), default=0))
    return tuple(found)


def _planned(deed: Deed, kind: str, shapes: StepShapes) -> PlannedStep:
    parameters = sum(model.parameters for model in shapes.models)
    cost = (shapes.outputs, shapes.flops, shapes.peak, parameters)
    return PlannedStep(deed.node, kind, deed.action, deed.reason, *cost, deed.key)
