"""The editor in a real browser, over a server in a process of its own."""

import os
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Seen, Server, begun, let_in
from pages import GRAPH, shown

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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a workspace that all tests share, below names of their own."""
    with begun(tmp_path_factory.mktemp) as found:
        yield found


@pytest.fixture
def context(browser: Any, server: Server) -> Iterator[Any]:
    """A browser that is let in."""
    found = let_in(browser, server)
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


@pytest.fixture
def scene(page: Any, server: Any, tmp_path: Path) -> Any:
    """The editor on a small graph of the workspace, with a file of its own."""
    return shown(page, server, tmp_path, GRAPH, "one")
