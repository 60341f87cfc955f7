"""`nodegraph run --each …`: a run for each combination of values, with a table and a contact sheet."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import typer
from rich.progress import Progress

from nodegraph.base.render import as_json as fault_as_json
from nodegraph.cli.collecting import uncollected
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    errors,
    fail,
    print_faults,
    print_json,
    results,
    stopped,
)
from nodegraph.cli.fetching import fetch_missing
from nodegraph.cli.report import Report, progress_of, settling
from nodegraph.executors.place import swept
from nodegraph.executors.share import Executor
from nodegraph.groups import Told
from nodegraph.language.axes import BadAxis, sweep_axes, written_axis
from nodegraph.language.graph import Graph
from nodegraph.language.many import Axis
from nodegraph.runtime.events import Completed, Failed
from nodegraph.sweep import MOST_CELLS, Cell, Outcome, Sweep, write_sheet, write_table


def axes_of(graph: Graph, each: Sequence[str], sweep: str | None) -> list[Axis]:
    """The axes that the options name: of a sweep in the file, then those of the command line. Wrong ones end the program."""
    try:
        return [*(sweep_axes(graph, sweep) if sweep else []), *map(written_axis, each)]
    except BadAxis as error:
        fail(f"--each {error}", USAGE)


@dataclass(slots=True)
class Sheet:
    """What came of the cells so far, and where the table and the contact sheet are written."""

    sweep: Sweep
    quiet: bool
    as_json: bool
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    reports: dict[int, Report] = field(default_factory=dict[int, Report])
    """Of the cells that are on their way, by number."""

    def run(self, place: Executor) -> None:
        """Run the cells. A cell that fails is a row of the table; what had run is written when it is stopped."""
        signal: KeyboardInterrupt | None = None
        with progress_of(Report(self.quiet)) as progress, closing(place):
            total = progress.add_task("cells", total=len(self.sweep), note="")
            try:
                told = swept(self.sweep, place, files=True)
                while (outcome := self.next(told, progress)) is not None:
                    progress.update(total, advance=1, note=_named(outcome.cell))
            except KeyboardInterrupt as raised:
                signal = raised
        self.written()
        if signal is not None:
            stopped("cancelled; what had finished is kept", signal)

    def next(self, told: Iterator[Told], progress: Progress) -> Outcome | None:
        """Show what happens until the next cell has come to its end; None after the last."""
        with uncollected():
            for cell, event in told:
                if isinstance(event, Outcome):
                    self.ended(event, progress)
                    return event
                report = self.reports.setdefault(cell.number, Report(self.quiet))
                report.follow(event, progress)
                if isinstance(event, Completed | Failed):
                    self.cleared(report, progress)
        return None

    def ended(self, outcome: Outcome, progress: Progress) -> None:
        """Take a cell in, and say why it failed if it did."""
        report = self.reports.pop(outcome.cell.number, Report(self.quiet))
        self.cleared(report, progress)
        self.outcomes.append(replace(outcome, outputs={}, prepared=None))
        if outcome.fault is not None:
            errors.print(f"cell {outcome.cell.number} ({_named(outcome.cell)}) failed:")
            print_faults([outcome.fault], report.sources)

    def cleared(self, report: Report, progress: Progress) -> None:
        """Take the bars of a cell away."""
        for bar in report.bars.values():
            progress.remove_task(bar)
        report.bars.clear()

    def written(self) -> None:
        """Write the table and the sheet, and say where they are; a failed cell ends the program with its code."""
        out, stem = Path(self.sweep.job.options.out), Path(self.sweep.opened.source.name).stem
        rows = [outcome.row() for outcome in self.outcomes]
        out.mkdir(parents=True, exist_ok=True)
        table = write_table(rows, out, stem)
        pages = write_sheet(self.sweep.sheet(self.outcomes), out, stem)
        failed = sum(outcome.fault is not None for outcome in self.outcomes)
        if self.as_json:
            faults = [fault_as_json(o.fault) for o in self.outcomes if o.fault is not None]
            sheets = list(map(str, pages))
            print_json({"cells": rows, "table": str(table), "sheet": sheets, "diagnostics": faults})
        else:
            results.print(f"table: {table}")
            for page in pages:
                results.print(f"sheet: {page}")
            errors.print(f"cells: {len(rows) - failed} done" + f", {failed} failed" * bool(failed))
        if failed:
            raise typer.Exit(FAILED)


def run_sweep(
    sweep: Sweep, place: Executor, yes: bool, quiet: bool, as_json: bool, get: bool = False
) -> None:
    """Look at all values, `get` the models that are not here, then run the cells.

    Raises GraphError for values that no cell can have.
    """
    if len(sweep) > MOST_CELLS and not yes:
        fail(f"these are {len(sweep):,} cells; say --yes to run more than {MOST_CELLS:,}", USAGE)
    try:
        sweep.check()
    except BadAxis as error:
        fail(f"--each {error}", USAGE)
    if get:
        fetch_missing(sweep.session.missing(sweep.opened, sweep.each_once()), yes)
    with settling(sweep.session):
        Sheet(sweep, quiet or as_json, as_json).run(place)


def _named(cell: Cell) -> str:
    """The values of a cell, in a line."""
    return ", ".join(f"{name} {value}" for name, value in cell.values.items())
