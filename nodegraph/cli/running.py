"""`nodegraph run`."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import typer
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

from nodegraph.base.diagnostics import Diagnostic, GraphError, NodeFailed
from nodegraph.base.render import as_json as as_record
from nodegraph.base.visible import visible_line
from nodegraph.cli.arguments import input_values, no_graph, print_help
from nodegraph.cli.collecting import uncollected
from nodegraph.cli.console import (
    FAILED,
    errors,
    print_faults,
    print_json,
    print_traceback,
    results,
    stopped,
)
from nodegraph.cli.opening import asked, open_graph, refusing
from nodegraph.runtime.context import MAX_MEGAPIXELS
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
from nodegraph.session import Job, Prepared, Session

Out = Annotated[Path, typer.Option(help="Folder for pictures, tables and figures.")]
Device = Annotated[
    str | None,
    typer.Option(
        help="auto, cpu, cuda, cuda:1 or mps; a picture's own, or auto.", show_default=False
    ),
]
Precise = Annotated[
    str | None,
    typer.Option(
        help="float32, bfloat16 or float16; a picture's own, or float32.", show_default=False
    ),
]


Graph = Annotated[
    str,
    typer.Argument(
        help="A graph file, the name of a shipped graph, or a picture that carries one."
    ),
]
Megapixels = Annotated[
    float, typer.Option(help="Pictures of more million pixels are refused before they are decoded.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep results.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Traceback = Annotated[
    bool, typer.Option("--traceback", help="Show where in Python a node raised its error.")
]
ShowHelp = Annotated[bool, typer.Option("--help", help="Show this, or the inputs of the graph.")]


def run(
    context: typer.Context,
    graph: Graph = "",
    preset: Annotated[str | None, typer.Option(help="A named set of input values.")] = None,
    out: Out = Path("out"),
    device: Device = None,
    precision: Precise = None,
    no_cache: NoCache = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: AsJson = False,
    max_megapixels: Megapixels = MAX_MEGAPIXELS,
    traceback: Traceback = False,
    show_help: ShowHelp = False,
) -> None:
    """Run a graph. Its inputs are options: `nodegraph run GRAPH --help` lists them."""
    if not graph:
        no_graph(context, show_help)
    with refusing(as_json, traceback):
        session, opened = open_graph(graph)
        read = session.read(opened)
        if show_help:
            print_help(read, context, graph)
            return
        texts = input_values(context, read)
        options = asked(device, precision, out, not no_cache, max_megapixels)
        with uncollected():
            prepared = session.prepare(opened, Job({}, texts, preset, options))
        session.place(prepared)
        report = Report(quiet or as_json, prepared.texts)
        carry_out(session, prepared, report, as_json, traceback)
    if as_json:
        print_json(report.record())
    else:
        show(report)


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


def carry_out(
    session: Session, prepared: Prepared, report: Report, as_json: bool, traceback: bool
) -> None:
    """Run a graph, write what comes out, and show the progress; a node that fails ends the program."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    try:
        with Progress(*columns, console=errors, disable=report.quiet) as progress:
            for event in session.run(prepared):
                report.follow(event, progress)
                if isinstance(event, Completed):
                    report.follow(session.write(prepared, event.outputs), progress)
    except (NodeFailed, GraphError) as error:
        if traceback:
            print_traceback(error)
        if isinstance(error, GraphError):
            report.said += error.diagnostics
            print_faults(error.diagnostics, report.sources)
        if as_json:
            print_json({**report.record(), "error": str(error)})
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt as signal:
        stopped("cancelled; what had finished is kept", signal)


def show(report: Report) -> None:
    """What came out, and what was done for it."""
    for name, found in report.written.items():
        for item in cast("list[Any]", found) if isinstance(found, list) else [found]:
            results.print(f"{name}: {visible_line(str(item))}")
    if not report.quiet:
        counts: dict[str, int] = {}
        for node in report.nodes.values():
            counts[node["status"]] = counts.get(node["status"], 0) + 1
        summary = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        errors.print(f"nodes: {summary}")
        sys.stderr.flush()
