"""A server is killed while a graph is edited and run: nothing is lost, and one sees how things are."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Server, begun, let_in
from pages import box, live, opened, path_of, picture, state, until, visit, write
from playwright.sync_api import expect

GLIDE = "glide/text_to_image"


@pytest.fixture
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of its own, to be killed."""
    with begun(tmp_path_factory.mktemp) as found:
        yield found


@pytest.fixture
def running(browser: Any, mortal: Server, seen: Any) -> Iterator[Any]:
    """GLIDE as a draft, in the middle of a run."""
    context = let_in(browser, mortal)
    page = context.new_page()
    seen.watch(page, mortal.at)
    visit(page, mortal.at, GLIDE)
    write(opened(page), "# mine")
    until(lambda: path_of(page) == "text_to_image.yaml" and live(page, mortal.at))
    page.get_by_label("steps", exact=True).fill("300")
    page.keyboard.press("Control+Enter")
    expect(box(page, "small").locator(".mark")).to_contain_text("/300", timeout=120_000)
    yield page
    context.close()


def test_a_run_that_was_interrupted_is_tried_again(running: Any, mortal: Server) -> None:
    mortal.stop(kill=True)
    write(running, " and meanwhile")
    expect(state(running)).to_contain_text("does not answer")
    mortal.start()
    until(lambda: live(running, mortal.at).endswith("# mine and meanwhile"))
    expect(state(running)).to_have_text("draft")
    expect(running.get_by_role("button", name="Run", exact=True)).to_be_visible()
    running.get_by_role("button", name="Runs", exact=True).click()
    runs = running.get_by_role("region", name="runs")
    expect(runs).to_contain_text("interrupted")
    runs.get_by_role("button", name="Try again").click()
    expect(runs.get_by_role("img")).to_have_count(1, timeout=120_000)
    expect(runs).not_to_contain_text("interrupted")


def test_a_run_goes_on_by_itself_where_the_server_resumes(running: Any, mortal: Server) -> None:
    mortal.stop(kill=True)
    mortal.start("--resume")
    picture(running)
    assert live(running, mortal.at).endswith("# mine")
    (job,) = running.request.get(f"{mortal.at}/api/v1/jobs").json()["jobs"]
    assert job["state"] == "done"


def test_a_run_goes_up_to_the_selected_node(page: Any) -> None:
    opened(page).get_by_label("steps", exact=True).fill("3")
    box(page, "schedule").click()
    page.keyboard.press("Shift+Control+Enter")
    expect(box(page, "schedule").locator(".mark")).to_contain_text("done", timeout=120_000)
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    expect(box(page, "small").locator(".mark")).to_have_count(0)


def test_a_part_that_was_lost_on_its_way_is_asked_for_again(page: Any, server: Any) -> None:
    lost: list[str] = []

    def lose_once(route: Any) -> None:
        if lost:
            return route.fallback()
        lost.append(route.request.url)
        return route.abort()

    page.route("**/assets/textSetup-*", lose_once)
    visit(page, server.at, GLIDE)
    expect(page.get_by_label("text of the graph")).to_contain_text("glide")
    assert lost


def lose(route: Any) -> None:
    route.abort()


def test_a_part_that_is_lost_each_time_is_said_and_not_asked_for_without_end(
    page: Any, server: Any
) -> None:
    page.route("**/assets/textSetup-*", lose)
    loads: list[str] = []
    visit(page, server.at, GLIDE)
    expect(page.get_by_text("a part of the page could not be had")).to_be_visible()
    page.on("load", lambda each: loads.append(each.url))
    page.wait_for_timeout(3000)
    assert not loads


def test_a_page_is_not_opened_again_over_what_was_typed(page: Any, server: Any, seen: Any) -> None:
    page.route("**/assets/Runs-*", lose)
    visit(page, server.at, GLIDE)
    opened(page).get_by_label("steps", exact=True).fill("3")
    page.evaluate("window.same = true")
    page.get_by_role("button", name="Runs").click()
    expect(page.get_by_role("heading", name="This page broke")).to_be_visible()
    assert page.evaluate("window.same")
    assert any("dynamically imported" in error for error in seen.errors)
    seen.errors.clear()
