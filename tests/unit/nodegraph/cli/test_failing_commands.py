"""What the command line says of a run that fails: place, caret, line of the node's own code, and all of it as JSON."""

import json
from collections.abc import Iterator
from pathlib import Path

import careless
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nodegraph.build import declared
from nodegraph.cli import app, console
from nodegraph.library.registry import from_modules

FAILING = """\
graph: 1
inputs: {way: {type: str, default: key}}
nodes:
  ramp: {type: darker, image: grey.png}
  bad:  {type: fails, image: $ramp, way: $way}
outputs: {n: $bad}
"""
BROKEN = """\
graph: 1
nodes:
  ramp: {type: ramp}
  bad:  {type: broken_pictures, image: $ramp}
outputs: {image: $bad}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = from_modules([careless], types=declared({}, str)[1])
    monkeypatch.setattr(console, "known", lambda _: found)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "failing.yaml").write_text(FAILING, encoding="utf-8")
    Image.new("RGB", (4, 4), "grey").save(tmp_path / "grey.png")
    (tmp_path / "checked.yaml").write_text(FAILING.replace("image: $ramp, ", ""), encoding="utf-8")
    (tmp_path / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    console._registry.cache_clear()
    yield tmp_path
    console._registry.cache_clear()


def command(*arguments: str, code: int) -> Result:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output + repr(done.exception)
    return done


@pytest.mark.usefixtures("folder")
def test_a_failed_run_shows_place_line_and_inputs() -> None:
    lines = command("run", "failing.yaml", "--device", "cpu", code=1).stderr.splitlines()
    start = lines.index(
        "failing.yaml:5:3: E501 node-failed: node 'bad' (fails) failed: KeyError: 'foo'"
    )
    assert lines[start + 1] == "    5 |   bad:  {type: fails, image: $ramp, way: $way}"
    assert lines[start + 2] == "          ^^^"
    assert "careless.py:" in lines[start + 3] and "image: float32[1, 3, 4, 4]" in lines[start + 4]
    assert "Traceback" not in "".join(lines)


UNKNOWN = """\
graph: 1
nodes:
  grey:  {type: darker, image: grey.png}
  lost:  {type: levels, image: $grey}
outputs: {n: $lost}
"""


def test_a_plan_says_why_shapes_are_unknown(folder: Path) -> None:
    (folder / "unknown.yaml").write_text(UNKNOWN, encoding="utf-8")
    done = command("check", "unknown.yaml", code=0)
    assert done.stderr.endswith("ok, nodes of unknown shape: 1; `nodegraph plan` says why\n")
    done = command("plan", "unknown.yaml", "--device", "cpu", code=0)
    assert "shapes are unknown from lost on: it cannot run on shapes: " in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_failed_run_as_json() -> None:
    done = command("run", "failing.yaml", "--way", "mismatch", "--json", "--device", "cpu", code=1)
    found = json.loads(done.stdout)
    (fault,) = found["diagnostics"]
    assert (fault["code"], fault["node"], fault["line"], fault["hint"]) == ("E402", "bad", 5, "take one world")  # fmt: skip
    done = command("run", "failing.yaml", "--json", "--device", "cpu", code=1)
    found = json.loads(done.stdout)
    (fault,) = found["diagnostics"]
    assert (fault["code"], fault["severity"], fault["line"], fault["column"]) == ("E501", "error", 5, 3)  # fmt: skip
    assert "careless.py:" in fault["raised"] and fault["raised"] in found["error"]
    assert found["nodes"]["bad"]["status"] == "failed" and found["outputs"] == {}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "arguments", [("run", "failing.yaml"), ("run", "checked.yaml"), ("check", "checked.yaml")]
)
def test_traceback_shows_all(arguments: tuple[str, str]) -> None:
    options = ("--device", "cpu") if arguments[0] == "run" else ()
    said = command(*arguments, "--traceback", *options, code=1).stderr
    assert "Traceback" in said and 'return found["foo"]  # here: key' in said and "E501" in said


def test_a_picture_that_is_not_finite_is_written_and_told(folder: Path) -> None:
    found = json.loads(command("run", "broken.yaml", "--json", "--device", "cpu", code=0).stdout)
    assert [fault["code"] for fault in found["diagnostics"]] == ["W402"]
    assert (folder / found["outputs"]["image"][0]).exists()
