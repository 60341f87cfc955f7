"""Contact sheets: the pictures of a sweep with its axes labelled, the first down, the second across, more as pages."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from PIL import Image, ImageDraw, ImageFont

GAP, LINE, SIDE = 6, 16, 132
"""Pixels between pictures, of a line of text, and of the labels beside the rows."""
LEAST, LARGEST = 96, 4096
"""Pixels to which small pictures are enlarged, whole times, and of the longer side of a page that is not made larger so."""
PAPER, INK, MISSING = "#ffffff", "#202124", "#f1d5d5"
_PLAIN = Image.Resampling.NEAREST
LONGEST = 20
"""Characters of a label beside a row, and at least of one above a column."""


@dataclass(frozen=True, slots=True)
class Labels:
    """An axis as the sheet shows it: what it is called, and its values in words."""

    name: str
    values: tuple[str, ...]


def sheet(pictures: Sequence[bytes | None], axes: Sequence[Labels]) -> list[Image.Image]:
    """Pages of encoded pictures, in the order of the cells (the last axis changes fastest); None is a cell without one."""
    down, across, *rest = (*axes, Labels("", ("",)), Labels("", ("",)))[: max(2, len(axes))]
    most = max(len(down.values), len(across.values))
    opened = _enlarged([_opened(picture) for picture in pictures], most)
    width = max((p.width for p in opened if p), default=64)
    height = max((p.height for p in opened if p), default=64)
    inner = prod(len(axis.values) for axis in rest)
    pages: list[Image.Image] = []
    for number, values in enumerate(product(*(axis.values for axis in rest))):
        heading = "   ".join(f"{a.name} {v}" for a, v in zip(rest, values, strict=True))
        page = _Page((down, across), (width, height), heading)
        for place in range(len(down.values) * len(across.values)):
            page.put(opened[place * inner + number], *divmod(place, len(across.values)))
        pages.append(page.canvas)
    return pages


def stacked(pages: Sequence[Image.Image]) -> Image.Image:
    """Pages below each other, as one picture."""
    width, height = max(page.width for page in pages), sum(page.height for page in pages)
    whole = Image.new("RGB", (width, height), PAPER)
    top = 0
    for page in pages:
        whole.paste(page, (0, top))
        top += page.height
    return whole


def _opened(picture: bytes | None) -> Image.Image | None:
    return None if picture is None else Image.open(io.BytesIO(picture)).convert("RGB")


def _enlarged(pictures: Sequence[Image.Image | None], most: int) -> Sequence[Image.Image | None]:
    """Pictures, of which a page has so many beside each other, all as many times as large as it takes to see them."""
    longest = max((max(p.size) for p in pictures if p), default=LEAST)
    times = min(LEAST, LARGEST // most) // longest
    if times < 2:
        return pictures
    return [p and p.resize((p.width * times, p.height * times), _PLAIN) for p in pictures]


class _Page:
    """One page while it is drawn."""

    def __init__(self, axes: tuple[Labels, Labels], size: tuple[int, int], heading: str) -> None:
        down, across = axes
        self.size = size
        self.top = GAP + LINE * (bool(heading) + 2 * bool(across.name))
        self.left = GAP + SIDE if down.name else GAP
        width = self.left + len(across.values) * (size[0] + GAP)
        height = self.top + len(down.values) * (size[1] + GAP)
        self.canvas = Image.new("RGB", (max(width, 240), height), PAPER)
        self.draw = ImageDraw.Draw(self.canvas)
        self.font = ImageFont.load_default(12)
        line = GAP // 2
        if heading:
            self.text(GAP, line, heading, width // 6)
            line += LINE
        if across.name:
            self.text(self.left, line, across.name, width // 6)
            for column, value in enumerate(across.values):
                self.text(self.at(0, column)[0], line + LINE, value, max(size[0] // 6, 6))
        for row, value in enumerate(down.values if down.name else ()):
            y = self.at(row, 0)[1]
            self.text(GAP, y, down.name, LONGEST)
            for number, part in enumerate(_lines(value, LONGEST, max(1, size[1] // LINE - 1)), 1):
                self.text(GAP, y + number * LINE, part, LONGEST)

    def at(self, row: int, column: int) -> tuple[int, int]:
        width, height = self.size
        return self.left + column * (width + GAP), self.top + row * (height + GAP)

    def text(self, x: int, y: int, text: str, longest: int) -> None:
        shown = text if len(text) <= longest else text[: longest - 1] + "…"
        self.draw.text((x, y), shown, INK, self.font)

    def put(self, picture: Image.Image | None, row: int, column: int) -> None:
        x, y = self.at(row, column)
        if picture is None:
            self.draw.rectangle((x, y, x + self.size[0] - 1, y + self.size[1] - 1), MISSING)
        else:
            self.canvas.paste(picture, (x, y))


def _lines(text: str, width: int, most: int) -> list[str]:
    """A text in lines of whole words, as far as they fit."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + " …"]
