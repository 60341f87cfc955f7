"""Run the shipped graphs with the shipped models, and write docs/gallery.md and the server's thumbnails.

`python docs/make_gallery.py [NAME …]` renews the pictures of the named graphs, or of all (`-` names none); the page and the
drawings of the graphs are written anew either way.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

from PIL import Image, ImageDraw
from torch import Tensor

from nodegraph import load
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram
from nodegraph.language.compile import compile_graph
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry
from nodes.wires.figures import Figure
from nodes.wires.films import Film, write_film
from nodes.wires.pictures import to_bytes
from server.files import THUMBNAIL
from server.thumbnails import FOLDER

DOCS = Path(__file__).parent
PICTURES = DOCS / "images" / "gallery"
DRAWINGS = PICTURES / "graphs"
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
        Exhibit(
            "glide/attention",
            note="A row for each timestep, a column for each word.",
            output="figure",
        ),
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


EXHIBITS = tuple(exhibit for exhibits in CHAPTERS.values() for exhibit in exhibits)


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
    files = {k: str(DOCS / v) for k, v in exhibit.inputs.items() if _is_file(v)}
    graph = load(exhibit.graph, readable=(DOCS,))
    shown: Any = getattr(graph(**{**exhibit.inputs, **files}), exhibit.output)
    path = picture_of(exhibit)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(shown, Film):
        write_film(shown, path.parent, path.stem, {})
    elif isinstance(shown, Figure):
        path.write_bytes(shown.png)
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


def drawing_of(exhibit: Exhibit) -> Path:
    """Where the drawing of an exhibit's graph lies."""
    return DRAWINGS / f"{exhibit.graph.replace('/', '_')}.svg"


def drawing(exhibit: Exhibit, session: Session) -> str:
    """The graph of an exhibit as SVG."""
    opened = Recorded(find_graph(exhibit.graph, session.registry))
    return svg(diagram(session, opened), session.registry.ports) + "\n"


def page() -> str:
    """The gallery: a card for each graph with its picture, the command that makes it, and the graph behind it."""
    lines = [
        "# Gallery",
        "",
        "Every picture was made by `docs/make_gallery.py`, with the shipped models, seed 0 and nothing picked out.",
        "Below each is the command that makes it, and the graph behind it. A graph that takes pictures has them before",
        "the arrow; a mask is white where the picture is known. A click shows a picture as large as it is.",
    ]
    for title, exhibits in CHAPTERS.items():
        lines += ["", f"## {title}", "", '<div class="grid cards" markdown>', ""]
        for exhibit in exhibits:
            lines += card(exhibit)
        lines += ["</div>"]
    return "\n".join([*lines, ""])


def card(exhibit: Exhibit) -> list[str]:
    """A graph's title, its picture, what it does, the command, and the graph, unfolded on a click."""
    source = compile_graph(find_graph(exhibit.graph, registry()), registry()).graph
    assert source is not None
    options = " ".join(f"--{k} {_quoted(_placed(v))}" for k, v in exhibit.inputs.items())
    command = f"nodegraph run {exhibit.graph} {options}".strip()
    image, behind = (
        path.relative_to(DOCS).as_posix() for path in (picture_of(exhibit), drawing_of(exhibit))
    )
    text = " ".join(t for t in (source.description, exhibit.note) if t)
    taken = [f"![{name}]({value})" for name, value in exhibit.inputs.items() if _is_file(value)]
    shown = f"[![{source.title}]({image})]({image})"
    parts = [
        f"**{source.title}**",
        " ".join([*taken, "→", shown] if taken else [shown]),
        *([text] if text else []),
        f"```sh\n{command}\n```",
        f"<details markdown><summary>The graph</summary>\n\n[![The graph]({behind})]({behind})\n\n</details>",
    ]
    body = indent("\n\n".join(parts), "    ").strip()
    return [f"-   {body}", ""]


def _is_file(value: object) -> bool:
    return value in (SOURCE, MASK)


def _placed(value: object) -> object:
    """A file as it is named from the root of a checkout."""
    return f"docs/{value}" if _is_file(value) else value


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if " " in text else text


def main(names: list[str]) -> None:
    """Renew the pictures of the named graphs, or of all, and the page."""
    if not (DOCS / SOURCE).is_file():
        make_sources()
    session = Session()
    DRAWINGS.mkdir(parents=True, exist_ok=True)
    for exhibit in EXHIBITS:
        if not names or exhibit.graph in names:
            make_picture(exhibit)
            make_thumbnail(exhibit)
        drawing_of(exhibit).write_text(drawing(exhibit, session), encoding="utf-8")
    (DOCS / "gallery.md").write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
