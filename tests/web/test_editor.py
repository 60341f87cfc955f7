"""The editor in a browser: it opens on a graph that runs, text and canvas are one document, and nothing is lost."""

import re
from typing import Any

from pages import (
    CONTROLS,
    GRAPH,
    box,
    draw_wire,
    live,
    opened,
    path_of,
    pick,
    port,
    until,
    visit,
    write,
)
from playwright.sync_api import expect


def test_it_opens_on_a_graph_and_draws_a_picture(page: Any) -> None:
    opened(page)
    page.get_by_label("steps", exact=True).fill("2")
    page.keyboard.press("Control+Enter")
    page.get_by_role("img", name="output image", exact=True).wait_for(timeout=120_000)
    expect(box(page, "small").locator(".mark")).to_contain_text("done")
    page.get_by_role("button", name="Runs").click()
    expect(page.get_by_role("img", name="result of GLIDE, text to image").first).to_be_visible()


def test_the_start_shows_few_controls(page: Any) -> None:
    opened(page)
    assert page.locator(CONTROLS).count() <= 12


def test_a_number_in_a_range_is_dragged_and_typed(page: Any) -> None:
    guidance = opened(page).get_by_label("guidance", exact=True)
    field = guidance.bounding_box()
    x, y = field["x"] + 40, field["y"] + field["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + field["width"] / 2, y, steps=5)
    expect(guidance).to_have_value(re.compile(r"13"))
    page.mouse.move(x + 2 * field["width"], y, steps=5)
    page.mouse.up()
    expect(guidance).to_have_value("20")
    guidance.click()
    page.keyboard.type("4.25")
    expect(guidance).to_have_value("4.25")
    expect(box(page, "guidance").locator(".value")).to_have_text("4.25")


def test_what_is_written_is_drawn_and_what_is_drawn_is_written(scene: Any, server: Any) -> None:
    write(scene, "# last")
    scene.get_by_label("text of the graph").evaluate("e => e.blur()")
    box(scene, "two").click()
    scene.get_by_label("size", exact=True).fill("12")
    wanted = GRAPH.replace("size: 8", "size: 12") + "# last"
    until(lambda: live(scene, server.at) == wanted)
    scene.get_by_label("text of the graph").click()
    scene.keyboard.press("Control+Home")
    scene.keyboard.type("nodes: {")
    expect(scene.get_by_text("The text cannot be read just now")).to_be_visible()
    expect(box(scene, "two")).to_be_visible()
    for _ in range(10):
        scene.keyboard.press("Control+z")
    until(lambda: live(scene, server.at) == GRAPH)


def test_a_graph_is_made_from_nothing_by_keys_alone(page: Any, server: Any) -> None:
    opened(page).get_by_role("button", name="Graphs").press("Enter")
    page.get_by_role("button", name="New graph").press("Enter")
    expect(page.get_by_label("state of the document")).to_have_text("draft")
    for typed in ("input Text", "shapes scene"):
        page.keyboard.press("Space")
        pick(page, typed)
        expect(page.get_by_role("dialog")).to_have_count(0)
    expect(box(page, "shapes_scene")).to_be_visible()
    page.keyboard.press("i")
    pick(page, "caption")
    pick(page, "text")
    until(lambda: "caption: $text" in live(page, server.at))
    page.keyboard.press("c")
    pick(page, "new output")
    until(lambda: "image: $shapes_scene" in live(page, server.at))
    box(page, "text").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="text", exact=True)).to_be_focused()
    page.keyboard.type("a blue square")
    page.keyboard.press("Control+Enter")
    page.get_by_role("img", name="output image", exact=True).wait_for(timeout=120_000)


def test_a_graph_is_changed_by_keys_alone_and_undone_to_the_same_bytes(
    scene: Any, server: Any
) -> None:
    box(scene, "two").focus()
    scene.keyboard.press("Space")
    pick(scene, "invert mask")
    until(lambda: "invert_mask: {type: invert_mask}" in live(scene, server.at))
    scene.keyboard.press("F2")
    scene.get_by_role("textbox", name="new name of invert_mask").fill("turned")
    scene.keyboard.press("Enter")
    until(lambda: "turned: {type: invert_mask}" in live(scene, server.at))
    scene.keyboard.press("Delete")
    box(scene, "two").focus()
    scene.keyboard.press("F2")
    scene.get_by_role("textbox", name="new name of two").fill("small")
    scene.keyboard.press("Enter")
    until(lambda: "image: $small" in live(scene, server.at))
    for _ in range(4):
        scene.keyboard.press("Control+z")
    until(lambda: live(scene, server.at) == GRAPH)


