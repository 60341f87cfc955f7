"""Nodes that give CLIP image embeddings from text: the diffusion prior as a denoiser, the autoregressive prior."""

from collections.abc import Generator
from functools import partial
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.diffusion.denoisers import Denoiser, Leaf
from nodes.diffusion.noise import INITIAL, NoiseSource, SeededNoise
from nodes.diffusion.tokens import Choice, sample_tokens, uniforms
from nodes.library.rows import at_port
from nodes.models.autoregressive_prior import ArPrior
from nodes.models.embeddings import ClipTokens, Embedding, same_space
from nodes.models.prior import Prior
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.prior.autoregressive import Prompt
from nodes.rows import spread
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.scalars import Seed, Stream


@node(words=("CLIP prior", "unCLIP prior"), rows=("text", "embedding"))
def prior_denoiser(
    model: Prior,
    text: Annotated[ClipTokens | None, Doc("Without one: the learned null.")] = None,
    embedding: Annotated[ClipText | None, Doc("The embedding of the same text.")] = None,
) -> Denoiser[ClipImage]:
    """A diffusion prior as a denoiser: its prediction of CLIP's image embedding at (x_t, t) under a text.

    Raises Mismatch when the text was read by another CLIP than the prior was trained with, or is missing for a prior without
    a learned null. Ref: Ramesh et al. 2022, §2.2.
    """
    if (text is None or embedding is None) and not model.has_nulls:
        raise Mismatch(
            f"'{model.name}' learned nothing for a missing text",
            port="text" if text is None else "embedding",
            hint="wire both outputs of a clip_text, of an empty text for the unconditional branch",
        )
    conditions: dict[str, Tensor] = {}
    if text is not None:
        same_space(model.config.space, text, f"the prior '{model.name}'", "text")
        conditions |= {"tokens": text.values, "mask": text.mask}
    if embedding is not None:
        same_space(model.config.space, embedding, f"the prior '{model.name}'", "embedding")
        conditions["embedding"] = embedding.values
    return Leaf(model.diffusion, {n: v.to(model.device) for n, v in conditions.items()})


Guidance = Annotated[float, Range(-20, 100), Doc("Of the logits; 1 = no guidance.")]
Temperature = Annotated[
    float, Range(0, 10), Doc("Divides the logits; 0 takes the likeliest code each time.")
]
TopP = Annotated[
    float,
    Range(0, 1),
    Doc("Share of probability that the likeliest codes reach together; the rest is never drawn."),
]
Agreement = Annotated[
    float,
    Range(0, 1),
    Doc("The dot product of text and image embedding is drawn above this quantile of training."),
]
Count = Annotated[int, Range(1, 4096), Doc("Embeddings for each text.")]


class Readings(NamedTuple):
    """What CLIP read in the text and in the one that guidance moves away from (None without), a row for each sample."""

    wanted: ClipReading
    unwanted: ClipReading | None

    @property
    def samples(self) -> int:
        return len(self.wanted.mask)


Reading = tuple[ClipTokens, ClipText]


def _readings(model: ArPrior, wanted: Reading, unwanted: Reading | None, count: int) -> Readings:
    """Raises Mismatch for a text that another CLIP read."""
    parts = [*wanted, *(unwanted or ())]
    samples = count * max(len(part.values) for part in parts)
    first = _shared_out(model, wanted, ("text", "embedding"), samples)
    if unwanted is None:
        return Readings(first, None)
    return Readings(
        first, _shared_out(model, unwanted, ("uncond_text", "uncond_embedding"), samples)
    )


def _shared_out(
    model: ArPrior, reading: Reading, ports: tuple[str, str], samples: int
) -> ClipReading:
    tokens, embedding = reading
    for port, given in zip(ports, reading, strict=True):
        same_space(model.config.space, given, f"the prior '{model.name}'", port)
    parts = (embedding.values, tokens.values, tokens.mask)
    with at_port(ports[0]):
        return ClipReading(*(spread(part, samples, "texts").to(model.device) for part in parts))


def _unwanted(
    guidance: float, text: ClipTokens | None, embedding: ClipText | None
) -> Reading | None:
    """What guidance moves away from, if there is guidance. Raises Mismatch where it is not given."""
    if guidance == 1:
        return None
    if text is None or embedding is None:
        raise Mismatch(
            f"guidance of {guidance:g} moves away from a text that is not given",
            port="uncond_text" if text is None else "uncond_embedding",
            hint="wire both outputs of a clip_text of an empty text, or set guidance to 1",
        )
    return text, embedding


def _abstract_prior(
    model: ArPrior,
    text: ClipTokens,
    embedding: ClipText,
    uncond_text: ClipTokens | None,
    uncond_embedding: ClipText | None,
    guidance: float,
    count: int,
) -> ClipImage:
    """All codes in one call: with a cache they cost the same, one after the other."""
    unwanted = _unwanted(guidance, uncond_text, uncond_embedding)
    readings = _readings(model, (text, embedding), unwanted, count)
    for reading in readings:
        if reading is not None:
            level = torch.zeros(readings.samples, dtype=torch.int64, device=model.device)
            codes = level[:, None].expand(-1, model.config.components - 1)
            model.module()(codes, Prompt(reading, level))
    return Embedding(
        torch.empty(readings.samples, model.config.embedding, device=model.device),
        model.config.space,
    )


@node(
    words=("CLIP prior", "unCLIP prior", "DALL·E 2", "transformer", "PCA"),
    abstract=_abstract_prior,
)
def autoregressive_prior(
    model: ArPrior,
    text: ClipTokens,
    embedding: Annotated[ClipText, Doc("The embedding of the same text.")],
    uncond_text: Annotated[
        ClipTokens | None, Doc("Text of the unconditional branch: an empty one.")
    ] = None,
    uncond_embedding: Annotated[ClipText | None, Doc("The embedding of that text.")] = None,
    guidance: Guidance = 1.0,
    temperature: Temperature = 1.0,
    top_p: TopP = 1.0,
    agreement: Agreement = 0.5,
    seed: Seed = 0,
    count: Count = 1,
    stream: Stream = "prior",
    noise: NoiseSource | None = None,
) -> Generator[Progress, None, ClipImage]:
    """CLIP image embeddings from text, code by code: quantised principal components by decreasing eigenvalue.

    The sequence begins with text tokens, text embedding, and the quantised dot product of text and image embedding, which as
    in the paper is drawn from the upper half of its values in training. `count` embeddings [R·count, D] of R texts, each
    with its own noise.
    Raises Mismatch for a text that another CLIP read, and for guidance without a second text. Ref: Ramesh et al. 2022, §2.2.
    """
    unwanted = _unwanted(guidance, uncond_text, uncond_embedding)
    readings = _readings(model, (text, embedding), unwanted, count)
    uniform = partial(uniforms, noise or SeededNoise(seed, stream), readings.samples)
    level = model.levels(uniform(INITIAL), agreement)
    step = model.decoding(*readings, level, guidance)
    choice, total = Choice(temperature, top_p), model.config.components
    drawn = model.embeddings(level.new_empty(readings.samples, 0))
    for codes in sample_tokens(step, total, lambda place: uniform(INITIAL + 1 + place), choice):
        drawn = model.embeddings(codes)
        yield Progress(codes.shape[1], total, drawn)
    return drawn
