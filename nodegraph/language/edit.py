"""Edits of a graph's text: each changes the bytes of its own entry, and nothing else of the file.

Every function takes the text of a graph and gives the edits that make another of it (`texts.applied`; `texts.inverse`
gives those that undo them). Values are as a graph file says them: `$name.port` is a reference, `$$` begins a text with a
dollar sign. Each raises GraphError where the text is no graph, and Refused where the edit cannot be made, with the reason.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from nodegraph.language.document import meaning, opened
from nodegraph.language.graph import INPUT_KEYS
from nodegraph.language.naming import (
    frames,
    free,
    good,
    membership,
    no_port,
    renamed,
    with_input,
    with_node,
)
from nodegraph.language.settling import (
    Edits,
    Refused,
    assigned,
    gone,
    known,
    names,
    removal,
    settled,
    without,
)
from nodegraph.language.written import tree_of
from nodegraph.language.yaml import Table


def set_port(text: str, node: str, port: str, value: Any, file: str = "graph") -> Edits:
    """Write a value, or a list of values, on an input of a node."""
    document = with_node(text, node, file)
    no_port(port)
    return assigned(document, ("nodes", node, port), value)


def unset_port(text: str, node: str, port: str, file: str = "graph") -> Edits:
    """Take away what is written on an input of a node."""
    no_port(port)
    return gone(with_node(text, node, file), ("nodes", node, port), f"input of '{node}'")


def set_each(text: str, node: str, names: str, values: Any, file: str = "graph") -> Edits:
    """Write the values that an input of a node, or several together (`a+b`), take in turn: a list, a range, a reference."""
    return assigned(with_node(text, node, file), ("nodes", node, "each", names), values)


def unset_each(text: str, node: str, names: str | None = None, file: str = "graph") -> Edits:
    """Take away what an input of a node takes in turn; all of it where none is named, or only that one is there."""
    document = with_node(text, node, file)
    there = document.value(("nodes", node, "each"))
    alone = isinstance(there, Table) and [entry.key for entry in there.entries] == [names]
    path = ("nodes", node, "each") if names is None or alone else ("nodes", node, "each", names)
    return gone(document, path, f"each of '{node}'")


def connect(
    text: str, source: str, node: str, port: str, output: str | None = None, file: str = "graph"
) -> Edits:
    """Wire an output of a node (the first, unless it is named), or an input of the graph, to an input of a node."""
    document = opened(text, file)
    known(source, (*names(document, "nodes"), *names(document, "inputs")), "node or input")
    return set_port(text, node, port, f"${source}" + (f".{output}" if output else ""), file)


def set_type(text: str, node: str, kind: str, file: str = "graph") -> Edits:
    """Make a node one of another type; what stands on its inputs stays."""
    return assigned(with_node(text, node, file), ("nodes", node, "type"), kind)


def set_note(text: str, node: str, note: str, file: str = "graph") -> Edits:
    """Write the note of a node."""
    return assigned(with_node(text, node, file), ("nodes", node, "note"), note)


def unset_note(text: str, node: str, file: str = "graph") -> Edits:
    """Take away the note of a node."""
    return gone(with_node(text, node, file), ("nodes", node, "note"), f"key of '{node}'")


def add_node(
    text: str, name: str, kind: str, ports: Mapping[str, Any] | None = None, file: str = "graph"
) -> Edits:
    """Add a node of a type, with what stands on its inputs, behind the last one."""
    document = opened(text, file)
    free(document, name)
    for port in ports or {}:
        no_port(port)
    return assigned(document, ("nodes", name), {"type": kind, **(ports or {})})


def remove_node(text: str, name: str, file: str = "graph") -> Edits:
    """Take a node away, with its place and out of its frames. What refers to it stays, and is a fault then."""
    document = with_node(text, name, file)
    lost = [removal(document, ("nodes", name))]
    if document.find(("layout", name)):
        lost.append(removal(document, ("layout", name)))
    wanted = without(without(meaning(document.tree), ("nodes", name)), ("layout", name))
    for title, members in frames(document):
        lost += membership(document, title, members, name)
        wanted["frames"][title] = [
            m for m in wanted["frames"][title] if m != meaning(tree_of(name))
        ]
    return settled(document, wanted, lost)


def rename_node(text: str, name: str, new: str, file: str = "graph") -> Edits:
    """Give a node another name, in all that refers to it too."""
    return renamed(with_node(text, name, file), "nodes", name, new)


def move(text: str, name: str, x: float, y: float, file: str = "graph") -> Edits:
    """Keep the place of a node, an input or an output on a canvas."""
    document = opened(text, file)
    there = chain.from_iterable(names(document, s) for s in ("nodes", "inputs", "outputs"))
    known(name, tuple(there), "node")
    return assigned(document, ("layout", name), [x, y])


def unplace(text: str, name: str, file: str = "graph") -> Edits:
    """Forget the place of a node."""
    return gone(opened(text, file), ("layout", name), "place")


def add_input(
    text: str, name: str, kind: str, facts: Mapping[str, Any] | None = None, file: str = "graph"
) -> Edits:
    """Declare an input of a type, behind the last one; `facts`: default, min, max, menu, help, optional."""
    document = opened(text, file)
    free(document, name)
    for fact in facts or {}:
        known(fact, INPUT_KEYS, "key of an input")
    return assigned(document, ("inputs", name), {"type": kind, **(facts or {})})


def set_input(text: str, name: str, fact: str, value: Any, file: str = "graph") -> Edits:
    """Write a fact of an input: its type, default, min, max, menu, help, or whether it is optional."""
    known(fact, INPUT_KEYS, "key of an input")
    return assigned(with_input(text, name, file), ("inputs", name, fact), value)


def unset_input(text: str, name: str, fact: str, file: str = "graph") -> Edits:
    """Take away a fact of an input; not its type."""
    if fact == "type":
        raise Refused(f"input '{name}' needs a type; give it another one, or remove the input")
    return gone(with_input(text, name, file), ("inputs", name, fact), f"key of input '{name}'")


def remove_input(text: str, name: str, file: str = "graph") -> Edits:
    """Take an input away, out of the presets and sweeps too. What refers to it stays, and is a fault then."""
    document = with_input(text, name, file)
    paths = [("inputs", name), *(("presets", p, name) for p in names(document, "presets"))]
    paths += [("sweeps", s, "each", name) for s in names(document, "sweeps")]
    found = [path for path in paths if document.find(path)]
    placed = [("layout", name)] if document.find(("layout", name)) else []
    wanted = meaning(document.tree)
    for path in (*found, *placed):
        wanted = without(wanted, path)
    return settled(document, wanted, [removal(document, path) for path in (*found, *placed)])


def rename_input(text: str, name: str, new: str, file: str = "graph") -> Edits:
    """Give an input another name, in all that refers to it and in the presets too."""
    return renamed(with_input(text, name, file), "inputs", name, new)


def set_output(text: str, name: str, value: str, file: str = "graph") -> Edits:
    """Let an output come from `$node` or `$node.port`."""
    if not value.startswith("$"):
        raise Refused(f"an output refers to a node; write '${value}'")
    good(name)
    return assigned(opened(text, file), ("outputs", name), value)


def unset_output(text: str, name: str, file: str = "graph") -> Edits:
    """Take an output away."""
    return gone(opened(text, file), ("outputs", name), "output")


def set_preset(text: str, preset: str, name: str, value: Any, file: str = "graph") -> Edits:
    """Write the value that a preset has for an input; makes the preset where there is none."""
    return assigned(with_input(text, name, file), ("presets", preset, name), value)


def unset_preset(text: str, preset: str, name: str | None = None, file: str = "graph") -> Edits:
    """Take away what a preset has for an input; the whole preset where none is named."""
    document = opened(text, file)
    path = ("presets", preset) if name is None else ("presets", preset, name)
    return gone(document, path, "preset" if name is None else f"value of preset '{preset}'")


def set_frame(text: str, title: str, nodes: Sequence[str], file: str = "graph") -> Edits:
    """Draw a frame with a title around nodes."""
    document = opened(text, file)
    for name in nodes:
        known(name, (*names(document, "nodes"), *names(document, "inputs")), "node")
    return assigned(document, ("frames", title), list(nodes))


def unset_frame(text: str, title: str, file: str = "graph") -> Edits:
    """Take a frame away; its nodes stay."""
    return gone(opened(text, file), ("frames", title), "frame")


def set_text(text: str, key: str, value: str, file: str = "graph") -> Edits:
    """Write the title or the description of the graph."""
    known(key, ("title", "description"), "text of a graph")
    return assigned(opened(text, file), (key,), value)
