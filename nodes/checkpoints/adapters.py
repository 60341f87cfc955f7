"""Files of low-rank adapters: written as PEFT does, read as PEFT, diffusers and kohya's trainers write them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.base.partial import replacing, write_text
from nodes.checkpoints.adapter_options import HEADER, Options, read_options
from nodes.checkpoints.files import ADAPTER_CONFIG, ADAPTER_FILE, UnreadableFile, adapter_digest
from nodes.checkpoints.reading import read_weights, tensor_shapes
from nodes.networks.lora import Factors

PREFIX = "base_model.model."
DOWN = re.compile(r"^(.*)\.(?:lora_A|lora_down|lora\.down)(?:\.\w+)?\.weight$")
UPS = {"lora_A": "lora_B", "lora_down": "lora_up", "lora.down": "lora.up"}
PREFIXES = (
    PREFIX,
    "base_model.",
    "unet.",
    "prior.",
    "decoder.",
    "text_encoder.",
    "lora_unet_",
    "lora_te_",
)
"""What trainers put before the names of layers."""


def read_adapter(path: Path) -> dict[str, Factors]:
    """Factors by the names of layers, as the file has them without their prefix.

    Raises UnreadableFile for files that hold anything else, or none, or numbers that are not finite.
    """
    tensors, options = dict(read_weights(path)), read_options(path)
    found: dict[str, Factors] = {}
    read: set[str] = set()
    for key in tensors:
        if match := DOWN.match(key):
            layer, up, own = match.group(1), _up(key), f"{match.group(1)}.alpha"
            name, down = _plain(layer), _matrix(path, tensors, key)
            alpha = _alpha(path, tensors, own, options, layer, len(down))
            if name in found:
                raise UnreadableFile(f"{path} holds several adapters of '{name}'")
            found[name] = _fitting(path, key, Factors(down, _matrix(path, tensors, up), alpha))
            read |= {key, up, own}
    if not found:
        raise UnreadableFile(
            f"{path} holds no low-rank adapter: no key ends with lora_A.weight or lora_down.weight"
        )
    if others := [key for key in tensors if key not in read]:
        raise UnreadableFile(
            f"{path} holds more than pairs of low-rank matrices, which is not read: '{others[0]}'"
        )
    return found


def _matrix(path: Path, tensors: Mapping[str, Tensor], key: str) -> Tensor:
    """A matrix [r, C, …] or [D, r, …]."""
    found = tensors.get(key)
    if found is None:
        raise UnreadableFile(f"{path} has no matrix '{key}', which belongs to another one")
    if found.dim() < 2 or not found.numel():
        raise UnreadableFile(f"{path}: '{key}' is no matrix: its shape is {list(found.shape)}")
    if not found.isfinite().all():
        raise UnreadableFile(f"{path}: '{key}' holds numbers that are not finite")
    return found


def _fitting(path: Path, key: str, factors: Factors) -> Factors:
    """Factors whose product is one of weights."""
    down, up = factors.down.shape, factors.up.shape
    if len(down) != len(up) or up[1] != down[0] or any(size != 1 for size in up[2:]):
        raise UnreadableFile(
            f"{path} has no matrix that goes with '{key}': {list(down)} under {list(up)}"
        )
    return factors


def _alpha(
    path: Path,
    tensors: Mapping[str, Tensor],
    key: str,
    options: Mapping[str, Options],
    layer: str,
    rank: int,
) -> float:
    """What the product for a layer is scaled by: its own number in the file, or what the options say."""
    if (own := tensors.get(key)) is not None:
        if own.numel() != 1 or not own.isfinite().all():
            raise UnreadableFile(f"{path}: '{key}' is no number")
        return float(own)
    told = options.get("") or options.get(layer.partition(".")[0]) or Options()
    return told.alpha(_plain(layer), rank)


def unscaled(path: Path) -> bool:
    """Whether a file is one of PEFT's without the options that it writes beside: what scales its matrices is not known then."""
    names = tensor_shapes(path)
    told = read_options(path) or any(name.endswith(".alpha") for name in names)
    return not told and any(name.startswith(PREFIX) for name in names)


def _up(key: str) -> str:
    """The key of the second matrix beside that of the first."""
    down = next(word for word in UPS if f".{word}." in key)
    return key.replace(f".{down}.", f".{UPS[down]}.")


