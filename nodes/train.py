"""Nodes that train: data sets, networks, objectives, the trainer, and packaging what it made."""

import math
from collections.abc import Generator
from pathlib import Path
from typing import Annotated, Generic, Literal, NamedTuple

import numpy as np
import torch

from nodegraph import Doc, Mismatch, Progress, Range, node
from nodes.checkpoints.weights import read_config, write_model
from nodes.diffusion.denoisers import Denoiser, Leaf
from nodes.diffusion.schedule import schedule
from nodes.training import trainer as loop
from nodes.training.dataset import Dataset, Points, ShapesPictures
from nodes.training.networks import (
    M,
    Network,
    PointModel,
    PointsNetwork,
    ReaderNetwork,
    TextReader,
    UNetNetwork,
)
from nodes.training.objectives import ContrastiveObjective, DiffusionObjective
from nodes.training.recipe import Recipe
from nodes.training.samples import sample_pictures
from nodes.training.step import Objective, Training
from nodes.types import PORT_TYPES as PORT_TYPES
from nodes.types import Image, RunFolder, Seed, Signal, Table, Text, UNet

Gamma = Annotated[float, Range(0), Doc("Min-SNR-γ weighting; 0 = the simple loss.")]
Dropout = Annotated[float, Range(0, 1), Doc("Share of captions emptied, for guidance.")]


@node(category="training", words=("data", "shapes world"))
def shapes_dataset(
    size: Annotated[int, Range(16, 512), Doc("Pixels.")] = 32,
    single: Annotated[float, Range(0, 1), Doc("Share of pictures with one object.")] = 0.45,
    double: Annotated[float, Range(0, 1), Doc("Share with two; the rest has three.")] = 0.47,
) -> Dataset:
    """Captioned pictures of the shapes world, rendered as they are needed. Held-out scenes never appear."""
    if single + double > 1:
        raise Mismatch(f"the shares add up to {single + double:g}, more than 1", port="double")
    return ShapesPictures(size, (single, double, 1 - single - double))


@node(category="training", words=("point cloud", "toy data"))
def points_dataset(
    shape: Literal["two_moons", "spiral", "ring"] = "two_moons",
    count: Annotated[int, Range(2, 1_000_000)] = 10_000,
    seed: Seed = 0,
) -> Dataset:
    """Points in the plane, [N, 2], with mean 0 and standard deviation about 1."""
    rng = np.random.default_rng(seed)
    angle = rng.random(count) * math.pi
    if shape == "two_moons":
        upper = rng.random(count) < 0.5
        x = np.where(upper, np.cos(angle), 1 - np.cos(angle))
        y = np.where(upper, np.sin(angle), 0.5 - np.sin(angle))
    elif shape == "spiral":
        x, y = angle * np.cos(3 * angle), angle * np.sin(3 * angle)
    else:
        x, y = np.cos(2 * angle), np.sin(2 * angle)
    rows = np.stack([x, y], 1) + 0.05 * rng.standard_normal((count, 2))
    rows = (rows - rows.mean(0)) / rows.std(0)
    return Points(torch.from_numpy(rows).float(), f"{shape}-{seed}")


@node(category="training", words=("configuration", "fine-tune"))
def network(
    like: Annotated[UNet, Doc("The model whose configuration is trained.")],
    start: Annotated[UNet | None, Doc("Weights to start from.")] = None,
    reader: Annotated[TextReader | None, Doc("A text transformer to start from.")] = None,
) -> Network[UNet]:
    """A UNet to be trained, with the configuration of another. Raises Mismatch when `start` has another configuration."""
    if start is not None and start.config != like.config:
        raise Mismatch(f"'{start.name}' has another configuration than '{like.name}'", port="start")
    return UNetNetwork(like.config, like.device, like.precision, start, reader, like.residency)


@node(category="training", words=("text pretraining", "contrastive"))
def reader_network(like: UNet) -> Network[TextReader]:
    """The text transformer of a UNet, to be taught to read beside a small picture network (32 px)."""
    return ReaderNetwork(like.text_config(), like.config.embedding_width, like.device)


@node(category="training", words=("toy", "perceptron"))
def point_network(
    width: Annotated[int, Range(8, 4096)] = 128,
    layers: Annotated[int, Range(1, 32)] = 3,
    dimensions: Annotated[int, Range(1, 64)] = 2,
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
) -> Network[PointModel]:
    """A perceptron for points, that predicts v on a cosine chain of `train_steps`."""
    return PointsNetwork(dimensions, width, layers, schedule("cosine", train_steps))


@node(category="training", words=("v-prediction",))
def v_objective(
    kind: Annotated[
        Literal["linear", "cosine", "geometric"], Doc("The chain to train on.")
    ] = "cosine",
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
    gamma: Gamma = 5.0,
    caption_dropout: Dropout = 0.12,
    blur_noise: Annotated[
        float, Range(0, 2), Doc("Largest noise on a low-resolution condition.")
    ] = 0.0,
) -> Objective:
    """Predict v = √ᾱ ε − √(1 − ᾱ) x_0. Ref: Salimans & Ho 2022, App. D; Hang et al. 2023."""
    chain = schedule(kind, train_steps)
    return DiffusionObjective(chain, "v", gamma, False, caption_dropout, blur_noise)


@node(category="training", words=("simple loss", "noise prediction"))
def epsilon_objective(
    kind: Annotated[
        Literal["linear", "cosine", "geometric"], Doc("The chain to train on.")
    ] = "cosine",
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
    caption_dropout: Dropout = 0.1,
) -> Objective:
    """Predict the noise ε, all timesteps alike. Ref: Ho et al. 2020, eq. 14."""
    return DiffusionObjective(schedule(kind, train_steps), "eps", 0.0, False, caption_dropout)


