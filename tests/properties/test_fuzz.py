"""Graphs and command lines with every kind of fault: each is good, or refused by diagnostics. `make soak` tries many more.

A failure names its seed, and shows the text. `FUZZ_TYPES` and `FUZZ_SHAPES` say how many cases `make soak` tries.
"""

import os
from random import Random

import fuzzing
import pytest
from campaign import Tally, bounded, campaign
from fuzzing import SHAPES_SECONDS, TYPES_SECONDS, Playground, playground
from hypothesis import given, settings
from hypothesis import strategies as st
from mutations import Raw, flow
from nasty import NAMES, NUMBERS, RAWS, TEXTS

from nodegraph.language.graph import TOP_KEYS

SOAK = 10**6
"""Where the seeds of `make soak` begin."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return playground(tmp_path_factory.mktemp("fuzz"))


def types(ground: Playground, seeds: range, said=lambda _: None) -> Tally:
    def act(case: fuzzing.Case):
        return fuzzing.checked(case, types=True)

    return campaign("types", seeds, ground.case, act, TYPES_SECONDS, said)


def shapes(ground: Playground, seeds: range, said=lambda _: None) -> Tally:
    def act(case: fuzzing.Case):
        return fuzzing.checked(case, types=False)

    return campaign("shapes", seeds, ground.well_typed, act, SHAPES_SECONDS, said)


def lines(ground: Playground, seeds: range, shaped: bool, said=lambda _: None) -> Tally:
    def make(random: Random) -> fuzzing.Line:
        made = fuzzing.well_typed_line if shaped else fuzzing.command_line
        return made(random, ground)

    def act(line: fuzzing.Line):
        return fuzzing.taken(line, shaped)

    return campaign("lines", seeds, make, act, SHAPES_SECONDS if shaped else TYPES_SECONDS, said)


def test_spoiled_graphs_are_good_or_refused(ground: Playground) -> None:
    types(ground, range(2000)).passed()


def test_changed_graphs_have_shapes_or_are_refused(ground: Playground) -> None:
    shapes(ground, range(20)).passed()


def test_values_of_the_command_line_are_taken_or_refused(ground: Playground) -> None:
    lines(ground, range(800), shaped=False).passed()


def test_values_of_the_command_line_have_shapes_or_are_refused(ground: Playground) -> None:
    lines(ground, range(15), shaped=True).passed()


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([*NUMBERS, *(t for t in TEXTS if len(t) < 999)]),
    st.sampled_from(RAWS).map(Raw),
    st.sampled_from(["$a", "$b.image", "$c"]),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple)
        | st.lists(st.tuples(st.sampled_from(["a", "b", "c", *NAMES]), inner).map(list), max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=250, derandomize=True)
@given(st.lists(st.tuples(st.sampled_from(TOP_KEYS), TREES), max_size=6))
def test_any_tree_is_good_or_refused(ground: Playground, tree: list[tuple[str, object]]) -> None:
    text = "".join(f"{key}: {flow(value)}\n" for key, value in tree)
    written = text.encode("utf-8", "surrogatepass")
    with bounded(TYPES_SECONDS):
        fuzzing.checked(fuzzing.Case(ground.folder / "glide" / "fuzzed.yaml", written), types=True)


@settings(max_examples=250, derandomize=True)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_good_or_refused(ground: Playground, text: bytes) -> None:
    with bounded(TYPES_SECONDS):
        fuzzing.checked(fuzzing.Case(ground.folder / "glide" / "fuzzed.yaml", text), types=True)


@settings(max_examples=150, derandomize=True)
@given(st.randoms(use_true_random=False))
def test_a_spoiled_graph_is_made_small_where_it_fails(ground: Playground, random: Random) -> None:
    """The same changes as by seed; hypothesis looks for the least of them."""
    with bounded(TYPES_SECONDS):
        fuzzing.checked(ground.case(random), types=True)


def asked(name: str, usual: int) -> range:
    return range(SOAK, SOAK + int(os.environ.get(name, usual)))


@pytest.mark.soak
@pytest.mark.parametrize(
    ("kind", "name", "usual"),
    [("types", "FUZZ_TYPES", 200_000), ("shapes", "FUZZ_SHAPES", 2_000)],
)
def test_many(
    ground: Playground, capsys: pytest.CaptureFixture[str], kind: str, name: str, usual: int
) -> None:
    """Half of the cases of shapes are changed graphs, half command lines."""

    def said(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", flush=True)

    seeds = asked(name, usual)
    half = seeds[: len(seeds) // 2], seeds[len(seeds) // 2 :]
    if kind == "types":
        tallies = [types(ground, seeds, said)]
    else:
        tallies = [shapes(ground, half[0], said), lines(ground, half[1], True, said)]
    for tally in tallies:
        said(str(tally))
    for tally in tallies:
        tally.passed()
