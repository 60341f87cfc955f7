"""What is told beside low-rank matrices: in PEFT's `adapter_config.json`, or in the header that diffusers writes."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import safe_open

from nodes.checkpoints.files import ADAPTER_CONFIG, UnreadableFile
from nodes.checkpoints.foreign import read_json
from nodes.checkpoints.reading import is_safetensors, naming

HEADER = "lora_adapter_metadata"
"""Where diffusers keeps options in a file's header; their names begin with that of their network, as those of layers do."""
_NAME = re.compile(r"\^?[\w.-]+")


class Options(BaseModel):
    """How low-rank matrices are added to weights, as PEFT names it; of the rest of what it says nothing is needed."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    lora_alpha: float | None = None
    alpha_pattern: dict[str, float] | None = None
    use_rslora: bool | None = None
    use_dora: bool | None = None
    fan_in_fan_out: bool | None = None

    def alpha(self, layer: str, rank: int) -> float:
        """What α/r · B·A is scaled by; where nothing is told, B·A is added. √r in place of r: Kalajdzievski 2023 (rsLoRA)."""
        alpha = self._own(layer, self.lora_alpha)
        if alpha is None:
            return float(rank)
        return alpha * math.sqrt(rank) if self.use_rslora else alpha

    def _own(self, layer: str, alpha: float | None) -> float | None:
        """That of a layer, which a pattern names whole (`^…`) or by its last parts."""
        for pattern, value in (self.alpha_pattern or {}).items():
            name = pattern.removeprefix("^")
            if layer == name or (name == pattern and layer.endswith(f".{name}")):
                return value
        return alpha


def read_options(path: Path) -> Mapping[str, Options]:
    """The options of a file of adapters by the network that they are for; by "" those of all.

    Raises UnreadableFile for wrong ones, and for kinds of adapters that are no sums of products.
    """
    beside = path.with_name(ADAPTER_CONFIG)
    if beside.exists():
        return {"": _options(read_json(beside), beside)}
    told = _in_header(path)
    owners = {name.rpartition(".")[0] for name in told if name.rpartition(".")[2] == "lora_alpha"}
    return {owner: _options(_of(told, owner), path) for owner in owners}


def _of(told: Mapping[str, Any], owner: str) -> dict[str, Any]:
    start = f"{owner}." if owner else ""
    return {name.removeprefix(start): v for name, v in told.items() if name.startswith(start)}


def _in_header(path: Path) -> dict[str, Any]:
    if not is_safetensors(path):
        return {}
    with naming(path), safe_open(path, "pt") as file:
        found = json.loads((file.metadata() or {}).get(HEADER, "{}"))
        if not isinstance(found, dict):
            raise UnreadableFile(f"'{HEADER}' in its header holds no options")
        return found


def _options(told: Mapping[str, Any], path: Path) -> Options:
    try:
        found = Options.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise UnreadableFile(f"{path}: {place}: {first['msg']}") from None
    for name in ("use_dora", "fan_in_fan_out"):
        if getattr(found, name):
            raise UnreadableFile(f"{path}: adapters with {name} are not read")
    for pattern in found.alpha_pattern or {}:
        if not _NAME.fullmatch(pattern):
            raise UnreadableFile(f"{path}: alpha_pattern: '{pattern}' is no name of layers")
    return found
