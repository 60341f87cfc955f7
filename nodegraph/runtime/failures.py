"""What went wrong in a node, as a diagnostic: its code, its place in the graph, the line of the node's own code."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Mismatch, Span, diagnostic, text_of
from nodegraph.language.program import Step
from nodegraph.library.holding import WrongResult
from nodegraph.runtime.keys import span_of

COPY_FIRST = (
    "work on a copy ({port} = {port}.clone()), or with operations that make a new tensor: "
    "{port} * 2, not {port}.mul_(2)"
)


class ChangedInput(TypeError):
    """A node changed what was on one of its ports, in place."""

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.port = port

    def __str__(self) -> str:
        return f"changed its input '{self.port}' in place"


class ReusedOutput(RuntimeError):
    """What a node gave was written to afterwards, when it ran again: it keeps a buffer and gives it each time."""

    def __init__(self, step: Step) -> None:
        super().__init__(step)
        self.step = step

    def __str__(self) -> str:
        return (
            "changed afterwards what it had given: it keeps a buffer of its own, and gives it again"
        )


class Unreadable(ValueError):
    """A literal that its type could not read when the step ran; carries the fault."""

    def __init__(self, fault: Diagnostic) -> None:
        super().__init__(fault)
        self.fault = fault


def failure(
    step: Step, error: BaseException, function: Any, summaries: Mapping[str, str]
) -> Diagnostic:
    """The diagnostic of an error that a node raised while it ran, or of what is wrong with its result."""
    known = refused(step, error)
    if known is not None:
        return known
    text = text_of(error)
    kind = type(error).__name__
    message = f"{owner(step)} failed: {kind}{': ' if text else ''}{text}"
    hint: str | None = getattr(error, "hint", None) or told(summaries)
    return diagnostic(
        Code.NODE_FAILED, message, step.span, hint, step.name, own_line(error, function)
    )


def told(summaries: Mapping[str, str]) -> str | None:
    """The inputs of a node, each in a few words."""
    inputs = ", ".join(f"{port}: {summary}" for port, summary in summaries.items())
    return f"its inputs are {inputs}" if inputs else None


def refused(step: Step, error: BaseException) -> Diagnostic | None:
    """The diagnostic of an error that says itself what it means; None for any other."""
    if isinstance(error, Unreadable):
        return error.fault
    if isinstance(error, Mismatch):
        return diagnostic(
            Code.WRONG_MEANING,
            f"{step.name}: {error}",
            _port_span(step, error.port),
            error.hint,
            step.name,
        )
    if isinstance(error, WrongResult):
        return diagnostic(
            Code.WRONG_RESULT, f"{owner(step)} {error}", step.span, error.hint, step.name
        )
    if isinstance(error, ReusedOutput):
        hint = "give a new tensor each time: `buffer.clone()`"
        maker = error.step
        return diagnostic(
            Code.CHANGED_INPUT, f"{owner(maker)} {error}", maker.span, hint, maker.name
        )
    if isinstance(error, ChangedInput):
        hint = COPY_FIRST.format(port=error.port)
        return diagnostic(Code.CHANGED_INPUT, f"{owner(step)} {error}", step.span, hint, step.name)
    return None


def doubtful(step: Step) -> Diagnostic:
    """The warning of a picture that is not finite, at the step that made it."""
    message = f"{owner(step)} gave a picture that is NaN or infinite in places"
    hint = "those pixels are written in magenta"
    return diagnostic(Code.NOT_FINITE, message, step.span, hint, step.name)


def owner(step: Step) -> str:
    """`node 'large' (upsampler)`."""
    return f"node '{step.name}' ({step.spec.name})"


def _port_span(step: Step, port: str | None) -> Span | None:
    source = step.inputs.get(port or "")
    return (span_of(source) if source is not None else None) or step.span


def own_line(error: BaseException, function: Any) -> str | None:
    """`file:line` of the innermost frame in the file that defines a node; None where the error is not of its code."""
    module = sys.modules.get(inspect.unwrap(function).__module__)
    file = getattr(module, "__file__", None)
    raised: BaseException | None = error
    while raised is not None:
        lines = [n for name, n in _frames(raised.__traceback__) if name == file]
        if lines:
            return f"{_near(Path(str(file)))}:{lines[-1]}"
        raised = raised.__cause__ or raised.__context__
    return None


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    """File and line of each frame, the innermost last."""
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def _near(path: Path) -> Path:
    """A path below the current folder as one sees it from there."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
