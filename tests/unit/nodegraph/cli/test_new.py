"""`nodegraph new`: what it makes passes its own tests as it stands, and nothing is overwritten."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nodegraph.cli import app
from nodegraph.cli.new import SKELETONS

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def passes(tests: Path, library: Path) -> None:
    """Run the tests of a folder in a child process, with a library that is installed in another."""
    paths = os.pathsep.join([str(library), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-W",
            "error",
            tests,
        ],
        env={**os.environ, "PYTHONPATH": paths},
        cwd=library,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_new_node_passes_its_test(folder: Path) -> None:
    done = runner.invoke(app, ["new", "node", "soft_focus"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["nodes/soft_focus.py", "tests/test_soft_focus.py"]
    assert "`nodegraph nodes soft_focus`" in done.stderr
    passes(folder / "tests", folder)


def test_a_new_node_stands_in_the_folder_that_is_named(folder: Path) -> None:
    done = runner.invoke(app, ["new", "node", "soft_focus", "--folder", "my/own"])
    assert done.stdout.splitlines() == ["my/own/soft_focus.py", "my/tests/test_soft_focus.py"]
    assert "`nodegraph nodes soft_focus --nodes my/own`" in done.stderr
    assert 'parents[1] / "own"' in (folder / "my/tests/test_soft_focus.py").read_text("utf-8")


def test_a_new_library_is_known_by_its_entry_points_and_passes_its_test(folder: Path) -> None:
    done = runner.invoke(app, ["new", "library", "warm_tone"])
    assert done.exit_code == 0, done.output
    made = {path for path in (folder / "warm_tone").rglob("*") if path.is_file()}
    assert {folder / line for line in done.stdout.splitlines()} == made
    assert len(made) == len(list((SKELETONS / "library").rglob("*.txt")))
    assert not any(
        "NAME" in path.read_text("utf-8") + str(path.relative_to(folder)) for path in made
    )
    project = tomllib.loads((folder / "warm_tone/pyproject.toml").read_text("utf-8"))["project"]
    meta = folder / "warm_tone" / f"{project['name']}-{project['version']}.dist-info"
    meta.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (meta / "METADATA").write_text(about, "utf-8")
    points = project["entry-points"].items()
    lines = [
        f"[{group}]\n" + "\n".join(f"{k} = {v}" for k, v in own.items()) for group, own in points
    ]
    (meta / "entry_points.txt").write_text("\n".join(lines), "utf-8")
    assert {group for group, _ in points} == {
        "nodegraph.nodes",
        "nodegraph.types",
        "nodegraph.graphs",
    }
    passes(folder / "warm_tone/tests", folder / "warm_tone")


@pytest.mark.parametrize("kind", ["node", "library"])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("soft-focus", "is no name of a Python function"),
        ("../escaped", "is no name of a Python function"),
        ("lambda", "is no name of a Python function"),
        ("_hidden", "is no name of a Python function"),
        ("slerp", "there is a node type 'slerp' (nodes.library.embeddings:slerp)"),
        ("upsampler", "there is a node type 'upsampler'"),
    ],
)
def test_some_names_are_refused(folder: Path, kind: str, name: str, why: str) -> None:
    done = runner.invoke(app, ["new", kind, name])
    assert (done.exit_code, why in done.stderr) == (2, True), done.output
    assert list(folder.iterdir()) == []


def test_a_library_has_no_name_of_an_installed_module(folder: Path) -> None:
    done = runner.invoke(app, ["new", "library", "json"])
    assert (done.exit_code, "a module 'json' is installed" in done.stderr) == (2, True)


@pytest.mark.parametrize("taken", ["my/soft_focus.py", "tests/test_soft_focus.py"])
def test_nothing_is_overwritten(folder: Path, taken: str) -> None:
    (folder / taken).parent.mkdir()
    (folder / taken).symlink_to(folder / "elsewhere")
    done = runner.invoke(app, ["new", "node", "soft_focus", "--folder", "my"])
    assert done.exit_code == 2
    assert f"{taken} is there already; nothing was written" in done.stderr
    assert [path.name for path in folder.rglob("*.py")] == [Path(taken).name]


def test_a_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / "my").write_text("a file")
    done = runner.invoke(app, ["new", "node", "soft_focus", "--folder", "my"])
    assert done.exit_code == 1
    assert "my/soft_focus.py cannot be written: File exists" in done.stderr
