"""What a training minimises: diffusion losses of pictures and points, and a contrastive loss that teaches reading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.diffusion.likelihood import OutputKind
from nodes.diffusion.losses import min_snr_weight, squared_error, training_loss
from nodes.diffusion.process import Parametrisation, q_sample
from nodes.diffusion.schedule import Schedule
from nodes.networks.reader import Reader
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet import UNet, upsampled
from nodes.training.dataset import Batch, without
from nodes.training.step import Draw


@dataclass(frozen=True, slots=True)
class DiffusionObjective:
    """Predict ε, x_0 or v at random timesteps, one in each stretch of the chain.

    `gamma` > 0 weighs the error by min-SNR-γ; `learned_variance` adds the VLB terms that train the variance (hybrid loss);
    `caption_dropout`: share of captions that are emptied; `blur_noise`: largest noise on a low-resolution condition.
    Ref: Ho et al. 2020, eq. 14; Nichol & Dhariwal 2021, §3.1; Hang et al. 2023; Ho & Salimans 2022, Alg. 1.
    """

    schedule: Schedule
    parametrisation: Parametrisation = "eps"
    gamma: float = 0.0
    learned_variance: bool = False
    caption_dropout: float = 0.1
    blur_noise: float = 0.0

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "diffusion",
            "schedule": f"{self.schedule.kind}-{len(self.schedule)}",
            "parametrisation": self.parametrisation,
            "gamma": self.gamma,
            "learned_variance": self.learned_variance,
            "caption_dropout": self.caption_dropout,
            "blur_noise": self.blur_noise,
        }

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Loss of each row [B]."""
        x0 = batch.signal
        t = draw.timesteps(len(self.schedule)).to(x0.device)
        noise = draw.normal(x0)
        x_t = q_sample(self.schedule, x0, t, noise)
        output = network(x_t, t, **self.conditions(network, batch, draw)).float()
        kind = OutputKind(
            self.parametrisation, "learned_range" if self.learned_variance else "fixed_small"
        )
        if self.learned_variance:
            return training_loss(self.schedule, kind, "hybrid", (x0, noise), x_t, t, output)["loss"]
        error = squared_error(self.schedule, kind, x0, x_t, t, noise, output)
        return (
            error * min_snr_weight(self.schedule, self.parametrisation, t, self.gamma)
            if self.gamma
            else error
        )

    def conditions(self, network: nn.Module, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """What the network is told beside x_t: the caption, and the picture at low resolution."""
        if not isinstance(network, UNet):
            return {}
        found: dict[str, Tensor] = {}
        if network.text is not None:
            dropped = draw.uniform() < self.caption_dropout
            captions = without(cast(Sequence[str], batch.captions), dropped)
            tokens = tokenize(network.text.config, captions)
            encoding = network.text(
                tokens.ids.to(batch.signal.device), tokens.mask.to(batch.signal.device)
            )
            found |= {"embedding": encoding.pooled, "tokens": encoding.tokens}
        if network.config.low_resolution:
            found["pixels"] = self.low_resolution(batch.signal, draw, network.config.image_size)
        return found

    def low_resolution(self, pictures: Tensor, draw: Draw, size: int) -> Tensor:
        """The pictures at a quarter of their size, with noise of a random strength, on 256 levels, enlarged again."""
        small = F.interpolate(pictures, scale_factor=0.25, mode="area")
        strength = torch.from_numpy(draw.uniform() * self.blur_noise).to(small)
        small = small + strength.reshape(-1, 1, 1, 1) * draw.normal(small)
        return upsampled(small.add(1).mul(127.5).round().div(127.5).sub(1), size)


@dataclass(frozen=True, slots=True)
class ContrastiveObjective:
    """Captions find their pictures in a batch, and pictures their captions. Ref: Radford et al. 2021 (CLIP), fig. 3.

    `noise`: standard deviation of noise on the pictures. Processes that share a batch compare within their own share.
    """

    noise: float = 0.1

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "contrastive", "noise": self.noise}

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Mean of both cross-entropies, for each row [B]."""
        reader = cast(Reader, network)
        tokens = tokenize(reader.text.config, cast(Sequence[str], batch.captions))
        device = batch.signal.device
        pictures = batch.signal + self.noise * draw.normal(batch.signal)
        similarity = reader(tokens.ids.to(device), tokens.mask.to(device), pictures)  # [B, B]
        own = torch.arange(len(similarity), device=device)
        rows = F.cross_entropy(similarity, own, reduction="none")
        return (rows + F.cross_entropy(similarity.T, own, reduction="none")) / 2
