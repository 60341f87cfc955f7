"""Nodes that say what a training minimises."""

from dataclasses import replace
from typing import Annotated, Literal

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.respacing import refined, respace
from nodes.diffusion.schedule import schedule
from nodes.models.clip import Clip
from nodes.models.unet import UNet
from nodes.target import Target
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.objectives.distillation import DistillationObjective
from nodes.training.objectives.prior import PriorObjective
from nodes.training.objectives.recognition import (
    ClassifierObjective,
    ContrastiveObjective,
    NoisyContrastiveObjective,
)
from nodes.training.objectives.token_prior import TokenObjective
from nodes.training.step import Objective
from nodes.wires.scalars import Steps

Chain = Annotated[Literal["linear", "cosine", "geometric"], Doc("The noise schedule to train on.")]
TrainSteps = Annotated[int, Range(2, 10_000)]
Gamma = Annotated[float, Range(0), Doc("Min-SNR-γ weighting; 0 = the simple loss.")]
Dropout = Annotated[
    float,
    Range(0, 1),
    Doc(
        "Probability that a caption is emptied, or a label replaced by the null label, for guidance."
    ),
]
Blur = Annotated[float, Range(0, 2), Doc("Largest noise on a low-resolution condition.")]


@node(
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
    return DiffusionObjective(chain, Target("v"), gamma, dropout, blur_noise)


@node(
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
    """Predict the noise ε, with equal weight at every timestep. Ref: Ho et al. 2020, eq. 14."""
    chain = schedule(kind, train_steps)
    return DiffusionObjective(chain, Target("eps"), 0.0, dropout, blur_noise)


@node(words=("predict the picture",))
def x0_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    gamma: Gamma = 5.0,
    dropout: Dropout = 0.1,
    blur_noise: Blur = 0.0,
) -> Objective:
    """Predict x_0 itself. Ref: Ramesh et al. 2022, §2.2; Hang et al. 2023."""
    chain = schedule(kind, train_steps)
    return DiffusionObjective(chain, Target("x0"), gamma, dropout, blur_noise)


@node(
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
    chain = schedule(kind, train_steps)
    return DiffusionObjective(chain, Target(predict, True), gamma, dropout, blur_noise)


@node(words=("unCLIP", "decoder", "DALL·E 2"))
def unclip_objective(
    objective: Annotated[Objective, Doc("What the decoder predicts.")],
    clip: Clip,
    dropout: Annotated[
        float, Range(0, 1), Doc("Probability that an embedding is replaced by the learned null.")
    ] = 0.1,
) -> Objective:
    """The same with CLIP's embeddings of the pictures, for an unCLIP decoder. Captions are dropped independently.

    Raises Mismatch for an objective of no diffusion network. Ref: Ramesh et al. 2022, §2.1.
    """
    inner = _of_diffusion(objective)
    return replace(inner, clip=clip, embedding_dropout=dropout)


@node(words=("importance sampling", "loss second moment", "Improved DDPM", "timesteps"))
def importance_objective(
    objective: Annotated[Objective, Doc("What a network of diffusion minimises.")],
) -> Objective:
    """The same, with timesteps in proportion to √E[L²] of their last ten losses, weighted so that its mean stays the same.

    Until every timestep has ten losses they are visited alike. Raises Mismatch for an objective of no diffusion network.
    Ref: Nichol & Dhariwal 2021, §3.3, eq. 18.
    """
    return replace(_of_diffusion(objective), importance=True)


@node(words=("upsampler", "super resolution", "augmentation", "cascade"))
def degraded_objective(
    objective: Annotated[Objective, Doc("What the upsampler predicts.")],
    noise: Annotated[float, Range(0, 2), Doc("Largest deviation of noise.")] = 0.12,
    blur: Annotated[float, Range(0, 8), Doc("Largest σ of a Gaussian, in its pixels.")] = 0.6,
) -> Objective:
    """The same with low-resolution pictures that are blurred and noised, each by another strength.

    Conditioning augmentation: an upsampler learns to correct the errors of earlier stages. Raises Mismatch for an objective
    of no diffusion network.
    Ref: Ho et al. 2022 (cascaded diffusion), §4; Ramesh et al. 2022, §2.1.
    """
    return replace(_of_diffusion(objective), blur_noise=noise, blur=blur)


def _of_diffusion(objective: Objective) -> DiffusionObjective:
    if not isinstance(objective, DiffusionObjective):
        raise Mismatch("this objective trains no diffusion network of pictures", port="objective")
    return objective


@node(words=("student", "progressive distillation", "guidance distillation", "few steps"))
def distillation_objective(
    teacher: Annotated[UNet, Doc("A network of texts alone, which is not trained.")],
    steps: Annotated[
        Steps, Doc("The student's, to be drawn by ddim_sampler; as on noise_scheduler.")
    ] = "trailing4",
    substeps: Annotated[int, Range(1, 64), Doc("Steps of the teacher for one of them.")] = 2,
    guidance: Annotated[float, Range(-20, 100), Doc("The teacher's; 1 = none.")] = 1.0,
    gamma: Gamma = 5.0,
    dropout: Dropout = 0.0,
) -> Objective:
    """Do in one step of DDIM, without guidance, what a teacher does in `substeps`. The student starts best as the teacher.

    One substep of a guided teacher: guidance distillation, one call for two (Meng et al. 2023, §3.1). Two: progressive
    distillation (Salimans & Ho 2022, Alg. 2). Raises Mismatch where the teacher's chain cannot be cut so.
    """
    try:
        spaced = respace(teacher.trained, steps)
    except ValueError as error:
        raise Mismatch(str(error), port="steps") from None
    try:
        refined(spaced, substeps)
    except ValueError as error:
        raise Mismatch(str(error), port="substeps") from None
    return DistillationObjective(teacher, str(steps), substeps, guidance, gamma, dropout)


@node(words=("CLIP prior", "unCLIP prior"))
def prior_objective(
    clip: Annotated[Clip, Doc("The CLIP whose image embeddings are predicted.")],
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    dropout: Dropout = 0.1,
) -> Objective:
    """Predict CLIP's image embedding, from a noisy one and CLIP's encoding of the caption. Ref: Ramesh et al. 2022, §2.2."""
    return PriorObjective(clip, schedule(kind, train_steps), dropout)


@node(words=("classifier guidance", "cross-entropy", "labels"))
def classifier_objective(kind: Chain = "cosine", train_steps: TrainSteps = 1000) -> Objective:
    """Cross-entropy of the label of a noisy picture, at every timestep. Ref: Dhariwal & Nichol 2021, §4."""
    return ClassifierObjective(schedule(kind, train_steps))


@node(words=("CLIP",))
def contrastive_objective(
    noise: Annotated[float, Range(0, 2)] = 0.1,
    scale: Annotated[
        float, Range(1, 200), Doc("Of the cosines, for a network without one of its own.")
    ] = 20.0,
) -> Objective:
    """CLIP's symmetric contrastive loss over the captions and pictures of a batch. Ref: Radford et al. 2021, fig. 3."""
    return ContrastiveObjective(noise, scale)


@node(words=("CLIP", "CLIP guidance", "noised CLIP"))
def noisy_contrastive_objective(
    kind: Chain = "cosine",
    train_steps: TrainSteps = 1000,
    until: Annotated[
        int | None, Range(1), Doc("Only timesteps below this: slight noise, to begin with.")
    ] = None,
) -> Objective:
    """CLIP's contrastive loss on captions and noisy pictures, at every timestep. Ref: Nichol et al. 2022 (GLIDE), §2.4."""
    return NoisyContrastiveObjective(schedule(kind, train_steps), until)


@node(words=("CLIP prior", "unCLIP prior", "cross-entropy", "codes"))
def token_objective(
    clip: Annotated[Clip, Doc("The CLIP whose image embeddings are predicted.")],
    dropout: Dropout = 0.1,
) -> Objective:
    """Cross-entropy of the codes of CLIP's image embedding, each given those before it and CLIP's encoding of the caption.

    Ref: Ramesh et al. 2022, §2.2.
    """
    return TokenObjective(clip, dropout)
