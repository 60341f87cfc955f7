"""A mask is painted over a picture by mouse, by keys, by touch, and what is not painted stays as it is."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import box, opened, until, visit
from PIL import Image
from playwright.sync_api import expect

SOURCE = Path(__file__).parents[2] / "docs/images/gallery/source.png"


@pytest.fixture
def painting(page: Any, server: Any) -> Any:
    """The painter over a picture of two shapes."""
    visit(page, server.at, "glide/inpaint")
    opened(page, "kept")
    page.get_by_label("image", exact=True).set_input_files(SOURCE)
    page.get_by_role("button", name="Paint", exact=True).click()
    expect(stage(page)).to_be_focused()
    return page


def stage(page: Any) -> Any:
    """The picture under the brush."""
    return page.get_by_role("application", name="the picture")


def drag(page: Any, *shares: tuple[float, float]) -> None:
    """Paint along places, in shares of the picture."""
    sheet = page.locator(".sheet").bounding_box()
    places = [
        (sheet["x"] + x * sheet["width"], sheet["y"] + y * sheet["height"]) for x, y in shares
    ]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def used(page: Any) -> None:
    """Take the mask that is painted."""
    page.get_by_role("button", name="Use this mask").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def mask_of(page: Any, at: str) -> np.ndarray:
    """The mask that the form shows, as the graph reads it: 1 = known."""
    address = page.get_by_role("img", name="mask of image").get_attribute("src")
    content = page.request.get(f"{at}/{address}").body()
    return np.asarray(Image.open(io.BytesIO(content)).convert("L")) / 255


def test_the_painted_part_is_made_anew_and_the_rest_stays(painting: Any, server: Any) -> None:
    drag(painting, (0.75, 0.1), (0.75, 0.9))
    for _ in range(3):
        painting.keyboard.press("]")
    drag(painting, (0.9, 0.0), (0.7, 0.5), (0.9, 1.0))
    expect(painting.get_by_role("status").last).to_contain_text("% of the picture changes")
    used(painting)
    mask = mask_of(painting, server.at)
    assert mask.shape == (128, 128)
    assert mask[:, :40].all() and not mask[20:100, 96].any()
    painting.get_by_label("prompt", exact=True).fill("a red heart to the left of a blue star")
    painting.get_by_label("steps", exact=True).fill("20")
    painting.keyboard.press("Control+Enter")
    result = painting.get_by_role("img", name="result image")
    result.wait_for(timeout=180_000)
    made = painting.request.get(f"{server.at}/{result.get_attribute('src')}").body()
    pixels = np.asarray(Image.open(io.BytesIO(made)).convert("RGB")).astype(int)
    source = np.asarray(Image.open(SOURCE).convert("RGB")).astype(int)
    apart = np.abs(pixels - source).max(2)
    assert apart[mask == 1].max() <= 2
    assert (apart[mask == 0] > 60).mean() > 0.05


def test_a_mask_is_painted_by_keys_alone_and_undone(painting: Any, server: Any) -> None:
    status = painting.get_by_role("status").last
    painting.keyboard.press("Space")
    expect(status).to_contain_text("changes")
    first = status.text_content()
    painting.keyboard.press("e")
    painting.keyboard.press("[")
    painting.keyboard.press("Space")
    expect(status).not_to_have_text(first)
    painting.keyboard.press("Control+z")
    expect(status).to_have_text(first)
    painting.keyboard.press("b")
    painting.keyboard.down("Space")
    for _ in range(4):
        painting.keyboard.press("ArrowRight")
    painting.keyboard.up("Space")
    painting.keyboard.press("i")
    painting.keyboard.press("Control+Enter")
    expect(painting.get_by_role("dialog")).to_have_count(0)
    mask = mask_of(painting, server.at)
    assert mask[64, 64] == 1 and mask[64, 84] == 1 and mask[4, 4] == 0


def test_a_mask_is_painted_further_and_a_cancelled_one_is_not_lost(
    painting: Any, server: Any
) -> None:
    drag(painting, (0.2, 0.2), (0.4, 0.2))
    painting.get_by_role("button", name="Cancel").click()
    expect(painting.get_by_text("mask of image")).to_have_count(0)
    painting.get_by_role("button", name="Paint", exact=True).click()
    expect(painting.get_by_role("status").last).to_contain_text("changes")
    used(painting)
    painting.get_by_role("button", name="Paint on").click()
    drag(painting, (0.2, 0.8), (0.4, 0.8))
    used(painting)
    until(lambda: not mask_of(painting, server.at)[102, 40])
    assert not mask_of(painting, server.at)[25, 40]
    painting.keyboard.press("Control+z")
    expect(box(painting, "kept")).to_be_visible()


def test_one_finger_paints_and_two_pan(painting: Any) -> None:
    tools = painting.context.new_cdp_session(painting)
    sheet = painting.locator(".sheet").bounding_box()
    middle = {"x": sheet["x"] + sheet["width"] / 2, "y": sheet["y"] + sheet["height"] / 2}
    other = {"x": middle["x"] + 80, "y": middle["y"]}

    def touch(kind: str, *points: dict[str, float]) -> None:
        fingers = [{**point, "id": number} for number, point in enumerate(points)]
        tools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", middle)
    touch("touchMove", {**middle, "x": middle["x"] + 40})
    touch("touchEnd")
    status = painting.get_by_role("status").last
    expect(status).to_contain_text("changes")
    painted = status.text_content()
    touch("touchStart", middle)
    touch("touchStart", middle, other)
    for step in range(1, 6):
        touch("touchMove", *({"x": p["x"] + 12 * step, "y": p["y"]} for p in (middle, other)))
    touch("touchEnd")
    expect(status).to_have_text(painted)
    moved = painting.locator(".sheet").bounding_box()
    assert moved["x"] - sheet["x"] > 40 and abs(moved["width"] - sheet["width"]) < 8
