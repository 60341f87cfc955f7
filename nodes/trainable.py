"""Nodes that name a network to be trained: a configuration, with its first weights."""

from dataclasses import replace
from typing import Annotated, Literal

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.schedule import schedule
from nodes.networks.config import ClassifierConfig, NoisedClipConfig, UNetConfig
from nodes.training.networks import (
    ModelNetwork,
    Network,
    PointModel,
    PointsNetwork,
    ReaderNetwork,
    TextReader,
    UNetNetwork,
)
from nodes.training.start import Misfit
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Classifier, Clip, UNet


@node(category="training", words=("configuration", "fine-tune"))
def network(
    like: Annotated[
        UNet, Doc("The model whose configuration is trained, but for what is said below.")
    ],
    start: Annotated[UNet | None, Doc("Weights to start from: what fits is taken.")] = None,
    reader: Annotated[TextReader | None, Doc("A text transformer to start from.")] = None,
    text: Annotated[bool, Doc("Off: without the text transformer.")] = True,
    classes: Annotated[
        int, Range(0, 100_000), Doc("Labels; with label dropout the last means none.")
    ] = 0,
    known_pixels: Annotated[bool, Doc("It also sees known pixels and their mask.")] = False,
    learned_variance: Annotated[bool, Doc("It also predicts the variance.")] = False,
) -> Network[UNet]:
    """A UNet to be trained, with the configuration of another, or with other conditions and outputs.

    New inputs, outputs and labels start at zero, so that it starts by doing what `start` did; what of `start` is not taken is
    told with the first progress and in the model's folder. Raises Mismatch when the two differ in more.
    """
    of = like.config
    config = replace(
        of,
        text=of.text if text else None,
        classes=classes or of.classes,
        known_pixels=known_pixels or of.known_pixels,
        trained=replace(
            of.trained, learned_variance=learned_variance or of.trained.learned_variance
        ),
    )
    made = UNetNetwork(UNet, config, like.device, like.precision, like.residency, start, reader)
    try:
        made.told()
    except Misfit as error:
        raise Mismatch(f"the weights are another network's: {error}", port="start") from None
    return made


@node(category="training", words=("classifier guidance",))
def classifier_network(
    like: Annotated[
        UNet, Doc("The model whose noisy pictures are told apart: size and chain are its.")
    ],
    classes: Annotated[int, Range(2, 100_000)] = 64,
    width: Annotated[
        int, Range(32, 1024), Doc("Channels of the first level, a multiple of 32.")
    ] = 32,
    multipliers: Annotated[list[int], Doc("Of the channels, for each level.")] = [1, 2, 4],  # noqa: B006
    blocks: Annotated[int, Range(1, 8), Doc("Residual blocks in each level.")] = 1,
    pool: Literal["attention", "adaptive", "spatial", "spatial_v2"] = "attention",
) -> Network[Classifier]:
    """A classifier of noisy pictures: the encoder of a UNet, and a head. Ref: Dhariwal & Nichol 2021, §4."""
    of = like.config
    trunk = UNetConfig(
        image_size=of.image_size,
        model_channels=width,
        multipliers=tuple(multipliers),
        blocks=blocks,
        attention=(2 ** (len(multipliers) - 1),),
        head_channels=32,
        fold=of.fold,
        trained=of.trained,
    )
    config = ClassifierConfig(trunk, classes, pool)
    return ModelNetwork(Classifier, config, like.device, like.precision, like.residency)


@node(category="training", words=("CLIP guidance", "noised CLIP"))
def clip_network(
    like: Annotated[UNet, Doc("The model that is guided: size, chain and vocabulary are its.")],
    embedding_width: Annotated[int, Range(8, 4096)] = 128,
    patch_size: Annotated[int, Range(1, 64)] = 4,
    heads: Annotated[int, Range(1, 64), Doc("Of both encoders, each 32 wide.")] = 3,
    image_layers: Annotated[int, Range(1, 48)] = 3,
    text_layers: Annotated[int, Range(1, 48)] = 2,
    logit_scale: Annotated[float, Range(1, 200)] = 20.0,
) -> Network[Clip]:
    """GLIDE's CLIP, whose image encoder knows the timestep, with the closed vocabulary of `like`.

    Raises Mismatch for a model without one. Ref: Nichol et al. 2022 (GLIDE), §2.4.
    """
    text, trained = like.text_config(), like.config.trained
    if text.tokenizer.kind != "words":
        raise Mismatch(f"'{like.name}' has no closed vocabulary", port="like")
    config = NoisedClipConfig(
        image_size=like.config.image_size,
        patch_size=patch_size,
        embedding_width=embedding_width,
        train_steps=trained.train_steps,
        schedule=trained.schedule,
        logit_scale=logit_scale,
        vocabulary=len(text.tokenizer.words) + 3,
        context=text.context,
        text_heads=heads,
        text_head_width=32,
        text_layers=text_layers,
        image_heads=heads,
        image_head_width=32,
        image_layers=image_layers,
        words=text.tokenizer.words,
    )
    return ModelNetwork(Clip, config, like.device, like.precision, like.residency)


@node(category="training", words=("text pretraining", "contrastive"))
def reader_network(like: UNet) -> Network[TextReader]:
    """The text transformer of a UNet, to be taught to read beside a small picture network (32 px)."""
    return ReaderNetwork(like.text_config(), like.config.embedding_width, like.device)


@node(category="training", words=("toy", "perceptron"))
def point_network(
    width: Annotated[int, Range(8, 4096)] = 128,
    layers: Annotated[int, Range(1, 32)] = 3,
    dimensions: Annotated[int, Range(1, 64)] = 2,
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
) -> Network[PointModel]:
    """A perceptron for points, that predicts v on a cosine chain of `train_steps`."""
    return PointsNetwork(dimensions, width, layers, schedule("cosine", train_steps))
