"""Canonical form of graph files: aligned, a node on one line if it fits in 100 columns; comments and order stay."""

from collections import Counter
from collections.abc import Sequence

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.language.document import meaning
from nodegraph.language.graph import TOP_KEYS
from nodegraph.language.texts import in_form_of, split
from nodegraph.language.written import flow, key
from nodegraph.language.yaml import Entry, Items, Table, Tree, parse

WIDTH = 100


class Unformattable(ValueError):
    """A text that cannot be read, and so cannot be formatted."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("the file has syntax errors")
        self.diagnostics = tuple(diagnostics)


def formatted(text: str, file: str) -> str:
    """The canonical text of a graph file. Raises Unformattable; what the values mean never changes.

    A byte order mark, CRLF line ends and a missing last line end stay. A file whose comments have no place in canonical
    form, such as one in braces, stays as it is written.
    """
    parsed = parse(text, file)
    if parsed.diagnostics or not isinstance(parsed.tree, Table):
        raise Unformattable(parsed.diagnostics)
    writer = _Writer(text)
    for entry in parsed.tree.entries:
        writer.comments_before(entry.span.line, "")
        writer.whole(entry)
    writer.comments_before(len(writer.lines) + 1, "")
    made = in_form_of(text, "\n".join(writer.out).rstrip("\n") + "\n")
    again = parse(made, file)
    return made if not again.diagnostics and meaning(again.tree) == meaning(parsed.tree) else text


class _Writer:
    def __init__(self, text: str) -> None:
        self.lines = split(text)
        self.out: list[str] = []
        self.read = 0
        """Source lines whose comments were written already."""

    def comments_before(self, line: int, indent: str) -> None:
        """Comment lines, and single blank lines, that stand before a source line."""
        for source in self.lines[self.read : line - 1]:
            stripped = source.strip()
            if stripped.startswith("#"):
                self.out.append(indent + stripped)
            elif not stripped and self.out and self.out[-1]:
                self.out.append("")
        self.read = max(self.read, line - 1)

    def trailing(self, tree: Tree | Entry) -> str:
        """The comment at the end of the line on which a value ends."""
        span = tree.span if not isinstance(tree, Entry) else tree.value.span
        line = self.lines[span.end_line - 1] if span.end_line <= len(self.lines) else ""
        rest = line[span.end_column - 1 :].strip()
        return f"  {rest}" if rest.startswith("#") else ""

    def done(self, entry: Entry) -> None:
        self.read = max(self.read, self.last_line(entry.value))

    def last_line(self, tree: Tree) -> int:
        """The last line on which something of a value stands; a block is said to end where the next value begins."""
        start, end = tree.span.line, tree.span.end_line
        while (inner := _values(tree)) and not self.is_flow(tree):
            tree = inner[-1]
            end = tree.span.end_line
        block = tree.span.end_column == 1 and end > tree.span.line
        return max(start, end - 1 if block else end)

    def is_flow(self, tree: Tree) -> bool:
        """Whether a list or mapping stands in brackets."""
        return self.lines[tree.span.line - 1][tree.span.column - 1 :][:1] in ("{", "[")

    def whole(self, entry: Entry) -> None:
        """A section in canonical form; as it stands where a comment has no place in that form."""
        begun, read = len(self.out), self.read
        self.section(entry)
        self.done(entry)
        source = self.lines[read : self.read]
        if _comments(source) - _comments(self.out[begun:]):
            self.out[begun:] = source

    def section(self, entry: Entry) -> None:
        if entry.key in TOP_KEYS and isinstance(entry.value, Table) and entry.value.entries:
            self.out.append(f"{entry.key}:")
            self.read = max(self.read, entry.span.line)
            width = max(len(key(child.key)) for child in entry.value.entries)
            for child in entry.value.entries:
                self.child(child, min(width, 16))
        else:
            self.out.append(f"{key(entry.key)}: {flow(entry.value)}{self.trailing(entry)}")

    def child(self, entry: Entry, width: int) -> None:
        self.comments_before(entry.span.line, "  ")
        line = f"  {key(entry.key) + ':':<{width + 1}} {flow(entry.value)}"
        comment = self.trailing(entry) if entry.value.span.end_column > 1 else ""
        if len(line) <= WIDTH and not self.inner_comments(entry):
            self.out.append(line + comment)
            self.done(entry)
        elif isinstance(entry.value, Table) and entry.value.entries:
            self.block(entry, entry.value)
        else:
            self.out.append(line + comment)
            self.done(entry)

    def inner_comments(self, entry: Entry) -> bool:
        """Whether comments stand between the lines of a value."""
        inside = self.lines[entry.span.line - 1 : self.last_line(entry.value)]
        return (
            isinstance(entry.value, Table)
            and len(inside) > 1
            and any(_comment(line) for line in inside)
        )

    def block(self, entry: Entry, table: Table) -> None:
        head = self.lines[entry.span.line - 1]
        opened = (
            _comment(head)
            if table.span.line > entry.span.line or head.rstrip().endswith(_comment(head) or "\0")
            else ""
        )
        same_line = any(child.span.line == entry.span.line for child in table.entries)
        self.out.append(
            f"  {key(entry.key)}:" + (f"  {opened}" if opened and not same_line else "")
        )
        self.read = max(self.read, entry.span.line)
        for child in table.entries:
            self.comments_before(child.span.line, "    ")
            self.out.append(f"    {key(child.key)}: {flow(child.value)}{self.trailing(child)}")
            self.done(child)


def _values(tree: Tree) -> Sequence[Tree]:
    """What stands in a list or mapping."""
    if isinstance(tree, Table):
        return [entry.value for entry in tree.entries]
    return tree.values if isinstance(tree, Items) else ()


def _comments(lines: Sequence[str]) -> Counter[str]:
    return Counter(comment for line in lines if (comment := _comment(line)))


def _comment(line: str) -> str:
    """The comment of a line, or nothing. A '#' inside quotes does not start one."""
    quote = ""
    for at, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character == "#" and (at == 0 or line[at - 1] in " \t"):
            return line[at:].strip()
    return ""
