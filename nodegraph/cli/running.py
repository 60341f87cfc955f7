"""`nodegraph run`."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from nodegraph.api import Options, find_graph, make_engine, registry
from nodegraph.cli.arguments import input_values, print_help
from nodegraph.cli.console import FAILED, USAGE, errors, fail, print_faults, print_json, results
from nodegraph.compile import Compiled, compile_graph
from nodegraph.errors import GraphError, NodeFailed
from nodegraph.events import Cached, Completed, Event, Failed, Finished, Started, Stepped
from nodegraph.execute import Engine
from nodegraph.graph import Graph, read_graph
from nodegraph.history import History
from nodegraph.inputs import Request
from nodegraph.program import Constant, Program, Source, Wire
from nodegraph.provenance import NoProvenance, provenance, read_picture
from nodegraph.source import SourceText
from nodegraph.types import Precision

Out = Annotated[Path, typer.Option(help="Folder for pictures, tables and figures.")]


def run(
    context: typer.Context,
    graph: Annotated[
        str,
        typer.Argument(
            help="A graph file, the name of a shipped graph, or a picture that carries one."
        ),
    ] = "",
    preset: Annotated[str | None, typer.Option(help="A named set of input values.")] = None,
    out: Out = Path("out"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[str, typer.Option(help="float32, bfloat16 or float16.")] = "float32",
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor keep results.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output.")
    ] = False,
    show_help: Annotated[
        bool, typer.Option("--help", help="Show this, or the inputs of the graph.")
    ] = False,
) -> None:
    """Run a graph. Its inputs are options: `nodegraph run GRAPH --help` lists them."""
    if not graph:
        typer.echo(context.get_help())
        raise typer.Exit(0 if show_help else USAGE)
    source, recorded = open_source(graph)
    read = read_or_fail(source)
    if show_help:
        print_help(read, f"run {graph}")
        return
    given = input_values(context.args, read)
    compiled = compile_or_fail(source, recorded, given, preset)
    engine = engine_for(source, given, device, precision, out, not no_cache)
    program = compiled.checked()
    report = Report(quiet or as_json)
    outputs = carry_out(engine, program, report, as_json)
    History(engine).write(program)
    written = write_outputs(engine, program, outputs, out)
    if as_json:
        print_json({"outputs": written, "nodes": report.nodes})
    else:
        show(written, report)


def open_source(name: str) -> tuple[SourceText, dict[str, Any]]:
    """The graph, and the inputs recorded with it if it comes out of a picture."""
    try:
        if Path(name).suffix.lower() == ".png":
            return read_picture(Path(name))
        return find_graph(name, registry()), {}
    except GraphError as error:
        print_faults(error.diagnostics, {})
        raise typer.Exit(FAILED) from None
    except (NoProvenance, OSError) as error:
        fail(str(error))


def read_or_fail(source: SourceText) -> Graph:
    """The graph as read; a text that is none ends the program."""
    graph, faults = read_graph(source.text, source.name)
    if graph is None:
        print_faults(faults, {source.name: source.text})
        raise typer.Exit(FAILED)
    return graph


def compile_or_fail(
    source: SourceText, recorded: dict[str, Any], given: dict[str, str], preset: str | None
) -> Compiled:
    """The program; faults end the program, warnings are shown."""
    known = {key: _as_text(value) for key, value in recorded.items()}
    request = Request({**known, **given}, preset, whole=True, from_text=True)
    compiled = compile_graph(source, registry(), request)
    print_faults(compiled.diagnostics, {source.name: source.text, **source.siblings})
    if compiled.program is None:
        raise typer.Exit(FAILED)
    return compiled


def _as_text(value: Any) -> str:
    """A recorded value as it would be given on the command line."""
    return ",".join(map(str, cast("list[Any]", value))) if isinstance(value, list) else str(value)


def engine_for(
    source: SourceText, given: dict[str, str], device: str, precision: str, out: Path, cached: bool
) -> Engine:
    """The engine of a run; a device that is not there ends the program."""
    from nodegraph.tensors import choose_device

    if precision not in ("float32", "bfloat16", "float16"):
        fail(f"'{precision}' is not a precision; there are float32, bfloat16 and float16", USAGE)
    named = tuple(
        Path(value)
        for value in given.values()
        if value and len(value) < 1024 and Path(value).exists()
    )
    try:
        chosen = choose_device(device)
    except ValueError as error:
        fail(str(error), USAGE)
    kind: Precision = precision
    return make_engine(registry(), source, Options(chosen, kind, out, cached, named))


@dataclass(slots=True)
class Report:
    """Follows the events of a run: what each node did, and bars for those that take steps."""

    quiet: bool
    nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    bars: dict[str, TaskID] = field(default_factory=dict[str, TaskID])

    def follow(self, event: Event, progress: Progress) -> None:
        match event:
            case Started(node):
                self.nodes[node] = {"status": "failed", "seconds": 0.0}
            case Stepped(node, done, total, _, note):
                if node not in self.bars:
                    self.bars[node] = progress.add_task(node, total=total)
                progress.update(self.bars[node], completed=done, total=total, note=note)
            case Cached(node):
                self.nodes[node] = {"status": "cached", "seconds": 0.0}
            case Finished(node, seconds, status):
                self.nodes[node] = {"status": status, "seconds": round(seconds, 4)}
            case Failed() | Completed():
                pass


def carry_out(engine: Engine, program: Program, report: Report, as_json: bool) -> dict[str, Any]:
    """Run the program and show its progress; a failed node ends the program."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    outputs: dict[str, Any] = {}
    try:
        with Progress(*columns, console=errors, disable=report.quiet) as progress:
            for event in engine.run(program):
                _follow(report, event, progress)
                if isinstance(event, Completed):
                    outputs = event.outputs
    except (NodeFailed, ValueError, OSError) as error:
        if as_json:
            _skipped(program, report)
            print_json({"outputs": {}, "nodes": report.nodes, "error": str(error)})
        fail(str(error))
    except KeyboardInterrupt:
        fail("cancelled; what had finished is kept", 130)
    _skipped(program, report)
    return outputs


