"""The state of a training on disk: one safetensors file, replaced whole, so that a kill leaves the last or the next."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from nodegraph.base.partial import replacing
from nodes.checkpoints.reading import naming
from nodes.diffusion.timesteps import LossSecondMoment
from nodes.training.optimiser import Optimiser, trained
from nodes.training.scaling import LossScale

STATE_FILE = "state.safetensors"
SLOTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")
"""What optimisers remember of a parameter."""


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the loss curve: mean loss of the steps since the row before; `seconds` of training so far."""

    step: int
    loss: float
    learning_rate: float
    seconds: float


@dataclass(slots=True)
class State:
    """What a training owns: step done, the averaged weights beside the network and optimiser, and the loss curve.

    `losses`: those of the steps since the last row of the curve. `visits`: what is remembered of the losses of timesteps,
    where they are chosen by it. `scale`: what losses are multiplied by, in half precision. `kept`: the step of what is on disk.
    """

    network: nn.Module
    optimiser: Optimiser
    average: dict[str, Tensor]
    visits: LossSecondMoment | None = None
    scale: LossScale | None = None
    step: int = 0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list[Record])
    losses: list[float] = field(default_factory=list[float])
    kept: int = 0

    def follow(self, decay: float) -> None:
        """Move the averaged weights towards the network's: average ← decay·average + (1 − decay)·weights."""
        weights = [p.detach() for p in trained(self.network).values()]
        for kept, weight in zip(self.average.values(), weights, strict=True):
            kept.lerp_(weight, 1 - decay)

    def close(self, rate: float) -> Record:
        """End a row of the curve."""
        self.history.append(Record(self.step, float(np.mean(self.losses)), rate, self.seconds))
        self.losses.clear()
        return self.history[-1]


def fresh(
    network: nn.Module, optimiser: Optimiser, visits: LossSecondMoment | None = None
) -> State:
    """A state at step 0 whose average is the network itself."""
    average = {name: p.detach().clone() for name, p in trained(network).items()}
    return State(network, optimiser, average, visits)


def save(state: State, run_dir: Path, fingerprint: str) -> None:
    """Write the state to `run_dir`, whole or not at all: weights, running statistics, what the optimisers remember."""
    header, tensors = packed(state)
    text = json.dumps({"fingerprint": fingerprint, **header})
    with replacing(run_dir / STATE_FILE) as made:
        save_file(tensors, made, metadata={"state": text})
    state.kept = state.step


def restore(state: State, run_dir: Path, fingerprint: str) -> State:
    """Fill `state` from `run_dir`, if a training of the same fingerprint was kept there.

    Raises ValueError when another training lies in the folder: its weights are not overwritten.
    """
    path = run_dir / STATE_FILE
    if not path.exists():
        return state
    with naming(path), safe_open(path, "pt") as file:
        header = json.loads(file.metadata()["state"])
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if header["fingerprint"] != fingerprint:
        raise ValueError(
            f"{run_dir} holds another training (its network, objective, data set or options differ); "
            "give another run_dir, or delete that folder"
        )
    with naming(path):
        unpack(state, header, tensors)
    return state


def packed(state: State) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """All of a state: plain numbers, and tensors by name."""
    header = {
        "step": state.step,
        "seconds": state.seconds,
        "history": [[r.step, r.loss, r.learning_rate, r.seconds] for r in state.history],
        "losses": state.losses,
        "scale": state.scale and [state.scale.value, state.scale.steps],
    }
    return header, _tensors(state)


def unpack(state: State, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Let a state be what another one `packed`. Raises KeyError where that was of another network."""
    _fill(state, tensors)
    state.history = [Record(*row) for row in header["history"]]
    state.step, state.seconds = int(header["step"]), float(header["seconds"])
    state.losses, state.kept = list(header.get("losses", [])), state.step
    if state.scale is not None and header.get("scale"):
        state.scale = LossScale(*header["scale"])


def _tensors(state: State) -> dict[str, Tensor]:
    """All but the weights that are not trained: those are where the training started."""
    fixed = {name for name, p in state.network.named_parameters() if not p.requires_grad}
    held = state.network.state_dict()
    tensors = {f"network.{k}": v.detach() for k, v in held.items() if k not in fixed}
    tensors |= {f"average.{k}": v for k, v in state.average.items()}
    for name in state.average:
        for slot, value in state.optimiser.slots(name).items():
            tensors[f"optimiser.{slot}.{name}"] = value
    if state.visits is not None:
        tensors |= {f"visits.{k}": torch.from_numpy(v) for k, v in state.visits.arrays().items()}
    return {key: value.contiguous() for key, value in tensors.items()}


def _fill(state: State, tensors: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, buffer in state.network.named_buffers():
            buffer.copy_(tensors.get(f"network.{name}", buffer))
        for name, parameter in trained(state.network).items():
            parameter.copy_(tensors[f"network.{name}"])
            state.average[name].copy_(tensors[f"average.{name}"])
            state.optimiser.slots(name).update(_slots(tensors, name, parameter.device))
    if state.visits is not None:
        held = {k: tensors[f"visits.{k}"].numpy() for k in state.visits.arrays()}
        state.visits.fill(held)


def _slots(tensors: Mapping[str, Tensor], name: str, device: torch.device) -> dict[str, Tensor]:
    found = {
        slot: tensors[f"optimiser.{slot}.{name}"]
        for slot in SLOTS
        if f"optimiser.{slot}.{name}" in tensors
    }
    return {slot: value if slot == "step" else value.to(device) for slot, value in found.items()}
