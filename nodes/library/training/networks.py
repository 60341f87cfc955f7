"""Nodes that name a network to be trained: a configuration, with its first weights."""

from dataclasses import replace
from typing import Annotated, Any, Literal, TypeVar

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.schedule import schedule
from nodes.library.training.recognition import Words
from nodes.measures.pca import Pca
from nodes.models.autoregressive_prior import ArPrior
from nodes.models.clip import Clip
from nodes.models.embeddings import same_space
from nodes.models.handle import Model
from nodes.models.lora import Lora
from nodes.models.prior import Prior
from nodes.models.unet import UNet
from nodes.networks.config import (
    ArPriorConfig,
    ClipConditionConfig,
    PriorConfig,
    UNetConfig,
)
from nodes.networks.tokenizer import with_words
from nodes.training.checkpointing import Checkpointed
from nodes.training.lora import LoraNetwork
from nodes.training.networks import (
    M,
    MeasuredNetwork,
    Network,
    PointModel,
    PointsNetwork,
    TextReader,
    TunedNetwork,
    UNetNetwork,
)
from nodes.training.objectives.token_prior import level_edges
from nodes.training.start import Misfit
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.scalars import Text

H = TypeVar("H", bound=Model[Any, Any])


@node(words=("configuration", "fine-tune"))
def network(
    like: Annotated[UNet, Doc("The model whose configuration is used, except for what follows.")],
    start: Annotated[UNet | None, Doc("Weights to start from, as far as they fit.")] = None,
    reader: Annotated[TextReader | None, Doc("A text transformer to start from.")] = None,
    text: Annotated[bool, Doc("Off: without the text transformer.")] = True,
    classes: Annotated[
        int, Range(0, 100_000), Doc("Labels; with label dropout the last means none.")
    ] = 0,
    known_pixels: Annotated[
        bool, Doc("It also takes known pixels and their mask (inpainting).")
    ] = False,
    learned_variance: Annotated[bool, Doc("It also predicts the variance.")] = False,
    words: Words = [],  # noqa: B006
) -> Network[UNet]:
    """A UNet to be trained, with the configuration of another, or with other conditions and outputs.

    New inputs, outputs and labels start at zero, so that it starts as the same function as `start`. Of another vocabulary
    the words that both know are taken, and `reader` goes before the text transformer of `start`. Weights of `start` that are
    not used are reported with the first progress and in the model's folder. Raises Mismatch when the two differ in more.
    """
    of = like.config
    config = replace(
        of,
        text=with_words(of.text, words) if text and of.text else None,
        classes=classes or of.classes,
        known_pixels=known_pixels or of.known_pixels,
        trained=replace(
            of.trained, learned_variance=learned_variance or of.trained.learned_variance
        ),
    )
    return _starting(like, config, start, reader)


def _starting(
    like: UNet, config: UNetConfig, start: UNet | None, reader: TextReader | None = None
) -> Network[UNet]:
    """A network of a configuration, where `like` runs. Raises Mismatch for a start that is another network."""
    made = UNetNetwork(UNet, config, like.place, start, reader)
    try:
        made.origin()
    except Misfit as error:
        raise Mismatch(f"the weights are another network's: {error}", port="start") from None
    return made


@node(words=("configuration", "tiny", "noise schedule", "parametrisation"))
def network_variant(
    network: Annotated[Network[UNet], Doc("A UNet that starts from no weights.")],
    image_size: Annotated[int | None, Range(16, 512), Doc("Pixels.")] = None,
    width: Annotated[
        int | None, Range(32, 1024), Doc("Channels of the first level, a multiple of 32.")
    ] = None,
    predict: Literal["eps", "x0", "v"] | None = None,
    kind: Annotated[
        Literal["linear", "cosine", "geometric"] | None, Doc("The noise schedule.")
    ] = None,
) -> Network[UNet]:
    """The same UNet in another size, for another target or on another chain; what is left empty stays.

    Raises Mismatch for a network that starts from weights, which would fit no more.
    """
    if not isinstance(network, UNetNetwork) or network.start is not None:
        raise Mismatch("this network starts from weights", port="network", hint="one without start")
    of = network.config
    trained = replace(
        of.trained,
        parametrisation=predict or of.trained.parametrisation,
        schedule=kind or of.trained.schedule,
    )
    size, channels = image_size or of.image_size, width or of.model_channels
    config = replace(of, image_size=size, model_channels=channels, trained=trained)
    return replace(network, config=config)


