"""The fixes of a graph's faults, put into its text: all that do not touch, again and again until nothing changes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Edit
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied, overlap

Check = Callable[[SourceText], Sequence[Diagnostic]]
"""Gives the faults of a graph."""
_ROUNDS = 10
_UNUSED = (Code.UNUSED_NODE, Code.UNUSED_INPUT)
"""What a fix would take away, though the graph runs."""


@dataclass(frozen=True, slots=True)
class Mended:
    """The text of a graph after its fixes, the faults that are gone by them, and those that are left."""

    text: str
    gone: tuple[Diagnostic, ...]
    left: tuple[Diagnostic, ...]


def mended(source: SourceText, check: Check, *, unused: bool = False) -> Mended:
    """Apply the fixes of the faults that a check finds to the text of a graph; with `unused`, what nothing uses goes too.

    Faults in its subgraphs are theirs, and stay.
    """
    gone: list[Diagnostic] = []
    faults = check(source)
    for _ in range(_ROUNDS):
        chosen = _fitting(source, [f for f in faults if unused or f.code not in _UNUSED])
        while chosen:
            after = replace(source, text=applied(source.text, _edits(chosen)))
            found = check(after)
            if not _broken(found) > _broken(faults):
                break
            chosen = chosen[: len(chosen) // 2]
        else:
            break
        gone += chosen
        source, faults = after, found
    return Mended(source.text, tuple(gone), tuple(faults))


def _broken(faults: Sequence[Diagnostic]) -> int:
    """How many faults a text has that edits could have made, whatever they let be read."""
    return sum(
        fault.code in (Code.YAML_SYNTAX, Code.DUPLICATE_KEY, Code.TOO_DEEP) for fault in faults
    )


def _fitting(source: SourceText, faults: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The faults with fixes in this text that do not touch each other, the first of them first."""
    chosen: list[Diagnostic] = []
    for fault in faults:
        here = fault.fix and all(edit.span.file == source.name for edit in fault.fix)
        if here and not overlap(source.text, _edits([*chosen, fault])):
            chosen.append(fault)
    return chosen


def _edits(faults: Sequence[Diagnostic]) -> list[Edit]:
    """The edits of some faults; one that two of them give is made once."""
    return list(dict.fromkeys(edit for fault in faults for edit in fault.fix))
