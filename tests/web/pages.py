"""What tests do with the editor's page."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import expect

GRAPH = """# kept
graph: 1
title: scenes
inputs: {caption: {type: Text, default: a red circle}}  # kept too
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16}
  two: {type: resize, image: $one, size: 8}  # at the end
outputs: {image: $two}
"""

CONTROLS = ", ".join(
    f"{tag}:visible" for tag in ("a", "button", "input", "select", "summary", "textarea")
)


def opened(page: Any, name: str = "small") -> Any:
    """The page, when its canvas shows a node."""
    expect(box(page, name)).to_be_visible()
    return page


def shown(page: Any, server: Any, folder: Path, text: str, node: str = "one") -> Any:
    """The editor on a text, in a file of the workspace named as a test's own folder, when its canvas shows a node."""
    name = f"{folder.name}.yaml"
    (server.folder / name).write_text(text)
    visit(page, server.at, name)
    return opened(page, node)


def visit(page: Any, at: str, path: str) -> None:
    """Open a graph in a page that is loaded anew."""
    page.goto("about:blank")
    page.goto(f"{at}/#/{path}")


def box(page: Any, name: str) -> Any:
    """A box of the canvas by its name."""
    return page.locator(f'.react-flow__node[data-id="{name}"]')


def port(page: Any, label: str) -> Any:
    """A port of a box by its label: `output model of load`."""
    return page.get_by_label(label, exact=True)


def middle(thing: Any) -> tuple[float, float]:
    """The place of the middle of a thing."""
    place = thing.bounding_box()
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def drag(page: Any, source: tuple[float, float], target: tuple[float, float]) -> None:
    """Press the mouse at one place, and let go at another."""
    (x, y), (u, v) = source, target
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + u) / 2, (y + v) / 2, steps=4)
    page.mouse.move(u, v, steps=8)
    page.mouse.up()


def touch(page: Any, *places: tuple[float, float], hold: float = 0.0) -> None:
    """Touch the screen, go on to other places, stay so many milliseconds, and let go."""
    tools = page.context.new_cdp_session(page)
    for number, (x, y) in enumerate(places):
        kind = "touchMove" if number else "touchStart"
        points = [{"x": x, "y": y}]
        tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(hold)
    tools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def draw_wire(page: Any, source: Any, target: Any) -> None:
    """Draw a wire by the mouse from the middle of one thing to that of another."""
    drag(page, middle(source), middle(target))


def path_of(page: Any) -> str:
    """The path of the open graph, as the address says it."""
    return unquote(page.evaluate("location.hash").removeprefix("#/"))


def live(page: Any, at: str) -> str:
    """The text of the draft as the server has it."""
    return page.request.get(f"{at}/api/v1/live/{path_of(page)}").json()["text"]


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What is found, when there is something."""
    end = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)
    return value


def until_text(page: Any, at: str, wanted: str) -> None:
    """Wait until the server has a text as its draft."""
    end = time.monotonic() + 30.0
    while (text := live(page, at)) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    assert text == wanted, f"the draft is {text!r}, not {wanted!r}"


def write(page: Any, text: str, where: str = "Control+End") -> None:
    """Type into the text of the graph."""
    page.get_by_label("text of the graph").click()
    page.keyboard.press(where)
    page.keyboard.type(text)


def pick(page: Any, typed: str) -> None:
    """Choose from the list that is open."""
    page.get_by_role("dialog").get_by_role("combobox").fill(typed)
    page.keyboard.press("Enter")


def tab_to(page: Any, thing: Any, most: int = 80) -> None:
    """Press Tab until a thing has the focus, as who has no mouse."""
    focused = "e => e === document.activeElement"
    for _ in range(most):
        if thing.count() and thing.evaluate(focused):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {thing}")


def picture(page: Any, name: str = "image") -> Any:
    """The picture of an output of the graph, when it is there."""
    found = page.get_by_role("img", name=f"output {name}", exact=True)
    found.wait_for(timeout=120_000)
    return found


def state(page: Any) -> Any:
    """How the document stands to its file, as the page says it."""
    return page.get_by_label("state of the document")


def deselect(page: Any) -> None:
    """Click on the canvas where nothing is."""
    page.locator(".react-flow__pane").click(position={"x": 16, "y": 16})
