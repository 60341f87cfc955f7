"""Torch's own generators, which first weights and dropout draw from: seeded for a while, and left as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Inside, what is drawn on the CPU and on the device comes from a seed; outside nothing is drawn, and nothing changes."""
    on_card = torch.device(device).type == "cuda" and torch.cuda.is_available()
    cards = [torch.device(device)] if on_card else []
    with torch.random.fork_rng(cards):
        torch.default_generator.manual_seed(seed)
        for card in cards:
            with torch.cuda.device(card):
                torch.cuda.manual_seed(seed)
        yield
