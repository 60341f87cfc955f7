"""The training of low-rank adapters of a model, which itself stays as it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from nodegraph.base.partial import write_text
from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints.adapters import write_adapter
from nodes.checkpoints.files import adapter_digest
from nodes.models.handle import Model
from nodes.models.lora import Lora
from nodes.models.place import Place
from nodes.networks.lora import adapted, factors_of
from nodes.training.networks import Network
from nodes.training.seeding import seeded


@dataclass(frozen=True)
class LoraNetwork(Network[Lora]):
    """A model with adapters of a `rank` on its linear layers and convolutions, or those whose names hold one of `words`.

    Ref: Hu et al. 2022, §4.
    """

    start: Model[Any, Any]
    rank: int
    alpha: float
    words: tuple[str, ...]
    config: Any
    place: Place

    def build(self) -> nn.Module:
        network = self.start.build().float()
        network.load_state_dict(self.start.weights())
        with seeded(0):
            adapted(network, self.rank, self.alpha, self.words)
        return network

    def layers(self) -> list[str]:
        """The names of the layers that get adapters."""
        with skeleton():
            return adapted(self.start.build(), self.rank, self.alpha, self.words)

    def describe(self) -> Mapping[str, Any]:
        own = {"rank": self.rank, "alpha": self.alpha, "words": self.words}
        return {"start": self.start.digest, "lora": own}

    def origin(self) -> str:
        return f"adapters of {self.start.called}"

    def promise(self) -> Lora:
        return Lora(None, "untrained")

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> Lora:
        file = write_adapter(folder, factors_of(module), self.start.name)
        lines = [
            f"Adapters of {self.start.called}.",
            "",
            *(f"* {k}: {v}" for k, v in about.items()),
        ]
        write_text(folder / "README.md", "\n".join(lines) + "\n")
        return Lora(file, adapter_digest(file))
