"""Runs in a browser: steps to go through, pictures to look at closely, sweeps, the queue, curves."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import box, middle, opened, path_of, shown, touch, until, visit
from playwright.sync_api import expect
from test_access import both

GLIDE = "glide/text_to_image"


def api(page: Any, at: str, path: str) -> Any:
    """What the server tells at a path of its API."""
    return page.request.get(f"{at}/api/v1/{path}").json()


def drawn(page: Any) -> None:
    """Wait for the picture of the graph that is open."""
    page.get_by_role("img", name="output image", exact=True).wait_for(timeout=120_000)


@pytest.fixture
def run(page: Any, server: Any) -> Iterator[Any]:
    """GLIDE after a run of four steps."""
    opened(page).get_by_label("steps", exact=True).fill("4")
    page.keyboard.press("Control+Enter")
    drawn(page)
    yield page


def source(page: Any) -> str:
    """The address of the picture that the sampler shows."""
    return box(page, "small").get_by_role("img", name="preview of small").get_attribute("src")


def test_one_goes_through_the_steps_of_a_sampler_also_after_a_reload(run: Any, server: Any) -> None:
    (newest,) = api(run, server.at, "jobs?limit=1")["jobs"]
    steps = api(run, server.at, f"jobs/{newest['id']}")["steps"]["small"]
    slider = run.get_by_label("step of small")
    expect(slider).to_have_attribute("aria-valuetext", "step 4 of 4")
    for _ in range(2):
        slider.press("ArrowLeft")
    assert source(run).endswith(steps[1]["preview"])
    box(run, "small").get_by_label("show x_t").click()
    assert source(run).endswith(steps[1]["noisy"])
    run.reload()
    expect(run.get_by_label("step of small")).to_have_attribute("aria-valuetext", "step 4 of 4")
    expect(box(run, "small").locator(".mark")).to_contain_text("done")
    run.get_by_label("step of small").press("Home")
    assert source(run).endswith(steps[0]["preview"])


def test_pictures_are_enlarged_and_compared(run: Any) -> None:
    box(run, "small").get_by_title("enlarge").click()
    viewer = run.get_by_role("dialog", name="steps of small")
    expect(viewer.get_by_role("img", name="steps of small: 4/4")).to_be_visible()
    shown = viewer.locator(".stage img").first
    before = shown.bounding_box()["width"]
    assert before % 32 == 0 and shown.evaluate("e => e.style.imageRendering") == "pixelated"
    shown.hover()
    run.mouse.wheel(0, -200)
    until(lambda: shown.bounding_box()["width"] > before * 1.5)
    run.keyboard.press("0")
    until(lambda: shown.bounding_box()["width"] == before)
    run.keyboard.press("c")
    run.keyboard.press("ArrowLeft")
    expect(viewer.locator(".stage")).to_have_count(2)
    expect(viewer.get_by_text("4/4 and 3/4")).to_be_visible()
    viewer.get_by_label("how to compare").select_option("difference")
    expect(viewer.locator(".stage")).to_have_count(1)
    run.keyboard.press("Escape")
    expect(viewer).to_have_count(0)


def test_a_picture_is_copied_and_opens_what_made_it(run: Any, context: Any, server: Any) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.at)
    run.get_by_role("img", name="output image", exact=True).click()
    viewer = run.get_by_role("dialog", name="GLIDE, text to image")
    viewer.get_by_role("button", name="Copy").click()
    expect(viewer.get_by_text("copied")).to_be_visible()
    kinds = "navigator.clipboard.read().then(found => found.flatMap(one => one.types))"
    assert run.evaluate(kinds) == ["image/png"]
    with run.expect_download() as saved:
        viewer.get_by_text("Download").click()
    assert saved.value.suggested_filename.endswith(".png")
    viewer.get_by_role("button", name="Open what made this").click()
    expect(run.get_by_label("state of the document")).to_have_text("draft")
    expect(run.get_by_label("steps", exact=True)).to_have_value("4")


SCENES = """graph: 1
title: scenes
inputs:
  caption: {type: Text, default: a red circle}
  size:    {type: int, default: 16}
nodes:
  one: {type: shapes_scene, caption: $caption, size: $size}
  two: {type: resize, image: $one, size: 32}
