"""Models on the wires: by a name of the catalogue, or a folder."""

from collections.abc import Callable
from typing import Any, TypeVar

from nodegraph.library.port import Context, PortType
from nodes.checkpoints.catalogue import part_kinds
from nodes.checkpoints.named import identified
from nodes.models.autoregressive_prior import ArPrior
from nodes.models.bundle import Bundle, bundle_identity
from nodes.models.classifier import Classifier
from nodes.models.clip import Clip, parse_clip
from nodes.models.handle import Model, parsed
from nodes.models.lora import Lora, parse_lora
from nodes.models.noised_clip import NoisedClip
from nodes.models.prior import Prior
from nodes.models.unet import UNet
from nodes.wires.identities import of_adapter

H = TypeVar("H", bound=Model[Any, Any])


def _model(
    kind: type[H],
    example: str,
    doc: str,
    describe: Any,
    parse: Callable[[Any, Context], H] | None = None,
    formerly: tuple[str, ...] = (),
) -> PortType:
    """The port of a kind of models; `parse` where their names are not only those of the catalogue."""
    return PortType(
        kind.__name__,
        f"{doc}: a catalogue name such as {example}, or a folder.",
        literal="name",
        colour="#c084fc",
        shape="diamond",
        parse=parse or (lambda literal, context: parsed(kind, literal, context)),
        identify=identified,
        digest=lambda value: value.identity,
        describe=describe,
        weights=lambda value: value.needs,
        formerly=formerly,
    )


def _describe_unet(value: UNet) -> str:
    config = value.config
    parts = [f"{config.image_size} px", config.trained.parametrisation, config.trained.schedule]
    optional = {
        "text": config.text,
        "CLIP embeddings": config.clip,
        f"{config.classes} classes": config.classes,
        "low resolution": config.low_resolution,
        "known pixels": config.known_pixels,
    }
    return f"{value.name}: {', '.join(parts + [name for name, there in optional.items() if there])}"


def _describe_prior(value: Prior) -> str:
    config = value.config
    return f"{value.name}: {config.layers} layers, {config.width} wide, of {config.space or 'any CLIP'}"


def _describe_ar_prior(value: ArPrior) -> str:
    config = value.config
    codes = f"{config.components} codes of {config.buckets}"
    return f"{value.name}: {codes}, {config.layers} layers, {config.width} wide, of {config.space or 'any CLIP'}"


def _describe_clip(value: Clip) -> str:
    towers = [n for n, t in (("text", value.config.text), ("image", value.config.image)) if t]
    return f"{value.name}: {' and '.join(towers)}, {value.config.embedding} wide"


def _describe_classifier(value: Classifier) -> str:
    config = value.config
    chain = config.trunk.trained.schedule
    return f"{value.name}: {config.classes} classes, {config.trunk.image_size} px, {chain}"


def _describe_noised_clip(value: NoisedClip) -> str:
    config = value.config
    noise = f"noised, {config.schedule}" if config.train_steps else "clean pictures"
    return f"{value.name}: {config.image_size} px, {config.embedding_width} wide, {noise}"


def _describe_lora(value: Lora) -> str:
    if value.file is None:
        return "adapters, still to be trained"
    return f"adapters: {value.file.parent.name}/{value.file.name}"


PORT_TYPES: dict[type, PortType] = {
    UNet: _model(UNet, "shapes/glide/base", "A UNet", _describe_unet),
    Prior: _model(Prior, "kakaobrain/karlo-v1-alpha/prior", "A diffusion prior", _describe_prior),
    ArPrior: _model(
        ArPrior, "shapes/unclip/autoregressive_prior", "An autoregressive prior", _describe_ar_prior
    ),
    Clip: _model(
        Clip,
        "open_clip:ViT-L-14/openai",
        "A CLIP of clean pictures",
        _describe_clip,
        parse_clip,
        formerly=("OpenClip",),
    ),
    Classifier: _model(
        Classifier, "shapes/adm/classifier", "A classifier of noisy pictures", _describe_classifier
    ),
    NoisedClip: _model(
        NoisedClip,
        "shapes/glide/clip",
        "A noised CLIP, which knows how noisy its picture is",
        _describe_noised_clip,
        formerly=("Clip",),
    ),
    Lora: PortType(
        "Lora",
        "Low-rank adapters of a model: a file, or a folder that holds one.",
        literal="path",
        colour="#e879f9",
        shape="diamond",
        parse=parse_lora,
        identify=of_adapter,
        digest=lambda value: value.digest,
        describe=_describe_lora,
        trained=True,
    ),
    Bundle: PortType(
        "Bundle",
        "Models that belong together: a catalogue name such as shapes/glide, or a folder. Its parts are $name.part.",
        literal="name",
        colour="#a855f7",
        shape="diamond",
        parse=lambda literal, context: Bundle(str(literal)),
        identify=bundle_identity,
        digest=lambda value: value.name,
        parts=part_kinds,
    ),
}
