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

from nodegraph.api import check_before_run
from nodegraph.cli.arguments import input_values, no_graph, print_help
from nodegraph.cli.console import (
    FAILED,
    errors,
    print_faults,
    print_json,
    print_traceback,
    results,
    stopped,
)
from nodegraph.cli.opening import (
    Asked,
    compile_or_fail,
    engine_for,
    open_source,
    read_or_fail,
    refuse,
    refuse_graph,
)
from nodegraph.cli.writing import refuse_place, warn_of_other_models, write_outputs
from nodegraph.context import MAX_MEGAPIXELS
from nodegraph.errors import Diagnostic, GraphError, NodeFailed
from nodegraph.events import (
    Cached,
    Completed,
    Event,
    Failed,
    Finished,
    Started,
    Stepped,
    Warned,
)
from nodegraph.execute import Engine
from nodegraph.history import History
from nodegraph.program import Program
from nodegraph.render import as_json as as_record
from nodegraph.visible import visible_line

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
    recorded = open_source(graph, as_json)
    read = read_or_fail(recorded.source, as_json)
    if show_help:
        print_help(read, context, graph)
        return
    given = input_values(context, read)
    asked = Asked(given, preset, device, precision, out, not no_cache, as_json, max_megapixels)
    program, texts = compile_or_fail(recorded, asked)
    engine = engine_for(recorded, asked, program)
    try:
        check_before_run(program, engine)
        refuse_place(engine, program, out)
    except GraphError as error:
        refuse_graph(error, texts, as_json, traceback)
    warn_of_other_models(engine, program, recorded)
    report = Report(quiet or as_json, texts)
    outputs = carry_out(engine, program, report, as_json, traceback)
    History(engine).write(program)
    try:
        written = write_outputs(engine, program, outputs, out)
    except GraphError as error:
        report.said += error.diagnostics
        print_faults(error.diagnostics, texts)
        if as_json:
            found = report.diagnostics()
            print_json({"outputs": {}, "nodes": report.nodes, "diagnostics": found})
        raise typer.Exit(FAILED) from None
    if as_json:
        print_json({"outputs": written, "nodes": report.nodes, "diagnostics": report.diagnostics()})
    else:
        show(written, report)


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
    bars: dict[str, TaskID] = field(default_factory=dict[str, TaskID])

    def follow(self, event: Event, progress: Progress) -> None:
        match event:
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
            case Completed():
                pass

    def diagnostics(self) -> list[dict[str, Any]]:
        """What was said on the way, for programs."""
        return [as_record(found) for found in self.said]


def carry_out(
    engine: Engine, program: Program, report: Report, as_json: bool, traceback: bool = False
) -> dict[str, Any]:
    """Run the program and show its progress; a failed node ends the program."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        Speed(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    )
    outputs: dict[str, Any] = {}
    try:
        with Progress(*columns, console=errors, disable=report.quiet) as progress:
            for event in engine.run(program):
                report.follow(event, progress)
                if isinstance(event, Completed):
                    outputs = event.outputs
    except (NodeFailed, GraphError) as error:
        if traceback:
            print_traceback(error)
        if isinstance(error, GraphError):
            refuse(error.diagnostics, report.sources, as_json)
        if as_json:
            _skipped(program, report)
            found = report.diagnostics()
            print_json(
                {"outputs": {}, "nodes": report.nodes, "diagnostics": found, "error": str(error)}
            )
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt as signal:
        stopped("cancelled; what had finished is kept", signal)
    _skipped(program, report)
    return outputs


def _skipped(program: Program, report: Report) -> None:
    for step in program.steps:
        report.nodes.setdefault(step.name, {"status": "skipped", "seconds": 0.0})


def show(written: dict[str, Any], report: Report) -> None:
    """What came out, and what was done for it."""
    for name, found in written.items():
        for item in cast("list[Any]", found) if isinstance(found, list) else [found]:
            results.print(f"{name}: {visible_line(str(item))}")
    if not report.quiet:
        counts: dict[str, int] = {}
        for node in report.nodes.values():
            counts[node["status"]] = counts.get(node["status"], 0) + 1
        summary = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        errors.print(f"nodes: {summary}")
        sys.stderr.flush()
