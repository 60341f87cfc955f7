"""What the editor costs in a browser on a graph of 300 nodes: opening, dragging, typing, a thousand edits, eight tabs.

`python benchmarks/editor.py [--nodes N] [--edits N]`: prints a table in Markdown. Times are medians, of the wall; the
processor time of the pages stands beside, which other work on the machine lengthens less.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

TOKEN = "a token of the benchmarks"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
DRAWN = """nodes => new Promise(done => {
  const look = () => {
    const last = document.querySelectorAll('.react-flow__node')
    const seen = last.length >= nodes && getComputedStyle(last[0]).visibility === 'visible'
    seen ? requestAnimationFrame(() => done(performance.now())) : requestAnimationFrame(look)
  }
  look()
})"""
FRAMES = """() => {
  window.frames_ = []
  const look = time => { window.frames_.push(time); window.looking = requestAnimationFrame(look) }
  look(performance.now())
}"""
TYPED = """() => {
  window.typed = []
  let begun = 0
  addEventListener('keydown', event => { begun = event.timeStamp }, true)
  new MutationObserver(() => {
    const mine = begun
    begun = 0
    if (mine) requestAnimationFrame(() => window.typed.push(performance.now() - mine))
  }).observe(document.querySelector('.react-flow__nodes'), { subtree: true, childList: true, characterData: true })
}"""

BEHIND = "Object.defineProperty(document, 'hidden', { get: () => true })"
"""Of a tab behind another one. Without a screen Chromium says of every tab that it is seen."""


def wide(nodes: int) -> str:
    """A graph of so many nodes and an output: rows of pictures, each pasted onto one of the row before."""
    rows = [
        f"  n{k}: {{type: shapes_scene, size: 16, caption: a red circle}}\n"
        if k < 20
        else f"  n{k}: {{type: paste, image: $n{k - 20}, onto: $n{k - 19}}}\n"
        for k in range(nodes)
    ]
    return f"graph: 1\nnodes:\n{''.join(rows)}outputs: {{o: $n{nodes - 1}}}\n"


class Server:
    """A server in a process of its own over a folder with one graph."""

    def __init__(self, place: Path, nodes: int) -> None:
        self.folder = place / "graphs"
        self.folder.mkdir()
        (self.folder / "wide.yaml").write_text(wide(nodes), "utf-8")
        command = [sys.executable, "-m", "nodegraph", "serve", str(self.folder), "--port", "0"]
        command += ["--state", str(place / "state"), "--token", TOKEN, "--workers", "cpu"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while not (found := re.search(r"open once: (\S+)", self.process.stderr.readline())):
            assert self.process.poll() is None, "the server did not start"
        self.door = found[1]
        self.at = re.match(r"https?://[^/]+", self.door)[0]  # type: ignore[index]


class Page:
    """The editor on the graph, in a tab."""

    def __init__(self, context: Any, server: Server, nodes: int) -> None:
        self.page, self.server, self.nodes = context.new_page(), server, nodes
        self.tools = context.new_cdp_session(self.page)
        self.tools.send("Performance.enable")
        self.system = context.browser.new_browser_cdp_session()

    def open(self) -> float:
        """Milliseconds until all boxes are drawn, from the request of the page."""
        if self.page.url == "about:blank":
            self.page.goto(f"{self.server.at}/#/wide.yaml", wait_until="commit")
        else:
            self.page.reload(wait_until="commit")
        return self.page.evaluate(DRAWN, self.nodes + 1)

    def settle(self) -> None:
        """Wait until the text is there and the check has come."""
        self.page.get_by_label("text of the graph").wait_for()
        self.page.wait_for_function("!document.querySelector('.canvas.stale')")

    def cpu(self) -> float:
        """Milliseconds of processor that all pages took until now, with collecting garbage and drawing."""
        all = self.system.send("SystemInfo.getProcessInfo")["processInfo"]
        return 1e3 * sum(one["cpuTime"] for one in all if one["type"] == "renderer")

    def metrics(self) -> dict[str, float]:
        found = self.tools.send("Performance.getMetrics")["metrics"]
        return {one["name"]: one["value"] for one in found}

    def heap(self) -> float:
        """Megabytes of JavaScript that are not garbage."""
        for _ in range(2):
            self.tools.send("HeapProfiler.collectGarbage")
        return self.metrics()["JSHeapUsedSize"] / 1e6

    def drag(self, seconds: float = 3.0) -> tuple[float, float, float]:
        """Frames a second while a node is dragged, the longest time between two in ms, and processor a frame in ms."""
        place = self.page.locator('.react-flow__node[data-id="n150"] .head').bounding_box()
        x, y = place["x"] + 4, place["y"] + 2
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + 5, y + 5, steps=3)
        self.page.evaluate(FRAMES)
        begun, step = self.cpu(), 0
        while self.page.evaluate("frames_.at(-1) - frames_[0]") < 1e3 * seconds:
            for _ in range(10):
                step += 1
                mouse.move(x + step % 80, y + step % 50)
        spent = self.cpu() - begun
        times = self.page.evaluate("(cancelAnimationFrame(looking), frames_)")
        mouse.up()
        gaps = [b - a for a, b in pairwise(times)]
        return 1e3 * len(gaps) / sum(gaps), max(gaps), spent / len(gaps)

    def strokes(self, number: int = 30) -> tuple[float, float]:
        """Milliseconds from a key in the text to the canvas that shows it, and of processor for each."""
        self.reach("  n10:")
        self.page.evaluate(TYPED)
        begun = self.cpu()
        for k in range(number):
            self.page.keyboard.press("Backspace" if k % 2 else "7")
            self.page.wait_for_function(f"typed.length > {k}")
        return statistics.median(self.page.evaluate("typed")), (self.cpu() - begun) / number

    def reach(self, text: str) -> None:
        """Put the cursor before the last character of a line."""
        self.page.get_by_label("text of the graph").click()
        self.page.keyboard.press("Control+Home")
        for _ in range(wide(self.nodes).split(text)[0].count("\n")):
            self.page.keyboard.press("ArrowDown")
        self.page.keyboard.press("End")
        self.page.keyboard.press("ArrowLeft")

    def edit(self, times: int) -> None:
        """Type so many changes, each of them drawn."""
        for k in range(times):
            self.page.keyboard.press("Backspace" if k % 2 else "7")

    def save(self) -> float:
        """Milliseconds that a Save takes, as the page sees it."""
        self.page.keyboard.press("7")
        self.page.wait_for_timeout(500)
        self.page.evaluate("performance.clearResourceTimings()")
        self.page.keyboard.press("Control+s")
        wanted = "performance.getEntriesByType('resource').find(e => e.name.endsWith('/save'))"
        return self.page.wait_for_function(f"{wanted}?.duration").json_value()


def median(call: Callable[[], float], times: int) -> float:
    return statistics.median(call() for _ in range(times))


def measured(
    context: Any, server: Server, nodes: int, edits: int
) -> Iterator[tuple[str, str, str]]:
    """What is measured, what was found, and what is asked."""
    page = Page(context, server, nodes)
    first = page.open()
    page.settle()
    begun = page.cpu()
    found = median(page.open, 5)
    spent = (page.cpu() - begun) / 5
    told = f"{found / 1e3:.2f} s; first {first / 1e3:.2f} s; {spent / 1e3:.2f} s of CPU"
    yield "open, until all boxes are drawn", told, "1.5 s"
    page.settle()
    frames, longest, spent = page.drag()
    told = f"{frames:.0f}; longest frame {longest:.0f} ms; {spent:.0f} ms of CPU a frame"
    yield "frames/s while a node is dragged", told, "30"
    found, spent = page.strokes()
    yield "key in the text → canvas", f"{found:.0f} ms; {spent:.0f} ms of CPU", "100 ms"
    page.edit(edits // 5)
    before = page.heap()
    page.edit(edits)
    told = f"{page.heap() - before:+.1f} MB of {before:.0f}"
    yield f"memory over {edits:,} edits", told, "0"
    tabs = [Page(context, server, nodes) for _ in range(7)]
    for tab in tabs:
        tab.page.add_init_script(BEHIND)
        tab.open()
    page.page.bring_to_front()
    yield "a Save with eight tabs", f"{median(page.save, 9):.0f} ms", "100 ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=300)
    parser.add_argument("--edits", type=int, default=1_000)
    options = parser.parse_args()
    if not Path(CHROMIUM).is_file():
        sys.exit(f"there is no {CHROMIUM}: apt-get install chromium, or let CHROMIUM name another")
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = Server(place, options.nodes)
        stack.callback(server.process.wait)
        stack.callback(server.process.terminate)
        tool = stack.enter_context(sync_playwright())
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        context = browser.new_context(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        context.set_default_timeout(120_000)
        context.new_page().goto(server.door)
        print("| what | found | asked |\n|---|---|---|")
        for what, found, asked in measured(context, server, options.nodes, options.edits):
            print(f"| {what} | {found} | {asked} |", flush=True)


if __name__ == "__main__":
    main()
