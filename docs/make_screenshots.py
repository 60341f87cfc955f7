"""Photograph the editor for the README and docs/editor.md: `make pictures`."""

from pathlib import Path
from typing import Any

from photographing import PICTURES, begin, box, end, judged, loaded, page_of, served, visit
from playwright.sync_api import Page, expect

GLIDE = "glide/text_to_image"
FAULTY = {
    "type: clip_x0,": "type: clip_xo,",
    "cond: $cond": "cond: $text",
    "steps: $steps": "stpes: $steps",
}
STROKE = ((0.8, 0.3), (0.8, 0.75), (0.75, 0.3), (0.85, 0.3))


def photograph(page: Page, name: str) -> None:
    """Keep what the page shows when nothing is loaded any more."""
    loaded(page)
    page.screenshot(path=PICTURES / f"{name}.png")


def start(page: Page) -> None:
    """The page where one begins."""
    visit(page, "start")
    page.locator(".card img").first.wait_for()
    photograph(page, "editor_start")


def empty(page: Page) -> None:
    """A graph with nothing in it."""
    page.get_by_role("button", name="New graph").click()
    page.get_by_role("button", name="Run", exact=True).wait_for()
    photograph(page, "editor_empty")


def running(page: Page) -> None:
    """GLIDE while it runs and after, light and dark."""
    visit(page, GLIDE)
    judged(page)
    begin(page)
    box(page, "small").get_by_role("img", name="preview of small").wait_for()
    photograph(page, "editor_running")
    end(page)
    photograph(page, "editor")
    page.emulate_media(color_scheme="dark")
    photograph(page, "editor_dark")
    page.emulate_media(color_scheme="light")


def error(page: Page, folder: Path) -> None:
    """Three faults, each at its place."""
    text = (Path(__file__).parents[1] / f"graphs/{GLIDE}.yaml").read_text()
    for good, bad in FAULTY.items():
        text = text.replace(good, bad)
    (folder / "faulty.yaml").write_text(text)
    visit(page, "faulty.yaml")
    box(page, "guided").locator(".faults").wait_for()
    box(page, "guided").click()
    photograph(page, "editor_error")


def sweep(page: Page) -> None:
    """The sheet of three scales and three seeds."""
    visit(page, GLIDE)
    judged(page)
    asked = {
        "graph": GLIDE,
        "inputs": {"steps": 20},
        "each": {"guidance": [1, 3, 8], "seed": [1, 2, 3]},
    }
    base = page.url.split("#")[0]
    job = page.request.post(f"{base}api/v1/jobs", data=asked).json()["id"]
    while page.request.get(f"{base}api/v1/jobs/{job}").json()["state"] != "done":
        page.wait_for_timeout(500)
    page.get_by_role("button", name="Runs", exact=True).click()
    page.get_by_title("show this run").first.click()
    expect(page.get_by_role("region", name="sheet", exact=True).locator("td img")).to_have_count(9)
    photograph(page, "editor_sweep")


def mask(page: Page) -> None:
    """What is to be made anew is painted, and the same graph without wires."""
    visit(page, "glide/inpaint")
    judged(page)
    page.get_by_label("image", exact=True).set_input_files(PICTURES / "gallery/source.png")
    page.get_by_role("button", name="Paint", exact=True).click()
    page.get_by_role("application", name="the picture").wait_for()
    for _ in range(4):
        page.keyboard.press("]")
    paint(page, page.locator(".sheet").bounding_box())
    photograph(page, "editor_mask")
    page.get_by_role("button", name="Use this mask").click()
    page.evaluate("location.hash += '?app'")
    page.locator(".app").wait_for()
    page.get_by_label("prompt", exact=True).fill("a red heart to the left of a blue star")
    begin(page)
    end(page)
    page.locator(".before img").first.wait_for()
    photograph(page, "editor_app")


def paint(page: Page, sheet: Any) -> None:
    """Draw along places of the picture."""
    places = [
        (sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"]) for x, y in STROKE
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def main() -> None:
    """All pictures."""
    with served() as (door, folder), page_of(door, 1440, 900) as page:
        judged(page)
        start(page)
        empty(page)
        running(page)
        error(page, folder)
        sweep(page)
        mask(page)


if __name__ == "__main__":
    main()
