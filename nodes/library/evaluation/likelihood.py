"""Nodes that measure how well networks predict: bits per dimension, and nats per code."""

from collections.abc import Generator
from functools import partial
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.diffusion import likelihood
from nodes.diffusion.denoisers import Leaf
from nodes.diffusion.noise import SeededNoise, Shifted
from nodes.diffusion.schedule import Schedule
from nodes.library.denoising import unet_denoiser
from nodes.models.autoregressive_prior import ArPrior
from nodes.models.clip import Clip
from nodes.models.embeddings import same_space
from nodes.models.unet import UNet
from nodes.training.dataset import Batch
from nodes.training.objectives.token_prior import TokenObjective
from nodes.wires.conditions import Condition
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table

Chunk = Annotated[int, Range(1, 4096), Doc("Pictures at once; the result does not depend on it.")]


def _abstract_bits(model: UNet, images: Image) -> Table:
    _check_size(model, images)
    return Table(("picture", "bits_per_dim", "prior"), ())


@node(words=("likelihood", "VLB", "NLL"), abstract=_abstract_bits)
def bits_per_dim(
    model: UNet,
    images: Image,
    schedule: Annotated[
        Schedule, Doc("All steps of the trained chain, or fewer for a looser bound.")
    ],
    conditions: list[Condition] = [],  # noqa: B006
    seed: Seed = 0,
    chunk: Chunk = 16,
) -> Generator[Progress, None, Table]:
    """Upper bound of −log₂ p(x_0) in bits per dimension, one row a picture; `prior` is its part L_T.

    Conditions have one row, or one for each picture. Raises Mismatch for pictures of another size. Ref: Ho et al. 2020, eq. 5.
    """
    _check_size(model, images)
    given = unet_denoiser(model, conditions).root.conditions
    rows: list[tuple[int, float, float]] = []
    for first in range(0, len(images), chunk):
        some = images[first : first + chunk].to(model.device)
        chosen = {k: v[first : first + chunk] if len(v) > 1 else v for k, v in given.items()}
        call = partial(model.diffusion.call, **Leaf(model.diffusion, chosen).prepared(len(some)))
        noise = Shifted(SeededNoise(seed), first)
        found = likelihood.bits_per_dim(schedule, model.config.trained, call, some, noise)
        rows += [
            (first + i, float(total), float(prior))
            for i, (total, prior) in enumerate(zip(found.total, found.prior, strict=True))
        ]
        yield Progress(len(rows), len(images))
    return Table(("picture", "bits_per_dim", "prior"), tuple(rows))


def _check_size(model: UNet, images: Tensor) -> None:
    if tuple(images.shape[1:]) != model.diffusion.sample_shape:
        raise Mismatch(
            f"'{model.name}' makes {list(model.diffusion.sample_shape)}, the pictures are {list(images.shape[1:])}",
            port="images",
            hint="resize the pictures",
        )


LOSSES = ("code", "nats", "nats_se")
CHUNK = 256


def _abstract_losses(model: ArPrior, clip: Clip, images: Image, captions: list[str]) -> Table:
    same_space(model.config.space, clip.see(images), f"the prior '{model.name}'", "clip")
    if len(captions) != len(images):
        raise Mismatch(f"{len(captions)} captions for {len(images)} pictures", port="captions")
    return Table(LOSSES, ())


@node(words=("cross-entropy", "likelihood"), abstract=_abstract_losses)
def code_losses(model: ArPrior, clip: Clip, images: Image, captions: list[Text]) -> Table:
    """Cross-entropy of an autoregressive prior on the codes of pictures given their captions, by code, in nats.

    A row for each code, in the order of the components, with its standard error; a uniform guess has the logarithm of the
    number of buckets. Raises Mismatch for another CLIP than the prior's, or other numbers of rows.
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
