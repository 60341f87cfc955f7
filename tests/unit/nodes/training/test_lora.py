"""Low-rank adapters: what they add is what was decomposed, merged is wrapped, nothing of them is the base itself."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import READING, built, context
from torch import Tensor, nn

from nodegraph import Mismatch, load
from nodes.checkpoints.adapters import read_adapter, write_adapter
from nodes.checkpoints.files import ADAPTER_CONFIG, ADAPTER_FILE, UnreadableFile
from nodes.checkpoints.weights import write_model
from nodes.diffusion.schedule import schedule
from nodes.library.lora import lora
from nodes.library.training.networks import lora_network
from nodes.models.handle import from_folder
from nodes.models.lora import Lora, parse_lora
from nodes.models.unet import UNet
from nodes.networks.config import TrainedFor
from nodes.networks.lora import Factors, factors_of
from nodes.target import Target
from nodes.training.dataset import ShapesPictures
from nodes.training.draws import draw_for
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.recipe import Recipe
from nodes.training.step import Means, Training
from nodes.training.trainer import averaged, train

KARLO = Path(__file__).parents[3] / "golden/data/unclip_tiny_karlo"
CONFIG = replace(
    READING, image_size=32, fold=2, trained=TrainedFor("v", False, "fixed_small", "cosine")
)
OBJECTIVE = DiffusionObjective(schedule("cosine"), Target("v"))


def tiny(folder: Path) -> UNet:
    write_model(folder, built(CONFIG), CONFIG, {})
    return from_folder(UNet, folder, context(folder))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> UNet:
    return tiny(tmp_path_factory.mktemp("base"))


def decomposed(difference: Tensor) -> Factors:
    """All of a difference of weights as factors, by its singular values."""
    u, s, v = torch.linalg.svd(difference.flatten(1).double(), full_matrices=False)
    ones = (1,) * (difference.dim() - 2)
    down = (s[:, None] * v).view(-1, *difference.shape[1:]).float()
    return Factors(down, u.float().view(len(u), -1, *ones), float(len(s)))


def in_file(factors: dict[str, Factors], folder: Path) -> Lora:
    write_adapter(folder, factors, "base")
    return parse_lora(str(folder), context(folder))


def said(model: UNet, module: nn.Module | None = None) -> Tensor:
    with torch.no_grad():
        module = module or model.module()
        x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
        batch = ShapesPictures(32).batch(draw_for(0, 0, 2).choice, 2)
        told = OBJECTIVE.dropping(0.0).conditions(module, batch, draw_for(0, 0, 2))
        return module(x, torch.tensor([3, 700]), **told)


def other_weights(model: UNet) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(7)
    held = model.weights(torch.float32)
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d)
    layers = [n for n, m in model.build().named_modules() if isinstance(m, kinds)]
    moved = {f"{n}.weight": held[f"{n}.weight"] for n in layers}
    return held | {n: v + 0.05 * torch.randn(v.shape, generator=draw) for n, v in moved.items()}


def test_factors_of_full_rank_give_the_outputs_of_other_weights(base: UNet, tmp_path: Path) -> None:
    other, held = other_weights(base), base.weights(torch.float32)
    changed = {
        n.removesuffix(".weight"): decomposed(v - held[n])
        for n, v in other.items()
        if not torch.equal(v, held[n])
    }
    assert len(changed) > 20
    module = base.place.put(base.build())
    module.load_state_dict(other)
    expected, before = said(base, module), said(base)
    made = said(lora(base, in_file(changed, tmp_path)))
    assert (expected - before).abs().max() > 0.01
    torch.testing.assert_close(made, expected, rtol=0, atol=2e-5)


def trained(base: UNet, folder: Path, steps: int = 3, processes: int = 1, **options):
    made = lora_network(base, rank=2, alpha=4.0, **options)
    recipe = Recipe(steps, 4, learning_rate=1e-2, warmup=1, cooldown=0, precision="float32")
    means = Means(processes)
    training = Training(
        made.build(), OBJECTIVE, ShapesPictures(32), recipe, folder, made.describe(), means
    )
    running = train(training)
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return made, stop.value


def test_what_is_merged_is_what_was_trained(base: UNet, tmp_path: Path) -> None:
    made, state = trained(base, tmp_path / "run")
    wrapped = averaged(state, made.build)
    file = made.hand_over(wrapped, tmp_path / "model", {"steps": 3})
    merged = lora(base, file)
    assert torch.equal(said(merged), said(base, wrapped))
    assert not torch.equal(said(merged), said(base))
    assert merged.identity != base.identity


def test_adapters_of_an_adapted_model_say_so(base: UNet, tmp_path: Path) -> None:
    held = base.weights()
    factors = {"middle.0.conv_out": decomposed(held["middle.0.conv_out.weight"].float() + 1)}
    styled = lora(base, in_file(factors, tmp_path / "first"), 0.5)
    made, state = trained(styled, tmp_path / "run")
    assert made.origin() == f"adapters of '{base.name}' with adapters"
    wrapped = averaged(state, made.build)
    file = made.hand_over(wrapped, tmp_path / "second", {})
    assert "with adapters" in (tmp_path / "second/README.md").read_text()
    torch.testing.assert_close(said(lora(styled, file)), said(base, wrapped), rtol=0, atol=1e-6)


def test_nothing_of_an_adapter_is_the_base_itself(base: UNet, tmp_path: Path) -> None:
    held = base.weights()
    factors = {"middle.0.conv_out": decomposed(held["middle.0.conv_out.weight"].float() + 1)}
    file = in_file(factors, tmp_path)
    assert lora(base, file, 0.0) is base
    there_and_back = lora(lora(base, file, 0.5), file, -0.5)
    torch.testing.assert_close(said(there_and_back), said(base), rtol=0, atol=1e-5)
    identities = {lora(base, file, weight).identity for weight in (0.0, 0.5, 1.0)}
    assert len(identities) == 3


def test_the_base_stays_and_a_state_holds_factors_alone(base: UNet, tmp_path: Path) -> None:
    _, state = trained(base, tmp_path, layers=["qkv"])
    held = base.weights(torch.float32)
    for name, value in state.network.state_dict().items():
        if name.endswith(".base"):
            assert torch.equal(value, held[f"{name.removesuffix('.base')}.weight"])
    factors = factors_of(state.network)
    assert factors and all("qkv" in name for name in factors)
    assert all(each.up.any() for each in factors.values())
    kept = {n for n in load_file(tmp_path / "state.safetensors") if n.startswith("network.")}
    assert kept == {f"network.{name}.{part}" for name in factors for part in ("down", "up")}


def test_processes_train_the_same_adapters(base: UNet, tmp_path: Path) -> None:
    _, alone = trained(base, tmp_path / "alone")
    _, shared = trained(base, tmp_path / "shared", processes=2)
    for name, value in alone.average.items():
        torch.testing.assert_close(shared.average[name], value, atol=1e-3, rtol=1e-2)


def test_first_the_base_is_drawn(base: UNet) -> None:
    module = base.place.put(lora_network(base).build())
    assert torch.equal(said(base, module), said(base))


def renamed(folder: Path, pattern: str) -> None:
    """Name the matrices of a file as other trainers do."""
    tensors = load_file(folder / ADAPTER_FILE)
    words = {"lora_A": "lora_down", "lora_B": "lora_up"}
    found = {}
    for key, value in tensors.items():
        layer, kind, _ = key.removeprefix("base_model.model.").rsplit(".", 2)
        name = layer.replace(".", "_") if pattern == "kohya" else layer
        found[
            f"lora_unet_{name}.{words[kind]}.weight"
            if pattern == "kohya"
            else f"unet.{name}.{kind}.weight"
        ] = value
        if pattern == "kohya":
            found[f"lora_unet_{name}.alpha"] = torch.tensor(4.0)
    save_file(found, folder / ADAPTER_FILE)
    if pattern == "kohya":
        (folder / ADAPTER_CONFIG).unlink()


@pytest.mark.parametrize("pattern", ["kohya", "diffusers"])
def test_files_of_other_trainers_are_read(base: UNet, tmp_path: Path, pattern: str) -> None:
    made, state = trained(base, tmp_path / "run")
    own = made.hand_over(averaged(state, made.build), tmp_path / "model", {})
    expected = said(lora(base, own))
    renamed(tmp_path / "model", pattern)
    again = parse_lora(str(tmp_path / "model"), context(tmp_path))
    assert torch.equal(said(lora(base, again)), expected)


def test_a_file_is_as_peft_writes_it(base: UNet, tmp_path: Path) -> None:
    made, state = trained(base, tmp_path / "run")
    made.hand_over(averaged(state, made.build), tmp_path / "model", {})
    told = json.loads((tmp_path / "model" / ADAPTER_CONFIG).read_text())
    assert (told["peft_type"], told["r"], told["lora_alpha"]) == ("LORA", 2, 4.0)
    tensors = load_file(tmp_path / "model" / ADAPTER_FILE)
    down = tensors["base_model.model.middle.0.conv_out.lora_A.weight"]
    up = tensors["base_model.model.middle.0.conv_out.lora_B.weight"]
    assert down.shape[0] == up.shape[1] == 2 and up.shape[2:] == (1, 1)
    assert len(tensors) == 2 * len(told["target_modules"])


def test_layers_are_named_as_in_the_files_of_another_layout(tmp_path: Path) -> None:
    """An adapter for diffusers' names of Karlo's decoder, whose attentions have their parts in matrices of their own."""
    from nodes.models.unet import parse_unet

    model = parse_unet(str(KARLO / "decoder"), context(KARLO))
    names = ("mid_block.attentions.0.to_q", "down_blocks.1.resnets.0.conv1")
    files = [dict(load_file(file)) for file in model.files]
    held = next(file for file in files if f"{names[0]}.weight" in file)
    draw = torch.Generator().manual_seed(3)
    differences = {n: 0.1 * torch.randn(held[f"{n}.weight"].shape, generator=draw) for n in names}
    file = in_file({n: decomposed(d) for n, d in differences.items()}, tmp_path / "lora")
    found, before = lora(model, file).weights(torch.float32), model.weights(torch.float32)
    for name, difference in differences.items():
        held[f"{name}.weight"] = held[f"{name}.weight"] + difference
    from nodes.checkpoints.layouts import ours

    expected = ours(model.layout, files, model.config)
    changed = [name for name, value in expected.items() if not torch.equal(value, before[name])]
    assert len(changed) == 2
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=1e-5)


def test_adapters_of_another_network_are_refused(base: UNet, tmp_path: Path) -> None:
    there = base.weights()["middle.0.conv_out.weight"].float()
    other = in_file({"down.7.conv": decomposed(there)}, tmp_path / "other")
    with pytest.raises(
        Mismatch,
        match=r"1 of the 1 layers that adapter_model.safetensors adapts are not in .*: 'down.7.conv'",
    ):
        lora(base, other)
    large = in_file(
        {"middle.0.conv_out": decomposed(torch.cat([there, there]))}, tmp_path / "large"
    )
    with pytest.raises(
        Mismatch,
        match=r"adapts 'middle.0.conv_out.weight' as \[64, 32, 3, 3\]; in 'base\d*' it is \[32",
    ):
        lora(base, large)
    (tmp_path / "none").mkdir()
    with pytest.raises(FileNotFoundError, match="holds 0 adapters"):
        parse_lora(str(tmp_path / "none"), context(tmp_path))
    with pytest.raises(UnreadableFile, match="holds no low-rank adapter"):
        read_adapter(base.files[0])
    with pytest.raises(Mismatch, match="no layer of 'base"):
        lora_network(base, layers=["nowhere"])


def test_the_shipped_graph_trains_and_draws(tmp_path: Path) -> None:
    from PIL import Image

    from nodes.library.pictures import shapes_scene
    from nodes.wires.arrays import to_bytes

    (tmp_path / "pictures").mkdir()
    for number, caption in enumerate(["a red circle", "a blue star", "a green ring"]):
        Image.fromarray(to_bytes(shapes_scene(caption, 32))[0]).save(
            tmp_path / f"pictures/{number}.png"
        )
        (tmp_path / f"pictures/{number}.txt").write_text(caption)
    graph = load("train/lora", out=tmp_path / "out", readable=[tmp_path])
    found = graph(folder=str(tmp_path / "pictures"), steps=2, batch=2, interval=1)
    assert found.picture.shape == (1, 3, 66, 66)
    assert (tmp_path / "out/lora/model" / ADAPTER_FILE).stat().st_size < 2 * 2**20
    rows = [
        json.loads(line) for line in (tmp_path / "out/lora/metrics.jsonl").read_text().splitlines()
    ]
    assert [row["step"] for row in rows] == [1, 2]
