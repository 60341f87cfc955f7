"""Checkpoints as people have them: every form of file, what trainers put around the weights, and files that mean harm."""

import io
import pickle
import warnings
import zipfile
from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nodes.checkpoints import reading
from nodes.checkpoints.files import UnreadableFile
from nodes.checkpoints.reading import read_weights, tensor_shapes
from nodes.checkpoints.state_dicts import NoStateDict

State = dict[str, Tensor]


class Block(nn.Module):
    """Parameters, buffers of both kinds, tensors that are neither, and modules below it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 3), nn.LayerNorm(3)])
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("table", torch.arange(5))
        self.register_buffer("scratch", torch.zeros(2), persistent=False)
        self.mask = torch.full((2, 2), -torch.inf)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x * self.scale + self.table[0] + self.scratch[0] + self.mask.shape[0]


@pytest.fixture
def weights() -> State:
    torch.manual_seed(0)
    return dict(Block().state_dict())


def saved(path: Path, held: Any, **options: Any) -> Path:
    torch.save(held, path, **options)
    return path


def assert_read(path: Path, expected: State) -> None:
    found = dict(read_weights(path))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype, name
        assert torch.equal(found[name], value), name
    assert tensor_shapes(path) == {name: tuple(value.shape) for name, value in expected.items()}


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_torch_files_of_either_form(
    weights: State, tmp_path: Path, zipped: bool, dtype: torch.dtype
) -> None:
    held = {k: v.to(dtype) if v.is_floating_point() else v for k, v in weights.items()}
    file = saved(tmp_path / "w.pt", held, _use_new_zipfile_serialization=zipped)
    assert_read(file, held)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_every_protocol(weights: State, tmp_path: Path, zipped: bool, protocol: int) -> None:
    options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": zipped}
    assert_read(saved(tmp_path / "w.pt", weights, **options), weights)


def test_safetensors_in_half_precision(weights: State, tmp_path: Path) -> None:
    held = {f"module.{k}": v.bfloat16() for k, v in weights.items()}
    save_file(held, tmp_path / "w.safetensors")
    assert_read(tmp_path / "w.safetensors", {k: v.bfloat16() for k, v in weights.items()})


@pytest.mark.parametrize("zipped", [True, False])
def test_views_and_shared_storages(tmp_path: Path, zipped: bool) -> None:
    """Tied weights, transposed ones, slices, empty ones and numbers without dimensions."""
    table = torch.arange(12.0).reshape(3, 4)
    held = {"a": table, "b": table, "c": table.T, "d": table[1:, ::2], "e": table[0, 1]}
    held |= {"f": torch.empty(0, 3), "g": torch.tensor(3), "h": nn.Parameter(table[1])}
    file = saved(tmp_path / "w.pt", held, _use_new_zipfile_serialization=zipped)
    assert_read(file, {k: v.detach() for k, v in held.items()})


def test_eight_bits(tmp_path: Path) -> None:
    held = {"a": torch.arange(4.0).to(torch.float8_e4m3fn)}
    found = dict(read_weights(saved(tmp_path / "w.pt", held)))["a"]
    assert found.dtype == torch.float8_e4m3fn
    assert torch.equal(found.float(), torch.arange(4.0))


def test_an_archive_that_was_packed_again(weights: State, tmp_path: Path) -> None:
    saved(tmp_path / "w.pt", weights)
    with (
        zipfile.ZipFile(tmp_path / "w.pt") as old,
        zipfile.ZipFile(tmp_path / "again.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert_read(tmp_path / "again.pt", weights)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_module(tmp_path: Path, zipped: bool) -> None:
    """Its class need not be here."""
    module = Block()
    saved(tmp_path / "w.pt", module, _use_new_zipfile_serialization=zipped)
    assert_read(tmp_path / "w.pt", dict(module.state_dict()))


@pytest.mark.parametrize("way", ["script", "trace"])
def test_a_script_gives_what_its_own_reader_gives(tmp_path: Path, way: str) -> None:
    module = Block()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = (
            torch.jit.script(module)
            if way == "script"
            else torch.jit.trace(module, torch.ones(1, 2))
        )
        made.save(tmp_path / "w.pt")
        expected = dict(torch.jit.load(tmp_path / "w.pt").state_dict())
    assert "layers.0.weight" in expected
    assert_read(tmp_path / "w.pt", expected)


def trained(weights: State, name: str, **others: Any) -> dict[str, Any]:
    """What a trainer saves: with optimiser, epoch, and objects that no reader of weights knows."""
    parameter = nn.Parameter(torch.zeros(3))
    optimiser = torch.optim.AdamW([parameter], lr=0.1)
    parameter.grad = torch.ones(3)
    optimiser.step()
    about = {"epoch": 3, "args": Namespace(lr=0.1), "best": np.float64(0.5), "rng": np.arange(3)}
    return {**about, "optimizer": optimiser.state_dict(), **others, name: weights}


KEPT = ["state_dict", "model_state_dict", "model", "module", "net"]
AVERAGED = ["ema", "ema_model", "model_ema", "state_dict_ema", "params_ema"]


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", KEPT)
def test_training_checkpoints(weights: State, tmp_path: Path, name: str, zipped: bool) -> None:
    held = trained(weights, name)
    assert_read(saved(tmp_path / "w.pt", held, _use_new_zipfile_serialization=zipped), weights)


@pytest.mark.parametrize("name", AVERAGED)
def test_averaged_weights_come_first(weights: State, tmp_path: Path, name: str) -> None:
    others = {k: v + 1 for k, v in weights.items()}
    held = trained(others, "model", **{name: OrderedDict(weights)})
    assert_read(saved(tmp_path / "w.pt", held), weights)


def prefixed(prefix: str) -> Callable[[State], State]:
    return lambda weights: {prefix + key: value for key, value in weights.items()}


def compiled_inside(weights: State) -> State:
    return {key.replace("layers.0.", "layers.0._orig_mod."): v for key, v in weights.items()}


def averaged_beside(weights: State) -> State:
    """As ema-pytorch keeps both, with counts of its own."""
    online = {f"online_model.{k}": v + 1 for k, v in weights.items()}
    counts = {"initted": torch.tensor(True), "step": torch.tensor(7)}
    return {**online, **prefixed("ema_model.")(weights), **counts}


def averaged_without_dots(weights: State) -> State:
    """As latent diffusion keeps them: parameters only, their names without dots, beside the model."""
    averaged = {
        f"model_ema.{k.replace('.', '')}": v for k, v in weights.items() if v.is_floating_point()
    }
    counts = {"model_ema.decay": torch.tensor(0.99), "model_ema.num_updates": torch.tensor(7)}
    online = {f"model.{k}": v + v.is_floating_point() for k, v in weights.items()}
    return {**online, **averaged, **counts}


def averaged_by_torch(weights: State) -> State:
    return {**prefixed("module.")(weights), "n_averaged": torch.tensor(7)}


WRAPPED: list[Callable[[State], State]] = [
    *map(prefixed, ("module.", "_orig_mod.", "model.", "ema.", "ema_model.", "module._orig_mod.")),
    *map(prefixed, ("_orig_mod.module.", "module.module.", "net.", "model_ema.")),
    prefixed("_fsdp_wrapped_module._checkpoint_wrapped_module."),
    compiled_inside,
    averaged_beside,
    averaged_without_dots,
    averaged_by_torch,
]


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_what_wrappers_put_before_names(
    weights: State, tmp_path: Path, wrapped: Callable[[State], State]
) -> None:
    save_file(wrapped(weights), tmp_path / "w.safetensors")
    assert_read(tmp_path / "w.safetensors", weights)
    held = trained(wrapped(weights), "state_dict")
    assert_read(saved(tmp_path / "w.pt", held), weights)


@pytest.mark.parametrize(
    ("held", "says"),
    [
        ({"epoch": 1, "optimizer": {}}, "it has epoch, optimizer"),
        ({"model": {}}, "it has model"),
        ([1, 2], "it is a list"),
        (Namespace(a=1), "it is a argparse.Namespace"),
    ],
)
def test_what_holds_no_weights_says_what_it_holds(tmp_path: Path, held: Any, says: str) -> None:
    with pytest.raises(NoStateDict, match=f"w.pt holds no readable weights: no state dict.*{says}"):
        tensor_shapes(saved(tmp_path / "w.pt", held))


class Harm:
    """Calls a function when a pickle of it is read by Python's own reader."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "harm")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_calls_nothing(weights: State, tmp_path: Path, zipped: bool) -> None:
    target = tmp_path / "written"
    held = {"state_dict": weights, "callbacks": Harm(target)}
    saved(tmp_path / "w.pt", held, _use_new_zipfile_serialization=zipped)
    assert_read(tmp_path / "w.pt", weights)
    assert not target.exists()
    saved(tmp_path / "h.pt", {"a": Harm(target)}, _use_new_zipfile_serialization=zipped)
    with pytest.raises(NoStateDict):
        dict(read_weights(tmp_path / "h.pt"))
    assert not target.exists()


