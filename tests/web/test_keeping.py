"""A graph file that another program changed, and the saves of a graph: both texts beside each other, nothing lost."""

from pathlib import Path
from typing import Any

import pytest
from pages import box, live, opened, path_of, pick, until, visit, write
from playwright.sync_api import expect
from test_access import both

GRAPH = """graph: 1
title: scenes
inputs: {caption: {type: Text, default: a red circle}}
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16}
  two: {type: resize, image: $one, size: 8}
outputs: {image: $two}
"""
THEIRS = GRAPH.replace("title: scenes", "title: their scenes").replace("size: 8", "size: 9")


@pytest.fixture
def file(page: Any, server: Any, tmp_path: Path) -> Path:
    """A graph file that is open in the page."""
    found: Path = server.folder / f"{tmp_path.name}.yaml"
    found.write_text(GRAPH)
    visit(page, server.at, found.name)
    opened(page, "one")
    return found


@pytest.fixture
def conflict(page: Any, server: Any, file: Path) -> Any:
    """The page with a draft, and another text in the file."""
    write(page, "# mine")
    until(lambda: live(page, server.at).endswith("# mine"))
    file.write_text(THEIRS)
    found = page.get_by_role("region", name="conflict")
    expect(found).to_be_visible()
    expect(page.get_by_role("button", name="take these lines of the file").first).to_be_visible()
    return found


def state(page: Any) -> Any:
    """How the document stands to its file."""
    return page.get_by_label("state of the document")


def test_lines_of_both_are_taken_together(
    page: Any, server: Any, file: Path, conflict: Any
) -> None:
    assert both(page) == []
    conflict.get_by_role("button", name="take these lines of the file").nth(1).click()
    until(lambda: "size: 9" in live(page, server.at))
    box(page, "one").click()
    page.get_by_label("size", exact=True).fill("20")
    page.get_by_label("your draft").click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" too")
    wanted = GRAPH.replace("size: 8", "size: 9").replace("size: 16", "size: 20") + "# mine too"
    until(lambda: live(page, server.at) == wanted)
    assert file.read_text() == THEIRS
    page.get_by_role("button", name="Save mine over it").click()
    expect(state(page)).to_have_text("saved")
    assert file.read_text() == wanted


def test_both_texts_are_kept(page: Any, server: Any, file: Path, conflict: Any) -> None:
    page.get_by_role("button", name="Keep both").click()
    expect(page.get_by_role("alert")).to_contain_text("yours is kept as")
    kept = page.get_by_role("alert").text_content().removeprefix("yours is kept as ")
    assert live(page, server.at) == THEIRS
    expect(state(page)).to_have_text("saved")
    found = page.request.get(f"{server.at}/api/v1/live/{kept}").json()["text"]
    assert found == GRAPH + "# mine"


def test_the_text_of_the_file_is_taken_and_the_draft_comes_back(
    page: Any, server: Any, file: Path, conflict: Any
) -> None:
    page.get_by_role("button", name="Take the file's text").click()
    expect(state(page)).to_have_text("saved")
    assert live(page, server.at) == THEIRS
    box(page, "one").focus()
    page.keyboard.press("Control+z")
    until(lambda: live(page, server.at) == GRAPH + "# mine")
    assert file.read_text() == THEIRS


def test_a_file_that_changed_while_nobody_looked_is_not_written_over(
    page: Any, server: Any, file: Path
) -> None:
    write(page, "# mine")
    until(lambda: live(page, server.at).endswith("# mine"))
    path = path_of(page)
    page.goto("about:blank")
    file.write_text(THEIRS)
    visit(page, server.at, path)
    expect(page.get_by_role("region", name="conflict")).to_be_visible()
    expect(state(page)).to_have_text("conflict")
    assert file.read_text() == THEIRS


def test_a_file_that_was_deleted_is_written_anew_when_one_says_so(page: Any, file: Path) -> None:
    write(page, "# mine")
    file.unlink()
    page.keyboard.press("Control+s")
    expect(page.get_by_role("alert")).to_contain_text("was deleted by another program")
    assert not file.exists()
    page.keyboard.press("Control+s")
    expect(state(page)).to_have_text("saved")
    assert file.read_text() == GRAPH + "# mine"


def test_one_looks_at_saves_and_goes_back(page: Any, server: Any, file: Path) -> None:
    for word in ("# first", "\n# second"):
        write(page, word)
        page.keyboard.press("Control+s")
        until(lambda word=word: file.read_text().endswith(word))
    page.keyboard.press("Control+k")
    pick(page, "revert to a save")
    saves = page.get_by_role("region", name="saves").get_by_role("listitem")
    expect(saves).to_have_count(2)
    expect(saves.first).to_contain_text("the same as now")
    saves.last.get_by_role("button").click()
    expect(page.get_by_label("the text now")).to_contain_text("# second")
    expect(page.get_by_label("the save")).not_to_contain_text("# second")
    assert both(page) == []
    page.get_by_role("button", name="Go back to this").click()
    until(lambda: live(page, server.at) == GRAPH + "# first")
    expect(page.get_by_label("text of the graph")).to_be_visible()
    box(page, "one").focus()
    page.keyboard.press("Control+z")
    until(lambda: live(page, server.at).endswith("# second"))
