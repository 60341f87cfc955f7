"""A network in its place: the precision that is wanted there, used and not trained, loaded once."""

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from nodegraph.base.paths import Sandbox
from nodegraph.library.port import Precision
from nodegraph.runtime.context import RunContext
from nodes.models.place import Place, place_of


class Counting(nn.Module):
    """A network with weights, a whole number and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("count", torch.tensor(3))


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_a_network_is_put_where_it_is_used(precision: Precision, dtype: torch.dtype) -> None:
    place = Place("cpu", precision)
    found = place.put(Counting())
    assert {p.dtype for p in found.parameters()} == {dtype} == {place.dtype}
    assert found.get_buffer("count").dtype is torch.int64
    assert not any(p.requires_grad for p in found.parameters())
    assert not found.drop.training
    assert {p.dtype for p in place.in_full().put(found).parameters()} == {torch.float32}


def test_what_is_loaded_in_a_place_is_loaded_once_and_put_there() -> None:
    place = Place(precision="float16")
    first = place.held("a", 16, Counting)
    assert place.held("a", 16, Counting) is first
    assert first.linear.weight.dtype is torch.float16
    assert place.residency.held() == {"a": "cpu"}


def test_the_place_of_a_run_shares_what_is_loaded_and_is_empty_in_another_process() -> None:
    context = RunContext(Sandbox((), Path()), device="meta", precision="bfloat16")
    place = place_of(context)
    assert (place.device, place.precision, place.abstract) == ("meta", "bfloat16", True)
    assert place.residency is context.residency
    there = pickle.loads(pickle.dumps(place))
    assert there == place
    assert there.residency is not place.residency
