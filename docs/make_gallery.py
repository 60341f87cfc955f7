"""Run the shipped graphs with the shipped models, and write docs/gallery.md and the server's thumbnails.

`python docs/make_gallery.py [NAME …]` renews the pictures of the named graphs, or of all; the page is written anew either way.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from nodegraph import load
from nodegraph.language.compile import compile_graph
from nodegraph.session import find_graph, registry
from nodes.wires.films import Film, write_film
from nodes.wires.pictures import to_bytes
from server.files import THUMBNAIL
from server.thumbnails import FOLDER

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "gallery"
SOURCE = "images/gallery/source.png"
MASK = "images/gallery/mask.png"
SIDE = 128
"""Pixels of a picture on the page; smaller ones are enlarged without smoothing."""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A graph with its inputs, the output that is shown, and what there is to see. Files are named from the folder of docs."""

    graph: str
    inputs: dict[str, Any] = field(default_factory=dict[str, Any])
    note: str = ""
    output: str = "image"


CHAPTERS: dict[str, tuple[Exhibit, ...]] = {
    "Text to picture": (
        Exhibit("glide/text_to_image", {"count": 4}),
        Exhibit("glide/clip_guided", {"count": 4}),
        Exhibit("glide/upsample", {"image": SOURCE, "text": "a large red heart"}),
    ),
    "Guidance": (
        Exhibit("guidance/classifier_free"),
        Exhibit("guidance/negative_prompt"),
        Exhibit("guidance/classifier"),
        Exhibit("guidance/classifier_ddim"),
        Exhibit("guidance/clip_text"),
        Exhibit("guidance/content", {"image": SOURCE}),
        Exhibit("guidance/structure", {"image": SOURCE}),
        Exhibit("guidance/style", {"image": SOURCE}),
        Exhibit("guidance/text_and_image", {"image": SOURCE}),
    ),
    "Editing": (
        Exhibit(
            "glide/inpaint",
            {"image": SOURCE, "mask": MASK, "prompt": "a red heart to the left of a blue star"},
            "The right half is made, the left half is known.",
        ),
        Exhibit(
            "glide/inpaint_training_free",
            {"image": SOURCE, "mask": MASK, "prompt": "a red heart to the left of a blue star"},
            "The same without a network that was trained for it.",
        ),
        Exhibit("glide/sdedit", {"image": SOURCE, "prompt": "a blue star", "count": 4}),
    ),
    "unCLIP": (
        Exhibit("unclip/text_to_image", {"count": 4}),
        Exhibit("unclip/text_to_image_autoregressive", {"count": 4}),
        Exhibit(
            "unclip/decode_embedding",
            note="Row by row: the text alone, its embedding in a picture's place, the prior's embedding, that and the text.",
        ),
        Exhibit("unclip/rerank", {"keep": 4}, "The best four of sixteen."),
        Exhibit("variations/variations", note="Below the source: four variations."),
        Exhibit("variations/interpolate_images"),
        Exhibit("variations/interpolate_texts"),
        Exhibit("variations/text_difference", note="θ from 0 to 0.5."),
        Exhibit("variations/inversion_edit"),
        Exhibit("variations/pca_probe"),
    ),
    "Diffusion itself": (
        Exhibit("ddpm/unconditional"),
        Exhibit(
            "ddpm/film_strip",
            note="Above a picture on its way to noise; below x_t on its way from noise, and the x₀ predicted from it.",
            output="strip",
        ),
        Exhibit("ddpm/film", {"frames": 40}, output="film"),
    ),
}


def make_sources() -> None:
    """The picture that the graphs of pictures are shown with, and a mask that knows its left half."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    drawn = load("glide/text_to_image")(
        prompt="a red heart on the left on a beige background", seed=3
    ).image
    Image.fromarray(to_bytes(drawn)[0]).save(DOCS / SOURCE)
    mask = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(mask).rectangle((SIDE // 2, 0, SIDE, SIDE), fill=0)
    mask.save(DOCS / MASK)


def make_picture(exhibit: Exhibit) -> None:
    """Run the graph, and save what it gives as one row of pictures."""
    files = {k: str(DOCS / v) for k, v in exhibit.inputs.items() if v in (SOURCE, MASK)}
    graph = load(exhibit.graph, readable=(DOCS,))
    shown: Tensor | Film = getattr(graph(**{**exhibit.inputs, **files}), exhibit.output)
    path = picture_of(exhibit)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(shown, Film):
        write_film(shown, path.parent, path.stem, {})
    else:
        in_a_row(shown).save(path, optimize=True)


def in_a_row(pictures: Tensor) -> Image.Image:
    """Pictures side by side, each at least `SIDE` pixels high."""
    found = [Image.fromarray(p) for p in to_bytes(pictures)]
    factor = max(1, SIDE // found[0].height)
    width, height = (factor * n for n in found[0].size)
    sheet = Image.new("RGB", (len(found) * (width + 4) - 4, height), "white")
    for n, picture in enumerate(found):
        enlarged = picture.resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (n * (width + 4), 0))
    return sheet


def make_thumbnail(exhibit: Exhibit) -> None:
    """Put a small form of an exhibit's picture where the server finds it; of a row of many its first three."""
    path = FOLDER / f"{exhibit.graph}.webp"
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(picture_of(exhibit)) as picture:
        width, height = picture.size
        shown = picture.convert("RGB").crop((0, 0, min(width, 3 * height), height))
    shown.thumbnail((THUMBNAIL, THUMBNAIL))
    shown.save(path, quality=80)


def picture_of(exhibit: Exhibit) -> Path:
    """Where the picture of an exhibit lies."""
    ending = "gif" if exhibit.output == "film" else "png"
    return PICTURES / f"{exhibit.graph.replace('/', '_')}.{ending}"


def page() -> str:
    """The gallery: each graph with its description, the command that makes the picture, and the picture."""
    lines = [
        "# Gallery",
        "",
        "Every picture was made by `docs/make_gallery.py`, with the shipped models, seed 0 and nothing picked out.",
        "",
        f"Where a graph takes a picture, it is this one: ![a red heart]({SOURCE}); the mask is white where it is",
        f"known: ![left half]({MASK}).",
    ]
    for title, exhibits in CHAPTERS.items():
        lines += ["", f"## {title}"]
        for exhibit in exhibits:
            lines += section(exhibit)
    return "\n".join([*lines, ""])


def section(exhibit: Exhibit) -> list[str]:
    """A graph's title, what it does, the command, the picture."""
    source = compile_graph(find_graph(exhibit.graph, registry()), registry()).graph
    assert source is not None
    options = " ".join(f"--{k} {_quoted(v)}" for k, v in exhibit.inputs.items())
    command = f"nodegraph run {exhibit.graph} {options}".strip()
    image = picture_of(exhibit).relative_to(DOCS).as_posix()
    texts = [text for text in (source.description, exhibit.note) if text]
    shown = f"![{source.title}]({image})"
    return ["", f"### {source.title}", "", *texts, "", "```sh", command, "```", "", shown]


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def main(names: list[str]) -> None:
    """Renew the pictures of the named graphs, or of all, and the page."""
    if not (DOCS / SOURCE).is_file():
        make_sources()
    for exhibit in (e for exhibits in CHAPTERS.values() for e in exhibits):
        if not names or exhibit.graph in names:
            make_picture(exhibit)
        make_thumbnail(exhibit)
    (DOCS / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
