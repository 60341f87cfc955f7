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
    cycles = [_cycle_in(nx, graph.subgraph(knot)) for knot in knots]
    return sorted(cycle for cycle in cycles if cycle)


def _cycle_in(nx: Any, knot: Any) -> list[str]:
    """A shortest cycle through the first node; empty for a node that does not wait for itself."""
    start = min(knot)
    paths = [nx.shortest_path(knot, follower, start) for follower in knot.successors(start)]
    return [start, *min(paths, key=len)[:-1]] if paths else []
