"""Convolutions with fewer products give what convolutions give."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nodes.networks import winograd
from nodes.networks.blocks import Convolution

LAYOUTS = (torch.contiguous_format, torch.channels_last)


@pytest.fixture(autouse=True)
def _with_avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever processor this is, it is taken for one where it pays."""
    monkeypatch.setattr(winograd, "_instructions", lambda: "AVX2")


def given(count: int, channels: int, made: int, height: int, width: int) -> list[Tensor]:
    draw = torch.Generator().manual_seed(count + channels + made + height + width)
    sizes = ((count, channels, height, width), (made, channels, 3, 3), (made,))
    return [torch.randn(size, generator=draw) for size in sizes]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("at_once", [1, 2**14, 2**30])  # a row, a few, or all pictures at a time
@pytest.mark.parametrize("size", [(1, 4, 4), (3, 8, 12), (2, 20, 4), (5, 16, 16)])
def test_it_is_the_convolution(
    layout: torch.memory_format,
    at_once: int,
    size: tuple[int, int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(winograd, "_AT_ONCE", at_once)
    x, weight, bias = given(size[0], 5, 7, *size[1:])
    made = winograd.convolved(x.to(memory_format=layout), weight.to(memory_format=layout), bias)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    assert made.is_contiguous(memory_format=layout)
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=1e-5 * 45**0.5)


def test_pixels_lie_as_those_of_a_convolution() -> None:
    x, weight, bias = given(1, 8, 8, 8, 8)
    for filters in (weight, weight.to(memory_format=torch.channels_last)):
        direct = F.conv2d(x, filters, bias, padding=1)
        assert winograd.convolved(x, filters, bias).stride() == direct.stride()


def test_it_rounds_about_as_the_direct_way_does() -> None:
    x, weight, bias = given(2, 96, 96, 16, 16)
    expected = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    direct = (one_after_the_other(x, weight, bias) - expected).square().mean().sqrt()
    made = (winograd.convolved(x, weight, bias) - expected).square().mean().sqrt()
    assert made < 3e-6 * expected.std()
    assert made < 4 * direct


def one_after_the_other(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution whose products are added up in turn, as by the direct way with AVX2; wider registers round less."""
    pixels = F.unfold(x, 3, padding=1)  # [B, 9·C, H·W]
    made = pixels.new_zeros(len(x), len(weight), pixels.shape[2])
    for column, row in zip(weight.flatten(1).T, pixels.unbind(1), strict=True):
        made = torch.addcmul(made, column[:, None], row[:, None])
    return made.view(len(x), len(weight), *x.shape[2:]) + bias[:, None, None]


def test_a_layer_takes_it_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, taken = Convolution(96, 128).requires_grad_(False), []
    convolved = winograd.convolved
    monkeypatch.setattr(
        winograd, "convolved", lambda *given: taken.append(given) or convolved(*given)
    )
    x = torch.randn(2, 96, 16, 16)
    made = layer(x)
    assert len(taken) == 1
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    assert list(layer.state_dict()) == ["weight", "bias"]


X, WEIGHT = torch.zeros(2, 96, 16, 16), torch.zeros(96, 96, 3, 3)


@pytest.mark.parametrize(
    ("x", "weight"),
    [
        (X.half(), WEIGHT.half()),
        (X.to("meta"), WEIGHT.to("meta")),
        (X.clone().requires_grad_(), WEIGHT),
        (X, WEIGHT.clone().requires_grad_()),
        (X[:, :, :14], WEIGHT),
        (X[..., :15], WEIGHT),
        (X[:, :, :12, :12], WEIGHT),
        (X[:, :64], WEIGHT[:, :64]),
        (torch.zeros(2, 1024, 16, 16), torch.zeros(512, 1024, 3, 3)),
    ],
)
def test_it_is_not_taken_elsewhere(x: Tensor, weight: Tensor) -> None:
    assert winograd.pays(X, WEIGHT)
    assert winograd.pays(X[:1], WEIGHT)
    assert not winograd.pays(x, weight)


def test_what_may_have_no_values_goes_the_direct_way() -> None:
    class Followed(Tensor):
        """As those that torch follows without values."""

    assert not winograd.pays(X.as_subclass(Followed), WEIGHT)


def test_no_gradient_is_asked_for() -> None:
    with torch.no_grad():
        assert winograd.pays(X.clone().requires_grad_(), WEIGHT)


def test_a_gradient_is_that_of_the_convolution() -> None:
    layer = Convolution(96, 96)
    x = torch.randn(2, 96, 16, 16, requires_grad=True)
    layer(x).square().sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is not None


@pytest.mark.parametrize("instructions", ["AVX512", "DEFAULT", "NEON"])
def test_other_processors_are_left_alone(
    instructions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert winograd.pays(X, WEIGHT)
    monkeypatch.setattr(winograd, "_instructions", lambda: instructions)
    assert not winograd.pays(X, WEIGHT)
