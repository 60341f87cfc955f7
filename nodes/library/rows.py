"""Rows that cannot be shared out, as an error at a port."""

from collections.abc import Generator
from contextlib import contextmanager

from nodegraph import Mismatch
from nodes.rows import Uneven


@contextmanager
def at_port(port: str | None) -> Generator[None]:
    """Turns Uneven into a Mismatch at the port."""
    try:
        yield
    except Uneven as error:
        raise Mismatch(str(error), port=port) from None
