"""A student learns what its teacher's steps come to: against a direct computation, and by the loss that falls."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from test_unclip_training import PICTURES, learns, saved
from tiny import LARGE, READING

from nodegraph import Mismatch
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.process import q_sample
from nodes.diffusion.respacing import respace
from nodes.library.denoising import clip_x0, unet_denoiser
from nodes.library.guidance import classifier_free_guidance
from nodes.library.text import text_encoder
from nodes.library.training.objectives import distillation_objective
from nodes.models.unet import UNet
from nodes.networks.config import TrainedFor
from nodes.training.dataset import Batch
from nodes.training.draws import draw_for
from nodes.training.objectives.distillation import DistillationObjective

V = TrainedFor("v", False, "fixed_small", "cosine")


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> UNet:
    model = saved(
        tmp_path_factory.mktemp("teacher"), replace(READING, image_size=32, fold=2, trained=V), UNet
    )
    assert isinstance(model, UNet)
    return model


def objective(teacher: UNet, **options: object) -> DistillationObjective:
    made = distillation_objective(teacher, **options)  # type: ignore[arg-type]
    assert isinstance(made, DistillationObjective)
    return made


def batch_of(size: int) -> Batch:
    batch = PICTURES.batch(draw_for(0, 0, size).choice, size)
    return replace(batch, captions=("a red circle", "a blue star", "a square", "")[:size])


def guided(teacher: UNet, batch: Batch, scale: float) -> Denoiser[Any]:
    assert batch.captions is not None
    cond = unet_denoiser(teacher, [text_encoder(teacher, list(batch.captions))])
    uncond = unet_denoiser(teacher, [text_encoder(teacher, "")])
    return clip_x0(classifier_free_guidance(cond, uncond, scale))


def test_of_one_substep_it_learns_the_guided_prediction(teacher: UNet) -> None:
    """Meng et al. 2023, §3.1."""
    made, batch = objective(teacher, steps="trailing5", substeps=1, guidance=3.0), batch_of(3)
    step, x_t = torch.tensor([0, 2, 4]), torch.randn(3, 3, 32, 32)
    t = torch.tensor([199, 599, 999])
    expected = guided(teacher, batch, 3.0)(x_t, t).x0
    torch.testing.assert_close(made.taught(batch, x_t, step), expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_of_two_it_learns_what_leads_where_two_steps_of_ddim_do(
    teacher: UNet, guidance: float
) -> None:
    """Salimans & Ho 2022, Alg. 2, row by row in numbers: z_t → z_t' → z_t'', and x̃ = (z_t'' − σ''/σ z_t) / (α'' − σ''/σ α)."""
    made, batch = objective(teacher, steps="trailing4", guidance=guidance), batch_of(4)
    products = torch.cat([torch.ones(1).double(), teacher.trained.alphas_cumprod])  # ᾱ by level + 1
    step, start = torch.arange(4), torch.randn(4, 3, 32, 32)
    found = made.taught(batch, start, step)
    for row in range(4):
        high, middle, low = 250 * row + 250, 250 * row + 125, 250 * row
        one = Batch(batch.signal[row : row + 1], (batch.captions or ())[row : row + 1])
        predict, z = guided(teacher, one, guidance), start[row : row + 1]
        for now, then in ((high, middle), (middle, low)):
            x0 = predict(z, torch.tensor([now - 1])).x0
            eps = (z - products[now] ** 0.5 * x0) / (1 - products[now]) ** 0.5
            z = products[then] ** 0.5 * x0 + (1 - products[then]) ** 0.5 * eps
        ratio = ((1 - products[low]) / (1 - products[high])) ** 0.5
        expected = (z - ratio * start[row]) / (products[low] ** 0.5 - ratio * products[high] ** 0.5)
        torch.testing.assert_close(found[row], expected[0].float(), atol=2e-3, rtol=2e-3)


def test_the_loss_is_the_weighed_error_of_what_is_taught(teacher: UNet) -> None:
    """min(SNR + 1, γ) (x̃ − x_0)², for a student that predicts v: the error of v is that of x_0 times SNR + 1."""
    made, batch, draw = (
        objective(teacher, steps="trailing4", gamma=5.0),
        batch_of(4),
        draw_for(3, 1, 4),
    )
    module = teacher.module()
    found = made.loss(module, batch, draw)
    draw = draw_for(3, 1, 4)
    draw.uniform()
    schedule, step = respace(teacher.trained, "trailing4"), draw.timesteps(4)
    x_t = q_sample(schedule, batch.signal, step, draw.normal(batch.signal))
    cond = unet_denoiser(teacher, [text_encoder(teacher, list(batch.captions or ()))])
    error = (cond(x_t, schedule.timesteps[step]).x0 - made.taught(batch, x_t, step)).square()
    signal = schedule.alphas_cumprod[step]
    weight = (1 / (1 - signal)).clamp(max=5.0)
    expected = weight.float() * error.flatten(1).mean(1)
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_a_student_learns_and_its_teacher_stays_as_it_is(teacher: UNet) -> None:
    before = {name: value.clone() for name, value in teacher.module().state_dict().items()}
    student = teacher.build().train()
    student.load_state_dict(teacher.weights())
    assert learns(objective(teacher, steps="trailing4", guidance=3.0), student, 25) < 0.7
    after = teacher.module().state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_samples_are_drawn_without_guidance_in_the_students_steps(teacher: UNet) -> None:
    calls: list[tuple[int, int]] = []
    module = teacher.module()
    handle = module.register_forward_hook(
        lambda _, given, __: calls.append((len(given[0]), int(given[1][0])))
    )
    found = objective(teacher, steps="trailing4").sample(
        module, PICTURES, ["a red circle", "a star"]
    )
    handle.remove()
    assert found is not None and found.shape == (2, 3, 32, 32)
    assert calls == [(2, 999), (2, 749), (2, 499), (2, 249)]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LARGE, "other conditions"),
        (
            replace(
                READING, image_size=32, trained=TrainedFor("eps", True, "fixed_large", "cosine")
            ),
            "no variance",
        ),
        (replace(READING, image_size=16, trained=V), "another size"),
        (replace(READING, image_size=32, trained=replace(V, schedule="linear")), "chain"),
        (None, "only a UNet"),
    ],
)
def test_a_student_that_cannot_follow_is_refused(
    teacher: UNet, config: object, reason: str
) -> None:
    with pytest.raises(Mismatch, match=reason):
        objective(teacher).check(config)


def test_steps_that_cannot_be_cut_are_refused(teacher: UNet) -> None:
    with pytest.raises(Mismatch, match="cannot be cut into 2"):
        distillation_objective(teacher, steps="")
    with pytest.raises(Mismatch, match="1001 steps"):
        distillation_objective(teacher, steps="trailing1001")


def test_the_teacher_is_a_part_of_what_a_training_is(teacher: UNet, tmp_path: Path) -> None:
    other = saved(
        tmp_path, replace(READING, image_size=32, fold=2, trained=replace(V, x0_bound=2.0)), UNet
    )
    assert isinstance(other, UNet)
    assert objective(teacher).describe() != objective(other).describe()
