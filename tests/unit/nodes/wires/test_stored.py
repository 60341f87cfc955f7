"""Dataclasses of tensors in a cache entry: told from their fields, and readable where older versions wrote them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nodes.diffusion.noise import Noise
from nodes.measures.pca import Pca
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.wires import conditions, embeddings, noise
from nodes.wires.conditions import Condition
from nodes.wires.stored import stored

TYPES = {**conditions.PORT_TYPES, **embeddings.PORT_TYPES, **noise.PORT_TYPES}
A, B = torch.arange(6.0).reshape(2, 3), torch.tensor([[True, False], [True, True]])
VALUES: dict[str, Any] = {
    "tokens": ClipTokens(A, B, "a space"),
    "pca": Pca(A[:1] + 1, A, A[0] + 2, A[1] + 3, A[0] + 4, ""),
    "labels": Condition("label", labels=torch.tensor([3, 4]), made_by="shapes"),
    "unclip": Condition("unclip", embedding=A, tokens=A + 1, mask=B),
    "noise": Noise(A, 17, "cosine", 1000),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_is_kept_is_read_again(name: str, tmp_path: Path) -> None:
    value = VALUES[name]
    port = TYPES[type(value)]
    assert port.dump and port.load
    port.dump(value, tmp_path)
    same(port.load(tmp_path), value)


def same(found: Any, wanted: Any) -> None:
    """Two dataclasses of equal tensors, numbers and texts."""
    assert type(found) is type(wanted)
    for name in type(wanted).__dataclass_fields__:
        one, other = getattr(found, name), getattr(wanted, name)
        assert type(one) is type(other), name
        assert torch.equal(one, other) if isinstance(other, Tensor) else one == other, name


@pytest.mark.parametrize(
    ("kind", "file", "tensors", "texts", "value"),
    [
        (Embedding, "embedding.safetensors", {"values": A}, {"space": "s"}, Embedding(A, "s")),
        (
            Noise,
            "tensor.safetensors",
            {"x_t": A},
            {"kind": "cosine", "train_steps": "100", "timestep": "9"},
            Noise(A, 9, "cosine", 100),
        ),
        (
            Condition,
            "tensor.safetensors",
            {"embedding": A, "tokens": A + 1},
            {"kind": "text", "made_by": "me"},
            Condition("text", A, A + 1, made_by="me"),
        ),
    ],
)
def test_the_form_of_files_is_that_of_older_versions(
    kind: type,
    file: str,
    tensors: dict[str, Tensor],
    texts: dict[str, str],
    value: Any,
    tmp_path: Path,
) -> None:
    kept = stored(kind, file)
    save_file(tensors, tmp_path / file, metadata=texts)
    same(kept["load"](tmp_path), value)
    kept["dump"](value, tmp_path)
    with safe_open(tmp_path / file, "pt") as found:
        assert set(found.keys()) == set(tensors)
        assert found.metadata() == texts


@dataclass(frozen=True)
class Inner:
    x: Tensor | None
    share: float
    way: Literal["up", "down"] = "up"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    other: Inner | None = None
    count: int | None = None


@pytest.mark.parametrize(
    "value", [Outer(Inner(A, 0.1, "down"), count=-3), Outer(Inner(A, 1e-300), Inner(B, 2.0))]
)
def test_one_in_another_is_kept_too(value: Outer, tmp_path: Path) -> None:
    kept = stored(Outer, "x.safetensors")
    kept["dump"](value, tmp_path)
    found = kept["load"](tmp_path)
    same(found.inner, value.inner)
    assert found.count == value.count
    assert (found.other is None) is (value.other is None)


@dataclass(frozen=True)
class Listed:
    x: Tensor
    sizes: list[int]


@dataclass(frozen=True)
class Switched:
    on: bool


@pytest.mark.parametrize(("kind", "field"), [(Listed, "Listed.sizes"), (Switched, "Switched.on")])
def test_what_cannot_be_kept_is_said_where_it_is_declared(kind: type, field: str) -> None:
    with pytest.raises(TypeError, match=field):
        stored(kind, "x.safetensors")


@pytest.mark.parametrize("name", VALUES)
def test_all_tensors_go_to_a_device(name: str) -> None:
    value = VALUES[name]
    moved = value.to("meta")
    assert moved.tensors().keys() == value.tensors().keys() != set()
    assert all(tensor.is_meta for tensor in moved.tensors().values())
    same(replace(moved, **value.tensors()), value)
