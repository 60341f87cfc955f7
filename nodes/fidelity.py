"""Nodes that measure how near generated pictures are to real ones, and how well a network predicts."""

from collections.abc import Generator
from functools import partial
from typing import Annotated

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.denoisers import unet_denoiser
from nodes.diffusion import fidelity, likelihood
from nodes.diffusion.denoisers import Leaf
from nodes.diffusion.likelihood import OutputKind
from nodes.diffusion.noise import SeededNoise, Shifted
from nodes.diffusion.schedule import Schedule
from nodes.models.clip import Clip
from nodes.models.unet import UNet
from nodes.wires.conditions import Condition
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal

Features = Annotated[Signal, Doc("Features [N, D] of pictures, such as clip_features'.")]
Chunk = Annotated[int, Range(1, 4096), Doc("Pictures at once; the result does not depend on it.")]


def _abstract_features(clip: Clip, image: Image) -> Signal:
    return clip.module().image(image, torch.zeros(len(image), dtype=torch.int64, device="meta"))


@node(category="evaluation", words=("embedding", "FID"), abstract=_abstract_features)
def clip_features(clip: Clip, image: Image, chunk: Chunk = 64) -> Generator[Progress, None, Signal]:
    """What a CLIP's image encoder makes of pictures, [N, D], taken as free of noise (t = 0).

    Published figures use Inception's features, which say nothing of a world of shapes: figures with these compare with each
    other only.
    """
    rows: list[Tensor] = []
    for some in image.split(chunk):
        t = torch.zeros(len(some), dtype=torch.int64, device=clip.device)
        rows.append(clip.module().image(some.to(clip.device), t).float().cpu())
        yield Progress(sum(map(len, rows)), len(image))
    return torch.cat(rows)


def _abstract_fid(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "fid"), ())


@node(category="evaluation", words=("Fréchet inception distance",), abstract=_abstract_fid)
def fid(features: Features, references: Features) -> Table:
    """Fréchet distance of features of generated pictures to those of real ones; 0 is best. Ref: Heusel et al. 2017, eq. 6.

    Biased upwards for few pictures: take several times as many as features are wide. Raises Mismatch on other widths.
    """
    distance = fidelity.frechet_distance(*_at_home(features, references))
    return Table(("pictures", "references", "fid"), ((len(features), len(references), distance),))


def _abstract_kid(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "kid"), ())


@node(category="evaluation", words=("kernel inception distance", "MMD"), abstract=_abstract_kid)
def kid(features: Features, references: Features) -> Table:
    """Kernel distance of features of generated pictures to those of real ones, unbiased; 0 is best.

    Raises Mismatch on other widths. Ref: Bińkowski et al. 2018, §4.
    """
    distance = fidelity.kernel_distance(*_at_home(features, references))
    return Table(("pictures", "references", "kid"), ((len(features), len(references), distance),))


def _abstract_coverage(features: Signal, references: Signal) -> Table:
    _check_widths(features, references)
    return Table(("pictures", "references", "precision", "recall"), ())


@node(category="evaluation", words=("coverage", "diversity"), abstract=_abstract_coverage)
def precision_recall(
    features: Features,
    references: Features,
    neighbours: Annotated[int, Range(1, 100), Doc("That reach around each picture.")] = 3,
) -> Table:
    """Share of generated pictures among the real ones (precision) and of real ones among the generated (recall).

    Raises Mismatch on other widths. Ref: Kynkäänniemi et al. 2019, eq. 1–3.
    """
    found = fidelity.precision_recall(*_at_home(features, references), neighbours)
    row = (len(features), len(references), found.precision, found.recall)
    return Table(("pictures", "references", "precision", "recall"), (row,))


def _at_home(features: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
    """Both on the CPU, where float64 is, and figures are the same for every device. Raises Mismatch on other widths."""
    _check_widths(features, references)
    return features.cpu(), references.cpu()


def _check_widths(features: Tensor, references: Tensor) -> None:
    if features.ndim != 2 or features.shape[1:] != references.shape[1:]:
        raise Mismatch(
            f"features are [N, D], of one width; these are {list(features.shape)} and {list(references.shape)}",
            port="references",
        )


def _abstract_bits(model: UNet, images: Image) -> Table:
    _check_size(model, images)
    return Table(("picture", "bits_per_dim", "prior"), ())


@node(category="evaluation", words=("likelihood", "VLB", "NLL"), abstract=_abstract_bits)
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
        told = {k: v[first : first + chunk] if len(v) > 1 else v for k, v in given.items()}
        call = partial(model.diffusion.call, **Leaf(model.diffusion, told).prepared(len(some)))
        noise = Shifted(SeededNoise(seed), first)
        found = likelihood.bits_per_dim(schedule, _kind(model), call, some, noise)
        rows += [
            (first + i, float(total), float(prior))
            for i, (total, prior) in enumerate(zip(found.total, found.prior, strict=True))
        ]
        yield Progress(len(rows), len(images))
    return Table(("picture", "bits_per_dim", "prior"), tuple(rows))


def _kind(model: UNet) -> OutputKind:
    trained = model.config.trained
    variance = "learned_range" if trained.learned_variance else trained.fixed_variance
    return OutputKind(trained.parametrisation, variance)


def _check_size(model: UNet, images: Tensor) -> None:
    if tuple(images.shape[1:]) != model.diffusion.sample_shape:
        raise Mismatch(
            f"'{model.name}' makes {list(model.diffusion.sample_shape)}, the pictures are {list(images.shape[1:])}",
            port="images",
            hint="resize the pictures",
        )
