"""Runs that `torchrun` starts in several processes: the first shows and writes what comes out, the others take part."""

import atexit
import os
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from nodegraph.base.devices import may_have_card
from nodegraph.base.member import Member, member
from nodegraph.options import Options


def together(options: Options) -> Options:
    """The options of this process. Where it is one of several, nothing is taken from a cache, which the others might not find
    there; each has its card; and all but the first write to a folder that is removed."""
    own = member()
    if own is None:
        return options
    out = _nowhere() if follows() else options.out
    device = _card(own, options.device)
    return replace(options, device=device, out=out, cached=False, cache=None)


def follows() -> bool:
    """Whether this process is one of several, and not the first: it says nothing."""
    own = member()
    return own is not None and own.rank > 0


@cache
def _nowhere() -> Path:
    """A folder that is removed; what is printed goes nowhere either."""
    folder = Path(tempfile.mkdtemp(prefix="nodegraph-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return folder


def _card(own: Member, device: str | None) -> str | None:
    """The card of a process, where no other device is asked for."""
    return f"cuda:{own.local}" if device in (None, "auto", "cuda") and may_have_card() else device
