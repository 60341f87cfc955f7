"""CLIP scores, turned embeddings, noise for a start, scenes by caption, and how pictures differ."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from tiny import context

from nodegraph.base.diagnostics import Mismatch
from nodes.library.clip import clip_image, clip_rerank, clip_score, clip_text
from nodes.library.conditioning import decoder_conditions, unclip_conditions
from nodes.library.denoising import unet_denoiser
from nodes.library.embeddings import slerp, text_difference
from nodes.library.evaluation.accuracy import shapes_oracle
from nodes.library.evaluation.fidelity import clip_passage, pairwise_difference
from nodes.library.evaluation.scenes import recolour_cases
from nodes.library.noise import initial_noise
from nodes.library.pictures import grid, or_else, shapes_scene
from nodes.library.schedules import noise_scheduler
from nodes.library.text import text_encoder
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.models.handle import parsed
from nodes.models.unet import UNet

TEXTS = ["a red circle", "a blue star"]


@pytest.fixture(scope="module")
def clip(bundles: Path) -> Clip:
    return parsed(Clip, str(bundles / "unclip" / "clip"), context(bundles))


@pytest.fixture(scope="module")
def decoder(bundles: Path) -> UNet:
    return parsed(UNet, str(bundles / "unclip" / "decoder"), context(bundles))


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_scores_are_cosines_and_the_best_are_kept(clip: Clip) -> None:
    drawn = pictures(6)
    scores = clip_score(clip, drawn, TEXTS)
    read = clip_text(clip, TEXTS).embedding.values.repeat_interleave(3, 0)
    wanted = F.cosine_similarity(clip_image(clip, drawn).values, read)
    assert scores.column("text") == [t for t in TEXTS for _ in range(3)]
    torch.testing.assert_close(torch.tensor(scores.column("cosine")), wanted, atol=1e-5, rtol=0)
    kept = clip_rerank(clip, drawn, TEXTS, keep=2)
    order = wanted.unflatten(0, (2, 3)).argsort(1, descending=True)[:, :2]
    chosen = (order + torch.tensor([[0], [3]])).flatten()
    assert torch.equal(kept, drawn[chosen])
    with pytest.raises(Mismatch, match="6 pictures cannot be shared out over 4 texts"):
        clip_score(clip, drawn, [*TEXTS, *TEXTS])
    with pytest.raises(Mismatch, match="of 3 pictures 4 cannot be kept"):
        clip_rerank(clip, drawn, TEXTS, keep=4)


def vectors(count: int, seed: int) -> Embedding:
    generator = torch.Generator().manual_seed(seed)
    return Embedding(3 * torch.randn(count, 12, generator=generator).double(), "tiny")


def test_an_embedding_is_turned_by_a_share_of_the_angle() -> None:
    image, before, after = (vectors(2, seed) for seed in range(3))
    turned = text_difference(image, before, after, [0.0, 0.25, 1.0]).values.unflatten(0, (2, 3))
    direction = F.normalize(after.values - before.values, dim=1)
    unit = F.normalize(image.values, dim=1)
    whole = (unit * direction).sum(1).acos()
    travelled = F.cosine_similarity(turned, unit[:, None], dim=-1).clamp(max=1).acos()
    torch.testing.assert_close(travelled[:, 1], 0.25 * whole)
    torch.testing.assert_close(turned[:, 0], image.values)
    torch.testing.assert_close(F.normalize(turned[:, 2], dim=1), direction)
    lengths = image.values.norm(dim=1, keepdim=True).expand(-1, 3)
    torch.testing.assert_close(turned.norm(dim=2), lengths)


def test_differences_that_mean_nothing_are_refused() -> None:
    image, text = vectors(2, 0), vectors(1, 1)
    with pytest.raises(Mismatch, match="the two texts are one to this CLIP"):
        text_difference(image, text, text)
    with pytest.raises(Mismatch, match="3 texts, 2 pictures"):
        text_difference(image, vectors(3, 1), vectors(3, 2))
    with pytest.raises(Mismatch, match="is of the CLIP 'tiny', what is wired comes from 'other'"):
        text_difference(image, text, replace(vectors(1, 2), space="other"))


def test_a_decoder_is_told_the_embedding_and_its_own_reading_of_the_text(
    clip: Clip, decoder: UNet
) -> None:
    seen = clip_image(clip, pictures(4))
    text, embedded = decoder_conditions(decoder, clip, seen, TEXTS)
    assert torch.equal(text.tokens, text_encoder(decoder, TEXTS).tokens)
    assert torch.equal(embedded.tokens, unclip_conditions(decoder, seen).tokens)
    denoiser = unet_denoiser(decoder, [text, embedded])
    single = unet_denoiser(
        decoder, decoder_conditions(decoder, clip, Embedding(seen.values[3:], "tiny"), TEXTS[1])
    )
    x_t, t = torch.randn(4, 3, 32, 32), torch.tensor([500] * 4)
    alone = single(x_t[3:], t[3:]).x0
    torch.testing.assert_close(denoiser(x_t, t).x0[3:], alone, atol=1e-4, rtol=1e-4)
    three = decoder_conditions(decoder, clip, seen, [*TEXTS, *TEXTS[:1]])
    with pytest.raises(Mismatch, match="rows"):
        unet_denoiser(decoder, three)


def test_one_noise_serves_many_conditions(clip: Clip, decoder: UNet) -> None:
    denoiser = unet_denoiser(decoder, decoder_conditions(decoder, clip, text=TEXTS))
    start = initial_noise(denoiser, noise_scheduler(decoder, steps="10"), seed=3, count=2)
    assert start.x_t.shape == (2, 3, 32, 32) and start.timestep > 900
    assert not torch.equal(start.x_t[0], start.x_t[1])
    again = initial_noise(denoiser, noise_scheduler(decoder, steps="10"), seed=3)
    assert torch.equal(again.x_t, start.x_t[:1])
    halfway = slerp(start, replace(start, x_t=start.x_t.flip(0)), [0.5])
    torch.testing.assert_close(halfway.x_t[0], halfway.x_t[1])


CAPTIONS = (
    "a small red circle on the left on a black background",
    "a large purple heart below a small cyan star on a gradient background",
    "a yellow ring",
    "a pink cross, a green diamond and an orange triangle in a row",
)


@pytest.mark.parametrize("caption", CAPTIONS)
def test_a_scene_is_what_its_caption_says(caption: str) -> None:
    drawn = [shapes_scene(caption, 64, seed) for seed in range(3)]
    assert shapes_oracle(torch.cat(drawn), [caption]).column("correct") == [1, 1, 1]
    assert not torch.equal(drawn[0], drawn[1])


def test_texts_beyond_the_world_are_refused() -> None:
    with pytest.raises(Mismatch, match="not a caption of the shapes world"):
        shapes_scene("a photo of a cat")
    with pytest.raises(ValueError, match="stands in the shapes world"):
        shapes_scene("a large red star, a large red ring and a large red heart in a row")


def test_recolourings_change_the_colour_alone() -> None:
    cases = recolour_cases(20, 64)
    names = zip(cases.before, cases.after, strict=True)
    assert all(b.split()[2] == a.split()[2] and b.split()[1] != a.split()[1] for b, a in names)
    assert sum(shapes_oracle(cases.images, cases.before).column("colour_and_shape")) >= 19
    after = shapes_oracle(cases.images, cases.after)
    assert sum(after.column("shape")) >= 19 and not any(after.column("colour"))


def test_captions_stand_for_stretches_of_pictures() -> None:
    cases = recolour_cases(2, 64)
    table = shapes_oracle(cases.images.repeat_interleave(3, 0), cases.before)
    assert table.column("caption") == [name for name in cases.before for _ in range(3)]
    assert all(table.column("colour_and_shape"))


def test_pictures_of_a_set_are_compared_pair_by_pair() -> None:
    levels = torch.tensor([0.0, 0.5, 1.0, -1.0, -1.0, -1.0])
    table = pairwise_difference(levels[:, None, None, None].expand(-1, 3, 4, 4), 3)
    assert table.column("distance") == pytest.approx([2 / 3, 0.0], abs=1e-6)
    with pytest.raises(Mismatch, match="6 pictures are no sets of 4"):
        pairwise_difference(pictures(6), 4)


def on_circle(*degrees: float) -> Embedding:
    angles = torch.deg2rad(torch.tensor(degrees))
    return Embedding(torch.stack([angles.cos(), angles.sin()], 1), "tiny")


def test_a_passage_is_monotone_or_not() -> None:
    path = on_circle(0, 45, 90, 20, 10, 80)
    passage = clip_passage(path, on_circle(0, 0), on_circle(90, 90))
    assert passage.paths.column("monotone") == [1, 0]
    assert passage.paths.column("away") == [1, 0]
    assert passage.paths.column("right_steps") == [1, 0.5]
    cosines = torch.deg2rad(torch.tensor([[0.0, 45, 90], [20, 10, 80]])).cos().mean(0)
    assert passage.steps.column("to_first") == pytest.approx(cosines.tolist(), abs=1e-5)
    with pytest.raises(Mismatch, match="6 pictures on the way between 4 and 4 ends"):
        clip_passage(path, on_circle(0, 0, 0, 0), on_circle(9, 9, 9, 9))


def test_small_things() -> None:
    first, second = pictures(2).split(1)
    assert or_else(first, second) is second and or_else(first) is first
    assert grid([pictures(3)], columns=8, gap=0).shape == (1, 3, 16, 48)
