"""A training that `torchrun` shares among processes is that of one, and goes on as one when it was told to end."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from test_broken_trainings import STATE, STEPS, command, environment, steps_of


def shared(out: Path) -> list[str]:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
    program = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    where = ["--master-addr", "127.0.0.1", "--master-port", str(port)]
    return [*program, *where, *command(out, 1)[1:]]


def folders(path: Path) -> set[str]:
    return {each.name for each in path.iterdir()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training by two processes, which left nothing beside it."""
    folder = tmp_path_factory.mktemp("whole")
    told = {**environment(folder / "cache"), "TMPDIR": str(folder)}
    done = subprocess.run(
        shared(folder / "out"), env=told, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("points:") == 1
    assert not list(folder.glob("nodegraph-*"))
    return folder / "out"


def test_processes_of_torchrun_train_the_network_of_one(whole: Path, tmp_path: Path) -> None:
    told = environment(tmp_path / "cache")
    subprocess.run(command(tmp_path / "alone", 1), env=told, check=True, capture_output=True)
    assert folders(whole) == folders(tmp_path / "alone")
    ours, theirs = (load_file(folder / STATE) for folder in (tmp_path / "alone", whole))
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, atol=2e-4, rtol=1e-3, msg=name)


def test_processes_of_torchrun_save_together(whole: Path, tmp_path: Path) -> None:
    told, out = environment(tmp_path / "cache"), tmp_path / "broken"
    with subprocess.Popen(
        shared(out), env=told, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not (out / STATE).exists():
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    assert steps_of(out / STATE) < STEPS
    subprocess.run(shared(out), env=told, check=True, capture_output=True)
    assert steps_of(out / STATE) == STEPS
    resumed, unbroken = (load_file(folder / STATE) for folder in (out, whole))
    assert all(torch.equal(value, unbroken[name]) for name, value in resumed.items())
