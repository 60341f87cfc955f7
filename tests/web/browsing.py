"""A server in a process of its own, and browsers that it lets in."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.security import cookie_of

ROOT = Path(__file__).parents[2]
WIDTH, HEIGHT = 1440, 900


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

    def start(self, *more: str) -> None:
        """Start it, on the same port as before."""
        words = [sys.executable, "-m", "nodegraph", "serve", str(self.folder), "--workers", "cpu"]
        words += ["--state", str(self.state), "--port", str(self.port), *more]
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


@contextmanager
def begun(make: Callable[[str], Path]) -> Iterator[Server]:
    """A server with folders that `make` makes, until its end."""
    found = Server(make("workspace"), make("state"), make("cache"))
    found.start()
    try:
        yield found
    finally:
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


def let_in(browser: Any, server: Server, **options: Any) -> Any:
    """A browser of its own that the server lets in."""
    found = browser.new_context(**{"viewport": {"width": WIDTH, "height": HEIGHT}, **options})
    found.set_default_timeout(60_000)
    token = (server.state / "token").read_text().strip()
    found.add_cookies(
        [{"name": cookie_of(server.state.resolve()), "value": token, "url": server.at}]
    )
    return found
