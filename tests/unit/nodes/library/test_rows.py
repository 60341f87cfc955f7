"""Rows are told apart wherever there are rows: each condition, guide, mask and start is of its own samples alone, and each
sample has noise of its own."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny import Models, drawn
from torch import Tensor

from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import INITIAL, Noise, RecordedNoise, SeededNoise
from nodes.library import conditioning as conditions
from nodes.library import denoising, embeddings, guidance, masks, noise, pictures, sampling
from nodes.library.clip import best_candidate, clip_image, clip_rerank, clip_text, text_as_image
from nodes.library.denoising import unet_denoiser
from nodes.library.embeddings import pca_fit, pca_project, pca_reconstruct
from nodes.library.evaluation import agreement
from nodes.library.masks import invert_mask, mask_from_image
from nodes.library.priors import prior_denoiser
from nodes.library.schedules import noise_scheduler
from nodes.library.text import text_encoder
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.models.prior import Prior
from nodes.models.unet import UNet

TEXTS = ("a red circle", "a blue star", "a red square")
EACH = 2
"""Samples of each row of conditions."""
PICKS = ([0, 1], [0, 2], [1, 0])


def of(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


PICTURES = of(3, 3, 16, 16)
MASKS = (of(3, 1, 16, 16, seed=1) > 0).float()


class Given:
    """The tiny models, and every kind of condition of the texts and pictures of those numbers."""

    def __init__(self, models: Models) -> None:
        self.models = models
        self.plain = unet_denoiser(models.unconditional)

    def unet(self, name: str) -> UNet:
        return self.models(UNet, name)

    @property
    def clip(self) -> Clip:
        return self.models(Clip, "unclip/clip")

    def read(self, picks: list[int]) -> dict[str, Any]:
        found = clip_text(self.clip, [TEXTS[i] for i in picks])
        return {"text": found.tokens, "embedding": found.embedding}

    def seen(self, picks: list[int]) -> Embedding:
        return clip_image(self.clip, PICTURES[picks])


@pytest.fixture(scope="module")
def given(models: Models) -> Given:
    return Given(models)


def _text(g: Given, picks: list[int]) -> Denoiser:
    base = g.unet("glide/base")
    return unet_denoiser(base, [text_encoder(base, [TEXTS[i] for i in picks])])


def _label(g: Given, picks: list[int]) -> Denoiser:
    return unet_denoiser(g.unet("adm/diffusion"), [conditions.label(picks)])


def _upsampler(g: Given, picks: list[int]) -> Denoiser:
    network = g.unet("glide/upsample_inpaint")
    image, mask = of(3, 3, 32, 32, seed=2)[picks], MASKS[picks]
    told = conditions.upsampler_conditions(network, PICTURES[picks], "a star", image, mask)
    return unet_denoiser(network, told)


def _known(g: Given, picks: list[int]) -> Denoiser:
    network = g.unet("glide/inpaint")
    known = conditions.known_pixels(PICTURES[:1], MASKS[picks])
    return unet_denoiser(network, [text_encoder(network, "a star"), known])


def _decoder(g: Given, picks: list[int]) -> Denoiser:
    network = g.unet("unclip/decoder")
    told = conditions.decoder_conditions(network, g.clip, g.seen(picks), "a star")
    return unet_denoiser(network, told)


def _image_guide(node: Callable[..., Denoiser]) -> Callable[[Given, list[int]], Denoiser]:
    return lambda g, picks: node(g.plain, g.models.clip, PICTURES[picks])


def _free(g: Given, picks: list[int]) -> Denoiser:
    return guidance.classifier_free_guidance(_label(g, picks), _label(g, [64]), 3.0)


def _away(g: Given, picks: list[int]) -> Denoiser:
    return guidance.classifier_free_guidance(_label(g, [64]), _label(g, picks), 3.0)


DENOISERS: dict[str, Callable[[Given, list[int]], Denoiser]] = {
    "text": _text,
    "label": _label,
    "upsampler": _upsampler,
    "known pixels": _known,
    "decoder": _decoder,
    "prior": lambda g, picks: prior_denoiser(g.models(Prior, "unclip/prior"), **g.read(picks)),
    "classifier-free": _free,
    "away": _away,
    "rescale": lambda g, p: guidance.guidance_rescale(_free(g, p), _label(g, p), 0.7),
    "rescale one": lambda g, p: guidance.guidance_rescale(_free(g, p), _label(g, [3]), 0.7),
    "interval": lambda g, p: guidance.guidance_interval(_label(g, p), g.plain, 0, 999),
    "clip": lambda g, p: denoising.clip_x0(_label(g, p)),
    "threshold": lambda g, p: denoising.dynamic_threshold(_label(g, p), 0.8),
    "mask": lambda g, p: masks.mask_inpainter(g.plain, PICTURES[p], MASKS[:1]),
    "masks": lambda g, p: masks.mask_inpainter(g.plain, PICTURES[:1], MASKS[p]),
    "classifier": lambda g, p: guidance.classifier_guidance(
        g.plain, g.models.classifier, conditions.label(p), 3.0
    ),
    "clip guide": lambda g, p: guidance.clip_guidance(
        g.plain, g.models.clip, [TEXTS[i] for i in p], 3.0
    ),
    "content": _image_guide(guidance.content_guidance),
    "structure": _image_guide(guidance.structure_guidance),
    "style": _image_guide(guidance.style_guidance),
}
GUIDES = ("classifier", "clip guide", "content", "structure", "style")


def told(denoiser: Denoiser, x_t: Tensor) -> Tensor:
    """What is said of each sample: the score where there is one, else x_0, [B, …]."""
    found = denoiser(x_t, torch.full((len(x_t),), 600))
    return found.x0 if found.score is None else found.score


def differ(rows: Tensor, others: Tensor) -> bool:
    """Whether each row is another than the other's, by more than rounding."""
    far = (rows - others).flatten(1).norm(dim=1)
    return bool((far > 1e-3 * rows.flatten(1).norm(dim=1)).all())


