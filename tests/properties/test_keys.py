"""Keys tell values apart: two that differ in anything that a node can see have different ones, equal ones the same."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from nodegraph.base.contents import Unframed
from nodegraph.base.framing import digest, framed
from nodegraph.base.paths import Sandbox
from nodegraph.language.program import Constant
from nodegraph.library.port import PortType, TypeRef
from nodegraph.library.registry import PortFacts, facts_of
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.literals import Literals
from nodes.diffusion.noise import Noise, RecordedNoise, SeededNoise
from nodes.measures.pca import Pca
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.training.folder_digest import folder_digest
from nodes.wires.conditions import Condition
from nodes.wires.tables import Table

PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=4),
    st.binary(max_size=4),
    st.sampled_from([0, 1, 0.0, -0.0, 1.0, True, False, "", "0", "1", "\0", "|", b"", b"0"]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, max_size=2),
    ),
    max_leaves=6,
)


def same(a: Any, b: Any) -> bool:
    """Whether nothing tells two plain values apart; Python's own equality takes 1, 1.0 and True for one."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return np.float64(a).tobytes() == np.float64(b).tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same([*a.items()], [*b.items()])
    return a == b


@given(VALUES, VALUES)
def test_plain_values(a: Any, b: Any) -> None:
    assert (framed(a) == framed(b)) == same(a, b)


@given(st.lists(st.text(alphabet="ab|\0\1\2,", max_size=3), max_size=3))
def test_how_texts_are_parted_counts(texts: list[str]) -> None:
    for mark in ("", "|", "\0", "\1", "\2"):
        assert framed([mark.join(texts)]) != framed(texts) or len(texts) == 1


DTYPES = (
    torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool,
)  # fmt: skip
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def tensor(shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    """Whole numbers of 0 and 1, so that values of different dtypes can be equal."""
    numbers = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed))
    return numbers.to(dtype)


TENSORS = st.builds(tensor, SHAPES, st.sampled_from(DTYPES), st.integers(0, 2))


@given(TENSORS, TENSORS)
def test_tensors_by_dtype_shape_and_content(a: Tensor, b: Tensor) -> None:
    equal = a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    assert (digest(a) == digest(b)) == equal


@given(TENSORS)
def test_how_a_tensor_lies_in_memory_does_not_count(a: Tensor) -> None:
    turned = a.permute([*reversed(range(a.dim()))]).contiguous()
    turned = turned.permute([*reversed(range(a.dim()))])
    wide = torch.stack([a, a], dim=-1)[..., 0]
    assert digest(a) == digest(turned) == digest(wide) == digest(a.clone())


@given(TENSORS)
def test_arrays_as_tensors(a: Tensor) -> None:
    if a.dtype is torch.bfloat16:
        return
    array = a.numpy()
    assert digest(array) == digest(array.copy(order="F")) != digest(a)
    assert digest(array.reshape(1, *array.shape)) != digest(array)
    if array.dtype.itemsize > 1:
        assert digest(array.astype(array.dtype.newbyteorder())) != digest(array)


def test_negative_zero_and_infinities() -> None:
    found = {
        digest(torch.tensor(x)) for x in (0.0, -0.0, float("nan"), float("inf"), -float("inf"))
    }
    assert len(found) == 5


@dataclass(frozen=True)
class Holder:
    value: Any


@dataclass(frozen=True)
class Other:
    value: Any


def test_what_has_no_content_has_no_bytes() -> None:
    unknown: tuple[Any, ...] = (
        object(), lambda: 0, torch.nn.Linear(1, 1), torch.empty(2, device="meta"), np.array([{}]), np.ma.array([1], mask=[1]),
        torch.zeros(2).to_sparse(),
    )  # fmt: skip
    for value in unknown:
        with pytest.raises(Unframed):
            digest(Holder([value]))
    assert digest(Holder(1)) != digest(Other(1)) != digest([1])


ROW = torch.arange(6.0).reshape(2, 3)
BASE: tuple[Any, ...] = (
    Condition("text", embedding=ROW, made_by="a"),
    Embedding(ROW, "a"),
    ClipTokens(ROW[None], torch.ones(1, 2, dtype=torch.bool), "a"),
    Pca(ROW[:1], ROW, ROW[0], ROW[0], ROW[0], "a"),
    Noise(ROW, 3, "cosine", 10),
    RecordedNoise(ROW, None),
    SeededNoise(1, "a"),
    Table(("a", "b"), ((1, 2),)),
)
CHANGED: dict[str, Any] = {
    "kind": "label", "embedding": ROW.T, "tokens": ROW, "pixels": ROW, "labels": ROW.long(), "mask": ROW > 1, "made_by": "b",
    "space": "b", "values": ROW.T, "mean": ROW[1:], "components": ROW.flip(0), "eigenvalues": ROW[1], "low": ROW[1],
    "high": ROW[1], "x_t": ROW.T, "timestep": 4, "train_steps": 11, "initial": ROW.reshape(3, 2), "steps": ROW, "seed": 2,
    "stream": "b", "columns": ("ab", ""), "rows": ((12,), ()),
}  # fmt: skip