@node(category="training", words=("learned variance", "VLB"))
def hybrid_objective(
    kind: Annotated[
        Literal["linear", "cosine", "geometric"], Doc("The chain to train on.")
    ] = "cosine",
    train_steps: Annotated[int, Range(2, 10_000)] = 1000,
    caption_dropout: Dropout = 0.1,
) -> Objective:
    """Predict ε and the variance: the simple loss and the VLB terms. Ref: Nichol & Dhariwal 2021, §3.1."""
    return DiffusionObjective(schedule(kind, train_steps), "eps", 0.0, True, caption_dropout)


@node(category="training", words=("CLIP",))
def contrastive_objective(noise: Annotated[float, Range(0, 2)] = 0.1) -> Objective:
    """Captions find their pictures in a batch, and pictures their captions. Ref: Radford et al. 2021, fig. 3."""
    return ContrastiveObjective(noise)


class Trained(NamedTuple, Generic[M]):
    """What a training gives: the model (averaged weights), the loss curve, and the last samples."""

    model: M
    history: Table
    samples: Image


def _abstract_trainer(
    network: Network[M],
    objective: Objective,
    dataset: Dataset,
    run_dir: Path,
    prompts: list[str] | None = None,
    **_: object,
) -> Trained[M]:
    """The model as it will be, an empty curve, and samples of the data's shape: nothing is trained in a check."""
    history = Table(("step", "loss", "learning_rate", "seconds"), ())
    samples = torch.empty(max(1, len(prompts or [])), *dataset.sample_shape, device="meta")
    return Trained(network.promise(), history, samples)


@node(
    category="training",
    words=("train", "optimiser", "AdamW", "Muon", "EMA"),
    abstract=_abstract_trainer,
)
def trainer(
    network: Network[M],
    objective: Objective,
    dataset: Dataset,
    run_dir: Annotated[RunFolder, Doc("Below the output folder; a training found there goes on.")],
    steps: Annotated[int, Range(1)] = 10_000,
    batch_size: Annotated[int, Range(1, 65_536)] = 64,
    learning_rate: Annotated[float, Range(0, 1)] = 8e-4,
    warmup: Annotated[int, Range(0), Doc("Steps in which the learning rate rises.")] = 300,
    cooldown: Annotated[int, Range(0), Doc("Last steps, in which it falls to zero.")] = 2_000,
    ema_decay: Annotated[float, Range(0, 1)] = 0.999,
    seed: Seed = 0,
    precision: Literal["float32", "bfloat16"] = "bfloat16",
    interval: Annotated[
        int, Range(1), Doc("Steps between savings, points of the curve and samples.")
    ] = 500,
    prompts: Annotated[list[Text], Doc("Captions of the samples.")] = [],  # noqa: B006
    optimiser: Annotated[
        Literal["adamw", "muon"], Doc("muon: for kernels and matrices; the rest keeps AdamW.")
    ] = "adamw",
    processes: Annotated[int, Range(1, 64), Doc("They share each batch; on the CPU only.")] = 1,
) -> Generator[Progress, None, Trained[M]]:
    """Train a network; kill it at any time and run the graph again, and it goes on from the last saving.

    On a CPU, two processes of one thread do more than one process of two, and give the same network up to rounding.
    Raises ValueError when `run_dir` holds another training, FloatingPointError when the loss is no number any more,
    RuntimeError when one of the processes was killed.
    """
    recipe = Recipe(
        steps, batch_size, optimiser, learning_rate, warmup, cooldown, ema_decay=ema_decay, seed=seed, precision=precision,
        save_every=interval, sample_every=interval,
    )  # fmt: skip
    training = Training(network.build(), objective, dataset, recipe, run_dir, network.describe())
    running = loop.train(training, network.device, processes)
    samples = torch.ones(1, 3, 32, 32)
    while True:
        try:
            now = next(running)
        except StopIteration as stop:
            state = stop.value
            break
        if now.sample and prompts:
            module = loop.averaged(now.state, network.build)
            samples = sample_pictures(module, objective, prompts, dataset)
        yield Progress(now.step, steps, samples, f"loss {now.record.loss:.4f}")
    module = loop.averaged(state, network.build)
    about = {
        "steps": state.step,
        "seconds": round(state.seconds),
        "batch_size": batch_size,
        "trained_on": dataset.describe(),
    }
    model = network.hand_over(module, run_dir / "model", about)
    if prompts:
        samples = sample_pictures(module, objective, prompts, dataset)
    rows = tuple((r.step, r.loss, r.learning_rate, r.seconds) for r in state.history)
    return Trained(model, Table(("step", "loss", "learning_rate", "seconds"), rows), samples)


def _abstract_package(model: UNet, folder: Path, card: str = "") -> UNet:
    return model


@node(
    category="training", words=("save", "publish", "name"), pure=False, abstract=_abstract_package
)
def package_model(
    model: UNet,
    folder: Annotated[RunFolder, Doc("Where the model goes, below the output folder.")],
    card: Annotated[str, Doc("What people should know of it.")] = "",
) -> UNet:
    """A model in a folder of its own that can be used by name: weights, configuration, card."""
    write_model(folder, model.module(), model.config, {"card": card})
    (Path(folder) / "README.md").write_text(f"# {Path(folder).name}\n\n{card}\n", encoding="utf-8")
    written = read_config(folder, type(model.config))
    assert written == model.config
    return model


@node(category="denoising", words=("toy",))
def point_denoiser(model: PointModel) -> Denoiser[Signal]:
    """The network of points as a denoiser of [B, D]."""
    return Leaf(model.diffusion)
