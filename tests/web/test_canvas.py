"""The canvas in a browser: wires that say why they may not be, nodes put between, copied, taken along and put together."""

import re
from pathlib import Path
from typing import Any

import pages
import pytest
import yaml
from pages import (
    box,
    draw_wire,
    live,
    opened,
    pick,
    port,
    shown,
    until,
    visit,
)
from playwright.sync_api import expect

GRAPH = pages.GRAPH.replace(
    "outputs: {image: $two}",
    "  both: {type: grid, images: [$one, $one]}\noutputs: {image: $two, all: $both}",
)


@pytest.fixture
def scene(page: Any, server: Any, tmp_path: Path) -> Any:
    """The editor on a small graph of the workspace, with a file of its own."""
    return shown(page, server, tmp_path, GRAPH, "one")


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
    box(scene, "one").click()
    scene.keyboard.press("c")
    scene.get_by_role("dialog").get_by_role("combobox").fill("two.size")
    expect(scene.get_by_role("option")).to_contain_text("gives Image of 1×3×16×16")
    scene.keyboard.press("Escape")
    draw_wire(scene, port(scene, "output output of two"), port(scene, "input caption of one"))
    expect(alert).to_have_text("a circle: one → two → one")


def test_ports_that_take_any_type_are_dimmed_by_what_the_engine_says(scene: Any) -> None:
    expect(box(scene, "one").locator(".out .value")).to_have_text("1×3×16×16")
    x, y = middle(port(scene, "graph input caption"))
    scene.mouse.move(x, y)
    scene.mouse.down()
    scene.mouse.move(x + 40, y + 80, steps=4)
    open_ = port(scene, "input image of two")
    expect(open_).to_have_class(re.compile("misfit"), timeout=5_000)
    expect(open_).to_have_attribute("title", re.compile("neither pictures nor masks"))
    scene.keyboard.press("Escape")
    scene.mouse.up()


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


def command(page: Any, label: str) -> None:
    """Do a command of the palette."""
    page.keyboard.press("Control+k")
    pick(page, label)


def test_wires_are_led_around_a_node_and_boxes_put_into_a_line(scene: Any, server: Any) -> None:
    box(scene, "two").click()
    command(scene, "lead the wires around it")
    around = GRAPH.replace("image: $two", "image: $one")
    until(lambda: live(scene, server.at) == around)
    undone(scene, server, GRAPH)
    box(scene, "one").click()
    box(scene, "both").click(modifiers=["Control"])
    command(scene, "align")
    until(lambda: "layout:" in live(scene, server.at))
    places = yaml.safe_load(live(scene, server.at))["layout"]
    (x, y), (u, v) = places["one"], places["both"]
    assert x != u and y == v


def test_another_type_keeps_the_wires_and_values_that_fit(scene: Any, server: Any) -> None:
    box(scene, "two").click()
    scene.keyboard.press("r")
    scene.get_by_role("dialog").get_by_role("combobox").fill("crop")
    expect(scene.get_by_role("option").first).to_contain_text("keeps 1 of 2")
    scene.keyboard.press("Enter")
    until(
        lambda: "two: {type: " in live(scene, server.at) and "resize" not in live(scene, server.at)
    )
    expect(scene.get_by_role("alert")).to_contain_text("two.size")
    text = live(scene, server.at)
    assert "image: $one" in text and "# at the end" in text and "image: $two" in text
    undone(scene, server, GRAPH)


GUIDED = """graph: 1
inputs: {guidance: {type: float, default: 3.0}}
nodes:
  text: {type: text_encoder, model: shapes/glide/base, text: a red circle}
  cond: {type: unet_denoiser, model: shapes/glide/base, conditions: $text}
  uncond: {type: unet_denoiser, model: shapes/glide/base, conditions: $text}
  guided: {type: classifier_free_guidance, cond: $cond, uncond: $uncond, scale: $guidance}
  clipped: {type: clip_x0, denoiser: $guided}
outputs: {denoiser: $clipped}
"""


