"""Frozen dataclasses of tensors, as one thing."""

from dataclasses import fields, replace
from typing import Any, Self, cast

import torch
from torch import Tensor


class Tensors:
    """A frozen dataclass that holds tensors beside numbers and texts. On a port it is brought to the device of the run."""

    __slots__ = ()

    def tensors(self) -> dict[str, Tensor]:
        """Those of its fields that are tensors, by name."""
        values = {f.name: getattr(self, f.name) for f in fields(cast(Any, self))}
        return {name: value for name, value in values.items() if isinstance(value, Tensor)}

    def to(self, device: str | torch.device) -> Self:
        """The same on a device."""
        moved = {name: value.to(device) for name, value in self.tensors().items()}
        return replace(cast(Any, self), **moved)
