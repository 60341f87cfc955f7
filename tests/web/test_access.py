"""The editor can be used with other means than eyes and a mouse, as axe reads its pages."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import ROOT, let_in
from pages import (
    GRAPH,
    box,
    draw_wire,
    middle,
    opened,
    pick,
    picture,
    port,
    touch,
    until_text,
    visit,
    write,
)
from playwright.sync_api import expect

AXE = ROOT / "server/web/node_modules/axe-core/axe.min.js"
READ = """axe.run().then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact))
  .map(one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 200)).slice(0, 3).join(' | ')))"""


def serious(page: Any) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate(AXE.read_text())
    return page.evaluate(READ)


def both(page: Any) -> list[str]:
    """The same, in light and in dark."""
    found: list[str] = []
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {one}" for one in serious(page)]
    return found


def asked(page: Any, key: str, name: str) -> None:
    """Read a dialog that a key opens, and close it."""
    page.keyboard.press(key)
    expect(page.get_by_role("dialog", name=name)).to_be_visible()
    assert both(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_axe_finds_nothing_serious(page: Any) -> None:
    opened(page)
    assert both(page) == []
    box(page, "small").click()
    assert both(page) == []
    asked(page, "Space", "add a node")
    asked(page, "?", "shortcuts")
    asked(page, "F2", "new name of small")
    page.get_by_role("button", name="Runs", exact=True).click()
    expect(page.get_by_role("region", name="runs")).to_be_visible()
    assert both(page) == []
    page.get_by_role("button", name="Graphs").click()
    expect(page.get_by_text("GLIDE, guided by CLIP")).to_be_visible()
    assert both(page) == []


def test_axe_finds_nothing_serious_in_faults_and_wires_that_are_refused(
    scene: Any, server: Any
) -> None:
    draw_wire(scene, port(scene, "output output of one"), port(scene, "input size of two"))
    expect(scene.get_by_role("alert")).to_be_visible()
    write(scene, "\nframes: 3")
    expect(scene.locator(".cm-lint-marker").first).to_be_visible()
    assert both(scene) == []
    until_text(scene, server.at, GRAPH + "\nframes: 3")


def test_axe_finds_nothing_serious_after_a_run_and_over_a_mask(page: Any, server: Any) -> None:
    opened(page).get_by_label("steps", exact=True).fill("2")
    page.get_by_label("seed", exact=True).fill("5")
    page.keyboard.press("Control+Enter")
    picture(page).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert both(page) == []
    page.keyboard.press("Escape")
    assert both(page) == []
    visit(page, server.at, "glide/inpaint")
    source = ROOT / "docs/images/gallery/source.png"
    opened(page, "kept").get_by_label("image", exact=True).set_input_files(source)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(page.get_by_role("application", name="the picture")).to_be_visible()
    assert both(page) == []


@pytest.fixture
def like(browser: Any, server: Any, seen: Any) -> Iterator[Callable[..., Any]]:
    """Opens a small graph on a screen of another kind."""
    contexts: list[Any] = []

    def open_(name: str, **options: Any) -> Any:
        contexts.append(let_in(browser, server, **options))
        page = contexts[-1].new_page()
        seen.watch(page, server.at)
        (server.folder / name).write_text(GRAPH)
        visit(page, server.at, name)
        return opened(page, "one")

    yield open_
    for context in contexts:
        context.close()


def test_all_is_reached_at_twice_the_size(like: Any, server: Any) -> None:
    page = like("twice.yaml", viewport={"width": 720, "height": 450}, device_scale_factor=2)
    for name in ("Graphs", "Save", "Text", "Runs", "commands", "Run"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    box(page, "two").click()
    page.get_by_label("size", exact=True).fill("12")
    until_text(page, server.at, GRAPH.replace("size: 8", "size: 12"))
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").last).to_be_attached()
    pick(page, "undo")
    until_text(page, server.at, GRAPH)
    write(page, "# seen")
    expect(page.get_by_text("# seen")).to_be_in_viewport()
    page.get_by_role("button", name="Run", exact=True).click()
    picture(page).scroll_into_view_if_needed()


def test_a_graph_is_wired_and_run_by_touch(like: Any, server: Any) -> None:
    page = like("touched.yaml", viewport={"width": 1024, "height": 768}, has_touch=True)
    box(page, "two").tap()
    expect(page.get_by_role("heading", name="two")).to_be_visible()
    page.get_by_title("take this wire off").tap()
    until_text(page, server.at, GRAPH.replace("image: $one, ", ""))
    x, y = middle(box(page, "two").locator(".head"))
    touch(page, (x, y), hold=700)
    expect(page.get_by_role("dialog").get_by_role("option", name="Rename")).to_be_visible()
    page.keyboard.press("Escape")
    for label in ("output output of one", "input image of two"):
        port(page, label).tap()
    until_text(page, server.at, GRAPH.replace("image: $one, size: 8", "size: 8, image: $one"))
    page.get_by_role("button", name="Run", exact=True).tap()
    picture(page)


def test_nothing_moves_where_that_is_not_wanted(like: Any) -> None:
    slow = """least => [...document.querySelectorAll("*")].filter(one => {
      const {transitionDuration, animationDuration, animationName} = getComputedStyle(one);
      const times = [transitionDuration, animationName === "none" ? "0s" : animationDuration];
      return times.join(", ").split(", ").some(time => parseFloat(time) > least);
    }).map(one => one.className)"""
    assert like("moved.yaml").evaluate(slow, 0.15) == []
    assert like("still.yaml", reduced_motion="reduce").evaluate(slow, 0) == []
