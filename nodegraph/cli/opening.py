"""From what stands on the command line to a session and a graph; what is wrong ends the program."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, cast

import typer

from nodegraph.base.diagnostics import Diagnostic, GraphError, Unusable
from nodegraph.base.render import as_json as fault_as_json
from nodegraph.cli.console import (
    FAILED,
    USAGE,
    fail,
    print_faults,
    print_json,
    print_traceback,
    registry,
    workspace,
)
from nodegraph.cli.together import together
from nodegraph.library.port import Precision
from nodegraph.options import NoDevice, Options
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session

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
Megapixels = Annotated[
    float, typer.Option(help="Pictures of more million pixels are refused before they are decoded.")
]
LowMemory = Annotated[
    bool,
    typer.Option("--low-memory", help="Load one network at a time, and let it go after its stage."),
]
Traceback = Annotated[
    bool, typer.Option("--traceback", help="Show where in Python a node raised its error.")
]
Values = Annotated[
    list[str] | None,
    typer.Option(
        "--input", help="NAME=VALUE: an input that is named like an option.", show_default=False
    ),
]
Ports = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="NODE.PORT=VALUE: a value for any port of a node.", show_default=False
    ),
]
Until = Annotated[
    str | None,
    typer.Option(help="Run to this node, and give what comes out of it.", show_default=False),
]

ShowHelp = Annotated[bool, typer.Option("--help", help="Show this, or the inputs of the graph.")]


def open_graph(name: str, nodes: Iterable[Path] | None = None) -> tuple[Session, Recorded]:
    """A session, and the graph in it; with the inputs and options recorded with it if it comes out of a picture."""
    if name.startswith("-"):
        fail(f"the graph comes first, then its options: nodegraph run GRAPH {name} …", USAGE)
    session = Session(registry(nodes), workspace(nodes))
    return session, session.open(name)


def asked(
    device: str | None,
    precision: str | None,
    out: Path,
    cached: bool,
    max_megapixels: float,
    compiled: bool = False,
    low_memory: bool = False,
    cache: str | None = None,
) -> Options:
    """The options of a run, or of one of several processes of it; a precision that is none ends the program."""
    if cache is not None and not cached:
        fail("--cache says where results are kept, and --no-cache that none are: say one", USAGE)
    try:
        kind = cast("Precision | None", precision)
        whole = device, kind, out, cached, (), max_megapixels, compiled, low_memory, cache
        return together(Options(*whole))
    except ValueError as error:
        fail(str(error), USAGE)


@contextmanager
def refusing(as_json: bool = False, traceback: bool = False) -> Generator[None]:
    """Show the faults of a graph that is refused inside, and leave; a program that reads gets them as `diagnostics`."""
    try:
        yield
    except NoDevice as error:
        fail(str(error), USAGE)
    except Unusable as error:
        _refused([error.diagnostic], {}, as_json)
        raise typer.Exit(USAGE) from None
    except GraphError as error:
        if traceback and error.__cause__ is not None:
            print_traceback(error.__cause__)
        _refused(error.diagnostics, error.texts, as_json)
        raise typer.Exit(FAILED) from None


def _refused(faults: Sequence[Diagnostic], texts: Mapping[str, str], as_json: bool) -> None:
    print_faults(faults, texts)
    if as_json:
        found = [fault_as_json(fault) for fault in faults]
        print_json({"outputs": {}, "nodes": {}, "diagnostics": found})
