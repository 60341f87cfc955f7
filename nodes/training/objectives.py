"""What the training of a denoiser minimises. What it is told beside x_t is drawn here too: dropped captions, masks."""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.diffusion.likelihood import OutputKind
from nodes.diffusion.losses import min_snr_weight, training_loss
from nodes.diffusion.process import Parametrisation, q_sample
from nodes.diffusion.schedule import Schedule
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet import UNet, masked, upsampled
from nodes.training.dataset import Batch, without
from nodes.training.masks import random_masks
from nodes.training.step import Draw


@dataclass(frozen=True, slots=True)
class DiffusionObjective:
    """Predict ε, x_0 or v at random timesteps, one in each stretch of the chain.

    `gamma` > 0 weighs the error by min-SNR-γ; `learned_variance` adds the VLB terms that train the variance (hybrid loss);
    `dropout`: share of captions that are emptied, or of labels replaced by the last, which stands for none;
    `blur_noise`: largest noise on a low-resolution condition. A network that takes known pixels gets random masks.
    Ref: Ho et al. 2020, eq. 14; Nichol & Dhariwal 2021, §3.1; Hang et al. 2023; Ho & Salimans 2022, Alg. 1.
    """

    schedule: Schedule
    parametrisation: Parametrisation = "eps"
    gamma: float = 0.0
    learned_variance: bool = False
    dropout: float = 0.1
    blur_noise: float = 0.0

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "diffusion",
            "schedule": f"{self.schedule.kind}-{len(self.schedule)}",
            "parametrisation": self.parametrisation,
            "gamma": self.gamma,
            "learned_variance": self.learned_variance,
            "dropout": self.dropout,
            "blur_noise": self.blur_noise,
        }

    def dropping(self, share: float) -> "DiffusionObjective":
        """The same with another dropout: 0 tells the network everything, 1 nothing."""
        return replace(self, dropout=share, blur_noise=0.0)

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Loss of each row [B]."""
        x0 = batch.signal
        t = draw.timesteps(len(self.schedule)).to(x0.device)
        noise = draw.normal(x0)
        x_t = q_sample(self.schedule, x0, t, noise)
        output = network(x_t, t, **self.conditions(network, batch, draw)).float()
        variance = "learned_range" if self.learned_variance else "fixed_small"
        kind = OutputKind(self.parametrisation, variance)
        terms = training_loss(self.schedule, kind, "hybrid", (x0, noise), x_t, t, output)
        if not self.gamma:
            return terms["loss"]
        weight = min_snr_weight(self.schedule, self.parametrisation, t, self.gamma)
        return weight * terms["mse"] + terms.get("vb", 0.0)

    def conditions(self, network: nn.Module, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """What the network is told beside x_t: caption or label, known pixels, the picture at low resolution."""
        if not isinstance(network, UNet):
            return {}
        found: dict[str, Tensor] = {}
        if network.text is not None:
            found |= self.caption(network, batch, draw)
        if network.label_embedding is not None:
            found["embedding"] = network.label_embedding(self.labels(network, batch, draw))
        pixels: list[Tensor] = []
        if network.config.known_pixels:
            masks = random_masks(draw.choice, draw.size, network.config.image_size)[draw.rows]
            pixels.append(masked(batch.signal, masks.to(batch.signal)))
        if network.config.low_resolution:
            pixels.append(self.low_resolution(batch.signal, draw, network.config.image_size))
        return found | ({"pixels": torch.cat(pixels, 1)} if pixels else {})

    def caption(self, network: UNet, batch: Batch, draw: Draw) -> dict[str, Tensor]:
        """Captions as the network's transformer reads them. Raises ValueError for a data set without captions."""
        assert network.text is not None
        if batch.captions is None:
            raise ValueError("the network reads captions, and the data set has none")
        captions = without(batch.captions, draw.uniform() < self.dropout)
        tokens = tokenize(network.text.config, captions)
        device = batch.signal.device
        encoding = network.text(tokens.ids.to(device), tokens.mask.to(device))
        return {"embedding": encoding.pooled, "tokens": encoding.tokens}

    def labels(self, network: UNet, batch: Batch, draw: Draw) -> Tensor:
        """Labels, some of them replaced by the last of the network's. Raises ValueError for a data set without labels."""
        if batch.labels is None or network.config.classes is None:
            raise ValueError("the network is told labels, and the data set has none")
        dropped = torch.from_numpy(draw.uniform() < self.dropout).to(batch.labels.device)
        return batch.labels.masked_fill(dropped, network.config.classes - 1)

    def low_resolution(self, pictures: Tensor, draw: Draw, size: int) -> Tensor:
        """The pictures at a quarter of their size, with noise of a random strength, on 256 levels, enlarged again."""
        small = F.interpolate(pictures, scale_factor=0.25, mode="area")
        strength = torch.from_numpy(draw.uniform() * self.blur_noise).to(small)
        small = small + strength.reshape(-1, 1, 1, 1) * draw.normal(small)
        return upsampled(small.add(1).mul(127.5).round().div(127.5).sub(1), size)