@pytest.mark.parametrize("name", DENOISERS)
def test_a_row_of_conditions_speaks_to_its_own_samples(given: Given, name: str) -> None:
    first, other, turned = (DENOISERS[name](given, picks) for picks in PICKS)
    assert first.rows == 2
    x_t = of(2 * EACH, *first.sample_shape, seed=3)
    here, there = told(first, x_t), told(other, x_t)
    torch.testing.assert_close(here[:EACH], there[:EACH], atol=1e-5, rtol=1e-4)
    assert differ(here[EACH:], there[EACH:])
    if name not in ("content", "structure", "style"):  # whose noise is the sample's
        swapped = told(turned, x_t.roll(EACH, 0)).roll(EACH, 0)
        torch.testing.assert_close(swapped, here, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["content", "structure", "style"])
def test_each_sample_is_compared_with_a_reference_noised_for_itself(
    given: Given, name: str
) -> None:
    guided = DENOISERS[name](given, [0])
    x_t = of(1, *guided.sample_shape, seed=3).expand(3, -1, -1, -1)
    scores = guided(x_t, torch.full((3,), 600)).score
    assert scores is not None
    assert differ(scores, scores.roll(1, 0))
    levels = guided(x_t, torch.tensor([600, 600, 300])).score
    assert levels is not None
    torch.testing.assert_close(levels[:2], scores[:2], atol=1e-5, rtol=1e-4)
    assert differ(levels[2:], scores[2:])


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_counts_by_its_scale(given: Given, name: str) -> None:
    guided = DENOISERS[name](given, [0, 1])
    x_t, t = of(2, *guided.sample_shape, seed=3), torch.full((2,), 600)
    double = replace(guided, scale=2 * guided.scale)  # type: ignore[type-var]
    torch.testing.assert_close(double(x_t, t).score, 2 * guided(x_t, t).score)


SAMPLERS: dict[str, Callable[..., Any]] = {
    "ancestral": sampling.ancestral_sampler,
    "ddim": sampling.ddim_sampler,
    "ddim noisy": lambda *args, **more: sampling.ddim_sampler(*args, eta=1.0, **more),
    "dpm": sampling.dpm_solver_sampler,
    "film": sampling.film_strip,
}


def pictures_of(made: Any) -> Tensor:
    return made.image if isinstance(made, sampling.Strip) else made


