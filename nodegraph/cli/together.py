"""Runs that `torchrun` starts in several processes: the first shows and writes what comes out, the others take part."""

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from nodegraph.base.devices import may_have_card
from nodegraph.base.member import Member, member


@dataclass(frozen=True, slots=True)
class Ways:
    """How a run is made and shown."""

    device: str | None
    out: Path
    no_cache: bool
    quiet: bool


def together(asked: Ways) -> Ways:
    """The same for this process. Where it is one of several, nothing is taken from the cache, which the others might not find
    there; each has its card; and all but the first write to a folder that is removed, and say nothing."""
    own = member()
    if own is None:
        return asked
    ways = replace(asked, device=_card(own, asked.device), no_cache=True)
    if own.rank == 0:
        return ways
    out = Path(tempfile.mkdtemp(prefix="nodegraph-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return replace(ways, out=out, quiet=True)


def _card(own: Member, device: str | None) -> str | None:
    """The card of a process, where no other device is asked for."""
    return f"cuda:{own.local}" if device in (None, "auto", "cuda") and may_have_card() else device
