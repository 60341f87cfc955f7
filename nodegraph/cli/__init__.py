"""The command line: `nodegraph run | check | plan | nodes | models | schema | fmt | cache`."""

import signal
import sys
from typing import Any

import typer

from nodegraph.cli import browse, checking, files, models, running
from nodegraph.cli.console import FAILED, errors, terminate
from nodegraph.libraries import BrokenLibrary
from nodegraph.threads import wait_quietly

app = typer.Typer(
    name="nodegraph",
    help="Compose and run diffusion pipelines as graphs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
OPEN: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}
app.command("run", context_settings=OPEN)(running.run)
app.command("check")(checking.check)
app.command("plan", context_settings=OPEN)(checking.plan)
app.command("nodes")(browse.nodes)
app.add_typer(models.app, name="models")
app.command("schema")(files.schema)
app.command("fmt")(files.fmt)
app.command("cache")(files.cache)


def main() -> None:
    """The `nodegraph` command."""
    wait_quietly()
    signal.signal(signal.SIGTERM, terminate)
    try:
        app()
    except BrokenLibrary as error:
        errors.print(f"{error}\nmend that package, or uninstall it", style="red", markup=False)
        sys.exit(FAILED)
