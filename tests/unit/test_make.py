"""What `make` would do: the demo needs no test tools, and what tests adds them."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not here")


def says(*words: str) -> str:
    """The commands of a target, with an environment that is not there yet."""
    command = ["make", "--no-print-directory", "-n", "-C", str(ROOT), "VENV=.venv-absent", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_demo_installs_what_runs_and_says_before_how_much_that_is() -> None:
    lines = says("demo").splitlines()
    assert "GB to download" in lines[0]
    assert [line for line in lines if "--editable" in line] == [
        ".venv-absent/bin/python -m pip install --quiet --constraint constraints.txt --editable ."
    ]
    assert "nodegraph run" in lines[-1]


@pytest.mark.parametrize("target", ["test", "check", "bench", "docs", "real"])
def test_other_targets_add_what_they_need(target: str) -> None:
    told = says(target)
    assert told.index("--editable .\n") < told.index("--editable '.[test,check]'")


def test_a_rehearsal_fetches_nothing() -> None:
    assert "models get" in says("real")
    rehearsed = says("real", "TINY=1")
    assert "models get" not in rehearsed
    assert "git+https" not in rehearsed
    assert "benchmarks/real/run.py --tiny" in rehearsed