def test_guidance_is_replaced_with_all_its_wires_drawn(
    page: Any, server: Any, tmp_path: Path
) -> None:
    shown(page, server, tmp_path, GUIDED, "guided")
    box(page, "guided").click(button="right")
    pick(page, "swap")
    first = page.get_by_role("option").first
    expect(first).to_have_text(re.compile(r"^guidance \w+ ?keeps 3 of 4$"))
    page.get_by_role("option", name="guidance rescale").click()
    expect(page.get_by_role("alert")).to_contain_text("guided.scale")
    text = live(page, server.at)
    assert "guidance_rescale" in text and "phi" not in text
    expect(wire(page, "cond. to guided.cond").locator("path").first).to_be_attached()
    expect(wire(page, "uncond. to guided.guided").locator("path").first).to_be_attached()


def test_a_wire_that_fits_takes_the_place_of_one_that_does_not(
    page: Any, server: Any, tmp_path: Path
) -> None:
    shown(page, server, tmp_path, GRAPH.replace("[$one, $one]", "$caption"), "both")
    draw_wire(page, port(page, "output output of one"), port(page, "input images of both"))
    until(lambda: "images: $caption" not in live(page, server.at))
    assert "caption" not in live(page, server.at).split("both:")[1]


def test_a_port_takes_several_values_in_turn(scene: Any, server: Any) -> None:
    box(scene, "one").click()
    scene.keyboard.press("v")
    pick(scene, "seed")
    scene.get_by_role("dialog").get_by_role("textbox").fill("1, 2, 4")
    scene.keyboard.press("Enter")
    until(lambda: "each: {seed: [1, 2, 4]}" in live(scene, server.at))
    scene.get_by_role("button", name="[1, 2, 4] ×").click()
    until(lambda: live(scene, server.at) == GRAPH)


def test_an_input_is_swept_over(scene: Any) -> None:
    scene.mouse.click(400, 400)
    scene.keyboard.press("v")
    pick(scene, "caption")
    scene.get_by_role("dialog").get_by_role("textbox").fill("a red circle, a blue star")
    scene.keyboard.press("Enter")
    expect(scene.get_by_role("button", name="[a red circle, a blue star] ×")).to_be_visible()
    with scene.expect_response("**/jobs") as answer:
        scene.keyboard.press("Control+Enter")
    asked = answer.value.request.post_data_json
    assert asked["each"] == {"caption": "[a red circle, a blue star]"}
    assert answer.value.ok


def test_the_menu_of_a_box_is_there_for_mouse_and_keys(scene: Any, server: Any) -> None:
    box(scene, "two").click(button="right")
    expect(scene.get_by_role("option", name="Duplicate")).to_be_visible()
    expect(scene.get_by_role("option", name="Save as")).to_have_count(0)
    scene.keyboard.press("Escape")
    scene.keyboard.press("Shift+F10")
    pick(scene, "duplicate")
    until(lambda: "two_2: {type: resize, image: $one, size: 8}" in live(scene, server.at))
    undone(scene, server, GRAPH)


CLIPBOARD = """(text) => {
  const data = new DataTransfer();
  if (text !== null) data.setData("text/plain", text);
  const event = new ClipboardEvent(text === null ? "copy" : "paste", {clipboardData: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
  return data.getData("text/plain");
}"""


def test_nodes_go_through_the_clipboard_as_text(scene: Any, server: Any) -> None:
    box(scene, "one").click()
    scene.keyboard.down("Control")
    box(scene, "two").click()
    scene.keyboard.up("Control")
    copied = scene.evaluate(CLIPBOARD, None)
    assert copied.startswith("nodes:\n  one: {type: shapes_scene, caption: $caption, size: 16}\n")
    assert "# at the end" in copied
    scene.evaluate(CLIPBOARD, copied)
    until(lambda: "two_2: {type: resize, image: $one_2, size: 8}" in live(scene, server.at))
    undone(scene, server, GRAPH)
    scene.evaluate(CLIPBOARD, "turned: {type: flip, image: $nothing}")
    expect(scene.get_by_role("alert")).to_contain_text("turned.image")
    until(lambda: "turned: {type: flip}" in live(scene, server.at))


