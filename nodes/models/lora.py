"""Low-rank adapters on a wire, and models that have them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from torch import Size

from nodegraph.base.diagnostics import Mismatch
from nodegraph.base.framing import digest
from nodegraph.library.port import Context
from nodegraph.runtime.warn import warn
from nodes.checkpoints.adapters import Adapter, layers_of, missing_in, read_adapter, unscaled
from nodes.checkpoints.files import ADAPTER_CONFIG, adapter_digest, adapter_file
from nodes.checkpoints.reading import tensor_shapes
from nodes.models.handle import Model

H = TypeVar("H", bound=Model[Any, Any])


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters in a file; `file` is None while they are still to be trained."""

    file: Path | None
    digest: str


def parse_lora(literal: Any, context: Context) -> Lora:
    """Adapters by their file, or by a folder that holds one. Raises FileNotFoundError, or what `readable` raises."""
    file = adapter_file(str(literal), context.readable)
    return Lora(file, adapter_digest(file))


def with_lora(model: H, lora: Lora, weight: float) -> H:
    """A model with `weight` times the adapters; with none of them it is the model itself.

    Raises Mismatch for adapters of another network, UnreadableFile for a file that holds none.
    """
    if weight == 0:
        return model
    told = digest(model.digest, lora.digest, float(weight))
    if lora.file is None:
        return replace(model, digest=told)
    _check(model, lora.file)
    if unscaled(lora.file):
        warn(
            f"{lora.file.name} is by PEFT, and no {ADAPTER_CONFIG} lies beside it: alpha is taken to be the rank",
            port="file",
            hint="name the folder that PEFT wrote",
        )
    added = (*model.adapters, Adapter(lora.file, lora.digest, weight))
    return replace(model, digest=told, adapters=added)


def _check(model: Model[Any, Any], file: Path) -> None:
    """Raises Mismatch. Names in files that are not here yet are not known: they are looked at when weights are read."""
    factors = read_adapter(file)
    shapes = {k: Size(v) for k, v in _shapes_in_files(model).items()}
    if len(layers_of(shapes, factors)) < len(factors):
        shapes = {name: value.shape for name, value in model.own_shapes().items()}
    found = layers_of(shapes, factors)
    missing = missing_in(shapes, factors)
    if missing and not (model.files and model.absent):
        raise Mismatch(
            f"{len(missing)} of the {len(factors)} layers that {file.name} adapts are not in '{model.name}': '{missing[0]}'",
            port="file",
            hint="it belongs to another model: wire that one",
        )
    for name, each in found.items():
        if (made := each.shape) != shapes[name]:
            raise Mismatch(
                f"{file.name} adapts '{name}' as {list(made)}; in '{model.name}' it is {list(shapes[name])}",
                port="file",
                hint="it belongs to another model: wire that one",
            )


def _shapes_in_files(model: Model[Any, Any]) -> Mapping[str, tuple[int, ...]]:
    here = [] if model.absent else list(model.files)
    return {name: shape for file in here for name, shape in tensor_shapes(file).items()}
