"""Nodes that measure CLIP priors."""

import numpy as np
import torch
import torch.nn.functional as F

from nodegraph import Mismatch, node
from nodes.models.autoregressive_prior import ArPrior
from nodes.models.embeddings import same_space
from nodes.models.open_clip import OpenClip
from nodes.training.dataset import Batch
from nodes.training.token_prior import TokenObjective
from nodes.wires.embeddings import ClipImage
from nodes.wires.pictures import Image
from nodes.wires.scalars import Text
from nodes.wires.tables import Table

COSINE = ("row", "cosine")
LOSSES = ("code", "nats", "nats_se")
CHUNK = 256


def _abstract_cosine(embeddings: ClipImage, references: ClipImage) -> Table:
    same_space(references.space, embeddings, "the references' space", "embeddings")
    rows, wanted = len(embeddings.values), len(references.values)
    if rows % wanted:
        raise Mismatch(f"{wanted} references for {rows} embeddings", port="references")
    return Table(COSINE, ())


@node(category="evaluation", words=("similarity", "CLIP"), abstract=_abstract_cosine)
def embedding_cosine(embeddings: ClipImage, references: ClipImage) -> Table:
    """Cosine of embeddings with their references, one row each; R references for R·n embeddings stand for n in a row.

    Raises Mismatch for embeddings of two CLIPs, or rows that cannot be shared out.
    """
    _abstract_cosine(embeddings, references)
    values, wanted = embeddings.values.float(), references.values.to(embeddings.values)
    times = len(values) // len(wanted)
    found = F.cosine_similarity(values, wanted.float().repeat_interleave(times, 0))
    return Table(COSINE, tuple((i, round(c, 6)) for i, c in enumerate(found.tolist())))


def _abstract_losses(model: ArPrior, clip: OpenClip, images: Image, captions: list[str]) -> Table:
    same_space(model.config.space, clip.see(images), f"the prior '{model.name}'", "clip")
    if len(captions) != len(images):
        raise Mismatch(f"{len(captions)} captions for {len(images)} pictures", port="captions")
    return Table(LOSSES, ())


@node(category="evaluation", words=("cross-entropy", "likelihood"), abstract=_abstract_losses)
def code_losses(model: ArPrior, clip: OpenClip, images: Image, captions: list[Text]) -> Table:
    """How badly an autoregressive prior tells the codes of pictures from their captions: cross-entropy by code, in nats.

    A row for each code, in the order of the components, with its standard error; a prior that knows nothing has the
    logarithm of its buckets. Raises Mismatch for another CLIP than the prior's, or other numbers of rows.
    """
    _abstract_losses(model, clip, images, captions)
    objective, network = TokenObjective(clip), model.module()
    batch = Batch(images.to(clip.device), tuple(captions))
    parts = [batch.take(slice(i, i + CHUNK)) for i in range(0, len(batch), CHUNK)]
    with torch.no_grad():
        losses = [objective.each(network, part, np.zeros(len(part), bool)) for part in parts]
    nats = torch.cat(losses).cpu()  # [B, K]
    errors = nats.std(0, correction=0) / len(nats) ** 0.5
    pairs = zip(nats.mean(0).tolist(), errors.tolist(), strict=True)
    return Table(LOSSES, tuple((i, round(m, 6), round(e, 6)) for i, (m, e) in enumerate(pairs)))
