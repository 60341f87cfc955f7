"""The shape check: every node runs once on shapes, before a weight is loaded; what does not fit is a fault at its line."""

import secrets
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError, diagnostic, place, text_of
from nodegraph.base.framing import framed
from nodegraph.base.ownership import changed, states, unshared
from nodegraph.base.tensors import describe, module_path, needs_data, on_device, shape_of
from nodegraph.language.program import EXAMPLE, Constant, Many, Program, Source, Step, Wire
from nodegraph.library.holding import YIELDS, WrongResult, outputs_of, shown
from nodegraph.library.node import Declaration, Progress
from nodegraph.library.port import Weights
from nodegraph.library.signature import bound
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.failures import ChangedInput, failure, own_line, refused, told
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import (
    UNREADABLE,
    Fixed,
    Key,
    key_of,
    span_of,
    unreadable,
    unreadable_output,
    warned,
    warned_output,
)
from nodegraph.runtime.literals import SIZE, Library, Literals
from nodegraph.runtime.meta.abstract import Cost, abstract_run
from nodegraph.runtime.meta.modes import ShapesOnly
from nodegraph.runtime.shape_report import (
    FAILED,
    NOTHING_KNOWN,
    Seen,
    ShapeReport,
    Shapes,
    StepShapes,
)
from nodegraph.runtime.warn import Warned, collecting


class _Unknown:
    def __repr__(self) -> str:
        return "unknown"


UNKNOWN = _Unknown()


def check_shapes(
    program: Program | Keyed,
    engine: Engine,
    shapes: Shapes | None = None,
    token: CancelToken | None = None,
) -> ShapeReport:
    """Run a program on shapes, but for the steps that are known. No weights are read beyond their headers.

    Raises Cancelled, between steps.
    """
    keyed = program if isinstance(program, Keyed) else engine.keyed(program)
    context = replace(engine.context, abstract=True, device="meta")
    literals = Literals(engine.library, context)
    checker = _Checker(engine.library, literals, shapes or Shapes(), token or CancelToken())
    return checker.report(keyed)


def missing_weights(
    program: Program, report: ShapeReport, steps: Iterable[int]
) -> Iterator[Diagnostic]:
    """The faults of models that these steps name: weights that are not here, or are another model's. Reads headers.

    A model that comes over a wire is made by the run.
    """
    seen: set[str] = set()
    for index in steps:
        step = program.steps[index]
        for model in report.steps[index].models:
            source = step.inputs[model.port]
            if model.identity in seen or not isinstance(source, Constant):
                continue
            seen.add(model.identity)
            try:
                model.verify()
            except (OSError, ValueError) as error:
                span = span_of(source) or step.span
                hint = getattr(error, "hint", None)
                yield diagnostic(
                    Code.MISSING_WEIGHTS,
                    f"{step.name}.{model.port}: {error}",
                    span,
                    hint,
                    step.name,
                )


