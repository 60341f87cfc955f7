"""What a node has to say of its result beside the result: `warn("the prompt is cut after 77 tokens")`."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning of a node: what is wrong, the input that it comes from, and how to mend it."""

    message: str
    port: str | None = None
    hint: str | None = None


_current: ContextVar[dict[Warned, None] | None] = ContextVar("warnings of a node", default=None)


def warn(message: str, *, port: str | None = None, hint: str | None = None) -> None:
    """Say, from inside a node, that its result may not be what is expected.

    In a run or a check it becomes a warning at the node's place in the graph, once for equal words; a node that is called
    from Python without an engine gives an ordinary `UserWarning`.
    """
    collected = _current.get()
    if collected is None:
        warnings.warn(message, stacklevel=2)
    else:
        collected[Warned(message, port, hint)] = None


@contextmanager
def collecting(found: dict[Warned, None], port: str | None = None) -> Generator[None]:
    """What nodes say inside goes to `found`, in order, equal words once; what names no input is of `port`."""
    said: dict[Warned, None] = {}
    before = _current.set(said)
    try:
        yield
    finally:
        _current.reset(before)
        found.update({replace(w, port=w.port or port): None for w in said})
