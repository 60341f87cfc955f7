"""Entries of a YAML text replaced, put in, taken out and renamed, each by a few changes; nothing else of the text moves.

Each function gives ways to do it, the best first: which of them keeps the meaning of everything else is tried out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from nodegraph.base.diagnostics import Edit
from nodegraph.language.document import Document
from nodegraph.language.texts import MARK, Lines, line_end
from nodegraph.language.written import flow, key, quoted, tree_of
from nodegraph.language.yaml import Entry, Items, Leaf, Table, Tree

WIDTH = 100
STEP = "  "


@dataclass(frozen=True, slots=True)
class Change:
    """The characters `start … end` become a text."""

    start: int
    end: int
    text: str


Way = tuple[Change, ...]


def replaced(document: Document, entry: Entry, value: Any) -> Iterator[Way]:
    """Ways to give an entry another value."""
    old, inline = entry.value, flow(tree_of(value))
    start, end = document.start(old), document.end(old)
    if document.is_empty(old):
        colon = document.colon(entry)
        at = document.key_end(entry) if colon is None else colon
        yield (Change(at, at, f": {inline}" if colon is None else f" {inline}"),)
    elif isinstance(old, Leaf):
        if isinstance(value, str):
            yield from _in_style(document, old, value)
        yield (Change(start, end, inline),)
    elif document.is_block(old):
        colon = document.colon(entry)
        line = document.lines.end(colon or start)
        if line > start:
            yield (Change(start, end, inline),)
        elif colon is not None:
            behind = document.lines.end(end) if document.has_comment(colon, line) else end
            yield Change(colon, colon, f" {inline}"), Change(line, behind, "")
    else:
        yield (Change(start, end, inline),)


def _in_style(document: Document, old: Leaf, value: str) -> Iterator[Way]:
    """A text written as the one was that stood there."""
    start, end = document.start(old), document.end(old)
    written = document.text[start:end]
    if written.startswith('"'):
        yield (Change(start, end, quoted(value)),)
    elif written.startswith("'") and value.isprintable():
        single = "'" + value.replace("'", "''") + "'"
        yield (Change(start, end, single),)
    elif written.startswith("|") and "\n" in value and "\t" not in value:
        head, *rest = written.splitlines()
        indent = next((r[: len(r) - len(r.lstrip(" "))] for r in rest if r.strip()), "")
        nl = line_end(document.text)
        lines = (indent + line if line else "" for line in value.rstrip("\n").split("\n"))
        chomp = "" if value.endswith("\n") else "-"
        comment = head[head.index("#") - 1 :] if " #" in head else ""
        yield (Change(start, end, nl.join([f"|{chomp}{comment}", *lines])),)


def renamed(document: Document, entry: Entry, name: str) -> Iterator[Way]:
    """Ways to give an entry another key."""
    start, end = document.lines.range(entry.span)
    raw = document.text[start:end]
    ended = start + len(raw.rstrip())
    if raw.startswith('"'):
        yield (Change(start, ended, quoted(name)),)
    if raw.startswith("'") and name.isprintable():
        single = "'" + name.replace("'", "''") + "'"
        yield (Change(start, ended, single),)
    yield (Change(start, ended, key(name)),)


def reference_renamed(document: Document, leaf: Leaf, old: str, new: str) -> Iterator[Way]:
    """Ways to let a `$name` or `$name.port` refer to another name."""
    start, end = document.start(leaf), document.end(leaf)
    raw, sign = document.text[start:end], f"${old}"
    at = start + raw.find(sign) + 1
    if raw.count(sign) == 1:
        yield (Change(at, at + len(old), new),)
    port = str(leaf.value)[len(sign) :]
    yield (Change(start, end, flow(tree_of(f"${new}{port}"))),)


def put(
    document: Document, owner: Entry | None, name: str, value: Any, after: str | None = None
) -> Iterator[Way]:
    """Ways to add an entry to a mapping, behind the one that `after` names, or the last. `owner` None: to the whole."""
    table = owner.value if owner else document.tree
    if isinstance(table, Table) and table.entries:
        place = next((e for e in table.entries if e.key == after), table.entries[-1])
        if document.is_block(table):
            split = owner is None and isinstance(value, dict)
            yield from _put_block(document, table, place, name, value, split)
        else:
            yield from _put_flow(document, table, name, value)
    elif owner is not None:
        yield from _put_first(document, owner, name, value)


def headed(document: Document, name: str, value: Any) -> tuple[Edit, ...]:
    """The edits that put an entry before all others of a graph that has some."""
    if not document.tree.entries:
        return ()
    first = document.tree.entries[0]
    start = document.key_start(first, document.start(document.tree))
    line, indent = _line(name, value), _column(document, start) or ""
    block = document.is_block(document.tree)
    text = f"{line}{line_end(document.text)}{indent}" if block else f"{line}, "
    return edits(document.file, document.lines, (Change(start, start, text),))


def edits(file: str, lines: Lines, way: Way) -> tuple[Edit, ...]:
    """The changes of a way as edits of a file."""
    return tuple(Edit(lines.span(file, c.start, c.end), c.text) for c in way)


def _line(name: str, value: Any, pad: int = 0) -> str:
    return f"{key(name) + ':':<{pad}} {flow(tree_of(value))}"


def _put_first(document: Document, owner: Entry, name: str, value: Any) -> Iterator[Way]:
    """The first entry of a mapping that is empty, or for which nothing is written."""
    old, inline = owner.value, "{" + _line(name, value) + "}"
    colon, start = document.colon(owner), document.start(old)
    end = document.end(old)
    if colon is None:
        at = document.key_end(owner)
        yield (Change(at, at, f": {inline}"),)
        return
    level = _column(document, document.key_start(owner, document.lines.begin(colon)))
    if (
        document.is_block(document.tree)
        and level is not None
        and not document.has_comment(start, end)
    ):
        line = document.lines.end(max(end, colon))
        child = level + _step(document)
        text = "".join(line_end(document.text) + r for r in _lines_of(child, name, value))
        gone = (Change(colon, end, ""),) if end > colon else ()
        yield (*gone, Change(line, line, text))
    if document.is_empty(old):
        yield (Change(colon, colon, f" {inline}"),)
    else:
        yield (Change(start, end, inline),)


def _step(document: Document) -> str:
    """How much deeper the entries of a section stand than its key."""
    root = _column(document, document.lines.range(document.tree.entries[0].span)[0]) or ""
    for entry in document.tree.entries:
        if (
            isinstance(entry.value, Table)
            and entry.value.entries
            and document.is_block(entry.value)
        ):
            deep = _column(document, document.lines.range(entry.value.entries[0].span)[0])
            if deep is not None and len(deep) > len(root):
                return deep[len(root) :]
    return STEP


def _column(document: Document, start: int) -> str | None:
    """The blanks before a place on its line; None where something stands there."""
    before = document.text[document.lines.begin(start) : start]
    return before if not before.strip() else None


def _lines_of(indent: str, name: str, value: Any, pad: int = 0, split: bool = False) -> list[str]:
    """An entry on one line, or on several if it is a mapping that would be too long, or is to be `split`."""
    line = indent + _line(name, value, pad)
    inner = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
    if not inner or (len(line) <= WIDTH and not _deep(inner) and not split):
        return [line]
    rows = (row for key_, value_ in inner.items() for row in _lines_of(indent + STEP, key_, value_))
    return [f"{indent}{key(name)}:", *rows]


def _deep(value: dict[str, Any]) -> bool:
    return any(isinstance(inner, dict) for inner in value.values())


def _put_block(
    document: Document, table: Table, place: Entry, name: str, value: Any, split: bool
) -> Iterator[Way]:
    first = table.entries[0]
    start = document.key_start(first, _before(document, table, first))
    before = document.text[document.lines.begin(start) : start]
    if before.strip(" ?:-"):
        return
    indent, nl = " " * len(before), line_end(document.text)
    rows = _lines_of(indent, name, value, _aligned(document, table), split)
    end = document.entry_end(place)
    if not document.keeps_blank_lines(place.value):
        at = document.lines.end(end)
        yield (Change(at, at, "".join(nl + row for row in rows)),)
    for entry in (place, first):
        start = document.key_start(entry, _before(document, table, entry))
        begin = document.lines.begin(start)
        if _column(document, start) is None:
            continue
        yield (Change(begin, begin, "".join(row + nl for row in rows)),)


def _aligned(document: Document, table: Table) -> int:
    """The width that a table gives to its keys, with their colons; 0 where its values do not stand in one column."""
    widths = set[int]()
    for entry in table.entries:
        between = document.text[document.lines.range(entry.span)[0] : document.start(entry.value)]
        if between.endswith(" ") and "\n" not in between and "\r" not in between:
            widths.add(len(between) - 1)
    return widths.pop() if len(widths) == 1 and len(table.entries) > 1 else 0


def _before(document: Document, table: Table, entry: Entry) -> int:
    """Where what stands before an entry ends: the one before it, or the beginning of the table."""
    at = table.entries.index(entry)
    return document.entry_end(table.entries[at - 1]) if at else document.start(table)


def _put_flow(document: Document, table: Table, name: str, value: Any) -> Iterator[Way]:
    last = table.entries[-1]
    end, close = document.entry_end(last), document.lines.range(table.span)[1] - 1
    comma = next((at + 1 for at, sign in document.signs(end, close) if sign == ","), None)
    start = document.key_start(last, _before(document, table, last))
    indent = _column(document, start)
    text, behind = _line(name, value), end if comma is None else comma
    line = document.lines.end(behind)
    if indent is not None and line <= close and indent:
        row = line_end(document.text) + indent + text + "," * (comma is not None)
        yield (*((Change(end, end, ","),) if comma is None else ()), Change(line, line, row))
    yield (Change(end, end, f", {text}"),)


def taken(document: Document, owner: Table | Items, at: int) -> Iterator[Way]:
    """Ways to take an entry out of a mapping, or an item out of a list, with the comment at its end."""
    ends = _ends(document, owner)
    start, end = ends[at]
    if document.is_block(owner):
        yield from _taken_lines(document, owner, start, end)
        following = ends[at + 1][0] if at + 1 < len(ends) else end
        if following > end and not document.has_comment(end, following):
            yield (Change(start, following, ""),)
        return
    close = document.lines.range(owner.span)[1] - 1
    comma = next((p + 1 for p, sign in document.signs(end, close) if sign == ","), end)
    if _column(document, start) is not None and not list(
        document.signs(comma, min(document.lines.end(comma), close + 1))
    ):
        yield (Change(document.lines.begin(start), document.lines.next(comma), ""),)
    if at + 1 < len(ends):
        following = ends[at + 1][0]
        gap = document.text[comma:following]
        behind = following if not gap.strip() and "\n" not in gap and "\r" not in gap else comma
        yield (Change(start, behind, ""),)
    elif at and not document.text[ends[at - 1][1] : start].strip(", \t"):
        yield (Change(ends[at - 1][1], end, ""),)
    yield (Change(start, comma, ""),)


def _taken_lines(document: Document, owner: Table | Items, start: int, end: int) -> Iterator[Way]:
    lines, text = document.lines, document.text
    begin = lines.begin(start)
    before = text[begin:start]
    if before.strip() and not (isinstance(owner, Items) and before.strip() == "-"):
        return
    behind = lines.next(end)
    if behind == lines.end(end) and begin > int(text.startswith(MARK)):
        # The last line has no end: then the line before it has none afterwards.
        yield (Change(lines.end(lines.begin(begin - 1)), behind, ""),)
    yield (Change(begin, behind, ""),)


def _ends(document: Document, owner: Table | Items) -> list[tuple[int, int]]:
    """Where the entries or items of a collection begin and end."""
    if isinstance(owner, Items):
        return [(document.start(item), document.end(item)) for item in owner.values]
    after, ends = document.start(owner), list[tuple[int, int]]()
    for entry in owner.entries:
        start, after = document.key_start(entry, after), document.entry_end(entry)
        ends.append((start, after))
    return ends


def leaves(tree: Tree | None) -> Iterator[Leaf]:
    """The scalars of a value, in lists too."""
    if isinstance(tree, Leaf):
        yield tree
    elif isinstance(tree, Items):
        for item in tree.values:
            yield from leaves(item)