outputs: {image: $two}
"""


@pytest.fixture
def scenes(page: Any, server: Any, tmp_path: Path) -> Any:
    """The editor on a small graph of the workspace."""
    return shown(page, server, tmp_path, SCENES, "one")


def post(page: Any, at: str, path: str, **body: Any) -> Any:
    answer = page.request.post(f"{at}/api/v1/{path}", data=body)
    assert answer.ok, answer.text()
    return answer.json() if answer.text() else None


def test_a_sweep_fills_its_sheet_and_cells_are_looked_at(scenes: Any, server: Any) -> None:
    each = {"caption": ["a blue square", "no such thing"], "size": [16, 24, 32]}
    post(scenes, server.at, "jobs", graph=path_of(scenes), each=each)
    scenes.get_by_role("button", name="Runs", exact=True).click()
    scenes.get_by_title("show this run").first.click()
    sheet = scenes.get_by_role("region", name="sheet", exact=True)
    expect(sheet.get_by_text("6 cells, done · 3 failed")).to_be_visible(timeout=60_000)
    expect(sheet.get_by_role("columnheader")).to_have_text(["16", "24", "32"])
    expect(sheet.get_by_role("rowheader")).to_have_text(["a blue square", "no such thing"])
    expect(sheet.locator("td img")).to_have_count(3)
    assert both(scenes) == []
    sheet.get_by_label("caption a blue square, size 32: done").click()
    drawn(scenes)
    scenes.keyboard.press("ArrowDown")
    scenes.keyboard.press("Enter")
    failed = box(scenes, "one")
    expect(failed.get_by_text("'no such thing' is not a caption")).to_be_visible()
    failed.get_by_role("button", name="Show in text").click()
    expect(scenes.get_by_label("text of the graph")).to_be_visible()
    scenes.get_by_role("button", name="Sheet", exact=True).click()
    scenes.get_by_role("button", name="Enlarge").click()
    viewer = scenes.get_by_role("dialog", name="scenes")
    expect(viewer.get_by_role("option")).to_have_count(3)
    viewer.get_by_role("button", name="Open what made this").click()
    expect(scenes.get_by_label("caption", exact=True)).to_have_value("a blue square")


def test_a_sweep_whose_answer_is_older_than_what_was_heard_is_shown_as_it_is(
    scenes: Any, server: Any
) -> None:
    each = {"caption": ["a blue square", "a green star"], "size": [17, 25]}
    job = f"jobs/{post(scenes, server.at, 'jobs', graph=path_of(scenes), each=each)['id']}"

    def late(route: Any) -> None:
        answer = route.fetch()
        until(lambda: api(scenes, server.at, job)["state"] == "done", 60)
        route.fulfill(response=answer)

    scenes.route(f"**/api/v1/{job}", late, times=1)
    scenes.get_by_role("button", name="Runs", exact=True).click()
    scenes.get_by_title("show this run").first.click()
    sheet = scenes.get_by_role("region", name="sheet", exact=True)
    expect(sheet.get_by_text("4 cells, done")).to_be_visible(timeout=60_000)
    expect(sheet.locator("td img")).to_have_count(4)


def test_a_sweep_of_the_file_is_chosen_and_run(page: Any, server: Any, tmp_path: Path) -> None:
    own = "sweeps:\n  both: {each: {caption+size: [[a blue square, 16], [a green star, 24]]}}\n"
    shown(page, server, tmp_path, SCENES.replace("nodes:", own + "nodes:"), "one")
    page.get_by_label("sweep", exact=True).select_option("both")
    for name in ("caption", "size"):
        row = page.locator(".input", has_text=name)
        expect(row.get_by_title("one value again")).to_contain_text("[a green star, 24]")
    page.reload()
    expect(page.get_by_label("sweep", exact=True)).to_have_value("both")
    page.keyboard.press("Control+Enter")
    sheet = page.get_by_role("region", name="sheet", exact=True)
    expect(sheet.get_by_role("columnheader")).to_contain_text(["a blue square, 16", "a green star"])
    expect(sheet.locator("td img")).to_have_count(2, timeout=60_000)
    page.get_by_title("one value again").first.click()
    expect(page.get_by_label("sweep", exact=True)).to_have_value("")
    expect(page.get_by_label("size", exact=True)).to_have_value("16")


def queued(page: Any, at: str) -> list[int]:
    """The sizes of the scenes that wait, in the order of the queue."""
    jobs = api(page, at, "jobs?state=queued")["jobs"]
    return [job["asked"]["inputs"]["size"] for job in sorted(jobs, key=lambda job: job["place"])]


@pytest.fixture
def goes_on(page: Any, server: Any) -> Iterator[None]:
    """A queue that was paused goes on, whatever came of the test."""
    yield
    page.request.post(f"{server.at}/api/v1/queue/resume")


@pytest.mark.usefixtures("goes_on")
def test_the_queue_is_paused_and_put_in_order_by_mouse_by_touch_and_by_keys(
    scenes: Any, server: Any
) -> None:
    scenes.get_by_role("button", name="Runs", exact=True).click()
    scenes.get_by_role("button", name="Pause the queue").click()
    expect(scenes.get_by_text("what waits goes on waiting")).to_be_visible()
    for size in (16, 24, 32):
        text = SCENES.replace("title: scenes", f"title: size {size}")
        asked = {"graph": path_of(scenes), "text": text, "inputs": {"size": size}}
        post(scenes, server.at, "jobs", **asked)
    rows = scenes.get_by_role("list", name="queue").get_by_role("listitem")
    titles = rows.locator("b")
    expect(titles).to_have_text(["size 16", "size 24", "size 32"])
    rows.nth(2).locator(".grip").press("ArrowUp")
    expect(titles).to_have_text(["size 16", "size 32", "size 24"])
    expect(rows.nth(1).locator(".grip")).to_be_focused()
    rows.nth(0).locator(".grip").drag_to(rows.nth(2))
    expect(titles).to_have_text(["size 32", "size 24", "size 16"])
    touch(scenes, *(middle(rows.nth(n).locator(".grip")) for n in (2, 1, 0)))
    expect(titles).to_have_text(["size 16", "size 32", "size 24"])
    touch(scenes, middle(rows.nth(0).locator(".grip")), middle(rows.nth(2)))
    expect(titles).to_have_text(["size 32", "size 24", "size 16"])
    assert queued(scenes, server.at) == [32, 24, 16]
    for left in (["size 24", "size 16"], ["size 16"]):
        rows.nth(0).get_by_role("button", name="Cancel").click()
        expect(titles).to_have_text(left)
    scenes.get_by_role("button", name="Resume the queue").click()
    history = scenes.get_by_role("list", name="history").get_by_role("listitem")
    past = history.filter(has_text=re.compile("size (16|24|32)"))  # other tests ran theirs
    expect(past.nth(2)).to_contain_text("done", timeout=60_000)
    expect(past.filter(has_text="cancelled")).to_have_count(2)
    past.nth(0).get_by_role("button", name="Try again").click()
    expect(past.nth(0)).to_contain_text("done", timeout=60_000)
    past.nth(0).get_by_role("button", name="Remove").click()
    expect(past.filter(has_text="cancelled")).to_have_count(1)
    expect(past.nth(0)).to_contain_text("cancelled")


def test_a_run_is_cancelled_and_says_so_within_a_second(page: Any) -> None:
    opened(page).get_by_label("steps", exact=True).fill("900")
    page.keyboard.press("Control+Enter")
    expect(box(page, "small").locator(".mark")).to_contain_text("runs", timeout=60_000)
    page.keyboard.press("Escape")
    button = page.locator("button.main")
    expect(button).to_have_text(re.compile("Stops|Run"), timeout=1_000)
    expect(button).to_have_text("Run")


TRAINING = """graph: 1
title: a training
inputs: {models: {type: Bundle, default: shapes/glide}}
nodes:
  pictures: {type: class_dataset, size: 32}
  telling:  {type: classifier_network, like: $models.base, classes: 64, width: 32, multipliers: [1, 2, 3]}
  labels:   {type: classifier_objective, kind: cosine}
  training: {type: trainer, network: $telling, objective: $labels, dataset: $pictures, run_dir: run, steps: 3, batch_size: 4, interval: 1}
