"""Networks that start from others, and what conditions them while they train: labels, masks, data sets of one's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from finishing import finished
from PIL import Image

from nodegraph.base.diagnostics import Mismatch
from nodes.checkpoints.weights import write_model
from nodes.diffusion.schedule import schedule
from nodes.library.evaluation.accuracy import classifier_accuracy, clip_accuracy
from nodes.library.training.datasets import class_dataset, table_dataset
from nodes.library.training.folders import folder_dataset
from nodes.library.training.networks import network, network_variant
from nodes.library.training.recognition import classifier_network, clip_network, reader_network
from nodes.models.unet import UNet
from nodes.networks.config import LowResolution, TextConfig, TokenizerConfig, TrainedFor, UNetConfig
from nodes.networks.unet.network import UNet as UNetModule
from nodes.shapes.vocabulary import CLASSES
from nodes.target import Target
from nodes.training.draws import draw_for
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.objectives.masks import random_masks
from nodes.training.objectives.recognition import ClassifierObjective, NoisyContrastiveObjective
from nodes.wires.tables import Table

BASE = UNetConfig(
    image_size=32,
    model_channels=32,
    multipliers=(1, 1),
    blocks=1,
    attention=(2,),
    head_channels=32,
    fold=4,
    text=TextConfig(8, 24, 32, 1, 2, tokenizer=TokenizerConfig("words", ("a", "red", "circle"))),
    trained=TrainedFor("v", False, "fixed_small", "cosine"),
)


def saved(folder: Path, config: UNetConfig = BASE) -> UNet:
    """A model whose weights are nowhere zero."""
    torch.manual_seed(1)
    module = UNetModule(config)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    write_model(folder, module, config, {})
    return UNet(folder.name, config, folder.name, (folder / "model.safetensors",))


def outputs(module: UNetModule, **conditions: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(2)
    with torch.no_grad():
        return module.eval()(torch.randn(2, 3, 32, 32), torch.tensor([3, 700]), **conditions)


def test_known_pixels_change_nothing_at_first(tmp_path: Path) -> None:
    """Also where a low-resolution picture moves to other channels to make room for them."""
    for name, config in {"plain": BASE, "large": replace(BASE, low_resolution=True)}.items():
        like = saved(tmp_path / name, config)
        made = network(like, like, known_pixels=True)
        small = torch.randn(2, 3, 32, 32) if config.low_resolution else torch.empty(2, 0, 32, 32)
        expected = outputs(like.module(), pixels=small)
        given = torch.cat([torch.randn(2, 4, 32, 32), small], 1)
        torch.testing.assert_close(outputs(made.build(), pixels=given), expected)
        assert made.origin() == f"started from '{name}'; changed: inputs.*.weight"


def test_labels_and_variance_change_nothing_at_first(tmp_path: Path) -> None:
    like = saved(tmp_path / "base")
    made = network(like, like, text=False, classes=65, learned_variance=True)
    module = made.build()
    given = outputs(module, embedding=module.label_embedding(torch.tensor([5, 64])))
    torch.testing.assert_close(given[:, :3], outputs(like.module()))
    assert (given[:, 3:] == 0).all()
    assert made.origin() == (
        "started from 'base'; changed: out_conv.bias, out_conv.weight; new: label_embedding.weight; "
        "left behind: inputs.*.context_kv.bias, inputs.*.context_kv.weight, middle.*.context_kv.bias, "
        "middle.*.context_kv.weight, outputs.*.context_kv.bias, outputs.*.context_kv.weight, text.*"
    )


def test_a_residual_upsampler_starts_as_the_enlarged_picture(tmp_path: Path) -> None:
    plain = replace(BASE, low_resolution=True, trained=TrainedFor("x0", False))
    residual = replace(plain, low_resolution_as=LowResolution(residual=True))
    like, start = saved(tmp_path / "residual", residual), saved(tmp_path / "plain", plain)
    small = torch.randn(2, 3, 32, 32)
    made = network(like, start)
    assert torch.equal(outputs(made.build(), pixels=small), small)
    assert made.origin() == "started from 'plain'; changed: out_conv.bias, out_conv.weight"
    goes_on = outputs(network(like, like).build(), pixels=small)
    # Equal weights, whose filters lie in memory as is fastest: sums are taken in another order.
    assert torch.allclose(goes_on, outputs(like.module(), pixels=small), atol=1e-5)
    assert not torch.equal(goes_on, small)


def test_a_residual_upsampler_predicts_x0() -> None:
    with pytest.raises(ValueError, match="a residual upsampler predicts x0, without a variance"):
        replace(BASE, low_resolution=True, low_resolution_as=LowResolution(residual=True))


def test_another_network_is_no_start(tmp_path: Path) -> None:
    like, wide = (
        saved(tmp_path / "base"),
        saved(tmp_path / "wide", replace(BASE, model_channels=64)),
    )
    with pytest.raises(Mismatch, match="the weights are another network's"):
        network(like, wide)


def test_dropped_labels_are_the_last(tmp_path: Path) -> None:
    like = saved(tmp_path / "base")
    module = network(like, like, text=False, classes=65, learned_variance=True).build()
    objective = DiffusionObjective(schedule("cosine"), Target("v", True), 5.0, 0.5)
    draw = draw_for(0, 0, 32)
    batch = class_dataset(32).batch(draw.choice, 32)
    labels = objective.labels(module, batch, draw)
    assert 4 < (labels == 64).sum() < 28
    assert torch.equal(labels[labels < 64], batch.labels[labels < 64])
    assert (objective.dropping(1.0).labels(module, batch, draw) == 64).all()
    loss = objective.loss(module, batch, draw)
    loss.mean().backward()
    assert loss.shape == (32,)
    assert module.out_conv.weight.grad[-1].abs().sum() > 0
    assert objective.sample(module, class_dataset(32)).shape == (4, 3, 32, 32)


def test_classes_are_those_of_the_pictures() -> None:
    batch = class_dataset(32).batch(np.random.default_rng(0), 64)
    assert all(
        CLASSES[label] in caption
        for label, caption in zip(batch.labels, batch.captions, strict=True)
    )
    assert len(set(batch.labels.tolist())) > 30


def test_masks_are_of_every_kind() -> None:
    masks = random_masks(np.random.default_rng(0), 400, 32)
    assert masks.shape == (400, 1, 32, 32)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    known = masks.mean((1, 2, 3))
    assert 0.05 < (known == 0).float().mean() < 0.2
    assert known.max() > 0.8
    assert 0.3 < known.mean() < 0.7


def test_known_pixels_are_told_and_sampled(tmp_path: Path) -> None:
    like = saved(tmp_path / "base", replace(BASE, text=None))
    module = network(like, like, known_pixels=True).build()
    draw = draw_for(0, 0, 8)
    batch = class_dataset(32).batch(draw.choice, 8)
    pixels = DiffusionObjective(schedule("cosine"), Target("v")).conditions(module, batch, draw)[
        "pixels"
    ]
    known, mask = pixels.split((3, 1), 1)
    assert torch.equal(known, batch.signal * mask)


@pytest.mark.parametrize("kind", ["classifier", "clip"])
def test_recognisers_learn_and_are_measured(tmp_path: Path, kind: str) -> None:
    like = saved(tmp_path / "base")
    draw = draw_for(0, 0, 8)
    batch = class_dataset(32).batch(draw.choice, 8)
    if kind == "classifier":
        made, objective = classifier_network(like), ClassifierObjective(schedule("cosine"))
    else:
        made = clip_network(like, image_layers=1, text_layers=1)
        objective = NoisyContrastiveObjective(schedule("cosine"))
    module = made.build()
    loss = objective.loss(module, batch, draw)
    loss.mean().backward()
    assert loss.shape == (8,)
    model = made.hand_over(module, tmp_path / kind, {})
    measure = classifier_accuracy if kind == "classifier" else clip_accuracy
    rows = [finished(measure(model, count=6, chunk=chunk)).rows for chunk in (4, 6)]
    assert rows[0] == rows[1]
    assert [row[0] for row in rows[0]] == [0, 99, 199, 299, 399, 499, 599, 699, 799, 899, 999]


def test_a_folder_of_pictures_is_a_data_set(tmp_path: Path) -> None:
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "a.png")
    Image.new("RGBA", (20, 20), (0, 0, 255, 255)).save(tmp_path / "b.png")
    (tmp_path / "a.txt").write_text("red\n", encoding="utf-8")
    pictures = finished(folder_dataset(tmp_path, 16))
    batch = pictures.batch(np.random.default_rng(0), 16)
    assert set(batch.captions) == {"red", ""}
    for picture, caption in zip(batch.signal, batch.captions, strict=True):
        colour = [1.0, -1.0, -1.0] if caption else [-1.0, -1.0, 1.0]
        assert torch.equal(picture, torch.tensor(colour)[:, None, None].expand(3, 16, 16))
    (tmp_path / "c").mkdir()
    with pytest.raises(ValueError, match="there is no picture"):
        finished(folder_dataset(tmp_path / "c"))


def test_words_that_both_know_are_taken(tmp_path: Path) -> None:
    """Rows of the vocabulary: padding, unknown, then the words; new ones are the network's own."""
    like = saved(tmp_path / "like")
    kept = "text.token_embedding.weight"
    given = like.weights()[kept]  # padding, unknown, a, red, circle
    wanted = network(like, words=["blue", "circle", "a"])
    fresh = wanted.build().state_dict()[kept]
    rows = network(like, start=like, words=["blue", "circle", "a"]).build().state_dict()[kept]
    assert rows.shape == (6, 32)
    assert torch.equal(rows[[0, 1, 3, 4]], given[[0, 1, 4, 2]])
    assert torch.equal(rows[[2, 5]], fresh[[2, 5]])
    same = network(like, start=like, words=["circle", "red", "a"]).build().state_dict()[kept]
    assert torch.equal(same[[2, 3, 4]], given[[4, 3, 2]])


