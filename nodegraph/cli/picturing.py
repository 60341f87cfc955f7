"""`nodegraph graph`."""

from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.partial import write_text
from nodegraph.cli.console import USAGE, Nodes, fail, results
from nodegraph.cli.files import explained
from nodegraph.cli.opening import open_graph, refusing
from nodegraph.drawing.dot import dot
from nodegraph.drawing.mermaid import mermaid
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram

FORMS = {"svg": svg, "dot": dot, "mermaid": mermaid}
ENDINGS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}


def graph(
    graph: Annotated[str, typer.Argument(help="A graph file, or the name of a shipped graph.")],
    as_svg: Annotated[bool, typer.Option("--svg", help="As a picture.")] = False,
    as_dot: Annotated[bool, typer.Option("--dot", help="For Graphviz.")] = False,
    as_mermaid: Annotated[bool, typer.Option("--mermaid", help="For pages of Markdown.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file; standard output without it.", show_default=False)
    ] = None,
    nodes: Nodes = None,
) -> None:
    """Draw a graph: its nodes and wires, in the colours of their types. Nothing is checked or run."""
    form = _form({"svg": as_svg, "dot": as_dot, "mermaid": as_mermaid}, out)
    with refusing():
        session, opened = open_graph(graph, nodes)
        text = FORMS[form](diagram(session, opened), session.registry.ports)
    if out is None:
        typer.echo(text, nl=False)
        return
    with explained(out, "written"):
        write_text(out, text)
    results.print(str(out))


def _form(asked: dict[str, bool], out: Path | None) -> str:
    """The form that is asked for, or that the ending of the file says."""
    wanted = [name for name, flag in asked.items() if flag]
    if not wanted and out is not None and out.suffix.lower() in ENDINGS:
        return ENDINGS[out.suffix.lower()]
    if len(wanted) != 1:
        fail("say what it is drawn as: one of --svg, --dot, --mermaid", USAGE)
    return wanted[0]
