"""Run the commands of docs/tour.md, and make its pictures of what they write.

`python docs/make_tour.py [STEM …]`, from the root of a checkout, renews all pictures, or those named, and says how long each
command takes. A picture is named as the files of its command are: `images/tour/classifier-grid.png` is
`out/classifier-grid-001.png`, or `out/classifier-grid-001-0.png` and what follows, in a row.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "tour"
ALONE, BESIDE, GAP, MOST = 268, 128, 4, 6
"""Pixels to which a small picture is enlarged, whole times, alone and beside others; between pictures; pictures of a row."""


def stems(page: str) -> dict[str, str]:
    """The pictures of the page by their names, with the command whose files they are."""
    found: dict[str, str] = {}
    commands: list[str] = []
    for block, stem in re.findall(r"```sh\n(.*?)```|images/tour/([\w-]+)\.png", page, re.DOTALL):
        commands = block.splitlines() or commands
        if stem:
            graph = stem.rpartition("-")[0]
            found[stem] = next(c for c in commands if c.split()[2].endswith(f"/{graph}"))
    return found


def shown(out: Path, stem: str) -> Image.Image:
    """The pictures that a command wrote under a name, side by side, as the page has them."""
    files = sorted(out.glob(f"{stem}-001*.png"))[:MOST]
    least = BESIDE if len(files) > 1 else ALONE
    pictures = [_enlarged(Image.open(file).convert("RGB"), least) for file in files]
    wide = sum(picture.width + GAP for picture in pictures) - GAP
    sheet = Image.new("RGB", (wide, pictures[0].height), "white")
    left = 0
    for picture in pictures:
        sheet.paste(picture, (left, 0))
        left += picture.width + GAP
    return sheet


def _enlarged(picture: Image.Image, least: int) -> Image.Image:
    factor = max(1, least // picture.height)
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def make(stem: str, command: str) -> None:
    """Run a command in a folder of its own, and keep its picture."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        program = [sys.executable, "-m", *shlex.split(command), "--out", folder]
        subprocess.run(program, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print(f"{time.perf_counter() - began:6.1f} s  {command}")  # noqa: T201
        shown(Path(folder), stem).save(PICTURES / f"{stem}.png", optimize=True)


def main(names: list[str]) -> None:
    """Make the pictures that are named, or all."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for stem, command in stems((DOCS / "tour.md").read_text(encoding="utf-8")).items():
        if not names or stem in names:
            make(stem, command)


if __name__ == "__main__":
    main(sys.argv[1:])
