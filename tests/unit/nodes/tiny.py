"""Folders of tiny models with random weights: bundles laid out like the shipped ones."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nodegraph.context import RunContext
from nodegraph.paths import Sandbox
from nodes.checkpoints.weights import write_model
from nodes.networks.classifier import Classifier
from nodes.networks.config import (
    ClassifierConfig,
    NoisedClipConfig,
    TextConfig,
    TokenizerConfig,
    TrainedFor,
    UNetConfig,
)
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.unet import UNet

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
NETWORKS = {UNetConfig: UNet, ClassifierConfig: Classifier, NoisedClipConfig: NoisedClip}


def context(folder: Path, **options: Any) -> RunContext:
    return RunContext(Sandbox((folder,), folder), **options)


def built(config: Any, seed: int = 0) -> nn.Module:
    """A network with random weights, none of them zero."""
    network = NETWORKS[type(config)](config).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in network.named_parameters():
        spread = 0.6 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.1
        nn.init.normal_(parameter, float(name.endswith("norm.weight")), spread, generator)
    return network


def write_bundle(folder: Path, parts: Mapping[str, Any]) -> Path:
    for number, (name, config) in enumerate(parts.items()):
        write_model(folder / name, built(config, number), config, {})
    return folder
