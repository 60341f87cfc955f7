"""Training: the loss falls, a killed training goes on as if nothing had happened, another training is not overwritten."""

import dataclasses
import multiprocessing
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

from nodegraph import Mismatch
from nodes.checkpoints.catalogue import WEIGHTS_FILE
from nodes.checkpoints.weights import BadConfig, config_from, read_config, write_model
from nodes.diffusion.schedule import schedule
from nodes.library.training.datasets import points_dataset
from nodes.library.training.networks import named_labels, network
from nodes.models.unet import UNet as Handle
from nodes.networks.config import TextConfig, TokenizerConfig, TrainedFor, UNetConfig
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet.network import UNet
from nodes.target import Target
from nodes.training.dataset import ShapesPictures
from nodes.training.networks import PointsNetwork
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.objectives.recognition import ContrastiveObjective
from nodes.training.optimiser import optimiser
from nodes.training.recipe import Recipe
from nodes.training.step import Training, draw_for, shares
from nodes.training.trainer import train
from nodes.training.workers import _packed

TINY = UNetConfig(
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


def points(folder: Path, steps: int, **changes: object) -> Training:
    network = PointsNetwork(2, 32, 2, schedule("cosine", 100))
    objective = DiffusionObjective(network.schedule, Target("eps"))
    recipe = Recipe(
        steps=steps,
        batch_size=128,
        learning_rate=2e-3,
        warmup=10,
        cooldown=0,
        precision="float32",
        save_every=20,
        sample_every=20,
    )
    recipe = dataclasses.replace(recipe, **changes)
    return Training(
        network.build(), objective, points_dataset(), recipe, folder, network.describe()
    )


def finish(training: Training, processes: int = 1):
    running = train(training, processes=processes)
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value


def test_the_loss_falls(tmp_path: Path) -> None:
    state = finish(points(tmp_path, 200))
    assert state.history[-1].loss < 0.75 * state.history[0].loss
    assert [r.step for r in state.history] == list(range(20, 201, 20))


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, optimiser: str) -> None:
    whole = finish(points(tmp_path / "whole", 60, optimiser=optimiser))
    broken = train(points(tmp_path / "broken", 60, optimiser=optimiser))
    next(broken)
    next(broken)
    broken.close()
    resumed = finish(points(tmp_path / "broken", 60, optimiser=optimiser))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name])
    assert all(torch.equal(value, resumed.average[name]) for name, value in whole.average.items())
    longer = finish(points(tmp_path / "broken", 80, optimiser=optimiser))
    assert longer.step == 80


def test_muon_takes_matrices_between_the_ends() -> None:
    network = UNet(TINY)
    shared = optimiser(network, Recipe(optimiser="muon"))
    assert (
        {"time.0.weight", "middle.0.conv_out.weight"} < set(shared.views) < set(shared.parameters)
    )
    assert not {"inputs.0.0.weight", "out_conv.weight", "text.token_embedding.weight"} & set(
        shared.views
    )
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    shared.step(1e-3)
    assert all(not torch.equal(p, before[name]) for name, p in network.named_parameters())


def test_another_training_is_not_overwritten(tmp_path: Path) -> None:
    finish(points(tmp_path, 20))
    with pytest.raises(ValueError, match="holds another training"):
        finish(points(tmp_path, 20, learning_rate=1e-4))


def test_a_step_draws_the_same_whenever_it_is_made() -> None:
    first, again, other = draw_for(3, 7, 4), draw_for(3, 7, 4), draw_for(3, 8, 4)
    like = torch.zeros(4)
    assert torch.equal(first.normal(like), again.normal(like))
    assert first.choice.random() == again.choice.random()
    assert first.choice.random() != other.choice.random()


def test_rows_get_the_same_draw_in_every_share() -> None:
    like = torch.zeros(5, 2)
    whole = draw_for(3, 7, 5)
    expected = whole.timesteps(1000), whole.normal(like), whole.uniform()
    parts = [draw_for(3, 7, 5, rows) for rows in shares(5, 2)]
    assert torch.equal(torch.cat([part.timesteps(1000) for part in parts]), expected[0])
    assert torch.equal(torch.cat([part.normal(like) for part in parts]), expected[1])
    assert np.array_equal(np.concatenate([part.uniform() for part in parts]), expected[2])


def test_processes_share_a_training(tmp_path: Path) -> None:
    """Two processes give the network of one, up to rounding; a worker's death ends the training, which can be resumed."""
    alone = finish(points(tmp_path / "alone", 40))
    broken = train(points(tmp_path / "shared", 40), processes=2)
    next(broken)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(RuntimeError, match="a training process ended with code -9"):
        next(broken)
    assert not multiprocessing.active_children()
    shared = finish(points(tmp_path / "shared", 40), processes=2)
    for name, value in alone.network.state_dict().items():
        torch.testing.assert_close(value, shared.network.state_dict()[name], atol=1e-4, rtol=1e-3)
    assert alone.history[-1].loss == pytest.approx(shared.history[-1].loss, rel=1e-4)


