"""The plan: what a run would do and why, without running: order, hits, reasons, shapes, cost."""

import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

from nodegraph.execute import Engine, needed
from nodegraph.keys import Key, Literals, keys_of, source_identity
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
    wanted = set(needed(program, tuple(program.outputs), lambda i: engine.cache.where(keys[i]) is not None))
    past = History(engine).read(program)
    steps = tuple(
        _planned(engine, step, i, keys, i in wanted, report, reason_for(step, keys, literals, past))
        for i, step in enumerate(program.steps)
    )
    return Plan(steps, report)


def _planned(
    engine: Engine, step: Step, index: int, keys: list[Key], wanted: bool, report: ShapeReport, reason: str
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


def reason_for(step: Step, keys: list[Key], literals: Literals, past: dict[str, dict[str, str]]) -> str:
    """Why the result of a step is not there: what changed since it last ran in this graph."""
    before = past.get(step.name)
    if before is None:
        return "it never ran in this graph"
    now = portraits(step, keys, literals)
    changed = [port for port, text in now.items() if before.get(port) != text and port != "code"]
    if changed:
        return "changed: " + ", ".join(changed)
    return "its code changed" if before.get("code") != now["code"] else "its result was removed, or was quick to make"


def portraits(step: Step, keys: list[Key], literals: Literals) -> dict[str, str]:
    """Short digests of what stands on each port, and of the code."""
    found = {
        name: blake2b(source_identity(source, keys, literals), digest_size=6).hexdigest()
        for name, source in step.inputs.items()
    }
    return {**found, "code": f"{step.spec.version}-{step.spec.code}"}


@dataclass(frozen=True, slots=True)
class History:
    """What each node of a graph last ran with: a small JSON file for each graph, beside the cache."""

    engine: Engine

    def _path(self, program: Program) -> Path | None:
        disk = self.engine.cache.disk
        if disk is None:
            return None
        name = blake2b(str(Path(program.file).resolve()).encode(), digest_size=12).hexdigest()
        return disk.folder / "history" / f"{name}.json"

    def read(self, program: Program) -> dict[str, dict[str, str]]:
        """Portraits by node; empty where there are none."""
        path = self._path(program)
        try:
            return json.loads(path.read_text(encoding="utf-8")) if path else {}
        except (OSError, ValueError):
            return {}

    def write(self, program: Program) -> None:
        """Remember what the nodes of a finished run ran with."""
        path = self._path(program)
        if path is None:
            return
        literals = self.engine.literals()
        keys = keys_of(program, literals, self.engine.policy)
        found = {step.name: portraits(step, keys, literals) for step in program.steps}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(found), encoding="utf-8")
            partial.replace(path)
        except OSError:
            return
