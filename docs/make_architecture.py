"""Draw docs/images/architecture.svg: the rooms of the house and what imports what, from the code as it is."""

from pathlib import Path

import grimp
import matplotlib as mpl
import networkx as nx
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PICTURE = Path(__file__).parent / "images" / "architecture.svg"
TOPS = ("nodegraph", "nodes", "server")
INSIDE = ("nodegraph", "nodes")
"""Packages that are drawn room by room."""
MOST, APART = 3, 0.23
"""Rooms of a row that stand on one line; of more every other one stands so far below."""
LEFT_OUT = ("nodegraph", "nodegraph.__main__", "nodegraph.build", "nodes")


def room_of(module: str) -> str:
    """The room that a module belongs to."""
    top, *rest = module.split(".")
    return f"{top}.{rest[0]}" if rest and top in INSIDE else top


def rooms() -> "nx.DiGraph[str]":
    """An arrow from each room to those that it imports, without those that follow from others."""
    code = grimp.build_graph(*TOPS, cache_dir=None)
    found: nx.DiGraph[str] = nx.DiGraph()
    for module in sorted(code.modules):
        for imported in sorted(code.find_modules_directly_imported_by(module)):
            pair = room_of(module), room_of(imported)
            if pair[0] != pair[1] and not {*pair} & set(LEFT_OUT):
                found.add_edge(*pair)
    reduced: nx.DiGraph[str] = nx.transitive_reduction(found)
    return reduced


def heights(arrows: "nx.DiGraph[str]") -> dict[str, int]:
    """How many rooms stand below each, one on the other."""
    found: dict[str, int] = {}
    for room in reversed(list(nx.lexicographical_topological_sort(arrows))):
        found[room] = 1 + max((found[below] for below in arrows.successors(room)), default=-1)
    return found


def places(arrows: "nx.DiGraph[str]") -> dict[str, tuple[float, float]]:
    """Where rooms are drawn: in rows by height, the engine and the server on the left, the nodes on the right."""
    rows: dict[tuple[int, bool], list[str]] = {}
    for room, height in heights(arrows).items():
        rows.setdefault((height, room.startswith("nodes")), []).append(room)
    return {
        room: (0.5 * right + 0.5 * (number + 0.5) / len(row), height + aside(number, len(row)))
        for (height, right), row in rows.items()
        for number, room in enumerate(sorted(row))
    }


def aside(number: int, count: int) -> float:
    """How far above the line of its row a room stands, so that neighbours do not cover each other."""
    return 0.0 if count <= MOST else APART * (-1) ** number


def draw(arrows: "nx.DiGraph[str]", axes: Axes) -> None:
    """Boxes with their arrows."""
    at = places(arrows)
    for upper, lower in sorted(arrows.edges):
        link = {"arrowstyle": "->", "color": "#8a8f98", "shrinkA": 13, "shrinkB": 15}
        axes.annotate("", xy=at[lower], xytext=at[upper], arrowprops=link)
    for room, (x, y) in at.items():
        box = {
            "boxstyle": "round,pad=0.45",
            "facecolor": "#e8f0fe" if room.startswith("nodegraph") else "#fef3e2",
            "edgecolor": "#5f6368",
        }
        axes.text(x, y, room, ha="center", va="center", fontsize=9, bbox=box, color="#202124")
    axes.set(xlim=(0, 1), ylim=(-0.6, max(y for _, y in at.values()) + 0.6))
    axes.axis("off")


def main() -> None:
    """Write the picture; the same code gives the same bytes."""
    arrows = rooms()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "nodegraph"}):
        figure = Figure(figsize=(10, 8), facecolor="white", layout="constrained")
        draw(arrows, figure.add_subplot())
        figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
