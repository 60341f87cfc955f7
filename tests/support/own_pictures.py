"""A folder of captioned pictures, for graphs that want one of the user's."""

from pathlib import Path

from PIL import Image


def own_pictures(folder: Path, count: int = 4) -> Path:
    """Small pictures of one colour each, with captions beside them; returns the folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        colour = ("red", "blue")[number % 2]
        Image.new("RGB", (40, 36), colour).save(folder / f"{number}.png")
        (folder / f"{number}.txt").write_text(f"a {colour} field", encoding="utf-8")
    return folder
