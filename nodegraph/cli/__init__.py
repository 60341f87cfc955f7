"""The command line: `nodegraph run | check | fix | compare | plan | export | graph | stubs | nodes | …`."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import entry_points, version
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from nodegraph.base.libraries import BrokenLibrary
from nodegraph.base.threads import wait_quietly
from nodegraph.cli.arguments import Once
from nodegraph.cli.console import FAILED, errors, fail, terminate

COMMAND_GROUP = "nodegraph.commands"
"""The entry points by which other packages add commands."""
OPEN: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "run": ("running:run", OPEN),
    "check": ("checking:check", {}),
    "fix": ("fixing:fix", {}),
    "compare": ("comparing:compare", {}),
    "plan": ("checking:plan", OPEN),
    "export": ("exporting:export", OPEN),
    "graph": ("picturing:graph", {}),
    "nodes": ("browse:nodes", {}),
    "schema": ("files:schema", {}),
    "stubs": ("stubbing:stubs", {}),
    "fmt": ("files:fmt", {}),
    "cache": ("files:cache", {}),
}
"""Our own commands: the function in a file beside this one, and how it takes its arguments."""
GROUPS = ("models", "new")
"""Our commands that have commands of their own, each in the file of its name."""


def program(word: str = "") -> typer.Typer:
    """The command line; of what begins with the name of a command of ours that command alone: no other is imported for it."""
    made = typer.Typer(
        name="nodegraph", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
    )
    made.callback()(nodegraph)
    for name in [word] if word in COMMANDS else COMMANDS:
        home, settings = COMMANDS[name]
        module, _, function = home.partition(":")
        command = getattr(import_module(f"{__name__}.{module}"), function)
        made.command(name, cls=Once, context_settings=settings)(command)
    if word not in COMMANDS:
        for name in GROUPS:
            made.add_typer(import_module(f"{__name__}.{name}").app, name=name)
        _add_commands(made)
    return made


def __getattr__(name: str) -> Any:
    if name == "app":
        return program()
    raise AttributeError(f"module 'nodegraph.cli' has no attribute '{name}'")


def _add_commands(app: typer.Typer) -> None:
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


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nodegraph {version('nodegraph')}")
        raise typer.Exit


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
            program(sys.argv[1] if len(sys.argv) > 1 else "")()
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
