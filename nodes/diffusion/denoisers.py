"""The denoiser algebra: one contract, (x_t, t) → Prediction, and one small wrapper for each technique.

A denoiser names the network calls it needs (`leaves`) and says how their predictions combine (`combine`). An
`evaluator` makes the calls of many denoisers at once: each distinct leaf once, and leaves of one network in one batch. So
guidance costs one network call a step, however deep the wrappers nest, and no wrapper or sampler knows about another.
What does not change over the steps of a run (the batch of conditions, and what a network makes of them) is made once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from typing import Any, Generic, Literal, TypeVar

import torch
from torch import Tensor

from nodes.diffusion.process import predicted_x0, prediction_and_variance
from nodes.diffusion.schedule import Schedule
from nodes.rows import spread
from nodes.target import Target


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is known about x_0 at (x_t, t), all float32 [B, …].

    `x0`: predicted x_0; `variance`: raw learned fraction in about [−1, 1], or None where the variance is fixed;
    `score`: ∇ log p(y | x_t) of the guides, or None.
    """

    x0: Tensor
    variance: Tensor | None = None
    score: Tensor | None = None


X = TypeVar("X")
"""What is sampled (a picture, an embedding): a mark for readers and type checkers; nothing depends on it at run time."""
Settled = Literal["range", "pixels"]
"""What was done to x_0 that arithmetic on it would undo: it was held within a range, or some of it was given."""


class Denoiser(ABC, Generic[X]):
    """(x_t [B, …], t [B]) → Prediction, t being timesteps of the chain the network was trained on (int64 or float)."""

    @property
    @abstractmethod
    def leaves(self) -> tuple["Leaf", ...]:
        """The network calls that `combine` needs, at the same (x_t, t)."""

    def needs(self, t: Tensor) -> tuple["Leaf", ...]:
        """The leaves that `combine` reads at t: all of them, where a technique does not leave some out."""
        return self.leaves

    @abstractmethod
    def combine(self, x_t: Tensor, t: Tensor, known: "Predictions") -> Prediction:
        """The prediction, from those of the leaves and of the denoisers inside."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows of conditions: each gives `count` samples."""

    @property
    def settled(self) -> frozenset[Settled]:
        """What of x_0 is settled, here or inside; empty for a plain prediction, which guidance may extrapolate."""
        return frozenset()

    @property
    def root(self) -> "Leaf":
        """The leaf that says what is sampled: the first."""
        return self.leaves[0]

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """Shape of one sample, without the batch."""
        return self.root.network.sample_shape

    @property
    def trained(self) -> Schedule:
        """The chain the network was trained on."""
        return self.root.network.trained

    @property
    def target(self) -> Target:
        """What the outputs of the network mean."""
        return self.root.network.target

    @property
    def x0_bound(self) -> float:
        """|x_0| at most in what the network was trained on."""
        return self.root.network.x0_bound

    @property
    def device(self) -> torch.device:
        return self.root.network.device

    def __call__(self, x_t: Tensor, t: Tensor) -> Prediction:
        return evaluate([self], x_t, t)[0]


class Predictions(dict[Denoiser[Any], Prediction]):
    """Predictions at one (x_t, t), those of the leaves first; any other denoiser's is combined once, when it is asked for."""

    def __init__(self, x_t: Tensor, t: Tensor, leaves: Mapping[Denoiser[Any], Prediction]) -> None:
        super().__init__(leaves)
        self._at = x_t, t

    def __missing__(self, denoiser: Denoiser[Any]) -> Prediction:
        self[denoiser] = denoiser.combine(*self._at, self)
        return self[denoiser]


Conditions = Mapping[str, Tensor]


def _unchanged(conditions: Conditions) -> Conditions:
    return conditions


def _itself(sample: Tensor) -> Any:
    return sample


