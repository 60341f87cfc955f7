"""Losses multiplied by a power of two, so that gradients in half precision do not vanish."""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

LARGEST = 2.0**24


@dataclass(frozen=True, slots=True)
class LossScale:
    """What losses are multiplied by, and the steps since it changed. Halved where a gradient overflowed, doubled after
    `PATIENCE` steps in which none did. Ref: Micikevicius et al. 2018, §3.2.
    """

    value: float
    steps: int = 0

    def after(self, overflowed: bool) -> "LossScale":
        """The scale of the next step."""
        if overflowed:
            return LossScale(self.value / 2)
        if self.steps + 1 >= PATIENCE:
            return LossScale(min(2 * self.value, LARGEST))
        return LossScale(self.value, self.steps + 1)


PATIENCE = 1000
FIRST = LossScale(2.0**16)
SMALLEST = 1.0
"""What overflows although losses are not scaled up is no product of a scaled one."""


def unscaled(gradients: Iterable[Tensor | None], scale: float) -> None:
    """Divide gradients by a scale, in their place."""
    if scale != 1:
        for gradient in gradients:
            if gradient is not None:
                gradient.mul_(1 / scale)