class _Checker:
    def __init__(
        self, library: Library, literals: Literals, shapes: Shapes, token: CancelToken
    ) -> None:
        self.library = library
        self.literals = literals
        self.shapes = shapes
        self.token = token
        self.values: list[tuple[Any, ...]] = []
        self.keys: list[Key] = []
        self.faults: list[Diagnostic] = []
        self.raised: list[BaseException] = []

    def report(self, keyed: Keyed) -> ShapeReport:
        program, fixed = keyed.program, Fixed()
        steps: list[StepShapes] = []
        for step in program.steps:
            key: Key | None = None
            with suppress(GraphError):  # the literal is told where it stands
                known = key_of(step, self.keys, keyed.literals, keyed.policy, fixed)
                key = self.with_places(step, known)
            steps.append(self.known(step, key))
            self.keys.append(_seen_from_below(self.values[-1], key))
        for name, source in program.outputs.items():
            if isinstance(source, Constant) and source.value is not EXAMPLE:
                self.output(name, source)
        return ShapeReport(
            tuple(dict.fromkeys(sorted(self.faults, key=place))), tuple(steps), tuple(self.raised)
        )

    def with_places(self, step: Step, key: Key) -> Key:
        """The key of a step, with the places of its models: the same weights may lie elsewhere by now."""
        places = [
            (str(source.folder), str(source.value))
            for source in step.inputs.values()
            if isinstance(source, Constant)
            and (port := self.library.port_type(source.type.name)) is not None
            and port.weights is not None
        ]
        return blake2b(key + framed(places), digest_size=SIZE).digest() if places else key

    def output(self, name: str, source: Constant) -> None:
        """A literal that goes straight to an output is read too."""
        said: dict[Warned, None] = {}
        try:
            with collecting(said):
                self.literals.value(source)
        except UNREADABLE as error:
            self.faults.append(unreadable_output(name, source, error))
        self.faults += [warned_output(name, source, warning) for warning in said]

    def known(self, step: Step, key: Key | None) -> StepShapes:
        """The shapes of a step: those that are known, or what it gives now."""
        self.token.check()
        seen = self.shapes.get(key) if key else None
        if seen is None:
            return self.step(step, key)
        self.values.append(seen.outputs)
        self.faults += [warned(step, warning) for warning in seen.said]
        return replace(seen.shapes, name=step.name)

    def step(self, step: Step, key: Key | None) -> StepShapes:
        said: dict[Warned, None] = {}
        inputs = self.inputs(step, said)
        unknown = tuple(UNKNOWN for _ in step.spec.outputs)
        if inputs is None or any(_holds_unknown(value) for value in inputs.values()):
            self.values.append(unknown)
            return StepShapes(step.name, ("unknown",) * len(unknown), reason=NOTHING_KNOWN)
        models = self.models(step, inputs)
        try:
            self.shapes.calls += 1
            outputs, cost = self.call(step, inputs, said)
        except (Exception, SystemExit) as error:
            self.values.append(unknown)
            # A node that reads numbers (`.item()`, numpy) is not wrong: shapes have none. What depends on it stays unknown, and
            # the run checks it. Anything else that it raises would be raised by the run too.
            reason = needs_data(error)
            if reason is None:
                self.fault(step, error)
            return StepShapes(step.name, ("unknown",) * len(unknown), reason=reason or FAILED)
        self.values.append(outputs)
        described = tuple(self.describe(step, i, v) for i, v in enumerate(outputs))
        found = StepShapes(step.name, described, cost.flops, cost.peak, cost.kept, models)
        if key is not None:
            self.shapes.put(key, Seen(outputs, found, tuple(said)))
        return found

    def models(self, step: Step, inputs: dict[str, Any]) -> tuple[Weights, ...]:
        """What the models on a step's ports need; asked before the call, so that it builds them outside of its count."""
        found: dict[str, Weights] = {}
        for port in step.spec.inputs:
            kind = self.library.port_type(port.type.name)
            if kind is not None and kind.weights is not None and inputs.get(port.name) is not None:
                need = replace(kind.weights(inputs[port.name]), port=port.name)
                found[need.identity] = need
        return tuple(found.values())

    def inputs(self, step: Step, said: dict[Warned, None]) -> dict[str, Any] | None:
        """The values on the ports; None where literals could not be read, which are reported, all of them."""
        values: dict[str, Any] = {}
        for name, source in step.inputs.items():
            try:
                with collecting(said, name):
                    values[name] = self.value(source)
            except UNREADABLE as error:
                self.faults.append(unreadable(step, name, source, error))
        self.faults += [warned(step, warning) for warning in said]
        return values if len(values) == len(step.inputs) else None

    def value(self, source: Source) -> Any:
        if isinstance(source, Wire):
            return unshared(self.values[source.step][source.output])
        if isinstance(source, Many):
            return [item for entry in source.entries for item in _listed(self.value(entry))]
        if source.value is EXAMPLE:
            return self.example(source)
        return on_device(self.literal(source), "meta")

    def literal(self, constant: Constant) -> Any:
        """The value of a literal; of a model the handle that is known, whose network need not be built again."""
        value = self.literals.value(constant)
        port = self.library.port_type(constant.type.name)
        if port is None or port.weights is None or port.digest is None:
            return value
        context = self.literals.context
        place = str(constant.folder), str(constant.value)
        known = (port.name, port.digest(value), getattr(context, "precision", ""), *place)
        return self.shapes.models.setdefault(known, value)

    def example(self, constant: Constant) -> Any:
        port = self.library.port_type(constant.type.name)
        plain = {"str": "text", "int": 1, "float": 1.0, "bool": False}
        if constant.type.name in plain:
            return plain[constant.type.name]
        if port is None or port.example is None:
            return UNKNOWN
        return port.example(self.literals.context)

    def call(
        self, step: Step, inputs: dict[str, Any], said: dict[Warned, None]
    ) -> tuple[tuple[Any, ...], Cost]:
        function = self.library.function(step.spec)
        declaration: Declaration | None = getattr(function, "__node__", None)
        chosen = (declaration.abstract if declaration else None) or function
        arguments = inputs if chosen is function else bound(chosen, function, inputs)
        before, own = states(inputs), dict[Warned, None]()
        with abstract_run() as cost, collecting(own):
            result, share = chosen(**arguments), 1.0
            if step.spec.generator or chosen is not function:
                result, share = _driven(result, chosen is function)
            spent = cost()
        port = changed(before)
        if port is not None:
            raise ChangedInput(port)
        with abstract_run(), collecting(own):
            outputs = outputs_of(step.spec, step.output_types, result, self.library.port_type)
            for index, value in enumerate(outputs):
                self.probe(step, index, value)
        self.faults += [warned(step, warning) for warning in own]
        said.update(own)
        return outputs, replace(spent, flops=int(spent.flops * share))

    def probe(self, step: Step, index: int, value: Any) -> None:
        port = self.library.port_type(step.output_types[index].name)
        if port is not None and port.probe is not None:
            port.probe(value)

    def describe(self, step: Step, index: int, value: Any) -> str:
        return self.told(step.output_types[index].name, value)

    def told(self, kind: str, value: Any) -> str:
        port = self.library.port_type(kind)
        if port is None or port.describe is None:
            return describe(value)
        with ShapesOnly():
            return port.describe(value)

    def fault(self, step: Step, error: BaseException) -> None:
        self.raised.append(error)
        self.faults.append(refused(step, error) or self.failed(step, error))

    def failed(self, step: Step, error: BaseException) -> Diagnostic:
        """The diagnostic of an error that a node's code, or torch, raised on shapes."""
        function = self.library.function(step.spec)
        inputs = {name: self.port_text(step, name) for name in step.inputs}
        own = isinstance(error, RecursionError) or isinstance(error.__cause__, StopIteration)
        shape = isinstance(error, RuntimeError | IndexError | TypeError) and not own
        if not shape and not isinstance(error, ValueError | OSError):
            return failure(step, error, function, inputs)
        path = module_path(error.__traceback__)
        where = f" in {path}" if path else ""
        text = next(iter(text_of(error).splitlines()), type(error).__name__)
        message = f"{step.name} ({step.spec.name}){where}: {text}"
        code, hint = (Code.WRONG_SHAPE, told(inputs)) if shape else (Code.BAD_VALUE, None)
        return diagnostic(code, message, step.span, hint, step.name, own_line(error, function))

    def port_text(self, step: Step, name: str) -> str:
        kind = next(port.type.name for port in step.spec.inputs if port.name == name)
        return self.told(kind, self.value(step.inputs[name]))


