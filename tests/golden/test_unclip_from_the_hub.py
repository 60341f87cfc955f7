"""`nodegraph run unclip/karlo --get` against a Hub on this machine that publishes the tiny Karlo under the catalogue's name."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from file_server import Hub, as_the_hub
from PIL import Image
from safetensors import safe_open
from typer.testing import CliRunner

from nodegraph.cli import app
from nodes.checkpoints.catalogue import entries
from nodes.checkpoints.entries import Part, name_of
from nodes.checkpoints.folders import foreign_part

NAME, COMMIT = "kakaobrain/karlo-v1-alpha", "c" * 40
STEPS = ("--prior-steps", "3", "--decoder-steps", "2", "--upsample-steps", "2")


@pytest.fixture
def folder(golden) -> Path:
    return golden.path("unclip_tiny_karlo").resolve()


@pytest.fixture
def hub(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The Hub, and a catalogue in which Karlo is tiny."""
    models = tmp_path / "models"
    models.mkdir()
    monkeypatch.setenv("NODEGRAPH_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    about = {key: getattr(entries()[NAME], key) for key in ("licence", "source", "card", "terms")}
    parts = {name: published(folder, name) for name in entries()[NAME].parts}
    (models / "catalogue.json").write_text(json.dumps({NAME: {**about, "parts": parts}}), "utf-8")
    files = {
        f"{NAME}/{p.relative_to(folder).as_posix()}": p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file()
    }
    with as_the_hub(Hub({COMMIT: files}, COMMIT)) as served:
        yield served


def published(folder: Path, name: str) -> dict[str, Any]:
    """A part of the tiny Karlo as a catalogue has it."""
    found = foreign_part(folder, name)
    assert found is not None
    part: Part = found[0]
    files = [
        {"url": f"hf://{NAME}/{p.relative_to(folder).as_posix()}", "parameters": numbers(p)}
        for p in found[1]
    ]
    record = {"kind": name_of(part.kind), "layout": part.layout, "options": part.options}
    return {**record, "files": files}


def numbers(path: Path) -> int:
    """How many numbers a file holds."""
    with safe_open(path, "np") as file:
        return sum(int(np.prod(file.get_slice(key).get_shape())) for key in file.keys())  # noqa: SIM118


def picture(*arguments: str) -> np.ndarray:
    command = ["run", "unclip/karlo", "--no-cache", "--json", "--device", "cpu", *STEPS, *arguments]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    (path,) = json.loads(done.stdout)["outputs"]["image"]
    return np.asarray(Image.open(path))


def test_karlo_is_fetched_and_draws_what_its_folder_draws(
    hub: Hub, folder: Path, tmp_path: Path
) -> None:
    prompt = ("--prompt", "a big red frog on a green leaf")
    fetched = picture("--get", "--yes", *prompt)
    assert np.array_equal(fetched, picture("--models", str(folder), *prompt))
    notes = [json.loads(p.read_text("utf-8")) for p in (tmp_path / "models" / NAME).rglob("*.json")]
    assert len(notes) == 6
    assert {note["origin"].partition("@")[2][:40] for note in notes} == {COMMIT}
    before = len(hub.asked)
    picture("--get", *prompt)
    assert len(hub.asked) == before


def test_the_reference_program_gets_the_same_files(
    hub: Hub, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture("--get", "--yes")
    hub.main = (
        "d" * 40
    )  # the repository goes on; the configurations are those of the weights' commit
    real = benchmark(monkeypatch)
    made = real.karlo_folder(
        real.kept(NAME, list(entries()[NAME].parts)), tmp_path / "as-diffusers"
    )
    mine = {p.relative_to(made) for p in made.rglob("*") if p.is_file() and ".cache" not in p.parts}
    theirs = {
        p.relative_to(folder)
        for p in folder.rglob("*")
        if p.suffix in (".json", ".txt", ".safetensors")
    }
    assert mine == theirs
    for name in theirs:
        assert (made / name).read_bytes() == (folder / name).read_bytes()


def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/real/run.py as a module."""
    place = Path(__file__).parents[2] / "benchmarks" / "real"
    monkeypatch.syspath_prepend(place)
    monkeypatch.delitem(sys.modules, "report", raising=False)
    spec = importlib.util.spec_from_file_location("real_run", place / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "real_run", module)
    spec.loader.exec_module(module)
    return module
