"""A CLIP that is not trained, inside the training of another network: in full precision, without gradients."""

import torch
from torch import Tensor

from nodes.models.clip import Clip
from nodes.models.embeddings import ClipTokens
from nodes.training.dataset import Batch


def image_embeddings(clip: Clip, batch: Batch) -> Tensor:
    """Embeddings [B, D] of the pictures of a batch; those that it brings, where they are this CLIP's."""
    if batch.embeddings is not None and batch.embedded_by == clip.digest:
        return batch.embeddings
    pictures = batch.signal
    with torch.no_grad(), torch.autocast(pictures.device.type, enabled=False):
        return clip.see(pictures).values.to(pictures.device)


def text_encoding(
    clip: Clip, texts: tuple[str, ...], device: torch.device
) -> tuple[Tensor, ClipTokens]:
    """Embeddings [B, D] of texts, and what CLIP makes of their tokens."""
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        embedding, tokens = clip.read(texts)
    return embedding.values.to(device), tokens
