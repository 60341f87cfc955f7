"""Boxes in layers: nothing overlaps, wires go forwards and round the boxes, frames hold what is theirs and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodegraph.drawing.framed import HEAD, PAD, arranged_with_frames
from nodegraph.drawing.layered import Arrangement, Link, arranged

Sizes = dict[str, tuple[float, float]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Sizes, list[Link]]:
    """Boxes with wires from earlier ones to later ones."""
    count = draw(st.integers(1, 14))
    side = st.floats(10, 200)
    sizes = {f"n{i}": (draw(side), draw(side)) for i in range(count)}
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    pairs = draw(st.lists(ends, max_size=30))
    links = []
    for a, b in pairs:
        if a < b:
            leaves, enters = draw(st.floats(0, 1)), draw(st.floats(0, 1))
            one, other = f"n{a}", f"n{b}"
            links.append(Link(one, other, leaves * sizes[one][1], enters * sizes[other][1]))
    return sizes, links


def overlap(made: Arrangement, sizes: Sizes) -> list[tuple[str, str]]:
    found = []
    names = list(made.places)
    for n, one in enumerate(names):
        for other in names[n + 1 :]:
            (x, y), (left, top) = made.places[one], made.places[other]
            beside = x + sizes[one][0] <= left or left + sizes[other][0] <= x
            if not beside and y < top + sizes[other][1] and top < y + sizes[one][1]:
                found.append((one, other))
    return found


def inside(made: Arrangement, sizes: Sizes) -> list[tuple[str, tuple[float, float]]]:
    """The bends of wires that lie in boxes, whose edges they may touch where they end."""
    return [
        (name, (x, y))
        for route in made.routes
        for x, y in route[1:-1]
        for name, (left, top) in made.places.items()
        if left < x < left + sizes[name][0] and top < y < top + sizes[name][1]
    ]


@given(graphs())
@settings(max_examples=200, deadline=None)
def test_boxes_stand_apart_and_wires_go_forwards_round_them(
    graph: tuple[Sizes, list[Link]],
) -> None:
    sizes, links = graph
    made = arranged(sizes, links)
    assert made.places.keys() == sizes.keys()
    assert overlap(made, sizes) == []
    assert inside(made, sizes) == []
    for link, route in zip(links, made.routes, strict=True):
        assert [x for x, _ in route] == sorted(x for x, _ in route)
        x, y = made.places[link.source]
        assert route[0] == (x + sizes[link.source][0], y + link.leaves)
        left, top = made.places[link.target]
        assert route[-1] == (left, top + link.enters)
        assert x + sizes[link.source][0] < left


@given(graphs(), st.data())
@settings(max_examples=200, deadline=None)
def test_a_frame_keeps_its_boxes_together_and_others_out(
    graph: tuple[Sizes, list[Link]], data: st.DataObject
) -> None:
    sizes, links = graph
    behind = {link.source for link in links}
    alone = [name for name in sizes if name not in behind]  # no way leads out of these and back
    members = data.draw(st.lists(st.sampled_from(alone), min_size=1, unique=True))
    made = arranged_with_frames(sizes, links, (), (), [members, ["nobody"], members])
    assert made.places.keys() == sizes.keys()
    assert overlap(made, sizes) == []
    left = min(made.places[name][0] for name in members) - PAD
    top = min(made.places[name][1] for name in members) - HEAD
    right = max(made.places[name][0] + sizes[name][0] for name in members) + PAD
    bottom = max(made.places[name][1] + sizes[name][1] for name in members) + PAD
    for name, (x, y) in made.places.items():
        if name not in members:
            outside = x >= right or x + sizes[name][0] <= left
            assert outside or y >= bottom or y + sizes[name][1] <= top, name
    for link, route in zip(links, made.routes, strict=True):
        x, y = made.places[link.source]
        assert route[0] == pytest.approx((x + sizes[link.source][0], y + link.leaves))
        x, y = made.places[link.target]
        assert route[-1] == pytest.approx((x, y + link.enters))
        assert len(route) % 2 == 0


def test_a_frame_through_which_a_way_leads_twice_stands_among_the_others() -> None:
    sizes = dict.fromkeys("abc", (50.0, 50.0))
    links = [Link("a", "b", 25, 25), Link("b", "c", 25, 25)]
    assert arranged_with_frames(sizes, links, (), (), [["a", "c"]]) == arranged(sizes, links)


def test_inputs_stand_at_the_left_and_outputs_at_the_right() -> None:
    sizes = dict.fromkeys(("in", "idle", "a", "b", "early", "late"), (50.0, 50.0))
    links = [Link("in", "a", 1, 1), Link("a", "b", 1, 1), Link("a", "early", 1, 1)]
    links.append(Link("b", "late", 1, 1))
    made = arranged(sizes, links, ("in", "idle"), ("early", "late")).places
    assert made["in"][0] == made["idle"][0] == 0 < made["a"][0] < made["b"][0]
    assert made["early"][0] == made["late"][0] > made["b"][0]


def test_wires_that_need_not_cross_do_not() -> None:
    sizes = dict.fromkeys("abcdef", (50.0, 50.0))
    links = [Link("a", "f", 25, 25), Link("b", "e", 25, 25), Link("c", "d", 25, 25)]
    made = arranged(sizes, links)
    assert [route[0][1] for route in made.routes] == [route[-1][1] for route in made.routes]


def test_a_circle_is_drawn_all_the_same() -> None:
    sizes = dict.fromkeys("abc", (50.0, 50.0))
    links = [Link("a", "b", 1, 1), Link("b", "c", 1, 1), Link("c", "a", 1, 1), Link("b", "b", 1, 1)]
    made = arranged(sizes, links)
    assert overlap(made, sizes) == []
    assert [len(route) for route in made.routes] == [2, 2, 2, 2]


def test_nothing_is_drawn_of_nothing() -> None:
    assert arranged({}, []) == Arrangement({}, ())
