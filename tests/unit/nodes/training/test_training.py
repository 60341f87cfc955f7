"""Training: the loss falls, a killed training goes on as if nothing had happened, another training is not overwritten."""

import dataclasses
import json
import multiprocessing
import os
import pickle
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file
from torch.autograd.graph import saved_tensors_hooks

from nodegraph import GraphWarning, Mismatch, load
from nodegraph.base.diagnostics import Cancelled
from nodegraph.runtime.cancel import CancelToken, cancellable
from nodes.checkpoints.catalogue import WEIGHTS_FILE
from nodes.checkpoints.weights import BadConfig, config_from, read_config, write_model
from nodes.diffusion.schedule import schedule
from nodes.library.training.datasets import points_dataset
from nodes.library.training.networks import gradient_checkpointing, named_labels, network
from nodes.library.training.objectives import importance_objective
from nodes.models.unet import UNet as Handle
from nodes.networks.blocks import ResBlock
from nodes.networks.config import TextConfig, TokenizerConfig, TrainedFor, UNetConfig
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet.network import UNet
from nodes.target import Target
from nodes.training.dataset import Batch, ShapesPictures
from nodes.training.draws import Draw, chosen_visits, draw_for, shares
from nodes.training.journal import Journal, journal, pace
from nodes.training.networks import ModelNetwork, PointsNetwork
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.objectives.recognition import ContrastiveObjective
from nodes.training.optimiser import optimiser
from nodes.training.recipe import Recipe
from nodes.training.scaling import FIRST, PATIENCE
from nodes.training.state import Record
from nodes.training.step import Means, Training, captions_of
from nodes.training.stopping import stopping
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


ALONE = Means()


def points(folder: Path, steps: int, means: Means = ALONE, **changes: object) -> Training:
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
        network.build(), objective, points_dataset(), recipe, folder, network.describe(), means
    )


def finish(training: Training):
    running = train(training)
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
    two = Means(processes=2)
    broken = train(points(tmp_path / "shared", 40, two))
    next(broken)
    (worker,) = multiprocessing.active_children()
    worker.kill()
    with pytest.raises(RuntimeError, match="a training process ended with code -9"):
        next(broken)
    assert not multiprocessing.active_children()
    shared = finish(points(tmp_path / "shared", 40, two))
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


def state_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "state.safetensors")


@pytest.mark.parametrize("parts", [3, 128, 1000])
def test_gradients_of_parts_are_added_up(tmp_path: Path, parts: int) -> None:
    whole = finish(points(tmp_path / "whole", 10))
    cut = finish(points(tmp_path / "cut", 10, Means(accumulation=parts)))
    for name, value in whole.network.state_dict().items():
        torch.testing.assert_close(value, cut.network.state_dict()[name], atol=1e-5, rtol=1e-4)


class Spoiled(DiffusionObjective):
    """An objective whose losses of some rows are not numbers from a step on."""

    calls = 0

    def loss(self, network: torch.nn.Module, batch: Batch, draw: Draw) -> torch.Tensor:
        type(self).calls += 1
        losses = DiffusionObjective.loss(self, network, batch, draw)
        spoiled = torch.zeros_like(losses)
        spoiled[[3, 5]] = torch.nan if type(self).calls == 27 else 0.0
        return losses + spoiled


def test_a_loss_that_is_no_number_stops_before_anything_is_changed(tmp_path: Path) -> None:
    whole = finish(points(tmp_path / "whole", 40))
    training = points(tmp_path / "spoiled", 40)
    objective = training.objective
    assert isinstance(objective, DiffusionObjective)
    spoiled = Spoiled(objective.schedule, objective.target)
    message = r"step 27: the loss of 2 of 128 pictures is not finite: rows 3, 5; the state after step 20 is kept in .*spoiled"
    with pytest.raises(FloatingPointError, match=message):
        finish(dataclasses.replace(training, objective=spoiled))
    again = finish(points(tmp_path / "spoiled", 40))
    assert all(torch.equal(v, again.average[n]) for n, v in whole.average.items())


