"""The command line: `nodegraph run | check | fix | plan | nodes | new | models | schema | fmt | cache`."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points, version
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from nodegraph.base.libraries import BrokenLibrary
from nodegraph.base.threads import wait_quietly
from nodegraph.cli import browse, checking, exporting, files, fixing, models, new, running
from nodegraph.cli.arguments import Once
from nodegraph.cli.console import FAILED, errors, fail, terminate

app = typer.Typer(
    name="nodegraph", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)
COMMAND_GROUP = "nodegraph.commands"
"""The entry points by which other packages add commands."""
OPEN: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
app.command("run", cls=Once, context_settings=OPEN)(running.run)
app.command("check", cls=Once)(checking.check)
app.command("fix", cls=Once)(fixing.fix)
app.command("plan", cls=Once, context_settings=OPEN)(checking.plan)
app.command("export", cls=Once, context_settings=OPEN)(exporting.export)
app.command("nodes", cls=Once)(browse.nodes)
app.add_typer(models.app, name="models")
app.add_typer(new.app, name="new")
app.command("schema", cls=Once)(files.schema)
app.command("fmt", cls=Once)(files.fmt)
app.command("cache", cls=Once)(files.cache)


def _add_commands() -> None:
    """The commands of other packages, by entry points; one that cannot be read says so when it is called."""
    for point in entry_points(group=COMMAND_GROUP):
        try:
            command: Callable[..., None] = point.load()
        except Exception as error:
            command = _unreadable(f"`{point.name}` ({point.value}) cannot be read: {error}")
        app.command(point.name, cls=Once)(command)


def _unreadable(message: str) -> Callable[[], None]:
    def command() -> None:
        fail(message)

    return command


_add_commands()


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nodegraph {version('nodegraph')}")
        raise typer.Exit


@app.callback()
def nodegraph(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Compose and run diffusion pipelines as graphs."""


def main() -> None:
    """The `nodegraph` command."""
    wait_quietly()
    signal.signal(signal.SIGTERM, terminate)
    streams: list[Any] = [s for s in (sys.stdout, sys.stderr) if isinstance(s, TextIOWrapper)]
    for stream in streams:
        stream.reconfigure(errors="replace")
    try:
        try:
            app()
        finally:
            for stream in streams:
                stream.flush()
    except BrokenLibrary as error:
        errors.print(f"{error}\nmend that package, or uninstall it", style="red")
        sys.exit(FAILED)
    except OSError as error:
        _lose_output()
        what = error.filename or "what comes out"
        errors.print(f"{what}: {error.strerror or error}", style="red")
        sys.exit(FAILED)


def _lose_output() -> None:
    """Standard output takes no more: what is left in its buffer goes nowhere when the program ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
