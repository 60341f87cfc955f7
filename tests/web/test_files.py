"""Files that are dropped on the page, and graphs that are written below another name."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from pages import (
    GRAPH,
    box,
    live,
    opened,
    path_of,
    pick,
    picture,
    shown,
    state,
    until,
    until_text,
)
from PIL import Image
from playwright.sync_api import expect

TO_DROP = """([name, kind, content]) => {
  const data = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  data.items.add(new File([bytes], name, {type: kind}));
  return data;
}"""
TAKES = """graph: 1
inputs: {image: {type: Image}}
nodes:
  small: {type: resize, image: $image, size: 8}
outputs: {image: $small}
"""


def drop(page: Any, name: str, kind: str, content: bytes) -> None:
    """Drop a file on the canvas."""
    given = [name, kind, base64.b64encode(content).decode()]
    data = page.evaluate_handle(TO_DROP, given)
    for happens in ("dragenter", "dragover", "drop"):
        page.dispatch_event(".canvas", happens, {"dataTransfer": data})


@pytest.fixture
def takes(page: Any, server: Any, tmp_path: Path) -> Any:
    """The editor on a graph that takes a picture."""
    return shown(page, server, tmp_path, TAKES, "small")


def test_a_picture_of_ours_opens_its_graph_with_its_values(scene: Any, server: Any) -> None:
    path = path_of(scene)
    scene.get_by_label("caption", exact=True).fill("a blue square")
    scene.keyboard.press("Control+Enter")
    made = picture(scene).get_attribute("src")
    content = scene.request.get(f"{server.at}/{made}").body()
    scene.get_by_label("caption", exact=True).fill("a green star")
    drop(scene, "any name.png", "image/png", content)
    until(lambda: path_of(scene) != path)
    expect(state(scene)).to_have_text("draft")
    expect(scene.get_by_label("caption", exact=True)).to_have_value("a blue square")
    assert live(scene, server.at) == GRAPH


def test_another_picture_becomes_an_input(takes: Any) -> None:
    kept = io.BytesIO()
    Image.new("RGB", (16, 16), "red").save(kept, "PNG")
    drop(takes, "red.png", "image/png", kept.getvalue())
    expect(box(takes, "image")).to_contain_text("picture")
    takes.keyboard.press("Control+Enter")
    picture(takes)


def test_a_picture_that_nothing_takes_is_refused(scene: Any) -> None:
    kept = io.BytesIO()
    Image.new("RGB", (16, 16)).save(kept, "PNG")
    drop(scene, "red.png", "image/png", kept.getvalue())
    expect(scene.get_by_role("alert")).to_contain_text("this graph takes no picture")


def test_a_text_opens_as_a_draft(scene: Any, server: Any) -> None:
    text = GRAPH.replace("two", "other").replace("\n", "\r\n")
    drop(scene, "dropped.yaml", "application/yaml", text.encode())
    opened(scene, "other")
    assert path_of(scene) == "dropped.yaml"
    expect(state(scene)).to_have_text("draft")
    assert not (server.folder / "dropped.yaml").exists()
    until_text(scene, server.at, text.replace("\r\n", "\n"))


def test_a_graph_is_saved_below_another_name(scene: Any, server: Any) -> None:
    path = path_of(scene)
    for name in (path, f"copies/{path}"):
        scene.keyboard.press("Control+k")
        pick(scene, "save as")
        scene.get_by_role("textbox", name="save as").fill(name)
        scene.keyboard.press("Enter")
        if name == path:
            expect(scene.get_by_role("alert")).to_contain_text("already")
    until(lambda: path_of(scene) == f"copies/{path}")
    expect(state(scene)).to_have_text("saved")
    assert (server.folder / "copies" / path).read_text() == GRAPH
