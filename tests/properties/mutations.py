"""Texts of graphs, spoiled: by byte, by line, and by structure. All chance comes from a `Random`, so a seed repeats a case."""

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from nasty import BYTES, LINES, NAMES, NUMBERS, RAWS, TEXTS

from nodegraph.language.graph import INPUT_KEYS
from nodegraph.language.yaml import Items, Leaf, Table, Tree, parse

WORD = re.compile(r"[A-Za-z_$./][A-Za-z0-9_$./]*")


class Raw(str):
    """A value that is written as it stands."""


Pairs = list[list[Any]]
"""A mapping: its keys may stand twice."""


@dataclass(frozen=True)
class Words:
    """What graphs are written with: names of node types with their inputs, and of port types."""

    nodes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ports: tuple[str, ...] = ("int", "str", "float", "bool")


def spoiled(random: Random, seeds: list[bytes], words: Words, gentle: bool = False) -> bytes:
    """A text of the seeds, changed in one to five places. `gentle`: only values, in ways that may be right."""
    text = random.choice(seeds)
    kinds: list[Callable[..., bytes]] = [by_structure, by_structure, by_structure, by_line, by_byte]
    for kind in [by_value] if gentle else random.sample(kinds, random.choice([1, 1, 1, 2])):
        for _ in range(random.choice([1, 1, 2, 3])):
            text = kind(random, text, seeds, words)
    return text[: 2**20]


def by_byte(random: Random, text: bytes, seeds: list[bytes], _: Words) -> bytes:
    at = random.randrange(len(text) + 1)
    end = min(len(text), at + random.choice([0, 1, 2, 5, 40]))
    match random.randrange(7):
        case 0:
            return text[:at] + text[end:]
        case 1:
            return text[:at] + random.choice(BYTES) + text[at:]
        case 2:
            return text[:at] + random.choice(BYTES) + text[end:]
        case 3:
            return text[:end] + text[at:]
        case 4:
            return text[:at]
        case 5:
            other = random.choice(seeds)
            return text[:at] + other[random.randrange(len(other) + 1) :]
        case _:
            flipped = text[at : at + 1]
            return text[:at] + bytes(b ^ 1 << random.randrange(8) for b in flipped) + text[at + 1 :]


