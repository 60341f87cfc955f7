"""Models on a wire: handles with a configuration and a digest. Weights are read on first use, by the run's keeper."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nodegraph.cancel import cancel_point
from nodegraph.errors import Mismatch
from nodegraph.residency import Residency
from nodegraph.tensors import Recall
from nodegraph.types import Context, PortType, Weights
from nodes.checkpoints.catalogue import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    Part,
    find_part,
    model_files,
    part_kinds,
    shipped_folder,
)
from nodes.checkpoints.layouts import UNETS, ours, unet_config
from nodes.checkpoints.weights import content_digest, read_config, read_weights, weights_digest
from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule, schedule
from nodes.networks.config import TextConfig, UNetConfig
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet import UNet as UNetModule

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class MissingWeights(FileNotFoundError):
    """A model whose weights are not on this machine."""


@dataclass(frozen=True)
class UNet:
    """A handle of a UNet: `name`, configuration, digest and file of its weights (their keys in `layout`), and where it runs."""

    name: str
    config: UNetConfig
    digest: str
    file: Path | None = None
    device: str = "cpu"
    precision: str = "float32"
    residency: Residency = field(default_factory=Residency, compare=False, repr=False)
    layout: str = "nodegraph"

    @property
    def abstract(self) -> bool:
        return self.device == "meta"

    def module(self) -> UNetModule:
        """The network on its device, its weights loaded on first use. Raises MissingWeights."""
        if self.abstract:
            return self._skeleton
        need = self.needs
        return self.residency.get(need.identity, self.device, need.size, self._load)

    @cached_property
    def _skeleton(self) -> UNetModule:
        with torch.device("meta"):
            network = UNetModule(self.config).eval().requires_grad_(False)
        return network.to(DTYPES[self.precision])

    @cached_property
    def needs(self) -> Weights:
        """What the network needs, counted without its weights."""
        parameters = sum(p.numel() for p in self._skeleton.parameters())
        here = self.file is not None and self.file.exists()
        size = parameters * DTYPES[self.precision].itemsize
        identity = f"{self.digest}/{self.precision}"
        return Weights(
            self.name, identity, parameters, size, here, None if here else parameters * 2
        )

    def weights(self) -> dict[str, Tensor]:
        """The weights under our names, as they are kept. Raises MissingWeights naming the file and how to get it."""
        if self.file is None or not self.file.exists():
            mend = (
                f"; `nodegraph models get {self.name}` fetches it" if self.layout in UNETS else ""
            )
            raise MissingWeights(
                f"the weights of '{self.name}' are not on this machine: there is no {self.file}{mend}"
            )
        found: dict[str, Tensor] = {}
        for key, value in read_weights(self.file):
            cancel_point()
            found[key] = value
        return ours(self.layout, found)

    def _load(self) -> UNetModule:
        weights = {k: v.to(DTYPES[self.precision]) for k, v in self.weights().items()}
        with torch.device("meta"):
            network = UNetModule(self.config)
        network.load_state_dict(weights, assign=True)
        return network.eval().requires_grad_(False)

    @cached_property
    def trained(self) -> Schedule:
        """The chain that the network was trained on."""
        return schedule(self.config.trained.schedule, self.config.trained.train_steps)  # type: ignore[arg-type]

    @cached_property
    def diffusion(self) -> DiffusionNetwork:
        """The network as the denoiser algebra sees it; one object for each handle, so that its calls are shared."""
        config = self.config
        return DiffusionNetwork(
            call=self._call,
            trained=self.trained,
            sample_shape=(config.channels, config.image_size, config.image_size),
            parametrisation=config.trained.parametrisation,
            learned_variance=config.trained.learned_variance,
            fixed_variance=config.trained.fixed_variance,
            device=torch.device(self.device),
            prepare=self._prepared,
        )

    def _prepared(self, conditions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Tokens as the keys and values that each attention makes of them: they are the same at every step."""
        rest = dict(conditions)
        tokens = rest.pop("tokens", None)
        return (
            conditions if tokens is None else {**rest, "context": self.module().projected(tokens)}
        )

    def _call(self, x_t: Tensor, t: Tensor, **conditions: Tensor) -> Tensor:
        network = self._on_shapes if self.abstract else self.module()
        return network(x_t, t, **conditions)

    @cached_property
    def _on_shapes(self) -> Recall:
        return Recall(self._skeleton)

    def text_config(self) -> TextConfig:
        """Configuration of the text transformer. Raises Mismatch for a network without one."""
        if self.config.text is None:
            raise Mismatch(f"'{self.name}' has no text transformer of its own", port="model")
        return self.config.text

    def encode(self, text: str) -> tuple[Tensor, Tensor]:
        """Pooled [1, E] and tokens [1, L, W] of a text."""
        tokens = tokenize(self.text_config(), [text])
        module = self.module()
        assert module.text is not None
        encoding = module.text(tokens.ids.to(self.device), tokens.mask.to(self.device))
        return encoding.pooled.float(), encoding.tokens.float()


def parse_unet(literal: Any, context: Context) -> UNet:
    """A catalogue name (`shapes/glide/base`), or a folder with a `config.json`."""
    name = str(literal)
    shipped = shipped_folder(name)
    if shipped is not None:
        return _from_folder(name, shipped, context)
    part = find_part(name)
    if part is not None and part.files:
        return _published(name, part, context)
    folder = context.readable(name)
    if not (folder / CONFIG_FILE).exists():
        raise ValueError(
            f"'{name}' is no model: neither a name of the catalogue nor a folder with {CONFIG_FILE}"
        )
    return _from_folder(folder.name, folder, context)


def _from_folder(name: str, folder: Path, context: Context) -> UNet:
    digest, file = weights_digest(folder), folder / WEIGHTS_FILE
    config = read_config(folder)
    return UNet(name, config, digest, file, context.device, context.precision, context.residency)


def _published(name: str, part: Part, context: Context) -> UNet:
    """A model of the catalogue, whether its file is here or not. Raises ValueError for one that is no UNet."""
    config = unet_config(part)
    if config is None:
        raise ValueError(f"'{name}' is a {part.kind}, not a UNet")
    (file,) = model_files(name, part)
    digest = content_digest(file.kept) if file.kept else file.sha256 or f"absent:{name}"
    where = context.device, context.precision, context.residency
    return UNet(name, config, digest, file.kept or file.place, *where, layout=part.layout)


def _describe(value: UNet) -> str:
    config = value.config
    parts = [f"{config.image_size} px", config.trained.parametrisation, config.trained.schedule]
    parts += [
        p
        for p, there in (("text", config.text), ("low resolution", config.low_resolution))
        if there
    ]
    return f"{value.name}: {', '.join(parts)}"


UNET = PortType(
    "UNet",
    "A UNet: a catalogue name such as shapes/glide/base, or a folder.",
    literal="name",
    colour="#c084fc",
    shape="diamond",
    parse=parse_unet,
    digest=lambda value: value.digest,
    describe=_describe,
    weights=lambda value: value.needs,
)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A family of models that belong together: a catalogue name, or a folder with one sub-folder for each part."""

    name: str


BUNDLE = PortType(
    "Bundle",
    "Models that belong together: a catalogue name such as shapes/glide, or a folder. Its parts are $name.part.",
    literal="name",
    colour="#a855f7",
    shape="diamond",
    parse=lambda literal, context: Bundle(str(literal)),
    digest=lambda value: value.name,
    parts=part_kinds,
)