@node(words=("unCLIP", "DALL·E 2", "fine-tune"))
def decoder_network(
    like: Annotated[UNet, Doc("The model whose configuration is used, with its text encoder.")],
    clip: Annotated[Clip, Doc("The CLIP whose image embeddings it also takes.")],
    start: Annotated[UNet | None, Doc("Weights to start from, as far as they fit.")] = None,
    extra_tokens: Annotated[
        int, Range(1, 64), Doc("Context tokens that an embedding becomes.")
    ] = 4,
) -> Network[UNet]:
    """An unCLIP decoder: a UNet conditioned on CLIP's image embeddings beside the text, as tokens and in the time embedding.

    The new projections start at zero. Raises Mismatch for a model without text, or another network's weights.
    Ref: Ramesh et al. 2022, §2.1.
    """
    of = clip.config
    reads = ClipConditionConfig(
        of.embedding, like.text_config().width, extra_tokens, None, of.space
    )
    return _starting(like, replace(like.config, clip=reads), start)


@node(words=("super resolution", "cascade", "DALL·E 2"))
def upsampler_network(
    start: Annotated[UNet, Doc("An upsampling model; what fits of its weights is taken.")],
    image_size: Annotated[int, Range(16, 2048), Doc("Pixels of its output.")] = 256,
    factor: Annotated[
        int, Range(2, 8), Doc("How many times smaller its low-resolution picture is.")
    ] = 2,
) -> Network[UNet]:
    """An upsampling network for another size and factor, fully convolutional: without text, and trainable on crops.

    Ref: Ramesh et al. 2022, §2.1.
    """
    of = start.config
    config = replace(
        of,
        image_size=image_size,
        text=None,
        attention=(),
        middle_attention=False,
        known_pixels=False,
        low_resolution_as=replace(of.low_resolution_as, factor=factor),
    )
    return _starting(start, config, start)


@node(words=("CLIP prior", "unCLIP prior", "DALL·E 2"))
def prior_network(
    clip: Annotated[
        Clip, Doc("The CLIP whose image embeddings it predicts, given its text encoding.")
    ],
    images: Annotated[ClipImage, Doc("Embeddings of pictures, for mean and deviation.")],
    heads: Annotated[int, Range(1, 64), Doc("Each 32 wide.")] = 4,
    layers: Annotated[int, Range(1, 48)] = 5,
) -> Network[Prior]:
    """A diffusion prior: a causal transformer over text tokens, text embedding, timestep, noisy image embedding and a query.

    Raises Mismatch for embeddings of another CLIP. Ref: Ramesh et al. 2022, §2.2.
    """
    of = clip.config
    same_space(of.space, images, f"'{clip.name}'", "images")
    config = PriorConfig(
        embedding=of.embedding,
        tokens=of.context,
        heads=heads,
        head_width=32,
        layers=layers,
        text_width=of.text_width,
        positions=of.context + 4,
        space=of.space,
    )
    measured = {"mean": images.values.mean(0, True), "std": images.values.std(0, keepdim=True)}
    return MeasuredNetwork(Prior, config, clip.place, buffers=measured)


@node(words=("class embedding", "label embedding"))
def named_labels(
    network: Network[UNet],
    names: Annotated[list[Text], Doc("One for each class, such as those of class_names.")],
) -> Network[UNet]:
    """The same network with label embeddings that start as its text transformer's encoding of the class names, not at zero.

    Raises Mismatch for a network without classes or without a start that reads, or for other numbers of names and classes.
    """
    if not isinstance(network, UNetNetwork) or network.start is None:
        raise Mismatch("this network starts from no model", port="network")
    network.start.text_config()
    if len(names) != network.config.classes:
        raise Mismatch(f"{len(names)} names for {network.config.classes} classes", port="names")
    return replace(network, labels=tuple(names))


