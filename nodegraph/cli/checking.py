"""`nodegraph check` and `nodegraph plan`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from nodegraph.api import Options, make_engine
from nodegraph.cli.arguments import input_values, no_graph, print_help
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    add_row,
    errors,
    fail,
    print_faults,
    print_json,
    print_traceback,
    registry,
    results,
)
from nodegraph.cli.opening import (
    Asked,
    compile_or_fail,
    engine_for,
    open_source,
    opened,
    read_or_fail,
    refuse,
)
from nodegraph.cli.running import Device, Megapixels, Precise, Traceback
from nodegraph.compile import Compiled, compile_graph
from nodegraph.context import MAX_MEGAPIXELS
from nodegraph.errors import Diagnostic, GraphError
from nodegraph.inputs import Request
from nodegraph.render import as_json as fault_as_json
from nodegraph.source import SourceText
from nodegraph.visible import visible_line

if TYPE_CHECKING:
    from nodegraph.plan import Plan


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
    traceback: Traceback = False,
) -> None:
    """Check graphs: names, types, and the shapes of every tensor, before anything is loaded."""
    found: list[Diagnostic] = []
    for name in graphs:
        one = check_one(name, preset, types, max_megapixels)
        found.extend(one.faults)
        for error in one.raised if traceback else ():
            print_traceback(error)
        if not as_json:
            print_faults(one.faults, one.sources)
            _say(name, one.faults, one.unknown)
    if as_json:
        print_json([fault_as_json(fault) for fault in found])
    if any(fault.severity == "error" for fault in found):
        raise typer.Exit(FAILED)


def _say(name: str, faults: list[Diagnostic], unknown: int) -> None:
    count = sum(fault.severity == "error" for fault in faults)
    note = f", nodes of unknown shape: {unknown}" if unknown else ""
    told = f"{count} error{'s' * (count != 1)}" if count else "ok"
    errors.print(f"{visible_line(name)}: {told}{note}")


@dataclass(frozen=True, slots=True)
class Checked:
    """The faults of a graph, the texts they point into, how many nodes could not be followed, and what nodes raised."""

    faults: list[Diagnostic]
    sources: Mapping[str, str] = field(default_factory=dict[str, str])
    unknown: int = 0
    raised: tuple[BaseException, ...] = ()


def check_one(
    name: str, preset: str | None, types: bool, max_megapixels: float = MAX_MEGAPIXELS
) -> Checked:
    """Check one graph: names and types, and shapes if `types` is not all that is wanted."""
    try:
        recorded = opened(name)
    except GraphError as error:
        return Checked(list(error.diagnostics))
    source = recorded.source
    request = Request(preset=preset, whole=False, recorded=recorded.inputs)
    compiled = compile_graph(source, registry(), request)
    if types or compiled.program is None:
        return Checked(list(compiled.diagnostics), compiled.texts)
    return _shapes(source, compiled, max_megapixels)


def _shapes(source: SourceText, compiled: Compiled, max_megapixels: float) -> Checked:
    from nodegraph.shapes import check_shapes

    try:
        options = Options(cached=False, max_megapixels=max_megapixels)
        engine = make_engine(registry(), source, options)
    except ValueError as error:
        fail(str(error), USAGE)
    report = check_shapes(compiled.checked(), engine)
    faults = [*compiled.diagnostics, *report.diagnostics]
    return Checked(faults, compiled.texts, report.unknown, report.raised)


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
    show_help: Annotated[
        bool, typer.Option("--help", help="Show this, or the inputs of the graph.")
    ] = False,
) -> None:
    """Say what a run would do and why, without running: order, cache, shapes, memory, operations, downloads."""
    from nodegraph.plan import make_plan

    if not graph:
        no_graph(context, show_help)
    recorded = open_source(graph)
    read = read_or_fail(recorded.source)
    if show_help:
        print_help(read, context, graph)
        return
    given = input_values(context, read)
    asked = Asked(given, preset, device, precision, max_megapixels=max_megapixels)
    program, texts = compile_or_fail(recorded, asked)
    try:
        made = make_plan(program, engine_for(recorded, asked, program))
    except GraphError as error:
        refuse(error.diagnostics, texts, as_json)
    if as_json:
        print_json(_plan_record(made))
    else:
        _print_plan(made)
    print_faults(made.shapes.diagnostics, texts)
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
        f"{_bytes(made.peak_memory)} at the peak"
    )
    for model in made.downloads:
        size = "of unknown size" if model.download is None else _bytes(model.download)
        results.print(f"to download: {model.name}, {size}")


def _count(number: int) -> str:
    """4,321,000 as `4.3M`; nothing for none."""
    return f"{number / 1e6:.1f}M" if number else ""


def _bytes(number: int) -> str:
    """Bytes in the unit that suits them; nothing for none."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number} B" if number else ""
