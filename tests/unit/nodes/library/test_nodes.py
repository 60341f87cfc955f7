"""Nodes as plain functions, without an engine."""

import inspect

import numpy as np
import pytest
import torch

from nodegraph import Mismatch
from nodes.wires.pictures import from_bytes, to_bytes
from nodes.wires.tables import Table


def test_nodes_are_found_by_name_and_are_plain_functions() -> None:
    from nodes import lerp, slerp

    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    middle = slerp(a, b, 0.5)
    torch.testing.assert_close(middle, torch.tensor([[0.5**0.5, 2 * 0.5**0.5]]))
    assert slerp(a.expand(3, -1), b, [0.0, 0.5, 1.0]).shape == (9, 2)
    torch.testing.assert_close(slerp(a, b, [0.0, 1.0]), torch.cat([a, b]))
    torch.testing.assert_close(slerp(a, 3 * a, 0.5), 2 * a)
    torch.testing.assert_close(lerp(a, b, 0.25), torch.tensor([[0.75, 0.5]]))
    with pytest.raises(Mismatch, match="cannot be interpolated"):
        slerp(a, torch.zeros(1, 3))
    with pytest.raises(ImportError):
        from nodes import no_such_node  # noqa: F401


def test_every_node_is_found_by_its_name() -> None:
    import nodes
    from nodegraph.session import registry

    for name, spec in registry().nodes.items():
        if not spec.composite:
            assert getattr(nodes, name).__name__ == name


def test_every_node_says_what_it_does() -> None:
    from nodegraph.session import registry

    for spec in registry().nodes.values():
        assert len(spec.doc) > 15, spec.name
        assert spec.category, spec.name


def test_twins_name_what_they_need_and_no_defaults_of_their_own() -> None:
    from nodegraph.session import registry

    library = registry()
    functions = [library.function(spec) for spec in library.nodes.values() if not spec.composite]
    declared = [vars(function)["__node__"] for function in functions]
    twins = [declaration.abstract for declaration in declared if declaration.abstract]
    assert len(twins) > 30
    for twin in twins:
        for parameter in inspect.signature(twin).parameters.values():
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, twin
            assert parameter.default is parameter.empty, twin


def test_the_category_of_a_node_is_its_file() -> None:
    from nodegraph.session import registry

    for spec in registry().nodes.values():
        if not spec.composite:
            module = spec.home.partition(":")[0]
            assert module == f"nodes.library.{spec.category.replace('/', '.')}", spec.name


def test_pictures_survive_their_bytes() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    assert (to_bytes(from_bytes(levels)) == levels).all()


def test_grid_and_resize() -> None:
    from nodes import grid, resize

    pictures = torch.rand(5, 3, 8, 8) * 2 - 1
    sheet = grid([pictures[:2], pictures[2:]], columns=3, gap=1)
    assert sheet.shape == (1, 3, 17, 26)
    assert torch.equal(sheet[0, :, 9:17, 0:8], pictures[3])
    assert resize(pictures, 16).shape == (5, 3, 16, 16)
    with pytest.raises(ValueError, match="at least one picture"):
        grid([])


def test_tables() -> None:
    from nodes import merge_tables

    table = Table(("a", "b"), ((1, 2), (3, 4)))
    assert merge_tables([table, table]).column("b") == [2, 4, 2, 4]
    with pytest.raises(Mismatch, match="there are a, b"):
        table.column("c")
    with pytest.raises(Mismatch, match="other columns"):
        merge_tables([table, Table(("a",), ())])


def test_noise_scheduler() -> None:
    from nodes import noise_scheduler

    assert len(noise_scheduler(kind="linear", steps="fast27")) == 27
    with pytest.raises(Mismatch, match="not known"):
        noise_scheduler()
    with pytest.raises(ValueError, match="cannot be divided"):
        noise_scheduler(kind="cosine", train_steps=10, steps=20)


def test_the_oracle_judges_pictures() -> None:
    from nodes import shapes_oracle
    from nodes.shapes.batches import batch

    pictures, captions = batch(np.random.default_rng(0), 4, 64)
    table = shapes_oracle(from_bytes(pictures), captions)
    assert table.column("correct") == [1, 1, 1, 1]
    with pytest.raises(Mismatch, match="4 pictures cannot be shared out over 3 captions"):
        shapes_oracle(from_bytes(pictures), captions[:3])
