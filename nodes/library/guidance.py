"""Nodes that guide: by a second branch of the network, by classifiers and CLIPs, and what tempers guidance."""

from typing import Annotated

from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion import score_guidance as guidance
from nodes.diffusion import techniques
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.masks import resampled
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.score_guidance import Features, Reference, ScoreGuidance
from nodes.library.denoising import class_numbers
from nodes.models.classifier import Classifier
from nodes.models.noised_clip import NoisedClip
from nodes.wires.conditions import Condition
from nodes.wires.generic import X
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text

Scale = Annotated[float, Range(0, 10_000), Doc("0 = no guidance.")]
GuideClip = Annotated[
    NoisedClip, Doc("A CLIP trained on noisy pictures of the same noise schedule.")
]
Like = Annotated[Image, Doc("The reference picture; it is resized for the CLIP.")]
Layers = Annotated[
    list[int], Range(1), Doc("Blocks of the image encoder that are compared, from 1; empty: all.")
]


@node(words=("guidance combiner", "cfg", "negative prompt"), rows=("cond", "uncond"))
def classifier_free_guidance(
    cond: Denoiser[X],
    uncond: Annotated[
        Denoiser[X], Doc("The same network under an empty text, or under a negative prompt.")
    ],
    scale: Annotated[float, Range(-20, 100), Doc("s = 1 + w of the paper; 1 = no guidance.")] = 3.0,
) -> Denoiser[X]:
    """x_0 = u + s (c − u), from one network call a step.

    Raises Mismatch for branches of other sizes or chains, or whose x_0 is clipped or has known pixels imposed.
    Ref: Ho & Salimans 2022, eq. 6.
    """
    _same_samples(cond, uncond)
    return techniques.ClassifierFreeGuidance(_plain(cond, "cond"), _plain(uncond, "uncond"), scale)


@node(words=("overexposed", "contrast"), rows=("guided", "cond"))
def guidance_rescale(
    guided: Denoiser[X],
    cond: Annotated[Denoiser[X], Doc("The conditional branch alone.")],
    phi: Annotated[float, Range(0, 1), Doc("0 = as guided, 1 = the deviation of cond.")] = 0.7,
) -> Denoiser[X]:
    """Guided x_0 scaled towards the standard deviation of the conditional x_0, which strong guidance exceeds.

    In the space of x_0, not of what the network predicts. Raises Mismatch as `classifier_free_guidance`.
    Ref: Lin et al. 2023, §3.4.
    """
    _same_samples(guided, cond)
    return techniques.GuidanceRescale(_plain(guided, "guided"), _plain(cond, "cond"), phi)


@node(words=("guidance interval",), rows=("inside", "outside"))
def guidance_interval(
    inside: Denoiser[X],
    outside: Denoiser[X],
    start: Annotated[
        int, Range(0), Doc("First trained timestep of the interval, the less noisy end.")
    ] = 0,
    end: Annotated[int, Range(0), Doc("Last trained timestep of the interval.")] = 999,
) -> Denoiser[X]:
    """`inside` for timesteps in [start, end], `outside` elsewhere. Ref: Kynkäänniemi et al. 2024."""
    _same_samples(inside, outside)
    return techniques.GuidanceInterval(inside, outside, start, end)


@node(words=("classifier guidance", "ADM", "guided diffusion"), rows=("denoiser", "label"))
def classifier_guidance(
    denoiser: Denoiser[Image],
    classifier: Classifier,
    label: Annotated[Condition, Doc("The wanted class.")],
    scale: Scale = 1.0,
) -> Denoiser[Image]:
    """Guidance by a classifier of noisy pictures: score + s ∇ log p(y | x_t).

    One backward pass of the classifier a step, none of the network. Raises Mismatch for a classifier of another chain or size,
    a class that it does not have, or known pixels imposed inside. Ref: Dhariwal & Nichol 2021, Alg. 1 and 2.
    """
    _check_guide(denoiser, classifier, "classifier")
    config = classifier.config
    labels = class_numbers(label, config.classes, classifier.name, "label")
    _check_size(denoiser, config.trunk.image_size, classifier.name, "classifier")
    log_probability = guidance.class_log_probability(classifier.logits, labels)
    return ScoreGuidance(denoiser, log_probability, scale, len(labels))


@node(words=("CLIP guidance", "text guidance"), rows=("denoiser", "text"))
def clip_guidance(
    denoiser: Denoiser[Image],
    clip: GuideClip,
    text: Annotated[Text | list[Text], Doc("What to draw; several give a row each.")],
    scale: Scale = 3.0,
) -> Denoiser[Image]:
    """Guidance by a noised CLIP towards a text: score + s ∇ (logit scale · cosine). Raises Mismatch as
    `classifier_guidance`. Ref: Nichol et al. 2022 (GLIDE), §2.4.
    """
    _check_clip(denoiser, clip)
    texts = [text] if isinstance(text, str) else text
    wanted = clip.texts(texts)
    log_probability = guidance.text_log_probability(clip.images, wanted, clip.config.logit_scale)
    return ScoreGuidance(denoiser, log_probability, scale, len(texts))


