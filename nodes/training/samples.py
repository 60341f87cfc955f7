"""Samples while training: what the network draws for a few captions or labels."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ddim
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0
from nodes.networks.unet.network import UNet
from nodes.training.dataset import Batch, Dataset
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.step import Objective, draw_for

STEPS = 20
GUIDANCE = 3.0
COUNT = 4
"""Samples where no captions are given."""


def sample_pictures(
    module: nn.Module, objective: Objective, captions: Sequence[str], dataset: Dataset
) -> Tensor | None:
    """Pictures [N, 3, H, W] by 20 steps of DDIM with guidance 3, for captions, or else for four rows of the data set.

    None for networks that draw no pictures.
    """
    if not isinstance(module, UNet) or not isinstance(objective, DiffusionObjective):
        return None
    config, device = module.config, next(module.parameters()).device
    batch = _shown(dataset, captions).to(str(device))
    network = DiffusionNetwork(
        module,
        objective.schedule,
        tuple(batch.signal.shape[1:]),
        objective.target,
        device,
    )
    with torch.no_grad():
        cond = Leaf(network, _told(module, objective.dropping(0.0), batch))
        uncond = Leaf(network, _told(module, objective.dropping(1.0), batch))
        scale = GUIDANCE if objective.dropout and not config.low_resolution else 1.0
        denoiser = ClipX0(ClassifierFreeGuidance(cond, uncond, scale))
        start = Start(SeededNoise(0), count=1 if cond.rows == len(batch) else len(batch))
        *_, last = ddim(denoiser, respace(objective.schedule, STEPS), start)
    return last.x0.cpu()


def _shown(dataset: Dataset, captions: Sequence[str]) -> Batch:
    count = len(captions) or COUNT
    batch = dataset.batch(draw_for(0, 0, count).choice, count)
    return replace(batch, captions=tuple(captions)) if captions else batch


def _told(module: UNet, objective: DiffusionObjective, batch: Batch) -> dict[str, Tensor]:
    return objective.conditions(module, batch, draw_for(0, 0, len(batch)))
