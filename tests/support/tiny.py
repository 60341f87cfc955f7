"""Folders of tiny models with random weights: bundles laid out like the shipped ones."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.weights import write_model
from nodes.models import classifier, noised_clip, unet
from nodes.models.handle import Model, parsed
from nodes.networks.clip.network import Clip
from nodes.networks.config import (
    ArPriorConfig,
    ClassifierConfig,
    ClipConditionConfig,
    ClipConfig,
    ClipTokenizerConfig,
    NoisedClipConfig,
    PriorConfig,
    TextConfig,
    TokenizerConfig,
    TrainedFor,
    UNetConfig,
)
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.prior.autoregressive import ArPrior
from nodes.networks.prior.diffusion import Prior
from nodes.networks.unet.classifier import Classifier
from nodes.networks.unet.network import UNet
from nodes.shapes.world import COLOURS, SHAPES

WORDS = ("a", "red", "blue", "circle", "square", "star")
COSINE = TrainedFor("eps", True, "fixed_large", "cosine", 1000)
TEXT = TextConfig(16, 8, 16, 1, 2, tokenizer=TokenizerConfig("words", WORDS))
PLAIN = UNetConfig(16, 3, 32, (1, 1), 1, (2,), head_channels=16, trained=COSINE)
READING = replace(PLAIN, text=TEXT)
LARGE = replace(READING, image_size=32, low_resolution=True, trained=TrainedFor("v", False))
ADM: Mapping[str, Any] = {
    "diffusion": replace(PLAIN, classes=65),
    "unconditional": PLAIN,
    "classifier": ClassifierConfig(PLAIN, 64),
}
GLIDE: Mapping[str, Any] = {
    "base": READING,
    "inpaint": replace(READING, known_pixels=True),
    "upsample": LARGE,
    "upsample_inpaint": replace(LARGE, known_pixels=True),
    "clip": NoisedClipConfig(16, 4, 24, 1000, "cosine", 20.0, 16, 8, 2, 8, 2, 2, 8, 2, words=WORDS),
}
SPACE = "tiny"
SEEING = {"image_size": 16, "patch_size": 8, "width": 16, "head_width": 8, "layers": 1}
KINDS = ("a", *COLOURS, *SHAPES)
SPEAKING = {"context_length": 8, "vocab_size": len(KINDS) + 3, "width": 16, "heads": 2, "layers": 1}
EMBEDDING = ClipConditionConfig(12, 16, 4, None, SPACE)
PRIOR = PriorConfig(12, 8, 2, 8, 1, text_width=16, positions=12, space=SPACE)
LARGER = replace(LARGE, text=None, trained=TrainedFor("x0", False))
UNCLIP: Mapping[str, Any] = {
    "clip": ClipConfig(
        12, SPEAKING, SEEING, tokenizer=ClipTokenizerConfig("words", words=KINDS), space=SPACE
    ),
    "prior": PRIOR,
    "autoregressive_prior": ArPriorConfig(12, 4, 8, 8, 8, 16, 2, 8, 1, SPACE),
    "decoder": replace(READING, image_size=32, fold=4, clip=EMBEDDING),
    "upsample_1": replace(LARGER, image_size=64, fold=8),
    "upsample_2": replace(LARGER, image_size=128, attention=(), middle_attention=False, fold=16),
}
"""unCLIP as the shapes world's: the decoder has a text transformer of its own beside the embedding."""
NETWORKS = {
    UNetConfig: UNet,
    ClassifierConfig: Classifier,
    NoisedClipConfig: NoisedClip,
    ClipConfig: Clip,
    PriorConfig: Prior,
    ArPriorConfig: ArPrior,
}


def context(folder: Path, **options: Any) -> RunContext:
    return RunContext(Sandbox((folder,), folder), **options)


def built(config: Any, seed: int = 0) -> nn.Module:
    """A network with random weights, none of them zero."""
    network = NETWORKS[type(config)](config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        spread = 0.6 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
        is_scale = name.endswith("norm.weight") or (".ln_" in name and name.endswith("weight"))
        nn.init.normal_(parameter, float(is_scale), spread, generator)
    return network


def write_bundle(folder: Path, parts: Mapping[str, Any]) -> Path:
    for number, (name, config) in enumerate(parts.items()):
        write_model(folder / name, built(config, number), config, {})
    return folder


class Models:
    """The tiny models of a folder by name, each read once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = context(folder)
        self.read: dict[str, Model] = {}

    def __call__(self, kind: type[Model], name: str) -> Model:
        if name not in self.read:
            self.read[name] = parsed(kind, self.folder / name, self.context)
        return self.read[name]

    @property
    def unconditional(self) -> unet.UNet:
        return self(unet.UNet, "adm/unconditional")

    @property
    def classifier(self) -> classifier.Classifier:
        return self(classifier.Classifier, "adm/classifier")

    @property
    def clip(self) -> noised_clip.NoisedClip:
        return self(noised_clip.NoisedClip, "glide/clip")


def drawn(generator: Generator[Any, None, Any]) -> Any:
    """What a generator returns in the end."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value
