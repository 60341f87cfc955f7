"""Nodes that name networks that recognise and read: classifiers, CLIPs, text transformers, with their first weights."""

from typing import Annotated, Literal

from nodegraph import Doc, Mismatch, Range, node
from nodes.models.classifier import Classifier
from nodes.models.clip import Clip
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet
from nodes.networks.config import (
    ClassifierConfig,
    ClipConfig,
    ClipTokenizerConfig,
    NoisedClipConfig,
    TextConfig,
    UNetConfig,
)
from nodes.networks.tokenizer import with_words
from nodes.training.networks import ModelNetwork, Network, ReaderNetwork, TextReader
from nodes.wires.scalars import Text

Words = Annotated[
    list[Text], Doc("A closed vocabulary, such as that of caption_words; else that of `like`.")
]
Multipliers = Annotated[list[int], Range(1, 64), Doc("Of the channels, for each level.")]


@node(words=("classifier guidance",))
def classifier_network(
    like: Annotated[
        UNet, Doc("The model to be guided: size and noise schedule are taken from it.")
    ],
    classes: Annotated[int, Range(2, 100_000)] = 64,
    width: Annotated[
        int, Range(32, 1024), Doc("Channels of the first level, a multiple of 32.")
    ] = 32,
    multipliers: Multipliers = [1, 2, 4],  # noqa: B006
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
    return ModelNetwork(Classifier, config, like.place)


@node(words=("CLIP guidance", "noised CLIP"))
def clip_network(
    like: Annotated[
        UNet, Doc("The model to be guided: size, noise schedule and vocabulary are taken from it.")
    ],
    embedding_width: Annotated[int, Range(8, 4096)] = 128,
    patch_size: Annotated[int, Range(1, 64)] = 4,
    heads: Annotated[int, Range(1, 64), Doc("Of both encoders, each 32 wide.")] = 3,
    image_layers: Annotated[int, Range(1, 48)] = 3,
    text_layers: Annotated[int, Range(1, 48)] = 2,
    logit_scale: Annotated[float, Range(1, 200)] = 20.0,
    words: Words = [],  # noqa: B006
) -> Network[NoisedClip]:
    """GLIDE's noised CLIP, whose image encoder is conditioned on the timestep, with the vocabulary of `like`. From scratch.

    Raises Mismatch for a model without one. Ref: Nichol et al. 2022 (GLIDE), §2.4.
    """
    text, trained = _closed_vocabulary(like, words), like.config.trained
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
    return ModelNetwork(NoisedClip, config, like.place)


def _closed_vocabulary(like: UNet, words: list[str]) -> TextConfig:
    """The text options of a model, for a list of words. Raises Mismatch for a model that knows none."""
    text = with_words(like.text_config(), words)
    if text.tokenizer.kind != "words":
        raise Mismatch(f"'{like.name}' has no closed vocabulary", port="like")
    return text


@node(words=("CLIP", "open_clip"))
def open_clip_network(
    like: Annotated[
        UNet, Doc("A model of the same pictures: size and vocabulary are taken from it.")
    ],
    space: Annotated[str, Doc("Name of the joint space; every embedding carries it.")],
    embedding_width: Annotated[int, Range(8, 4096)] = 64,
    channels: Annotated[int, Range(8, 256), Doc("Of the image tower, a multiple of 8.")] = 16,
    heads: Annotated[int, Range(1, 64), Doc("Of the text tower, each 32 wide.")] = 3,
    text_layers: Annotated[int, Range(1, 48)] = 2,
    words: Words = [],  # noqa: B006
) -> Network[Clip]:
    """A CLIP of clean pictures in open_clip's modules: CLIP's ResNet, one block a stage, and a causal text transformer.

    Raises Mismatch for a model without a closed vocabulary, or of pictures whose side is no multiple of 32.
    Ref: Radford et al. 2021, §2.4.
    """
    if like.config.image_size % 32:
        raise Mismatch(f"{like.config.image_size} px are no multiple of 32", port="like")
    text, width = _closed_vocabulary(like, words), 32 * heads
    config = ClipConfig(
        embedding=embedding_width,
        text={
            "context_length": text.context,
            "vocab_size": len(text.tokenizer.words) + 3,
            "width": width,
            "heads": heads,
            "layers": text_layers,
        },
        image={
            "image_size": like.image_size,
            "width": channels,
            "head_width": 64,
            "layers": [1, 1, 1, 1],
        },
        tokenizer=ClipTokenizerConfig("words", words=text.tokenizer.words),
        means=(0.5, 0.5, 0.5),
        deviations=(0.5, 0.5, 0.5),
        space=space,
    )
    return ModelNetwork(Clip, config, like.place)


@node(words=("text pretraining", "contrastive"))
def reader_network(
    like: UNet,
    words: Words = [],  # noqa: B006
) -> Network[TextReader]:
    """The text transformer of a UNet, to be pre-trained together with a small image network (32 px)."""
    text = with_words(like.text_config(), words)
    return ReaderNetwork(text, like.config.embedding_width, like.place)
