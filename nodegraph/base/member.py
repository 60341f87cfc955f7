"""Processes that `torchrun` starts together for one run."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """One of `size` processes of a run: `rank` counts all of them, `local` those on its machine."""

    rank: int
    local: int
    size: int


def member() -> Member | None:
    """Which of them this process is; None where it is alone."""
    told = [os.environ.get(name, "") for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE")]
    if "TORCHELASTIC_RUN_ID" not in os.environ or not all(word.isdigit() for word in told):
        return None
    found = Member(*map(int, told))
    return found if found.size > 1 else None
