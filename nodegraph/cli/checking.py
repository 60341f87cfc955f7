"""`nodegraph check` and `nodegraph plan`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from nodegraph.base.diagnostics import Diagnostic, GraphError
from nodegraph.base.render import as_json as fault_as_json
from nodegraph.base.visible import visible_line
from nodegraph.cli.arguments import input_values
from nodegraph.cli.collecting import uncollected
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    Nodes,
    add_row,
    errors,
    fail,
    print_faults,
    print_json,
    print_traceback,
    registry,
    results,
)
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
from nodegraph.options import Options
from nodegraph.runtime.context import MAX_MEGAPIXELS
from nodegraph.session import Checked, Job, Session

if TYPE_CHECKING:
    from nodegraph.runtime.plan import Plan


def check(
    graphs: Annotated[
        list[str],
        typer.Argument(help="Graph files, names of shipped graphs, or pictures that carry one."),
    ],
    preset: Annotated[str | None, typer.Option(help="Check with this preset's values.")] = None,
    types: Annotated[
        bool, typer.Option("--types", help="Only names and types: torch is not imported.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="A list of faults on standard output.")
    ] = False,
    max_megapixels: Megapixels = MAX_MEGAPIXELS,
    nodes: Nodes = None,
    traceback: Traceback = False,
) -> None:
    """Check graphs: names, types, and the shapes of every tensor, before anything is loaded."""
    found: list[Diagnostic] = []
    job = Job(preset=preset, options=_bounded(max_megapixels))
    session = Session(registry(nodes))
    for name in graphs:
        one = check_one(session, name, job, types)
        found.extend(one.diagnostics)
        for error in one.raised if traceback else ():
            print_traceback(error)
        if not as_json:
            print_faults(one.diagnostics, one.texts)
            _say(name, one)
    if as_json:
        print_json([fault_as_json(fault) for fault in found])
    if any(fault.severity == "error" for fault in found):
        raise typer.Exit(FAILED)


def _bounded(max_megapixels: float) -> Options:
    try:
        return Options(max_megapixels=max_megapixels)
    except ValueError as error:
        fail(str(error), USAGE)


def check_one(session: Session, name: str, job: Job, types: bool) -> Checked:
    """The faults of one graph, also where there is none to be found."""
    try:
        with uncollected():
            return session.check(session.open(name), job, types)
    except GraphError as error:
        return Checked(error.diagnostics, error.texts)


def _say(name: str, found: Checked) -> None:
    count = sum(fault.severity == "error" for fault in found.diagnostics)
    unknown = f", nodes of unknown shape: {found.unknown}; `nodegraph plan` says why"
    note = unknown if found.unknown else ""
    told = f"{count} error{'s' * (count != 1)}" if count else "ok"
    errors.print(f"{visible_line(name)}: {told}{note}")


def plan(
    context: typer.Context,
    graph: Annotated[
        str, typer.Argument(help="A graph file, or the name of a shipped graph.")
    ] = "",
    preset: Annotated[str | None, typer.Option(help="A named set of input values.")] = None,
    device: Device = None,
    precision: Precise = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
    max_megapixels: Megapixels = MAX_MEGAPIXELS,
    low_memory: LowMemory = False,
    values: Values = None,
    ports: Ports = None,
    until: Until = None,
    nodes: Nodes = None,
    show_help: ShowHelp = False,
) -> None:
    """Say what a run would do and why, without running: order, cache, shapes, memory, operations, downloads."""
    with refusing(as_json):
        session, opened, read = graph_of(context, graph, nodes, ports, show_help)
        options = asked(device, precision, Path("out"), True, max_megapixels, low_memory=low_memory)
        job = Job({}, input_values(context, read, values or ()), preset, options, until)
        with uncollected():
            made = session.plan(opened, job)
    if as_json:
        print_json(_plan_record(made))
    else:
        _print_plan(made)
    print_faults((*made.warnings, *made.shapes.diagnostics), made.texts)
    if made.shapes.errors:
        raise typer.Exit(FAILED)


def _plan_record(made: "Plan") -> dict[str, Any]:
    return {
        "steps": [asdict(step) for step in made.steps],
        "flops": made.flops,
        "parameters": made.parameters,
        "peak_memory": made.peak_memory,
        "downloads": [{"model": m.name, "bytes": m.download} for m in made.downloads],
    }


def _print_plan(made: "Plan") -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("node", "type", "action"):
        table.add_column(name, no_wrap=True)
    table.add_column("outputs", overflow="fold")
    for name in ("params", "memory", "GFLOP"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("why")
    for step in made.steps:
        shapes = "; ".join(step.outputs)
        cost = (_count(step.parameters), _bytes(step.memory), f"{step.flops / 1e9:.2f}")
        add_row(table, step.node, step.type, step.action, shapes, *cost, step.reason)
    results.print(table)
    results.print(
        f"to run: {made.flops / 1e9:.1f} GFLOP, {_count(made.parameters) or 'no'} parameters, "
        f"{_bytes(made.peak_memory) or 'nothing'} at the peak"
    )
    for name, reason in made.shapes.lost.items():
        results.print(f"shapes are unknown from {name} on: {reason}")
    for model in made.downloads:
        size = "of unknown size" if model.download is None else _bytes(model.download)
        results.print(f"to download: {model.name}, {size}; `nodegraph run … --get` fetches it")


def _count(number: int) -> str:
    """4,321,000 as `4.3M`; nothing for none."""
    return f"{number / 1e6:.1f}M" if number else ""


def _bytes(number: int) -> str:
    """Bytes in the unit that suits them; nothing for none."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B" if number else ""
