"""nodegraph: a YAML graph of typed nodes, checked before anything is loaded, run where only what changed runs."""

from typing import TYPE_CHECKING, Any

from nodegraph.base.diagnostics import GraphError, GraphWarning, Mismatch, NodeFailed
from nodegraph.library.node import Progress, node
from nodegraph.library.port import Doc, PortType, Range
from nodegraph.runtime.warn import warn

if TYPE_CHECKING:
    from nodegraph.api import load as load
    from nodegraph.api import loads as loads
    from nodegraph.calling import finished as finished
    from nodegraph.calling import value as value

__all__ = [
    "Doc",
    "GraphError",
    "GraphWarning",
    "Mismatch",
    "NodeFailed",
    "PortType",
    "Progress",
    "Range",
    "node",
    "warn",
]


def __getattr__(name: str) -> Any:
    if name in ("load", "loads"):
        from nodegraph import api

        return getattr(api, name)
    if name in ("finished", "value"):
        from nodegraph import calling

        return getattr(calling, name)
    raise AttributeError(f"module 'nodegraph' has no attribute '{name}'")
