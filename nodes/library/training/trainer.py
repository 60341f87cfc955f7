"""Nodes that train a network, and package what was made."""

from collections.abc import Callable, Generator, Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import torch

from nodegraph import Doc, Progress, Range, node
from nodegraph.base.partial import write_text
from nodegraph.runtime.warn import warn
from nodes.checkpoints.weights import about, read_config, write_model
from nodes.models.handle import Model
from nodes.training import trainer as loop
from nodes.training.dataset import Dataset
from nodes.training.journal import Journal, journal, pace
from nodes.training.networks import M, Network
from nodes.training.recipe import Recipe
from nodes.training.state import Record, State
from nodes.training.step import SAMPLES, Means, Objective, Training
from nodes.wires.arrays import to_bytes
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table
from nodes.wires.training import RunFolder

H = TypeVar("H", bound=Model[Any, Any])
CURVE = ("step", "loss", "learning_rate", "seconds")
RunDir = Annotated[RunFolder, Doc("Below the output folder; a training found there is resumed.")]
Cooldown = Annotated[int, Range(0), Doc("Last steps, in which it falls to zero; at most all.")]
Precision = Annotated[
    Literal["float32", "bfloat16", "float16"],
    Doc("Of products; float32 on a CPU that can only imitate the others. float16 scales the loss."),
]
Interval = Annotated[
    int, Range(1), Doc("Steps between checkpoints, points of the curve and samples.")
]
Prompts = Annotated[list[Text], Doc("Captions of the samples; else four of the data set.")]
Method = Annotated[
    Literal["adamw", "muon"], Doc("muon: for kernels and matrices; the rest keeps AdamW.")
]
Processes = Annotated[int, Range(1, 64), Doc("They share each batch; on the CPU only.")]
Accumulation = Annotated[
    int, Range(1, 65_536), Doc("Parts of a batch whose gradients are added up: less memory.")
]
BLANK = (1, 3, 32, 32)
"""The samples of networks that draw no pictures: one white one."""


class Trained(NamedTuple, Generic[M]):
    """What a training gives: the model (averaged weights), the loss curve, and the last samples."""

    model: M
    history: Table
    samples: Image


def _abstract_trainer(
    network: Network[M], objective: Objective, dataset: Dataset, prompts: list[str]
) -> Trained[M]:
    """The model as it will be, an empty curve, and samples of the data's shape: nothing is trained in a check."""
    objective.check(network.config)
    draws = objective.draws(network.config)
    shape = (len(prompts) or SAMPLES, *dataset.sample_shape) if draws else BLANK
    return Trained(network.promise(), Table(CURVE, ()), torch.empty(shape, device="meta"))


@node(
    words=("train", "optimiser", "AdamW", "Muon", "EMA"),
    abstract=_abstract_trainer,
)
def trainer(
    network: Network[M],
    objective: Objective,
    dataset: Dataset,
    run_dir: RunDir,
    steps: Annotated[int, Range(1)] = 10_000,
    batch_size: Annotated[int, Range(1, 65_536)] = 64,
    learning_rate: Annotated[float, Range(0, 1)] = 8e-4,
    warmup: Annotated[int, Range(0), Doc("Steps in which the learning rate rises.")] = 300,
    cooldown: Cooldown = 2_000,
    ema_decay: Annotated[float, Range(0, 1)] = 0.999,
    seed: Seed = 0,
    precision: Precision = "bfloat16",
    interval: Interval = 500,
    prompts: Prompts = [],  # noqa: B006
    optimiser: Method = "adamw",
    processes: Processes = 1,
    accumulation: Accumulation = 1,
) -> Generator[Progress, None, Trained[M]]:
    """Train a network; kill it at any time and run the graph again, and it resumes from the last checkpoint.

    Told to end (Ctrl-C, SIGTERM, a cancelled run) it saves first. Its folder holds the curve (`metrics.jsonl`), a growing sheet
    (`samples.png`), and files for TensorBoard where that is installed. On a CPU, two processes of one thread are faster than
    one of two; they and `accumulation` give the same network up to rounding, but for objectives that compare the pictures of a
    part with each other. `--compile` compiles the blocks of UNets.
    Raises Mismatch for an objective of other outputs than the network's, ValueError when `run_dir` holds another training,
    FloatingPointError when loss or gradient is not finite, RuntimeError when one of the processes was killed.
    """
    objective.check(network.config)
    recipe = Recipe(
        steps, batch_size, optimiser, learning_rate, warmup, cooldown, ema_decay=ema_decay, seed=seed, precision=precision,
        save_every=interval, sample_every=interval,
    )  # fmt: skip
    means = Means(processes, accumulation, network.place.compiled)
    training = Training(
        network.build(), objective, dataset, recipe, run_dir, network.describe(), means
    )
    return (yield from _trained(network, training, prompts))


