"""Diffusion priors on a wire."""

from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from nodes.diffusion.denoisers import DiffusionNetwork
from nodes.diffusion.schedule import Schedule, schedule
from nodes.models.embeddings import Embedding
from nodes.models.handle import Model, port_type
from nodes.networks import prior
from nodes.networks.config import PriorConfig


class Prior(Model[PriorConfig, prior.Prior]):
    """A handle of a diffusion prior."""

    configuration: ClassVar[type] = PriorConfig

    def build(self) -> prior.Prior:
        return prior.Prior(self.config)

    @cached_property
    def trained(self) -> Schedule:
        """The chain that the prior was trained on."""
        return schedule(self.config.trained.schedule, self.config.trained.train_steps)  # type: ignore[arg-type]

    @cached_property
    def diffusion(self) -> DiffusionNetwork:
        """The prior as the denoiser algebra sees it; what it samples is an embedding in normalised units."""
        trained = self.config.trained
        return DiffusionNetwork(
            call=self._call,
            trained=self.trained,
            sample_shape=(self.config.embedding,),
            parametrisation=trained.parametrisation,
            learned_variance=trained.learned_variance,
            fixed_variance=trained.fixed_variance,
            device=torch.device(self.device),
            x0_bound=trained.x0_bound,
            value=self._embedding,
        )

    def _call(self, x_t: Tensor, t: Tensor, **conditions: Tensor) -> Tensor:
        return self.module()(x_t, t, **conditions)

    def _embedding(self, sample: Tensor) -> Embedding:
        module = self.module()
        values = sample * module.std.to(sample.dtype) + module.mean.to(sample.dtype)
        return Embedding(values, self.config.space)


def _describe(value: Prior) -> str:
    config = value.config
    return f"{value.name}: {config.layers} layers, {config.width} wide, of {config.space or 'any CLIP'}"


PRIOR = port_type(Prior, "kakaobrain/karlo-v1-alpha/prior", "A diffusion prior", _describe)
