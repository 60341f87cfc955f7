"""`nodegraph serve`."""

from pathlib import Path
from typing import Annotated

import typer


def serve(
    graph: Annotated[str, typer.Argument(help="A graph file, or the name of a shipped graph.")],
    out: Annotated[Path, typer.Option(help="Folder for pictures and tables.")] = Path("out"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    nodes: Annotated[
        list[Path] | None,
        typer.Option(help="A file of nodes, or a folder of such; again for more."),
    ] = None,
) -> None:
    """Open a graph's text in a page on this machine: check it as you type, run it, watch it."""
    import uvicorn

    from nodegraph.base.diagnostics import GraphError
    from nodegraph.base.workspace import NoNodes, Workspace
    from server.app import application

    try:
        app = application(graph, out, Workspace(tuple(nodes or ()), Path.cwd()))
    except (GraphError, NoNodes) as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(1) from None
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")
