"""Cells that differ in rows alone, run together: which those are, and how they run."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nodegraph.base.devices import out_of_memory
from nodegraph.base.diagnostics import GraphError, NodeFailed
from nodegraph.language.many import Axis
from nodegraph.options import NoDevice
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Cached, Completed, Event, Failed, Planned, Warned
from nodegraph.runtime.history import History
from nodegraph.runtime.recorded import Recorded
from nodegraph.runtime.together import MARK, Together, together
from nodegraph.session import Job, Prepared, Session, chosen_device, doubted
from nodegraph.sweep import Cell, Outcome, Sweep, outcome_of, run_cell

GROUP = 8
"""Cells that run together at most: the same in every place, so that every place gives the same."""
Told = tuple[Cell, Event | Outcome]


def groups_of(sweep: Sweep) -> Iterator[tuple[Cell, ...]]:
    """The cells of a sweep as they run: in groups of those that differ in rows alone, in their order; else one by one."""
    apart = [axis for axis in sweep.axes if not _of_rows(sweep, axis)]
    if len(apart) == len(sweep.axes):
        yield from ((cell,) for cell in sweep.cells())
        return
    waiting: dict[tuple[int, ...], list[Cell]] = {}
    for cell in sweep.cells():
        group = waiting.setdefault(_place(sweep, cell, apart), [])
        group.append(cell)
        if len(group) == GROUP:
            yield tuple(group)
            group.clear()
    yield from (tuple(group) for group in waiting.values() if group)


def _place(sweep: Sweep, cell: Cell, axes: Sequence[Axis]) -> tuple[int, ...]:
    """Which row of some axes a cell has."""
    rest, found = cell.number, list[int]()
    for axis in reversed(sweep.axes):
        rest, row = divmod(rest, len(axis.rows))
        found += [row] if any(axis is one for one in axes) else []
    return tuple(found)


def _of_rows(sweep: Sweep, axis: Axis) -> bool:
    """Whether cells that differ in an axis differ in rows alone: its first two rows tell."""
    if len(axis.rows) < 2:
        return False
    first = next(iter(sweep.cells())).values
    values = ({**first, **dict(zip(axis.names, row, strict=True))} for row in axis.rows[:2])
    try:
        two = [sweep.session.ready(sweep.opened, sweep.job_of(v)).keyed for v in values]
        return together(two, sweep.session.registry) is not None
    except (GraphError, NoDevice):
        return False


def run_group(
    session: Session,
    opened: Recorded,
    cells: Sequence[tuple[Cell, Job]],
    token: CancelToken | None = None,
) -> Iterator[Told]:
    """Run cells together where they can be, else one by one. Each has an Outcome; raises Cancelled, and NoDevice.

    Where they run out of memory together, their halves do.
    """
    rest, memory = cells, False
    if len(cells) > 1:
        try:
            rest = yield from _as_one(session, opened, cells, token)
        except (
            _Apart
        ) as apart:  # it is let go before anything runs again: it holds what the nodes had
            memory = apart.memory
    if memory:
        half = len(cells) // 2
        for some in (cells[:half], cells[half:]):
            yield from run_group(session, opened, some, token)
        return
    for cell, job in rest:
        yield from ((cell, event) for event in run_cell(session, opened, job, cell, token))


class _Apart(Exception):
    """Cells did not run together; `memory`: there was too little for all of them."""

    def __init__(self, memory: bool = False) -> None:
        super().__init__(memory)
        self.memory = memory


@dataclass(frozen=True, slots=True)
class _One:
    """A cell that is to run with others."""

    cell: Cell
    job: Job
    prepared: Prepared


def _as_one(
    session: Session,
    opened: Recorded,
    cells: Sequence[tuple[Cell, Job]],
    token: CancelToken | None,
) -> Generator[Told, None, list[tuple[Cell, Job]]]:
    """Run those cells together that are not kept; gives the others. Raises _Apart where that does not work out."""
    started = time.perf_counter()
    try:
        ones = [_One(cell, job, session.ready(opened, job)) for cell, job in cells]
        ones[0].prepared.engine.bring([one.prepared.keyed for one in ones])
        missing = [one for one in ones if one.prepared.engine.waiting(one.prepared.keyed)]
        if len(missing) < 2:
            return list(cells)
        group = together([one.prepared.keyed for one in missing], session.registry)
        if group is None:
            raise _Apart
        engine = missing[0].prepared.engine
        if chosen_device(opened, missing[0].job.options, ask=True) != engine.context.device:
            raise _Apart
        session.check_waiting(group.keyed, engine, engine.waiting(group.keyed), token)
    except GraphError:
        raise _Apart from None  # each tells its own faults
    for one in missing:
        told = session.before(doubted(opened, one.prepared, computes=True))
        yield from ((one.cell, event) for event in told)
    yield from _ran(session, missing, group, token, started)
    there = {one.cell.number for one in missing}
    return [(cell, job) for cell, job in cells if cell.number not in there]


def _ran(
    session: Session,
    ones: Sequence[_One],
    group: Together,
    token: CancelToken | None,
    started: float,
) -> Iterator[Told]:
    """Run the program of a group. Raises _Apart where a node fails, or warns of what may be one cell's alone."""
    engine = ones[0].prepared.engine
    try:
        for event in engine.run(group.keyed, token=token):
            if isinstance(event, Completed):
                seconds = (time.perf_counter() - started) / len(ones)
                History(engine.cache.disk).write(ones[-1].prepared.keyed)
                for number, one in enumerate(ones):
                    yield from _ended(session, one, _of_cell(event, group, number), seconds)
            elif not isinstance(event, Failed | Planned):
                if isinstance(event, Warned) and event.node in group.rows:
                    raise _Apart
                yield from _told(event, ones, group)
    except NodeFailed as error:
        raise _Apart(_of_memory(error)) from error


def _told(event: Any, ones: Sequence[_One], group: Together) -> Iterator[Told]:
    """An event of a group's program: what happens once is told of its first cell, and helpers of the engine tell nothing."""
    name, mark, number = event.node.partition(MARK)
    if not mark:
        yield ones[0].cell, event
    elif number and (event.node not in group.cut or isinstance(event, Cached)):
        if isinstance(event, Warned):
            found = event.diagnostic
            message = found.message.replace(event.node, name)
            event = replace(event, diagnostic=replace(found, message=message, node=name))
        yield ones[int(number)].cell, replace(event, node=name)


def _of_cell(event: Completed, group: Together, number: int) -> Completed:
    """What came out of one cell."""
    names = group.outputs[number]
    outputs = {name: event.outputs[called] for name, called in names.items()}
    return Completed(outputs, {name: event.described[called] for name, called in names.items()})


def _ended(session: Session, one: _One, event: Completed, seconds: float) -> Iterator[Told]:
    yield one.cell, event
    yield one.cell, outcome_of(session, one.cell, one.prepared, event, seconds)


def _of_memory(error: BaseException | None) -> bool:
    """Whether an error came of too little memory."""
    while error is not None:
        if out_of_memory(error):
            return True
        error = error.__cause__
    return False
