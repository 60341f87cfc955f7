"""Photograph the editor for the README and docs/editor.md: `python docs/make_screenshots.py`, with Debian's Chromium."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

PICTURES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
SIZE = {"width": 1440, "height": 900}


@contextmanager
def served() -> Iterator[str]:
    """The address that opens the editor of a server in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "graphs"
        folder.mkdir()
        words = [sys.executable, "-m", "nodegraph", "serve", str(folder), "--port", "0"]
        words += ["--workers", "cpu", "--state", str(Path(name) / "state")]
        server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            yield next(line for line in server.stderr if "open once" in line).split()[-1]
        finally:
            server.terminate()
            server.wait()


def photograph(page: Any, name: str) -> None:
    """Keep what the page shows."""
    page.screenshot(path=PICTURES / f"{name}.png")


def run(page: Any) -> None:
    """Run the graph that is open, to its end."""
    page.get_by_role("button", name="Run", exact=True).click()
    cancel = page.get_by_role("button", name="Cancel", exact=True)
    cancel.wait_for()
    cancel.wait_for(state="hidden", timeout=120_000)
    page.wait_for_timeout(2_000)


def visit(page: Any, path: str) -> None:
    """Show what an address of the editor names."""
    page.evaluate("path => location.hash = '#/' + path", path)
    page.wait_for_timeout(2_000)


def paint(page: Any) -> None:
    """Paint over a picture what is to change."""
    visit(page, "glide/inpaint")
    page.get_by_label("image", exact=True).set_input_files(PICTURES / "gallery/source.png")
    page.get_by_role("button", name="Paint", exact=True).click()
    sheet = page.locator(".sheet")
    sheet.wait_for()
    box = sheet.bounding_box()
    for _ in range(4):
        page.keyboard.press("]")
    for n, (x, y) in enumerate(((0.8, 0.3), (0.8, 0.75), (0.75, 0.3), (0.85, 0.3))):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
        if not n:
            page.mouse.down()
    page.mouse.up()
    photograph(page, "editor_mask")
    page.get_by_role("button", name="Use this mask").click()


def main() -> None:
    """The editor after a run, light and dark; a mask being painted; the same graph without wires; where one begins."""
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(address)
        run(page)
        photograph(page, "editor")
        page.emulate_media(color_scheme="dark")
        page.wait_for_timeout(500)
        photograph(page, "editor_dark")
        page.emulate_media(color_scheme="light")
        paint(page)
        visit(page, "glide/inpaint?app")
        page.get_by_label("prompt", exact=True).fill("a red heart to the left of a blue star")
        run(page)
        photograph(page, "editor_app")
        visit(page, "start")
        photograph(page, "editor_start")
        browser.close()


if __name__ == "__main__":
    main()
