"""Trainings that several processes share, started by `torchrun`, on one machine or more: gradients are added up over all.

Ref: Li et al. 2020 (PyTorch Distributed), of which only the sums are used: each process takes its rows of a batch.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from nodegraph.base.member import member
from nodes.training.draws import shares
from nodes.training.state import State, packed, unpack


@dataclass(frozen=True, slots=True)
class Group:
    """The processes of a training, of which this is one; alone it is the first of one."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def first(self) -> bool:
        """Whether this is the process that keeps the state."""
        return self.rank == 0

    def rows(self, batch_size: int) -> slice:
        """The rows of a batch that this process takes. Raises ValueError where there are fewer rows than processes."""
        if self.size > batch_size:
            raise ValueError(f"{self.size} processes of torchrun for {batch_size} pictures")
        return shares(batch_size, self.size)[self.rank]

    def alike(self, state: State) -> None:
        """Let all processes have the state of the first."""
        if self.size == 1:
            return
        header, tensors = packed(state)
        told = [header, {name: (value.shape, value.dtype) for name, value in tensors.items()}]
        dist.broadcast_object_list(told, 0)
        header, forms = told
        for name, (shape, dtype) in forms.items():
            value = tensors[name] if self.first else torch.empty(shape, dtype=dtype)
            moved = value.to(self.device)
            dist.broadcast(moved, 0)
            tensors[name] = moved.cpu()
        if not self.first:
            unpack(state, header, tensors)

    def summed(self, network: nn.Module, losses: np.ndarray, rows: slice, size: int) -> np.ndarray:
        """Add up the gradients of all processes; the losses of the whole batch, float64 [size], from those of `rows`."""
        if self.size == 1:
            return losses
        parameters = [p for p in network.parameters() if p.requires_grad]
        there = self._all([float(p.grad is not None) for p in parameters])
        taken = [p for p, count in zip(parameters, there, strict=True) if count]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in taken]
        whole = torch.cat([grad.flatten() for grad in grads])
        dist.all_reduce(whole)
        parts = whole.split([grad.numel() for grad in grads])
        for parameter, part in zip(taken, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        batch = np.zeros(size)
        batch[rows] = losses
        return np.array(self._all(batch.tolist()))

    def any(self, wanted: bool) -> bool:
        """Whether one of the processes says so."""
        return wanted if self.size == 1 else bool(self._all([float(wanted)])[0])

    def _all(self, values: list[float]) -> list[float]:
        """Numbers, added up over the processes."""
        row = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(row)
        return row.tolist()


@contextmanager
def group(device: str) -> Iterator[Group]:
    """The processes that train together, where `torchrun` started them."""
    own = member()
    if own is None:
        yield Group()
        return
    with _joined(device):
        yield Group(own.rank, own.size, device)


@contextmanager
def _joined(device: str) -> Iterator[None]:
    cuda = torch.device(device).type == "cuda"
    if cuda:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()