@dataclass(frozen=True, eq=False)
class DiffusionNetwork:
    """A network with what its outputs mean.

    `call(x_t, t, **conditions)` → [B, C or 2C, …], as `target` says. `prepare` turns conditions [R, …], those of all leaves of
    one call, into those that `call` takes, once for a run: what of the network does not depend on (x_t, t). `x0_bound`: |x_0|
    at most in what it was trained on. `value`: what a sample stands for, once it is made (itself; an embedding).
    `keeping(x_t, t, outer=, deep=, …)`: a call → (output, deep) that gives, or takes, what comes to the `outer` last of
    the `stages` from inside; None for what is no UNet. Denoisers of one `DiffusionNetwork` object share its calls.
    """

    call: Callable[..., Tensor]
    trained: Schedule
    sample_shape: tuple[int, ...]
    target: Target = field(default_factory=Target)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    prepare: Callable[[Conditions], Conditions] = _unchanged
    x0_bound: float = 1.0
    value: Callable[[Tensor], Any] = _itself
    keeping: Callable[..., tuple[Tensor, Tensor]] | None = None
    stages: int = 0

    def __post_init__(self) -> None:
        if self.target.learned_variance == "log":
            raise ValueError("samplers read a learned variance as a fraction of its range")


@dataclass(frozen=True, slots=True)
class Reuse:
    """Calls whose deep features are kept: one in `every` runs all of the network, the others its `outer` stages on either side.

    Ref: Ma et al. 2024 (DeepCache), §3.3.
    """

    every: int
    outer: int


@dataclass(frozen=True, eq=False)
class Leaf(Denoiser[Any]):
    """One network under one set of conditions: tensors [R, …] by name, R rows or one row for all."""

    network: DiffusionNetwork
    conditions: Conditions = field(default_factory=dict[str, Tensor])
    reuse: Reuse | None = None

    @property
    def leaves(self) -> tuple["Leaf", ...]:
        return (self,)

    @property
    def rows(self) -> int:
        return max((len(value) for value in self.conditions.values()), default=1)

    def combine(self, x_t: Tensor, t: Tensor, known: Predictions) -> Prediction:
        raise KeyError("the prediction of a network call is made before any is combined")

    def prepared(self, batch: int) -> dict[str, Tensor]:
        """What the network takes, with one row for each sample: `count` samples a row of conditions, row-major."""
        return _joined([self], batch)


Evaluator = Callable[[Tensor, Tensor], list[Prediction]]


def evaluate(denoisers: Sequence[Denoiser[Any]], x_t: Tensor, t: Tensor) -> list[Prediction]:
    """Predictions of several denoisers at one (x_t, t): distinct leaves once, leaves of one network in one call."""
    return evaluator(denoisers, len(x_t))(x_t, t)


def evaluator(denoisers: Sequence[Denoiser[Any]], batch: int) -> Evaluator:
    """`evaluate` for the steps of one run over `batch` samples: conditions are prepared at the first step that needs them."""

    @cache
    def groups(leaves: tuple[Leaf, ...]) -> list[_Group]:
        return [_Group(some, _joined(some, batch)) for some in _of_one_call(leaves)]

    numbers = count()

    def evaluated(x_t: Tensor, t: Tensor) -> list[Prediction]:
        number = next(numbers)
        needed = tuple(dict.fromkeys(leaf for d in denoisers for leaf in d.needs(t)))
        leaves: dict[Denoiser[Any], Prediction] = {
            leaf: p for group in groups(needed) for leaf, p in group.call(x_t, t, number)
        }
        known = Predictions(x_t, t, leaves)
        return [known[denoiser] for denoiser in denoisers]

    return evaluated


def _of_one_call(leaves: tuple[Leaf, ...]) -> list[list[Leaf]]:
    """Leaves that fit into one call: the same network, reused alike, and conditions of the same names and row shapes."""
    groups: dict[object, list[Leaf]] = {}
    for leaf in leaves:
        shapes = tuple(sorted((name, tuple(v.shape[1:])) for name, v in leaf.conditions.items()))
        groups.setdefault((id(leaf.network), leaf.reuse, shapes), []).append(leaf)
    return list(groups.values())


