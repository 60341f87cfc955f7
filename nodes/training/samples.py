"""Samples while training: what the network draws for a few captions."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ddim
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet import UNet, upsampled
from nodes.training.dataset import Dataset
from nodes.training.objectives import DiffusionObjective
from nodes.training.step import Objective

STEPS = 20
GUIDANCE = 3.0


def sample_pictures(
    module: nn.Module, objective: Objective, captions: Sequence[str], dataset: Dataset
) -> Tensor:
    """Pictures [N, 3, H, W] for captions, by 20 steps of DDIM with guidance 3. Only for diffusion UNets with text."""
    if (
        not isinstance(module, UNet)
        or not isinstance(objective, DiffusionObjective)
        or module.text is None
    ):
        return torch.ones(1, 3, 32, 32)
    device = next(module.parameters()).device
    config = module.config
    network = DiffusionNetwork(
        module,
        objective.schedule,
        (config.channels, config.image_size, config.image_size),
        objective.parametrisation,
        objective.learned_variance,
        device=device,
    )
    with torch.no_grad():
        pixels = _low_resolution(module, dataset, len(captions))
        cond = Leaf(network, _text(module, captions) | pixels)
        uncond = Leaf(network, _text(module, [""] * len(captions)) | pixels)
        scale = 1.0 if config.low_resolution else GUIDANCE
        denoiser = ClipX0(ClassifierFreeGuidance(cond, uncond, scale))
        sampling = ddim(denoiser, respace(objective.schedule, STEPS), Start(SeededNoise(0)))
        *_, last = sampling
    return last.x0.cpu()


def _text(module: UNet, captions: Sequence[str]) -> dict[str, Tensor]:
    assert module.text is not None
    tokens = tokenize(module.text.config, captions)
    device = next(module.parameters()).device
    encoding = module.text(tokens.ids.to(device), tokens.mask.to(device))
    return {"embedding": encoding.pooled, "tokens": encoding.tokens}


def _low_resolution(module: UNet, dataset: Dataset, count: int) -> dict[str, Tensor]:
    if not module.config.low_resolution:
        return {}
    pictures = dataset.batch(np.random.default_rng(0), count).signal.to(
        next(module.parameters()).device
    )
    small = torch.nn.functional.interpolate(pictures, scale_factor=0.25, mode="area")
    return {"pixels": upsampled(small, module.config.image_size)}
