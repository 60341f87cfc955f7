"""Edits that are tried before they are given: the text after them says what it should, and nothing else has changed."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice, product
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Edit, nearest
from nodegraph.language.document import Document, Path, complaints, meaning
from nodegraph.language.graph import TOP_KEYS
from nodegraph.language.rewriting import Way, edits, put, replaced, taken
from nodegraph.language.texts import applied
from nodegraph.language.written import tree_of
from nodegraph.language.yaml import Entry, Items, Table, Tree, parse

Edits = tuple[Edit, ...]
Ways = Iterable[Way]
Data = dict[str, Any]
_NEEDED = ("nodes", "outputs")
_TRIES = 32


class Refused(ValueError):
    """An edit that cannot be made; says where, why, and what to do instead."""


def assigned(document: Document, path: Path, value: Any) -> Edits:
    """The edits after which a value stands at a path, and everything else as before."""
    wanted: Any = meaning(document.tree)
    inner = wanted
    for key in path[:-1]:
        if not isinstance(inner.get(key), dict):
            inner[key] = {}
        inner = inner[key]
    inner[path[-1]] = meaning(tree_of(value))
    return settled(document, wanted, [_assignment(document, path, value)])


def _assignment(document: Document, path: Path, value: Any) -> Ways:
    found, owner = document.find(path), document.find(path[:-1]) if len(path) > 1 else None
    unmarked(document, path, whole=found is not None)
    if found:
        return replaced(document, found, value)
    if owner is None and len(path) > 1:
        return _assignment(document, path[:-1], {path[-1]: value})
    if owner and not isinstance(owner.value, Table) and meaning(owner.value) != meaning(None):
        raise Refused(f"{owner.value.span}: '{owner.key}' is no mapping; make it one first")
    return put(document, owner, path[-1], value, None if owner else _section_before(document, path))


def _section_before(document: Document, path: Path) -> str | None:
    """The section behind which one belongs."""
    order = TOP_KEYS[: TOP_KEYS.index(path[0])]
    return next((key for key in reversed(order) if document.find((key,))), None)


def gone(document: Document, path: Path, what: str) -> Edits:
    """The edits that take the entry at a path away."""
    owner = document.value(path[:-1])
    names = [e.key for e in owner.entries] if isinstance(owner, Table) else []
    known(path[-1], names, what)
    wanted = without(meaning(document.tree), path)
    return settled(document, wanted, [removal(document, path)])


def without(tree: Data, path: Path) -> Data:
    """What a graph says without the entry at a path."""
    inner: Any = tree
    for key in path[:-1]:
        inner = cast(Data, inner).get(key)
        if not isinstance(inner, dict):
            return tree
    cast(Data, inner).pop(path[-1], None)
    return tree


def removal(document: Document, path: Path) -> Ways:
    """Ways to take an entry away; with its section, or leaving `{}`, where it is the only one there."""
    unmarked(document, path, whole=True)
    section, entry = document.find(path[:-1]), document.find(path)
    owner = section.value if section else None
    if not isinstance(owner, Table) or section is None or entry is None:
        return
    at = owner.entries.index(entry)
    only = len(owner.entries) == 1
    optional = len(path) == 2 and path[0] not in _NEEDED
    if only and optional and not _commented(document, section, entry):
        yield from taken(document, document.tree, document.tree.entries.index(section))
    yield from taken(document, owner, at)
    if only:
        yield from replaced(document, section, {})


def _commented(document: Document, section: Entry, entry: Entry) -> bool:
    """Whether a comment stands in a section beside its only entry."""
    start, end = document.lines.range(entry.span)[0], document.entry_end(entry)
    before = document.has_comment(document.key_end(section), start)
    return before or document.has_comment(end, document.entry_end(section))


def settled(document: Document, wanted: Any, parts: Sequence[Ways]) -> Edits:
    """The first of the ways after which the text says what it should, and nothing else is wrong with it."""
    known = complaints(document.faults)
    for ways in islice(product(*map(list, parts)), _TRIES):
        made = edits(document.file, document.lines, tuple(chain.from_iterable(ways)))
        try:
            after = parse(applied(document.text, made), document.file)
        except ValueError:
            continue
        right = _ordinary(meaning(after.tree)) == _ordinary(wanted)
        if right and complaints(after.diagnostics) <= known:
            return made
    faults = [f for f in document.faults if f.code in (Code.DUPLICATE_KEY, Code.YAML_FEATURE)]
    why = f"mend this first: {faults[0]}" if faults else "edit it by hand there"
    raise Refused(
        f"{document.file}: the text cannot be changed without changing more than that; {why}"
    )


def _ordinary(tree: Any) -> Any:
    """What a graph says; an empty section is none."""
    if not isinstance(tree, dict):
        return tree
    nothing = cast("tuple[Any, ...]", ({}, meaning(None)))
    return {key: value for key, value in cast(Data, tree).items() if value not in nothing}


def unmarked(document: Document, path: Path, *, whole: bool) -> None:
    """Raises Refused where a value on the way has an anchor or a tag or is an alias; in it too, if `whole`."""
    for length in range(len(path) + whole):
        tree = document.value(path[:length])
        if tree is not None and document.is_marked(tree):
            _refuse_mark(document, tree)
    if whole and (last := document.value(path)) is not None:
        for tree in _within(last):
            if document.is_marked(tree):
                _refuse_mark(document, tree)


def _refuse_mark(document: Document, tree: Tree) -> None:
    raise Refused(
        f"{tree.span}: an anchor, alias or tag stands here, so that an edit would change other places too; "
        "write the value out first"
    )


def _within(tree: Tree) -> Iterator[Tree]:
    waiting = [tree]
    while waiting:
        found = waiting.pop()
        yield found
        if isinstance(found, Table):
            waiting.extend(entry.value for entry in found.entries)
        elif isinstance(found, Items):
            waiting.extend(found.values)


def names(document: Document, section: str) -> tuple[str, ...]:
    """The names that a section holds."""
    table = document.value((section,))
    return tuple(e.key for e in table.entries) if isinstance(table, Table) else ()


def known(name: str, names: Sequence[str], what: str) -> None:
    """Raises Refused, with the nearest name, for one that is not there."""
    if name not in names:
        hint = nearest(name, names)
        raise Refused(f"there is no {what} '{name}'" + (f"; {hint}" if hint else ""))