def _seen_from_below(outputs: tuple[Any, ...], key: Key | None) -> Key:
    """What the steps after one can tell of it: nothing but shapes where it gives tensors, so that they are known again."""
    # Not the step's own key: when a scale is edited, the tensors after it have the same shapes as before, and the check ends
    # there. Other values (a denoiser, a schedule) may hold anything, and are told apart by how they were made.
    forms = [shape_of(value) for value in outputs]
    if None not in forms:
        return blake2b(repr(forms).encode(), digest_size=SIZE).digest()
    return key or secrets.token_bytes(SIZE)


def _driven(result: Any, declared: bool) -> tuple[Any, float]:
    """A generator is driven to its end; its `total` over the steps it made is how much longer the real one is.

    Raises WrongResult where a node that is `declared` to be one is none, or yields other things than steps.
    """
    if not isinstance(result, Generator):
        if declared:
            raise WrongResult(f"promised a generator and gave {shown(result)}", YIELDS)
        return result, 1.0
    made, total = 0, 1
    generator = cast("Generator[Progress, None, Any]", result)
    while True:
        try:
            now = next(generator)
        except StopIteration as stop:
            return stop.value, total / max(1, made)
        if not isinstance(cast(Any, now), Progress):
            raise WrongResult(f"promised steps and yielded {shown(now)}", YIELDS)
        made, total = made + 1, now.total


def _listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else [value]


def _holds_unknown(value: Any) -> bool:
    return value is UNKNOWN or (isinstance(value, list) and UNKNOWN in cast("list[Any]", value))