@pytest.mark.parametrize("value", BASE, ids=lambda value: type(value).__name__)
def test_every_part_of_a_domain_value_counts(value: Any) -> None:
    parts = [name for name in value.__dataclass_fields__ if name in CHANGED]
    assert len(parts) == len(value.__dataclass_fields__)
    found = {digest(value), *(digest(replace(value, **{name: CHANGED[name]})) for name in parts)}
    assert len(found) == 1 + len(parts)


def test_where_recorded_noise_is_parted_counts() -> None:
    whole = torch.arange(12.0)
    initial, steps = RecordedNoise(whole), RecordedNoise(whole[:6], whole[6:])
    assert digest(initial) != digest(steps) != digest(RecordedNoise(whole[:4], whole[4:]))


def test_numbers_of_a_table_are_not_their_texts() -> None:
    cells = (1, 1.0, "1", True, None, float("nan"))
    assert len({digest(Table(("a",), ((cell,),))) for cell in cells}) == len(cells)


class Types:
    """A library of port types that is asked for no functions."""

    def __init__(self, *ports: PortType) -> None:
        self.ports = {port.name: port for port in ports}

    def port_type(self, name: str) -> PortType | None:
        return self.ports.get(name)

    def facts(self, name: str) -> PortFacts | None:
        return facts_of(self.ports[name], __name__) if name in self.ports else None

    def function(self, spec: object) -> Any:
        raise AssertionError(spec)


def identity(value: Any, name: str, folder: Path | None = None, *ports: PortType) -> bytes:
    literals = Literals(Types(*ports), RunContext(Sandbox((), Path())))
    return literals.identity(Constant(value, TypeRef(name), None, folder))


@given(TENSORS, TENSORS)
def test_values_that_python_gives(a: Tensor, b: Tensor) -> None:
    equal = a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    assert (identity(a, "Any") == identity(b, "Any")) == equal
    assert (identity(Embedding(a), "Any") == identity(Embedding(b), "Any")) == equal


def test_a_value_of_unknown_content_is_never_found_again() -> None:
    value = object()
    assert identity(value, "Any") != identity(value, "Any")


def test_lists_nest() -> None:
    ref = TypeRef("list", (TypeRef("list", (TypeRef("int"),)),))
    literals = Literals(Types(), RunContext(Sandbox((), Path())))
    lists: tuple[Any, ...] = ([[1], [2]], [[1, 2]], [[], [1, 2]], [[1, 2], []])
    found = {literals.identity(Constant(value, ref, None)) for value in lists}
    assert len(found) == len(lists)


def test_a_literal_that_its_type_reads_differently_is_another(tmp_path: Path) -> None:
    """A type that reads files and has no digest: what was read counts, not the words; else also the place."""
    for name, text in (("a", "one"), ("b", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text(text)
    read = PortType(
        "Read", literal="path", parse=lambda text, context: (context.folder / text).read_text()
    )
    opened = PortType("Opened", literal="path", parse=lambda text, context: object())
    for port in (read, opened):
        found = {identity("x.txt", port.name, tmp_path / name, port) for name in "ab"}
        assert len(found) == 2


def _renamed(folder: Path) -> None:
    (folder / "a.txt").rename(folder / "c.txt")


def _exchanged(folder: Path) -> None:
    first, second = folder / "a.txt", folder / "b.txt"
    texts = first.read_text(), second.read_text()
    first.write_text(texts[1])
    second.write_text(texts[0])


def _moved_down(folder: Path) -> None:
    (folder / "inside").mkdir()
    (folder / "a.txt").rename(folder / "inside" / "a.txt")


def _edited_within(folder: Path) -> None:
    """As long as it was, and with the time it had."""
    path = folder / "a.txt"
    before = path.stat()
    path.write_text("eno")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [_renamed, _exchanged, _moved_down, _edited_within])
def test_folders_by_names_and_contents(
    change: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.txt").write_text("one")
    (folder / "b.txt").write_text("two")
    before = folder_digest(folder)
    shutil.copytree(folder, tmp_path / "copy")
    assert folder_digest(folder) == folder_digest(tmp_path / "copy") == before
    change(folder)
    assert folder_digest(folder) != before


def test_a_damaged_index_of_a_folder_costs_a_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a").write_text("one")
    before = folder_digest(tmp_path / "p")
    (index,) = (tmp_path / "cache" / "folders").iterdir()
    for text in ("[]", "{", '{"a": 3}', '{"a": null}', "3"):
        index.write_text(text)
        assert folder_digest(tmp_path / "p") == before


def test_models_by_configuration_and_layout(tmp_path: Path) -> None:
    """The same weights are another model where they are put together otherwise."""
    from nodes.models.unet import UNet
    from nodes.networks.config import UNetConfig

    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    files = (tmp_path / "model.safetensors",)
    config = UNetConfig(16, 3, 32, (1, 1), 1, (2,), head_channels=16)
    base = UNet("m", config, "sha", files)
    others = (
        replace(base, config=replace(config, head_channels=32)),
        replace(base, layout="openai_unet"),
        replace(base, digest="other"),
    )
    assert len({base.identity, *(other.identity for other in others)}) == 4
    assert len({base.needs.identity, *(o.needs.identity for o in others)}) == 4
    assert replace(base, name="n").identity == base.identity
