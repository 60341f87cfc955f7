"""GLIDE is built from an empty canvas to a picture: by the mouse, and by keys alone."""

from typing import Any

import yaml
from pages import (
    box,
    drag,
    draw_wire,
    live,
    middle,
    opened,
    pick,
    picture,
    port,
    tab_to,
    until,
)
from playwright.sync_api import expect

NODES = {
    "text_encoder": {"type": "text_encoder", "model": "$model", "text": "$text"},
    "text_encoder_2": {"type": "text_encoder", "model": "$model", "text": ""},
    "unet_denoiser": {
        "type": "unet_denoiser",
        "model": "$model",
        "conditions": "$text_encoder",
    },
    "unet_denoiser_2": {
        "type": "unet_denoiser",
        "model": "$model",
        "conditions": "$text_encoder_2",
    },
    "classifier_free_guidance": {
        "type": "classifier_free_guidance",
        "cond": "$unet_denoiser",
        "uncond": "$unet_denoiser_2",
    },
    "clip_x0": {"type": "clip_x0", "denoiser": "$classifier_free_guidance"},
    "noise_scheduler": {"type": "noise_scheduler", "model": "$model", "steps": 2},
    "ancestral_sampler": {
        "type": "ancestral_sampler",
        "denoiser": "$clip_x0",
        "schedule": "$noise_scheduler",
    },
    "upsampler": {
        "type": "upsampler",
        "model": "shapes/glide/upsample",
        "image": "$ancestral_sampler",
        "text": "$text",
        "steps": 2,
    },
}


def is_glide(page: Any, at: str) -> bool:
    """Whether the draft says what the shipped graph says, but for steps and names."""
    graph = yaml.safe_load(live(page, at))
    return graph["nodes"] == NODES and graph["outputs"] == {"image": "$upsampler"}


class Mouse:
    """What is done to the canvas with a mouse; letters and numbers are typed all the same."""

    def __init__(self, page: Any) -> None:
        self.page, self.form = page, page.get_by_label("values")

    def choose(self, typed: str, made: str = "") -> None:
        """Click on the first choice of what is typed, and see what it makes."""
        dialog = self.page.get_by_role("dialog")
        dialog.get_by_role("combobox").fill(typed)
        dialog.get_by_role("option").first.click()
        expect(dialog).to_have_count(0)
        if made:
            expect(box(self.page, made)).to_be_visible()

    def add(self, typed: str, x: float, y: float, made: str) -> None:
        """Add a node at a place of the canvas."""
        self.page.mouse.dblclick(x, y)
        self.choose(typed, made)

    def grow(self, source: str, typed: str, made: str, dx: float = 40, dy: float = -60) -> None:
        """Draw a wire from a port over nothing, and choose what it goes on in."""
        x, y = middle(port(self.page, source))
        drag(self.page, (x, y), (x + dx, y + dy))
        self.choose(typed, made)

    def wire(self, source: str, target: str, which: str = "") -> None:
        """Draw a wire to a port, or over a box, which asks for the port."""
        wires = self.page.locator(".react-flow__edge")
        before = wires.count()
        draw_wire(
            self.page,
            port(self.page, source),
            box(self.page, target) if which else port(self.page, target),
        )
        if which:
            self.choose(which)
        expect(wires).to_have_count(before + 1)

    def value(self, label: str, text: str) -> None:
        """Write a value into the form, where it may have to be unfolded."""
        field = self.form.get_by_label(label, exact=True)
        more = self.form.get_by_role("button", name="more")
        if not field.count() and more.count():
            more.click()
        field.fill(text)

    def zoom_out(self, name: str) -> None:
        """Turn the wheel until there is room."""
        wide = box(self.page, name).bounding_box()["width"]
        self.page.mouse.move(*middle(self.page.locator(".react-flow__pane")))
        self.page.mouse.wheel(0, 500)
        until(lambda: box(self.page, name).bounding_box()["width"] < wide * 0.6)


def new_graph(page: Any) -> Mouse:
    """An empty canvas, all of the window."""
    opened(page).get_by_role("button", name="Graphs").click()
    page.get_by_role("button", name="New graph").click()
    expect(page.get_by_label("state of the document")).to_have_text("draft")
    page.get_by_role("button", name="Text", exact=True).click()
    return Mouse(page)


def test_glide_is_built_by_mouse(page: Any, server: Any) -> None:
    mouse = new_graph(page)
    conditions(mouse)
    guidance(mouse)
    sampler(mouse)
    until(lambda: is_glide(page, server.at))
    page.locator(".react-flow__pane").click(position={"x": 16, "y": 16})
    mouse.value("text", "a red circle")
    page.get_by_role("button", name="Run", exact=True).click()
    picture(page)


def conditions(mouse: Mouse) -> None:
    """The two branches: a text, and an empty one."""
    mouse.add("text encoder", 700, 200, "text_encoder")
    mouse.value("model", "shapes/glide/base")
    for name in ("model", "text"):
        mouse.form.get_by_title(f"make {name} an input of the graph").click()
        expect(box(mouse.page, name)).to_be_visible()
    mouse.zoom_out("text_encoder")
    x, y = middle(box(mouse.page, "text_encoder"))
    drag(mouse.page, (x, y - 20), (500, 250))
    mouse.grow("output output of text_encoder", "unet denoiser", "unet_denoiser")
    mouse.wire("graph input model", "input model of unet_denoiser")
    mouse.add("text encoder", 450, 450, "text_encoder_2")
    mouse.value("text", "x")
    mouse.page.keyboard.press("Backspace")
    mouse.wire("graph input model", "input model of text_encoder_2")
    mouse.grow("output output of text_encoder_2", "unet denoiser", "unet_denoiser_2")
    mouse.wire("graph input model", "input model of unet_denoiser_2")


