"""The editor opens on a graph that runs."""

import re
from typing import Any

from playwright.sync_api import expect


def test_it_opens_on_a_graph_and_draws_a_picture(page: Any) -> None:
    text = page.get_by_label("text of the graph")
    expect(text).to_have_value(re.compile("steps:"))
    text.fill(re.sub(r"default: 50", "default: 2", text.input_value()))
    page.get_by_role("button", name="Run").click()
    page.get_by_role("img", name="image").wait_for(timeout=120_000)
