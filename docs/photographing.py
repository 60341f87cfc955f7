"""What the pictures of the editor are taken with: a server in a folder of its own, and a page of Debian's Chromium."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[1]
PICTURES = Path(__file__).parent / "images"
CHROMIUM = "/usr/bin/chromium"
SEEN = (
    "[...document.images].filter(one => one.src && one.getBoundingClientRect().top <= innerHeight)"
)
LONG = 300_000.0
"""Milliseconds in which a run must end."""


@contextmanager
def served() -> Iterator[tuple[str, Path]]:
    """The address that opens the editor of a server once, and the folder that it serves; it has run nothing yet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "graphs"
        folder.mkdir()
        words = [
            "env",
            f"NODEGRAPH_CACHE={name}/cache",
            sys.executable,
            "-m",
            "nodegraph",
            "serve",
            str(folder),
            "--port",
            "0",
        ]
        words += ["--workers", "cpu", "--state", str(Path(name) / "state")]
        server = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        try:
            yield next(line for line in server.stderr if "open once" in line).split()[-1], folder
        finally:
            server.terminate()
            server.wait()


@contextmanager
def page_of(door: str, width: int, height: int) -> Iterator[Page]:
    """A page that a server has let in."""
    expect.set_options(timeout=LONG)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.set_default_timeout(LONG)
        page.goto(door)
        yield page
        browser.close()


def visit(page: Page, path: str) -> None:
    """Open a graph, or another page of the editor, anew."""
    at = re.match(r"[^#]*", page.url)
    page.goto("about:blank")
    page.goto(f"{at and at[0]}#/{path}")


def box(page: Page, name: str) -> Any:
    """A box of the canvas by its name."""
    return page.locator(f'.react-flow__node[data-id="{name}"]')


def judged(page: Page) -> None:
    """Wait until the graph is there, with what the check says of it."""
    expect(page.locator(".react-flow__node").first).to_be_visible(timeout=LONG)
    expect(page.locator(".stale")).to_have_count(0)


def begin(page: Page) -> None:
    """Run the graph that is open."""
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("button", name="Cancel", exact=True).wait_for()


def end(page: Page) -> None:
    """Wait for the end of the run."""
    page.get_by_role("button", name="Run", exact=True).wait_for()


def loaded(page: Page) -> None:
    """Wait until the pictures in sight and the letters are there. What is loaded lazily is `complete` before it has begun."""
    page.wait_for_function(
        f"() => {SEEN}.every(one => one.naturalWidth) && document.fonts.status === 'loaded'"
    )
    page.evaluate(f"() => Promise.all({SEEN}.map(one => one.decode()))")
