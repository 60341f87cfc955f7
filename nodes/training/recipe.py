"""How a network is trained: optimiser, learning-rate curve, averaging. A frozen value that names a training."""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from nodes.training.precision import Precision

OptimiserName = Literal["adamw", "muon"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Options of an optimiser with warm-up, constant rate and a linear cool-down, and an exponential moving average.

    `steps`, `cooldown`, `save_every` and `sample_every` may change when a training is resumed; everything else names it.
    `cooldown` is the number of last steps over which the learning rate falls to zero; at most all of them.
    """

    steps: int = 10_000
    batch_size: int = 64
    optimiser: OptimiserName = "adamw"
    learning_rate: float = 8e-4
    warmup: int = 200
    cooldown: int = 2_000
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.999
    seed: int = 0
    precision: Precision = "bfloat16"
    save_every: int = 500
    sample_every: int = 500

    def rate(self, step: int) -> float:
        """Learning rate at `step` (counted from 0)."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = min(1.0, (self.steps - step) / max(1, min(self.cooldown, self.steps)))
        return self.learning_rate * rise * max(0.0, fall)

    def averaging(self, step: int) -> float:
        """Decay of the moving average at `step`: short at first, so that the first weights are soon forgotten."""
        return min(self.ema_decay, (1 + step) / (10 + step))


RESUMABLE = frozenset({"steps", "cooldown", "save_every", "sample_every"})


def fingerprint(recipe: Recipe, *descriptions: object) -> str:
    """Digest of everything that must agree between a training and its resumption."""
    kept = {name: value for name, value in asdict(recipe).items() if name not in RESUMABLE}
    text = json.dumps([kept, *descriptions], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