def test_captions_name_the_rows(tmp_path: Path) -> None:
    training = dataclasses.replace(points(tmp_path, 1, batch_size=4), dataset=ShapesPictures(32))
    batch = training.dataset.batch(draw_for(0, 5, 4).choice, 4)
    assert batch.captions is not None
    assert captions_of(training, 5, np.array([1, 3])) == [batch.captions[1], batch.captions[3]]


def importance(folder: Path, steps: int, means: Means = ALONE) -> Training:
    training = points(folder, steps, means)
    chosen = importance_objective(DiffusionObjective(schedule("cosine", 20), Target("eps")))
    return dataclasses.replace(training, objective=chosen)


def test_timesteps_are_visited_by_their_losses(tmp_path: Path) -> None:
    state = finish(importance(tmp_path, 60))
    assert state.visits is not None
    chance = state.visits.probabilities()
    losses = np.sqrt((state.visits.arrays()["losses"] ** 2).mean(1))
    assert chance.std() > 0
    assert np.argmax(chance) == np.argmax(losses)
    visits = chosen_visits(state.visits, points(tmp_path, 60).recipe, 7)
    assert visits is not None
    expected = 1 / (chance[visits.timesteps] * len(chance))
    assert np.allclose(visits.weights, expected)


def test_what_is_remembered_of_losses_goes_on_with_a_training(tmp_path: Path) -> None:
    finish(importance(tmp_path / "whole", 60))
    broken = train(importance(tmp_path / "broken", 60))
    next(broken)
    broken.close()
    finish(importance(tmp_path / "broken", 60))
    whole, resumed = state_of(tmp_path / "whole"), state_of(tmp_path / "broken")
    assert whole["visits.counts"].sum() == 60 * 128
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_processes_visit_the_same_timesteps(tmp_path: Path) -> None:
    alone = finish(importance(tmp_path / "alone", 40))
    shared = finish(importance(tmp_path / "shared", 40, Means(processes=2)))
    assert alone.visits is not None and shared.visits is not None
    ours, theirs = alone.visits.arrays(), shared.visits.arrays()
    assert np.array_equal(ours["counts"], theirs["counts"])
    assert np.allclose(ours["losses"], theirs["losses"], rtol=1e-3)


def test_blocks_that_forget_give_the_same_gradients() -> None:
    plain = ModelNetwork(Handle, TINY)
    forgetting = gradient_checkpointing(plain)
    (kept, grads), (less, same) = (kept_and_gradients(made.build()) for made in (plain, forgetting))
    assert less < 0.5 * kept
    assert grads.keys() == same.keys()
    for name, value in grads.items():
        torch.testing.assert_close(value, same[name], rtol=1e-5, atol=1e-6)
    assert forgetting.describe() == plain.describe()


def kept_and_gradients(module: torch.nn.Module) -> tuple[int, dict[str, torch.Tensor]]:
    """Bytes that are kept for the way back, and the gradients of a batch."""
    batch = ShapesPictures(32).batch(draw_for(0, 0, 4).choice, 4)
    objective, sizes = DiffusionObjective(schedule("cosine"), Target("v")), list[int]()

    def noted(value: torch.Tensor) -> torch.Tensor:
        sizes.append(value.nbytes)
        return value

    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        torch.nn.init.normal_(module.get_parameter("out_conv.weight"))
        with saved_tensors_hooks(noted, lambda value: value):
            loss = objective.loss(module.train(), batch, draw_for(0, 0, 4)).mean()
    loss.backward()
    found = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return sum(sizes), found


def test_a_forgetting_network_travels_to_processes(tmp_path: Path) -> None:
    module = gradient_checkpointing(ModelNetwork(Handle, TINY)).build()
    again = pickle.loads(pickle.dumps(module))
    block = next(m for m in again.modules() if isinstance(m, ResBlock))
    assert block.forward.args[0] is block  # type: ignore[attr-defined]


def test_a_loss_scale_halves_at_an_overflow_and_doubles_after_a_while() -> None:
    scale = FIRST
    assert scale.after(True).value == FIRST.value / 2
    for _ in range(PATIENCE):
        scale = scale.after(False)
    assert scale.value == 2 * FIRST.value
    assert scale.steps == 0


