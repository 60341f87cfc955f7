"""`nodegraph run --get`: models that a graph needs are shown, asked for and fetched, from a server on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from file_server import Served, serving
from PIL import Image
from test_models_command import GRAPH, NAME, TINY, as_file, place, publish, state_dict
from typer.testing import CliRunner, Result

from nodegraph.cli import app, fetching

SWEPT = GRAPH.replace(
    "nodes:", "inputs: {model: {type: UNet, default: tiny/glide/base}}\nnodes:"
).replace("model: tiny/glide/base", "model: $model")


@pytest.fixture(scope="module")
def content() -> bytes:
    return as_file(state_dict())


@pytest.fixture
def server(content: bytes) -> Iterator[Served]:
    with serving(Served(content), "base.pt") as served:
        yield served


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "g.yaml").write_text(GRAPH, encoding="utf-8")
    (tmp_path / "swept.yaml").write_text(SWEPT, encoding="utf-8")
    return tmp_path / "models"


def run(*arguments: str, graph: str = "g.yaml", code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["run", graph, "--no-cache", "--quiet", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == code, done.output
    return done


def test_it_shows_what_it_fetches_and_then_runs(
    models: Path, server: Served, content: bytes, tmp_path: Path
) -> None:
    publish(models, server.url, card="Tiny, 16 px.", card_url="https://example.org/card")
    says = run("--get", "--yes", "--json")
    for part in (
        NAME,
        "MIT",
        "Tiny, 16 px.",
        "https://example.org/card",
        server.url,
        str(place(models)),
        "MiB",
    ):
        assert part in says.stderr, part
    assert place(models).read_bytes() == content
    (picture,) = json.loads(says.stdout)["outputs"]["image"]
    assert (tmp_path / picture).is_file()


def test_what_is_here_is_not_asked_for(models: Path, server: Served) -> None:
    publish(models, server.url)
    run("--get", "--yes")
    assert len(server.asked) == 1
    assert "to fetch" not in run("--get").stderr
    assert len(server.asked) == 1


def test_where_nobody_can_be_asked_nothing_is_fetched(models: Path, server: Served) -> None:
    publish(models, server.url, licence="openrail", terms="Do no harm.")
    says = run("--get", code=1).stderr
    assert "Do no harm." in says
    assert "--yes answers" in says
    assert not server.asked
    assert not (models / "accepted.json").exists()


@pytest.mark.parametrize("answer", [True, False])
def test_a_person_is_asked_once(
    answer: bool, models: Path, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer

    publish(models, server.url, licence="openrail", terms="Do no harm.")
    monkeypatch.setattr(typer, "confirm", confirm)
    monkeypatch.setattr(
        fetching, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True))
    )
    says = run("--get", code=0 if answer else 1).stderr
    assert asked == ["Do you accept these terms, and fetch them?"]
    assert ("nothing was fetched" in says, len(server.asked)) == (not answer, int(answer))
    assert (models / "accepted.json").exists() == answer


def test_a_faulty_graph_fetches_nothing(models: Path, server: Served) -> None:
    publish(models, server.url)
    Path("g.yaml").write_text(GRAPH.replace("steps: ddim2", "steps: ddim2000"), encoding="utf-8")
    assert "ddim2000" in run("--get", "--yes", code=1).stderr
    assert not server.asked


def test_a_sweep_fetches_the_models_of_all_its_cells(models: Path, server: Served) -> None:
    publish(models, server.url)
    each = ("--each", "model=[shapes/glide/base, tiny/glide/base]", "--until", "text")
    run("--get", "--yes", *each, graph="swept.yaml", code=0)
    assert place(models).is_file()


def test_models_that_no_catalogue_has_are_left_to_the_run(models: Path) -> None:
    says = run("--get", "--yes", "--input", "model=nosuch/base", graph="swept.yaml", code=1).stderr
    assert "nosuch/base" in says
    assert "to fetch" not in says


def test_glide_is_fetched_by_its_preset(models: Path, content: bytes) -> None:
    """The command of the README, with a small GLIDE under the published name."""
    larger = {"image_size": 32, "super_res": True, "inpaint": False}
    with (
        serving(Served(content), "base.pt") as base,
        serving(Served(as_file(state_dict(**larger))), "upsample.pt") as upper,
    ):
        parts = {
            name: {
                "kind": "UNet",
                "layout": "openai_glide",
                "options": {**TINY, **options},
                "files": [{"url": served.url, "parameters": 1}],
            }
            for name, options, served in (("base", {}, base), ("upsample", larger, upper))
        }
        record = {
            "openai/glide": {"licence": "MIT", "source": "test", "card": "Tiny.", "parts": parts}
        }
        (models / "catalogue.json").write_text(json.dumps(record), encoding="utf-8")
        graph = ("--preset", "openai", "--get", "--yes", "--prompt", "a hedgehog", "--steps", "2")
        says = run(*graph, "--json", graph="glide/text_to_image")
        (picture,) = json.loads(says.stdout)["outputs"]["image"]
        with Image.open(picture) as found:
            assert found.size == (32, 32)
        assert (len(base.asked), len(upper.asked)) == (1, 1)