@node(words=("image guidance", "semantic diffusion guidance"))
def content_guidance(
    denoiser: Denoiser[Image], clip: GuideClip, image: Like, scale: Scale = 3.0, seed: Seed = 0
) -> Denoiser[Image]:
    """Guidance towards the content of a picture: score + s ∇ (logit scale · cosine of the embeddings of x_t and picture).

    The picture is noised to the level of x_t, by noise of its own. Raises Mismatch as `classifier_guidance`.
    Ref: Liu et al. 2021 (image content guidance).
    """
    reference = _reference(denoiser, clip, image, seed, "content")
    log_probability = guidance.content_log_probability(
        clip.images, reference, clip.config.logit_scale
    )
    return ScoreGuidance(denoiser, log_probability, scale, len(image))


@node(words=("image guidance", "layout", "semantic diffusion guidance"))
def structure_guidance(
    denoiser: Denoiser[Image],
    clip: GuideClip,
    image: Like,
    scale: Scale = 300.0,
    seed: Seed = 0,
    layers: Layers = [],  # noqa: B006
) -> Denoiser[Image]:
    """Guidance towards the layout of a picture: score − s ∇ Σ mean squared distance of spatial features.

    Features are normalised at each place. The picture is noised as in `content_guidance`. Raises Mismatch as that, or for a
    layer that the CLIP does not have. Ref: Liu et al. 2021 (image structure).
    """
    reference = _reference(denoiser, clip, image, seed, "structure")
    log_probability = guidance.structure_log_probability(_features(clip, layers), reference)
    return ScoreGuidance(denoiser, log_probability, scale, len(image))


@node(words=("image guidance", "Gram matrix", "semantic diffusion guidance"))
def style_guidance(
    denoiser: Denoiser[Image],
    clip: GuideClip,
    image: Like,
    scale: Scale = 300.0,
    seed: Seed = 0,
    layers: Layers = [],  # noqa: B006
) -> Denoiser[Image]:
    """Guidance towards the colours and textures of a picture: score − s ∇ Σ squared distance of Gram matrices.

    Otherwise as `structure_guidance`. Ref: Liu et al. 2021 (style guidance).
    """
    reference = _reference(denoiser, clip, image, seed, "style")
    log_probability = guidance.style_log_probability(_features(clip, layers), reference)
    return ScoreGuidance(denoiser, log_probability, scale, len(image))


def _reference(
    denoiser: Denoiser[Image], clip: NoisedClip, image: Tensor, seed: int, stream: str
) -> Reference:
    _check_clip(denoiser, clip)
    assert clip.trained is not None
    size = clip.config.image_size
    return Reference(clip.trained, resampled(image, (size, size)), SeededNoise(seed, stream))


def _features(clip: NoisedClip, layers: list[int]) -> Features:
    count = clip.config.image_layers
    chosen = layers or list(range(1, count + 1))
    for layer in chosen:
        if not 1 <= layer <= count:
            raise Mismatch(f"'{clip.name}' has {count} layers, there is no {layer}", port="layers")

    def features(x_t: Tensor, t: Tensor) -> list[Tensor]:
        seen = clip.features(x_t, t)
        return [seen[layer - 1] for layer in chosen]

    return features


def _plain(denoiser: Denoiser[X], port: str) -> Denoiser[X]:
    """The denoiser, if its x_0 is a plain prediction, which may be scaled and extrapolated. Raises Mismatch with the reason."""
    if "pixels" in denoiser.settled:
        raise Mismatch(
            "known pixels are imposed on x_0 already, and guidance would change them",
            port=port,
            hint="wire the mask around the guidance",
        )
    if "range" in denoiser.settled:
        raise Mismatch(
            "x_0 is held within a range already, and guidance would leave it again",
            port=port,
            hint="clip or threshold outside of the guidance",
        )
    return denoiser


def _same_samples(first: Denoiser[X], second: Denoiser[X]) -> None:
    if first.sample_shape != second.sample_shape:
        raise Mismatch(
            f"one denoiser makes {list(first.sample_shape)}, the other {list(second.sample_shape)}"
        )
    if first.trained.chain != second.trained.chain:
        raise Mismatch(
            f"one network was trained on a {first.trained.kind} chain, "
            f"the other on a {second.trained.kind} one"
        )


def _check_clip(denoiser: Denoiser[Image], clip: NoisedClip) -> None:
    _check_guide(denoiser, clip, "clip")
    _check_size(denoiser, clip.config.image_size, clip.name, "clip")


def _check_guide(denoiser: Denoiser[Image], guide: Classifier | NoisedClip, port: str) -> None:
    """Raises Mismatch unless the guide knows the noise of x_t, and may pull at every pixel."""
    if "pixels" in denoiser.settled:
        raise Mismatch(
            "known pixels are imposed on x_0 already, and a guide would pull at them",
            port="denoiser",
            hint="wire the mask around the guidance",
        )
    known, chain = guide.trained, denoiser.trained
    if known is None:
        raise Mismatch(
            f"'{guide.name}' knows clean pictures only; a guide must know how noisy x_t is",
            port=port,
        )
    if known.chain != chain.chain:
        raise Mismatch(
            f"'{guide.name}' knows the noise of a {known.kind} chain of {len(known)} steps, "
            f"the network was trained on a {chain.kind} one of {len(chain)}",
            port=port,
        )


def _check_size(denoiser: Denoiser[Image], size: int, name: str, port: str) -> None:
    if tuple(denoiser.sample_shape) != (3, size, size):
        raise Mismatch(
            f"'{name}' looks at {size} px, the denoiser makes {list(denoiser.sample_shape)}",
            port=port,
        )
