"""The editor can be used with other means than eyes and a mouse, as axe reads its pages."""

from pathlib import Path
from typing import Any

import pytest
from pages import box, opened
from playwright.sync_api import expect

AXE = Path(__file__).parents[2] / "server/web/node_modules/axe-core/axe.min.js"
READ = """axe.run().then(found => found.violations.filter(one => ['serious', 'critical'].includes(one.impact))
  .map(one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 200)).slice(0, 3).join(' | ')))"""


def serious(page: Any) -> list[str]:
    """What axe finds that keeps people out."""
    page.evaluate(AXE.read_text())
    return page.evaluate(READ)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page: Any, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    opened(page)
    assert serious(page) == []
    box(page, "small").click()
    assert serious(page) == []
    page.keyboard.press("Space")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Runs").click()
    assert serious(page) == []
    page.get_by_role("button", name="Graphs").click()
    expect(page.get_by_text("GLIDE, guided by CLIP")).to_be_visible()
    assert serious(page) == []


def test_nothing_is_cut_off_at_twice_the_size(page: Any) -> None:
    opened(page)
    page.set_viewport_size({"width": 720, "height": 450})
    for name in ("Graphs", "Text", "Runs", "commands", "Run"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
