"""What is set aside for a journey comes back, whatever happens."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "travel.py"
BIG, IMAGE = "tests/golden/data/big.bin", "docs/images/picture.png"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in (BIG, IMAGE, "README.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() * 1000)
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    return root


def travel(tree: Path, *words: str) -> list[str]:
    return [sys.executable, str(PROGRAM), "--root", str(tree), "--no-wheels", *words]


def whole(tree: Path) -> bool:
    return all((tree / n).read_bytes() == n.encode() * 1000 for n in (BIG, IMAGE, "README.md"))


def seen(tree: Path, status: int = 0) -> list[str]:
    """A command that writes down which files it finds."""
    code = f"import pathlib, sys; r = pathlib.Path({str(tree)!r}); (r.parent / 'seen').write_text(str([(r / n).exists() for n in {[BIG, IMAGE, 'README.md']!r}])); sys.exit({status})"
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("status", [0, 3])
def test_the_command_sees_a_light_tree_and_all_comes_back(tree: Path, status: int) -> None:
    done = subprocess.run(travel(tree, "--", *seen(tree, status)), check=False)
    assert done.returncode == status
    assert (tree.parent / "seen").read_text() == "[False, False, True]"
    assert whole(tree)


def test_a_tree_that_is_too_large_does_not_travel(tree: Path) -> None:
    done = subprocess.run(travel(tree, "--limit", "0.001", "--", *seen(tree)), check=False)
    assert done.returncode == 1
    assert not (tree.parent / "seen").exists()
    assert whole(tree)


def waiting(tree: Path) -> subprocess.Popen[bytes]:
    """A call whose command is under way."""
    code = (
        f"import pathlib, time; pathlib.Path({str(tree.parent / 'here')!r}).touch(); time.sleep(60)"
    )
    started = subprocess.Popen(
        travel(tree, "--", sys.executable, "-c", code), start_new_session=True
    )
    until = time.monotonic() + 60
    while not (tree.parent / "here").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not (tree / BIG).exists()
    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_call_brings_everything_back(tree: Path, number: int) -> None:
    process = waiting(tree)
    process.send_signal(number)
    assert process.wait(60) == 130
    assert whole(tree)


def test_the_call_after_a_killed_one_brings_everything_back(tree: Path) -> None:
    process = waiting(tree)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    assert not (tree / BIG).exists()
    assert subprocess.run(travel(tree), check=False).returncode == 0
    assert whole(tree)


def test_a_second_call_waits_for_nothing_and_touches_nothing(tree: Path) -> None:
    process = waiting(tree)
    try:
        assert subprocess.run(travel(tree), check=False).returncode == 2
        assert not (tree / BIG).exists()
    finally:
        process.terminate()
        process.wait(60)
    assert whole(tree)
