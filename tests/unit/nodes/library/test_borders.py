"""What nodes take and refuse just at the borders of what they say."""

from dataclasses import replace

import pytest
import torch
from tiny import Models, drawn

from nodegraph import Mismatch
from nodes.diffusion.noise import Noise
from nodes.library.conditioning import known_pixels, label
from nodes.library.denoising import clip_x0, dynamic_threshold, unet_denoiser
from nodes.library.embeddings import lerp, pca_fit, pca_project, pca_reconstruct, slerp
from nodes.library.evaluation.fidelity import clip_passage, pairwise_difference
from nodes.library.guidance import (
    classifier_free_guidance,
    classifier_guidance,
    guidance_interval,
    structure_guidance,
    style_guidance,
)
from nodes.library.masks import mask_from_image, mask_inpainter, mask_rectangle
from nodes.library.noise import forward_diffusion
from nodes.library.pictures import crop, grid, paste
from nodes.library.sampling import ancestral_sampler, ddim_sampler, dpm_solver_sampler, film_strip
from nodes.library.schedules import noise_scheduler, repaint_schedule
from nodes.models.embeddings import Embedding
from nodes.models.unet import UNet
from nodes.wires.noise import PORT_TYPES

PICTURE = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
T = torch.tensor([700, 700])


def test_layers_are_counted_from_one(models: Models) -> None:
    inner, clip = unet_denoiser(models.unconditional), models.clip
    count = clip.config.image_layers
    each = [
        style_guidance(inner, clip, PICTURE, layers=[n])(X, T).score for n in range(1, count + 1)
    ]
    every, none = (style_guidance(inner, clip, PICTURE, layers=n)(X, T).score for n in ([1, 2], []))
    assert each[0] is not None and not torch.allclose(each[0], each[1])  # type: ignore[arg-type]
    torch.testing.assert_close(every, each[0] + each[1])  # type: ignore[operator]
    torch.testing.assert_close(none, every)
    for bad in (0, count + 1, -1):
        with pytest.raises(Mismatch, match=f"has {count} layers, there is no {bad}"):
            structure_guidance(inner, clip, PICTURE, layers=[1, bad])