@pytest.mark.parametrize("name", SAMPLERS)
def test_samples_of_one_condition_differ_and_keep_their_noise(given: Given, name: str) -> None:
    """Count samples for each row, row by row; a sample is the same in any batch, and another under another seed."""
    denoiser = denoising.clip_x0(_label(given, [0, 1]))
    schedule = noise_scheduler(given.models.unconditional, steps=3)

    def made(denoiser: Denoiser, **more: Any) -> Tensor:
        return pictures_of(drawn(SAMPLERS[name](denoiser, schedule, **more)))

    few, many = made(denoiser, count=1), made(denoiser, count=2)
    assert (len(few), len(many)) == (2, 4)
    assert all(differ(many, many.roll(by, 0)) for by in (1, 2))
    alone = made(denoising.clip_x0(_label(given, [0])), count=2)
    torch.testing.assert_close(many[:2], alone, atol=1e-4, rtol=1e-4)
    assert differ(made(denoiser, count=1, seed=1), few)
    assert differ(made(denoiser, count=1, stream="other"), few)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_start_of_several_rows_is_shared_out_row_by_row(given: Given, name: str) -> None:
    denoiser = denoising.clip_x0(given.plain)
    schedule = noise_scheduler(given.models.unconditional, steps=3)

    def made(x_t: Tensor, denoiser: Denoiser = denoiser, count: int = 1) -> Tensor:
        start = Noise(x_t, 999, "cosine", 1000)
        return pictures_of(drawn(SAMPLERS[name](denoiser, schedule, count=count, start=start)))

    rows = of(2, 3, 16, 16, seed=4)
    here, there = made(rows), made(torch.cat([rows[:1], -rows[1:]]))
    torch.testing.assert_close(here[:1], there[:1], atol=1e-5, rtol=1e-4)
    assert differ(here[1:], there[1:])
    if name in ("ddim", "dpm"):
        twice = made(rows, count=2)
        torch.testing.assert_close(twice, here.repeat_interleave(2, 0), atol=1e-5, rtol=1e-4)
        labels = denoising.clip_x0(_label(given, [0, 1, 2, 3]))
        torch.testing.assert_close(
            made(rows, labels), made(rows.repeat_interleave(2, 0), labels), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("name", ["ancestral", "ddim", "ddim noisy", "dpm"])
def test_temperature_scales_the_first_noise_alone(given: Given, name: str) -> None:
    denoiser = denoising.clip_x0(_label(given, [0, 1]))
    schedule = noise_scheduler(given.models.unconditional, steps=3)
    source, shape = SeededNoise(5), denoiser.sample_shape
    steps = torch.stack([source.draw(range(2), INITIAL + 1 + i, shape) for i in range(3)])
    scaled = RecordedNoise(0.5 * source.draw(range(2), INITIAL, shape), steps)

    def made(**more: Any) -> Tensor:
        return pictures_of(drawn(SAMPLERS[name](denoiser, schedule, **more)))

    cold = made(noise=source, temperature=0.5)
    torch.testing.assert_close(cold, made(noise=scaled))
    assert differ(cold, made(noise=source))
    assert torch.equal(made(noise=source), made(noise=source, temperature=1.0))


def test_an_inversion_keeps_its_rows(given: Given) -> None:
    schedule = noise_scheduler(given.models.unconditional, steps=4)
    here, there = (
        drawn(sampling.ddim_inversion(given.plain, schedule, PICTURES[picks])).x_t
        for picks in PICKS[:2]
    )
    torch.testing.assert_close(here[:1], there[:1], atol=1e-4, rtol=1e-3)
    assert differ(here[1:], there[1:])


def test_every_noise_is_of_its_row(given: Given) -> None:
    schedule = noise_scheduler(given.models.unconditional, steps=4)
    still = torch.zeros(1, 3, 16, 16)
    noised = noise.forward_diffusion(still.expand(2, -1, -1, -1), schedule, t=[999, 500])
    assert len(noised.image) == 4
    shared = torch.corrcoef(noised.image.flatten(1)) - torch.eye(4)
    assert float(shared.abs().max()) < 0.2
    torch.testing.assert_close(noised.start.x_t, noised.image[1::2])
    spread = noise.trained_chain(schedule).sqrt_one_minus_alphas_cumprod[[999, 500] * 2].float()
    torch.testing.assert_close(noised.image.flatten(1).std(1), spread, rtol=0.1, atol=0)
    one = noise.forward_diffusion(still, schedule, t=[999])
    torch.testing.assert_close(one.image[0], noised.image[0])
    start = noise.initial_noise(given.plain, schedule, count=3)
    assert differ(start.x_t, start.x_t.roll(1, 0))
    again = noise.initial_noise(given.plain, schedule, count=1)
    assert torch.equal(again.x_t, start.x_t[:1])


VECTORS = Embedding(of(3, 12, seed=5), "tiny")
OTHERS = Embedding(of(1, 12, seed=6), "tiny")


def vectors(picks: list[int]) -> Embedding:
    return replace(VECTORS, values=VECTORS.values[picks])


ROW_BY_ROW: dict[str, Callable[[Given, list[int]], Any]] = {
    "slerp": lambda g, p: embeddings.slerp(vectors(p), OTHERS, 0.3),
    "slerp shares": lambda g, p: embeddings.slerp(vectors(p), OTHERS, [0.1, 0.9]),
    "slerp far end": lambda g, p: embeddings.slerp(OTHERS, vectors(p), 0.3),
    "lerp": lambda g, p: embeddings.lerp(vectors(p), OTHERS, [0.3, 0.6]),
    "text difference": lambda g, p: embeddings.text_difference(
        vectors(p), OTHERS, replace(OTHERS, values=OTHERS.values.flip(1)), [0.2, 0.4]
    ),
    "text difference to": lambda g, p: embeddings.text_difference(
        replace(OTHERS, values=OTHERS.values.expand(len(p), -1)), OTHERS, vectors(p)
    ),
    "repeat": lambda g, p: embeddings.repeat_rows(vectors(p), 3),
    "text as image": lambda g, p: text_as_image(vectors(p)),
    "best": lambda g, p: best_candidate(
        Embedding(of(2, 3, 12, seed=7)[[0, 0]].flatten(0, 1), "tiny"), vectors(p)
    ),
    "seen": lambda g, p: clip_image(g.clip, PICTURES[p]),
    "read": lambda g, p: clip_text(g.clip, [TEXTS[i] for i in p]).embedding,
    "components": lambda g, p: pca_project(pca_fit(VECTORS, 2), vectors(p)),
    "rebuilt": lambda g, p: pca_reconstruct(
        pca_fit(VECTORS, 2), pca_project(pca_fit(VECTORS, 2), vectors(p)), [1, 2]
    ),
    "reranked": lambda g, p: clip_rerank(
        g.clip, PICTURES[[i for pick in p for i in (pick, (pick + 1) % 3)]], list(TEXTS[:2]), 2
    ),
    "resized": lambda g, p: pictures.resize(PICTURES[p], 8),
    "cropped": lambda g, p: pictures.crop(PICTURES[p], 1, 2, 8, 9),
    "pasted": lambda g, p: pictures.paste(PICTURES[p], PICTURES[:1], MASKS[:1]),
    "pasted onto": lambda g, p: pictures.paste(PICTURES[:1], PICTURES[p], MASKS[:1]),
    "pasted mask": lambda g, p: pictures.paste(PICTURES[:1], PICTURES[1:2], MASKS[p]),
    "compared": lambda g, p: agreement.compare(PICTURES[p], PICTURES[:1], MASKS[:1]).image,
    "mask": lambda g, p: mask_from_image(PICTURES[p]),
    "inverted": lambda g, p: invert_mask(MASKS[p]),
}


@pytest.mark.parametrize("name", ROW_BY_ROW)
def test_what_is_made_of_a_row_depends_on_it_alone(given: Given, name: str) -> None:
    def rows(picks: list[int]) -> Tensor:
        made = ROW_BY_ROW[name](given, picks)
        return (made if isinstance(made, Tensor) else made.values).unflatten(0, (2, -1))

    here, there, turned = (rows(picks) for picks in PICKS)
    torch.testing.assert_close(here[0], there[0])
    assert not torch.allclose(here[1], there[1])
    if name not in ("best", "reranked"):  # which choose among rows of their own
        torch.testing.assert_close(turned.flip(0), here)
