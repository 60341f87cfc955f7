"""Killed at any moment, a run leaves nothing damaged under a final name, and the next goes on where it was."""

import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from toys import LINES, LOG

TOYS = Path(__file__).with_name("toys.py")
WHOLE = "012345\n" * LINES


def log(folder: Path) -> list[str]:
    path = folder / LOG
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def killed_after(command: Sequence[str], folder: Path, seconds: float) -> None:
    """Start a process and kill it so many seconds after it says that it starts."""
    before = log(folder).count("starts")
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and log(folder).count("starts") == before:
            time.sleep(0.002)
        time.sleep(seconds)
        process.kill()
        _, errors = process.communicate()
        assert not errors, errors


def repeated(lines: Sequence[str]) -> list[str]:
    """Nodes that began again after they had finished."""
    done: set[str] = set()
    found: list[str] = []
    for line in lines:
        word, _, node = line.partition(" ")
        if word == "finished":
            done.add(node)
        elif word == "begins" and node in done:
            found.append(node)
    return found


def kill_often(folder: Path, kills: int, seed: int) -> None:
    """Kill runs at random moments; after each, what has a final name is whole."""
    chance, command = random.Random(seed), [sys.executable, str(TOYS)]
    for _ in range(kills):
        killed_after(command, folder, chance.uniform(0, 0.25))
        for path in (folder / "out").glob("[!.]*"):
            assert path.read_text(encoding="utf-8") == WHOLE, path
        assert len(list((folder / "out").glob(".*"))) <= 1
    subprocess.run(command, cwd=folder, check=True)
    lines = log(folder)
    assert lines[-1] == "wrote 3" and not repeated(lines)
    assert {line for line in lines if line.startswith("begins")} == {
        f"begins {n}" for n in range(6)
    }
    assert not list((folder / "out").glob(".*")) and not list((folder / "cache").glob(".*"))
    for path in sorted((folder / "out").iterdir())[-3:]:
        assert path.read_text(encoding="utf-8") == WHOLE


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_kills(seed: int, tmp_path: Path) -> None:
    kill_often(tmp_path, 10, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(10, 17))
def test_many_kills(seed: int, tmp_path: Path) -> None:
    kill_often(tmp_path, 25, seed)