def test_classes_are_counted_from_zero(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    for good in (0, 63):
        classifier_guidance(inner, models.classifier, label([good]))
    with pytest.raises(Mismatch, match="no number 64"):
        classifier_guidance(inner, models.classifier, label([0, 64]))
    assert unet_denoiser(models(UNet, "adm/diffusion"), [label([64])]).rows == 1


def test_timesteps_of_a_start(models: Models) -> None:
    schedule = noise_scheduler(models.unconditional, steps=5)
    for good in (0, 999):
        assert forward_diffusion(PICTURE, schedule, t=[good]).start.timestep == good
    for bad in (-1, 1000):
        with pytest.raises(Mismatch, match=f"t is within 0 and 999, not {bad}"):
            forward_diffusion(PICTURE, schedule, t=[500, bad])
    strengths = [
        forward_diffusion(PICTURE, schedule, strength=s).start.timestep for s in (0, 0.2, 1)
    ]
    assert strengths == [int(schedule.timesteps[i]) for i in (0, 0, 4)]
    clean = forward_diffusion(PICTURE, noise_scheduler(models.unconditional), t=[0]).image
    assert 0 < float((clean - PICTURE).abs().max()) < 0.1


def test_noise_on_a_wire_stands_within_its_chain() -> None:
    check = PORT_TYPES[Noise].check
    assert check is not None
    found = [check(Noise(X, step, "cosine", 10)) for step in (-1, 0, 9, 10)]
    assert [fault is None for fault in found] == [False, True, True, False]
    assert check(Noise(X.double(), 0, "cosine", 10)) is not None


def test_jumps_are_shorter_than_the_schedule(models: Models) -> None:
    schedule = noise_scheduler(models.unconditional, steps=5)
    assert repaint_schedule(schedule, 4, 2).jumps == 1
    assert repaint_schedule(schedule, 4, 1).jumps == 0
    with pytest.raises(Mismatch, match="a jump of 5 steps is longer than the schedule"):
        repaint_schedule(schedule, 5, 2)


def test_bounds_have_something_between_them(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    assert clip_x0(inner)(X, T).x0.abs().max() <= 1
    found = clip_x0(inner, -0.25, 0.5)(X, T).x0
    assert (float(found.min()), float(found.max())) == (-0.25, 0.5)
    assert float(clip_x0(inner, low=-0.5)(X, T).x0.max()) == 1
    assert float(clip_x0(inner, high=0.5)(X, T).x0.min()) == -1
    for low, high in ((0.5, 0.5), (1.0, 0.5)):
        with pytest.raises(Mismatch, match="must be below high"):
            clip_x0(inner, low, high)


def test_samples_and_rows_of_conditions_are_multiples(models: Models) -> None:
    network = models(UNet, "adm/diffusion")
    schedule = noise_scheduler(network, steps=2)
    denoiser = clip_x0(unet_denoiser(network, [label([0, 1])]))

    def made(rows: int, count: int = 1) -> int:
        start = Noise(torch.zeros(rows, 3, 16, 16), 999, "cosine", 1000)
        return len(drawn(ddim_sampler(denoiser, schedule, count=count, start=start)))

    assert [made(1), made(2), made(4), made(2, 3)] == [2, 2, 4, 6]
    with pytest.raises(
        Mismatch, match="2 rows of conditions cannot be shared out over 3 samples to start from"
    ):
        made(3)


def test_frames_of_a_film(models: Models) -> None:
    inner = clip_x0(unet_denoiser(models.unconditional))
    schedule = noise_scheduler(models.unconditional, steps=3)
    strips = {n: drawn(film_strip(inner, schedule, frames=n)) for n in (1, 2, 3, 9)}
    assert [len(strip.noisy) for strip in strips.values()] == [1, 2, 3, 3]
    assert all(torch.equal(s.noisy[-1:], s.image) for s in strips.values())
    assert torch.equal(strips[2].noisy, strips[3].noisy[[1, 2]])
    seen = [p.preview for p in ancestral_sampler(inner, schedule)]
    torch.testing.assert_close(torch.cat(seen), strips[3].predicted)
    two = drawn(film_strip(inner, schedule, frames=3, count=2))
    torch.testing.assert_close(two.noisy[:3], strips[3].noisy, atol=1e-5, rtol=1e-4)
    assert torch.equal(two.noisy[2::3], two.image)


def test_intervals_within_the_chain(models: Models) -> None:
    network = models(UNet, "adm/diffusion")
    one, other = (unet_denoiser(network, [label([i])]) for i in (3, 64))
    interval = guidance_interval(one, other, 300, 700)
    for t, wanted in ((299, other), (300, one), (700, one), (701, other)):
        at = torch.full((2,), t)
        assert torch.equal(interval(X, at).x0, wanted(X, at).x0), t


def test_scales_of_a_pair_of_branches(models: Models) -> None:
    network = models(UNet, "adm/diffusion")
    cond, uncond = (unet_denoiser(network, [label([i])]) for i in (3, 64))
    c, u = cond(X, T), uncond(X, T)
    for scale in (-1.0, 0.0, 0.999, 1.0, 1.001, 7.5):
        found = classifier_free_guidance(cond, uncond, scale)(X, T)
        torch.testing.assert_close(found.x0, u.x0 + scale * (c.x0 - u.x0), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found.variance, c.variance)


def test_two_guided_branches_combine_their_scores(models: Models) -> None:
    """A missing score counts as none: with the scale as x_0 does."""
    network = models(UNet, "adm/diffusion")
    cond, uncond = (unet_denoiser(network, [label([i])]) for i in (3, 64))
    pulled, other = (
        classifier_guidance(d, models.classifier, label([i]), 2.0)
        for d, i in ((cond, 5), (uncond, 9))
    )
    own, away = pulled(X, T).score, other(X, T).score
    assert own is not None and away is not None
    for first, second, wanted in (
        (pulled, uncond, 3 * own),
        (cond, other, -2 * away),
        (pulled, other, away + 3 * (own - away)),
    ):
        torch.testing.assert_close(classifier_free_guidance(first, second, 3.0)(X, T).score, wanted)


def test_thresholds_of_percentiles(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    x0 = inner(X, T).x0
    most = x0.abs().flatten(1).amax(1).clamp(min=1).reshape(-1, 1, 1, 1)
    torch.testing.assert_close(dynamic_threshold(inner, 1.0)(X, T).x0, x0 / most)
    assert float(dynamic_threshold(inner, 0.0)(X, T).x0.abs().max()) <= 1


def test_grey_masks_mix(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    x0 = inner(X, T).x0
    for grey in (0.0, 0.25, 1.0):
        found = mask_inpainter(inner, PICTURE, torch.full((1, 1, 16, 16), grey))(X, T).x0
        torch.testing.assert_close(found, grey * PICTURE + (1 - grey) * x0)


def test_rectangles_and_brightness() -> None:
    assert float(mask_rectangle(0, 0, 1, 1, size=4).max()) == 0
    for box in ((0.5, 0, 0.5, 1), (0, 0.5, 1, 0.5), (0.6, 0, 0.5, 1)):
        with pytest.raises(Mismatch, match="are no rectangle"):
            mask_rectangle(*box, size=4)
    greys = torch.tensor([-1.0, 0.0, 1.0]).reshape(1, 1, 1, 3).expand(-1, 3, -1, -1)
    assert mask_from_image(greys).flatten().tolist() == pytest.approx([0, 0.5, 1])
    for threshold, wanted in ((0.0, [1, 1, 1]), (0.4, [0, 1, 1]), (0.6, [0, 0, 1])):
        assert mask_from_image(greys, threshold).flatten().tolist() == wanted
    black = torch.full((1, 3, 1, 1), -1.0)
    assert float(mask_from_image(black, 0.0)) == 1  # at the threshold itself a pixel is known


def test_windows_touch_the_edge() -> None:
    assert torch.equal(crop(PICTURE, 8, 12, 8, 4), PICTURE[:, :, 8:, 12:])
    for window in ((9, 0, 8, 4), (0, 13, 8, 4)):
        with pytest.raises(Mismatch, match="leave a picture"):
            crop(PICTURE, *window)
    assert torch.equal(
        paste(PICTURE[..., :4, :4], PICTURE, top=12, left=12)[..., 12:, 12:], PICTURE[..., :4, :4]
    )
    with pytest.raises(Mismatch, match="leave a picture"):
        paste(PICTURE[..., :4, :4], PICTURE, top=13, left=0)


def test_columns_of_a_grid() -> None:
    four = PICTURE.expand(4, -1, -1, -1)
    sizes = {n: tuple(grid([four], columns=n, gap=0).shape[-2:]) for n in (0, 1, 3, 4, 5)}
    assert sizes == {0: (32, 32), 1: (64, 16), 3: (32, 48), 4: (16, 64), 5: (16, 64)}


def test_batches_of_known_pixels() -> None:
    two, mask = PICTURE.expand(2, -1, -1, -1), torch.ones(1, 1, 16, 16)
    for image, known, rows in ((two, mask, 2), (PICTURE, mask.expand(2, -1, -1, -1), 2)):
        assert len(known_pixels(image, known).pixels) == rows  # type: ignore[arg-type]
    with pytest.raises(Mismatch, match="pictures and masks of 2 and 3 rows"):
        known_pixels(two, mask.expand(3, -1, -1, -1))


@pytest.mark.parametrize("mix", [slerp, lerp])
def test_the_ends_of_a_path(mix) -> None:
    a, b = X[:1].flatten(1), X[1:].flatten(1)
    torch.testing.assert_close(mix(a, b, [0.0, 1.0]), torch.cat([a, b]), atol=1e-4, rtol=1e-4)
    assert mix(a, torch.cat([b, b, b]), 0.5).shape == mix(torch.cat([a, a, a]), b, 0.5).shape
    with pytest.raises(Mismatch, match="cannot be interpolated"):
        mix(torch.cat([a, a]), torch.cat([b, b, b]), 0.5)


def test_numbers_of_components_and_of_pictures() -> None:
    rows = Embedding(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), "tiny")
    pca = pca_fit(rows, 4)
    coefficients = pca_project(pca, rows)
    assert torch.equal(pca_reconstruct(pca, coefficients, 0).values, pca.mean.expand(6, -1))
    torch.testing.assert_close(pca_reconstruct(pca, coefficients, 4).values, rows.values)
    with pytest.raises(Mismatch, match="5 components of 4"):
        pca_reconstruct(pca, coefficients, [1, 5])
    assert len(pairwise_difference(X, 2).rows) == 1
    with pytest.raises(Mismatch, match="are no sets of 1"):
        pairwise_difference(X, 1)
    same = Embedding(torch.tensor([[1.0, 0.0], [1.0, 0.0]]), "tiny")
    one = Embedding(same.values[:1], "tiny")
    still = clip_passage(same, one, one).paths
    assert [still.column(c) for c in ("away", "towards", "monotone", "right_steps")] == [[1.0]] * 4
    with pytest.raises(Mismatch, match="1 pictures on the way"):
        clip_passage(one, one, one)


def test_samples_of_several_seeds_are_those_of_each_seed_alone(models: Models) -> None:
    unet = models(UNet, "adm/diffusion")
    plain, schedule = clip_x0(unet_denoiser(unet, [label([3])])), noise_scheduler(unet, steps=3)
    for sampler in (ancestral_sampler, ddim_sampler, dpm_solver_sampler):
        three = drawn(sampler(plain, schedule, seed=[7, 8, 7]))
        alone = [drawn(sampler(plain, schedule, seed=seed)) for seed in (7, 8, 7)]
        torch.testing.assert_close(three, torch.cat(alone), atol=1e-4, rtol=1e-4)
        assert not torch.allclose(three[0], three[1])
    strip = drawn(film_strip(plain, schedule, frames=2, seed=[7, 8]))
    assert strip.image.shape[0] == 2
    two = unet_denoiser(unet, [label([0, 1])])
    assert len(drawn(ddim_sampler(two, schedule, seed=[1, 2, 3, 4]))) == 4
    with pytest.raises(Mismatch, match="3 seeds cannot be shared out over 2 rows of conditions"):
        drawn(ddim_sampler(two, schedule, seed=[1, 2, 3]))
    with pytest.raises(Mismatch, match="1 rows of conditions cannot be shared out over 0 seeds"):
        drawn(ddim_sampler(plain, schedule, seed=[]))


def test_a_seed_may_have_several_samples(models: Models) -> None:
    unet = models(UNet, "adm/diffusion")
    one, schedule = clip_x0(unet_denoiser(unet, [label([3])])), noise_scheduler(unet, steps=3)
    two = clip_x0(unet_denoiser(unet, [label([3, 3])]))
    four = clip_x0(unet_denoiser(unet, [label([3] * 4)]))
    alone = torch.cat([drawn(ancestral_sampler(one, schedule, seed=s, count=2)) for s in (7, 8)])
    for denoiser, count in ((one, 2), (two, 2), (four, 1)):
        several = drawn(ancestral_sampler(denoiser, schedule, seed=[7, 8], count=count))
        torch.testing.assert_close(several, alone, atol=1e-4, rtol=1e-4)
    noisy = torch.linspace(-1, 1, 4 * 3 * 16 * 16).reshape(4, 3, 16, 16)
    x_t = Noise(noisy, 500, *schedule.chain)  # where a rounding of ε is none of x_0's sign
    begun = drawn(ancestral_sampler(one, schedule, seed=[7, 8], start=x_t))
    pairs = {7: replace(x_t, x_t=noisy[:2]), 8: replace(x_t, x_t=noisy[2:])}
    each = [drawn(ancestral_sampler(one, schedule, seed=s, start=p)) for s, p in pairs.items()]
    torch.testing.assert_close(begun, torch.cat(each), atol=1e-4, rtol=1e-4)