def guidance(mouse: Mouse) -> None:
    """What guides one branch away from the other."""
    guiding = "classifier_free_guidance"
    mouse.grow("output output of unet_denoiser", "classifier free guidance", guiding)
    mouse.wire("output output of unet_denoiser_2", f"input uncond of {guiding}")
    mouse.grow(f"output output of {guiding}", "clip x0", "clip_x0")


def sampler(mouse: Mouse) -> None:
    """The two samplers, and the picture."""
    mouse.grow("output output of clip_x0", "ancestral sampler", "ancestral_sampler")
    scheduler = "noise_scheduler"
    mouse.grow("input schedule of ancestral_sampler", "noise scheduler", scheduler, -130, 200)
    expect(mouse.form.get_by_label("kind", exact=True)).to_have_value("")
    mouse.value("steps", "2")
    mouse.wire("graph input model", scheduler, "model")
    mouse.grow("output output of ancestral_sampler", "upsampler", "upsampler")
    mouse.value("model", "shapes/glide/upsample")
    mouse.value("steps", "2")
    mouse.wire("graph input text", "upsampler", "text")
    mouse.grow("output image of upsampler", "output", "output image", 40, 60)


class Keys:
    """What is done to the canvas by keys alone."""

    def __init__(self, page: Any) -> None:
        self.page, self.press = page, page.keyboard.press
        self.form = page.get_by_label("values")
        page.evaluate(
            "['pointerdown', 'mousedown'].forEach(kind =>"
            " window.addEventListener(kind, () => window.pointed = true, true))"
        )

    def push(self, thing: Any) -> None:
        """Go to a button by Tab, and press Enter."""
        tab_to(self.page, thing)
        self.press("Enter")

    def add(self, typed: str, made: str, **wires: str) -> None:
        """Add a node, and wire what feeds its ports."""
        self.press("Space")
        pick(self.page, typed)
        expect(box(self.page, made)).to_be_visible()
        for which, source in wires.items():
            self.press("i")
            pick(self.page, which)
            pick(self.page, source)
            expect(self.page.get_by_role("dialog")).to_have_count(0)

    def value(self, label: str, text: str, *then: str) -> None:
        """Write a value into the form of what is selected, press keys, and go back to its box."""
        self.press("Enter")
        tab_to(self.page, self.form.get_by_label(label, exact=True))
        self.page.keyboard.type(text)
        for key in then:
            self.press(key)
        tab_to(self.page, self.page.locator(".react-flow__node.selected"))


def test_glide_is_built_by_keys_alone(page: Any, server: Any) -> None:
    keys = Keys(opened(page))
    keys.push(page.get_by_role("button", name="Graphs"))
    keys.push(page.get_by_role("button", name="New graph"))
    expect(page.get_by_label("state of the document")).to_have_text("draft")
    keys.add("text encoder", "text_encoder")
    keys.value("model", "shapes/glide/base")
    for name in ("model", "text"):
        keys.press("Enter")
        keys.push(keys.form.get_by_title(f"make {name} an input of the graph"))
    keys.add("text encoder", "text_encoder_2", model="model")
    keys.value("text", "x", "Backspace")
    branches_by_keys(keys)
    keys.add("noise scheduler", "noise_scheduler", model="model")
    keys.value("steps", "2")
    sampler = {"denoiser": "clip_x0", "schedule": "noise_scheduler"}
    keys.add("ancestral sampler", "ancestral_sampler", **sampler)
    keys.add("upsampler", "upsampler", image="ancestral_sampler", text="text")
    keys.value("model", "shapes/glide/upsample")
    keys.value("steps", "2")
    keys.press("c")
    pick(page, "new output")
    until(lambda: is_glide(page, server.at))
    tab_to(page, box(page, "text"))
    keys.value("text", "a red circle")
    keys.press("Control+Enter")
    picture(page)
    assert not page.evaluate("window.pointed")


def branches_by_keys(keys: Keys) -> None:
    """Two branches, one guided away from the other."""
    keys.add("unet denoiser", "unet_denoiser", model="model", conditions="text_encoder")
    keys.add("unet denoiser", "unet_denoiser_2", model="model", conditions="text_encoder_2")
    branches = {"cond": "unet_denoiser", "uncond": "unet_denoiser_2"}
    keys.add("classifier free guidance", "classifier_free_guidance", **branches)
    keys.add("clip x0", "clip_x0", denoiser="classifier_free_guidance")


def test_models_are_found_by_their_name_and_give_nodes_their_parts(page: Any, server: Any) -> None:
    mouse = new_graph(page)
    mouse.add("glide", 500, 200, "models")
    x, y = middle(port(page, "graph input models"))
    drag(page, (x, y), (700, 300))
    page.get_by_role("dialog", name="what takes it").get_by_role("combobox").fill("text encoder")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name="which part").get_by_role("option", name="base").click()
    expect(box(page, "text_encoder")).to_be_visible()
    text = live(page, server.at)
    assert "models: {type: Bundle, default: shapes/glide}" in text
    assert "model: $models.base" in text
    u, v = middle(port(page, "input model of text_encoder"))
    assert abs(u - 700) < 4 and abs(v - 300) < 4, "the port of a new node comes to the pointer"


def test_the_first_node_of_an_empty_graph_stays_where_it_was_put(page: Any) -> None:
    new_graph(page).add("text encoder", 500, 200, "text_encoder")
    place = box(page, "text_encoder").bounding_box()
    assert abs(place["x"] - 500) < 4 and abs(place["y"] - 200) < 4