outputs: {history: $training.history}
"""


def test_the_curves_of_a_training_are_drawn(page: Any, server: Any) -> None:
    (server.folder / "training.yaml").write_text(TRAINING)
    visit(page, server.at, "training.yaml")
    opened(page, "training")
    page.keyboard.press("Control+Enter")
    small = box(page, "training").get_by_role("img", name="loss of training")
    expect(small).to_be_visible(timeout=120_000)
    small.click()
    curves = page.get_by_role("region", name="curves", exact=True).last
    expect(curves.get_by_text("at step 3")).to_have_count(2, timeout=60_000)
    expect(curves.get_by_role("img", name="learning rate of training")).to_be_visible()
    log = curves.get_by_role("button", name="log").first
    log.click()
    expect(log).to_have_attribute("aria-pressed", "true")
    assert both(page) == []
    page.reload()
    page.get_by_role("button", name="Curves", exact=True).click()
    expect(curves.get_by_text("at step 3")).to_have_count(2)


def test_a_run_that_is_over_before_its_answer_shows_its_nodes(scenes: Any, server: Any) -> None:
    def late(route: Any) -> None:
        answer = route.fetch()
        job = f"jobs/{answer.json()['id']}"
        until(lambda: api(scenes, server.at, job)["state"] == "done", 60)
        route.fulfill(response=answer)

    scenes.route("**/api/v1/jobs", late)
    scenes.get_by_label("size", exact=True).fill("20")
    scenes.keyboard.press("Control+Enter")
    drawn(scenes)
    for name in ("one", "two"):
        mark = box(scenes, name).locator(".mark")
        expect(mark).to_contain_text(re.compile("done|kept"), timeout=5_000)


def test_after_a_change_it_is_seen_what_will_run_again(scenes: Any) -> None:
    scenes.keyboard.press("Control+Enter")
    drawn(scenes)
    expect(box(scenes, "two").locator(".mark")).to_contain_text(re.compile("done|kept"))
    expect(scenes.locator(".mark.due")).to_have_count(0)
    box(scenes, "two").click()
    scenes.get_by_label("size", exact=True).fill("24")
    expect(box(scenes, "two").locator(".mark")).to_have_text("will run")
    expect(box(scenes, "output image").locator(".box.due")).to_be_visible()
    scenes.keyboard.press("Escape")
    scenes.keyboard.press("Control+Enter")
    expect(scenes.locator(".mark.due")).to_have_count(0, timeout=60_000)
    expect(box(scenes, "two").locator(".mark")).to_contain_text(re.compile("done|kept"))
