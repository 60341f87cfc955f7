"""What can be trained: configurations that build a network, and hand it over as a model when it is trained."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nodegraph.base.framing import digest
from nodegraph.base.partial import replacing
from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints.catalogue import WEIGHTS_FILE
from nodes.checkpoints.weights import weights_digest, write_model
from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule
from nodes.models.handle import Model
from nodes.models.place import Place
from nodes.models.unet import UNet
from nodes.networks.config import TextConfig
from nodes.networks.points import PointNetwork
from nodes.networks.reader import Reader
from nodes.networks.unet.network import UNet as UNetModule
from nodes.target import Target
from nodes.training.seeding import seeded
from nodes.training.start import Started, same_words, started

M = TypeVar("M")
H = TypeVar("H", bound=Model[Any, Any])


class Network(ABC, Generic[M]):
    """A configuration of a network, trained on the device of `place`. Its weights belong to the training until `hand_over`.

    `config`: what objectives are checked against; None where any will do.
    """

    config: Any
    place: Place

    @abstractmethod
    def build(self) -> nn.Module:
        """The network with its first weights: drawn from a fixed seed, or taken from what it starts with."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """The identity of the network and its first weights."""

    def origin(self) -> str:
        """Where its first weights come from, for people; empty for a network from scratch."""
        return ""

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
class ModelNetwork(Network[H]):
    """A network whose model is a handle of `kind`: from scratch."""

    kind: type[H]
    config: Any
    place: Place = field(default_factory=Place)

    def build(self) -> nn.Module:
        with seeded(0):
            return self.promise().build()

    def describe(self) -> Mapping[str, Any]:
        return {"kind": self.kind.__name__, "config": asdict(self.config)}

    def promise(self) -> H:
        return self._handle("untrained", "untrained", ())

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> H:
        write_model(folder, module, self.config, about)
        return self._handle(folder.name, weights_digest(folder), (folder / WEIGHTS_FILE,))

    def _handle(self, name: str, digest: str, files: tuple[Path, ...]) -> H:
        return self.kind(name, self.config, digest, files, self.place)


@dataclass(frozen=True)
class TunedNetwork(ModelNetwork[H]):
    """A network that goes on from a model of its own configuration."""

    start: H = field(kw_only=True)

    def build(self) -> nn.Module:
        network = super().build()
        network.load_state_dict(self.start.weights())
        return network

    def origin(self) -> str:
        return f"started from {self.start.called}"

    def describe(self) -> Mapping[str, Any]:
        return {**super().describe(), "start": self.start.digest}

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> H:
        return super().hand_over(module, folder, {**about, "start": self.origin()})


@dataclass(frozen=True)
class MeasuredNetwork(ModelNetwork[H]):
    """A network with buffers that were measured on pictures before it is trained, such as their mean."""

    buffers: Mapping[str, Tensor] = field(
        default_factory=dict[str, Tensor], compare=False, repr=False
    )

    def build(self) -> nn.Module:
        network = super().build()
        for name, value in self.buffers.items():
            network.get_buffer(name).copy_(value)
        return network

    def describe(self) -> Mapping[str, Any]:
        measured = {name: self.buffers[name].cpu() for name in sorted(self.buffers)}
        return {**super().describe(), "buffers": digest(measured)}


@dataclass(frozen=True)
class UNetNetwork(ModelNetwork[UNet]):
    """A UNet: from `start`'s weights, with `reader`'s text transformer where the start reads other words, or from scratch.

    `labels`: names of its classes; as what `start` reads in them (pooled) its label embeddings begin. `start` may have other
    conditions and outputs. Raises Misfit when it differs in more.
    """

    start: UNet | None = None
    reader: TextReader | None = None
    labels: tuple[str, ...] = ()

    def build(self) -> nn.Module:
        with seeded(0):
            network = UNetModule(self.config)
        if self.start is not None:
            given = self.start.weights()
            network.load_state_dict(self._started(network.state_dict(), given).weights)
        if self.reader is not None and network.text is not None and not self._reads_already:
            _take_text(network.text, load_file(self.reader.folder / WEIGHTS_FILE))
        if self.labels and self.start is not None and network.label_embedding is not None:
            pooled, _ = self.start.encode(self.labels)  # [classes, E]
            network.label_embedding.weight.data.copy_(pooled)
        return network

    @property
    def _reads_already(self) -> bool:
        """Whether the text transformer of the start reads the words of this network."""
        return self.start is not None and same_words(self.config, self.start.config)

    def origin(self) -> str:
        if self.start is None:
            return ""
        with skeleton():
            own, given = UNetModule(self.config), self.start.build()
        notes = self._started(own.state_dict(), given.state_dict()).differences()
        return f"started from {self.start.called}" + (f"; {notes}" if notes else "")

    def _started(self, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> Started:
        assert self.start is not None
        return started(own, self.config, given, self.start.config)

    def describe(self) -> Mapping[str, Any]:
        first = {
            "start": self.start.digest if self.start else None,
            "reader": self.reader.digest if self.reader else None,
            **({"labels": self.labels} if self.labels else {}),
        }
        return {**super().describe(), **first}

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> UNet:
        start = {"start": self.origin()} if self.start else {}
        return super().hand_over(module, folder, {**about, **start})


def _take_text(text: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """All of the reader's transformer but its last projection, which the UNet learns for itself."""
    own = text.state_dict()
    taken = {k.removeprefix("text."): v for k, v in weights.items() if k.startswith("text.")}
    text.load_state_dict({**own, **{k: v for k, v in taken.items() if not k.startswith("proj.")}})


@dataclass(frozen=True)
class ReaderNetwork(Network[TextReader]):
    """A text transformer with the configuration of a UNet's, beside a picture network."""

    config: TextConfig
    embedding_width: int
    place: Place = field(default_factory=Place)

    def build(self) -> Reader:
        with seeded(0):
            return Reader(self.config, self.embedding_width)

    def describe(self) -> Mapping[str, Any]:
        return {"text": asdict(self.config), "embedding_width": self.embedding_width}

    def promise(self) -> TextReader:
        return TextReader(Path("untrained"), "untrained")

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> TextReader:
        _keep(module, folder)
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
    place: Place = field(default_factory=Place)
    config: None = None

    def build(self) -> PointNetwork:
        with seeded(0):
            return self.build_empty()

    def describe(self) -> Mapping[str, Any]:
        return {"dimensions": self.dimensions, "width": self.width, "layers": self.layers}

    def promise(self) -> PointModel:
        with skeleton():
            network = self.build_empty()
        return PointModel(self._diffusion(network, "meta"), "untrained")

    def build_empty(self) -> PointNetwork:
        return PointNetwork(self.dimensions, self.width, self.layers)

    def hand_over(self, module: nn.Module, folder: Path, about: Mapping[str, Any]) -> PointModel:
        _keep(module, folder)
        return PointModel(self._diffusion(module), weights_digest(folder))

    def _diffusion(self, module: nn.Module, device: str = "cpu") -> DiffusionNetwork:
        where, shape = torch.device(device), (self.dimensions,)
        return DiffusionNetwork(module, self.schedule, shape, Target("v"), where)


def _keep(module: nn.Module, folder: Path) -> None:
    """The weights of a network that has no configuration of its own."""
    with replacing(folder / WEIGHTS_FILE) as made:
        save_file({k: v.contiguous() for k, v in module.state_dict().items()}, made)
