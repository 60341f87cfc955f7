"""What a run tells on a terminal: bars for nodes that take steps, warnings as they come, and what became of each node."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.base.render import as_json as as_record
from nodegraph.base.visible import visible_line
from nodegraph.cli.console import errors, print_faults
from nodegraph.runtime.events import (
    Cached,
    Completed,
    Event,
    Failed,
    Finished,
    Loaded,
    Planned,
    Started,
    Stepped,
    Warned,
    Written,
)
from nodegraph.session import Session


class Speed(ProgressColumn):
    """Steps per second, or seconds per step where they are slow."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f} steps/s" if speed >= 1 else f"{1 / speed:.1f} s/step")


@dataclass(slots=True)
class Report:
    """Follows the events of a run: what each node did, and bars for those that take steps."""

    quiet: bool
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    said: list[Diagnostic] = field(default_factory=list[Diagnostic])
    written: Mapping[str, Any] = field(default_factory=dict[str, Any])
    bars: dict[str, TaskID] = field(default_factory=dict[str, TaskID])

    def follow(self, event: Event, progress: Progress) -> None:
        match event:
            case Planned(steps):
                self.nodes |= {s.node: {"status": "skipped", "seconds": 0.0} for s in steps}
            case Started(node):
                self.nodes[node] = {"status": "failed", "seconds": 0.0}
            case Stepped(node, done, total, _, note):
                if node not in self.bars:
                    self.bars[node] = progress.add_task(visible_line(node), note="")
                progress.update(
                    self.bars[node], completed=done, total=total, note=visible_line(note)
                )
            case Cached(node):
                self.nodes[node] = {"status": "cached", "seconds": 0.0}
            case Finished(node, seconds, status):
                self.nodes[node] = {"status": status, "seconds": round(seconds, 4)}
            case Warned(_, found) | Failed(_, found):
                self.said.append(found)
                print_faults([found], self.sources)
            case Written(outputs):
                self.written = outputs
            case Loaded() | Completed():
                pass

    def record(self) -> dict[str, Any]:
        """What became of the run, for programs."""
        said = [as_record(found) for found in self.said]
        return {"outputs": dict(self.written), "nodes": self.nodes, "diagnostics": said}


def progress_of(report: Report) -> Progress:
    """The bars of a run, on standard error."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=errors, disable=report.quiet)


@contextmanager
def settling(session: Session) -> Generator[None]:
    """At the end wait for what goes to a cache that machines share, and say what went wrong with it."""
    try:
        yield
    finally:
        print_faults(session.settle(), {})