def _joined(leaves: list[Leaf], batch: int) -> dict[str, Tensor]:
    """What the network takes for leaves of one call, each with `batch` samples, one below the other; prepared together."""
    ready = leaves[0].network.prepare(
        {
            name: torch.cat(
                [spread(leaf.conditions[name], leaf.rows, f"rows of '{name}'") for leaf in leaves]
            )
            for name in leaves[0].conditions
        }
    )
    counts = [leaf.rows for leaf in leaves]
    parts = {name: torch.split_with_sizes(value, counts) for name, value in ready.items()}
    return {
        name: torch.cat([spread(part, batch, f"rows of '{name}'") for part in some])
        for name, some in parts.items()
    }


@dataclass(slots=True)
class _Group:
    """Leaves of one network and their prepared conditions, one below the other.

    `most`: rows of one call of the network, once there was no memory for all of them. `kept`: deep features of the last whole
    call by their first row, to be taken by the calls before the one of number `due`.
    """

    leaves: list[Leaf]
    conditions: Conditions
    most: int | None = None
    kept: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    due: int = 0

    def call(self, x_t: Tensor, t: Tensor, number: int) -> list[tuple[Leaf, Prediction]]:
        """Predictions at the `number`-th step of a run."""
        reuse = self.leaves[0].reuse
        if reuse is not None and number >= self.due:
            self.kept.clear()
            self.due = number + reuse.every
        network, times = self.leaves[0].network, len(self.leaves)
        rows = x_t.repeat(times, *[1] * (x_t.ndim - 1))
        parts = self.output(rows, t.repeat(times)).chunk(times)
        return [
            (leaf, _prediction(network, x_t, t, part))
            for leaf, part in zip(self.leaves, parts, strict=True)
        ]

    def output(self, x_t: Tensor, t: Tensor) -> Tensor:
        """What the network gives; where its memory runs out, of half as many rows at a time: they do not depend on each other.

        Raises what the network raises where there is no memory for one row.
        """
        while True:
            size = self.most or len(x_t)
            try:
                parts = [self.part(x_t, t, slice(i, i + size)) for i in range(0, len(x_t), size)]
                return torch.cat(parts) if len(parts) > 1 else parts[0]
            except (MemoryError, RuntimeError) as error:
                if size == 1 or not _out_of_memory(error):
                    raise
            self.kept.clear()
            self.most = (size + 1) // 2  # by now the error is let go, and what it held of the call

    def part(self, x_t: Tensor, t: Tensor, rows: slice) -> Tensor:
        given = {name: value[rows] for name, value in self.conditions.items()}
        network, reuse = self.leaves[0].network, self.leaves[0].reuse
        if reuse is None or network.keeping is None or x_t.is_meta:
            return network.call(x_t[rows], t[rows], **given)
        kept = {"outer": reuse.outer, "deep": self.kept.get(rows.start)}
        output, self.kept[rows.start] = network.keeping(x_t[rows], t[rows], **kept, **given)
        return output


def over_leaves(
    denoiser: Denoiser[Any],
    change: Callable[[Leaf], Leaf],
    made: dict[Denoiser[Any], Denoiser[Any]] | None = None,
) -> Denoiser[Any]:
    """The same denoiser over other leaves; what was one object inside of it stays one. `made`: what was changed already."""
    made = {} if made is None else made
    if denoiser not in made:
        if isinstance(denoiser, Leaf):
            made[denoiser] = change(denoiser)
        else:
            inside: dict[str, Denoiser[Any]] = {
                name: value for name, value in vars(denoiser).items() if isinstance(value, Denoiser)
            }
            parts = {name: over_leaves(part, change, made) for name, part in inside.items()}
            made[denoiser] = replace(denoiser, **parts)  # type: ignore[type-var]
    return made[denoiser]


def _out_of_memory(error: BaseException) -> bool:
    """Whether a call found too little memory; the CPU's allocator says it in words alone."""
    named = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return named or "can't allocate memory" in str(error)


def _prediction(network: DiffusionNetwork, x_t: Tensor, t: Tensor, output: Tensor) -> Prediction:
    output, variance = prediction_and_variance(network.target, output.float())
    if output.shape != x_t.shape:
        raise ValueError(f"the network gives {list(output.shape)} for x_t {list(x_t.shape)}")
    x0 = predicted_x0(network.trained, network.target.parametrisation, x_t, t, output)
    return Prediction(x0, variance)
