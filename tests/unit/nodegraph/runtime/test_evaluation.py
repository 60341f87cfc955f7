"""What a run computes, and how often."""

from collections.abc import Mapping

import torch
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ddim
from nodes.diffusion.schedule import schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0, GuidanceInterval

CHAIN = schedule("linear", 1000)


class Counted:
    """A network that writes down what it is asked."""

    def __init__(self) -> None:
        self.prepared = 0
        self.batches: list[int] = []
        self.network = DiffusionNetwork(self.call, CHAIN, (2,), prepare=self.prepare)

    def prepare(self, conditions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.prepared += 1
        return {"shift": conditions["shift"] * 2}

    def call(self, x_t: Tensor, t: Tensor, shift: Tensor) -> Tensor:
        self.batches.append(len(x_t))
        return x_t * 0.1 + shift

    def leaf(self, *shifts: float) -> Leaf:
        return Leaf(self.network, {"shift": torch.tensor(shifts)[:, None]})


def run(denoiser) -> Tensor:
    *_, last = ddim(denoiser, respace(CHAIN, 10), Start(SeededNoise(0), count=2))
    return last.x_t


def test_conditions_are_prepared_once_for_all_steps() -> None:
    counted = Counted()
    guided = ClassifierFreeGuidance(counted.leaf(0.1, 0.2), counted.leaf(0.0), 3.0)
    run(ClipX0(guided, -5, 5))
    assert counted.prepared == 1
    assert counted.batches == [8] * 10


def test_what_was_prepared_reaches_the_rows_it_belongs_to() -> None:
    counted = Counted()
    together = run(counted.leaf(0.1, 0.3))
    noise = SeededNoise(0).draw(range(4), 0, (2,))
    for row, shift in ((0, 0.1), (1, 0.1), (2, 0.3), (3, 0.3)):
        start = Start(SeededNoise(0), x_t=noise[row : row + 1])
        *_, alone = ddim(counted.leaf(shift), respace(CHAIN, 10), start)
        torch.testing.assert_close(alone.x_t, together[row : row + 1])


def test_outside_the_interval_only_the_outer_branch_is_called() -> None:
    counted = Counted()
    cond, uncond = counted.leaf(0.1), counted.leaf(0.0)
    run(GuidanceInterval(ClassifierFreeGuidance(cond, uncond, 3.0), cond, 300, 700))
    visited = respace(CHAIN, 10).timesteps.flip(0)
    assert counted.batches == [4 if 300 <= int(t) <= 700 else 2 for t in visited]


def test_an_interval_over_all_steps_is_the_inner_denoiser() -> None:
    counted = Counted()
    cond, uncond = counted.leaf(0.1), counted.leaf(0.0)
    guided = ClassifierFreeGuidance(cond, uncond, 3.0)
    torch.testing.assert_close(
        run(GuidanceInterval(guided, cond, 0, 999)), run(guided), rtol=0, atol=0
    )
