"""The autoregressive prior in training: what its codes are codes of, and what it minimises."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nodes.measures.pca import quantised
from nodes.models.autoregressive_prior import principal_components
from nodes.models.clip import Clip
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.prior.autoregressive import ArPrior, Prompt
from nodes.training.dataset import Batch
from nodes.training.draws import Draw
from nodes.training.frozen import image_embeddings, text_encoding
from nodes.training.step import Objective


def level_edges(texts: Tensor, images: Tensor, levels: int) -> Tensor:
    """Between which dot products levels change, [levels − 1]: as many of the pairs of embeddings [N, D] lie in each."""
    shares = torch.linspace(0, 1, levels + 1, device=images.device)[1:-1]
    return dot_products(texts, images).quantile(shares)


def dot_products(texts: Tensor, images: Tensor) -> Tensor:
    """Dot products [B] of embeddings [B, D] of texts and of pictures, both at unit length."""
    return F.cosine_similarity(texts.float(), images.float())


@dataclass(frozen=True, slots=True)
class TokenObjective(Objective):
    """Predict the codes of a picture's embedding, each from the caption and the codes before it: cross-entropy.

    `dropout`: share of captions that are emptied before CLIP reads them; their dot product stays.
    Ref: Ramesh et al. 2022, §2.2.
    """

    clip: Clip
    dropout: float = 0.1

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "tokens", "clip": self.clip.digest, "dropout": self.dropout}

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Mean cross-entropy of each row's codes [B], in nats."""
        return self.each(network, batch, draw.uniform() < self.dropout).mean(1)

    def each(self, network: nn.Module, batch: Batch, dropped: np.ndarray) -> Tensor:
        """Cross-entropy of every code [B, K]; without the `dropped` captions. Raises ValueError without captions."""
        prior = cast(ArPrior, network)
        codes, prompt = self.codes_and_prompt(prior, batch, dropped)
        logits = prior(codes[:, :-1], prompt)  # [B, K, V]
        return F.cross_entropy(logits.transpose(1, 2), codes, reduction="none")

    def codes_and_prompt(
        self, prior: ArPrior, batch: Batch, dropped: np.ndarray
    ) -> tuple[Tensor, Prompt]:
        """Codes int64 [B, K] of the pictures, and what stands before them."""
        if batch.captions is None:
            raise ValueError("a prior reads captions, and the data set has none")
        device = batch.signal.device
        images = image_embeddings(self.clip, batch)  # [B, D]
        embedding, tokens = text_encoding(self.clip, batch.captions, device)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            codes = quantised(principal_components(prior), images, prior.config.buckets)
            level = torch.bucketize(dot_products(embedding, images), prior.edges)
        nothing, no_tokens = text_encoding(self.clip, ("",), device)
        away = torch.from_numpy(dropped).to(device)[:, None]  # [B, 1]
        reading = ClipReading(
            torch.where(away, nothing, embedding),
            torch.where(away[..., None], no_tokens.values, tokens.values),
            torch.where(away, no_tokens.mask, tokens.mask),
        )
        return codes, Prompt(reading, level)
