"""Text and canvas are one document, and nothing of it is lost: by another page, another program or a server that ends."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Seen, let_in
from pages import (
    GRAPH,
    box,
    deselect,
    live,
    opened,
    path_of,
    pick,
    state,
    until,
    until_text,
    visit,
    write,
)
from playwright.sync_api import expect

COMMENTS = ("# kept", "# kept too", "# at the end")


def set_value(page: Any, node: str, port: str, value: int) -> None:
    """Write a value into the form of a node."""
    box(page, node).click()
    page.locator(f"#field-{port}").fill(str(value))


def rename(page: Any, node: str, name: str) -> None:
    """Give a node another name, by keys."""
    box(page, node).click()
    page.keyboard.press("F2")
    page.get_by_role("textbox", name=f"new name of {node}").fill(name)
    page.keyboard.press("Enter")


def added(page: Any, typed: str) -> None:
    """Add a node by keys."""
    page.keyboard.press("Space")
    pick(page, typed)


def led_out(page: Any) -> None:
    """Wire what is selected to an output of the graph that is new."""
    page.keyboard.press("c")
    pick(page, "new output")


def press(key: str) -> Callable[[Any], None]:
    """A deed that is a key."""
    return lambda page: page.keyboard.press(key)


DEEDS: list[Callable[[Any], None]] = [
    lambda page: set_value(page, "two", "size", 12),
    lambda page: set_value(page, "one", "size", 24),
    lambda page: rename(page, "two", "small"),
    lambda page: added(page, "invert mask"),
    press("Control+d"),
    press("Delete"),
    lambda page: set_value(page, "small", "size", 9),
    lambda page: added(page, "input Seed"),
    lambda page: rename(page, "small", "tiny"),
    lambda page: page.get_by_title("take this wire off").click(),
    lambda page: set_value(page, "one", "size", 32),
    press("Control+d"),
    lambda page: rename(page, "caption", "words"),
    lambda page: set_value(page, "tiny", "size", 7),
    led_out,
]


def test_text_and_canvas_in_turn_undone_and_redone_to_the_same_bytes(
    scene: Any, server: Any
) -> None:
    texts = [GRAPH]

    def changed(end: str) -> str:
        return until(
            lambda: (text := live(scene, server.at)) != texts[-1] and text.endswith(end) and text
        )

    for number, deed in enumerate(DEEDS):
        write(scene, f" # {number}")
        texts.append(changed(f" # {number}"))
        scene.get_by_label("text of the graph").evaluate("e => e.blur()")
        deed(scene)
        texts.append(changed(f" # {number}"))
        assert all(comment in texts[-1] for comment in COMMENTS)
    assert len(set(texts)) == 31
    deselect(scene)
    for text in texts[-2::-1]:
        scene.keyboard.press("Control+z")
        until_text(scene, server.at, text)
    scene.get_by_label("text of the graph").click()
    for text in texts[1:]:
        scene.keyboard.press("Control+Shift+Z")
        until_text(scene, server.at, text)


def by_rename(file: Path, text: str) -> None:
    """Save a file as other editors do: write beside it, then rename."""
    beside = file.with_suffix(".new")
    beside.write_bytes(text.encode())
    beside.rename(file)


@pytest.mark.parametrize("line", ["\n", "\r\n"])
def test_a_file_is_followed_where_nothing_is_unsaved(scene: Any, server: Any, line: str) -> None:
    file = server.folder / path_of(scene)
    theirs = GRAPH.replace("two", "other")
    by_rename(file, theirs.replace("\n", line))
    expect(box(scene, "other")).to_be_visible()
    expect(state(scene)).to_have_text("saved")
    write(scene, "# mine")
    until_text(scene, server.at, theirs + "# mine")
    scene.keyboard.press("Control+s")
    expect(state(scene)).to_have_text("saved")
    assert file.read_bytes() == (theirs + "# mine").replace("\n", line).encode()


def test_a_file_that_changed_meanwhile_is_never_written_over(scene: Any, server: Any) -> None:
    file = server.folder / path_of(scene)
    write(scene, "# mine")
    until_text(scene, server.at, GRAPH + "# mine")
    by_rename(file, GRAPH + "# theirs")
    region = scene.get_by_role("region", name="conflict")
    expect(region).to_contain_text("# theirs")
    expect(region).to_contain_text("# mine")
    scene.get_by_role("button", name="Later").click()
    scene.keyboard.press("Control+s")
    expect(state(scene)).to_have_text("conflict")
    assert file.read_text() == GRAPH + "# theirs"
    scene.get_by_role("button", name="Save mine over it").click()
    expect(state(scene)).to_have_text("saved")
    assert file.read_text() == GRAPH + "# mine"


@pytest.fixture
def other(browser: Any, server: Any, scene: Any, seen: Seen) -> Iterator[Any]:
    """Another browser on the same graph, which follows."""
    write(scene, "# first")
    until_text(scene, server.at, GRAPH + "# first")
    context = let_in(browser, server)
    found = context.new_page()
    seen.watch(found, server.at)
    visit(found, server.at, path_of(scene))
    expect(state(opened(found, "one"))).to_contain_text("another tab writes")
    yield found
    context.close()


def has(page: Any, end: str) -> None:
    """Wait until a page shows a text of the graph that ends so."""
    expect(page.get_by_label("text of the graph")).to_contain_text(end)


def test_another_page_follows_and_takes_over(scene: Any, other: Any, server: Any) -> None:
    write(other, "# not taken")
    write(scene, ", followed")
    has(other, "# first, followed")
    other.get_by_role("button", name="Take over").click()
    expect(state(other)).to_have_text("draft")
    write(other, " and second")
    until_text(scene, server.at, GRAPH + "# first, followed and second")
    has(scene, "and second")
    expect(state(scene)).to_contain_text("another tab writes")


def test_what_is_typed_while_the_server_is_gone_is_sent_when_it_is_back(
    scene: Any, other: Any, server: Any
) -> None:
    server.stop(kill=True)
    scene.keyboard.type(" and meanwhile")
    expect(state(scene)).to_contain_text("does not answer")
    server.start()
    until_text(scene, server.at, GRAPH + "# first and meanwhile")
    has(other, "# first and meanwhile")
    expect(state(scene)).to_have_text("draft")
    other.get_by_role("button", name="Take over").click()
    expect(state(other)).to_have_text("draft")
    write(other, ", and second")
    until_text(scene, server.at, GRAPH + "# first and meanwhile, and second")
    has(scene, "and second")


def test_what_was_typed_without_a_line_is_not_lost_where_another_took_over(
    scene: Any, other: Any, server: Any
) -> None:
    scene.context.set_offline(True)
    scene.keyboard.type(" mine")
    expect(state(scene)).to_contain_text("does not answer")
    other.get_by_role("button", name="Take over").click()
    expect(state(other)).to_have_text("draft")
    write(other, "# theirs\n", "Control+Home")
    until(lambda: live(other, server.at).startswith("# theirs\n"))
    scene.context.set_offline(False)
    has(scene, "# theirs")
    has(scene, "# first mine")
    expect(state(scene)).to_contain_text("another tab writes")
    scene.get_by_role("button", name="Take over").click()
    until_text(other, server.at, f"# theirs\n{GRAPH}# first mine")
    has(other, "# first mine")