def test_deleting_a_node_heals_the_chain(scene: Any, server: Any) -> None:
    box(scene, "two").click()
    scene.keyboard.press("Delete")
    until(lambda: "outputs: {image: $one}" in live(scene, server.at))
    assert "two" not in live(scene, server.at) and "# kept too" in live(scene, server.at)


def test_an_input_is_deleted_together_with_a_node(scene: Any, server: Any) -> None:
    box(scene, "caption").click()
    box(scene, "two").click(modifiers=["Control"])
    scene.keyboard.press("Delete")
    until(lambda: "one: {type: shapes_scene, size: 16}" in live(scene, server.at))
    assert "two" not in live(scene, server.at) and "caption" not in live(scene, server.at)


def test_a_wire_that_does_not_fit_is_refused_with_the_reason(page: Any) -> None:
    opened(page)
    draw_wire(page, port(page, "graph input prompt"), port(page, "input image of large"))
    alert = page.get_by_role("alert")
    expect(alert).to_have_text("'image' wants Image, and $prompt gives Text")
    draw_wire(page, port(page, "output output of small"), port(page, "input conditions of cond"))
    expect(alert).to_have_text("a circle: cond → guided → clipped → small → cond")
    expect(page.get_by_label("state of the document")).to_have_text("shipped")


def test_a_shipped_graph_that_is_changed_becomes_a_draft(page: Any, server: Any) -> None:
    visit(page, server.at, "ddpm/unconditional")
    expect(page.get_by_label("state of the document")).to_have_text("shipped")
    write(page, "# mine")
    until(lambda: path_of(page) == "unconditional.yaml")
    until(lambda: live(page, server.at).endswith("# mine"))
    page.keyboard.press("Control+s")
    until(lambda: (server.folder / "unconditional.yaml").is_file())


def test_weights_that_are_not_here_are_one_button(page: Any) -> None:
    opened(page)
    page.locator("summary", has_text="models").click()
    page.get_by_label("preset", exact=True).select_option("openai")
    expect(page.locator("summary")).to_contain_text("openai, openai/glide")
    missing = page.get_by_role("region", name="missing weights")
    expect(missing).to_contain_text("openai/glide/base", timeout=120_000)
    expect(missing.get_by_role("button", name="Fetch them")).to_be_visible()


def test_a_run_is_cancelled(page: Any) -> None:
    opened(page)
    page.get_by_role("spinbutton", name="count").fill("16")
    page.keyboard.press("Control+Enter")
    page.locator(".foot .running").first.wait_for(timeout=120_000)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Runs").click()
    expect(page.locator(".runs li").first).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Try again").first).to_be_visible()


def test_a_fault_stands_on_its_node_and_is_mended_there(page: Any, server: Any) -> None:
    (server.folder / "faulty.yaml").write_text(GRAPH.replace("type: resize", "type: resise"))
    visit(page, server.at, "faulty.yaml")
    opened(page, "two").get_by_role("button", name="Mend").click()
    until(lambda: live(page, server.at) == GRAPH)
    expect(box(page, "two").locator(".faults")).to_have_count(0)


def test_the_canvas_edits_a_text_that_is_not_shown_and_one_history_undoes_both(
    scene: Any, server: Any
) -> None:
    write(scene, "# last")
    scene.get_by_role("button", name="Text", exact=True).click()
    expect(scene.get_by_label("text of the graph")).to_have_count(0)
    box(scene, "two").click()
    scene.keyboard.press("Delete")
    until(lambda: "two" not in live(scene, server.at))
    scene.keyboard.press("Control+z")
    until(lambda: live(scene, server.at) == GRAPH + "# last")
    scene.keyboard.press("Control+Shift+z")
    until(lambda: "two" not in live(scene, server.at))
    box(scene, "one").focus()
    scene.keyboard.press("t")
    text = scene.get_by_label("text of the graph")
    expect(text).to_be_focused()
    expect(text.locator(".cm-activeLine")).to_contain_text("one: {type")
    for _ in range(2):
        scene.keyboard.press("Control+z")
    until(lambda: live(scene, server.at) == GRAPH)


def test_eight_tabs_are_open_and_one_saves(scene: Any, server: Any, seen: Any) -> None:
    others = [scene.context.new_page() for _ in range(7)]
    for other in others:
        seen.watch(other, server.at)
        other.goto(f"{server.at}/#/{path_of(scene)}")
        opened(other, "one")
    scene.bring_to_front()
    write(scene, "# mine")
    until(lambda: live(scene, server.at).endswith("# mine"))
    scene.keyboard.press("Control+s")
    until(lambda: (server.folder / path_of(scene)).read_text().endswith("# mine"))
    expect(others[-1].get_by_label("text of the graph")).to_contain_text("# mine")
