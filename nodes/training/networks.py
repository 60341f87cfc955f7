"""What can be trained: configurations that build a network, and hand it over as a model when it is trained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from nodegraph.residency import Residency
from nodes.checkpoints.catalogue import WEIGHTS_FILE
from nodes.checkpoints.weights import weights_digest, write_model
from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule
from nodes.models import UNet
from nodes.networks.config import TextConfig, UNetConfig
from nodes.networks.points import PointNetwork
from nodes.networks.reader import Reader
from nodes.networks.unet import UNet as UNetModule

M = TypeVar("M")


class Network(ABC, Generic[M]):
    """A configuration of a network. Its weights belong to the training until `hand_over`."""

    device: str

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with its first weights: drawn from a fixed seed, or taken from what it starts with."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """The identity of the network and its first weights."""

    @abstractmethod
    def promise(self) -> M:
        """The model as it will be, without weights: for checks that read none."""

    @abstractmethod
    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> M:
        """Write the trained network to a folder and return it as a model."""


@dataclass(frozen=True)
class TextReader:
    """A text transformer that was taught to read: weights in a folder."""

    folder: Path
    digest: str


@dataclass(frozen=True)
class UNetNetwork(Network[UNet]):
    """A UNet: from `start`'s weights, else with `reader`'s text transformer, or from scratch."""

    config: UNetConfig
    device: str = "cpu"
    precision: str = "float32"
    start: UNet | None = None
    reader: TextReader | None = None
    residency: Residency = field(default_factory=Residency, compare=False, repr=False)

    def build(self) -> UNetModule:
        torch.manual_seed(0)
        network = UNetModule(self.config)
        if self.reader is not None and network.text is not None:
            _take_text(network.text, load_file(self.reader.folder / WEIGHTS_FILE))
        if self.start is not None:
            network.load_state_dict({k: v.float() for k, v in self.start.weights().items()})
        return network

    def describe(self) -> Mapping[str, Any]:
        return {
            "config": asdict(self.config),
            "start": self.start.digest if self.start else None,
            "reader": self.reader.digest if self.reader else None,
        }

    def promise(self) -> UNet:
        return UNet(
            "untrained", self.config, "untrained", (), self.device, self.precision, self.residency
        )

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> UNet:
        write_model(folder, module, self.config, about)
        digest, files = weights_digest(folder), (folder / WEIGHTS_FILE,)
        return UNet(
            folder.name, self.config, digest, files, self.device, self.precision, self.residency
        )


def _take_text(text: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """All of the reader's transformer but its last projection, which the UNet learns for itself."""
    own = text.state_dict()
    taken = {k.removeprefix("text."): v for k, v in weights.items() if k.startswith("text.")}
    text.load_state_dict({**own, **{k: v for k, v in taken.items() if not k.startswith("proj.")}})


@dataclass(frozen=True)
class ReaderNetwork(Network[TextReader]):
    """A text transformer with the configuration of a UNet's, beside a picture network."""

    config: TextConfig
    embedding_width: int
    device: str = "cpu"

    def build(self) -> Reader:
        torch.manual_seed(0)
        return Reader(self.config, self.embedding_width)

    def describe(self) -> Mapping[str, Any]:
        return {"text": asdict(self.config), "embedding_width": self.embedding_width}

    def promise(self) -> TextReader:
        return TextReader(Path("untrained"), "untrained")

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> TextReader:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {k: v.contiguous() for k, v in module.state_dict().items()}, folder / WEIGHTS_FILE
        )
        return TextReader(folder, weights_digest(folder))


@dataclass(frozen=True)
class PointModel:
    """A trained network for points, ready to denoise."""

    diffusion: DiffusionNetwork
    digest: str


@dataclass(frozen=True)
class PointsNetwork(Network[PointModel]):
    """A perceptron for vectors of `dimensions`, predicting v on a chain."""

    dimensions: int
    width: int
    layers: int
    schedule: Schedule
    device: str = "cpu"

    def build(self) -> PointNetwork:
        torch.manual_seed(0)
        return self.build_empty()

    def describe(self) -> Mapping[str, Any]:
        return {"dimensions": self.dimensions, "width": self.width, "layers": self.layers}

    def promise(self) -> PointModel:
        with torch.device("meta"):
            network = self.build_empty()
        diffusion = DiffusionNetwork(
            network, self.schedule, (self.dimensions,), "v", device=torch.device("meta")
        )
        return PointModel(diffusion, "untrained")

    def build_empty(self) -> PointNetwork:
        return PointNetwork(self.dimensions, self.width, self.layers)

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> PointModel:
        folder.mkdir(parents=True, exist_ok=True)
        save_file(
            {k: v.contiguous() for k, v in module.state_dict().items()}, folder / WEIGHTS_FILE
        )
        network = DiffusionNetwork(module, self.schedule, (self.dimensions,), "v")
        return PointModel(network, weights_digest(folder))
