"""Processes that share out the batch of each step. The weights lie in memory that all of them see."""

import pickle
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import numpy as np
import torch
import torch.multiprocessing
from torch import Tensor, nn

from nodes.training.draws import parts_of
from nodes.training.step import Training, Turn, gradient, prepared
from nodes.training.stopping import SIGNALS

PATIENCE = 5.0
"""Seconds in which a worker may end by itself."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One process beside the calling one: `wire` takes a turn and gives the losses of its rows, `grads` their gradient."""

    process: BaseProcess
    wire: Connection
    grads: Tensor

    def result(self) -> np.ndarray:
        """The losses of its rows, float64. Raises RuntimeError when the process has ended."""
        with suppress(EOFError, ConnectionResetError):
            return self.wire.recv()
        self.process.join(PATIENCE)
        raise RuntimeError(
            f"a training process ended with code {self.process.exitcode}; run again to go on from the last saving"
        )

    def close(self) -> None:
        self.wire.close()
        self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()


@dataclass(frozen=True, slots=True)
class WorkerPool:
    """The calling process and its workers; the first share of each batch is the caller's."""

    training: Training
    workers: tuple[Worker, ...]
    device: str
    rows: slice

    def gradient(self, turn: Turn) -> np.ndarray:
        """Leave the gradient of the rows of a step's batch on the network, and return their losses, float64."""
        for worker in self.workers:
            with suppress(BrokenPipeError):
                worker.wire.send(turn)
        own, *_ = parts_of(self.rows, 1 + len(self.workers))
        losses = [gradient(self.training, turn, own, self.device)]
        for worker in self.workers:
            losses.append(worker.result())
            for parameter, grad in _cut(self.training.network, worker.grads):
                if parameter.grad is not None:
                    parameter.grad += grad
        return np.concatenate(losses)


@contextmanager
def worker_pool(training: Training, device: str, rows: slice) -> Iterator[WorkerPool]:
    """A pool of processes for some rows of each batch, which share the threads of this one.

    Raises ValueError where they cannot share the rows.
    """
    processes = training.means.processes
    if processes > 1 and device != "cpu":
        raise ValueError(f"{processes} processes share a batch on the CPU only, not on {device}")
    if processes > rows.stop - rows.start:
        raise ValueError(f"{processes} processes for {rows.stop - rows.start} pictures")
    threads = torch.get_num_threads()
    workers: list[Worker] = []
    try:
        if processes > 1:
            torch.set_num_threads(max(1, threads // processes))
            workers += _spawned(training, parts_of(rows, processes)[1:])
        yield WorkerPool(training, tuple(workers), device, rows)
    finally:
        torch.set_num_threads(threads)
        for worker in workers:
            worker.close()


def _spawned(training: Training, parts: Sequence[slice]) -> Iterator[Worker]:
    spawn = torch.multiprocessing.get_context("spawn")
    packed, weights = _packed(training)
    for rows in parts:
        ours, theirs = spawn.Pipe()
        grads = torch.zeros_like(weights).share_memory_()
        arguments = (packed, rows, torch.get_num_threads(), weights, grads, theirs)
        process = spawn.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        yield Worker(process, ours, grads)


def _packed(training: Training) -> tuple[bytes, Tensor]:
    """A training as a worker gets it, and its weights in shared memory, which the network takes from now on.

    It is packed before that: of a slice of shared weights pickle would write the whole of them, for each parameter again.
    """
    packed = pickle.dumps(training)
    weights = _shared(training.network)
    _adopt(training.network, weights)
    return packed, weights


def _work(
    packed: bytes, rows: slice, threads: int, weights: Tensor, grads: Tensor, wire: Connection
) -> None:
    """The life of a worker: the gradient of its rows for each step it is sent, until the caller hangs up."""
    told = _told_to_end()
    torch.set_num_threads(threads)
    training: Training = pickle.loads(packed)
    _adopt(training.network, weights)
    prepared(training, "cpu")
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), torch.no_grad():
        for turn in _turns(wire, told):
            losses = gradient(training, turn, rows)
            for parameter, grad in _cut(training.network, grads):
                if parameter.grad is not None:
                    grad.copy_(parameter.grad)
            wire.send(losses)


def _told_to_end() -> list[int]:
    """Where signals that end a process are written down, but Ctrl-C, which is the caller's."""
    told: list[int] = []
    for number in SIGNALS:
        signal.signal(number, lambda came, _: told.append(came))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return told


def _turns(wire: Connection, told: list[int]) -> Iterator[Turn]:
    """The steps that are asked for. A cluster tells all processes to end: the caller's last step is made before."""
    while True:
        while not wire.poll(PATIENCE):
            if told:
                return
        yield wire.recv()


def _shared(network: nn.Module) -> Tensor:
    """All parameters in one row of shared memory."""
    return torch.cat([p.detach().flatten() for p in network.parameters()]).share_memory_()


def _adopt(network: nn.Module, weights: Tensor) -> None:
    """Let the parameters be slices of `weights`."""
    for parameter, part in _cut(network, weights):
        parameter.data = part


def _cut(network: nn.Module, row: Tensor) -> Iterator[tuple[nn.Parameter, Tensor]]:
    """Each parameter with its slice of a row."""
    parameters = list(network.parameters())
    parts = row.split([p.numel() for p in parameters])
    for parameter, part in zip(parameters, parts, strict=True):
        yield parameter, part.view_as(parameter)
