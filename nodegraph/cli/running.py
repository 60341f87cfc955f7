"""`nodegraph run`."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from nodegraph.base.diagnostics import GraphError, NodeFailed
from nodegraph.base.visible import visible_line
from nodegraph.cli.arguments import input_values
from nodegraph.cli.collecting import uncollected
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    Nodes,
    errors,
    fail,
    print_faults,
    print_json,
    print_traceback,
    results,
    stopped,
)
from nodegraph.cli.fetching import fetch_missing
from nodegraph.cli.graph_options import graph_of
from nodegraph.cli.opening import (
    Device,
    LowMemory,
    Megapixels,
    Ports,
    Precise,
    ShowHelp,
    Traceback,
    Until,
    Values,
    asked,
    refusing,
)
from nodegraph.cli.report import Report, progress_of, settling
from nodegraph.cli.sweeping import axes_of, run_sweep
from nodegraph.cli.together import follows
from nodegraph.cli.watching import now, watched
from nodegraph.executors.place import executor
from nodegraph.language.setting import with_values
from nodegraph.runtime.context import MAX_MEGAPIXELS
from nodegraph.runtime.events import Completed
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Prepared, Session
from nodegraph.sweep import Sweep

Out = Annotated[Path, typer.Option(help="Folder for pictures, tables and figures.")]
Graph = Annotated[
    str,
    typer.Argument(
        help="A graph file, the name of a shipped graph, or a picture that carries one."
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep results.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]
Each = Annotated[
    list[str] | None,
    typer.Option(
        help="Run for each value of an input: NAME=[1, 2], 0..3, 0..1 by 0.25, @FILE; A+B=… together. Repeat it for more.",
        show_default=False,
    ),
]
SweepName = Annotated[
    str | None, typer.Option(help="One of the graph's own sweeps.", show_default=False)
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Ask nothing: run also more than 10,000 cells; fetch.")
]
Get = Annotated[
    bool,
    typer.Option("--get", help="Fetch the models that are not here, after showing their licences."),
]
On = Annotated[
    str,
    typer.Option(
        help="Where the cells of a sweep run: here, processes:N for N workers, ray or ray://HOST:PORT for a cluster."
    ),
]
Cache = Annotated[
    str | None,
    typer.Option(
        help="A cache that machines share, behind this one's: a folder, s3://BUCKET/FOLDER.",
        show_default=False,
    ),
]
Compile = Annotated[
    bool,
    typer.Option("--compile", help="Compile the blocks of UNets at their first call; it is kept."),
]
Watch = Annotated[
    bool,
    typer.Option("--watch", help="Run again, what changed, when a file of the graph is saved."),
]


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
    low_memory: LowMemory = False,
    nodes: Nodes = None,
    traceback: Traceback = False,
    each: Each = None,
    sweep: SweepName = None,
    yes: Yes = False,
    on: On = "here",
    cache: Cache = None,
    values: Values = None,
    ports: Ports = None,
    until: Until = None,
    watch: Watch = False,
    compiled: Compile = False,
    get: Get = False,
    show_help: ShowHelp = False,
) -> None:
    """Run a graph. Its inputs are options: `nodegraph run GRAPH --help` lists them."""
    with refusing(as_json, traceback):
        session, opened, read = graph_of(context, graph, nodes, ports, show_help)
        asking = device, precision, out, not no_cache, max_megapixels, compiled, low_memory, cache
        job = Job({}, input_values(context, read, values or ()), preset, asked(*asking), until)
        place, axes = executor(on, session), axes_of(read, each or (), sweep)
        if axes:
            run_sweep(Sweep(session, opened, job, axes), place, yes, quiet, as_json, get)
            return
        alone(on)
        present(session, opened, job, get, yes)
        how = job, Shown(quiet or follows(), as_json, traceback)
        run_always(session, graph, ports, *how) if watch else run_once(session, opened, *how)


def alone(on: str) -> None:
    """End the program where a run alone is to be shared out."""
    if on != "here":
        fail(f"--on {on} runs the cells of a sweep: say --each NAME=VALUES too", USAGE)


def present(session: Session, opened: Recorded, job: Job, get: bool, yes: bool) -> None:
    """Where it is asked to `get` them, fetch the models of a run that are not here."""
    if get:
        fetch_missing(session.missing(opened, [job]), yes)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a run tells of itself."""

    quiet: bool
    as_json: bool
    traceback: bool


def run_once(session: Session, opened: Recorded, job: Job, shown: Shown) -> None:
    """Run a graph, and wait for what goes to a cache that machines share."""
    with settling(session):
        run_now(session, opened, job, shown)


def run_now(session: Session, opened: Recorded, job: Job, shown: Shown) -> None:
    """Run a graph and write what comes out. Raises GraphError; a node that fails ends the program."""
    with uncollected():
        prepared = session.prepare(opened, job)
    session.place(prepared)
    report = Report(shown.quiet or shown.as_json, prepared.texts)
    carry_out(session, prepared, report, shown.as_json, shown.traceback)
    if shown.as_json:
        print_json(report.record())
    else:
        show(report)


def run_always(
    session: Session, name: str, ports: Sequence[str] | None, job: Job, shown: Shown
) -> None:
    """Run a graph, and again whenever one of its files is saved."""
    with settling(session):
        watched(partial(run_again, session, name, ports or (), job, shown))


def run_again(
    session: Session, name: str, ports: Sequence[str], job: Job, shown: Shown
) -> Mapping[Path, str]:
    """Run a graph as its files are now; what is wrong is told. Gives the texts of the files that it was read from."""
    texts = {Path(name): now(Path(name)) or ""}
    with suppress(typer.Exit), refusing(shown.as_json, shown.traceback):
        opened = session.open(name)
        read = opened.source
        opened = replace(opened, source=with_values(read, ports))
        found = {**session.compiled(opened, job).texts, read.name: read.text}
        texts = {Path(n): text for n, text in found.items() if Path(n).is_file()} or texts
        run_now(session, opened, job, shown)
    return texts


def carry_out(
    session: Session, prepared: Prepared, report: Report, as_json: bool, traceback: bool
) -> None:
    """Run a graph, write what comes out, and show the progress; a node that fails ends the program."""
    try:
        with progress_of(report) as progress:
            for event in session.run(prepared, files=True):
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
