"""Record the loop of the README: a wrong wire is refused, the right one drawn, the graph run. `make pictures`.

Each frame is a photograph of the page that stands for as long as is said here, so that the loop is as long on any machine.
"""

import io
import time
from pathlib import Path
from typing import Any

from photographing import PICTURES, ROOT, begin, box, judged, loaded, page_of, served, visit
from PIL import Image
from playwright.sync_api import Page, expect

SIZE = (1360, 480)
LONGEST, LARGEST = 12.0, 3_000_000
STEP = 50
"""Milliseconds for each place of the mouse."""
TICK = 220
"""Milliseconds for each picture of a run."""
MOST = 12
"""Pictures of a run, at most."""
MOUSE = """() => {
  const arrow = document.createElement("div");
  const shape = '<path d="M2 1v18l5-5 3 8 3-1-3-8h7z" fill="#000" stroke="#fff"/>';
  arrow.innerHTML = `<svg width="20" height="24" viewBox="0 0 20 24">${shape}</svg>`;
  arrow.style.cssText = "position:fixed;z-index:99;pointer-events:none;left:-99px";
  document.body.append(arrow);
  window.addEventListener("mousemove", (event) => {
    arrow.style.left = event.clientX - 2 + "px";
    arrow.style.top = event.clientY - 1 + "px";
  }, true);
}"""


class Film:
    """Pictures of a page, each with the milliseconds that it stands for."""

    def __init__(self, page: Page) -> None:
        self.page, self.at = page, (SIZE[0] * 0.7, SIZE[1] * 0.9)
        self.frames: list[tuple[Image.Image, int]] = []

    def take(self, milliseconds: int) -> None:
        """Keep what the page shows now."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append((picture, milliseconds))

    def go(self, place: tuple[float, float], steps: int = 7) -> None:
        """Move the mouse there, seen on its way."""
        (x, y), (u, v) = self.at, place
        for step in range(1, steps + 1):
            share = step / steps
            self.page.mouse.move(x + (u - x) * share, y + (v - y) * share)
            self.take(STEP)
        self.at = place

    def thin(self, since: int) -> None:
        """Keep of the pictures since one as many as there may be of a run, evenly."""
        taken = self.frames[since:]
        self.frames[since:] = taken[:: -(-len(taken) // MOST)]

    def write(self, path: Path) -> None:
        """Write the loop. Raises ValueError where it is too long or too large."""
        length = sum(time for _, time in self.frames) / 1000
        (first, _), *rest = self.frames
        others = [picture for picture, _ in rest]
        first.save(
            path,
            save_all=True,
            append_images=others,
            duration=[time for _, time in self.frames],
            loop=0,
            quality=80,
            method=3,
        )
        if length > LONGEST or path.stat().st_size > LARGEST:
            raise ValueError(f"{path.name}: {length:.1f} s and {path.stat().st_size:,} bytes")


def middle(thing: Any) -> tuple[float, float]:
    """The place of the middle of a thing."""
    place = thing.bounding_box()
    return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2


def wire(film: Film, source: str, target: str) -> None:
    """Draw a wire; before it is let go one sees what is said of it."""
    ends = [film.page.get_by_label(name, exact=True) for name in (source, target)]
    film.go(middle(ends[0]))
    film.page.mouse.down()
    film.go(middle(ends[1]), steps=10)
    film.take(900)
    film.page.mouse.up()


def run(film: Film) -> None:
    """Run the graph to its picture."""
    film.go(middle(film.page.get_by_role("button", name="Run", exact=True)))
    begin(film.page)
    made = film.page.get_by_role("img", name="output image", exact=True)
    before = len(film.frames)
    while not made.count():
        film.take(TICK)
        time.sleep(TICK / 1000)
    expect(film.page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    loaded(film.page)
    film.thin(before)
    film.take(1_800)


def main() -> None:
    """The graph of the README, guided away from its own prompt by mistake."""
    text = (ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    with served() as (door, folder), page_of(door, *SIZE) as page:
        (folder / "glide.yaml").write_text(text.replace("uncond: $uncond", "uncond: $cond"))
        judged(page)
        visit(page, "glide.yaml")
        page.get_by_role("button", name="Text", exact=True).click()
        judged(page)
        page.evaluate(MOUSE)
        film = Film(page)
        film.take(600)
        wire(film, "output output of empty", "input uncond of guided")
        film.take(1_200)
        wire(film, "output output of uncond", "input uncond of guided")
        expect(box(page, "uncond").locator(".faults")).to_have_count(0)
        judged(page)
        film.take(700)
        run(film)
        film.write(PICTURES / "editor.webp")


if __name__ == "__main__":
    main()
