"""`nodegraph stubs`."""

from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.partial import write_text
from nodegraph.base.paths import read_text
from nodegraph.cli.console import Nodes, fail, registry, results
from nodegraph.cli.files import explained
from nodegraph.stubs import MARK, PLACE, stubs_of


def stubs(
    out: Annotated[Path, typer.Option(help="The folder of stubs.")] = Path("typings"),
    nodes: Nodes = None,
) -> None:
    """Write stubs for editors and type checkers: graphs by name, those of this folder too, with inputs and outputs."""
    path = out / PLACE
    with explained(path, "read"):
        if path.exists() and not read_text(path).startswith(MARK):
            fail(f"{path} is not of `nodegraph stubs`, and is left alone; move it, or give --out")
    text = stubs_of(registry(nodes), Path.cwd())
    with explained(path, "written"):
        write_text(path, text)
    results.print(str(path))
