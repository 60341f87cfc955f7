"""First weights and dropout come from seeds of their own: torch's generators are left as they were, and do not matter."""

from pathlib import Path

import numpy as np
import pytest
import torch
from test_training import TINY, finish
from torch import Tensor, nn

from nodes.diffusion.schedule import schedule
from nodes.library.training.datasets import points_dataset
from nodes.models.unet import UNet as Handle
from nodes.networks.reader import Reader
from nodes.networks.unet.network import UNet
from nodes.training.networks import (
    Network,
    PointsNetwork,
    ReaderNetwork,
    UNetNetwork,
)
from nodes.training.recipe import Recipe
from nodes.training.step import Objective, Training, Turn, gradient

COSINE = schedule("cosine", 100)
POINTS = PointsNetwork(2, 16, 2, COSINE)
assert TINY.text is not None
BUILDS: dict[str, tuple[Network, object]] = {
    "unet": (UNetNetwork(Handle, TINY), lambda: UNet(TINY)),
    "reader": (ReaderNetwork(TINY.text, 32), lambda: Reader(TINY.text, 32)),
    "points": (POINTS, POINTS.build_empty),
}


def equal(a: nn.Module, b: nn.Module) -> bool:
    other = b.state_dict()
    return all(torch.equal(value, other[name]) for name, value in a.state_dict().items())


@pytest.mark.parametrize("name", BUILDS)
def test_first_weights_are_those_of_seed_zero_and_nothing_else_is_drawn(name: str) -> None:
    made, plain = BUILDS[name]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        expected = plain()  # type: ignore[operator]
        torch.manual_seed(5)
        before = torch.get_rng_state()
        assert equal(made.build(), expected)
        assert torch.equal(torch.get_rng_state(), before)


class Dropping(nn.Module):
    """A perceptron that drops half of its activations."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.Dropout(0.5), nn.Linear(16, 2))


class Size(Objective):
    """An objective: the size of what comes out."""

    def loss(self, network: Dropping, batch, draw) -> Tensor:
        return network.layers(batch.signal).square().mean(1)

    def describe(self) -> dict[str, str]:
        return {"kind": "size"}


def test_dropout_does_not_depend_on_what_was_drawn_before(tmp_path: Path) -> None:
    recipe = Recipe(steps=3, batch_size=8, precision="float32", warmup=1, cooldown=0)
    states = []
    with torch.random.fork_rng([]):
        for number in (1, 2):
            torch.manual_seed(0)
            network = Dropping()
            torch.manual_seed(number)
            training = Training(
                network, Size(), points_dataset(), recipe, tmp_path / str(number), number
            )
            states.append(finish(training).network.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


def test_each_step_and_each_share_of_a_batch_drops_something_else(tmp_path: Path) -> None:
    network = Dropping().train()
    recipe = Recipe(steps=3, batch_size=8, precision="float32")
    training = Training(network, Size(), _Same(), recipe, tmp_path, "")
    losses = {
        gradient(training, Turn(step), rows).tobytes()
        for step in (0, 1)
        for rows in (slice(0, 4), slice(4, 8))
    }
    assert len(losses) == 4


class _Same:
    """A data set of one point, again and again."""

    sample_shape = (2,)

    def batch(self, rng: np.random.Generator, size: int):
        batch = points_dataset().batch(rng, size)
        batch.signal[:] = 1.0
        return batch

    def describe(self) -> str:
        return "same"
