"""Muon in float32 against torch's own, and against its definition."""

import pytest
import torch
from torch import Tensor, nn

from nodes.training import optimiser as optimisers
from nodes.training.muon import FullMuon, orthogonal
from nodes.training.recipe import Recipe

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def by_definition(matrix: Tensor, steps: int) -> Tensor:
    x = matrix.double() / matrix.double().norm()
    for _ in range(steps):
        gram = x @ x.T
        x = COEFFICIENTS[0] * x + COEFFICIENTS[1] * gram @ x + COEFFICIENTS[2] * gram @ gram @ x
    return x


@pytest.mark.parametrize("shape", [(8, 8), (5, 40), (40, 5), (64, 576)])
@pytest.mark.parametrize("steps", [1, 5])
def test_the_factors_are_those_of_the_iteration(shape: tuple[int, int], steps: int) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    found = orthogonal(matrix, COEFFICIENTS, steps)
    assert found.shape == shape
    torch.testing.assert_close(found.double(), by_definition(matrix, steps), atol=1e-3, rtol=1e-3)


def test_singular_values_are_brought_near_one() -> None:
    matrix = torch.randn(32, 96, generator=torch.Generator().manual_seed(4))
    values = torch.linalg.svdvals(orthogonal(matrix, COEFFICIENTS, 5))
    assert 0.6 < float(values.min()) <= float(values.max()) < 1.3


def test_it_moves_as_torchs_own_does() -> None:
    """Up to bfloat16's rounding; a matrix without a gradient stays, and the states have the same names."""
    start = torch.randn(24, 60, generator=torch.Generator().manual_seed(5))
    ends, states = [], []
    for kind in (torch.optim.Muon, FullMuon):
        matrix, still = nn.Parameter(start.clone()), nn.Parameter(start.clone())
        muon = kind([matrix, still], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
        draw = torch.Generator().manual_seed(6)
        for _ in range(3):
            matrix.grad = torch.randn(24, 60, generator=draw)
            muon.step()
        assert torch.equal(still, start)
        ends.append(matrix.detach())
        states.append(muon.state[matrix])
    moved = (ends[0] - start).norm()
    assert float((ends[0] - ends[1]).norm() / moved) < 0.02
    assert states[0].keys() == states[1].keys()
    torch.testing.assert_close(states[0]["momentum_buffer"], states[1]["momentum_buffer"])


@pytest.mark.parametrize("imitates", [True, False])
def test_a_cpu_that_imitates_bfloat16_gets_float32(
    imitates: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimisers, "imitates_bfloat16", lambda device: imitates)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Conv2d(8, 3, 3))
    made = optimisers.optimiser(network, Recipe(optimiser="muon"))
    assert (type(made.parts[0]) is FullMuon) is imitates
