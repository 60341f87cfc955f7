"""Nodes of somebody who writes to terminals: markup and control characters in everything that a library can say."""

from collections.abc import Generator
from typing import Annotated, Any, Literal

from nodegraph import PortType, Progress, Range, node, warn
from nodes.wires.scalars import Text

EVIL = "[red]x[/] [/nope] [link=http://a]b \x1b[41m\x1b]0;PWNED\x07\r\x9b2J\u202e\u2066y"
Odd = Annotated[dict[str, Any], PortType("Odd", EVIL, describe=lambda _: EVIL)]


@node(category="strange" + EVIL, words=(EVIL,))
def strange(
    text: Text = EVIL,
    level: Annotated[float, Range(0, 1, unit=EVIL)] = 0.5,
    choice: Literal["[red]\x1b[41m", "plain"] = "plain",
) -> Text:
    return text


strange.__doc__ = f"{EVIL}\n\nArgs:\n    text: {EVIL}\n"


@node(category="strange")
def steps(text: Text) -> Generator[Progress, None, Odd]:
    """Says what it does."""
    warn(EVIL, port="text", hint=EVIL)
    yield Progress(1, 2, None, EVIL)
    yield Progress(2, 2, None, EVIL)
    return {"a": EVIL}


@node(category="strange")
def fails(text: Text, way: str = "value") -> Text:
    """Raises an error of a library."""
    error: Exception = {"value": ValueError, "runtime": RuntimeError, "key": KeyError}[way](EVIL)
    raise error