def test_a_worker_gets_the_weights_once(tmp_path: Path) -> None:
    """Not all of them for each parameter: GLIDE's base took 7 GB and minutes to begin in two processes."""
    layers = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in range(12)))
    training = dataclasses.replace(points(tmp_path, 1), network=layers)
    before = [p.clone() for p in layers.parameters()]
    packed, weights = _packed(training)
    assert len(packed) < 2 * weights.nbytes
    for parameter, value in zip(layers.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert parameter.untyped_storage().data_ptr() == weights.untyped_storage().data_ptr()


def test_a_text_network_learns_from_captions() -> None:
    torch.manual_seed(0)
    network = UNet(TINY)
    draw = draw_for(0, 0, 4)
    batch = ShapesPictures(32).batch(draw.choice, 4)
    for objective in (
        DiffusionObjective(schedule("cosine"), Target("v"), 5.0),
        DiffusionObjective(schedule("linear"), Target("eps")),
    ):
        loss = objective.loss(network, batch, draw)
        assert loss.shape == (4,)
        loss.mean().backward()
    assert network.out_conv.weight.grad is not None


def test_a_contrastive_loss_of_a_new_reader_is_chance() -> None:
    from nodes.networks.reader import Reader

    torch.manual_seed(0)
    reader = Reader(TINY.text, 64)
    draw = draw_for(0, 1, 16)
    loss = ContrastiveObjective().loss(reader, ShapesPictures(32).batch(draw.choice, 16), draw)
    assert loss.shape == (16,)
    assert 1.5 < loss.mean().item() < 8


def test_models_survive_their_folder(tmp_path: Path) -> None:
    network = UNet(TINY)
    write_model(tmp_path, network, TINY, {"steps": 1})
    assert read_config(tmp_path, UNetConfig) == TINY
    assert (tmp_path / WEIGHTS_FILE).stat().st_mode == (tmp_path / "config.json").stat().st_mode
    with pytest.raises(BadConfig, match="unknown key 'foldd'"):
        config_from({"foldd": 2}, UNetConfig, "config.json")
    with pytest.raises(BadConfig, match="image_size"):
        config_from({"image_size": "large"}, UNetConfig, "config.json")
    for key, value in (("parametrisation", "x_prev"), ("learned_variance", "log")):
        with pytest.raises(BadConfig, match=f"trained.{key}"):
            config_from({"trained": {key: value}}, UNetConfig, "config.json")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadConfig, match="format None"):
        read_config(tmp_path, UNetConfig)


def test_words_are_tokens_whatever_their_case() -> None:
    tokens = tokenize(TINY.text, ["A red  CIRCLE.", "a blue circle", ""])
    assert tokens.ids[0, :4].tolist() == [2, 3, 4, 0]
    assert tokens.ids[1, :3].tolist() == [2, 1, 4]
    assert tokens.mask.sum(1).tolist() == [3, 3, 0]


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (DiffusionObjective(schedule("cosine"), Target("v")), None),
        (DiffusionObjective(schedule("cosine"), Target("x0")), "x0, the network is one for v"),
        (DiffusionObjective(schedule("cosine"), Target("v", True)), "v and the variance"),
        (DiffusionObjective(schedule("linear"), Target("v")), "chain linear-1000"),
        (DiffusionObjective(schedule("cosine", 500), Target("v")), "cosine-500"),
    ],
)
def test_an_objective_must_be_the_networks(
    objective: DiffusionObjective, message: str | None
) -> None:
    with nullcontext() if message is None else pytest.raises(Mismatch, match=message):
        objective.check(TINY)


def test_only_unets_draw_samples() -> None:
    objective, perceptron = points(Path(), 1).objective, points(Path(), 1).network
    assert objective.draws(TINY) and not objective.draws(PointsNetwork.config)
    assert objective.sample(perceptron, points_dataset()) is None
    contrastive = ContrastiveObjective()
    contrastive.check(TINY)
    assert not contrastive.draws(TINY)
    assert contrastive.sample(UNet(TINY), ShapesPictures(32)) is None


def test_labels_begin_as_what_their_names_say(tmp_path: Path) -> None:
    write_model(tmp_path, UNet(TINY), TINY, {})
    start = Handle("start", TINY, "start", (tmp_path / WEIGHTS_FILE,))
    plain = network(start, start, text=False, classes=2)
    named = named_labels(plain, ["a red circle", ""])
    labels = named.build().get_parameter("label_embedding.weight")
    pooled, _ = start.encode(["a red circle", ""])
    assert torch.equal(labels, pooled)
    assert not plain.build().get_parameter("label_embedding.weight").any()
    with pytest.raises(Mismatch, match="1 names for 2 classes"):
        named_labels(plain, ["a red circle"])


@pytest.mark.parametrize(("cooldown", "early"), [(10, 1.0), (90, 1.0), (1000, 0.9)])
def test_the_rate_rises_and_falls_also_in_a_short_training(cooldown: int, early: float) -> None:
    recipe = Recipe(steps=100, learning_rate=1.0, warmup=5, cooldown=cooldown)
    assert recipe.rate(0) == pytest.approx(0.2, rel=0.01)
    assert recipe.rate(10) == pytest.approx(early)
    assert recipe.rate(99) == pytest.approx(1 / min(cooldown, 100))
    assert recipe.rate(100) == 0


def test_a_folder_in_which_another_training_runs_is_left_alone(tmp_path: Path) -> None:
    running = train(points(tmp_path, 40))
    next(running)
    with pytest.raises(ValueError, match="another process is training"):
        finish(points(tmp_path, 40))
    running.close()
    assert finish(points(tmp_path, 40)).step == 40


def test_a_model_that_is_written_over_is_never_half_old_and_half_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(tmp_path, UNet(TINY), TINY, {})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nodes.checkpoints.weights.write_text", killed)
    with pytest.raises(KeyboardInterrupt):
        write_model(tmp_path, UNet(TINY), TINY, {})
    with pytest.raises(BadConfig, match="cannot be read"):
        read_config(tmp_path, UNetConfig)
