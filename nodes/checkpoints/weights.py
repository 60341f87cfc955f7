"""Our own layout: a folder with `config.json` and `model.safetensors`; the configuration is read without the weights."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from nodegraph.base.contents import sha256_of
from nodegraph.base.partial import replacing, write_text
from nodes.checkpoints.catalogue import CONFIG_FILE, WEIGHTS_FILE
from nodes.checkpoints.entries import kind_of, name_of
from nodes.checkpoints.files import content_digest
from nodes.checkpoints.foreign import read_json
from nodes.checkpoints.sizes import NoNetwork, plausible
from nodes.networks.config import (
    ArPriorConfig,
    ClassifierConfig,
    ClipConfig,
    LaionPriorConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)

if TYPE_CHECKING:  # who reads a configuration needs no torch
    from torch import Tensor, nn

FORMAT = 1
KINDS: Mapping[type, str] = {
    UNetConfig: "UNet",
    ClassifierConfig: "Classifier",
    NoisedClipConfig: "NoisedClip",
    PriorConfig: "Prior",
    ArPriorConfig: "ArPrior",
    ClipConfig: "Clip",
}
"""The port type of a model by the class of its configuration."""
CONFIGURATIONS: Mapping[str, tuple[type, ...]] = {
    **{name: (kind,) for kind, name in KINDS.items()},
    "Prior": (PriorConfig, LaionPriorConfig),
}
"""The classes of configurations that models of a kind have, our own layout's first: they tell the kinds apart."""
C = TypeVar("C")


class BadConfig(ValueError):
    """A configuration file that does not describe a model: names the file and the key."""


def read_config(folder: Path, kind: type[C]) -> C:
    """The configuration of a model folder, of class `kind`. Raises BadConfig, also for a model of another kind."""
    path = folder / CONFIG_FILE
    try:
        record = read_json(path)
    except ValueError as error:
        raise BadConfig(str(error)) from None
    if record.get("format") != FORMAT:
        raise BadConfig(
            f"{path}: format {record.get('format')} is not one that this program reads ({FORMAT})"
        )
    named = kind_of(str(record.get("kind")))
    if named != KINDS[kind]:
        raise BadConfig(f"{path}: this is a {named}, not a {KINDS[kind]}")
    config = record.get("config")
    if not isinstance(config, dict):
        raise BadConfig(f"{path}: 'config' is missing, the options of the network")
    return config_from(config, kind, str(path))


def about(folder: Path) -> dict[str, Any]:
    """What is noted of the model in a folder: how it was trained, its card. Empty where there is no configuration."""
    path = folder / CONFIG_FILE
    found = read_json(path).get("about", {}) if path.exists() else {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def config_from(record: Mapping[str, Any], kind: type[C], owner: str) -> C:
    """A configuration of class `kind` from its JSON. Raises BadConfig on an unknown key or a wrong value."""
    _known_keys(record, kind, owner)
    try:
        found = _reader(kind).validate_json(json.dumps(record), strict=True)
        plausible(found)
        return found
    except NoNetwork as error:
        raise BadConfig(f"{owner}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise BadConfig(f"{owner}: {place}: {first['msg']}") from None


def own_config(kind: str, record: Mapping[str, Any], owner: str) -> Any:
    """A configuration of our own layout for a kind of models, from its JSON. Raises BadConfig, also for an unknown kind."""
    if kind not in CONFIGURATIONS:
        raise BadConfig(f"{owner}: there are no models of kind '{kind}'")
    return config_from(record, CONFIGURATIONS[kind][0], owner)


@cache
def _reader(kind: type) -> TypeAdapter[Any]:
    """What reads configurations of a class; it takes milliseconds to make."""
    return TypeAdapter(kind)


def _known_keys(record: Mapping[str, Any], kind: type, owner: str) -> None:
    known = {f.name: f.type for f in fields(cast(Any, kind))}
    for key, value in record.items():
        if key not in known:
            raise BadConfig(f"{owner}: unknown key '{key}'; there are {', '.join(known)}")
        inner = next((a for a in _options(known[key]) if is_dataclass(a)), None)
        if isinstance(value, Mapping) and inner is not None:
            _known_keys(cast(Mapping[str, Any], value), cast(type, inner), f"{owner}: {key}")


def _options(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))


def write_model(folder: Path, network: "nn.Module", config: Any, about: Mapping[str, Any]) -> None:
    """Write a model folder: float16 weights, and a configuration with the digest of the weights and what is known of them."""
    write_weights(folder, {k: _half(v) for k, v in network.state_dict().items()}, config, about)


def write_weights(
    folder: Path, weights: "Mapping[str, Tensor]", config: Any, about: Mapping[str, Any]
) -> None:
    """Write a model folder as `write_model`, of weights as they are to lie there."""
    from safetensors.torch import save_file

    with replacing(folder / WEIGHTS_FILE) as made:
        save_file(dict(weights), made)
        digest = sha256_of(made)
        # Killed here, weights without a configuration are no model; with that of others they would be a wrong one.
        (folder / CONFIG_FILE).unlink(missing_ok=True)
    write_config(folder, config, digest, sum(v.numel() for v in weights.values()), about)
    # safetensors writes files that only their owner may read; a model is as readable as its configuration.
    shutil.copymode(folder / CONFIG_FILE, folder / WEIGHTS_FILE)


def write_config(
    folder: Path, config: Any, sha256: str, parameters: int, about: Mapping[str, Any]
) -> None:
    """Write the configuration of a model folder, whose weights have a digest and so many parameters."""
    record = {
        "format": FORMAT,
        "kind": name_of(KINDS[type(config)]),
        "config": asdict(config),
        "sha256": sha256,
        "parameters": parameters,
        "about": dict(about),
    }
    write_text(folder / CONFIG_FILE, json.dumps(record, indent=1) + "\n")


def _half(value: "Tensor") -> "Tensor":
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() else value


def weights_digest(folder: Path) -> str:
    """sha256 of the weights of a model folder."""
    path = folder / WEIGHTS_FILE
    return content_digest(path) if path.exists() else f"absent:{folder.name}"
