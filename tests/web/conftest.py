"""The editor in a real browser, over a server in a process of its own."""

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from server.security import cookie_of

ROOT = Path(__file__).parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTH, HEIGHT = 1440, 900


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Tests are of the editor as its sources say."""
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))
    assert hook["is_built"](ROOT), "the editor is not built from these sources: make web"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium. Without it tests are skipped, but never where CI is set."""
    if not Path(CHROMIUM).is_file():
        assert not os.environ.get("CI"), f"there is no {CHROMIUM}: apt-get install chromium"
        pytest.skip(f"there is no {CHROMIUM}; CHROMIUM names another")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@dataclass
class Server:
    """A server of a workspace, in a process of its own, that can be killed and started again."""

    folder: Path
    state: Path
    cache: Path
    port: int = 0
    process: subprocess.Popen[str] | None = None
    door: str = ""
    at: str = field(init=False, default="")

    def start(self) -> None:
        """Start it, on the same port as before."""
        words = [sys.executable, "-m", "nodegraph", "serve", str(self.folder), "--workers", "cpu"]
        words += ["--state", str(self.state), "--port", str(self.port)]
        self.process = subprocess.Popen(
            words,
            cwd=self.folder,
            stderr=subprocess.PIPE,
            text=True,
            env=self._environment(),
        )
        said = ""
        while "token for programs" not in said:
            line = self.process.stderr.readline()  # type: ignore[union-attr]
            assert line, f"the server ended: {said}"
            said += line
        self.door = re.search(r"open once: (\S+)", said)[1]  # type: ignore[index]
        self.port = int(re.search(r":(\d+)/", self.door)[1])  # type: ignore[index]
        self.at = f"http://127.0.0.1:{self.port}"

    def _environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "NODEGRAPH_CACHE": str(self.cache), "PYTHONPATH": path}

    def stop(self, kill: bool = False) -> None:
        """End it in order, or at once."""
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait(60)
            self.process.stderr.close()  # type: ignore[union-attr]
            self.process = None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a workspace that all tests share, below names of their own."""
    make = tmp_path_factory.mktemp
    found = Server(make("workspace"), make("state"), make("cache"))
    found.start()
    yield found
    found.stop()


@dataclass
class Seen:
    """What a page must not do."""

    errors: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])

    def watch(self, page: Any, host: str) -> None:
        """Look at a page from now on."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.on("request", lambda request: self._asked(request.url, host))

    def _said(self, message: Any) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.errors.append(message.text)

    def _asked(self, url: str, host: str) -> None:
        if not url.startswith((host, "data:", "blob:")):
            self.foreign.append(url)


@pytest.fixture
def context(browser: Any, server: Server) -> Iterator[Any]:
    """A browser that is let in."""
    found = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    found.set_default_timeout(60_000)
    token = (server.state / "token").read_text().strip()
    found.add_cookies(
        [{"name": cookie_of(server.state.resolve()), "value": token, "url": server.at}]
    )
    yield found
    found.close()


@pytest.fixture
def seen() -> Iterator[Seen]:
    """Fails a test whose pages had errors, or asked another host."""
    found = Seen()
    yield found
    assert not found.errors
    assert not found.foreign


@pytest.fixture
def page(context: Any, server: Server, seen: Seen) -> Any:
    """The editor, as a browser opens it first."""
    found = context.new_page()
    seen.watch(found, server.at)
    found.goto(server.at)
    return found
