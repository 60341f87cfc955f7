"""How the command line speaks: results on standard output, everything else on standard error."""

import json
import sys
import traceback
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.style import Style
from rich.table import Table
from rich.text import Text

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.base.render import texts_of
from nodegraph.base.visible import escaped, visible, visible_line
from nodegraph.base.workspace import NoNodes, Workspace
from nodegraph.library.registry import Registry
from nodegraph.session import registry as known

FAILED, USAGE = 1, 2
INTERRUPTED, TERMINATED = 130, 143


class Screen(Console):
    """A terminal that shows every text as it is: markup is text, and control characters are seen, not obeyed.

    Nor does it take `:100:`, as after the name of a file, for a picture.
    """

    def render_str(
        self,
        text: str,
        *,
        style: str | Style = "",
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        **_: Any,
    ) -> Text:
        """The text, with `style`."""
        return Text(visible(text), style, justify=justify, overflow=overflow)


errors = Screen(stderr=True, highlight=False, soft_wrap=True)
results = Screen(
    highlight=False, soft_wrap=True, width=None if sys.stdout and sys.stdout.isatty() else 160
)


def add_row(table: Table, *cells: str) -> None:
    """A row of a table; each cell stays on its line."""
    table.add_row(*map(visible_line, cells))


Nodes = Annotated[
    list[Path] | None,
    typer.Option("--nodes", help="A file of nodes, or a folder of such; again for more."),
]
"""Node files beside the libraries, and those in the folder `nodes/` where one is."""


def workspace(nodes: Iterable[Path] | None = None) -> Workspace:
    """Where node files are looked for: what is named, and the folder that the command is started in."""
    return Workspace(tuple(nodes or ()), Path.cwd())


def registry(nodes: Iterable[Path] | None = None) -> Registry:
    """The registry of what is installed and of node files; what is wrong with it is said once."""
    return _registry(workspace(nodes))


@cache
def _registry(where: Workspace) -> Registry:
    try:
        found = known(where)
    except NoNodes as error:
        fail(str(error), USAGE)
    for complaint in found.complaints():
        warn(complaint)
    return found


def warn(message: str) -> None:
    """Say what may be wrong, and go on."""
    errors.print(message, style="yellow")


def print_json(value: Any) -> None:
    """One JSON value on standard output; escaped where that cannot hold every character, or a terminal would obey one."""
    escape = not results.encoding.startswith("utf")
    results.file.write(escaped(json.dumps(value, ensure_ascii=escape, default=str)) + "\n")


def print_faults(found: Iterable[Diagnostic], sources: Mapping[str, str]) -> None:
    """Faults with their lines, errors red, warnings yellow."""
    faults = list(found)
    for fault, text in zip(faults, texts_of(faults, sources), strict=True):
        style = "red" if fault.severity == "error" else "yellow"
        head, _, rest = text.partition("\n")
        errors.print(head, style=style)
        if rest:
            errors.print(rest)


class Terminated(KeyboardInterrupt):
    """The process was told to end by SIGTERM: it ends as by Ctrl-C."""


def terminate(number: int, frame: object) -> NoReturn:
    """What SIGTERM does."""
    raise Terminated


def stopped(message: str, why: KeyboardInterrupt) -> NoReturn:
    """Say what became of what was stopped, and leave as a shell expects it of a signal."""
    fail(message, TERMINATED if isinstance(why, Terminated) else INTERRUPTED)


def print_traceback(error: BaseException) -> None:
    """An error with its traceback, and those that it came from."""
    errors.print("".join(traceback.format_exception(error)).rstrip())


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and leave with an exit code."""
    errors.print(message, style="red")
    raise typer.Exit(code)
