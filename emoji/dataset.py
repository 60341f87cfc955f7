"""Make a data set of captioned emoji: `python emoji/dataset.py FOLDER` writes FOLDER/train and FOLDER/held_out.

npm fetches `emoji-datasource-google` (the pictures are Noto Emoji by Google, Apache-2.0; the table of names is MIT, © Cal
Henderson) and `emojilib` (keywords, MIT, © Mu-An Chiou) into FOLDER/npm; nothing of them is part of this repository. Every
picture stands on plain backgrounds, each copy with another caption of name and keywords in a text file of the same name.
Twentieth parts are held out by base emoji: all tones of skin and genders of one emoji fall on the same side.
"""

import argparse
import hashlib
import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

PACKAGES = {"emoji-datasource-google": "16.0.0", "emojilib": "4.0.3"}
BACKGROUNDS = {
    "white": (255, 255, 255),
    "gray": (186, 186, 186),
    "beige": (240, 228, 202),
    "black": (28, 28, 28),
    "light blue": (176, 208, 240),
}
TONES = {
    "1F3FB": "light",
    "1F3FC": "medium light",
    "1F3FD": "medium",
    "1F3FE": "medium dark",
    "1F3FF": "dark",
}
TONES_KEPT = 1
"""Of five: with all of them half of the pictures would be tones of others."""
HELD_OUT = 20


@dataclass(frozen=True)
class Emoji:
    """A picture, with its Unicode sequence, name and keywords."""

    unified: str
    file: Path
    name: str
    keywords: tuple[str, ...]


def fetch(folder: Path) -> None:
    """Install the packages in a folder, where they are not there yet. Raises CalledProcessError or FileNotFoundError."""
    missing = [
        f"{name}@{version}"
        for name, version in PACKAGES.items()
        if not (folder / "node_modules" / name / "package.json").exists()
    ]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        flags = [
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
        ]
        subprocess.run(["npm", "install", *flags, *missing], check=True)


def emojis(modules: Path) -> Iterator[Emoji]:
    """All emoji with a picture of their own, then for some tones of skin `TONES_KEPT` of the five."""
    source, words = modules / "emoji-datasource-google", modules / "emojilib/dist/emoji-en-US.json"
    keywords: dict[str, list[str]] = json.loads(words.read_text("utf-8"))
    for entry in json.loads((source / "emoji.json").read_text("utf-8")):
        known = keywords.get(_text(entry["unified"])) or keywords.get(
            _text(entry["non_qualified"] or ""), [entry["name"]]
        )
        name, *others = map(_words, known)
        for unified, file, tone in _pictures(entry):
            picture = source / "img/google/64" / file
            said = f"{name}, {tone} skin tone" if tone else name
            if picture.exists() and name:
                kept = tuple(w for w in dict.fromkeys(others) if w and w != name)
                yield Emoji(unified, picture, said, kept)


def _pictures(entry: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Sequence, file and tone of an emoji and of some of its tones."""
    yield entry["unified"], entry["image"], ""
    toned = entry.get("skin_variations", {})
    for key in random.Random(entry["unified"]).sample(list(TONES), TONES_KEPT):
        if key in toned:
            yield toned[key]["unified"], toned[key]["image"], TONES[key]


def _text(unified: str) -> str:
    return "".join(chr(int(code, 16)) for code in unified.split("-") if code)


def _words(text: str) -> str:
    """A name or keyword in small words; empty for one of signs, such as ":D"."""
    plain = " ".join(re.findall(r"[a-z0-9]+", text.lower().replace("'", "")))
    return plain if re.search(r"[a-z0-9]{2}", plain) else ""


def family(unified: str) -> str:
    """What is the same for all tones of skin and genders of an emoji."""
    codes = [c for c in unified.split("-") if c not in TONES and c not in ("2640", "2642", "FE0F")]
    neutral = ["1F9D1" if c in ("1F468", "1F469") else c for c in codes]
    return "-".join(c for c in neutral if c != "200D")


def held_out(unified: str) -> bool:
    """Whether it belongs to the twentieth of the emoji that no model is trained on."""
    digest = hashlib.sha256(family(unified).encode()).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT == 0


def copies(emoji: Emoji) -> Iterator[tuple[str, str]]:
    """Backgrounds, each with a caption: twice white, twice others."""
    draw = random.Random(f"copies {emoji.unified}")
    first, second = draw.sample([name for name in BACKGROUNDS if name != "white"], 2)
    yield "white", emoji.name
    yield first, f"{emoji.name} on a {first} background"
    yield "white", f"{_described(emoji, draw)} on a white background"
    yield second, f"{_described(emoji, draw)} on a {second} background"


def _described(emoji: Emoji, draw: random.Random) -> str:
    """The name with up to three keywords."""
    chosen = draw.sample(emoji.keywords, min(len(emoji.keywords), draw.randint(1, 3)))
    return ", ".join([emoji.name, *chosen])


def write(emoji: Emoji, folder: Path) -> int:
    """Write the copies of an emoji; returns how many."""
    part = folder / ("held_out" if held_out(emoji.unified) else "train")
    part.mkdir(parents=True, exist_ok=True)
    drawn = Image.open(emoji.file).convert("RGBA")
    made = list(copies(emoji))
    for number, (background, caption) in enumerate(made):
        under = Image.new("RGBA", drawn.size, BACKGROUNDS[background])
        name = f"{emoji.unified.lower()}_{number}"
        Image.alpha_composite(under, drawn).convert("RGB").save(part / f"{name}.png")
        (part / f"{name}.txt").write_text(caption + "\n", "utf-8")
    return len(made)


def main() -> None:
    """Fetch, and write the data set; a data set that is there is made anew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    fetch(folder / "npm")
    for part in ("train", "held_out"):
        shutil.rmtree(folder / part, ignore_errors=True)
    counts = [write(emoji, folder) for emoji in emojis(folder / "npm/node_modules")]
    print(f"{len(counts)} emoji, {sum(counts)} pictures in {folder}")


if __name__ == "__main__":
    main()