@node(words=("LoRA", "adapter", "low rank", "fine-tune", "PEFT"))
def lora_network(
    start: Annotated[H, Doc("The model that is adapted; its own weights stay.")],
    rank: Annotated[int, Range(1, 1024)] = 8,
    alpha: Annotated[float, Range(0.001, 4096), Doc("What is added is alpha/rank · B·A.")] = 8.0,
    layers: Annotated[
        list[Text], Doc("What names of layers hold, such as qkv; none: all of them.")
    ] = [],  # noqa: B006
) -> Network[Lora]:
    """Low-rank adapters of a model's linear layers and convolutions, for `trainer`; `lora` adds what was trained to the model.

    Raises Mismatch where no layer has such a name. Ref: Hu et al. 2022, §4.
    """
    made = LoraNetwork(start, rank, alpha, tuple(layers), start.config, start.place)
    if not made.layers():
        raise Mismatch(
            f"no layer of '{start.name}' has {' or '.join(layers)} in its name", port="layers"
        )
    return made


@node(words=("gradient checkpointing", "activation checkpointing", "memory"))
def gradient_checkpointing(network: Network[M]) -> Network[M]:
    """The same network, trained in less memory and more time: blocks compute again on the way back what they would have kept.

    The gradients are the same. Ref: Chen et al. 2016, §4.
    """
    return Checkpointed(network, network.config, network.place)


@node(words=("fine-tune", "second stage"))
def further_network(start: H) -> Network[H]:
    """A model to be trained further as it is: its configuration, its weights."""
    return TunedNetwork(type(start), start.config, start.place, start=start)


@node(words=("toy", "perceptron"))
def point_network(
    width: Annotated[int, Range(8, 4096)] = 128,
    layers: Annotated[int, Range(1, 32)] = 3,
    dimensions: Annotated[int, Range(1, 64)] = 2,
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
) -> Network[PointModel]:
    """A perceptron for points, that predicts v on a cosine chain of `train_steps`."""
    return PointsNetwork(dimensions, width, layers, schedule("cosine", train_steps))


@node(words=("CLIP prior", "unCLIP prior", "DALL·E 2", "PCA"))
def autoregressive_prior_network(
    clip: Annotated[
        Clip, Doc("The CLIP whose image embeddings are sampled, given its text encoding.")
    ],
    pca: Annotated[Pca, Doc("The principal components whose coefficients are predicted.")],
    images: Annotated[ClipImage, Doc("Embeddings of pictures.")],
    texts: Annotated[ClipText, Doc("Of their captions: the dot products give the levels.")],
    buckets: Annotated[int, Range(2, 65_536), Doc("For each component.")] = 64,
    levels: Annotated[
        int,
        Range(2, 65_536),
        Doc("Of the dot product of text and image embedding, equally frequent."),
    ] = 16,
    heads: Annotated[int, Range(1, 64), Doc("Each 32 wide.")] = 4,
    layers: Annotated[int, Range(1, 48)] = 5,
) -> Network[ArPrior]:
    """An autoregressive prior: a causal transformer over text tokens, text embedding, quantised dot product and codes.

    Raises Mismatch for embeddings or components of another CLIP. Ref: Ramesh et al. 2022, §2.2.
    """
    of = clip.config
    for port, value in (("pca", pca), ("images", images), ("texts", texts)):
        same_space(of.space, value, f"'{clip.name}'", port)
    config = ArPriorConfig(
        embedding=of.embedding,
        components=len(pca.components),
        buckets=buckets,
        levels=levels,
        tokens=of.context,
        text_width=of.text_width,
        heads=heads,
        head_width=32,
        layers=layers,
        space=of.space,
    )
    held = ("mean", "components", "eigenvalues", "low", "high")
    buffers = {name: getattr(pca, name) for name in held}
    buffers["edges"] = level_edges(texts.values, images.values, levels)
    return MeasuredNetwork(ArPrior, config, clip.place, buffers=buffers)
