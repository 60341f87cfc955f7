"""The devices that a server has workers of; torch is asked in a process beside."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import typer

from nodegraph.base import devices, tensors
from server.command import _devices  # pyright: ignore[reportPrivateUsage]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that may have cards, of which nothing is known yet."""
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path))
    monkeypatch.setattr(devices, "may_have_card", lambda: True)


def test_every_card_is_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert tensors.every_device() == ["cuda:0", "cuda:1", "cuda:2"]


def test_what_torch_says_in_another_process_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.every_device() == tuple(tensors.every_device())
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("asked again"))
    assert devices.every_device() == tuple(tensors.every_device())


def test_workers_are_of_every_card_or_of_those_that_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(devices, "ASK", "print('cuda:0,cuda:1')")
    assert _devices("auto") == ("cuda:0", "cuda:1")
    assert _devices("cpu, auto") == ("cpu", "cuda:0", "cuda:1")
    assert _devices("cuda:1") == ("cuda:1",)
    with pytest.raises(typer.Exit):
        _devices("cuda:2")
    assert (
        "there is no device 'cuda:2' here; there are: cpu, cuda:0, cuda:1"
        in capsys.readouterr().err
    )


def test_the_server_asks_without_importing_torch(tmp_path: Path) -> None:
    code = "from server.command import _devices; print(_devices('auto')); import sys; sys.exit('torch' in sys.modules)"
    child = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0 and child.stdout.startswith("('")


def test_where_torch_cannot_be_asked_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "ASK", "raise RuntimeError('a driver too old')")
    with pytest.raises(ValueError, match="RuntimeError: a driver too old"):
        devices.every_device()
