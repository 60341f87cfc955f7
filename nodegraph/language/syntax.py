"""Mends for what YAML does not read: a text that should have been quoted, a tab that should have been blanks."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Edit
from nodegraph.language.texts import Lines, applied, lines_of
from nodegraph.language.written import quoted
from nodegraph.language.yaml import parse

_MOST = 5
"""Faults of one text for which a mend is looked for."""
_LONGEST = 20_000
"""Characters of a text in which one is looked for: each trial reads all of it."""
_TRIALS = 8
"""Mends that are tried for a fault, the nearest first."""
_ENTRY = re.compile(r"\s*(?:- )?(?:[\w.]+:\s+)?(\S.*?)(?:\s+#.*)?\s*$")
_PART = re.compile(r"(?:[\w.]+:[ \t]+|[\[,][ \t]*)")


def with_fixes(text: str, file: str, faults: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The faults of a text, with their fixes where a trial shows one."""
    lines, left, told = lines_of(text), _MOST, list[Diagnostic]()
    for fault in faults:
        if (
            fault.code in (Code.YAML_SYNTAX, Code.YAML_FEATURE)
            and fault.span
            and left
            and len(text) < _LONGEST
        ):
            left -= 1
            found = _mended(lines, file, fault)
            told.append(replace(fault, fix=(found,)) if found else fault)
        else:
            told.append(fault)
    return told


def _mended(lines: Lines, file: str, fault: Diagnostic) -> Edit | None:
    """The first edit around a fault after which a fault is gone and no new one is there."""
    before = {(f.code, f.message) for f in parse(lines.text, file).diagnostics}
    at = lines.range(fault.span)[0] if fault.span else 0
    around = (trial for trial in _trials(lines, fault) if trial[0] <= at <= trial[1])
    for start, end, made in islice(around, _TRIALS):
        edit = Edit(lines.span(file, start, end), made)
        after = parse(applied(lines.text, [edit]), file).diagnostics
        later = [
            f for f in after if f.code == Code.YAML_SYNTAX and _behind(lines, f, start + len(made))
        ]
        worse = {(f.code, f.message) for f in after if f not in later} - before
        gone = not any((f.code, f.message) == (fault.code, fault.message) for f in after)
        if (gone or later) and not worse:
            return edit
    return None


def _behind(lines: Lines, fault: Diagnostic, place: int) -> bool:
    """Whether a fault stands behind a place: what is before it was read."""
    return fault.span is not None and lines.offset(fault.span.line, fault.span.column) >= place


Trial = tuple[int, int, str]


def _trials(lines: Lines, fault: Diagnostic) -> Iterator[Trial]:
    if fault.span is None or fault.span.line > len(lines.starts):
        return
    at = lines.offset(fault.span.line, fault.span.column)
    begin, end = lines.begin(at), lines.end(at)
    line = lines.text[begin:end]
    if fault.code == Code.YAML_FEATURE:
        yield from _marked(lines, fault)
        return
    entry = _ENTRY.match(line)
    if entry and entry[1][0] not in "{[|>":
        yield begin + entry.start(1), begin + entry.end(1), quoted(entry[1])
    for part in reversed(list(_PART.finditer(line))):
        if begin + part.end() <= at + 1:
            rest = re.match(r"[^,\[\]{}]*[^,\[\]{} \t]", line[part.end() :])
            if rest and rest[0][0] not in "$|>":
                start = begin + part.end()
                yield start, start + rest.end(), quoted(rest[0])
    tabs = re.match(r"[ \t]*\t[ \t]*", line)
    if tabs:
        above = re.match(" *", lines.text[lines.begin(begin - 1) : begin]) if begin > 1 else None
        for blanks in (above[0] if above else "", *map(tabs[0].expandtabs, (2, 4, 8))):
            yield begin, begin + tabs.end(), blanks


def _marked(lines: Lines, fault: Diagnostic) -> Iterator[Trial]:
    """A text that begins as an anchor, an alias or a tag does, if it is none that something else refers to."""
    if fault.span is None:
        return
    start, end = lines.range(fault.span)
    raw = lines.text[start:end]
    name = re.escape(raw[1:].split()[0]) if raw[1:].split() else ""
    used = raw[:1] in "&*" and re.search(rf"[{'*' if raw[:1] == '&' else '&'}]{name}\b", lines.text)
    if name and not used and "\n" not in raw and not re.search(r"[\"'\[{|>]|\s$", raw):
        yield start, end, quoted(raw)
