"""Outputs that cannot be written: a diagnostic, for programs too, and what has run is kept. Paths that are none, in any place."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import careless
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from nodegraph.build import declared
from nodegraph.cli import app, console
from nodegraph.library.registry import from_modules
from nodegraph.runtime.keyed import Keyed

GRAPH = """\
graph: 1
inputs: {image: {type: Image, optional: true}, mask: {type: Mask, optional: true}, t: {type: Table, optional: true}}
nodes:
  picture: {type: ramp, size: 8}
outputs: {image: $picture, given: $image, mask: $mask, table: $t}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    found = from_modules([careless], types=declared({}, str)[1])
    monkeypatch.setattr(console, "known", lambda _: found)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.yaml").write_text(GRAPH, encoding="utf-8")
    (tmp_path / "afile").write_text("a file", encoding="utf-8")
    for loop in ("loop", "loop.yaml", "loop.png"):
        (tmp_path / loop).symlink_to(loop)
    for folder in ("folder.yaml", "folder.png"):
        (tmp_path / folder).mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    console._registry.cache_clear()
    yield tmp_path
    console._registry.cache_clear()


def invoke(*arguments: str) -> Result:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


OUTS = ["afile", "afile/deeper", "x" * 300, "x/" * 3000, "loop", "loop/deeper", "/proc/1/x"]


@pytest.mark.parametrize("out", OUTS)
def test_a_place_that_can_be_none_is_told_before_the_run(
    out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodegraph.runtime.engine.Engine.run", None)
    done = invoke("run", "g.yaml", "--out", out, "--json")
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert [(d["code"], d["line"]) for d in found["diagnostics"]] == [("E502", 4)], found
    assert "--out FOLDER" in found["diagnostics"][0]["hint"]
    assert "E502 unwritten-output" in done.stderr


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "No space left"), (errno.EROFS, "Read-only"), (errno.EIO, "Input/output error"),
     (errno.EACCES, "Permission denied"), (errno.EDQUOT, "quota")],
)  # fmt: skip
@pytest.mark.parametrize("step", ["PIL.Image.Image.save", "pathlib.Path.replace"])
def test_a_disk_that_fails_is_told_and_what_has_run_is_kept(
    number: int, says: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provenance = Keyed.provenance

    def full(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    def after_the_run(*arguments: Any) -> Any:
        patched.setattr(step, full)
        return provenance(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Keyed, "provenance", after_the_run)
        done = invoke("run", "g.yaml", "--out", "out", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert [(d["code"], d["line"]) for d in found["diagnostics"]] == [("E502", 4)], found
    assert says in found["diagnostics"][0]["message"]
    assert (found["nodes"]["picture"]["status"], found["outputs"]) == ("ran", {})
    again = json.loads(invoke("run", "g.yaml", "--out", "out", "--json").stdout)
    assert again["nodes"]["picture"]["status"] == "cached"
    assert Path(again["outputs"]["image"][0]).is_file()


PATHS = ["~nosuch", "~nosuch/g.yaml", "loop", "loop.yaml", "loop.png", "loop/g.yaml", "a\0b", "a\0.yaml",
         "a\0.png", "a\udcff", "a\ud800.yaml", "x" * 300, "x" * 300 + ".yaml", "x" * 300 + ".png",
         "x/" * 3000 + "g.yaml", "folder.yaml", "folder.png", "pipe.yaml", "afile/g.yaml", "/dev/zero",
         "/dev/null", "", ".", "..", "/"]  # fmt: skip
COMMANDS = [
    ("run", "@"),
    ("run", "@", "--help"),
    ("check", "@"),
    ("check", "@", "--types", "--json"),
    ("plan", "@"),
    ("fmt", "@"),
    ("fmt", "--check", "@"),
    ("run", "g.yaml", "--image", "@"),
    ("run", "g.yaml", "--mask", "@"),
    ("run", "g.yaml", "--t", "@"),
    ("plan", "g.yaml", "--image", "@"),
    ("models", "add", "@", "--as", "openai/glide/base"),
    ("models", "add", "afile", "--as", "@"),
    ("models", "get", "@"),
]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_none_is_told_by_every_command(path: str) -> None:
    for command in COMMANDS:
        done = invoke(*(path if word == "@" else word for word in command))
        assert done.exit_code in (1, 2) or "--help" in command, (command, done.output)
        assert done.output.strip()
        assert "E501" not in done.output


@pytest.mark.parametrize("path", [path for path in PATHS if path not in ("", "~nosuch")])
def test_a_schema_is_written_or_it_is_told_why_not(path: str, folder: Path) -> None:
    if not path.startswith("/dev"):
        done = invoke("schema", "--out", path)
        written = done.exit_code == 0 and (folder / path).is_file()
        assert written or (done.exit_code in (1, 2) and done.output.strip())


@pytest.mark.parametrize("path", [path for path in PATHS if "\ud800" not in path])
def test_a_literal_that_is_no_path_is_told(path: str, folder: Path) -> None:
    text = json.dumps(path)
    for node in (f"{{type: darker, image: {text}}}", f"{{type: {text}}}"):
        graph = f"graph: 1\nnodes:\n  a: {node}\noutputs: {{a: $a}}\n"
        (folder / "l.yaml").write_text(graph, encoding="utf-8")
        for command in ("check", "run"):
            done = invoke(command, "l.yaml")
            assert done.exit_code == 1
            assert "l.yaml:3:" in done.output and "E501" not in done.output


@pytest.mark.parametrize("variable", ["NODEGRAPH_CACHE", "NODEGRAPH_MODELS"])
@pytest.mark.parametrize("path", ["~nosuch", "loop", "loop/x", "x" * 300, "afile", "afile/x", ""])
def test_folders_of_the_environment_that_are_none(
    variable: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache everything runs; without a place for models nothing is fetched."""
    Image.new("RGB", (4, 4)).save("ok.png")
    monkeypatch.setenv(variable, path)
    assert invoke("run", "g.yaml", "--image", "ok.png", "--out", "out").exit_code == 0
    for command in (("models",), ("cache",)):
        assert invoke(*command).output.strip()
    if variable == "NODEGRAPH_MODELS" and path in ("loop", "loop/x", "x" * 300, "afile", "afile/x"):
        assert invoke("models", "add", "afile", "--as", "openai/glide/base").exit_code == 1


def test_captions_that_are_no_text_name_their_file(folder: Path) -> None:
    from nodes.training.folder import listed_pictures

    (folder / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "pictures" / "a.png")
    (folder / "pictures" / "a.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"a\.txt cannot be read: it is not UTF-8"):
        listed_pictures(folder / "pictures", 8)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "3", '{"picture": 3}', "\0", '{"a": []}'])
def test_notes_of_earlier_runs_that_are_damaged_are_none(content: str, folder: Path) -> None:
    assert invoke("run", "g.yaml", "--out", "out").exit_code == 0
    for note in folder.joinpath("cache").rglob("history/*.json"):
        note.write_text(content, encoding="utf-8")
    assert invoke("plan", "g.yaml").exit_code == 0