def test_a_reader_of_other_words_goes_before_the_text_of_the_start(tmp_path: Path) -> None:
    like, words = saved(tmp_path / "like"), ["blue", "circle"]
    made = reader_network(like, words)
    reader = made.hand_over(made.build(), tmp_path / "reader", {})
    kept = "text.positional_embedding"
    text = made.build().state_dict()[kept]
    built = network(like, like, reader, words=words).build().state_dict()
    assert torch.equal(built[kept], text)
    assert torch.equal(built["out_conv.weight"], like.weights()["out_conv.weight"])
    own = network(like, like, reader).build().state_dict()
    assert torch.equal(own[kept], like.weights()[kept])


def test_rows_of_a_table_are_a_data_set() -> None:
    table = Table(("x", "name", "y"), ((1.0, "a", 5.0), (3.0, "b", 5.0)))
    rows = table_dataset(table, ["x", "y"]).batch(np.random.default_rng(0), 32).signal
    assert set(map(tuple, rows.tolist())) == {(-1.0, 0.0), (1.0, 0.0)}
    with pytest.raises(Mismatch, match="not all of x, name are numbers"):
        table_dataset(table, ["x", "name"])


def test_a_variant_is_another_network_from_scratch(tmp_path: Path) -> None:
    like = saved(tmp_path)
    plain = network(like, text=False, learned_variance=True)
    made = network_variant(plain, image_size=16, width=64, predict="eps", kind="linear")
    config = made.config
    assert (config.image_size, config.model_channels) == (16, 64)
    assert str(config.trained) == str(Target("eps", True)) and config.trained.schedule == "linear"
    assert made.build()(torch.randn(1, 3, 16, 16), torch.tensor([5])).shape == (1, 6, 16, 16)
    assert network_variant(plain).config == plain.config
    with pytest.raises(Mismatch, match="this network starts from weights"):
        network_variant(network(like, like), width=64)
