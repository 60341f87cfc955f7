"""What a server is started with, and the bounds of what it takes."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from platformdirs import user_state_path

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of requests, of the queue and of what is kept; a request beyond one is refused with a problem that names it."""

    text: int = MIB
    """Bytes of the text of a graph."""
    body: int = 4 * MIB
    """Bytes of the body of a request that is no upload."""
    upload: int = 32 * MIB
    megapixels: float = 64.0
    nodes: int = 2_000
    """Nodes of a graph that is saved, checked or run."""
    queued: int = 200
    cells: int = 10_000
    readers: int = 100
    """Streams of events that are open at the same time."""
    rows: int = 5_000
    """Events that are kept for a job, beside those that tell its state."""
    kept: int = 10 * 2**30
    """Bytes of uploads, previews and outputs; beyond it those that no job names go, the least recently used first."""
    history: int = 2_000
    """Jobs that are remembered after their end; of a sweep its cells are not counted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a server is started with. `token` None is for a socket of one's own alone: who opens it needs none."""

    folder: Path
    state: Path
    token: str | None
    hosts: tuple[str, ...] = LOOPBACK
    """Names by which it may be addressed."""
    workers: tuple[str, ...] = ("cpu",)
    nodes: tuple[Path, ...] = ()
    """Node files beside the libraries."""
    root_path: str = ""
    resume: bool = False
    """Whether jobs that a restart interrupted run again."""
    keep_warm: float = 900.0
    """Seconds without a job after which a worker, with its models, is stopped."""
    job_seconds: float | None = None
    vram_limit: float | None = None
    """The share of a card's memory that a worker may take, 0 … 1."""
    limits: Limits = field(default_factory=Limits)
    on: str | None = None
    """The cluster on which jobs may run that ask for it: `ray`, `ray://HOST:PORT`."""


def state_folder(folder: Path) -> Path:
    """Where the server of a workspace keeps its database and files, outside the workspace."""
    real = folder.resolve()
    digest = hashlib.sha256(str(real).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return user_state_path("nodegraph") / "servers" / f"{real.name or 'root'}-{digest}"
