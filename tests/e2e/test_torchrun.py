"""A training that `torchrun` shares among processes is that of one, and goes on as one when it was told to end."""

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

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


def test_processes_of_torchrun_train_the_network_of_one(tmp_path: Path) -> None:
    told = {**environment(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        shared(tmp_path / "shared"), env=told, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("points:") == 1
    subprocess.run(command(tmp_path / "alone", 1), env=told, check=True, capture_output=True)
    assert folders(tmp_path / "shared") == folders(tmp_path / "alone")
    ours, theirs = (load_file(tmp_path / name / STATE) for name in ("alone", "shared"))
    for name, value in ours.items():
        torch.testing.assert_close(theirs[name], value, atol=2e-4, rtol=1e-3, msg=name)
    assert not list(tmp_path.glob("nodegraph-*"))


def test_processes_of_torchrun_save_together(tmp_path: Path) -> None:
    told = environment(tmp_path / "cache")
    for name in ("broken", "whole"):
        with subprocess.Popen(
            shared(tmp_path / name),
            env=told,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while (
                name == "broken"
                and process.poll() is None
                and not (tmp_path / name / STATE).exists()
            ):
                time.sleep(0.005)
            if name == "broken":
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=300)
    assert steps_of(tmp_path / "broken" / STATE) < STEPS
    subprocess.run(shared(tmp_path / "broken"), env=told, check=True, capture_output=True)
    resumed, whole = (load_file(tmp_path / name / STATE) for name in ("broken", "whole"))
    assert steps_of(tmp_path / "broken" / STATE) == STEPS
    assert all(torch.equal(value, whole[name]) for name, value in resumed.items())
