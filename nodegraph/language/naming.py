"""Names in the text of a graph: which there are, which are free, and a name changed wherever it stands."""

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

from nodegraph.language.document import Document, Path, meaning, opened
from nodegraph.language.graph import NODE_KEYS
from nodegraph.language.many import names_of
from nodegraph.language.rewriting import leaves, reference_renamed, replaced, taken
from nodegraph.language.rewriting import renamed as key_renamed
from nodegraph.language.settling import Data, Edits, Refused, Ways, known, names, settled, unmarked
from nodegraph.language.written import tree_of
from nodegraph.language.yaml import Entry, Items, Leaf, Table, Tree

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
OWN = NODE_KEYS


def renamed(document: Document, section: str, name: str, new: str) -> Edits:
    """The edits that give a node or an input another name, wherever it is named."""
    if name == new:
        return ()
    free(document, new)
    wanted = _with_name(meaning(document.tree), section, name, new)
    return settled(document, wanted, list(_renamings(document, section, name, new)))


def _renamings(document: Document, section: str, name: str, new: str) -> Iterator[Ways]:
    keys = [(section, name), ("layout", name)]
    if section == "inputs":
        keys += [("presets", preset, name) for preset in names(document, "presets")]
    for path in keys:
        entry = document.find(path)
        if entry:
            unmarked(document, path, whole=False)
            yield key_renamed(document, entry, new)
    for path, entry in _swept(document, name) if section == "inputs" else ():
        unmarked(document, path, whole=False)
        yield key_renamed(document, entry, _key_with(entry.key, name, new))
    for path, tree in _referring(document):
        for leaf in leaves(tree):
            if _refers(leaf.value, name):
                unmarked(document, path, whole=True)
                yield reference_renamed(document, leaf, name, new)
    for title, members in frames(document):
        for leaf in leaves(members):
            if leaf.value == name:
                unmarked(document, ("frames", title), whole=True)
                yield key_renamed(document, Entry(name, leaf, leaf.span), new)


def _referring(document: Document) -> Iterator[tuple[Path, Tree]]:
    """The values that may refer to something: on the inputs of nodes, and the outputs."""
    for node in names(document, "nodes"):
        table = document.value(("nodes", node))
        for entry in table.entries if isinstance(table, Table) else ():
            path = ("nodes", node, entry.key)
            if entry.key == "each" and isinstance(entry.value, Table):
                yield from (((*path, axis.key), axis.value) for axis in entry.value.entries)
            elif entry.key not in OWN or entry.key == "type":
                yield path, entry.value
    table = document.value(("outputs",))
    for entry in table.entries if isinstance(table, Table) else ():
        yield ("outputs", entry.key), entry.value


def _swept(document: Document, name: str) -> Iterator[tuple[Path, Entry]]:
    """The axes of sweeps in which an input stands."""
    for sweep in names(document, "sweeps"):
        table = document.value(("sweeps", sweep, "each"))
        for entry in table.entries if isinstance(table, Table) else ():
            if name in names_of(entry.key):
                yield ("sweeps", sweep, "each", entry.key), entry


def _key_with(key: str, name: str, new: str) -> str:
    """The key of an axis where a name in it is another one."""
    names = names_of(key)
    return "+".join(new if n == name else n for n in names) if name in names else key


def _refers(value: object, name: str) -> bool:
    return isinstance(value, str) and value.partition(".")[0] == f"${name}"


def _with_name(tree: Data, section: str, name: str, new: str) -> Data:
    """What a graph says when a name in it is another one."""
    made, said, now = dict(tree), meaning(tree_of(name)), meaning(tree_of(new))

    def keys(table: Data) -> Data:
        return {new if key == name else key: value for key, value in table.items()}

    def axes(table: Data) -> Data:
        return {_key_with(key, name, new): value for key, value in table.items()}

    def refs(value: Any) -> Any:
        if isinstance(value, list):
            return [refs(item) for item in cast("list[Any]", value)]
        text: Any = cast("tuple[str, Any]", value)[1] if isinstance(value, tuple) else None
        return (
            ("str", f"${new}{text[len(name) + 1 :]}") if _refers(text, name) else cast(Any, value)
        )

    def ports(table: Data) -> Data:
        made = {
            key: refs(value) if key == "type" or key not in OWN else value
            for key, value in table.items()
        }
        _change(made, "each", lambda axes: {key: refs(value) for key, value in axes.items()})
        return made

    for part in (section, "layout"):
        _change(made, part, keys)
    if section == "inputs":
        _change(made, "presets", lambda presets: _each(presets, keys))
        _change(made, "sweeps", lambda sweeps: _each(sweeps, lambda s: _each(s, axes)))
    _change(made, "nodes", lambda nodes: _each(nodes, ports))
    _change(made, "outputs", lambda outputs: {key: refs(value) for key, value in outputs.items()})
    for title, members in made.get("frames", {}).items() if "frames" in made else ():
        if isinstance(members, list):
            rest = [now if m == said else m for m in cast("list[Any]", members)]
            made["frames"] = {**made["frames"], title: rest}
    return made


def _change(data: Data, key: str, change: Callable[[Data], Data]) -> None:
    if isinstance(data.get(key), dict):
        data[key] = change(data[key])


def _each(tables: Data, change: Callable[[Data], Data]) -> Data:
    made = dict(tables)
    for key in tables:
        _change(made, key, change)
    return made


def frames(document: Document) -> Iterator[tuple[str, Items]]:
    """The frames, each with its members."""
    for title in names(document, "frames"):
        members = document.value(("frames", title))
        if isinstance(members, Items):
            yield title, members


def membership(document: Document, title: str, members: Items, name: str) -> list[Ways]:
    """Ways to take a node out of a frame."""
    at = [i for i, m in enumerate(members.values) if isinstance(m, Leaf) and m.value == name]
    if not at:
        return []
    path = ("frames", title)
    unmarked(document, path, whole=True)
    entry = document.find(path)
    if entry and (len(at) > 1 or (document.is_block(members) and len(members.values) == 1)):
        rest = [str(m.value) for m in members.values if isinstance(m, Leaf) and m.value != name]
        return [replaced(document, entry, rest)]
    return [taken(document, members, at[0])]


def with_node(text: str, name: str, file: str) -> Document:
    """The document of a text that has a node. Raises GraphError, Refused."""
    document = opened(text, file)
    known(name, names(document, "nodes"), "node")
    table = document.value(("nodes", name))
    if table and not isinstance(table, Table) and not document.is_marked(table):
        raise Refused(f"{table.span}: node '{name}' is no mapping; write: {name}: {{type: …}}")
    return document


def with_input(text: str, name: str, file: str) -> Document:
    """The document of a text that has an input. Raises GraphError, Refused."""
    document = opened(text, file)
    known(name, names(document, "inputs"), "input")
    return document


def good(name: str) -> None:
    """Raises Refused for what `$name` cannot refer to."""
    if not _NAME.fullmatch(name):
        raise Refused(f"'{name}' is not a name; use letters, digits and '_', not first a digit")


def free(document: Document, name: str) -> None:
    """Raises Refused for what is no name, or the name of a node or an input already."""
    good(name)
    for section, what in (("nodes", "a node"), ("inputs", "an input")):
        entry = document.find((section, name))
        if entry:
            raise Refused(f"{entry.span}: '{name}' is {what} already; choose another name")


def no_port(port: str) -> None:
    """Raises Refused for a key of a node that is no port."""
    if port in OWN:
        raise Refused(f"'{port}' is no input of a node; use set_{port}")
