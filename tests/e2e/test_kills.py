"""Killed at any moment, a run leaves nothing damaged under a final name, and the next goes on where it was."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
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


def nodegraph(*arguments: str) -> list[str]:
    return [str(Path(sys.executable).with_name("nodegraph")), *arguments]


def killed_between(
    command: Sequence[str], folder: Path, chance: random.Random, most: float
) -> None:
    """Start a process and kill it, and the processes that it started, at a random moment."""
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        time.sleep(chance.uniform(0, most))
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.soak
def test_a_shipped_training_in_two_processes_ends_in_the_same_weights(tmp_path: Path) -> None:
    options = ["--processes", "2", "--steps", "60", "--batch", "16", "--interval", "5"]
    command = nodegraph("run", "train/classifier", *options, "--out", "runs", "--no-cache")
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole.mkdir()
    broken.mkdir()
    started = time.monotonic()
    subprocess.run(command, cwd=whole, check=True)
    usual = time.monotonic() - started
    chance = random.Random(1)
    for _ in range(3):
        killed_between(command, broken, chance, usual)
        for path in (broken / "runs").rglob("*.safetensors"):
            if ".partial" not in str(path):
                load_file(path)
    subprocess.run(command, cwd=broken, check=True)
    made = list((whole / "runs").rglob("model.safetensors"))
    assert made
    for path in made:
        ours = load_file(broken / path.relative_to(whole))
        for name, weights in load_file(path).items():
            assert torch.equal(weights, ours[name]), name
    assert not list((broken / "runs").rglob("*.partial"))


@pytest.mark.soak
def test_killed_runs_leave_whole_pictures_that_are_equal(tmp_path: Path) -> None:
    chance = random.Random(2)
    command = nodegraph("run", "glide/text_to_image", "--steps", "4", "--count", "4")
    environment = {**os.environ, "NODEGRAPH_CACHE": str(tmp_path / "cache")}
    expected = pixels_of(command, tmp_path / "whole", environment)
    folder = tmp_path / "broken"
    folder.mkdir()
    for seed in range(15):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("NODEGRAPH_CACHE", str(tmp_path / f"cache-{seed // 5}"))
            killed_between(command, folder, chance, 12)
        for path in (folder / "out").glob("[!.]*.png"):
            with Image.open(path) as picture:
                picture.load()
    environment["NODEGRAPH_CACHE"] = str(tmp_path / "cache-0")
    assert pixels_of(command, folder, environment) == expected


def pixels_of(command: Sequence[str], folder: Path, environment: dict[str, str]) -> list[bytes]:
    """The pixels of the pictures that a run writes last."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        [*command, "--json"], cwd=folder, check=True, env=environment, capture_output=True
    )
    found = []
    for name in json.loads(done.stdout)["outputs"]["image"]:
        with Image.open(folder / name) as picture:
            found.append(picture.tobytes())
    return found
