"""What the engine makes of many texts, types and boxes, kept in a file that the editor's own reader is held against.

Run it to draw the texts anew: `PYTHONPATH=.:tests/properties python tests/support/agreement.py`.
"""

import json
import random
from pathlib import Path
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.drawing.layered import Link, arranged
from nodegraph.language.document import meaning
from nodegraph.language.yaml import Items, Leaf, Table, Tree, parse
from nodegraph.library.port import TypeRef
from nodegraph.library.typerefs import BUILT_IN, fits, parse_type

KEPT = Path(__file__).parents[2] / "server/web/src/core/testing/agreement.json"
SIGNS = ["a", "b", "1", "0", " ", " ", ":", ": ", ",", "#", " #", "-", "- ", "?", "'", '"', "[", "]", "{", "}"]  # fmt: skip
SIGNS += ["|", ">", "&", "*", "!", "%", "@", "`", "~", ".", "e", "x", "o", "+", "_", "$", "\\", "\n", "\n  "]  # fmt: skip
SIGNS += ["é", "😀", "\t", "=", "<<", "true", "null", ".5", "1e3", "0x1F", "0o17"]
SMALL = "graph: 1\nnodes:\n  one: {type: a, b: $seed, c: [1, 'x']}  # one\n  two:\n    type: b\n    d: |\n      text\n\noutputs: {image: $two}\n"
TYPES = [
    "int", "float", "str", "bool", "*", "?", "Image", "Mask", "Label", "Size", "X", "Y", "Denoiser[X]",
    "Denoiser[Image]", "Denoiser[Signal]", "Denoiser", "list[int]", "list[float]", "list[X]",
    "list[Image]", "float | list[float]", "int | str", "Image | Mask", "X | list[X]", "Pair[X, X]",
    "Pair[Image, Mask]", "Pair[Image, Image]", "list[list[int]]",
]  # fmt: skip
PORTS = ("Image", "Mask", "Label", "Size", "Denoiser", "Signal", "Pair")
WIDENINGS = [("int", "float"), ("int", "Label"), ("str", "Label"), ("list[int]", "Size")]
Boxes = dict[str, Any]


def said(tree: Tree | None) -> Any:
    """What a value says: a scalar as its type and its text."""
    if isinstance(tree, Table):
        return {entry.key: said(entry.value) for entry in tree.entries}
    if isinstance(tree, Items):
        return [said(value) for value in tree.values]
    kind, text = meaning(tree if isinstance(tree, Leaf) else None)
    return f"{kind}:{text}"


def read(text: str) -> list[Any]:
    """The codes of what is wrong with a text, and what it says: None where it cannot be read."""
    parsed = parse(text, "text.yaml")
    codes = {fault.code for fault in parsed.diagnostics}
    unread = codes & {Code.YAML_SYNTAX, Code.TOO_DEEP}
    return [sorted(str(code) for code in codes), None if unread else said(parsed.tree)]


def type_of(text: str) -> TypeRef:
    """A type, in which names that no port has are variables."""
    return _with_variables(TypeRef("?") if text == "?" else parse_type(text))


def _with_variables(ref: TypeRef) -> TypeRef:
    known = {*BUILT_IN, *PORTS, "|", "?"}
    args = tuple(_with_variables(arg) for arg in ref.args)
    return TypeRef(ref.name, args, ref.name not in known)


def fitting(source: str) -> str:
    """For each type, whether a value of another may stand where it is wanted: 1 or 0."""
    return "".join(
        str(int(fits(type_of(source), type_of(target), {}, WIDENINGS))) for target in TYPES
    )


def places(boxes: Boxes) -> dict[str, Any]:
    """Where the boxes stand in the engine's drawings."""
    sizes = {name: (float(w), float(h)) for name, (w, h) in boxes["sizes"].items()}
    links = [Link(*link) for link in boxes["links"]]
    found = arranged(sizes, links, boxes["first"], boxes["last"])
    return {name: [round(x, 4), round(y, 4)] for name, (x, y) in found.places.items()}


def drawn_texts() -> list[str]:
    """Scalars in every place, texts of signs that mean something, and a graph with a few characters changed."""
    from awkward import NASTY
    from nasty import NUMBERS, RAWS, TEXTS

    draw = random.Random(14)
    scalars = [*RAWS, *(str(number) for number in NUMBERS), *(text for text in TEXTS if len(text) < 200)]  # fmt: skip
    found = [place.replace("@", scalar) for scalar in scalars for place in ("a: @\n", "{a: [@]}")]
    found += [json.dumps({"a": text}) for text in TEXTS if len(text) < 200]
    found += ["".join(draw.choices(SIGNS, k=draw.randrange(1, 9))) for _ in range(250)]
    found += ["a: " + "".join(draw.choices(SIGNS, k=draw.randrange(1, 7))) + "\n" for _ in range(250)]  # fmt: skip
    found += [_spoiled(draw) for _ in range(150)]
    found += NASTY.values()
    return [text for text in dict.fromkeys(found) if not any("\ud800" <= c <= "\udfff" for c in text)]  # fmt: skip


def _spoiled(draw: random.Random) -> str:
    text = SMALL
    for _ in range(draw.randrange(1, 3)):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice(["", *SIGNS]) + text[at + draw.randrange(2) :]
    return text


def drawn_boxes(seed: int) -> Boxes:
    """Boxes with wires between them, some of them long, one leading back."""
    draw = random.Random(seed)
    names = [f"n{i}" for i in range(6 + 3 * seed)]
    sizes = {name: [draw.randrange(80, 240), draw.randrange(30, 200)] for name in names}
    pairs = [(draw.choice(names[:i]), names[i]) for i in range(1, len(names)) for _ in range(2)]
    links = [[a, b, draw.randrange(30), draw.randrange(30)] for a, b in [*pairs, (names[4], names[1])]]  # fmt: skip
    return {"sizes": sizes, "links": links, "first": names[: seed % 2], "last": names[-(seed % 3) :] if seed % 3 else []}  # fmt: skip


def answers(texts: list[str], boxes: list[Boxes]) -> dict[str, Any]:
    """What the engine makes of it all."""
    return {
        "texts": [[text, *read(text)] for text in texts],
        "types": TYPES,
        "ports": PORTS,
        "widenings": WIDENINGS,
        "fits": [fitting(source) for source in TYPES],
        "boxes": [{**each, "places": places(each)} for each in boxes],
    }


def written(found: dict[str, Any]) -> str:
    """The answers as JSON, one to a line."""
    rows = ",\n".join(
        f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(row) for row in value) + "\n]"
        for key, value in found.items()
    )
    return "{\n" + rows + "\n}\n"


if __name__ == "__main__":
    KEPT.write_text(
        written(answers(drawn_texts(), [drawn_boxes(seed) for seed in range(1, 7)])),
        encoding="utf-8",
    )
