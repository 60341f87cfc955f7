"""Probes: what can be read from vectors at all, by a small network that is trained for nothing else."""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH = 256
RATE, DECAY = 1e-3, 1e-3


def perceptron(inputs: int, outputs: int, hidden: int) -> nn.Module:
    """Two hidden layers of a width, or with `hidden` of 0 a linear map. Ref: Alain & Bengio 2017 (linear probes)."""
    if not hidden:
        return nn.Linear(inputs, outputs)
    first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)
    return nn.Sequential(first, nn.GELU(), second, nn.GELU(), nn.Linear(hidden, outputs))


def trained_steps(
    network: nn.Module, vectors: Tensor, targets: Tensor, steps: int, seed: int
) -> Iterator[float]:
    """Teach a network which of K things hold of vectors [N, D], by targets of 0 and 1 [N, K]; the loss of each step."""
    draw = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    for _ in range(steps):
        rows = torch.randint(len(vectors), (min(BATCH, len(vectors)),), generator=draw)
        with torch.enable_grad():
            loss = F.binary_cross_entropy_with_logits(network(vectors[rows]), targets[rows])
            optimiser.zero_grad()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
        optimiser.step()  # pyright: ignore[reportUnknownMemberType]
        yield float(loss.detach())


def standardised(vectors: Tensor) -> Callable[[Tensor], Tensor]:
    """What brings vectors like these, [N, D], to mean 0 and deviation 1 along each of their dimensions."""
    mean, deviation = vectors.mean(0), vectors.std(0).clamp(min=1e-6)
    return lambda some: (some - mean) / deviation
