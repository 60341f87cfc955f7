"""What a node has to say beside its result: `warn("the prompt is cut after 77 tokens")`; which weights it read."""

import warnings
from contextvars import ContextVar, Token
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning of a node: what is wrong, the input that it comes from, and how to mend it."""

    message: str
    port: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A warning and the key of the step that gave it; it is kept beside every result that depends on that step's."""

    key: str
    warning: Warned


def warn(message: str, *, port: str | None = None, hint: str | None = None) -> None:
    """Say, from inside a node, that its result may not be what is expected.

    In a run or a check it becomes a warning at the node's place in the graph, once for equal words; a node that is called
    from Python without an engine gives an ordinary `UserWarning`.
    """
    listener = _current.get()
    if listener is None:
        warnings.warn(message, stacklevel=2)
    else:
        listener.found[Warned(message, port or listener.port, hint)] = None


def loaded(model: str, seconds: float) -> None:
    """Say, from inside a node, that the weights of a model were read."""
    listener = _current.get()
    if listener is not None:
        listener.loads.append((model, seconds))


def collecting(found: dict[Warned, None], port: str | None = None) -> "Listener":
    """What nodes say inside goes to `found`, in order, equal words once; what names no input is of `port`."""
    return Listener(found, port)


@dataclass(slots=True)
class Listener:
    """Hears what nodes say while it is entered. `port` may be changed meanwhile."""

    found: dict[Warned, None]
    port: str | None = None
    loads: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])
    _before: "Token[Listener | None] | None" = None

    def __enter__(self) -> "Listener":
        self._before = _current.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            _current.reset(self._before)


_current: ContextVar[Listener | None] = ContextVar("warnings of a node", default=None)
