"""Orders of graphs, without recursion."""

from collections import deque
from collections.abc import Mapping
from typing import Any


def in_order(waits: Mapping[str, set[str]]) -> list[str]:
    """Names so that each stands after those it waits for; those on a cycle, or behind one, are left out."""
    missing = {name: len(before) for name, before in waits.items()}
    after: dict[str, list[str]] = {}
    for name, before in waits.items():
        for needed in before:
            after.setdefault(needed, []).append(name)
    ready = deque(name for name, count in missing.items() if not count)
    order: list[str] = []
    while ready:
        name = ready.popleft()
        order.append(name)
        for follower in after.get(name, ()):
            missing[follower] -= 1
            if not missing[follower]:
                ready.append(follower)
    return order


def cycles_among(waits: Mapping[str, set[str]]) -> list[list[str]]:
    """A shortest cycle of each knot of nodes that wait for each other, in the direction of the wires."""
    import networkx

    nx: Any = networkx
    graph = nx.DiGraph((needed, name) for name, before in waits.items() for needed in before)
    knots = nx.strongly_connected_components(graph)
    cycles = [_cycle_in(graph.subgraph(knot)) for knot in knots]
    return sorted(cycle for cycle in cycles if cycle)


def _cycle_in(knot: Any) -> list[str]:
    """A shortest cycle through the first node; empty for a node that does not wait for itself."""
    start = min(knot)
    came_from: dict[str, str | None] = {start: None}
    waiting = deque([start])
    while waiting:
        name = waiting.popleft()
        for follower in sorted(knot.successors(name)):
            if follower == start:
                return _back(name, came_from)
            if follower not in came_from:
                came_from[follower] = name
                waiting.append(follower)
    return []


def _back(name: str, came_from: Mapping[str, str | None]) -> list[str]:
    """The way that led to a name, from its beginning."""
    way: list[str] = []
    at: str | None = name
    while at is not None:
        way.append(at)
        at = came_from[at]
    return way[::-1]
