"""A training that is told to end, or killed, goes on bit for bit: on the command line, with one process and with two."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

STEPS, INTERVAL = 120, 50
STATE = "points/state.safetensors"


def command(out: Path, processes: int) -> list[str]:
    more = [
        f"trained.interval={INTERVAL}",
        f"trained.processes={processes}",
        "trained.batch_size=64",
    ]
    sets = [word for each in more for word in ("--set", each)]
    graph = [
        "run",
        "ddpm/points_2d",
        "--steps",
        str(STEPS),
        "--count",
        "4",
        "--out",
        str(out),
        "--no-cache",
    ]
    return [sys.executable, "-m", "nodegraph", *graph, *sets]


def environment(cache: Path) -> dict[str, str]:
    return {**os.environ, "NODEGRAPH_CACHE": str(cache), "OMP_NUM_THREADS": "1"}


def steps_of(path: Path) -> int:
    import json

    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["state"])["step"]


def broken(out: Path, cache: Path, number: int, processes: int, to_all: bool) -> int:
    """Start a training, and send it or all its processes a signal soon after its first saving; how it ended."""
    with subprocess.Popen(
        command(out, processes),
        env=environment(cache),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while process.poll() is None and not (out / STATE).exists():
            time.sleep(0.005)
        send = os.killpg if to_all else os.kill
        send(process.pid, number)
        process.communicate(timeout=120)
        return process.returncode


@pytest.mark.parametrize(
    ("number", "code", "processes", "to_all"),
    [
        (signal.SIGTERM, 143, 1, False),
        (signal.SIGTERM, 143, 2, True),
        (signal.SIGKILL, -9, 2, False),
    ],
)
def test_a_broken_training_goes_on_bit_for_bit(
    number: int, code: int, processes: int, to_all: bool, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert broken(tmp_path / "broken", cache, number, processes, to_all) == code
    done = steps_of(tmp_path / "broken" / STATE)
    assert INTERVAL <= done < STEPS
    if number == signal.SIGKILL:
        assert done % INTERVAL == 0
    for name in ("broken", "whole"):
        subprocess.run(
            command(tmp_path / name, processes),
            env=environment(cache),
            check=True,
            capture_output=True,
        )
    assert steps_of(tmp_path / "broken" / STATE) == STEPS
    resumed, whole = (load_file(tmp_path / name / STATE) for name in ("broken", "whole"))
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())
    curves = [
        (tmp_path / name / "points/metrics.jsonl").read_text().splitlines()
        for name in ("broken", "whole")
    ]
    assert len(curves[0]) == len(curves[1]) == -(-STEPS // INTERVAL)
