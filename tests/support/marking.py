"""Nodes for tests of workers, to be given as a file of nodes: each writes down what it does, in a file of all processes."""

import os
import sys
import time
from collections.abc import Generator
from pathlib import Path

import torch

from nodegraph import Progress, node
from nodes.models.embeddings import Embedding
from nodes.wires.embeddings import ClipText
from nodes.wires.scalars import Text


def tell(log: str, text: str) -> None:
    """Append a line; one write, so that no kill cuts it."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, f"{text}\n".encode())
    os.close(file)


def _number(a: int, log: str) -> int:
    return 0


@node(abstract=_number)
def squared(a: int, log: str, seconds: float = 0.0) -> int:
    """The square of a number, after a while."""
    tell(log, f"begins {a} {os.getpid()}")
    time.sleep(seconds)
    tell(log, f"finished {a}")
    return a * a


@node(abstract=_number)
def deadly(a: int, log: str) -> int:
    """The number, but 13 kills the process."""
    tell(log, f"begins {a} {os.getpid()}")
    if a == 13:
        os.kill(os.getpid(), 9)
    return a


@node(abstract=_number)
def printed(a: int, log: str) -> int:
    """The number, printed, and a line of standard input: the pipes to the parent are not these."""
    print("x" * 100_000)
    tell(log, f"read {sys.stdin.read()!r}")
    return a


@node(abstract=_number)
def stepping(a: int, log: str) -> Generator[Progress, None, int]:
    """The number, after a great many steps."""
    for done in range(100_000):
        time.sleep(0.01)
        yield Progress(done, 100_000)
    return a


def _rows(log: str, text: str | list[str]) -> Embedding:
    return Embedding(torch.zeros(len(text) if isinstance(text, list) else 1, 2), "")


@node(rows=("text",), abstract=_rows)
def crowded(log: str, text: Text | list[Text]) -> ClipText:
    """Something for each text; more than one kills the process."""
    texts = [text] if isinstance(text, str) else text
    tell(log, f"crowded {len(texts)}")
    if len(texts) > 1:
        os.kill(os.getpid(), 9)
    return _rows(log, text)


@node(pure=False, abstract=_number)
def counted(a: int, log: str) -> int:
    """How many times this was called."""
    tell(log, "counted")
    return len(Path(log).read_text("utf-8").splitlines())
