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
from nodes.checkpoints.files import ADAPTER_FILE, UnreadableFile
from nodes.checkpoints.foreign import read_json
from nodes.checkpoints.reading import read_weights
from nodes.networks.lora import Factors

CONFIG_FILE = "adapter_config.json"
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
    """Factors by the names of layers, as the file has them without their prefix. Raises UnreadableFile for other files."""
    tensors = dict(read_weights(path))
    config = path.with_name(CONFIG_FILE)
    told = read_json(config) if config.exists() else {}
    found: dict[str, Factors] = {}
    for key, down in tensors.items():
        if match := DOWN.match(key):
            up = tensors.get(_up(key))
            if up is None or up.shape[1] != len(down):
                raise UnreadableFile(f"{path} has no matrix that goes with '{key}'")
            layer, name = match.group(1), _plain(match.group(1))
            own = tensors.get(f"{layer}.alpha", told.get("alpha_pattern", {}).get(name))
            alpha = told.get("lora_alpha", len(down)) if own is None else own
            found[name] = Factors(down, up, float(alpha))
    if not found:
        raise UnreadableFile(
            f"{path} holds no low-rank adapter: no key ends with lora_A.weight or lora_down.weight"
        )
    return found


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
    write_text(folder / CONFIG_FILE, json.dumps(config, indent=1) + "\n")
    with replacing(folder / ADAPTER_FILE) as made:
        save_file(tensors, made, metadata={"format": "pt"})
    return folder / ADAPTER_FILE


def layers_of(names: Iterable[str], factors: Mapping[str, Factors]) -> dict[str, Factors]:
    """The factors by those of the names of weights that they belong to; dots may be written as underscores."""
    spelled = {name.removesuffix(".weight").replace(".", "_"): name for name in names}
    found = ((spelled.get(layer.replace(".", "_")), each) for layer, each in factors.items())
    return {name: each for name, each in found if name is not None}


@dataclass(frozen=True, slots=True)
class Adapter:
    """A file of low-rank adapters, the digest of its content, and how much of what it says is added."""

    file: Path
    digest: str
    weight: float


def merged(
    weights: Mapping[str, Tensor], factors: Mapping[str, Factors], weight: float
) -> dict[str, Tensor]:
    """Weights with `weight` times what the adapter adds to those that it names."""
    found = dict(weights)
    for name, each in layers_of(weights, factors).items():
        own = weights[name]
        whole = torch.add(own.float(), each.difference().to(own.device), alpha=weight)
        found[name] = whole.to(own.dtype)
    return found


def adapted(
    files: Sequence[Mapping[str, Tensor]],
    adapters: Sequence[Adapter],
    ours: Callable[[Sequence[Mapping[str, Tensor]]], Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """The weights of files under our names, with what adapters add: by the names of the files if those have all of their
    layers, else by ours."""
    later: list[Adapter] = []
    for adapter in adapters:
        factors = read_adapter(adapter.file)
        if len(layers_of([key for file in files for key in file], factors)) < len(factors):
            later.append(adapter)
            continue
        files = [merged(file, factors, adapter.weight) for file in files]
    found = dict(ours(files))
    for adapter in later:
        found = merged(found, read_adapter(adapter.file), adapter.weight)
    return found
