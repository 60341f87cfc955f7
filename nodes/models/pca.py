"""Principal components of a CLIP's embeddings, on a wire."""

from dataclasses import fields
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.types import PortType
from nodes.diffusion.pca import Pca

FILE = "pca.safetensors"
TENSORS = tuple(f.name for f in fields(Pca) if f.type is Tensor)


def _dump(value: Pca, folder: Path) -> None:
    tensors = {name: getattr(value, name).contiguous().cpu() for name in TENSORS}
    save_file(tensors, folder / FILE, metadata={"space": value.space})


def _load(folder: Path) -> Pca:
    with safe_open(folder / FILE, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in TENSORS}
        return Pca(**tensors, space=file.metadata()["space"])


def _describe(value: Pca) -> str:
    count, width = value.components.shape
    share = "" if value.kept.is_meta else f", {float(value.kept):.1%} of the variance"
    return f"{count} components of {width}{share}, of {value.space or 'an unnamed CLIP'}"


PCA = PortType(
    "Pca",
    "Principal components of CLIP embeddings: their mean, directions and ranges.",
    colour="#5eead4",
    shape="diamond",
    dump=_dump,
    load=_load,
    describe=_describe,
)
