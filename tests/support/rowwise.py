"""Nodes of rows for tests of cells that run together, to be given as a file of nodes: each writes down how many it had."""

import time
from pathlib import Path

import torch

from nodegraph import node, warn
from nodes.wires.pictures import Image
from nodes.wires.scalars import Text


def _one(log: str, text: str | list[str] = "", image: Image | None = None) -> Image:
    rows = len(text) if isinstance(text, list) else 1 if image is None else len(image)
    return torch.zeros(rows, 3, 4, 4)


def told(log: str, word: str, rows: int) -> None:
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{word} {rows}\n")


@node(rows=("text",), abstract=_one)
def drawn(log: str, text: Text | list[Text]) -> Image:
    """A picture for each text, of its length. It does not know `nothing`, and more than two have no room with `large`."""
    texts = [text] if isinstance(text, str) else text
    told(log, "drawn", len(texts))
    if "nothing" in texts:
        warn("it does not know nothing")
    if len(texts) > 2 and any("large" in t for t in texts):
        raise MemoryError("there is no room")
    if "bad" in texts:
        raise ValueError("bad is no picture")
    return torch.stack([torch.full((3, 4, 4), len(t) / 100) for t in texts])


@node(rows=("image",), abstract=_one)
def darker(log: str, image: Image) -> Image:
    """Half of it."""
    told(log, "darker", len(image))
    return image / 2


@node(abstract=_one)
def lighter(log: str, image: Image) -> Image:
    """Twice as light; of one picture at a time. Of dark ones it warns."""
    told(log, "lighter", len(image))
    if image.max() < 0.01:
        warn("it is dark")
    return image * 2


@node(rows=("image",), abstract=_one)
def waited(log: str, image: Image) -> Image:
    """The picture, later."""
    told(log, "waited", len(image))
    time.sleep(0.1)
    return image
