"""Which timesteps a training visits, and with what weight."""

from collections.abc import Mapping, Sequence

import numpy as np


def uniform(rng: np.random.Generator, size: int, steps: int) -> np.ndarray:
    """Independent timesteps in [0, steps), int64 [size]."""
    return rng.integers(steps, size=size)


def stratified(rng: np.random.Generator, size: int, steps: int) -> np.ndarray:
    """One timestep in each of `size` equal stretches of [0, steps), in a random order: less variance than `uniform`."""
    chosen = ((np.arange(size) + rng.random(size)) / size * steps).astype(np.int64)
    return rng.permutation(np.minimum(chosen, steps - 1))


class LossSecondMoment:
    """Importance sampling with p(t) ∝ √E[L_t²] over the last `history` losses of each step. Ref: Nichol & Dhariwal 2021, §3.3.

    Uniform until every step has a full history. Weights 1 / (p(t)·T) keep the loss unbiased.
    """

    def __init__(self, steps: int, history: int = 10, uniform_share: float = 0.001) -> None:
        self._losses = np.zeros((steps, history))
        self._counts = np.zeros(steps, dtype=np.int64)
        self._uniform_share = uniform_share

    def probabilities(self) -> np.ndarray:
        """p(t) float64 [steps]."""
        steps, history = self._losses.shape
        if (self._counts < history).any():
            return np.full(steps, 1 / steps)
        weights = np.sqrt((self._losses**2).mean(1))
        total = weights.sum()
        even = np.full(steps, 1 / steps)
        return (
            even
            if total == 0
            else weights / total * (1 - self._uniform_share) + even * self._uniform_share
        )

    def sample(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Timesteps int64 [size] and the weights of their losses float64 [size]."""
        chance = self.probabilities()
        chosen = rng.choice(len(chance), size=size, p=chance)
        return chosen, 1 / (chance[chosen] * len(chance))

    def arrays(self) -> dict[str, np.ndarray]:
        """What is remembered: the last losses of each step float64 [steps, history], and how many there were int64 [steps]."""
        return {"losses": self._losses, "counts": self._counts}

    def fill(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Remember what another did, as its `arrays` say."""
        self._losses[:], self._counts[:] = arrays["losses"], arrays["counts"]

    def update(self, timesteps: Sequence[int], losses: Sequence[float]) -> None:
        """Remember the unweighted losses of a batch."""
        for t, loss in zip(timesteps, losses, strict=True):
            self._losses[t] = np.append(self._losses[t][1:], loss)
            self._counts[t] += 1
