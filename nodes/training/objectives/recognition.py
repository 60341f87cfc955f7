"""What the training of networks that recognise pictures minimises: classifiers and CLIPs of noisy pictures, readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.diffusion.process import q_sample
from nodes.diffusion.schedule import Schedule
from nodes.networks.clip.network import Clip, clip_tokenize
from nodes.networks.noised_clip import NoisedClip
from nodes.networks.reader import Reader
from nodes.networks.tokenizer import Tokens, tokenize
from nodes.training.dataset import Batch
from nodes.training.draws import Draw
from nodes.training.step import Objective


def noised(
    schedule: Schedule, pictures: Tensor, draw: Draw, until: int | None = None
) -> tuple[Tensor, Tensor]:
    """Pictures at random timesteps of a chain (those below `until`), x_t [B, …] and t [B]."""
    t = draw.timesteps(min(until or len(schedule), len(schedule))).to(pictures.device)
    return q_sample(schedule, pictures, t, draw.normal(pictures)), t


@dataclass(frozen=True, slots=True)
class ClassifierObjective(Objective):
    """Predict the label of a picture at every noise level: cross-entropy. Ref: Dhariwal & Nichol 2021, §4."""

    schedule: Schedule

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "classifier", "schedule": f"{self.schedule.kind}-{len(self.schedule)}"}

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Cross-entropy of each row [B]. Raises ValueError for a data set without labels."""
        if batch.labels is None:
            raise ValueError("a classifier learns labels, and the data set has none")
        logits = network(*noised(self.schedule, batch.signal, draw))  # [B, classes]
        return F.cross_entropy(logits, batch.labels, reduction="none")


@dataclass(frozen=True, slots=True)
class NoisyContrastiveObjective(Objective):
    """Captions and pictures at every noise level find each other in a batch. Ref: Nichol et al. 2022 (GLIDE), §2.4.

    `until`: of the chain only the timesteps below; None: all. Processes that share a batch compare within their own share.
    """

    schedule: Schedule
    until: int | None = None

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "noisy contrastive",
            "schedule": f"{self.schedule.kind}-{len(self.schedule)}",
            **({"until": self.until} if self.until else {}),
        }

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Mean of both cross-entropies, for each row [B]."""
        clip = cast(NoisedClip, network)
        images = clip.images(*noised(self.schedule, batch.signal, draw, self.until))  # [B, D]
        texts = clip.texts(list(cast(Sequence[str], batch.captions)))  # [B, D]
        return matched(clip.config.logit_scale * texts @ images.T)


@dataclass(frozen=True, slots=True)
class ContrastiveObjective(Objective):
    """Captions find their pictures in a batch, and pictures their captions. Ref: Radford et al. 2021 (CLIP), fig. 3.

    `noise`: standard deviation of noise on the pictures; `scale`: of the cosines, for a network without one of its own.
    Processes that share a batch compare within their own share.
    """

    noise: float = 0.1
    scale: float = 20.0

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "contrastive", "noise": self.noise, "scale": self.scale}

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Mean of both cross-entropies, for each row [B]."""
        captions = cast(Sequence[str], batch.captions)
        pictures = batch.signal + self.noise * draw.normal(batch.signal)
        if isinstance(network, Clip):
            return matched(self.scale * cosines(network, captions, pictures))
        reader = cast(Reader, network)
        tokens = tokenize(reader.text.config, captions)
        device = batch.signal.device
        return matched(reader(tokens.ids.to(device), tokens.mask.to(device), pictures))


def cosines(clip: Clip, captions: Sequence[str], pictures: Tensor) -> Tensor:
    """Cosine of every caption's embedding with every picture's, [B, B]."""
    tokens, device = clip_tokenize(clip.config, captions), pictures.device
    read = clip.read(Tokens(tokens.ids.to(device), tokens.mask.to(device))).embedding  # [B, D]
    return F.normalize(read, dim=-1) @ F.normalize(clip.see(pictures), dim=-1).T


def matched(similarity: Tensor) -> Tensor:
    """How badly row i and column i of a similarity [B, B] find each other, [B]."""
    own = torch.arange(len(similarity), device=similarity.device)
    rows = F.cross_entropy(similarity, own, reduction="none")
    return (rows + F.cross_entropy(similarity.T, own, reduction="none")) / 2
