"""Nodes become a graph of their own, which one node uses in their place, and come back."""

from typing import Any

import yaml
from pages import GRAPH, box, live, path_of, pick, picture, until
from playwright.sync_api import expect

PART = """graph: 1
inputs:
  caption: {type: Text, default: a red circle}
nodes:
  one: {type: shapes_scene, caption: $caption, size: 16}
  two: {type: resize, image: $one, size: 8}  # at the end
outputs:
  two: $two
"""


def command(page: Any, label: str) -> None:
    """Do a command of the palette."""
    page.keyboard.press("Control+k")
    pick(page, label)


def test_nodes_become_a_graph_of_their_own_and_are_put_back(scene: Any, server: Any) -> None:
    name = path_of(scene).replace(".yaml", "_part")
    box(scene, "one").click()
    box(scene, "two").click(modifiers=["Control"])
    command(scene, "make a graph of the selection")
    scene.get_by_role("textbox", name="name of the graph").fill(name)
    scene.keyboard.press("Enter")
    expect(box(scene, name)).to_be_visible()
    assert (server.folder / f"{name}.yaml").read_text() == PART
    until(lambda: f"${name}.two" in live(scene, server.at))
    outer = yaml.safe_load(live(scene, server.at))
    assert outer["nodes"] == {name: {"type": f"./{name}.yaml", "caption": "$caption"}}
    assert outer["outputs"] == {"image": f"${name}.two"}
    scene.keyboard.press("Control+Enter")
    picture(scene)
    command(scene, "put its graph in its place")
    expect(box(scene, "two")).to_be_visible()
    until(lambda: yaml.safe_load(live(scene, server.at)) == yaml.safe_load(GRAPH))


def test_what_cannot_be_a_graph_says_why(scene: Any) -> None:
    box(scene, "two").click()
    command(scene, "make a graph of the selection")
    scene.keyboard.press("Escape")
    scene.keyboard.press("Control+d")
    expect(box(scene, "two_2")).to_be_visible()
    command(scene, "make a graph of the selection")
    expect(scene.get_by_role("alert")).to_have_text("nothing uses what they give: wire that first")
