"""The training loop: a generator that owns the weights while it trains and can be killed at any point."""

import contextlib
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from nodes.training.dataset import Batch, Dataset
from nodes.training.recipe import Recipe, fingerprint
from nodes.training.state import Record, State, fresh, restore, save


@dataclass(frozen=True, slots=True)
class Draw:
    """Randomness of one step: a numpy generator for choices, a torch generator (CPU) for noise."""

    choice: np.random.Generator
    noise: torch.Generator

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal noise of the shape and device of `like`, drawn on the CPU in float32."""
        return torch.randn(like.shape, generator=self.noise).to(like.device)


class Objective(Protocol):
    """What is minimised. `loss` returns one value per row [B]; `describe()` is its identity."""

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor: ...

    def describe(self) -> dict[str, str | int | float]: ...


@dataclass(frozen=True, slots=True)
class Training:
    """What to train on what: the parts that stay fixed over a run."""

    network: nn.Module
    objective: Objective
    dataset: Dataset
    recipe: Recipe
    run_dir: Path
    identity: object
    """Description of the network's configuration and first weights, part of the fingerprint."""

    def fingerprint(self) -> str:
        described = (self.objective.describe(), self.dataset.describe(), self.identity)
        return fingerprint(self.recipe, *described)


@dataclass(frozen=True, slots=True)
class Trained:
    """Yielded while training: the state, the row of the curve that was closed, and whether samples are due."""

    state: State
    record: Record
    sample: bool

    @property
    def step(self) -> int:
        return self.record.step


def draw_for(seed: int, step: int) -> Draw:
    """Randomness of a step, from its number alone: a resumed training draws what an unbroken one would."""
    root = np.random.SeedSequence([seed, step])
    choice, noise = root.spawn(2)
    generator = torch.Generator().manual_seed(int(noise.generate_state(1, np.uint64)[0] >> 1))
    return Draw(np.random.default_rng(choice), generator)


def train(training: Training, device: str = "cpu") -> Generator[Trained, None, State]:
    """Train to `recipe.steps`, resuming what `run_dir` holds; yields at every saving or sampling interval."""
    network = training.network.to(device).train()
    recipe = training.recipe
    optimiser = _optimiser(network, recipe)
    print_of = training.fingerprint()
    state = restore(fresh(network, optimiser), training.run_dir, print_of)
    losses: list[float] = []
    while state.step < recipe.steps:
        started = time.perf_counter()
        losses.append(_step(state, training, device))
        state.seconds += time.perf_counter() - started
        last = state.step == recipe.steps
        if last or state.step % recipe.save_every == 0 or state.step % recipe.sample_every == 0:
            record = Record(
                state.step, float(np.mean(losses)), recipe.rate(state.step - 1), state.seconds
            )
            state.history.append(record)
            losses.clear()
            save(state, training.run_dir, print_of)
            yield Trained(state, record, last or state.step % recipe.sample_every == 0)
    return state


def _step(state: State, training: Training, device: str) -> float:
    recipe = training.recipe
    draw = draw_for(recipe.seed, state.step)
    batch = training.dataset.batch(draw.choice, recipe.batch_size)
    for group in state.optimiser.param_groups:
        group["lr"] = recipe.rate(state.step)
    with torch.enable_grad():
        with _autocast(recipe, device):
            loss = training.objective.loss(state.network, _on(batch, device), draw).mean()
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip_norm)
    state.optimiser.step()
    state.follow(recipe.averaging(state.step))
    state.step += 1
    return _finite(loss, state.step)


def _finite(loss: Tensor, step: int) -> float:
    value = float(loss.detach())
    if not np.isfinite(value):
        raise FloatingPointError(
            f"the loss is {value} at step {step}; a lower learning_rate may help"
        )
    return value


def _optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW that decays matrices and kernels, not gains and biases."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)


def _autocast(recipe: Recipe, device: str) -> contextlib.AbstractContextManager[object]:
    if recipe.precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)


def _on(batch: Batch, device: str) -> Batch:
    labels = None if batch.labels is None else batch.labels.to(device)
    return Batch(batch.signal.to(device), batch.captions, labels)


def averaged(state: State, build: Callable[[], nn.Module]) -> nn.Module:
    """A second network in evaluation mode that holds the averaged weights."""
    network = build().eval().requires_grad_(False)
    network.load_state_dict({**state.network.state_dict(), **state.average})
    return network