def test_frames_and_notes_are_made_moved_closed_and_dissolved(scene: Any, server: Any) -> None:
    box(scene, "one").click()
    scene.keyboard.press("n")
    scene.get_by_role("dialog").get_by_role("textbox").fill("draws a caption")
    scene.keyboard.press("Enter")
    expect(box(scene, "one").locator(".note")).to_have_text("draws a caption")
    scene.keyboard.press("g")
    scene.get_by_role("dialog").get_by_role("textbox").fill("Scene: first")
    scene.keyboard.press("Enter")
    until(lambda: 'frames:\n  "Scene: first": [one]' in live(scene, server.at))
    frame = box(scene, "frame Scene: first")
    x, y = middle(frame.locator(".title b"))
    before = box(scene, "one").bounding_box()
    drag(scene, (x, y), (x + 40, y + 60))
    until(lambda: "layout:" in live(scene, server.at))
    assert box(scene, "one").bounding_box()["y"] > before["y"] + 30
    scene.keyboard.press("x")
    expect(box(scene, "one")).to_have_count(0)
    expect(frame).to_contain_text("1 boxes")
    scene.reload()
    expect(frame).to_contain_text("1 boxes")
    frame.get_by_role("button", name="open frame").click()
    expect(box(scene, "one")).to_be_visible()
    frame.locator(".title b").click()
    command(scene, "dissolve")
    until(lambda: "frames:" not in live(scene, server.at))


def test_a_node_is_found_by_its_values(page: Any) -> None:
    opened(page)
    page.keyboard.press("Control+f")
    pick(page, "scale guid")
    expect(box(page, "guided")).to_have_class(re.compile("selected"))


def test_the_graph_of_a_node_is_opened_with_a_way_back(page: Any, server: Any) -> None:
    opened(page)
    box(page, "large").click()
    page.keyboard.press("o")
    page.get_by_role("button", name="glide/text_to_image ›").click(timeout=60_000)
    expect(box(page, "large")).to_have_class(re.compile("selected"))


def test_large_graphs_have_a_map_and_begin_legible(page: Any, server: Any) -> None:
    opened(page)
    expect(page.get_by_label("map of the graph")).to_have_count(0)
    visit(page, server.at, "train/glide")
    expect(page.get_by_label("map of the graph")).to_be_visible()
    zoom = "new DOMMatrix(getComputedStyle(document.querySelector('.react-flow__viewport')).transform).a"
    assert page.evaluate(zoom) >= 0.5
    size = "e => parseFloat(getComputedStyle(e).fontSize)"
    name = box(page, "reader").locator("b")
    assert name.evaluate(size) * page.evaluate(zoom) >= 10
    page.keyboard.press("h")
    until(lambda: page.evaluate(zoom) < 0.5)
    assert name.evaluate(size) * page.evaluate(zoom) >= 8


def test_nodes_come_into_a_frame_and_out_of_it(page: Any, server: Any, tmp_path: Path) -> None:
    scene = shown(page, server, tmp_path, GRAPH + "frames: {Scene: [one]}\n")
    box(scene, "frame Scene").locator(".title b").click()
    scene.keyboard.down("Control")
    box(scene, "two").click()
    scene.keyboard.up("Control")
    scene.keyboard.press("g")
    until(lambda: "frames: {Scene: [one, two]}" in live(scene, server.at))
    scene.mouse.click(330, 500)
    box(scene, "one").click()
    command(scene, "take out of its frame")
    until(lambda: "frames: {Scene: [two]}" in live(scene, server.at))
