"""Diffusion priors on a wire."""

from collections.abc import Mapping
from functools import cached_property
from typing import cast

import torch
from torch import Tensor

from nodegraph.runtime.meta.abstract import Recall
from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule, schedule
from nodes.models.embeddings import Embedding
from nodes.models.handle import Model
from nodes.networks.config import LaionPriorConfig, PriorConfig
from nodes.networks.prior import diffusion as prior
from nodes.networks.prior.laion import LaionPrior

AnyPrior = prior.Prior | LaionPrior


class Prior(Model[PriorConfig | LaionPriorConfig, AnyPrior]):
    """A handle of a diffusion prior, of either network."""

    def build(self) -> AnyPrior:
        if isinstance(self.config, LaionPriorConfig):
            return LaionPrior(self.config)
        return prior.Prior(self.config)

    @property
    def has_nulls(self) -> bool:
        """Whether the prior learned what stands for a missing text."""
        return isinstance(self.config, LaionPriorConfig)

    @cached_property
    def trained(self) -> Schedule:
        """The chain that the prior was trained on."""
        return schedule(self.config.trained.schedule, self.config.trained.train_steps)  # type: ignore[arg-type]

    @property
    def diffusion(self) -> DiffusionNetwork:
        """The prior as the denoiser algebra sees it; what it samples is an embedding in normalised units."""
        return self.shared("diffusion", self._as_diffusion)

    def _as_diffusion(self) -> DiffusionNetwork:
        return DiffusionNetwork(
            call=self.call,
            trained=self.trained,
            sample_shape=(self.config.embedding,),
            target=self.config.trained,
            device=torch.device(self.device),
            prepare=self._prepared,
            x0_bound=self.config.trained.x0_bound,
            value=self._embedding,
        )

    @cached_property
    def _on_shapes_projected(self) -> Recall:
        return Recall(cast(prior.Prior, self.module()).projected)

    def _prepared(self, conditions: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """What is the same at every step: a text as the keys and values of each block, its mask as a bias."""
        network = self.module()
        if isinstance(network, LaionPrior) or not network.keeps_text or "mask" not in conditions:
            return conditions
        mask = conditions["mask"]
        projected = self._on_shapes_projected if self.abstract else network.projected
        context = projected(conditions["embedding"], conditions["tokens"], mask)
        return {"context": context, "bias": network.seen_by_last(mask)}

    def _embedding(self, sample: Tensor) -> Embedding:
        return Embedding(self.module().embeddings(sample), self.config.space)
