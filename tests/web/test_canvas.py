"""The canvas in a browser: wires that say why they may not be, nodes put between, copied, taken along and put together."""

from pathlib import Path
from typing import Any

import pytest
from pages import box, draw_wire, live, opened, port, until, visit
from playwright.sync_api import expect

GRAPH = """# kept
graph: 1
title: scenes
inputs: {caption: {type: Text, default: a red circle}}  # kept too
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16}
  two: {type: resize, image: $one, size: 8}  # at the end
  both: {type: grid, images: [$one, $one]}
outputs: {image: $two, all: $both}
"""


@pytest.fixture
def scene(page: Any, server: Any, tmp_path: Path) -> Any:
    """The editor on a small graph of the workspace, with a file of its own."""
    return shown(page, server, tmp_path, GRAPH)


def shown(page: Any, server: Any, folder: Path, text: str, node: str = "one") -> Any:
    """The editor on a text, in a file of its own."""
    name = f"{folder.name}.yaml"
    (server.folder / name).write_text(text)
    visit(page, server.at, name)
    return opened(page, node)


def wire(page: Any, name: str) -> Any:
    """A wire by what leads where: `one. to two.image`."""
    return page.locator(f'.react-flow__edge[data-id="{name}"]')


def middle(thing: Any) -> tuple[float, float]:
    """The middle of what is to be seen of a thing."""
    found = thing.bounding_box()
    return found["x"] + found["width"] / 2, found["y"] + found["height"] / 2


def drag(page: Any, start: tuple[float, float], end: tuple[float, float], key: str = "") -> None:
    """Drag by the mouse, with a key held where one is given."""
    if key:
        page.keyboard.down(key)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + end[0]) / 2, (start[1] + end[1]) / 2, steps=4)
    page.mouse.move(*end, steps=8)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def undone(page: Any, server: Any, text: str, steps: int = 1) -> None:
    """Undo, and find the same bytes again."""
    for _ in range(steps):
        page.keyboard.press("Control+z")
    until(lambda: live(page, server.at) == text)


def test_wires_tell_the_shapes_of_what_goes_through_them(scene: Any) -> None:
    box(scene, "two").click()
    expect(scene.locator(".shape")).to_have_text(["1×3×16×16", "1×3×8×8"])
    scene.mouse.click(400, 400)
    expect(scene.locator(".shape")).to_have_count(0)
    x, y = middle(wire(scene, "one. to two.image"))
    scene.mouse.move(x, y)
    expect(scene.locator(".shape")).to_have_text("1×3×16×16")


def test_a_refused_wire_says_the_types_and_the_shape(scene: Any) -> None:
    expect(box(scene, "one").locator(".out .value")).to_have_text("1×3×16×16")
    draw_wire(scene, port(scene, "output output of one"), port(scene, "input size of two"))
    alert = scene.get_by_role("alert")
    expect(alert).to_have_text("'size' wants Size, and $one gives Image of 1×3×16×16")


def test_the_engine_refuses_a_wire_that_is_held_over_a_port(scene: Any, server: Any) -> None:
    expect(box(scene, "one").locator(".out .value")).to_have_text("1×3×16×16")
    ends = [port(scene, end) for end in ("output output of two", "input images of both")]
    scene.mouse.move(*middle(ends[0]))
    scene.mouse.down()
    scene.mouse.move(*middle(ends[1]), steps=8)
    expect(scene.locator(".drawn.bad text")).to_contain_text("16 × 16 pixels and 8 × 8")
    scene.mouse.up()
    expect(scene.get_by_role("alert")).to_contain_text("16 × 16 pixels and 8 × 8")
    assert "[$one, $one]" in live(scene, server.at)
    expect(box(scene, "both").locator(".faults")).to_have_count(0)


def test_a_fault_is_read_whole_on_its_node(page: Any, server: Any, tmp_path: Path) -> None:
    faulty = GRAPH.replace("[$one, $one]", "[$one, $two]")
    faults = box(shown(page, server, tmp_path, faulty), "both").locator(".faults")
    expect(faults).to_contain_text("16 × 16 pixels and 8 × 8")
    box(page, "both").click()
    assert faults.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
    faults.get_by_role("button", name="Show in text").click()
    expect(page.get_by_label("text of the graph")).to_be_focused()


def test_control_takes_the_wires_of_an_output_along(scene: Any, server: Any) -> None:
    ends = [middle(port(scene, f"output output of {name}")) for name in ("both", "two")]
    drag(scene, *ends, key="Control")
    text = GRAPH.replace("all: $both", "all: $two")
    until(lambda: live(scene, server.at) == text)
    undone(scene, server, GRAPH)


def test_alt_leaves_a_copy(scene: Any, server: Any) -> None:
    x, y = middle(box(scene, "two").locator("b"))
    before = box(scene, "two").bounding_box()
    drag(scene, (x, y), (x + 40, y + 200), key="Alt")
    until(lambda: "two_2: {type: resize, image: $one, size: 8}" in live(scene, server.at))
    expect(box(scene, "two_2")).to_be_visible()
    assert abs(box(scene, "two").bounding_box()["x"] - before["x"]) < 2
    assert box(scene, "two_2").bounding_box()["y"] > before["y"] + 150
    undone(scene, server, GRAPH)


FREE = """graph: 1
inputs: {caption: {type: Text, default: a red circle}}
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16}
  two: {type: resize, image: $one, size: 8}
  half: {type: resize, size: 12}  # between
outputs: {image: $two}
layout: {caption: [0, 0], one: [200, 0], two: [600, 0], half: [300, 300], image: [900, 0]}
"""


def test_a_node_that_is_dropped_on_a_wire_goes_into_it(
    page: Any, server: Any, tmp_path: Path
) -> None:
    scene = shown(page, server, tmp_path, FREE)
    x, y = middle(box(scene, "half").locator("b"))
    to = middle(wire(scene, "one. to two.image"))
    found = box(scene, "half").bounding_box()
    shift = found["y"] + found["height"] / 2 - y
    scene.mouse.move(x, y)
    scene.mouse.down()
    scene.mouse.move(to[0], to[1] - shift, steps=8)
    expect(scene.locator(".react-flow__edge.opens")).to_have_count(1)
    scene.mouse.up()
    until(lambda: "image: $half" in live(scene, server.at))
    text = live(scene, server.at)
    assert "half: {type: resize, size: 12, image: $one}  # between" in text
    undone(scene, server, FREE)
