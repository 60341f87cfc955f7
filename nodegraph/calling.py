"""Nodes called from Python, without a graph: literals read by their types, and generators run to their end."""

import sys
from collections.abc import Callable, Generator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeVar

from nodegraph.base.paths import Sandbox
from nodegraph.library.node import Progress
from nodegraph.library.port import Precision
from nodegraph.runtime.context import RunContext

T = TypeVar("T")


def finished(
    steps: Generator[Progress, None, T], watch: Callable[[Progress], object] | None = None
) -> T:
    """The result of a node that shows its steps, such as a sampler: `image = finished(ddim_sampler(denoiser, schedule))`.

    `watch` gets the progress of each step: how many are done, and a preview. No gradients are kept. What the node raises is
    raised.
    """
    torch = sys.modules.get("torch")
    while True:
        try:
            with nullcontext() if torch is None else torch.no_grad():
                now = next(steps)
        except StopIteration as stop:
            return stop.value
        if watch is not None:
            watch(now)


def value(kind: str, literal: Any, device: str = "cpu", precision: Precision = "float32") -> Any:
    """What a literal of a graph is to its nodes, by the name of its type: `value("Image", "photo.png")`.

    Paths are those of the caller. Raises LookupError for a type that there is none of, ValueError or OSError for what it cannot
    read.
    """
    from nodegraph.session import registry

    port = registry().port_type(kind)
    if port is None:
        raise LookupError(f"there is no port type '{kind}'")
    if port.parse is None:
        return literal
    everywhere = Sandbox((Path(Path.cwd().anchor),), Path())
    return port.parse(literal, RunContext(everywhere, Path(), device, precision))
