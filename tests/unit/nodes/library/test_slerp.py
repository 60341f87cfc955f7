"""Spherical interpolation against 50 digits, from parallel to opposite rows."""

import math

import pytest
import torch
from mpmath import mp, mpf
from torch import Tensor

from nodes.library.embeddings import slerp

WIDTH = 96
ANGLES = [
    *(10.0**-n for n in (9, 7, 5, 3, 1)),
    math.pi / 2,
    2.5,
    *(math.pi - 10.0**-n for n in (1, 2, 3, 4, 5)),
]


def rows(angle: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Two unit rows [1, D] in float64 that enclose an angle."""
    drawn = torch.randn(
        WIDTH, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    first, second = torch.linalg.qr(drawn).Q.T
    return first[None], (math.cos(angle) * first + math.sin(angle) * second)[None]


def by_fifty_digits(a: Tensor, b: Tensor, share: float) -> Tensor:
    """Of one row each, whatever angle and lengths they have."""
    with mp.workdps(50):
        left, right = ([mpf(x) for x in v[0].double().tolist()] for v in (a, b))
        lengths = [mp.sqrt(mp.fsum(x * x for x in v)) for v in (left, right)]
        u, v = ([x / n for x in v] for v, n in zip((left, right), lengths, strict=True))
        apart = mp.sqrt(mp.fsum((x - y) ** 2 for x, y in zip(u, v, strict=True)))
        together = mp.sqrt(mp.fsum((x + y) ** 2 for x, y in zip(u, v, strict=True)))
        angle = 2 * mp.atan2(apart, together)
        near, far = (mp.sin(s * angle) / mp.sin(angle) for s in (1 - mpf(share), mpf(share)))
        return torch.tensor(
            [[float(near * x + far * y) for x, y in zip(left, right, strict=True)]],
            dtype=torch.float64,
        )


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.85])
def test_any_angle(angle: float, share: float) -> None:
    """Near π the rows themselves say where the circle runs only to their last digit."""
    a, b = rows(angle)
    found, expected = slerp(a, 3 * b, share), by_fifty_digits(a, 3 * b, share)
    error = (found - expected).norm() / expected.norm()
    assert float(error) < 1e-14 + 1e-15 / (math.pi - angle)


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2), (torch.float16, 1e-3)]
)
@pytest.mark.parametrize("angle", [1e-3, 2.0, math.pi - 1e-2])
def test_any_precision(dtype: torch.dtype, bound: float, angle: float) -> None:
    """What is lost is what the rows themselves are rounded by: also where their squares are too large for half precision."""
    a, b = (300 * v.to(dtype) for v in rows(angle))
    found = slerp(a, b, 0.5)
    assert found.dtype == dtype
    expected = by_fifty_digits(a, b, 0.5)
    assert float((found.double() - expected).norm() / expected.norm()) < bound


def test_the_length_stays() -> None:
    for angle in ANGLES:
        assert float(slerp(*rows(angle), 0.5).norm()) == pytest.approx(1, abs=1e-9), angle


def test_rows_without_a_great_circle_are_joined_by_a_line() -> None:
    a, _ = rows(1.0)
    torch.testing.assert_close(slerp(a, a, 0.3), a, rtol=0, atol=1e-15)
    torch.testing.assert_close(slerp(a, -a, 0.25), a / 2, rtol=0, atol=1e-15)
    assert torch.equal(slerp(torch.zeros_like(a), a, 0.25), a / 4)


def test_every_row_has_its_own_angle() -> None:
    pairs = [rows(angle, seed) for seed, angle in enumerate((0.1, 1.0, 3.1))]
    a, b = (torch.cat(v) for v in zip(*pairs, strict=True))
    alone = torch.cat([slerp(*pair, [0.2, 0.7]) for pair in pairs])
    torch.testing.assert_close(slerp(a, b, [0.2, 0.7]), alone, rtol=0, atol=1e-15)
