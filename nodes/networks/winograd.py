"""3×3 convolutions with a quarter of the products, by Winograd's minimal filtering. Ref: Lavin & Gray 2016.

Of 4×4 pixels, for each pair of channels, 36 products are taken in place of 144: of sums of the 6×6 pixels around, and of sums
of the filter. The ways there and back are products of matrices too.
"""

from functools import cache, lru_cache
from itertools import product

import numpy as np
import torch
from torch import Tensor

TILE = 4
_AROUND = TILE + 2
_POINTS = (0.0, 1.0, 0.5, -0.75, -2.0)
"""Where polynomials are taken, and at infinity. Of 3,000 sets of simple numbers one that rounds least: 1.7 times the error of
the direct way, where the usual 0, ±1, ±2 have 2.8. Ref: Barabasz et al. 2020."""
_AT_ONCE = 2 * 2**20
"""How many numbers are in work at once: the last cache of a processor holds them."""
_FILTERS = 8 * 2**20
"""How many numbers filters may become: more than 32 MiB are fetched anew at each call, which takes longer than it saves."""


def pays(x: Tensor, weight: Tensor) -> bool:
    """Whether `convolved` gives what a convolution gives, and sooner.

    On a CPU with AVX2 and in float32, where no gradient is taken and nothing is compiled. It took 0.47 to 0.99 of the time for
    what passes (one thread of a Zen 3, channels last; 1.08 for a single picture of 16 px), 0.9 to 1.3 with fewer channels or
    pixels, whose filters cost what they save. With AVX-512 the direct way is sooner: there (Zen 5) a decoder took 1.17 of
    its time, a super-resolution 1.13. How many pictures there are changes nothing, so that each is as it is alone.
    """
    _, channels, height, width = x.shape
    return (
        not torch.compiler.is_compiling()
        and _instructions() == "AVX2"
        and type(x) is Tensor  # one with values
        and x.device.type == "cpu"
        and x.dtype == weight.dtype == torch.float32
        and not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
        and height % TILE == width % TILE == 0
        and height * width >= 16 * TILE**2
        and min(weight.shape[:2]) >= 96
        and _AROUND**2 * channels * len(weight) <= _FILTERS
    )


@cache
def _instructions() -> str:
    """What torch's own loops are compiled for on this processor."""
    return torch.backends.cpu.get_cpu_capability()


def convolved(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Pixels [B, C, H, W] under filters [D, C, 3, 3] and a bias [D], zeros around → [B, D, H, W]; H and W multiples of 4.

    They lie with channels last where x or the filters do, as what a convolution gives.
    """
    count, channels, height, width = x.shape
    _, there, _ = _ways()
    flat = weight.permute(0, 2, 3, 1).reshape(len(weight), 9, channels)  # [D, 9, C]
    filters = torch.matmul(there, flat).permute(1, 2, 0)  # [36, C, D]
    around = x.new_zeros(count, height + 2, width + 2, channels)
    around[:, 1:-1, 1:-1] = x.permute(0, 2, 3, 1)
    made = x.new_empty(count, height, width, len(weight))
    tiles = _AT_ONCE // (_AROUND**2 * (channels + len(weight)))
    rows = min(height, max(1, tiles * TILE // width) * TILE)
    pictures = max(1, tiles * TILE**2 // (height * width))
    for first, top in product(range(0, count, pictures), range(0, height, rows)):
        some = slice(first, first + pictures)
        part = around[some, top : top + rows + 2]
        _convolve(part, filters, bias, made[some, top : top + rows])
    last = torch.channels_last
    lies = x.is_contiguous(memory_format=last) or weight.is_contiguous(memory_format=last)
    return made.permute(0, 3, 1, 2).contiguous(
        memory_format=last if lies else torch.contiguous_format
    )


def _convolve(around: Tensor, filters: Tensor, bias: Tensor, into: Tensor) -> None:
    """Of rows of pixels with those around them, [B, h + 2, W + 2, C], make [B, h, W, D]."""
    pixels, _, back = _ways()
    tiles = around.unfold(1, _AROUND, TILE).unfold(2, _AROUND, TILE)  # [B, h/4, W/4, C, 6, 6]
    flat = tiles.permute(4, 5, 0, 1, 2, 3).reshape(_AROUND**2, -1)  # [36, P·C]
    products = torch.bmm((pixels @ flat).unflatten(1, (-1, around.shape[3])), filters)  # [36, P, D]
    made = (back @ products.flatten(1)).view(TILE, TILE, *tiles.shape[:3], -1)
    into = into.unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE))  # [B, h/4, 4, W/4, 4, D]
    torch.add(made.permute(2, 3, 0, 4, 1, 5), bias, out=into)


@lru_cache(maxsize=1)
def _ways() -> tuple[Tensor, Tensor, Tensor]:
    """Matrices [36, 36] of pixels, [36, 9] of filters and [16, 36] of products.

    A polynomial is known from its values at as many points as it has coefficients (Toom & Cook); the last point is infinity.
    """
    points = np.array(_POINTS)
    apart = points[:, None] - points[None] + np.eye(len(points))
    infinity = np.eye(_AROUND)[-1:]
    powers = points[:, None] ** np.arange(_AROUND)
    products = np.concatenate([powers[:, :TILE], infinity[:, -TILE:]])  # [6, 4]
    filters = np.concatenate([powers[:, :3] / apart.prod(1, keepdims=True), infinity[:, -3:]])
    others = [np.poly(np.delete(points, i))[::-1] for i in range(len(points))]
    pixels = np.concatenate([np.pad(others, ((0, 0), (0, 1))), np.poly(points)[None, ::-1]])
    ways = (np.kron(a, a).astype(np.float32) for a in (pixels, filters, products.T))
    first, second, third = (torch.from_numpy(way) for way in ways)
    return first, second, third
