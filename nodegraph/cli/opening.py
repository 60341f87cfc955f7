"""From what stands on the command line to a graph, a program and an engine; what is wrong ends the program."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

import typer

from nodegraph.api import Options, find_graph, make_engine
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    errors,
    fail,
    print_faults,
    print_json,
    print_traceback,
    registry,
)
from nodegraph.compile import compile_graph
from nodegraph.context import MAX_MEGAPIXELS
from nodegraph.errors import Diagnostic, GraphError
from nodegraph.execute import Engine
from nodegraph.graph import Graph, read_graph
from nodegraph.inputs import Request
from nodegraph.program import Program
from nodegraph.recorded import Recorded, read_picture
from nodegraph.render import as_json as fault_as_json
from nodegraph.source import SourceText
from nodegraph.types import Precision

PICTURES = (".png", ".apng")


@dataclass(frozen=True, slots=True)
class Asked:
    """What of the command line decides a run: values of graph inputs as texts, a preset, a place and a precision.

    `device` and `precision` are None where nothing is said; `as_json`: faults go to standard output too.
    """

    texts: Mapping[str, str]
    preset: str | None = None
    device: str | None = None
    precision: str | None = None
    out: Path = Path("out")
    cached: bool = True
    as_json: bool = False
    max_megapixels: float = MAX_MEGAPIXELS


def open_source(name: str, as_json: bool = False) -> Recorded:
    """The graph; with the inputs and options recorded with it if it comes out of a picture."""
    if name.startswith("-"):
        fail(f"the graph comes first, then its options: nodegraph run GRAPH {name} …", USAGE)
    try:
        return opened(name)
    except GraphError as error:
        refuse(error.diagnostics, {}, as_json)


def opened(name: str) -> Recorded:
    """The graph by file, by name, or out of a picture. Raises GraphError."""
    if Path(name).suffix.lower() in PICTURES:
        return read_picture(Path(name))
    return Recorded(find_graph(name, registry()))


def read_or_fail(source: SourceText, as_json: bool = False) -> Graph:
    """The graph as read; a text that is none, or of which a part cannot be read, ends the program."""
    graph, faults = read_graph(source.text, source.name)
    if graph is None or any(fault.code.startswith("E0") for fault in faults):
        refuse(faults, {source.name: source.text}, as_json)
    return graph


def compile_or_fail(recorded: Recorded, asked: Asked) -> tuple[Program, Mapping[str, str]]:
    """The program and the texts of its files; faults end the command, warnings are shown."""
    request = Request(preset=asked.preset, texts=asked.texts, recorded=recorded.inputs)
    compiled = compile_graph(recorded.source, registry(), request)
    if compiled.program is None:
        refuse(compiled.diagnostics, compiled.texts, asked.as_json)
    print_faults(compiled.diagnostics, compiled.texts)
    return compiled.program, compiled.texts


def refuse(
    found: tuple[Diagnostic, ...] | list[Diagnostic], sources: Mapping[str, str], as_json: bool
) -> NoReturn:
    """Show the faults of a graph, and leave; a program that reads gets them as `diagnostics`."""
    print_faults(found, sources)
    if as_json:
        faults = [fault_as_json(fault) for fault in found]
        print_json({"outputs": {}, "nodes": {}, "diagnostics": faults})
    raise typer.Exit(FAILED)


def refuse_graph(
    error: GraphError, sources: Mapping[str, str], as_json: bool, traceback: bool
) -> NoReturn:
    """As `refuse`; with where in Python it came from, if that is wanted and known."""
    if traceback and error.__cause__ is not None:
        print_traceback(error.__cause__)
    refuse(error.diagnostics, sources, as_json)


def engine_for(recorded: Recorded, asked: Asked, program: Program) -> Engine:
    """The engine of a run; a device or precision that is none ends the program.

    A picture is made with its own precision, and on its kind of device if that is here, unless the command line says otherwise.
    """
    precision = recorded.precision or "float32" if asked.precision is None else asked.precision
    kind = cast(Precision, precision)
    device = _recorded_device(recorded) if asked.device is None else asked.device
    try:
        options = Options(
            device, kind, asked.out, asked.cached, program.named, asked.max_megapixels
        )
        return make_engine(registry(), recorded.source, options)
    except ValueError as error:
        fail(str(error), USAGE)


def _recorded_device(recorded: Recorded) -> str:
    from nodegraph.tensors import choose_device

    try:
        return choose_device(recorded.device or "auto")
    except ValueError:
        errors.print(
            f"the picture was made on {recorded.device}, which is not here; pixels may differ",
            style="yellow",
        )
        return choose_device("auto")
