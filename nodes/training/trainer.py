"""The training loop: a generator that owns the weights while it trains and can be killed at any point."""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn

from nodes.models.place import Place
from nodes.training.optimiser import optimiser
from nodes.training.recipe import Recipe
from nodes.training.state import Record, State, fresh, restore, save
from nodes.training.step import Training
from nodes.training.workers import WorkerPool, worker_pool


@dataclass(frozen=True, slots=True)
class Trained:
    """Yielded while training: the state, the row of the curve that was closed, and whether samples are due."""

    state: State
    record: Record
    sample: bool

    @property
    def step(self) -> int:
        return self.record.step


def train(
    training: Training, device: str = "cpu", processes: int = 1
) -> Generator[Trained, None, State]:
    """Train to `recipe.steps`, resuming what `run_dir` holds; yields at every saving or sampling interval.

    `processes` share each batch: the result is that of one, up to rounding.
    """
    network = training.network.to(device).train()
    state = fresh(network, optimiser(network, training.recipe))
    with _alone(training.run_dir):
        restore(state, training.run_dir, training.fingerprint())
        with worker_pool(training, processes, device) as pool:
            yield from _steps(state, training, pool)
    return state


def _steps(state: State, training: Training, pool: WorkerPool) -> Generator[Trained]:
    """The steps that are left, saved at every interval and at the end."""
    recipe, fingerprint = training.recipe, training.fingerprint()
    losses: list[float] = []
    while state.step < recipe.steps:
        started = time.perf_counter()
        losses.append(_step(state, recipe, pool))
        state.seconds += time.perf_counter() - started
        last = state.step == recipe.steps
        if last or state.step % recipe.save_every == 0 or state.step % recipe.sample_every == 0:
            record = Record(
                state.step, float(np.mean(losses)), recipe.rate(state.step - 1), state.seconds
            )
            state.history.append(record)
            losses.clear()
            save(state, training.run_dir, fingerprint)
            yield Trained(state, record, last or state.step % recipe.sample_every == 0)


@contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """One process at a time trains in a folder. Raises ValueError where another one is at it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(run_dir / ".lock", timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"another process is training in {run_dir}; wait for it, or give another run_dir"
        ) from None


def _step(state: State, recipe: Recipe, pool: WorkerPool) -> float:
    loss = pool.gradient(state.step)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), recipe.clip_norm)
    state.optimiser.step(recipe.rate(state.step))
    state.follow(recipe.averaging(state.step))
    state.step += 1
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {state.step}; a lower learning_rate may help"
        )
    return loss


def averaged(state: State, build: Callable[[], nn.Module]) -> nn.Module:
    """A second network in evaluation mode that holds the averaged weights."""
    network = Place().put(build())
    network.load_state_dict({**state.network.state_dict(), **state.average})
    return network
