"""Sweeps: a graph run for every combination of values of its inputs; a cell that fails stops no other."""

import csv
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nodegraph.base.diagnostics import Diagnostic, GraphError, NodeFailed
from nodegraph.base.partial import claimed
from nodegraph.language.axes import no_name_twice
from nodegraph.language.many import Axis, cells, count
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.events import Completed, Event
from nodegraph.runtime.parcel import Parcel
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Prepared, Session

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_CELLS = 10_000
"""Cells that are run unless more are asked for."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination: its number, from 0, and the values of the inputs that vary, as they were given."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a cell. `outputs` are the values, `written` what the surface says of them (paths, numbers, texts).

    `fault` is None where it ran.
    """

    cell: Cell
    seconds: float
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    written: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fault: Diagnostic | None = None
    picture: bytes | None = None
    """The first picture that came out, encoded."""
    prepared: Prepared | None = field(default=None, repr=False, compare=False)
    """What ran, where it came to an end."""
    parcel: Parcel | None = None
    """Where the outputs lie, if the cell ran in another process."""

    def row(self) -> dict[str, Any]:
        """A row of the table: cell, the inputs that vary, what came out, status, seconds, and the message of a failure."""
        found = {name: _cell_of(value) for name, value in self.written.items()}
        status = "done" if self.fault is None else "failed"
        message = "" if self.fault is None else f"{self.fault.code}: {self.fault.message}"
        told = {"status": status, "seconds": round(self.seconds, 3), "message": message}
        return {"cell": self.cell.number, **self.cell.values, **found, **told}


@dataclass(frozen=True, slots=True)
class Sweep:
    """A graph with axes over its inputs. The job holds what all cells share."""

    session: Session
    opened: Recorded
    job: Job
    axes: Sequence[Axis]

    def __len__(self) -> int:
        """How many cells there are."""
        return count(self.axes)

    def cells(self) -> Iterator[Cell]:
        """The cells in order, the first axis changing slowest."""
        for number, values in enumerate(cells(self.axes)):
            yield Cell(number, values)

    def check(self) -> None:
        """Look at every value of every axis, each once. Raises GraphError with all faults of names and types, BadAxis."""
        no_name_twice(self.axes)
        found: dict[Diagnostic, None] = {}
        texts: dict[str, str] = {}
        for job in self.each_once():
            compiled = self.session.compiled(self.opened, job)
            texts |= compiled.texts
            if compiled.program is None:
                found |= dict.fromkeys(compiled.diagnostics)
        if found:
            raise GraphError(tuple(found), texts)

    def each_once(self) -> Iterator[Job]:
        """Jobs in which every value of every axis stands once, beside the first ones of the others."""
        first = next(iter(self.cells())).values
        for axis in self.axes:
            for row in axis.rows:
                yield self.job_of({**first, **dict(zip(axis.names, row, strict=True))})

    def job_of(self, values: Mapping[str, Any]) -> Job:
        """The job of a cell."""
        written = {name for axis in self.axes if axis.written for name in axis.names}
        texts = {name: value for name, value in values.items() if name in written}
        given = {name: value for name, value in values.items() if name not in written}
        return replace(
            self.job, inputs={**self.job.inputs, **given}, texts={**self.job.texts, **texts}
        )

    def run(
        self, cell: Cell, token: CancelToken | None = None, write: bool = True
    ) -> "Iterator[Event | Outcome]":
        """Run a cell, and write what comes out; the last that comes is the Outcome. Raises Cancelled."""
        for event in run_cell(self.session, self.opened, self.job_of(cell.values), cell, token):
            if isinstance(event, Outcome) and write:
                yield from written(self.session, event)
            else:
                yield event

    def sheet(self, outcomes: Sequence[Outcome]) -> "list[Image]":
        """The pictures of the cells on pages with labelled axes; none where no cell gave a picture."""
        from nodegraph.runtime.sheet import Labels, sheet

        known = {outcome.cell.number: outcome.picture for outcome in outcomes}
        if not any(known.values()):
            return []
        axes = [
            Labels("+".join(axis.names), tuple(", ".join(map(_shown, row)) for row in axis.rows))
            for axis in self.axes
        ]
        return sheet([known.get(number) for number in range(len(self))], axes)


def run_cell(
    session: Session, opened: Recorded, job: Job, cell: Cell, token: CancelToken | None = None
) -> Iterator[Event | Outcome]:
    """Run one cell, whose job has its values; the last that comes is the Outcome. Raises Cancelled, and NoDevice."""
    started = time.perf_counter()
    try:
        prepared = session.prepare(opened, job, token)
        for event in session.run(prepared, token):
            yield event
            if isinstance(event, Completed):
                yield outcome_of(session, cell, prepared, event, time.perf_counter() - started)
    except GraphError as error:
        yield failed(cell, time.perf_counter() - started, error)
    except NodeFailed as error:
        yield Outcome(cell, time.perf_counter() - started, fault=error.diagnostic)


def outcome_of(
    session: Session, cell: Cell, prepared: Prepared, event: Completed, seconds: float
) -> Outcome:
    """The outcome of a cell that has run."""
    picture = session.preview(prepared, event.outputs)
    return Outcome(cell, seconds, event.outputs, _told(event), None, picture, prepared)


def written(session: Session, outcome: Outcome) -> Iterator[Event | Outcome]:
    """Write what came out of a cell to the folder of its options: a Written event, and the outcome, which tells of it."""
    if outcome.prepared is None:
        yield outcome
        return
    try:
        found = session.write(outcome.prepared, dict(outcome.outputs))
    except GraphError as error:
        yield failed(outcome.cell, outcome.seconds, error)
    else:
        yield found
        yield replace(outcome, written=found.outputs)


def failed(cell: Cell, seconds: float, error: GraphError) -> Outcome:
    """The outcome of a cell that was refused, with the first of its faults."""
    fault = next(fault for fault in error.diagnostics if fault.severity == "error")
    return Outcome(cell, seconds, fault=fault)


def _told(event: Completed) -> dict[str, Any]:
    """What came out, for a table: numbers and texts as they are, the rest described."""
    return {
        name: value if isinstance(value, str | int | float | bool) else event.described.get(name)
        for name, value in event.outputs.items()
    }


def _cell_of(value: Any) -> Any:
    """A value in a table; a list of them in one cell."""
    if not isinstance(value, list):
        return value
    return "; ".join(map(str, cast("list[Any]", value)))


def _shown(value: Any) -> str:
    """A value as a label."""
    if isinstance(value, str | int | float | bool | None):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return (
        f"[{', '.join(map(_shown, cast('list[Any]', value)))}]"
        if isinstance(value, list)
        else repr(value)[:40]
    )


def write_sheet(pages: "Sequence[Image]", folder: Path, stem: str) -> list[Path]:
    """Write contact sheets as PNG under the next free names. Raises OSError."""
    paths: list[Path] = []
    for page in pages:
        with claimed(folder, f"{stem}-sheet") as (beside, name):
            page.save(beside / f"{name}.png")
            paths.append(folder / f"{name}.png")
    return paths


def write_table(rows: Sequence[Mapping[str, Any]], folder: Path, stem: str) -> Path:
    """Write the rows of a sweep as CSV under the next free name, whole or not at all. Raises OSError."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    last = [name for name in ("status", "seconds", "message") if name in names]
    names = [*(name for name in names if name not in last), *last]
    with claimed(folder, f"{stem}-sweep") as (beside, name):
        with (beside / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, names, restval="")
            writer.writeheader()
            writer.writerows(rows)
        return folder / f"{name}.csv"
