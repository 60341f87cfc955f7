"""Whether there may be a device beside the CPU, as far as it can be seen without torch, which takes seconds to import."""

import sys
from pathlib import Path

CARDS = ("nvidia[0-9]*", "kfd", "dxg")
"""What drivers of cards put into /dev: NVIDIA's, AMD's, and Windows' for Linux."""


def may_have_card(dev: Path = Path("/dev")) -> bool:
    """Whether torch is worth asking: no on a Linux without a driver of a card, yes wherever that cannot be known."""
    if sys.platform != "linux":
        return True
    return any(next(dev.glob(name), None) is not None for name in CARDS)
