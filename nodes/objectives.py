"""Nodes that say what a training minimises."""

from typing import Annotated, Literal

from nodegraph import Doc, Range, node
from nodes.diffusion.schedule import schedule
from nodes.training.objectives import DiffusionObjective
from nodes.training.recognition import (
    ClassifierObjective,
    ContrastiveObjective,
    NoisyContrastiveObjective,
)
from nodes.training.step import Objective
from nodes.types import PORT_TYPES as PORT_TYPES

Chain = Annotated[Literal["linear", "cosine", "geometric"], Doc("The chain to train on.")]
TrainSteps = Annotated[int, Range(2, 10_000)]
Gamma = Annotated[float, Range(0), Doc("Min-SNR-γ weighting; 0 = the simple loss.")]
Dropout = Annotated[
    float,
    Range(0, 1),
    Doc("Share of captions emptied, or of labels replaced by the last, for guidance."),
]
Blur = Annotated[float, Range(0, 2), Doc("Largest noise on a low-resolution condition.")]


@node(
    category="training",
    words=("v-prediction",),
    version=2,
    renames={1: {"caption_dropout": "dropout"}},
)
def v_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    gamma: Gamma = 5.0,
    dropout: Dropout = 0.12,
    blur_noise: Blur = 0.0,
) -> Objective:
    """Predict v = √ᾱ ε − √(1 − ᾱ) x_0. Ref: Salimans & Ho 2022, App. D; Hang et al. 2023."""
    chain = schedule(kind, train_steps)
    return DiffusionObjective(chain, "v", gamma, False, dropout, blur_noise)


@node(
    category="training",
    words=("simple loss", "noise prediction"),
    version=2,
    renames={1: {"caption_dropout": "dropout"}},
)
def epsilon_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    dropout: Dropout = 0.1,
    blur_noise: Blur = 0.0,
) -> Objective:
    """Predict the noise ε, all timesteps alike. Ref: Ho et al. 2020, eq. 14."""
    return DiffusionObjective(schedule(kind, train_steps), "eps", 0.0, False, dropout, blur_noise)


@node(category="training", words=("predict the picture",))
def x0_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    gamma: Gamma = 5.0,
    dropout: Dropout = 0.1,
    blur_noise: Blur = 0.0,
) -> Objective:
    """Predict x_0 itself. Ref: Ramesh et al. 2022, §2.2; Hang et al. 2023."""
    return DiffusionObjective(schedule(kind, train_steps), "x0", gamma, False, dropout, blur_noise)


@node(
    category="training",
    words=("learned variance", "VLB"),
    version=2,
    renames={1: {"caption_dropout": "dropout"}},
)
def hybrid_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    dropout: Dropout = 0.1,
    predict: Literal["eps", "v"] = "eps",
    gamma: Gamma = 0.0,
    blur_noise: Blur = 0.0,
) -> Objective:
    """Predict ε (or v) and the variance: the simple loss and the VLB terms. Ref: Nichol & Dhariwal 2021, §3.1."""
    return DiffusionObjective(
        schedule(kind, train_steps), predict, gamma, True, dropout, blur_noise
    )


@node(category="training", words=("classifier guidance", "cross-entropy", "labels"))
def classifier_objective(kind: Chain = "cosine", train_steps: TrainSteps = 1000) -> Objective:
    """Tell the label of a picture at every noise level of a chain. Ref: Dhariwal & Nichol 2021, §4."""
    return ClassifierObjective(schedule(kind, train_steps))


@node(category="training", words=("CLIP",))
def contrastive_objective(noise: Annotated[float, Range(0, 2)] = 0.1) -> Objective:
    """Captions find their pictures in a batch, and pictures their captions. Ref: Radford et al. 2021, fig. 3."""
    return ContrastiveObjective(noise)


@node(category="training", words=("CLIP", "CLIP guidance", "noised CLIP"))
def noisy_contrastive_objective(
    kind: Chain = "cosine", train_steps: TrainSteps = 1000
) -> Objective:
    """Captions and pictures at every noise level of a chain find each other. Ref: Nichol et al. 2022 (GLIDE), §2.4."""
    return NoisyContrastiveObjective(schedule(kind, train_steps))
