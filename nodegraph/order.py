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


def cycle_among(waits: Mapping[str, set[str]]) -> list[str]:
    """A shortest cycle, in the direction of the wires."""
    import networkx

    nx: Any = networkx

    graph = nx.DiGraph((needed, name) for name, before in waits.items() for needed in before)
    component = max(nx.strongly_connected_components(graph), key=len)
    start = min(name for name in component)
    paths = (
        nx.shortest_path(graph, follower, start)
        for follower in graph.successors(start)
        if follower in component and nx.has_path(graph, follower, start)
    )
    path = min(paths, key=len)
    return [start, *path[:-1]]
