"""Places in a text, and edits of it: what they make of the text, and what undoes them."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from nodegraph.base.diagnostics import Edit, Span

MARK = "\ufeff"
"""The byte order mark, as a text holds it."""
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Lines:
    """Where the lines of a text begin, as YAML counts them; a byte order mark belongs to none."""

    text: str
    starts: tuple[int, ...]

    def offset(self, line: int, column: int) -> int:
        """Characters before a place; what lies behind the end is the end."""
        if line > len(self.starts):
            return len(self.text)
        return min(self.starts[line - 1] + column - 1, len(self.text))

    def range(self, span: Span) -> tuple[int, int]:
        """The first character of a span, and the one behind it."""
        return self.offset(span.line, span.column), self.offset(span.end_line, span.end_column)

    def at(self, span: Span) -> str:
        """The text of a span."""
        start, end = self.range(span)
        return self.text[start:end]

    def span(self, file: str, start: int, end: int) -> Span:
        """The span of the characters `start … end`."""
        return Span(file, *self._place(start), *self._place(end))

    def _place(self, offset: int) -> tuple[int, int]:
        line = max(bisect_right(self.starts, offset), 1)
        return line, offset - self.starts[line - 1] + 1

    def begin(self, offset: int) -> int:
        """Where the line of a character begins."""
        return self.starts[self._place(offset)[0] - 1]

    def end(self, offset: int) -> int:
        """Where the line of a character ends, before its break."""
        found = _BREAK.search(self.text, offset)
        return found.start() if found else len(self.text)

    def next(self, offset: int) -> int:
        """Where the line after that of a character begins; the end of the text after the last."""
        found = _BREAK.search(self.text, offset)
        return found.end() if found else len(self.text)


def lines_of(text: str) -> Lines:
    """The lines of a text."""
    first = int(text.startswith(MARK))
    return Lines(text, (first, *(found.end() for found in _BREAK.finditer(text))))


def split(text: str) -> list[str]:
    """The lines without their breaks, and without a byte order mark; none after the last break."""
    lines = _BREAK.split(text.removeprefix(MARK))
    return lines if lines[-1] else lines[:-1]


def line_end(text: str) -> str:
    """How the lines of a text end: by its first break."""
    found = _BREAK.search(text)
    return found[0] if found else "\n"


def in_form_of(text: str, made: str) -> str:
    """A text of whole lines with the byte order mark, the line ends and the missing last line end of another."""
    ended = made if not text or _BREAK.search(text[-1]) else made.removesuffix("\n")
    return MARK * text.startswith(MARK) + ended.replace("\n", line_end(text))


def applied(text: str, edits: Iterable[Edit]) -> str:
    """The text after all of the edits, each of which means the text before. Raises ValueError where two overlap."""
    return "".join(_pieces(text, _ordered(text, edits)))


def inverse(text: str, edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """The edits that make the same text again of what the edits make of it."""
    ordered = list(edits)
    after = lines_of(applied(text, ordered))
    shift, undo = 0, list[Edit]()
    for start, end, edit in _ordered(text, ordered):
        span = after.span(edit.span.file, start + shift, start + shift + len(edit.text))
        undo.append(Edit(span, text[start:end]))
        shift += len(edit.text) - (end - start)
    return tuple(undo)


def overlap(text: str, edits: Iterable[Edit]) -> bool:
    """Whether two edits change the same place."""
    try:
        _ordered(text, edits)
    except ValueError:
        return True
    return False


_Placed = tuple[int, int, Edit]


def _ordered(text: str, edits: Iterable[Edit]) -> Sequence[_Placed]:
    lines = lines_of(text)
    placed = sorted(((*lines.range(e.span), e) for e in edits), key=lambda p: (p[0], p[1]))
    for (_, end, one), (start, _, other) in pairwise(placed):
        if start < end:
            raise ValueError(f"two edits change the same place: {one.span} and {other.span}")
    return placed


def _pieces(text: str, placed: Sequence[_Placed]) -> Iterable[str]:
    done = 0
    for start, end, edit in placed:
        yield text[done:start]
        yield edit.text
        done = max(done, end)
    yield text[done:]
