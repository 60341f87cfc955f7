"""How graphs are run, as every surface says it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, cast, get_args

from nodegraph.base.diagnostics import nearest
from nodegraph.library.port import Precision
from nodegraph.runtime.context import MAX_MEGAPIXELS


class NoDevice(ValueError):
    """A device that is asked for and not there."""


PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class Options:
    """How graphs are run: device (`auto`, `cpu`, `cuda`, `cuda:1`, `mps`), precision, output folder, cache, and what may
    be read beside the graph's folder. Pictures of more than `max_megapixels` are refused before they are decoded.
    `cache`: the address of a cache that machines share, a folder or what fsspec knows (`s3://bucket/folder`).

    `compile`: blocks of UNets are compiled when they are first called, which takes minutes and is kept between processes.
    With `low_memory` one network at a time is loaded, and let go when another is needed or the run is over; nothing is kept
    in memory between runs.

    Without a device, or a precision, a picture's graph is run with its own; other graphs with `auto` and float32.
    Raises TypeError or ValueError for a value that is none."""

    device: str | None = "cpu"
    precision: Precision | None = "float32"
    out: str | Path = Path("out")
    cached: bool = True
    readable: Sequence[str | Path] = ()
    max_megapixels: float = MAX_MEGAPIXELS
    compile: bool = False
    low_memory: bool = False
    cache: str | None = None

    def __post_init__(self) -> None:
        _refuse_options(self)


def _refuse_options(options: Options) -> None:
    given: dict[str, Any] = {o.name: getattr(options, o.name) for o in fields(options)}
    device, precision, readable = given["device"], given["precision"], given["readable"]
    if not isinstance(device, str | None):
        raise TypeError(f"device is a text such as 'cpu' or 'cuda:1', not {device!r}")
    if precision is not None and precision not in PRECISIONS:
        hint = nearest(str(precision), PRECISIONS)
        raise ValueError(f"'{precision}' is not a precision; {hint}")
    if not isinstance(given["out"], str | PathLike):
        raise TypeError(f"out is the path of a folder, not {given['out']!r}")
    for name in ("cached", "compile", "low_memory"):
        if not isinstance(given[name], bool):
            raise TypeError(f"{name} is True or False, not {given[name]!r}")
    if not isinstance(given["cache"], str | None):
        raise TypeError(
            f"cache is an address, such as 's3://bucket/folder', not {given['cache']!r}"
        )
    if given["cache"] is not None and not given["cached"]:
        raise ValueError("cache names where results are kept, and cached=False keeps none")
    if isinstance(readable, str | PathLike) or not isinstance(readable, Iterable):
        raise TypeError(f"readable is a list of paths, such as [{readable!r}], not {readable!r}")
    for path in cast("Iterable[Any]", readable):
        if not isinstance(path, str | PathLike):
            raise TypeError(f"readable is a list of paths; {path!r} is none")
    bound = given["max_megapixels"]
    if isinstance(bound, bool) or not isinstance(bound, int | float) or not bound > 0:
        raise ValueError(f"max_megapixels is a number above 0, not {bound!r}")
