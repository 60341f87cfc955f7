"""Files of low-rank adapters as anybody may have written them, and what else is told beside the matrices."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import READING, built, context
from torch import Tensor

from nodegraph import Mismatch
from nodegraph.language.source import SourceText
from nodegraph.session import Job, Session
from nodes.checkpoints.adapters import merged, read_adapter, write_adapter
from nodes.checkpoints.files import ADAPTER_CONFIG, ADAPTER_FILE, UnreadableFile
from nodes.checkpoints.weights import write_model
from nodes.library.lora import lora
from nodes.models.handle import from_folder
from nodes.models.lora import Lora, parse_lora
from nodes.models.place import Place
from nodes.models.unet import UNet
from nodes.networks.lora import Factors
from nodes.wires.identities import of_adapter

LAYER = "middle.0.conv_out"
DOWN, UP = (f"base_model.model.{LAYER}.{word}.weight" for word in ("lora_A", "lora_B"))
Tensors = dict[str, Tensor]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An adapter of rank 2 and α 8 of one layer."""
    torch.manual_seed(0)
    factors = Factors(torch.randn(2, 32, 3, 3), torch.randn(32, 2, 1, 1), 8.0)
    write_adapter(tmp_path / "lora", {LAYER: factors}, "base")
    return tmp_path / "lora"


@pytest.fixture
def base(tmp_path: Path) -> UNet:
    write_model(tmp_path / "base", built(READING), READING, {})
    return from_folder(UNet, tmp_path / "base", context(tmp_path))


def tell(folder: Path, **options: Any) -> None:
    path = folder / ADAPTER_CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **options}))


def named(folder: Path) -> Lora:
    return parse_lora(str(folder), context(folder))


def only(folder: Path) -> Factors:
    return read_adapter(folder / ADAPTER_FILE)[LAYER]


def test_other_options_are_another_adapter(base: UNet, folder: Path) -> None:
    told, first = context(folder), lora(base, named(folder))
    before = of_adapter("Lora", str(folder), told)
    assert before == named(folder).digest
    tell(folder, lora_alpha=16.0)
    assert of_adapter("Lora", str(folder), told) == named(folder).digest != before
    second = lora(base, named(folder))
    assert second.identity != first.identity
    key = f"{LAYER}.weight"
    own, more = base.weights(torch.float32)[key], second.weights(torch.float32)[key]
    torch.testing.assert_close(more - own, 8 * only(folder).difference() / 8, rtol=1e-4, atol=1e-5)


def test_a_file_that_changes_while_a_graph_runs_is_refused(base: UNet, folder: Path) -> None:
    model = lora(base, named(folder))
    tell(folder, lora_alpha=16.0)
    with pytest.raises(UnreadableFile, match="was changed while the graph was run"):
        model.weights()


def test_a_sum_is_rounded_once(base: UNet, folder: Path) -> None:
    model = lora(replace(base, place=Place(precision="bfloat16")), named(folder), 0.3)
    key = f"{LAYER}.weight"
    whole = base.weights(torch.float32)[key] + 0.3 * only(folder).difference()
    assert torch.equal(model.weights(torch.bfloat16)[key], whole.bfloat16())


@pytest.mark.parametrize(
    ("options", "times"),
    [
        ({}, 8 / 2),
        ({"lora_alpha": 3}, 3 / 2),
        ({"lora_alpha": None}, 1),
        ({"alpha_pattern": {LAYER: 5}}, 5 / 2),
        ({"alpha_pattern": {"0.conv_out": 5}}, 5 / 2),
        ({"alpha_pattern": {"^0.conv_out": 5}}, 8 / 2),
        ({"alpha_pattern": {"conv": 5}}, 8 / 2),
        ({"alpha_pattern": None}, 8 / 2),
        ({"use_rslora": True}, 8 / 2**0.5),
    ],
)
def test_what_is_scaled_by(folder: Path, options: dict[str, Any], times: float) -> None:
    tell(folder, **options)
    held = load_file(folder / ADAPTER_FILE)
    product = torch.einsum("dr,rchw->dchw", held[UP][..., 0, 0], held[DOWN])
    torch.testing.assert_close(only(folder).difference(), times * product)


