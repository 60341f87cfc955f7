"""Noise schedules: chains of a network, respaced, and with resampling."""

from typing import Annotated

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.respacing import respace, with_resampling
from nodes.diffusion.schedule import Kind, Schedule, schedule
from nodes.models.prior import Prior
from nodes.models.unet import UNet
from nodes.wires.scalars import Steps


@node(words=("noise scheduler", "timesteps", "respacing"))
def noise_scheduler(
    model: UNet | Prior | None = None,
    kind: Annotated[
        Kind | None, Doc("The noise schedule of training, where no model gives it.")
    ] = None,
    train_steps: Annotated[int, Range(1, 100_000)] = 1000,
    steps: Annotated[
        Steps,
        Doc(
            "27, or 10,10,3,2,2 in equal sections, ddim50, trailing8, fast27; empty: as the model says, or all."
        ),
    ] = "",
) -> Schedule:
    """The timesteps of a sampler, respaced from the process that the model was trained on.

    Raises Mismatch when it cannot be respaced so, when neither a model nor a kind is given, or they disagree.
    Ref: Nichol & Dhariwal 2021, §4.
    """
    if model is None and kind is None:
        raise Mismatch("the trained chain is not known", hint="wire a model, or choose a kind")
    trained = schedule(kind, train_steps) if model is None else model.trained  # type: ignore[arg-type]
    if model is not None and kind not in (None, trained.kind):
        raise Mismatch(
            f"'{model.name}' was trained on a {trained.kind} chain, not a {kind} one", port="kind"
        )
    usual = "" if model is None else model.config.trained.respacing
    try:
        return respace(trained, usual if steps == "" else steps)
    except ValueError as error:
        raise Mismatch(str(error), port="steps") from None


@node(words=("RePaint", "resampling", "inpainting"))
def repaint_schedule(
    schedule: Schedule,
    jump: Annotated[int, Range(1, 1000), Doc("Steps that a jump goes back.")] = 10,
    resamples: Annotated[
        int, Range(1, 100), Doc("Times that each stretch is denoised; 1 = no jumps.")
    ] = 10,
) -> Schedule:
    """The schedule with jumps back to noisier steps, which harmonise the unknown part of a picture with the known part.

    For any sampler around a `mask_inpainter`. Raises Mismatch for a schedule that jumps already, or shorter than a jump.
    Ref: Lugmayr et al. 2022 (RePaint), §4.2.
    """
    if schedule.jumps:
        raise Mismatch("the schedule jumps already", port="schedule", hint="wire a noise_scheduler")
    if jump >= len(schedule):
        raise Mismatch(f"a jump of {jump} steps is longer than the schedule", port="jump")
    return with_resampling(schedule, jump, resamples)
