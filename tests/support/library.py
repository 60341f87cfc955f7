"""A small node library for tests of the engine: numbers, a live value, slow, failing and stepping nodes. No torch."""

import json
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

from nodegraph import Doc, Mismatch, PortType, Progress, Range, node, warn
from nodegraph.runtime.cancel import cancel_point

calls: list[str] = []
T = TypeVar("T")


@dataclass(frozen=True)
class Live:
    """A value that is not kept on disk."""

    number: int


PORT_TYPES = {Live: PortType("Live", "A live value.")}


@node(category="test", words=("plus",))
def add(a: int, b: Annotated[int, Range(0, 100), Doc("What is added.")] = 1) -> int:
    """The sum."""
    calls.append("add")
    return a + b


@node(category="test")
def slow(a: int) -> int:
    """The same number, later."""
    calls.append("slow")
    time.sleep(0.06)
    return a


@node(category="test")
def doubtful(a: int) -> int:
    """The number, with a warning said twice."""
    warn(f"{a} is doubtful", port="a", hint="take another")
    warn(f"{a} is doubtful", port="a", hint="take another")
    return a


@node(category="test")
def total(items: list[int], kind: Literal["sum", "max"] = "sum") -> int:
    """One number of many."""
    return sum(items) if kind == "sum" else max(items)


@node(category="test", version=3, renames={1: {"number": "value"}, 2: {"amount": "value"}})
def renamed(value: int, times: int = 2) -> int:
    """A node whose port had other names."""
    return value * times


@node(category="test")
def several(a: int) -> list[int]:
    """Three numbers."""
    return [a, a + 1, a + 2]


class Halves(NamedTuple):
    """Quotient and remainder."""

    quotient: int
    remainder: int


Doubled = Annotated[
    int,
    PortType(
        "Doubled",
        "Read as twice the number.",
        literal="number",
        parse=lambda literal, context: 2 * literal,
        digest=str,
    ),
]


@node(category="test")
def all_doubled(items: list[Doubled]) -> int:
    """The sum of numbers that were doubled when they were read."""
    return sum(items)


@node(category="test")
def doubled(a: Doubled) -> Doubled:
    """A doubled number."""
    return a


@node(category="test")
def either(a: T, b: T) -> T:
    """The larger of two values of one type."""
    return max(a, b)


def _dump_number(value: complex, folder: Path) -> None:
    (folder / "number.json").write_text(json.dumps(value), encoding="utf-8")


Odd = Annotated[complex, PortType("Odd", dump=_dump_number, load=lambda folder: 0j)]


@node(category="test")
def odd_number() -> Odd:
    """A number of a type that says it can be kept, and then cannot."""
    time.sleep(0.06)
    return 1 + 2j


@node(category="test")
def halves(a: int) -> Halves:
    """Two outputs."""
    return Halves(a // 2, a % 2)


@node(category="test")
def live(a: int) -> Live:
    """A live value."""
    calls.append("live")
    return Live(a)


@node(category="test")
def unwrap(value: Live) -> int:
    """The number in a live value."""
    calls.append("unwrap")
    time.sleep(0.06)
    return value.number


@node(category="test")
def same(value: T) -> T:
    """Whatever it is given."""
    return value


@node(category="test")
def fail(a: int) -> int:
    """Never works."""
    raise ZeroDivisionError(f"{a} was too much")


@node(category="test")
def fail_all(items: list[int]) -> int:
    """Never works."""
    raise ZeroDivisionError


@node(category="test")
def refuse(a: int) -> int:
    """Takes nothing."""
    raise Mismatch("these do not belong together", port="a", hint="take others")


@node(category="test")
def steps(count: int) -> Generator[Progress, None, int]:
    """Counts in steps."""
    for done in range(1, count + 1):
        yield Progress(done, count)
    return count


@node(category="test")
def load_slowly(pieces: int) -> int:
    """Long work that is no generator: it asks between its pieces whether it is to stop."""
    for _ in range(pieces):
        calls.append("piece")
        cancel_point()
    return pieces


@node(category="test", pure=False)
def tick(a: int) -> int:
    """Never cached."""
    calls.append("tick")
    return a
