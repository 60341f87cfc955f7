"""Graphs as SVG, for Graphviz and for Mermaid: all of them, with texts that fit and mean nothing else."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from PIL import ImageFont
from typer.testing import CliRunner

import nodegraph
from nodegraph.cli import app
from nodegraph.drawing.boxes import columns, cut, drawing_of
from nodegraph.drawing.diagram import Diagram
from nodegraph.drawing.dot import dot
from nodegraph.drawing.mermaid import mermaid
from nodegraph.drawing.svg import svg
from nodegraph.drawn import diagram
from nodegraph.language.source import SourceText
from nodegraph.session import Session

SVG = "{http://www.w3.org/2000/svg}"
LETTERS = Path(mpl.get_data_path()) / "fonts" / "ttf"
STRANGE = """graph: 1
title: "</title><script>alert(1)</script> & \\"quotes\\" \\x1b[31m 漢字"
inputs:
  prompt: {type: Text, default: "</text> 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字 | ]] \\"#quot; \\\\"}
  many: {type: "list[float]", default: [1, 2]}
  way: {type: str, menu: [clip_x0, dynamic_threshold], default: clip_x0}
nodes:
  text: {type: text_encoder, model: shapes/glide/base, text: $prompt, note: "A note <b>that</b> is longer than its box, far longer, so that it ends before it is at its end, and no part of it hangs out"}
  cond: {type: unet_denoiser, model: shapes/glide/base, conditions: [$text]}
  kept: {type: $way, denoiser: $cond}
  drawn: {type: ancestral_sampler, denoiser: $kept, schedule: $plan, seed: 3, each: {temperature: $many}}
  plan: {type: noise_scheduler, model: shapes/glide/base, steps: 2}
  lost: {type: "no<such>type", a: $nowhere, b: $drawn, c: [1, $text, true, null]}
outputs: {image: $drawn, drawn: $lost.deep, text: $text}
frames: {"<Words> \\"of\\" it \\x00 \\uffff": [text, prompt]}
"""


def of(name: str | SourceText) -> Diagram:
    session = Session()
    return diagram(session, session.open(name))


def strange() -> Diagram:
    return of(SourceText("g.yaml", STRANGE))


def drawn(found: Diagram) -> str:
    return svg(found, Session().registry.ports)


def texts(picture: str) -> Iterator[tuple[ElementTree.Element, ElementTree.Element | None]]:
    """The texts of a picture, each with the box that it stands in."""
    for group in ElementTree.fromstring(picture).iter(f"{SVG}g"):
        box = group.find(f"{SVG}rect")
        if box is not None and box.get("class") in ("box", "end"):
            yield from ((text, box) for text in group.findall(f"{SVG}text"))


@pytest.mark.parametrize("name", Session().registry.listed)
def test_every_shipped_graph_is_drawn_whole(name: str) -> None:
    session = Session()
    opened = session.open(name)
    graph, found = session.read(opened), diagram(session, opened)
    assert len(found.boxes) == len(graph.inputs) + len(graph.nodes) + len(graph.outputs)
    body = graph.text[re.search(r"^nodes:", graph.text, re.MULTILINE).start() :]
    plain = re.sub(r"#.*", "", body)
    assert len(found.wires) == len(re.findall(r"\$\w", plain))
    picture = ElementTree.fromstring(drawn(found))
    shown = {text.text for text in picture.iter(f"{SVG}text")}
    assert {cut(name) for name in (*graph.inputs, *graph.nodes, *graph.outputs)} <= shown


@pytest.mark.parametrize("name", ["evaluate/unclip_vs_glide", "train/glide", "glide/inpaint", ""])
def test_no_text_hangs_out_of_its_box(name: str) -> None:
    fonts = {
        role: ImageFont.truetype(str(LETTERS / f"DejaVuSansMono{style}.ttf"), 12)
        for role, style in (("name", "-Bold"), ("note", "-Oblique"), ("kind", ""), ("label", ""))
    }
    count = 0
    for text, box in texts(drawn(of(name) if name else strange())):
        assert text.text is not None
        fitted = text.get("textLength")
        length = float(fitted) if fitted else fonts[text.get("class", "")].getlength(text.text)
        x, width = float(text.get("x", 0)), float(box.get("width", 0))
        begin = x - length if text.get("text-anchor") == "end" else x
        assert begin >= 4, text.text
        assert begin + length <= width - 4, text.text
        count += 1
    assert count > 10


def test_names_at_the_left_and_the_right_of_a_row_do_not_meet() -> None:
    for box, _ in drawing_of(of("evaluate/unclip_vs_glide")).boxes:
        for one in box.lines:
            for other in box.lines:
                if one.y == other.y and not one.right and other.right:
                    letters = columns(one.text) + columns(other.text)
                    assert one.x + 7.4 * letters < other.x


def test_what_a_graph_says_is_only_shown() -> None:
    picture = drawn(strange())
    tree = ElementTree.fromstring(picture)
    assert {e.tag.removeprefix(SVG) for e in tree.iter()} <= {
        "svg", "title", "style", "rect", "text", "g", "path"
    }  # fmt: skip
    assert "</title><script>" in (tree.findtext(f"{SVG}title") or "")
    assert "\x1b" not in picture
    assert '<Words> "of" it \\x00 \\uffff' in "".join(tree.itertext())
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_wires_have_the_types_of_what_they_carry() -> None:
    found = strange()
    kinds = {
        (w.source, found.boxes[w.target].name, found.boxes[w.target].inputs[w.input].name): str(
            w.kind
        )
        for w in found.wires
    }
    assert kinds["text", "cond", "conditions"] == "Condition"
    assert kinds["cond", "kept", "denoiser"] == "Denoiser[Image]"
    assert kinds["kept", "drawn", "denoiser"] == "Denoiser[Image]"
    assert kinds["way", "kept", "type"] == "str"
    assert kinds["many", "drawn", "each temperature"] == "list[float]"
    assert kinds["drawn", "image", "image"] == "list[Image]"
    values = {p.name: p.value for p in found.boxes["lost"].inputs if not p.wired}
    assert values == {"a": "$nowhere"}
    assert [p.name for p in found.boxes["lost"].outputs] == ["deep"]


def test_places_of_the_text_are_kept_and_the_rest_stands_round_them() -> None:
    layout = "layout: {text: [40, 0], cond: [400, 10], kept: [400, 20], image: [2000, 0]}\n"
    found = of(SourceText("g.yaml", STRANGE + layout))
    places = {box.box.key: (at, box) for box, at in drawing_of(found).boxes}
    (x, y), _ = places["text"]
    for name, (right, down) in {
        "cond": (360, 10),
        "kept": (360, 20),
        "out:image": (1960, 0),
    }.items():
        assert places[name][0] == pytest.approx((x + right, y + down))
    assert places["prompt"][0][0] < x
    assert places["out:drawn"][0][0] > 2000
    placed = {"text", "cond", "kept", "out:image"}
    for name, ((left, top), box) in places.items():
        for other, ((across, above), by) in places.items():
            if name not in placed and name != other:
                beside = left + box.width <= across or across + by.width <= left
                assert beside or top + box.height <= above or above + by.height <= top


def test_places_that_no_picture_can_show_are_none() -> None:
    layout = "layout: {text: [0, .nan], cond: [.inf, 0], kept: [1e300, 0]}\n"
    assert of(SourceText("g.yaml", STRANGE + layout)).places == {}


@pytest.mark.parametrize("name", ["glide/inpaint", "evaluate/unclip_vs_glide", ""])
def test_wires_for_graphviz_end_at_ports_that_are_there(name: str) -> None:
    found = of(name) if name else strange()
    text = dot(found, Session().registry.ports)
    boxes = dict(re.findall(r"^  (b\d+) \[label=<(.*)>\]$", text, re.MULTILINE))
    assert len(boxes) == len(found.boxes)
    wires = re.findall(r"^  (b\d+):(o\d+):e -> (b\d+):(i\d+):w \[", text, re.MULTILINE)
    assert len(wires) == len(found.wires)
    for source, output, target, port in wires:
        assert f'PORT="{output}"' in boxes[source]
        assert f'PORT="{port}"' in boxes[target]
    for label in boxes.values():
        ElementTree.fromstring(label)


def test_labels_for_mermaid_hold_nothing_that_means_something() -> None:
    found = strange()
    text = mermaid(found, Session().registry.ports)
    labels = re.findall(r'"([^\n]*?)"', text.split("---\n")[2])
    assert len(labels) > len(found.boxes)
    for label in labels:
        assert not re.search(r"[<>|\[\]{}&\\]", label.replace("<br/>", "")), label
    assert text.count("-->") == len(found.wires)
    assert 'b0(["prompt<br/>' in text


def test_the_command_draws_in_three_forms_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    for form, begin in (("svg", "<svg"), ("dot", "digraph"), ("mermaid", "---\ntitle")):
        done = run(app, ["graph", "glide/upsample", f"--{form}"])
        assert done.exit_code == 0
        assert done.stdout.startswith(begin)
    assert run(app, ["graph", "glide/upsample", "--out", "g.gv"]).exit_code == 0
    assert Path("g.gv").read_text("utf-8").startswith("digraph")
    for wrong in ([], ["--svg", "--dot"], ["--out", "g.png"]):
        done = run(app, ["graph", "glide/upsample", *wrong])
        assert done.exit_code == 2
        assert "--svg" in done.stderr
    assert "did you mean" in run(app, ["graph", "glide/upsampl", "--svg"]).stderr
    Path("bad.yaml").write_text("graph: 1\nnodes: [", "utf-8")
    assert run(app, ["graph", "bad.yaml", "--svg"]).exit_code == 1
    done = run(app, ["graph", "glide/upsample", "--svg", "--out", "."])
    assert done.exit_code == 1
    assert "cannot be written" in done.stderr


def test_a_graph_is_drawn_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['nodegraph', 'graph', 'glide/inpaint', '--svg']\n"
        "from nodegraph.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'networkx' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_loaded_graph_is_a_picture_in_notebooks(tmp_path: Path) -> None:
    assert nodegraph.load("glide/upsample")._repr_svg_() == drawn(of("glide/upsample"))
    assert nodegraph.loads("graph: 1\nnodes: [")._repr_svg_() is None
