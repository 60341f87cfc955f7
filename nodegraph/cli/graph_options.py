"""Commands whose options are the inputs of a graph: what they are called with, and the graph that it is."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import typer

from nodegraph.cli.arguments import no_graph, print_help
from nodegraph.cli.opening import open_graph
from nodegraph.language.graph import Graph
from nodegraph.language.setting import with_values
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session


def graph_of(
    context: typer.Context,
    name: str,
    nodes: Iterable[Path] | None,
    ports: Sequence[str] | None,
    show_help: bool,
) -> tuple[Session, Recorded, Graph]:
    """A session, the graph in it with the values of `--set`, and what its file says.

    Without a graph, and for help, the program ends here.
    """
    if not name:
        no_graph(context, show_help)
    session, opened = open_graph(name, nodes)
    read = session.read(opened)
    if show_help:
        print_help(read, context, name)
        raise typer.Exit
    return session, replace(opened, source=with_values(opened.source, ports or ())), read