@pytest.fixture
def with_half(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in float16, whatever this processor computes in."""
    monkeypatch.setattr("nodes.training.step.computed_in", lambda *_: torch.float16)
    monkeypatch.setattr("nodes.training.trainer.computed_in", lambda *_: torch.float16)


@pytest.mark.usefixtures("with_half")
def test_half_precision_learns_and_goes_on(tmp_path: Path) -> None:
    whole = finish(points(tmp_path / "whole", 60, precision="float16"))
    assert whole.history[-1].loss < 0.9 * whole.history[0].loss
    assert whole.scale is not None and 1 <= whole.scale.value <= FIRST.value
    broken = train(points(tmp_path / "broken", 60, precision="float16"))
    next(broken)
    broken.close()
    resumed = finish(points(tmp_path / "broken", 60, precision="float16"))
    assert resumed.scale == whole.scale
    assert all(torch.equal(v, resumed.average[n]) for n, v in whole.average.items())


class Steep(DiffusionObjective):
    """An objective whose gradient overflows in half precision unless the loss is scaled little."""

    def loss(self, network: torch.nn.Module, batch: Batch, draw: Draw) -> torch.Tensor:
        return 1e3 * DiffusionObjective.loss(self, network, batch, draw)


@pytest.mark.usefixtures("with_half")
def test_a_gradient_that_overflows_is_not_followed(tmp_path: Path) -> None:
    training = points(tmp_path, 12, precision="float16")
    objective = training.objective
    assert isinstance(objective, DiffusionObjective)
    steep = dataclasses.replace(training, objective=Steep(objective.schedule, objective.target))
    state = finish(steep)
    assert state.scale is not None and state.scale.value < FIRST.value
    assert all(p.isfinite().all() for p in state.network.parameters())
    assert state.step == 12


def test_a_gradient_that_is_not_finite_without_scaling_stops(tmp_path: Path) -> None:
    training = points(tmp_path, 12)
    objective = training.objective
    assert isinstance(objective, DiffusionObjective)
    root = RootOf(objective.schedule, objective.target)
    with pytest.raises(FloatingPointError, match="step 1: the gradient is not finite"):
        finish(dataclasses.replace(training, objective=root))


class RootOf(DiffusionObjective):
    """An objective with a slope that is infinite where it is."""

    def loss(self, network: torch.nn.Module, batch: Batch, draw: Draw) -> torch.Tensor:
        zero = sum(p.sum() for p in network.parameters()) * 0.0
        return torch.zeros(len(batch.signal)) + torch.sqrt(zero)


def test_a_cancelled_run_saves_first(tmp_path: Path) -> None:
    token = CancelToken()
    running = train(points(tmp_path, 400))
    with cancellable(token):
        next(running)
        token.cancel()
        with pytest.raises(Cancelled):
            next(running)
    again = train(points(tmp_path, 400))
    assert next(again).step == 40
    with safe_open(tmp_path / "state.safetensors", "pt") as file:
        assert json.loads(file.metadata()["state"])["step"] == 40


def test_a_signal_waits_for_the_end_of_a_step(tmp_path: Path) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    try:
        with stopping() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            assert stop.wanted() and not seen
            stop.point()
            assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def sent() -> Iterator[list[int]]:
    """The SIGTERMs that came through to what this process does at one."""
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
    yield seen
    signal.signal(signal.SIGTERM, before)


def test_a_signal_that_lets_a_process_go_on_lets_the_training(
    tmp_path: Path, sent: list[int]
) -> None:
    running = train(points(tmp_path, 60))
    assert next(running).step == 20
    os.kill(os.getpid(), signal.SIGTERM)
    assert [now.step for now in running] == [40, 60]
    assert sent == [signal.SIGTERM]


def test_a_signal_after_the_last_step_is_not_lost(sent: list[int]) -> None:
    with stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        assert not sent
    assert sent == [signal.SIGTERM]


def test_a_second_signal_does_not_wait(sent: list[int]) -> None:
    with stopping():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert sent == [signal.SIGTERM]
    assert sent == [signal.SIGTERM]


def test_what_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        running = train(points(tmp_path, 40))
        next(running)
        os.kill(os.getpid(), signal.SIGTERM)
        assert [now.step for now in running] == [40]
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


class Cancelling(DiffusionObjective):
    """An objective in whose step the run is cancelled."""

    def loss(self, network: torch.nn.Module, batch: Batch, draw: Draw) -> torch.Tensor:
        CANCELLED.cancel()
        return DiffusionObjective.loss(self, network, batch, draw)


CANCELLED = CancelToken()


def test_what_is_kept_is_told_after_a_stop_between_savings(tmp_path: Path) -> None:
    finish(points(tmp_path, 20))
    training = points(tmp_path, 60)
    objective = training.objective
    assert isinstance(objective, DiffusionObjective)
    parts = objective.schedule, objective.target
    with cancellable(CANCELLED), pytest.raises(Cancelled):
        finish(dataclasses.replace(training, objective=Cancelling(*parts)))
    with pytest.raises(FloatingPointError, match=r"step 22: .* the state after step 21 is kept"):
        finish(dataclasses.replace(points(tmp_path, 60), objective=RootOf(*parts)))


def test_a_full_disk_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = train(points(tmp_path, 60))
    next(broken)
    kept = (tmp_path / "state.safetensors").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nodes.training.state.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        next(broken)
    monkeypatch.undo()
    assert (tmp_path / "state.safetensors").read_bytes() == kept
    assert finish(points(tmp_path, 60)).step == 60


def test_a_journal_is_that_of_the_state(tmp_path: Path) -> None:
    rows = [Record(10, 0.5, 1e-3, 2.0), Record(20, 0.4, 1e-3, 3.0)]
    written = journal(tmp_path, 8, 0)
    written.begin([])
    for count in (1, 2):
        written.row(rows[:count])
    told = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["pictures_per_second"] for row in told] == [40, 80]
    written.begin(rows[:1])
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1
    assert str(pace(rows, 8, 1030)) == "80 pictures/s, 1 min 41 s left"
    for step in range(30):
        written.samples(step, np.full((4, 8, 8, 3), step, np.uint8))
    sheet = np.asarray(Image.open(tmp_path / "samples.png"))
    assert sheet.shape == (24 * 8, 4 * 8, 3)
    assert (sheet[0, 0, 0], sheet[-1, 0, 0]) == (0, 29)


def test_a_sheet_is_of_this_training_alone(tmp_path: Path) -> None:
    """Not of what else lies there, nor of a training that was there before and went further."""
    written = Journal(tmp_path, 8)
    for step, width in ((2, 8), (4, 6), (6, 6)):
        written.samples(step, np.full((4, 8, width, 3), step, np.uint8))
    folder = tmp_path / "samples"
    (folder / "000000003.png").write_bytes(b"none")
    Image.new("RGB", (24, 8)).save(folder / "best.png")
    written.samples(5, np.full((4, 8, 6, 3), 5, np.uint8))
    sheet = np.asarray(Image.open(tmp_path / "samples.png"))
    assert sheet.shape == (2 * 8, 4 * 6, 3)
    assert (sheet[0, 0, 0], sheet[-1, 0, 0]) == (4, 5)


def lines(folder: Path) -> list[int]:
    """The steps of the rows of a curve."""
    return [json.loads(row)["step"] for row in (folder / "metrics.jsonl").read_text().splitlines()]


def test_what_was_saved_and_not_written_down_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    graph = load("ddpm/points_2d", out=tmp_path, cached=False)
    graph(steps=2, count=1)
    monkeypatch.setattr(Journal, "row", killed)
    with pytest.raises(KeyboardInterrupt):
        graph(steps=4, count=1)
    monkeypatch.undo()
    assert lines(tmp_path / "points") == [2]
    graph(steps=4, count=1)
    assert lines(tmp_path / "points") == [2, 4]
    with pytest.warns(GraphWarning, match="holds a training of 4 steps, not 3"):
        graph(steps=3, count=1)


def test_a_journal_tells_tensorboard(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    written = journal(tmp_path, 8, 0)
    written.row([Record(10, 0.5, 1e-3, 2.0)])
    written.samples(10, np.zeros((2, 8, 8, 3), np.uint8))
    written.board.close()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(e.step, e.value) for e in found.Scalars("loss")] == [(10, 0.5)]
    assert found.Tags()["images"]