@pytest.mark.parametrize("owner", ["unet.", ""])
def test_what_diffusers_tells_in_the_header(folder: Path, owner: str) -> None:
    held = load_file(folder / ADAPTER_FILE)
    (folder / ADAPTER_CONFIG).unlink()
    told = {f"{owner}lora_alpha": 5, f"{owner}r": 2, "text_encoder.lora_alpha": 1}
    save_file(
        {f"{owner}{key.removeprefix('base_model.model.')}": value for key, value in held.items()},
        folder / ADAPTER_FILE,
        metadata={"format": "pt", "lora_adapter_metadata": json.dumps(told)},
    )
    assert only(folder).alpha == 5


def test_a_file_that_is_given_away_keeps_its_scale(base: UNet, folder: Path) -> None:
    (folder / ADAPTER_CONFIG).unlink()
    assert only(folder).alpha == 8
    save_file(load_file(folder / ADAPTER_FILE), folder / ADAPTER_FILE)
    with pytest.warns(UserWarning, match="no adapter_config.json lies beside it"):
        lora(base, named(folder))
    assert only(folder).alpha == 2


def test_options_are_not_read_from_outside(folder: Path, tmp_path: Path) -> None:
    told = context(folder)
    (folder / ADAPTER_CONFIG).rename(tmp_path / "options.json")
    (folder / ADAPTER_CONFIG).symlink_to(tmp_path / "options.json")
    for read in (parse_lora, lambda name, told: of_adapter("Lora", name, told)):
        with pytest.raises(PermissionError, match="outside"):
            read(str(folder / ADAPTER_FILE), told)


def test_names_in_files_that_are_not_here_are_looked_at_later(
    base: UNet, folder: Path, tmp_path: Path
) -> None:
    """Of a model that is still to be fetched a check does not know them; what then is not there is not left out."""
    kept, away = base.files[0], tmp_path / "away"
    factors = {"of.the.files": only(folder), LAYER: only(folder)}
    write_adapter(folder, factors, "base")
    kept.rename(away)
    model = lora(base, named(folder))
    away.rename(kept)
    with pytest.raises(UnreadableFile, match=r"adapts 'of\.the\.files', which the network has not"):
        model.weights()
    with pytest.raises(Mismatch, match=r"1 of the 2 layers .* are not in 'base': 'of.the.files'"):
        lora(base, named(folder))


def test_another_shape_is_not_spread(base: UNet, folder: Path) -> None:
    factors = Factors(torch.ones(2, 1, 1, 1), torch.ones(32, 2, 1, 1), 2.0)
    with pytest.raises(
        UnreadableFile, match=r"is \[32, 32, 3, 3\], and adapters say \[32, 1, 1, 1\]"
    ):
        merged(base.weights(), {LAYER: factors}, 1.0)


def without(name: str) -> Callable[[Tensors], Tensors]:
    return lambda tensors: {k: v for k, v in tensors.items() if k != name}


def having(**values: Tensor) -> Callable[[Tensors], Tensors]:
    """Other matrices, by `down`, `up` or a name."""
    names = {"down": DOWN, "up": UP}
    return lambda tensors: {**tensors, **{names.get(k, k): v for k, v in values.items()}}