def archive(path: Path, content: bytes, **records: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("archive/data.pkl", content)
        for name, record in records.items():
            made.writestr(f"archive/data/{name}", record)
    return path


def storage(key: str, count: str) -> bytes:
    return b"((Vstorage\nctorch\nFloatStorage\nV%s\nVcpu\nI%s\ntQ" % (key.encode(), count.encode())


def tensor(stored: bytes, offset: int = 0, size: str = "I2\n", stride: str = "I1\n") -> bytes:
    """A dict with one tensor `a`, in the pickle language."""
    view = f"I{offset}\n({size}t({stride}tI00\nccollections\nOrderedDict\n)R".encode()
    return b"(dVa\nctorch._utils\n_rebuild_tensor_v2\n" + stored + view + b"tRs."


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (tensor(storage("0", "9")), "is cut off"),
        (tensor(storage("0", "-2")), "larger than its storage"),
        (tensor(storage("0", "2"), size="I3\n"), "larger than its storage"),
        (tensor(storage("0", "2"), offset=-1), "no view"),
        (tensor(storage("0", "2"), offset=1), "larger than its storage"),
        (tensor(storage("0", "2"), stride="I-1\n"), "no view"),
        (tensor(storage("0", "2"), size="I2\nI2\n"), "no view"),
        (tensor(storage("0", "2"), size="Vx\n"), "no view"),
        (tensor(storage("../0", "2")), "is missing"),
        (tensor(b"(I1\n"), "no view|another kind"),
        (b"garbage", "holds no readable weights"),
        (b"", "holds no readable weights"),
        (b"]" + b"\x94" * 5 + b"r\xff\xff\xff\x7f.", "no state dict"),
        (b"\x80\x02" + b"(" * 20_000 + b"t" * 20_000 + b".", "no state dict"),
        (b"(dVmodel\nh\x00s." + b"", "holds no readable weights"),
    ],
)
def test_records_that_lie(tmp_path: Path, content: bytes, says: str) -> None:
    file = archive(tmp_path / "w.pt", content, **{"0": bytes(8)})
    for read in (tensor_shapes, lambda path: dict(read_weights(path))):
        with pytest.raises(UnreadableFile, match=says) as told:
            read(file)
        assert str(file) in str(told.value)


