"""Pages of the docs as they stand: their commands, and what these do, in this process."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner, Result

from nodegraph.cli import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str) -> list[str]:
    """The commands of a page's shell blocks, in their order."""
    text = (DOCS / page).read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def told(command: str) -> Result:
    """What `nodegraph …` says and does in the working directory."""
    name, *arguments = shlex.split(command, comments=True)
    assert name == "nodegraph", command
    return CliRunner().invoke(app, arguments, catch_exceptions=False)
