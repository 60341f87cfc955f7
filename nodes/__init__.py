"""The node library. Importing this package imports nothing else; `from nodes import slerp` finds a node by its name.

Composites are callables too: `from nodes import upsampler` gives one that runs the graph.
"""

from functools import cache
from importlib import import_module
from typing import Any


@cache
def _homes() -> dict[str, str]:
    """The modules of node functions, by name."""
    from nodegraph.base.libraries import homes

    return homes(f"{__name__}.library")


@cache
def _composites() -> dict[str, Any]:
    """The composites by name, as callables."""
    from nodegraph.base.libraries import graph_files
    from nodegraph.callable import composite

    return {n: composite(n, path) for n, path in graph_files(["graphs"]).composites.items()}


def __getattr__(name: str) -> Any:
    """A node function by its name, from the file that defines it; a composite as a callable."""
    if name.startswith("_"):
        raise AttributeError(name)
    if name == "load_model":
        from nodes.models.loading import load_model

        return load_model
    if name in _homes():
        return getattr(import_module(_homes()[name]), name)
    if name in _composites():
        return _composites()[name]
    raise AttributeError(f"there is no node '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), "load_model", *_homes(), *_composites()})
