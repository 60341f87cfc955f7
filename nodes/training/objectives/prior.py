"""The diffusion prior in training: the embeddings that it learns to make, and what it minimises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import Tensor, nn

from nodes.diffusion.likelihood import flat_mean
from nodes.diffusion.process import q_sample
from nodes.diffusion.schedule import Schedule
from nodes.models.clip import Clip
from nodes.networks.config import PriorConfig
from nodes.networks.prior.diffusion import Prior
from nodes.training.dataset import Batch, without
from nodes.training.draws import Draw
from nodes.training.frozen import image_embeddings, text_encoding
from nodes.training.objectives.diffusion import check_chain, check_space
from nodes.training.step import Objective


@dataclass(frozen=True, slots=True)
class PriorObjective(Objective):
    """Predict the normalised image embedding: mean squared error at random timesteps, one in each stretch of the chain.

    `dropout`: share of captions that are emptied before CLIP reads them. Ref: Ramesh et al. 2022, §2.2, eq. 2.
    """

    clip: Clip
    schedule: Schedule
    dropout: float = 0.1

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "prior",
            "clip": self.clip.digest,
            "schedule": f"{self.schedule.kind}-{len(self.schedule)}",
            "dropout": self.dropout,
        }

    def check(self, config: object) -> None:
        """Raises Mismatch for another chain or another CLIP than a prior's."""
        if not isinstance(config, PriorConfig):
            return
        check_chain(self.schedule, config.trained)
        check_space(self.clip, config.space)

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Squared error of each row [B]. Raises ValueError for a data set without captions."""
        prior, device = cast(Prior, network), batch.signal.device
        if batch.captions is None:
            raise ValueError("a prior reads captions, and the data set has none")
        captions = without(cast(Sequence[str], batch.captions), draw.uniform() < self.dropout)
        embedding, tokens = text_encoding(self.clip, captions, device)
        x0 = (image_embeddings(self.clip, batch) - prior.mean) / prior.std  # [B, D]
        t = draw.timesteps(len(self.schedule)).to(device)
        x_t = q_sample(self.schedule, x0, t, draw.normal(x0))
        found = prior(x_t, t, embedding, tokens.values.to(device), tokens.mask.to(device))
        return flat_mean((found.float() - x0).square())
