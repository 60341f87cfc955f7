"""Files and models are given in forms as one expects: dropped, pasted, chosen, taken from before."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pages import box, live, opened, path_of, shown, until, visit
from playwright.sync_api import expect

SOURCE = Path(__file__).parents[2] / "docs/images/gallery/source.png"
GRAPH = """graph: 1
title: smaller
inputs: {picture: {type: Image}}
nodes:
  small: {type: resize, image: $picture, size: 8}
outputs: {image: $small}
"""
GIVE = """(group, [kind, content]) => {
  const bytes = Uint8Array.from(atob(content), one => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "source.png", {type: "image/png"}));
  const given = {bubbles: true, cancelable: true, [kind === "drop" ? "dataTransfer" : "clipboardData"]: data};
  group.dispatchEvent(kind === "drop" ? new DragEvent("drop", given) : new ClipboardEvent("paste", given));
}"""


@pytest.fixture
def form(page: Any, server: Any, tmp_path: Path) -> Any:
    """A graph that takes a picture."""
    return shown(page, server, tmp_path, GRAPH, "small")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted_and_taken_again(form: Any, kind: str) -> None:
    content = base64.b64encode(SOURCE.read_bytes()).decode()
    form.get_by_role("group", name="file of picture").evaluate(GIVE, [kind, content])
    expect(form.get_by_role("img", name="picture of picture")).to_be_visible()
    form.keyboard.press("Control+Enter")
    form.get_by_role("img", name="result image").wait_for(timeout=40_000)
    form.get_by_role("button", name="take the file of picture away").click()
    expect(form.get_by_role("img", name="picture of picture")).to_have_count(0)
    form.get_by_role("button", name="Earlier").click()
    earlier = form.get_by_role("list", name="earlier pictures").get_by_role("button")
    expect(earlier.first).to_be_visible()
    earlier.first.click()
    expect(form.get_by_role("img", name="picture of picture")).to_be_visible()


def test_a_file_for_a_node_becomes_an_input_of_the_graph(form: Any, server: Any) -> None:
    other = "  other: {type: mask_from_image}\noutputs:"
    (server.folder / path_of(form)).write_text(GRAPH.replace("outputs:", other))
    box(form, "other").click()
    form.get_by_label("file for image", exact=True).set_input_files(SOURCE)
    until(lambda: "image: $image" in live(form, server.at))
    assert "image: {type: Image}" in live(form, server.at)
    form.locator(".react-flow__pane").click(position={"x": 8, "y": 8})
    expect(form.get_by_role("img", name="picture of image")).to_be_visible()


def test_a_model_is_chosen_those_that_are_here_first(page: Any) -> None:
    opened(page)
    page.locator("summary", has_text="models").click()
    page.get_by_role("button", name="choose models").click()
    rows = page.get_by_role("dialog").get_by_role("option")
    expect(rows.first).to_contain_text("here, Apache-2.0")
    far = rows.filter(has_text="openai/glide")
    expect(far).to_contain_text("6.9 GB to fetch, MIT")
    far.click()
    expect(page.get_by_role("textbox", name="models")).to_have_value("openai/glide")
    missing = page.get_by_role("region", name="missing weights")
    expect(missing).to_contain_text("openai/glide/base", timeout=40_000)


def test_what_is_filled_in_is_there_when_the_page_is_loaded_again(form: Any, server: Any) -> None:
    visit(form, server.at, "glide/text_to_image")
    prompt = opened(form).get_by_label("prompt", exact=True)
    prompt.fill("a green star")
    prompt.press("Tab")
    form.reload()
    expect(opened(form).get_by_label("prompt", exact=True)).to_have_value("a green star")
    visit(form, server.at, "unclip/text_to_image")
    other = opened(form).get_by_label("prompt", exact=True)
    expect(other).not_to_have_value("a green star")
