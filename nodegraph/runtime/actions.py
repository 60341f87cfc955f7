"""What a run would do with each step, and why; found without torch."""

from collections.abc import Mapping

from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Action, Deed
from nodegraph.runtime.execute import needed
from nodegraph.runtime.history import History, reason_for
from nodegraph.runtime.keyed import Keyed


def deeds(engine: Engine, keyed: Keyed) -> tuple[Deed, ...]:
    """What a run of all outputs would do with each step. Raises GraphError for a literal that cannot be read."""
    program, keys = keyed.program, keyed.keys
    hits = [engine.cache.where(key) is not None for key in keys]
    wanted = set(needed(program, tuple(program.outputs), lambda i: hits[i]))
    past = History(engine.cache.disk).read(program)
    return tuple(
        Deed(step.name, *_action(engine, keyed, i, i in wanted, past), keys[i].hex())
        for i, step in enumerate(program.steps)
    )


def _action(
    engine: Engine, keyed: Keyed, index: int, wanted: bool, past: Mapping[str, Mapping[str, str]]
) -> tuple[Action, str]:
    """What is done with a step, and why."""
    step, disk = keyed.program.steps[index], engine.cache.disk
    where = engine.cache.where(keyed.keys[index])
    if not wanted:
        return "skip", "nothing that runs needs it"
    if where is not None:
        return where, "the result is there"
    if not step.spec.pure:
        return "run", "it is not cached: its results depend on more than its inputs"
    if step.output_types and disk is not None and not disk.keeps(step.output_types):
        return "rebuild", "a live value: made again in each process"
    return "run", reason_for(step, keyed.keys, keyed.literals, past)