def by_line(random: Random, text: bytes, seeds: list[bytes], _: Words) -> bytes:
    lines = text.split(b"\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    foreign = random.choice(random.choice(seeds).split(b"\n"))
    match random.randrange(9):
        case 0:
            del lines[at]
        case 1:
            lines.insert(at, lines[other])
        case 2:
            lines[at], lines[other] = lines[other], lines[at]
        case 3:
            lines[at] = b" " * random.randrange(9) + lines[at].lstrip()
        case 4:
            lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
        case 5:
            lines[at] = b"# " + lines[at] if random.random() < 0.5 else lines[at] + b"  # [x] \x1b"
        case 6:
            lines.insert(at, random.choice(LINES).encode())
        case 7:
            lines.insert(at, foreign)
        case _:
            lines[at] = lines[at].replace(b": ", random.choice([b":", b" ", b": : ", b":\t"]), 1)
    return random.choice([b"\n", b"\n", b"\n", b"\n", b"\r\n", b"\r"]).join(lines)


def by_structure(random: Random, text: bytes, seeds: list[bytes], words: Words) -> bytes:
    """Take a value or a key away, double, rename, move, swap or replace it, and write the whole anew."""
    tree = _read(text)
    if not isinstance(tree, list) or not tree:
        return by_line(random, text, seeds, words)
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        random.choice(CHANGES)(random, tree, words)
    return written(random, tree).encode("utf-8", "surrogatepass")


def by_value(random: Random, text: bytes, seeds: list[bytes], words: Words) -> bytes:
    """Another value that may stand there, another wire, one input less or more."""
    tree = _read(text)
    if not isinstance(tree, list) or not tree:
        return text
    random.choice(GENTLE)(random, tree, words)
    return written(random, tree).encode("utf-8", "surrogatepass")


def _read(text: bytes) -> Any:
    return _plain(parse(text.decode("utf-8", "replace"), "g.yaml").tree)


def _plain(tree: Tree | None) -> Any:
    if isinstance(tree, Table):
        return [[entry.key, _plain(entry.value)] for entry in tree.entries]
    if isinstance(tree, Items):
        return tuple(_plain(value) for value in tree.values)
    return tree.value if isinstance(tree, Leaf) else None


def _pairs(tree: Any, depth: int = 0) -> Iterator[tuple[Pairs, int, int]]:
    """Every key of every mapping, with how deep it stands."""
    for at, (_, value) in enumerate(tree):
        yield tree, at, depth
        if isinstance(value, list):
            yield from _pairs(value, depth + 1)


def _slot(random: Random, tree: Pairs, least: int = 0) -> tuple[Pairs, int]:
    """A key, of any depth but those above `least`."""
    slots = [(holder, at) for holder, at, depth in _pairs(tree) if depth >= least]
    return random.choice(slots) if slots else (tree, random.randrange(len(tree)))


def _delete(random: Random, tree: Pairs, _: Words) -> None:
    holder, at = _slot(random, tree)
    if holder is not tree or len(tree) > 1:
        del holder[at]


def _double(random: Random, tree: Pairs, _: Words) -> None:
    holder, at = _slot(random, tree)
    holder.insert(random.randrange(len(holder) + 1), deepcopy(holder[at]))


def _rename(random: Random, tree: Pairs, words: Words) -> None:
    holder, at = _slot(random, tree)
    name = holder[at][0]
    near = name[: random.randrange(len(name) + 1)] + random.choice("aex_") if name else "a"
    known = random.choice(list(words.nodes.values()) or [("a",)])
    holder[at][0] = random.choice([near, random.choice(NAMES), *known[:2], *INPUT_KEYS[:2]])


def _move(random: Random, tree: Pairs, _: Words) -> None:
    holder, at = _slot(random, tree, 1)
    if holder is tree:
        return
    pair = holder.pop(at)
    other, place = _slot(random, tree)
    other.insert(place, pair)


def _swap(random: Random, tree: Pairs, _: Words) -> None:
    (one, a), (two, b) = _slot(random, tree, 1), _slot(random, tree, 1)
    first, second = one[a][1], two[b][1]
    if _inside(first, two) or _inside(second, one):
        return  # a mapping does not go into itself
    one[a][1], two[b][1] = second, first


def _inside(value: Any, holder: Pairs) -> bool:
    return isinstance(value, list) and (
        value is holder or any(_inside(inner, holder) for _, inner in value)
    )


def _nasty(random: Random, tree: Pairs, _: Words) -> None:
    holder, at = _slot(random, tree, random.choice([0, 1, 2, 2, 2]))
    holder[at][1] = nasty(random)


def nasty(random: Random, listed: bool = True) -> Any:
    """A value that nobody expects."""
    match random.randrange(8 if listed else 6):
        case 0 | 1:
            return random.choice(NUMBERS)
        case 2 | 3:
            return random.choice(TEXTS)
        case 4 | 5:
            return Raw(random.choice(RAWS))
        case 6:
            return tuple(nasty(random, False) for _ in range(random.choice([0, 1, 2, 3, 100])))
        case _:
            return random.choice([True, False, None, [], [["a", 1]], (), ((),), (((1,),),)])


def _names(tree: Pairs, section: str) -> list[str]:
    return [name for key, value in tree if key == section for name, _ in _mapping(value)]


def _mapping(value: Any) -> Pairs:
    return value if isinstance(value, list) else []


def _wire(random: Random, tree: Pairs, _: Words) -> None:
    """A wire from anywhere, or from nowhere, itself and what comes later too."""
    names = [*_names(tree, "nodes"), *_names(tree, "inputs")] or ["a"]
    holder, at = _slot(random, tree, 1 if random.random() < 0.1 else 2)
    if holder[at][0] == "type":
        return
    name = random.choice([*names, *names, random.choice(NAMES)])
    port = random.choice(["", "", "", ".image", ".base", ".text", ".x", "."])
    wire = f"${name}{port}"
    value = holder[at][1]
    if isinstance(value, tuple) and random.random() < 0.5:
        holder[at][1] = (*value, wire)
    else:
        holder[at][1] = (wire, holder[at][1]) if random.random() < 0.1 else wire


def _retype(random: Random, tree: Pairs, words: Words) -> None:
    """Another type: of a node one that is installed, of an input an expression of types."""
    holder, at = _slot(random, tree, 2)
    typed = [(h, a) for h, a, _ in _pairs(tree) if h[a][0] == "type" and h is not tree]
    if typed:
        holder, at = random.choice(typed)
    first, second = random.choice(words.ports), random.choice(words.ports)
    kinds = [first, f"list[{first}]", f"{first} | {second}", f"list[{first} | {second}]", "*", "?"]
    others = [*kinds, random.choice(TEXTS)]
    holder[at][1] = (
        random.choice(list(words.nodes) or ["add"])
        if random.random() < 0.7
        else random.choice(others)
    )


def _port(random: Random, tree: Pairs, words: Words) -> None:
    """One more input on a node: one that its type has, or not."""
    nodes = [node for key, value in tree if key == "nodes" for _, node in _mapping(value)]
    node = random.choice([n for n in nodes if isinstance(n, list)] or [tree])
    kind = next((value for key, value in node if key == "type"), None)
    ports = words.nodes.get(kind, ()) if isinstance(kind, str) else ()
    name = random.choice(ports) if ports and random.random() < 0.8 else random.choice(NAMES)
    node.append([name, nasty(random)])


def _declare(random: Random, tree: Pairs, words: Words) -> None:
    """One more input of the graph."""
    kind = random.choice([*words.ports, *(f"list[{p}]" for p in words.ports[:5])])
    declared: Pairs = [["type", kind]]
    for key in random.sample(INPUT_KEYS[1:], random.randrange(4)):
        declared.append([key, nasty(random)])
    name = random.choice([*NAMES, "p", "q"])
    holder = next((value for key, value in tree if key == "inputs"), None)
    if isinstance(holder, list):
        holder.append([name, declared])
    else:
        tree.append(["inputs", [[name, declared]]])


def _many(random: Random, tree: Pairs, _: Words) -> None:
    """A node so many times, or a long chain of them."""
    nodes = next((v for key, v in tree if key == "nodes" and isinstance(v, list) and v), None)
    if nodes is None:
        return
    name, node = random.choice(nodes)
    count = random.choice([2, 2, 10, 60, 120])
    chained = random.random() < 0.3
    for index in range(count):
        made = node
        if chained and isinstance(node, list):
            before = f"$n{(index - 1) % count}" if random.random() < 0.9 else f"${name}"
            made = [[k, before if k != "type" and str(v).startswith("$") else v] for k, v in node]
        nodes.append([f"n{index}", deepcopy(made)])


def _deep(random: Random, tree: Pairs, _: Words) -> None:
    holder, at = _slot(random, tree, 1)
    for _ in range(random.choice([1, 3, 30, 62, 63, 64, 65, 200])):
        holder[at][1] = (holder[at][1],) if random.random() < 0.7 else [["a", holder[at][1]]]


def _near(random: Random, tree: Pairs, words: Words) -> None:
    """A literal a little different; else another of its kind."""
    slots = [
        (h, a) for h, a, depth in _pairs(tree) if depth >= 2 and h[a][0] not in ("type", "help")
    ]
    slots = [(h, a) for h, a in slots if not str(h[a][1]).startswith("$")]
    if not slots:
        return _wire(random, tree, words)
    holder, at = random.choice(slots)
    value = holder[at][1]
    if isinstance(value, bool):
        holder[at][1] = not value
    elif isinstance(value, int | float):
        near = [value + 1, value - 1, value * 2, value / 2, value * 10, -value, 0, 1, 2, 3, 1.0]
        holder[at][1] = random.choice([*near, random.choice(NUMBERS)])
    elif isinstance(value, str):
        chosen = [value + " ", value[1:], value * 3, value.upper(), random.choice(TEXTS), "1"]
        holder[at][1] = random.choice(chosen)
    elif isinstance(value, tuple) and value:
        holder[at][1] = random.choice([value * 2, value[1:], value[:1], value[::-1], ()])
    else:
        holder[at][1] = random.choice([*NUMBERS, *TEXTS])
    return None


def _kindred(random: Random, tree: Pairs, words: Words) -> None:
    """One more or one less of the inputs that its type has, from a wire or with a number."""
    nodes = [node for key, value in tree if key == "nodes" for _, node in _mapping(value)]
    node = random.choice([n for n in nodes if isinstance(n, list) and n] or [tree])
    kind = next((value for key, value in node if key == "type"), None)
    ports = words.nodes.get(kind, ()) if isinstance(kind, str) else ()
    given = [key for key, _ in node]
    missing = [port for port in ports if port not in given]
    if missing and random.random() < 0.8:
        names = [*_names(tree, "nodes"), *_names(tree, "inputs")] or ["a"]
        value = [f"${random.choice(names)}", random.choice(NUMBERS[:14]), random.choice(TEXTS)]
        node.append([random.choice(missing), random.choice(value)])
    elif len(node) > 1:
        at = random.randrange(len(node))
        if node[at][0] != "type":
            del node[at]


def _other_node(random: Random, tree: Pairs, words: Words) -> None:
    """Another node type on the inputs of one that has about the same."""
    nodes = [node for key, value in tree if key == "nodes" for _, node in _mapping(value)]
    node = random.choice([n for n in nodes if isinstance(n, list) and n] or [tree])
    given = {key for key, _ in node}
    alike = [kind for kind, ports in words.nodes.items() if len(given & {*ports}) >= len(given) - 2]
    for pair in node:
        if pair[0] == "type" and alike:
            pair[1] = random.choice(alike)
            ports = words.nodes[pair[1]]
            node[:] = [p for p in node if p[0] == "type" or p[0] in ports]
            return


def _any_wire(random: Random, tree: Pairs, words: Words) -> None:
    """Another source of a wire that there is."""
    slots = [(h, a) for h, a, _ in _pairs(tree) if str(h[a][1]).startswith("$")]
    names = [*_names(tree, "nodes"), *_names(tree, "inputs")]
    if not slots or not names:
        return _near(random, tree, words)
    holder, at = random.choice(slots)
    others = [h[a][1] for h, a in slots]
    holder[at][1] = random.choice([random.choice(others), f"${random.choice(names)}"])
    return None


CHANGES = [
    *(_delete, _double, _rename, _move, _swap, _nasty, _nasty, _nasty, _wire, _wire, _retype),
    *(_port, _declare, _many, _deep, _near, _kindred, _other_node, _any_wire),
]
GENTLE = [
    _near,
    _near,
    _kindred,
    _kindred,
    _other_node,
    _other_node,
    _any_wire,
    _any_wire,
    _any_wire,
]


def written(random: Random, tree: Any) -> str:
    """The tree as YAML: sections as blocks, the rest on one line, or all of it as JSON-like flow."""
    if not isinstance(tree, list) or random.random() < 0.1:
        return flow(tree) + "\n"
    out: list[str] = []
    for key, value in tree:
        if isinstance(value, list) and value and random.random() < 0.9:
            out.append(f"{word(key)}:")
            out += [f"  {word(name)}: {flow(inner)}" for name, inner in value]
        else:
            out.append(f"{word(key)}: {flow(value)}")
    return "\n".join(out) + "\n"


def flow(value: Any) -> str:
    """A value on one line; deep ones without recursion's limit, as they are no deeper than a few hundred."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, str):
        return word(value)
    if isinstance(value, list):
        return "{" + ", ".join(f"{word(key)}: {flow(inner)}" for key, inner in value) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    return json.dumps(value)


def word(text: str) -> str:
    """A text, in quotes unless it is a word."""
    return text if WORD.fullmatch(text) else json.dumps(text)
