"""Make what the README shows: its graph as a drawing, and a strip of pictures from shipped graphs.

`python docs/make_readme.py` makes the drawing, and with `strip` the pictures too (five minutes), by the shipped models with
seed 0 or the seeds that stand here.
"""

import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nodegraph import load
from nodegraph.calling import value
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram
from nodegraph.language.source import SourceText
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session
from nodes import crop, load_image, paste, resize
from nodes.wires.pictures import to_bytes

DOCS = Path(__file__).parent
README = DOCS.parent / "README.md"
DRAWING = DOCS / "images" / "graph.svg"
STRIP = DOCS / "images" / "strip.png"
SOURCE, MASK = DOCS / "images" / "gallery" / "source.png", DOCS / "images" / "gallery" / "mask.png"
SIDE, GAP, LABEL, COLUMNS = 104, 6, 138, 6
"""Pixels of a picture, between pictures, of the words beside a row; pictures of a row."""
INK, PALE = "#202124", "#5f6368"
Row = tuple[str, Sequence[str], Callable[[], Tensor]]
"""What a row shows, what is beside it in smaller letters, and its pictures."""


def run(graph: str, **inputs: Any) -> Any:
    """What comes out of a shipped graph."""
    return load(graph, readable=(DOCS,))(**inputs)


def noising() -> Tensor:
    """A picture on its way to noise."""
    return run("ddpm/film_strip").noised[[0, 1, 3, 4, 5, 7]]


def sweep() -> Tensor:
    """One prompt and one seed under more and more guidance."""
    scales = (0.0, 1.0, 2.0, 3.0, 5.0, 10.0)
    cells = load("glide/text_to_image").each({"seed": 2}, guidance=scales)
    return torch.cat([result.image for _, result in cells])


def inpainting() -> Tensor:
    """A picture, its known half, and four completions."""
    prompt = "a red heart to the left of a blue star"
    made = run("glide/inpaint", image=str(SOURCE), mask=str(MASK), prompt=prompt, count=4)
    source = load_picture(SOURCE)
    grey = torch.zeros_like(source)
    known = paste(crop(source, 0, 0, 128, 64), grey, top=0, left=0)
    return torch.cat([source, known, made.image])


def load_picture(path: Path) -> Tensor:
    """A picture of the docs."""
    return load_image(value("Image", str(path)))


def variation() -> Tensor:
    """A picture and five variations."""
    made = run("variations/variations", image=str(SOURCE), count=5)
    return torch.cat([resize(made.source, 256), made.image])


def slerp() -> Tensor:
    """From one picture to another."""
    return run("variations/interpolate_images").image


def difference() -> Tensor:
    """A picture turned by what one text says and another does not."""
    return run("variations/text_difference").image


ROWS: tuple[Row, ...] = (
    ("noising", ("q(x_t | x_0)",), noising),
    ("guidance", ("scale 0, 1, 2, 3, 5, 10",), sweep),
    ("inpainting", ("picture, what is", "known, completions"), inpainting),
    ("variation", ("picture, five more", "of its embedding"), variation),
    ("slerp", ("between two pictures'", "embeddings"), slerp),
    ("text difference", ("“a red circle” to", "“a blue circle”"), difference),
)


def strip(rows: Sequence[Row]) -> Image.Image:
    """The rows below each other, each with its words on the left."""
    size = (LABEL + COLUMNS * (SIDE + GAP), len(rows) * (SIDE + GAP) - GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for number, (title, words, make) in enumerate(rows):
        top = number * (SIDE + GAP)
        draw.text((GAP, top + 30), title, INK, ImageFont.load_default(17))
        for line, text in enumerate(words):
            draw.text((GAP, top + 54 + 14 * line), text, PALE, ImageFont.load_default(12))
        for column, picture in enumerate(to_bytes(make())[:COLUMNS]):
            at = (LABEL + GAP + column * (SIDE + GAP), top)
            sheet.paste(sized(Image.fromarray(picture)), at)
    return sheet


def sized(picture: Image.Image) -> Image.Image:
    """A picture at the side of the strip; small ones show their pixels."""
    small = picture.width < SIDE
    way = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    return picture.resize((SIDE, SIDE), way)


def graph() -> SourceText:
    """The graph that stands in the README."""
    found = re.search(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return SourceText("glide.yaml", found[1])


def drawing() -> str:
    """The README's graph as SVG."""
    session = Session()
    return svg(diagram(session, Recorded(graph())), session.registry.ports)


def main(names: Sequence[str]) -> None:
    """Make the drawing, and the strip if it is named."""
    DRAWING.write_text(drawing(), encoding="utf-8")
    if "strip" in names:
        strip(ROWS).save(STRIP, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
