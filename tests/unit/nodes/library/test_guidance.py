"""Guidance and editing nodes on tiny networks of the real classes, and the orders that they refuse."""

from pathlib import Path

import pytest
import torch
from tiny import PLAIN, Models, drawn

from nodegraph import Mismatch
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.samplers import Start, ddim
from nodes.library.conditioning import known_pixels, label, low_resolution, upsampler_conditions
from nodes.library.denoising import clip_x0, dynamic_threshold, unet_denoiser
from nodes.library.guidance import (
    classifier_free_guidance,
    classifier_guidance,
    clip_guidance,
    content_guidance,
    guidance_interval,
    guidance_rescale,
    structure_guidance,
    style_guidance,
)
from nodes.library.masks import mask_inpainter
from nodes.library.noise import forward_diffusion
from nodes.library.sampling import ancestral_sampler, ddim_inversion, ddim_sampler, film_strip
from nodes.library.schedules import noise_scheduler, repaint_schedule
from nodes.library.text import text_encoder
from nodes.models.classifier import Classifier
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet

T = torch.tensor([700, 700])
X = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
PICTURE = torch.rand(1, 3, 20, 28, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_label_is_a_number_or_a_name() -> None:
    assert label([0]).labels.tolist() == [0]
    assert label(["orange square", " Pink  Diamond", "", "7"]).labels.tolist() == [9, 63, 64, 7]
    with pytest.raises(Mismatch, match="no class 'red cirle'") as caught:
        label(["red cirle"])
    assert "red circle" in str(caught.value.hint)


def test_a_network_is_told_its_class(models: Models) -> None:
    network = models(UNet, "adm/diffusion")
    red, none = (unet_denoiser(network, [label([name])]) for name in ("red circle", ""))
    assert not torch.equal(red(X, T).x0, none(X, T).x0)
    both = unet_denoiser(network, [label(["red circle", ""])])
    assert both.rows == 2
    torch.testing.assert_close(both(X, T).x0[1], none(X, T).x0[1])
    module = network.module()
    output = module(X, T, embedding=module.label_embedding(torch.tensor([0, 64])))
    torch.testing.assert_close(both(X, T).variance, output.chunk(2, 1)[1])
    with pytest.raises(Mismatch, match="has 65 classes, there is no number 65"):
        unet_denoiser(network, [label([65])])
    with pytest.raises(Mismatch, match="wants a label condition"):
        unet_denoiser(network)
    with pytest.raises(Mismatch, match="takes no label condition"):
        unet_denoiser(models.unconditional, [label([1])])


def test_known_pixels_of_any_resolution(models: Models) -> None:
    network = models(UNet, "glide/inpaint")
    text = text_encoder(network, "a red circle")
    mask = torch.zeros(1, 1, 10, 14)
    mask[..., :7] = 1
    told = unet_denoiser(network, [text, known_pixels(PICTURE, mask)])
    pixels = told.conditions["pixels"]
    assert pixels.shape == (1, 4, 16, 16)
    assert set(pixels[:, 3].unique().tolist()) == {0.0, 1.0}
    assert float(pixels[0, :3, :, 9:].abs().max()) == 0
    spoilt = torch.where(mask.repeat_interleave(2, 2).repeat_interleave(2, 3) == 1, PICTURE, 1.0)
    again = unet_denoiser(network, [text, known_pixels(spoilt, mask)]).conditions["pixels"]
    torch.testing.assert_close(again, pixels, atol=1e-5, rtol=0)
    with pytest.raises(Mismatch, match="wants a known-pixels condition"):
        unet_denoiser(network, [text])
    with pytest.raises(Mismatch, match="pictures and masks of 2 and 3 rows"):
        known_pixels(PICTURE.repeat(2, 1, 1, 1), mask.repeat(3, 1, 1, 1))


def test_upsamplers_are_told_what_they_want(models: Models) -> None:
    for name, channels in (("upsample", 3), ("upsample_inpaint", 7)):
        network = models(UNet, f"glide/{name}")
        found = unet_denoiser(network, upsampler_conditions(network, X, "a star"))
        assert found.conditions["pixels"].shape == (2, channels, 32, 32)
    mask = torch.ones(1, 1, 32, 32)
    big = torch.zeros(1, 3, 32, 32)
    told = unet_denoiser(network, upsampler_conditions(network, X, "", big, mask))
    assert float(told.conditions["pixels"][:, 3].min()) == 1
    with pytest.raises(Mismatch, match="needs a mask"):
        upsampler_conditions(network, X, "", big)
    small = low_resolution(X).pixels
    torch.testing.assert_close(told.conditions["pixels"].shape[0], len(small))


def test_a_mask_leaves_known_pixels_as_they_are(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    picture = torch.rand(1, 3, 16, 16) * 2 - 1
    guided = classifier_guidance(inner, models.classifier, label([3]), 5.0)
    kept = mask_inpainter(guided, picture, mask)
    found = kept(X, T)
    assert torch.equal(found.x0[..., :8], picture.expand(2, -1, -1, -1)[..., :8])
    assert torch.equal(found.x0[..., 8:], inner(X, T).x0[..., 8:])
    assert float(found.score[..., :8].abs().max()) == 0
    assert float(found.score[..., 8:].abs().max()) > 0
    schedule = noise_scheduler(models.unconditional, steps=4)
    for sampler in (ancestral_sampler, ddim_sampler):
        image = drawn(sampler(clip_x0(kept), schedule, count=2))
        difference = (image - picture)[..., :8].abs().max()
        assert float(difference) < 1e-5
    assert mask_inpainter(inner) is inner
    with pytest.raises(Mismatch, match="belong together"):
        mask_inpainter(inner, picture)
    soft = mask_inpainter(inner, picture, mask / 2)(X, T).x0
    torch.testing.assert_close(soft[..., :8], (picture + inner(X, T).x0)[..., :8] / 2)


def guides(models: Models, inner, scale: float):
    clip = models.clip
    return {
        "classifier": classifier_guidance(inner, models.classifier, label(["red circle"]), scale),
        "clip": clip_guidance(inner, clip, "a red circle", scale),
        "content": content_guidance(inner, clip, PICTURE, scale),
        "structure": structure_guidance(inner, clip, PICTURE, scale),
        "style": style_guidance(inner, clip, PICTURE, scale, layers=[1]),
    }


def test_every_guide_pulls_uphill_and_leaves_x0_alone(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    plain = inner(X, T)
    for name, guided in guides(models, inner, 2.0).items():
        found = guided(X, T)
        assert torch.equal(found.x0, plain.x0), name
        assert torch.equal(found.variance, plain.variance), name
        step = 0.3 * found.score / found.score.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
        up, down = (guided.log_probability(X + way * step, T) for way in (1, -1))
        assert bool((up > down).all()), name
        assert not found.score.requires_grad
    for name, guided in guides(models, inner, 0.0).items():
        assert float(guided(X, T).score.abs().max()) == 0, name


def test_scores_of_nested_guides_add_up(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    text = clip_guidance(inner, models.clip, "a blue square", 2.0)
    both = style_guidance(text, models.clip, PICTURE, 50.0)
    alone = style_guidance(inner, models.clip, PICTURE, 50.0)
    torch.testing.assert_close(both(X, T).score, text(X, T).score + alone(X, T).score)


def test_the_noise_of_a_reference_belongs_to_sample_and_seed(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    one, two = (content_guidance(inner, models.clip, PICTURE, 3.0, seed) for seed in (0, 1))
    assert torch.equal(one(X, T).score, one(X, T).score)
    torch.testing.assert_close(one(X[:1], T[:1]).score, one(X, T).score[:1])
    assert not torch.allclose(one(X, T).score, two(X, T).score)
    assert not torch.allclose(one(X, T - 1).score, one(X, T).score)


def test_rows_of_a_guide_are_rows_of_pictures(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    guided = classifier_guidance(inner, models.classifier, label([1, 5]), 3.0)
    assert guided.rows == 2
    schedule = noise_scheduler(models.unconditional, steps=2)
    assert drawn(ddim_sampler(clip_x0(guided), schedule, count=3)).shape == (6, 3, 16, 16)
    single = classifier_guidance(inner, models.classifier, label([5]), 3.0)
    torch.testing.assert_close(guided(X, T).score[1], single(X, T).score[1])


def test_rescaling_brings_the_deviation_back(models: Models) -> None:
    network = models(UNet, "adm/diffusion")
    cond, uncond = (unet_denoiser(network, [label([i])]) for i in (3, 64))
    guided = classifier_free_guidance(cond, uncond, 1000.0)
    wide, narrow = (d(X, T).x0.flatten(1).std(1) for d in (guided, cond))
    assert bool((wide > 1.1 * narrow).all())
    for phi, expected in ((0.0, wide), (1.0, narrow), (0.5, (wide + narrow) / 2)):
        found = guidance_rescale(guided, cond, phi)(X, T)
        torch.testing.assert_close(found.x0.flatten(1).std(1), expected)


def test_orders_that_make_no_sense_are_refused_with_the_reason(models: Models) -> None:
    inner = unet_denoiser(models.unconditional)
    mask = torch.ones(1, 1, 16, 16)
    clipped, kept = clip_x0(inner), mask_inpainter(inner, PICTURE, mask)
    thresholded = dynamic_threshold(inner)
    for settled, reason in ((clipped, "range"), (thresholded, "range"), (kept, "known pixels")):
        nested = guidance_interval(settled, inner, 0, 500)
        for bad in (settled, clip_x0(settled), nested):
            for refused in (
                lambda bad=bad: classifier_free_guidance(bad, inner, 3.0),
                lambda bad=bad: classifier_free_guidance(inner, bad, 3.0),
                lambda bad=bad: guidance_rescale(bad, inner),
                lambda bad=bad: guidance_rescale(inner, bad),
                lambda bad=bad: dynamic_threshold(bad),
            ):
                with pytest.raises(Mismatch, match=reason if bad is settled else "range|known"):
                    refused()
    for make in guides(models, inner, 1.0):
        with pytest.raises(Mismatch, match="a guide would pull at them"):
            guides(models, kept, 1.0)[make]


def test_guides_of_another_chain_size_or_class_are_refused(models: Models, tmp_path: Path) -> None:
    from dataclasses import replace

    from tiny import ADM, GLIDE, write_bundle

    linear = replace(PLAIN.trained, schedule="linear")
    write_bundle(
        tmp_path,
        {
            "linear": replace(ADM["classifier"], trunk=replace(PLAIN, trained=linear)),
            "clean": replace(GLIDE["clip"], train_steps=0),
            "large": replace(GLIDE["clip"], image_size=32),
        },
    )
    other = Models(tmp_path)
    inner = unet_denoiser(models.unconditional)
    with pytest.raises(Mismatch, match="knows the noise of a linear chain of 1000 steps"):
        classifier_guidance(inner, other(Classifier, "linear"), label([0]))
    with pytest.raises(Mismatch, match="knows clean pictures only"):
        clip_guidance(inner, other(NoisedClip, "clean"), "a star")
    with pytest.raises(Mismatch, match=r"looks at 32 px, the denoiser makes \[3, 16, 16\]"):
        content_guidance(inner, other(NoisedClip, "large"), PICTURE)
    with pytest.raises(Mismatch, match="has 64 classes, there is no number 64"):
        classifier_guidance(inner, models.classifier, label([""]))
    with pytest.raises(Mismatch, match="is no class"):
        classifier_guidance(inner, models.classifier, low_resolution(X))
    with pytest.raises(Mismatch, match="has 2 layers, there is no 3"):
        structure_guidance(inner, models.clip, PICTURE, layers=[3])


def test_sdedit_starts_where_the_noise_says(models: Models) -> None:
    inner = clip_x0(unet_denoiser(models.unconditional))
    schedule = noise_scheduler(models.unconditional, steps=10)
    picture = PICTURE[..., :16, :16]
    noised = forward_diffusion(picture, schedule, strength=0.5)
    assert noised.start.timestep == int(schedule.timesteps[4])
    assert torch.equal(noised.image, noised.start.x_t)
    steps = list(ancestral_sampler(inner, schedule, start=noised.start))
    assert [p.total for p in steps] == [5] * 5
    odd = forward_diffusion(picture, schedule, t=[700, 5])
    assert (odd.image.shape[0], odd.start.timestep, len(odd.start.x_t)) == (2, 5, 1)
    torch.testing.assert_close(odd.image[1:], odd.start.x_t)
    assert len(list(ddim_sampler(inner, schedule, start=odd.start))) == 2
    many = drawn(ancestral_sampler(inner, schedule, count=3, start=noised.start))
    assert many.shape == (3, 3, 16, 16)
    with pytest.raises(Mismatch, match=r"the start is \[3, 20, 28\]"):
        drawn(ddim_sampler(inner, schedule, start=forward_diffusion(PICTURE, schedule).start))
    with pytest.raises(Mismatch, match="noised along a linear chain"):
        linear = noise_scheduler(kind="linear", steps=10)
        drawn(ddim_sampler(inner, schedule, start=forward_diffusion(picture, linear).start))
    with pytest.raises(Mismatch, match="within 0 and 999"):
        forward_diffusion(picture, schedule, t=[1000])


def test_inversion_is_a_start(models: Models) -> None:
    from nodes.library.embeddings import slerp

    inner = clip_x0(unet_denoiser(models.unconditional))
    schedule = noise_scheduler(models.unconditional, steps=4)
    picture = PICTURE[..., :16, :16]
    noise = drawn(ddim_inversion(inner, schedule, picture))
    assert noise.timestep == 999
    *_, last = ddim(inner, schedule, Start(SeededNoise(0), x_t=noise.x_t))
    assert torch.equal(drawn(ddim_sampler(inner, schedule, start=noise)), last.x_t)
    between = slerp(noise, noise, [0.0, 1.0])
    assert (len(between.x_t), between.timestep) == (2, noise.timestep)
    with pytest.raises(Mismatch, match="cannot be inverted"):
        drawn(ddim_inversion(inner, repaint_schedule(schedule, 1, 2), picture))


def test_a_film_strip_shows_the_way(models: Models) -> None:
    inner = clip_x0(unet_denoiser(models.unconditional))
    schedule = noise_scheduler(models.unconditional, steps=8)
    strip = drawn(film_strip(inner, schedule, frames=4, seed=2, count=2))
    assert strip.noisy.shape == strip.predicted.shape == (8, 3, 16, 16)
    assert torch.equal(strip.noisy[3::4], strip.image)
    assert torch.equal(strip.image, drawn(ancestral_sampler(inner, schedule, seed=2, count=2)))
    assert float(strip.noisy[0].std()) != float(strip.noisy[3].std())
    assert float(strip.predicted.abs().max()) <= 1