def test_a_mapping_inside_itself(tmp_path: Path) -> None:
    held: dict[str, Any] = {}
    held["model"] = held
    with pytest.raises(NoStateDict):
        tensor_shapes(saved(tmp_path / "w.pt", held))


def test_a_module_inside_itself(tmp_path: Path) -> None:
    module = Block()
    module._modules["again"] = module
    with pytest.raises(NoStateDict, match="without an end"):
        tensor_shapes(saved(tmp_path / "w.pt", module))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_is_cut_off(weights: State, tmp_path: Path, zipped: bool) -> None:
    """At any place: one message that names the file."""
    whole = saved(tmp_path / "w.pt", weights, _use_new_zipfile_serialization=zipped).read_bytes()
    cut = tmp_path / "cut.pt"
    for length in [*range(0, len(whole) - 1, max(1, len(whole) // 97)), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile, match=r"cut\.pt"):
            tensor_shapes(cut)


def test_what_a_file_changes_in_the_reader_ends_with_it(weights: State, tmp_path: Path) -> None:
    """BUILD on one of the reader's own functions."""
    build = b"ctorch._utils\n_rebuild_tensor_v2\n(N(dV__defaults__\nNsV__code__\nNstb."
    with pytest.raises(UnreadableFile):
        tensor_shapes(archive(tmp_path / "w.pt", build))
    build = b"ccollections\nOrderedDict\n(N(dVkeys\nNstb."
    with pytest.raises(UnreadableFile):
        tensor_shapes(archive(tmp_path / "w.pt", build))
    assert_read(saved(tmp_path / "w.pt", weights), weights)


def test_pickles_of_every_builtin_kind_are_read(tmp_path: Path) -> None:
    """A trainer's notes: sets, complex numbers, bytes, classes, nested lists."""
    notes = [{1, 2}, 1j, b"x", bytearray(b"y"), Path, frozenset({3}), io.StringIO, slice(1, 2), ...]
    held = {"notes": notes, "state_dict": {"a": torch.ones(2)}}
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        saved(tmp_path / "w.pt", held, pickle_protocol=protocol)
        assert_read(tmp_path / "w.pt", {"a": torch.ones(2)})


@pytest.mark.parametrize(("portion", "mappings"), [(2**26, 2), (0, 4)])
def test_filters_share_no_mapping_of_the_file_with_other_tensors(
    portion: int, mappings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a CPU lays out anew lets its part of the file go; `PORTION` bounds what one mapping holds."""

    def mapped() -> int:
        maps = Path("/proc/self/maps").read_text().splitlines()
        return sum(line.endswith(str(file)) for line in maps)

    shapes = {
        "a.weight": (2, 3, 3, 3),
        "a.bias": (2,),
        "b.weight": (4, 2, 1, 1),
        "c.weight": (5, 4),
    }
    given = {name: torch.randn(shape) for name, shape in shapes.items()}
    file = tmp_path / "model.safetensors"
    save_file(given, file)
    monkeypatch.setattr(reading, "PORTION", portion)
    found = dict(read_weights(file))
    assert found.keys() == given.keys()
    assert all(torch.equal(found[name], value) for name, value in given.items())
    assert mapped() == mappings
    del found["a.weight"], found["b.weight"]
    assert mapped() == mappings // 2


@pytest.mark.parametrize(
    "content",
    [b"graph: 1\nnodes: {}\n", b"root:x:0:0\n", b"\x89PNG\r\n\x1a\n" + bytes(40), b"A word.\n"],
)
def test_what_is_no_file_of_weights_is_told_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(UnreadableFile, match="it is neither of safetensors nor of torch"):
        dict(read_weights(tmp_path / "w"))