def _plain(layer: str) -> str:
    """The name of a layer without what stands before it, as long as there is something."""
    for prefix in PREFIXES:
        layer = layer.removeprefix(prefix)
    return layer


def write_adapter(folder: Path, factors: Mapping[str, Factors], base: str) -> Path:
    """Write an adapter of the model named `base` to a folder, in PEFT's form; its file."""
    tensors: dict[str, Tensor] = {}
    for name, each in factors.items():
        tensors[f"{PREFIX}{name}.lora_A.weight"] = each.down.detach().cpu().contiguous()
        tensors[f"{PREFIX}{name}.lora_B.weight"] = each.up.detach().cpu().contiguous()
    one = next(iter(factors.values()))
    ranks = {name: each.rank for name, each in factors.items() if each.rank != one.rank}
    alphas = {name: each.alpha for name, each in factors.items() if each.alpha != one.alpha}
    config = {
        "peft_type": "LORA",
        "base_model_name_or_path": base,
        "r": one.rank,
        "lora_alpha": one.alpha,
        "rank_pattern": ranks,
        "alpha_pattern": alphas,
        "target_modules": sorted(factors),
        "bias": "none",
        "inference_mode": True,
    }
    write_text(folder / ADAPTER_CONFIG, json.dumps(config, indent=1) + "\n")
    with replacing(folder / ADAPTER_FILE) as made:
        # The file may be given away without its folder: its scale goes with it.
        scale = {"lora_alpha": one.alpha, "alpha_pattern": alphas}
        save_file(tensors, made, metadata={"format": "pt", HEADER: json.dumps(scale)})
    return folder / ADAPTER_FILE


def layers_of(names: Iterable[str], factors: Mapping[str, Factors]) -> dict[str, Factors]:
    """The factors by those of the names of weights that they belong to; dots may be written as underscores."""
    spelled = {name.removesuffix(".weight").replace(".", "_"): name for name in names}
    found = ((spelled.get(layer.replace(".", "_")), each) for layer, each in factors.items())
    return {name: each for name, each in found if name is not None}


def missing_in(names: Iterable[str], factors: Mapping[str, Factors]) -> list[str]:
    """The layers of factors that are not among those of the names of weights."""
    held = list(names)
    if len(layers_of(held, factors)) == len(factors):
        return []
    return [name for name, each in factors.items() if not layers_of(held, {name: each})]


@dataclass(frozen=True, slots=True)
class Adapter:
    """A file of low-rank adapters, the digest of its content, and how much of what it says is added."""

    file: Path
    digest: str
    weight: float


def merged(
    weights: Mapping[str, Tensor], factors: Mapping[str, Factors], weight: float
) -> dict[str, Tensor]:
    """Weights with `weight` times what the adapter adds to those that it names, which are float32.

    Raises UnreadableFile where it is of another shape.
    """
    found = dict(weights)
    for name, each in layers_of(weights, factors).items():
        own = weights[name].float()
        if own.shape != each.shape:
            raise UnreadableFile(
                f"'{name}' is {list(own.shape)}, and adapters say {list(each.shape)}"
            )
        found[name] = torch.add(own, each.difference().to(own.device), alpha=weight)
    return found


def adapted(
    files: Sequence[Mapping[str, Tensor]],
    adapters: Sequence[Adapter],
    ours: Callable[[Sequence[Mapping[str, Tensor]]], Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """The weights of files under our names, with what adapters add: by the names of the files if those have all of their
    layers, else by ours.

    Raises UnreadableFile where a file of adapters is not what it was, or belongs to another network.
    """
    later: list[tuple[Adapter, Mapping[str, Factors]]] = []
    for adapter in adapters:
        factors = _as_it_was(adapter)
        if len(layers_of([key for file in files for key in file], factors)) < len(factors):
            later.append((adapter, factors))
            continue
        files = [merged(file, factors, adapter.weight) for file in files]
    found = dict(ours(files))
    for adapter, factors in later:
        if missing := missing_in(found, factors):
            raise UnreadableFile(f"{adapter.file} adapts '{missing[0]}', which the network has not")
        found = merged(found, factors, adapter.weight)
    return found


def _as_it_was(adapter: Adapter) -> dict[str, Factors]:
    """The factors of an adapter, whose file may have been written to since it was named."""
    found = read_adapter(adapter.file)
    if adapter_digest(adapter.file) != adapter.digest:
        raise UnreadableFile(f"{adapter.file} was changed while the graph was run; run it again")
    return found
