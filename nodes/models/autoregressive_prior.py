"""Autoregressive priors on a wire."""

import torch
from torch import Tensor

from nodes.diffusion.tokens import Step, guided_logits
from nodes.measures.pca import Pca, dequantised
from nodes.models.embeddings import Embedding
from nodes.models.handle import Model
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.config import ArPriorConfig
from nodes.networks.prior import autoregressive as autoregressive_prior
from nodes.networks.prior.autoregressive import Prompt


class ArPrior(Model[ArPriorConfig, autoregressive_prior.ArPrior]):
    """A handle of an autoregressive prior."""

    def build(self) -> autoregressive_prior.ArPrior:
        return autoregressive_prior.ArPrior(self.config)

    def levels(self, uniform: Tensor, above: float) -> Tensor:
        """Levels of the dot product int64 [B] for uniform numbers [B]: those of training that lie above a quantile, evenly."""
        count = self.config.levels
        shares = above + (1 - above) * uniform.to(self.device)
        return (shares * count).long().clamp(max=count - 1)

    def decoding(
        self, wanted: ClipReading, unwanted: ClipReading | None, level: Tensor, scale: float
    ) -> Step:
        """Codes one after the other under a text, guided away from another; both branches in one network call."""
        if unwanted is None:
            return self.module().decoding(Prompt(wanted, level))
        step = self.module().decoding(Prompt(_below(wanted, unwanted), level.repeat(2)))

        def guided(codes: Tensor | None) -> Tensor:
            cond, uncond = step(None if codes is None else codes.repeat(2)).chunk(2)
            return guided_logits(cond, uncond, scale)

        return guided

    def embeddings(self, codes: Tensor) -> Embedding:
        """Image embeddings [B, D] of the first codes [B, N]; what is not coded yet is the mean."""
        pca = principal_components(self.module())
        return Embedding(dequantised(pca, codes, self.config.buckets), self.config.space)


def principal_components(network: autoregressive_prior.ArPrior) -> Pca:
    """What the codes of a network are codes of, in float32."""
    parts = (network.mean, network.components, network.eigenvalues, network.low, network.high)
    mean, components, eigenvalues, low, high = (part.float() for part in parts)
    return Pca(mean, components, eigenvalues, low, high, network.config.space)


def _below(first: ClipReading, second: ClipReading) -> ClipReading:
    """Two readings of as many texts, one below the other."""
    pairs = ((getattr(first, n), getattr(second, n)) for n in ("embedding", "tokens", "mask"))
    return ClipReading(*(torch.cat(pair) for pair in pairs))
