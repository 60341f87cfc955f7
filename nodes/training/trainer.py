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
from nodes.training.draws import chosen_visits
from nodes.training.group import Group, group
from nodes.training.optimiser import optimiser
from nodes.training.precision import computed_in
from nodes.training.scaling import FIRST, SMALLEST, unscaled
from nodes.training.state import Record, State, fresh, restore, save
from nodes.training.step import Training, Turn, captions_of, prepared
from nodes.training.stopping import Stop, stopping
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


def train(training: Training, device: str = "cpu") -> Generator[Trained, None, State]:
    """Train to `recipe.steps`, resuming what `run_dir` holds; yields at every saving or sampling interval.

    Told to end (SIGTERM, Ctrl-C, a cancelled run), it saves its state after the step that it is at. Of processes that torchrun
    started each takes its rows of a batch; the first keeps the state.
    """
    network = prepared(training, device)
    state = fresh(network, optimiser(network, training.recipe), training.objective.visits())
    if computed_in(training.recipe.precision, device) == torch.float16:
        state.scale = FIRST
    with _alone(training.run_dir), group(device) as together:
        if together.first:
            restore(state, training.run_dir, training.fingerprint())
        together.alike(state)
        rows = together.rows(training.recipe.batch_size)
        with worker_pool(training, device, rows) as pool, stopping() as stop:
            yield from _steps(state, training, Team(pool, together), stop)
    return state


@dataclass(frozen=True, slots=True)
class Team:
    """Who makes a step: the processes of this one, and those that torchrun started beside it."""

    pool: WorkerPool
    group: Group

    def gradient(self, turn: Turn) -> np.ndarray:
        """Leave the gradient of a step's whole batch on the network, and return the losses of its rows, float64 [B]."""
        losses, training = self.pool.gradient(turn), self.pool.training
        size = training.recipe.batch_size
        return self.group.summed(training.network, losses, self.pool.rows, size)


def _steps(state: State, training: Training, team: Team, stop: Stop) -> Generator[Trained]:
    """The steps that are left, saved at every interval and at the end."""
    recipe, fingerprint = training.recipe, training.fingerprint()

    def keep() -> None:
        if team.group.first:
            save(state, training.run_dir, fingerprint)

    while state.step < recipe.steps:
        started = time.perf_counter()
        state.losses.append(_step(state, training, team))
        state.seconds += time.perf_counter() - started
        last = state.step == recipe.steps
        sample = last or state.step % recipe.sample_every == 0
        if sample or state.step % recipe.save_every == 0:
            record = state.close(recipe.rate(state.step - 1))
            keep()
            yield Trained(state, record, sample)
        if team.group.any(stop.wanted()):
            keep()
            stop.point()
            if team.group.size > 1:
                raise RuntimeError(
                    "another process of this training was told to end; its state is kept"
                )


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


def _step(state: State, training: Training, team: Team) -> float:
    """One step; its mean loss. Raises FloatingPointError, with nothing changed, where loss or gradient is not finite."""
    recipe, scale = training.recipe, state.scale.value if state.scale else 1.0
    visits = chosen_visits(state.visits, recipe, state.step)
    losses = team.gradient(Turn(state.step, visits, scale))
    if not np.isfinite(losses).all():
        raise FloatingPointError(_bad_rows(training, state, losses))
    if _clipped(state, training, scale):
        state.optimiser.step(recipe.rate(state.step))
        state.follow(recipe.averaging(state.step))
    if state.visits is not None and visits is not None:
        state.visits.update(visits.timesteps.tolist(), losses.tolist())
    state.step += 1
    return float(losses.mean())


def _clipped(state: State, training: Training, scale: float) -> bool:
    """Whether the gradient can be followed; it is cut to the largest norm. Where it overflowed in half precision, the loss is
    scaled less from now on. Raises FloatingPointError where that cannot be why it is not finite."""
    parameters = list(state.network.parameters())
    unscaled((p.grad for p in parameters), scale)
    norm = torch.nn.utils.clip_grad_norm_(parameters, training.recipe.clip_norm)
    finite = bool(norm.isfinite())
    if not finite and scale <= SMALLEST:
        raise FloatingPointError(_stopped(training, state, "the gradient is not finite"))
    if state.scale is not None:
        state.scale = state.scale.after(not finite)
    return finite


def _bad_rows(training: Training, state: State, losses: np.ndarray) -> str:
    """What is said of losses that are not finite: their rows, with the captions of those."""
    rows = np.flatnonzero(~np.isfinite(losses))
    captions = captions_of(training, state.step, rows[:3])
    named = f" ({', '.join(map(repr, captions))})" if captions else ""
    few = ", ".join(map(str, rows[:3])) + (", …" if len(rows) > 3 else "")
    what = f"the loss of {len(rows)} of {len(losses)} pictures is not finite: rows {few}{named}"
    return _stopped(training, state, what)


def _stopped(training: Training, state: State, why: str) -> str:
    return (
        f"step {state.step + 1}: {why}; the state after step {state.kept} is kept in {training.run_dir}. "
        "A lower learning_rate may help, in another run_dir"
    )


def averaged(state: State, build: Callable[[], nn.Module]) -> nn.Module:
    """A second network in evaluation mode that holds the averaged weights."""
    network = Place().put(build())
    network.load_state_dict({**state.network.state_dict(), **state.average})
    return network