def _trained(
    network: Network[M], training: Training, prompts: list[str]
) -> Generator[Progress, None, Trained[M]]:
    """What a training gives in the end."""
    steps = training.recipe.steps

    def drawn(state: State) -> Image | None:
        found = loop.averaged(state, network.build)
        return training.objective.sample(found, training.dataset, prompts)

    yield Progress(0, steps, None, network.origin())
    running = loop.train(training, network.place.device)
    state, samples = yield from _shown(running, training, drawn)
    if state.step > steps:
        _warn_of_more(state.step, training)
    model = _handed_over(network, training, state)
    return Trained(model, _curve(state), torch.ones(BLANK) if samples is None else samples)


def _warn_of_more(step: int, training: Training) -> None:
    folder, steps = training.run_dir.name, training.recipe.steps
    warn(
        f"'{folder}' holds a training of {step} steps, not {steps}: the model is that of {step}",
        port="steps",
        hint=f"ask for {step}, or give another run_dir",
    )


def _handed_over(network: Network[M], training: Training, state: State) -> M:
    """The averaged weights as a model in the run's folder, with how it was made."""
    made = {
        "steps": state.step,
        "seconds": round(state.seconds),
        "batch_size": training.recipe.batch_size,
        "trained_on": training.dataset.describe(),
    }
    folder = training.run_dir / "model"
    return network.hand_over(loop.averaged(state, network.build), folder, made)


def _curve(state: State) -> Table:
    rows = ((r.step, r.loss, r.learning_rate, r.seconds) for r in state.history)
    return Table(CURVE, tuple(rows))


def _shown(
    running: Generator[loop.Trained, None, State],
    training: Training,
    drawn: Callable[[State], Image | None],
) -> Generator[Progress, None, tuple[State, Image | None]]:
    """The savings of a training as progress, with the samples that were drawn last; written down beside it too."""
    samples: Image | None = None
    recipe, written = training.recipe, None
    while True:
        try:
            now = next(running)
        except StopIteration as stop:
            state: State = stop.value
            return state, samples if written else _completed(state, training, drawn)
        history = now.state.history
        if written is None:
            written = journal(training.run_dir, recipe.batch_size, now.step)
            written.begin(history[:-1])
        written.row(history)
        if now.sample and (samples := drawn(now.state)) is not None:
            written.samples(now.step, to_bytes(samples))
        yield Progress(now.step, recipe.steps, samples, _note(history, recipe))


def _completed(
    state: State, training: Training, drawn: Callable[[State], Image | None]
) -> Image | None:
    """The samples of a training that had ended before. It may have been killed before it wrote down what it had saved."""
    written, samples = Journal(training.run_dir, training.recipe.batch_size), drawn(state)
    written.begin(state.history)
    if samples is not None:
        written.samples(state.step, to_bytes(samples))
    return samples


def _note(history: Sequence[Record], recipe: Recipe) -> str:
    last = history[-1]
    speed = pace(history, recipe.batch_size, recipe.steps)
    return f"loss {last.loss:.4f}, learning rate {last.learning_rate:.3g}, {speed}"


def _abstract_package(model: H) -> H:
    return model


@node(words=("save", "publish", "name"), pure=False, abstract=_abstract_package)
def package_model(
    model: H,
    folder: Annotated[RunFolder, Doc("Where the model goes, below the output folder.")],
    card: Annotated[str, Doc("The text of its model card.")] = "",
) -> H:
    """A model in a folder of its own that can be used by name: weights, configuration, card."""
    noted = about(model.files[0].parent) if model.files else {}
    write_model(folder, model.module(), model.config, {**noted, "card": card})
    title = "/".join(folder.parts[-2:])
    write_text(folder / "README.md", f"# {title}\n\n{card}\n")
    written = read_config(folder, type(model.config))
    assert written == model.config
    return model
