"""Graphs for who wants no wires: the page where one begins, and the page of inputs and outputs alone."""

from pathlib import Path
from typing import Any

import pytest
from pages import box, live, opened, path_of, pick, until, visit
from playwright.sync_api import expect
from test_access import serious

SCENE = """graph: 1
title: a scene
description: Draws what is said.
inputs: {caption: {type: Text, default: a red circle}, seed: {type: Seed, default: 0}}
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16, seed: $seed}
outputs: {image: $one}
"""


@pytest.fixture
def path(server: Any, tmp_path: Path) -> str:
    """A graph of the workspace."""
    name = f"{tmp_path.name}.yaml"
    (server.folder / name).write_text(SCENE)
    return name


def begin(page: Any, at: str) -> Any:
    """The page where one begins."""
    visit(page, at, "start")
    expect(page.get_by_role("heading", name="Graphs")).to_be_visible()
    expect(page.get_by_role("region", name="GLIDE: from texts to pictures")).to_be_visible()
    return page


def card(page: Any, name: str, section: str = "Yours") -> Any:
    """The card of a graph."""
    return page.get_by_role("region", name=section).locator(".card", has_text=name)


def test_a_graph_is_run_without_wires(page: Any, server: Any, path: str) -> None:
    visit(page, server.at, f"{path}?app")
    expect(page.get_by_text("Draws what is said.")).to_be_visible()
    expect(page.locator(".react-flow")).to_have_count(0)
    page.get_by_label("caption", exact=True).fill("a blue square")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("status")).to_contain_text("done in", timeout=60_000)
    expect(page.get_by_role("img", name="result image")).to_be_visible()
    expect(page.get_by_text("seed 0")).to_be_visible()
    page.get_by_label("caption", exact=True).fill("a green star")
    page.get_by_label("seed", exact=True).fill("7")
    page.get_by_role("button", name="Run", exact=True).click()
    before = page.get_by_role("region", name="made before").get_by_role("button")
    expect(before).to_have_count(2, timeout=60_000)
    drawn = "all => all.length === 2 && all.every(one => one.complete && one.naturalWidth > 0)"
    until(lambda: before.locator("img").evaluate_all(drawn))
    expect(page.get_by_text("seed 7")).to_be_visible()
    before.last.click()
    expect(page.get_by_text("seed 0")).to_be_visible()
    page.get_by_role("button", name="Use the values of this run").click()
    expect(page.get_by_label("caption", exact=True)).to_have_value("a blue square")
    page.get_by_role("link", name="Editor").click()
    opened(page, "one")
    expect(page.get_by_label("caption", exact=True)).to_have_value("a blue square")
    page.keyboard.press("Control+k")
    pick(page, "as an app")
    expect(page.get_by_label("caption", exact=True)).to_have_value("a blue square")


def test_an_app_follows_its_graph_and_does_not_hold_it(
    page: Any, context: Any, server: Any, path: str
) -> None:
    visit(page, server.at, f"{path}?app")
    expect(page.get_by_label("caption", exact=True)).to_be_visible()
    other = context.new_page()
    visit(other, server.at, path)
    opened(other, "one")
    expect(other.get_by_label("state of the document")).to_have_text("saved")
    other.get_by_label("text of the graph").click()
    other.keyboard.press("Control+Home")
    other.keyboard.press("ArrowDown")
    other.keyboard.press("End")
    other.keyboard.type(" of shapes")
    expect(page.get_by_role("heading", name="a scene of shapes")).to_be_visible()


def test_an_app_fits_a_phone_and_twice_the_size(page: Any, server: Any, path: str) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for at, name in ((f"{path}?app", "Run"), ("start", "New graph")):
        visit(page, server.at, at)
        for size in ({"width": 390, "height": 844}, {"width": 720, "height": 450}):
            page.set_viewport_size(size)
            expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, server: Any, path: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    visit(page, server.at, f"{path}?app")
    expect(page.get_by_label("caption", exact=True)).to_be_visible()
    assert serious(page) == []
    assert serious(begin(page, server.at)) == []


def test_a_graph_is_found_as_one_types_and_opened_by_keys(page: Any, server: Any) -> None:
    begin(page, server.at).get_by_role("searchbox").fill("complete picture")
    expect(page.locator(".card")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    expect(page.locator(".card").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    opened(page, "kept")
    assert path_of(page) == "glide/inpaint_training_free"
    begin(page, server.at)
    recent = page.get_by_role("region", name="Open lately").locator(".card")
    expect(recent.first).to_contain_text("without fine-tuning")


def test_a_graph_is_copied_renamed_deleted_and_put_back(page: Any, server: Any, path: str) -> None:
    visit(page, server.at, path)
    opened(page, "one")
    page.get_by_label("caption", exact=True).press("Control+k")
    page.keyboard.press("Escape")
    page.get_by_label("text of the graph").click()
    page.keyboard.press("Control+End")
    page.keyboard.type("# not saved")
    until(lambda: live(page, server.at).endswith("# not saved"))
    page.get_by_role("button", name="Graphs").click()
    expect(card(page, path)).to_contain_text("not saved")
    page.get_by_role("button", name=f"Rename {path}").click()
    named = f"other_{path}"
    page.get_by_role("textbox", name=f"new name of {path}").fill(named.removesuffix(".yaml"))
    page.keyboard.press("Enter")
    expect(card(page, named)).to_contain_text("not saved")
    assert (server.folder / named).read_text() == SCENE and not (server.folder / path).exists()
    page.get_by_role("button", name=f"Delete {named}").click()
    expect(card(page, named)).to_have_count(0)
    assert not (server.folder / named).exists()
    page.get_by_role("button", name="Put it back").click()
    expect(card(page, named)).to_contain_text("not saved")
    assert (server.folder / named).read_text() == SCENE
    page.get_by_role("button", name=f"Copy {named}").click()
    copied = server.folder / named.replace(".yaml", "_2.yaml")
    until(copied.exists)
    assert copied.read_text() == SCENE + "# not saved"


@pytest.mark.parametrize("buttons", [("New from …",), ("New graph", "Take a copy of …")])
def test_a_graph_is_begun_from_another(page: Any, server: Any, buttons: tuple[str, ...]) -> None:
    begin(page, server.at)
    for button in buttons:
        page.get_by_role("button", name=button).click()
    pick(page, "glide text to image")
    opened(page)
    expect(page.get_by_label("state of the document")).to_have_text("draft")
    assert path_of(page).startswith("text_to_image") and path_of(page).endswith(".yaml")
    expect(box(page, "large")).to_be_visible()


def test_a_part_of_the_page_comes_when_the_server_is_back(page: Any, server: Any) -> None:
    expect(opened(page).get_by_label("text of the graph")).to_be_visible()
    server.stop(kill=True)
    page.get_by_role("button", name="Graphs").click()
    expect(page.get_by_role("alert")).to_contain_text("a part of the page is still missing")
    server.start()
    expect(page.get_by_role("region", name="GLIDE: from texts to pictures")).to_be_visible()