SPOILED: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "no second": (without(UP), "has no matrix 'base_model.*lora_B.weight'"),
    "no first": (without(DOWN), "holds no low-rank adapter"),
    "nan": (having(up=torch.full((32, 2, 1, 1), torch.nan)), "lora_B.* not finite"),
    "infinite": (having(down=torch.full((2, 32, 3, 3), torch.inf)), "lora_A.* not finite"),
    "number": (having(down=torch.tensor(1.0)), r"is no matrix: its shape is \[\]"),
    "row": (having(up=torch.ones(2)), r"is no matrix: its shape is \[2\]"),
    "no rank": (having(down=torch.ones(0, 32, 3, 3), up=torch.ones(32, 0, 1, 1)), "is no matrix"),
    "other ranks": (having(up=torch.ones(32, 3, 1, 1)), "has no matrix that goes with"),
    "filters": (having(up=torch.ones(32, 2, 3, 3)), "has no matrix that goes with"),
    "linear": (having(up=torch.ones(32, 2)), "has no matrix that goes with"),
    "dora": (having(**{f"{LAYER}.lora_magnitude_vector": torch.ones(32)}), "holds more than pairs"),
    "bias": (having(**{f"{LAYER}.bias": torch.ones(32)}), "holds more than pairs"),
    "twice": (
        having(**{f"unet.{LAYER}.{w}.weight": torch.ones(32, 32, 1, 1) for w in ("lora_A", "lora_B")}),
        f"several adapters of '{LAYER}'",
    ),
    "alpha": (having(**{f"base_model.model.{LAYER}.alpha": torch.ones(3)}), "alpha' is no number"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_matrices_are_refused(folder: Path, case: str) -> None:
    spoil, says = SPOILED[case]
    save_file(spoil(load_file(folder / ADAPTER_FILE)), folder / ADAPTER_FILE)
    with pytest.raises(UnreadableFile, match=says):
        read_adapter(folder / ADAPTER_FILE)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ('{"lora_alpha": "x"}', "lora_alpha: Input should be a valid number"),
        ('{"lora_alpha": [1]}', "lora_alpha: Input should be a valid number"),
        ('{"lora_alpha": true}', "lora_alpha: Input should be a valid number"),
        ('{"lora_alpha": 1e999}', "lora_alpha: Input should be a finite number"),
        ('{"lora_alpha": NaN}', "lora_alpha: Input should be a finite number"),
        ('{"lora_alpha": %s}' % ("9" * 400), "lora_alpha: Input should be a valid number"),
        ('{"lora_alpha": %s}' % ("9" * 5000), "cannot be read: Exceeds the limit"),
        ('{"alpha_pattern": [1]}', "alpha_pattern: Input should be a valid dictionary"),
        ('{"alpha_pattern": {"a": "b"}}', "alpha_pattern.a: Input should be a valid number"),
        ('{"alpha_pattern": {"(a+)+$": 1}}', "is no name of layers"),
        ('{"use_dora": true}', "adapters with use_dora are not read"),
        ('{"fan_in_fan_out": true}', "adapters with fan_in_fan_out are not read"),
        ("[1]", "holds no options"),
        ("{", "cannot be read"),
    ],
)
def test_wrong_options_are_refused(folder: Path, options: str, says: str) -> None:
    (folder / ADAPTER_CONFIG).write_text(options)
    with pytest.raises(ValueError, match=f"{ADAPTER_CONFIG}.*{says}"):
        read_adapter(folder / ADAPTER_FILE)


GRAPH = """graph: 1
inputs:
  file: {type: Lora, default: lora}
  base: {type: UNet, default: base}
nodes:
  styled: {type: lora, model: $base, file: $file}
  text: {type: text_encoder, model: $TEXT, text: a red circle}
  made: {type: unet_denoiser, model: $styled, conditions: $text}
  steps: {type: noise_scheduler, model: $styled, steps: 1}
  drawn: {type: ddim_sampler, denoiser: $made, schedule: $steps}
outputs: {picture: $drawn, adapters: $styled}
"""


def test_pictures_record_their_adapters(base: UNet, folder: Path) -> None:
    session = Session()
    source = SourceText("g.yaml", GRAPH.replace("TEXT", "styled"), folder.parent)
    prepared = session.prepare(session.open(source), Job())
    assert prepared.keyed.models["lora"] == named(folder).digest
    told = json.loads(prepared.keyed.provenance()["nodegraph"])["models"]
    assert told == prepared.keyed.models
    assert told.keys() == {"base", "lora"}
    recorded = replace(session.open(source), models=told)
    assert [w.code for w in session.prepare(recorded, Job()).warnings] == []
    tell(folder, lora_alpha=16.0)
    assert [w.code for w in Session().prepare(recorded, Job()).warnings] == ["W404"]


def test_a_text_of_the_base_is_told_from_one_of_the_adapted(base: UNet, folder: Path) -> None:
    source = SourceText("g.yaml", GRAPH.replace("TEXT", "base"), folder.parent)
    session = Session()
    found = session.check(session.open(source), Job()).diagnostics
    assert any("by another network than 'base' with adapters" in d.message for d in found)