def _follow(report: Report, event: Event, progress: Progress) -> None:
    if isinstance(event, Stepped) and event.node not in report.bars:
        report.bars[event.node] = progress.add_task(event.node, total=event.total, note="")
    report.follow(event, progress)


def _skipped(program: Program, report: Report) -> None:
    for step in program.steps:
        report.nodes.setdefault(step.name, {"status": "skipped", "seconds": 0.0})


def write_outputs(
    engine: Engine, program: Program, outputs: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Write what can be looked at; other outputs are given as they are."""
    chunks = provenance(program, _models(engine, program))
    written: dict[str, Any] = {}
    for name, value in outputs.items():
        kind = program.output_types[name].name
        source = program.outputs[name]
        if kind == "?" and isinstance(source, Wire):
            kind = program.steps[source.step].output_types[source.output].name
        port = engine.library.port_type(kind)
        if port is not None and port.write is not None:
            out.mkdir(parents=True, exist_ok=True)
            stem = _free(out, f"{Path(program.file).stem}-{name}")
            written[name] = [str(path) for path in port.write(value, out, stem, chunks)]
        else:
            written[name] = _plain(value, port.describe if port else None)
    return written


def _free(out: Path, stem: str) -> str:
    """A name that no file of the folder starts with, so that nothing is overwritten."""
    number = 1
    taken = {path.name for path in out.iterdir()}
    while any(name.startswith(f"{stem}-{number:03d}") for name in taken):
        number += 1
    return f"{stem}-{number:03d}"


def _plain(value: Any, describe: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    return describe(value) if describe else repr(value)


def _models(engine: Engine, program: Program) -> dict[str, str]:
    """Digests of the models that the program names."""
    literals = engine.literals()
    found: dict[str, str] = {}
    for step in program.steps:
        for source in step.inputs.values():
            if isinstance(source, Constant) and _is_model(engine, source):
                found[
                    Path(str(source.value)).name
                    if Path(str(source.value)).is_absolute()
                    else str(source.value)
                ] = literals.identity(source).decode()
    return found


def _is_model(engine: Engine, source: Source) -> bool:
    port = engine.library.port_type(source.type.name) if isinstance(source, Constant) else None
    return port is not None and port.literal == "name" and port.digest is not None


def show(written: dict[str, Any], report: Report) -> None:
    """What came out, and what was done for it."""
    for name, found in written.items():
        for item in cast("list[Any]", found) if isinstance(found, list) else [found]:
            results.print(f"{name}: {item}", markup=False)
    if not report.quiet:
        counts: dict[str, int] = {}
        for node in report.nodes.values():
            counts[node["status"]] = counts.get(node["status"], 0) + 1
        summary = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        errors.print(f"nodes: {summary}", markup=False)
        sys.stderr.flush()
