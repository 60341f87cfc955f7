"""Values as a graph file writes them: on one line, quoted where they must be."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from nodegraph.base.diagnostics import Span
from nodegraph.language.scalars import LongNumber, Scalar, plain
from nodegraph.language.yaml import Entry, Items, Leaf, Table, Tree

_NOWHERE = Span("", 1, 1, 1, 1)


def tree_of(value: Any) -> Tree:
    """A value of texts, numbers, flags, lists and mappings, as it would be read. Raises ValueError for others."""
    if value is None or isinstance(value, str | int | float):
        return Leaf(value, False, _NOWHERE)
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value).items()
        if wrong := [k for k, _ in pairs if not isinstance(k, str)]:
            raise ValueError(f"a key in a graph file is a text, not {wrong[0]!r}")
        return Table(tuple(Entry(k, tree_of(v), _NOWHERE) for k, v in pairs), _NOWHERE)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return Items(tuple(tree_of(item) for item in cast("Sequence[Any]", value)), _NOWHERE)
    raise ValueError(f"a graph file cannot hold a {type(value).__name__}")


def flow(tree: Tree) -> str:
    """A value on one line."""
    if isinstance(tree, Table):
        return "{" + ", ".join(f"{key(e.key)}: {flow(e.value)}" for e in tree.entries) + "}"
    if isinstance(tree, Items):
        return "[" + ", ".join(flow(item) for item in tree.values) + "]"
    return scalar(tree)


def graph_text(graph: Mapping[str, Any]) -> str:
    """The text of a graph file that says what a mapping does. Raises ValueError for what a file cannot hold."""
    lines: list[str] = []
    for entry in cast(Table, tree_of(graph)).entries:
        if isinstance(entry.value, Table) and entry.value.entries:
            inner = (f"  {key(e.key)}: {flow(e.value)}" for e in entry.value.entries)
            lines += [f"{key(entry.key)}:", *inner]
        else:
            lines.append(f"{key(entry.key)}: {flow(entry.value)}")
    return "\n".join(lines) + "\n"


def key(name: str) -> str:
    """A key so that it reads back as itself, for other readers of YAML too."""
    bare = _safe(name) and name != "<<" and _read(name) is not None and str(_read(name)) == name
    return name if bare else quoted(name)


def scalar(leaf: Leaf) -> str:
    """A scalar so that it reads back as itself: quoted where it was, and where it must be."""
    value = leaf.value
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return _number(value)
    return quoted(value) if leaf.quoted or not _bare(value) else value


def _number(value: float) -> str:
    special = {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}
    text = repr(value)
    return special.get(text, text)


def _bare(text: str) -> bool:
    return _safe(text) and isinstance(_read(text), str)


def _safe(text: str) -> bool:
    """Whether nothing in a text means something to YAML."""
    marks = any(mark in text for mark in ",[]{}#&*!|>'\"%@`:\n\t")
    return not marks and text.isprintable() and text == text.strip() and text[:1] not in "-?="


def _read(text: str) -> Scalar:
    """What a text without quotes is for YAML; None for a number that is too long."""
    try:
        return plain(text)
    except LongNumber:
        return None


def quoted(text: str) -> str:
    """A text between double quotes."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def joined(raw: str) -> str:
    """A text between quotes that begins with what is written without quotes, or between double ones: `"red", blue`."""
    if raw.startswith('"') and (end := raw.find('"', 1)) > 0 and "\\" not in raw:
        return quoted(raw[1:end] + raw[end + 1 :])
    return quoted(raw)


def _escaped(character: str) -> str:
    """A character between double quotes: what does not print is written by its number."""
    named = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    if character in named:
        return named[character]
    if character.isprintable():
        return character
    code = ord(character)
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )
