"""Training unCLIP's parts on tiny networks of the real classes: CLIP, decoder, prior, upsamplers."""

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import LARGE, READING, built, context
from torch import nn

from nodegraph import Mismatch
from nodegraph.api import load
from nodes.checkpoints.weights import write_model
from nodes.library.clip import clip_image, clip_text
from nodes.library.conditioning import unclip_conditions
from nodes.library.denoising import unet_denoiser
from nodes.library.evaluation.accuracy import clip_retrieval
from nodes.library.priors import prior_denoiser
from nodes.library.text import text_encoder
from nodes.library.training.datasets import crop_dataset, points_dataset, shapes_dataset
from nodes.library.training.networks import (
    decoder_network,
    prior_network,
    upsampler_network,
)
from nodes.library.training.objectives import (
    classifier_objective,
    contrastive_objective,
    degraded_objective,
    prior_objective,
    unclip_objective,
    v_objective,
)
from nodes.library.training.recognition import open_clip_network
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.models.handle import Model, from_folder
from nodes.models.unet import UNet
from nodes.networks.blocks import Attention
from nodes.networks.clip.network import Clip as ClipNetwork
from nodes.networks.config import TrainedFor
from nodes.shapes.captions import parse_caption
from nodes.training.draws import Draw, draw_for
from nodes.training.networks import ModelNetwork
from nodes.training.objectives.degradation import blurred
from nodes.training.objectives.diffusion import DiffusionObjective
from nodes.training.optimiser import optimiser
from nodes.training.recipe import Recipe
from nodes.training.state import State, fresh, restore, save
from nodes.training.step import Objective

PICTURES = shapes_dataset(32)
T = torch.tensor([3, 700])


def saved(folder: Path, config: object, kind: type[Model]) -> Model:
    write_model(folder, built(config), config, {})
    return from_folder(kind, folder, context(folder))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> UNet:
    trained = TrainedFor("v", False, "fixed_small", "cosine")
    config = replace(READING, image_size=32, fold=2, trained=trained)
    return saved(tmp_path_factory.mktemp("base"), config, UNet)


@pytest.fixture(scope="module")
def clip(base: UNet, tmp_path_factory: pytest.TempPathFactory) -> Clip:
    made = open_clip_network(base, "tiny", 12, channels=8, heads=1, text_layers=1)
    return made.hand_over(made.build().eval(), tmp_path_factory.mktemp("clip"), {})


def on_batch(objective: Objective, module: nn.Module, size: int = 8) -> torch.Tensor:
    draw = draw_for(0, 0, size)
    return objective.loss(module, PICTURES.batch(draw.choice, size), draw)


def learns(objective: Objective, module: nn.Module, steps: int = 40) -> float:
    """By which factor a few steps on one batch with one draw lower the loss."""
    optimiser = torch.optim.AdamW(module.parameters(), 3e-3)
    losses = []
    for _ in range(steps):
        loss = on_batch(objective, module).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses[-1] / losses[0]


def test_a_clip_learns_and_its_space_travels(base: UNet, clip: Clip) -> None:
    module = open_clip_network(base, "tiny", 12, channels=8, heads=1, text_layers=1).build()
    assert isinstance(module, ClipNetwork)
    objective = contrastive_objective(noise=0.0, scale=10.0)
    first = on_batch(objective, module, 16)
    assert first.shape == (16,)
    assert 1.5 < float(first.mean().detach()) < 6
    assert learns(objective, module) < 0.8
    seen = clip_image(clip, torch.zeros(3, 3, 20, 20))
    read = clip_text(clip, ["a red circle", "", "a star"])
    assert (seen.values.shape, seen.space) == ((3, 12), "tiny")
    assert read.tokens.values.shape == (3, 8, 32)
    torch.testing.assert_close(clip_text(clip, "").embedding.values, read.embedding.values[1:2])


def test_running_statistics_are_kept_with_a_training(
    base: UNet, clip: Clip, tmp_path: Path
) -> None:
    recipe = Recipe(steps=1, batch_size=4)

    def begun() -> State:
        module = open_clip_network(base, "tiny", 12, channels=8, heads=1, text_layers=1).build()
        return fresh(module, optimiser(module, recipe))

    state, again = begun(), begun()
    on_batch(contrastive_objective(), state.network.train())
    save(state, tmp_path, "one")
    restore(again, tmp_path, "one")
    kept = dict(again.network.named_buffers())
    assert all(torch.equal(kept[name], value) for name, value in state.network.named_buffers())
    assert not torch.equal(kept["image.bn1.running_mean"], torch.zeros(4))


def test_texts_and_pictures_find_each_other() -> None:
    values = torch.eye(4)
    (row,) = clip_retrieval(Embedding(values), Embedding(2 * values)).rows
    assert row == (4, 1.0, 0.0, 1.0, 0.0, 1.0)
    (row,) = clip_retrieval(Embedding(values), Embedding(values[[0, 1, 3, 2]])).rows
    assert row == (4, 0.5, 0.25, 0.5, 0.25, 1.5)
    (row,) = clip_retrieval(Embedding(values), Embedding(torch.ones(4, 4))).rows
    assert row[-1] == 1.0
    with pytest.raises(Mismatch, match="3 texts for 4 pictures"):
        clip_retrieval(Embedding(values), Embedding(values[:3]))


def test_captions_can_leave_nothing_out() -> None:
    batch = shapes_dataset(16, single=0.5, double=0.5, whole=1.0).batch(
        np.random.default_rng(0), 64
    )
    said = [parse_caption(caption) for caption in batch.captions]
    assert all(wanted.background for wanted in said)
    assert all(w.position if len(w.things) == 1 else w.relation for w in said)
    some = shapes_dataset(16, whole=0.5).batch(np.random.default_rng(0), 256).captions
    assert 0.7 < np.mean(["background" in caption for caption in some]) < 0.9


def of_decoder(base: UNet, clip: Clip, start: bool = True) -> ModelNetwork[UNet]:
    return decoder_network(base, clip, base if start else None)


def velocity(dropout: float = 0.5) -> Objective:
    return v_objective("cosine", dropout=dropout)


def test_a_decoder_starts_as_its_base(base: UNet, clip: Clip) -> None:
    """All but for the four tokens that say nothing yet; hidden, nothing differs."""
    made = of_decoder(base, clip)
    assert "new: clip.image_to_time.bias" in made.origin()
    module = made.build().eval()
    x, draw = torch.randn(2, 3, 32, 32), draw_for(0, 0, 2)
    batch = PICTURES.batch(draw.choice, 2)
    objective = unclip_objective(velocity(0.0), clip, 0.0)
    told = objective.conditions(module, batch, draw)
    assert told["tokens"].shape == (2, 4 + 8, 16)
    words = objective.caption(module, batch, draw_for(0, 0, 2))
    with torch.no_grad():
        expected = base.module()(x, T, **words)
        hidden = torch.tensor([True] * 8 + [False] * 4).expand(2, -1)
        torch.testing.assert_close(module(x, T, **told, mask=hidden), expected)
        assert not torch.equal(module(x, T, **told), expected)


def test_a_decoder_learns_from_embeddings(base: UNet, clip: Clip) -> None:
    module = of_decoder(base, clip).build()
    objective = unclip_objective(velocity(), clip, dropout=0.5)
    with pytest.raises(ValueError, match="unclip_objective"):
        on_batch(velocity(), module)
    assert learns(objective, module, 20) < 0.9
    assert all(bool(weight.detach().any()) for weight in module.clip.parameters())
    assert objective.sample(module, PICTURES).shape == (4, 3, 32, 32)


def test_embeddings_and_captions_are_dropped_on_their_own(base: UNet, clip: Clip) -> None:
    module = of_decoder(base, clip, start=False).build().eval()
    nn.init.normal_(module.clip.null_embedding)
    draw = draw_for(1, 0, 64)
    batch = PICTURES.batch(draw.choice, 64)
    batch = replace(batch, captions=("a red circle",) * 64)
    objective = unclip_objective(velocity(), clip, 0.5)
    whole = replace(objective, dropout=0.0, embedding_dropout=0.0)
    with torch.no_grad():
        some, every = (o.conditions(module, batch, draw_for(1, 1, 64)) for o in (objective, whole))
        null = module.clip(None).tokens
    kept = [
        (some["tokens"][:, where] == every["tokens"][:, where]).flatten(1).all(1)
        for where in (slice(0, 8), slice(8, None))
    ]
    assert all(16 < k.sum() < 48 for k in kept)
    assert 8 < (kept[0] & kept[1]).sum() < 24
    torch.testing.assert_close(
        some["tokens"][~kept[1]][:, 8:], null.expand(int((~kept[1]).sum()), -1, -1)
    )
    assert objective.describe() != whole.describe()
    with pytest.raises(Mismatch, match="trains no diffusion network"):
        unclip_objective(classifier_objective(), clip)


def test_an_objective_with_a_clip_goes_to_another_process(base: UNet, clip: Clip) -> None:
    module = of_decoder(base, clip).build().eval()
    objective = unclip_objective(velocity(), clip)
    there = pickle.loads(pickle.dumps(objective))
    assert there.clip.place.residency is not clip.place.residency
    assert torch.equal(on_batch(there, module), on_batch(objective, module))


@pytest.fixture(scope="module")
def decoder(base: UNet, clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> UNet:
    config = of_decoder(base, clip).config
    return saved(tmp_path_factory.mktemp("decoder"), config, UNet)


def test_a_text_and_an_embedding_are_told_together(decoder: UNet, clip: Clip) -> None:
    image = clip_image(clip, PICTURES.batch(np.random.default_rng(0), 2).signal)
    text = text_encoder(decoder, "a red circle")
    wanted = unclip_conditions(decoder, image)
    leaf = unet_denoiser(decoder, [text, wanted])
    x, module = torch.randn(2, 3, 32, 32), decoder.module()
    assert leaf.rows == 2
    embedding, tokens = module.clip(image.values).embedding, module.clip(image.values).tokens
    expected = module(
        x,
        T,
        embedding=embedding + text.embedding,
        tokens=torch.cat([tokens, text.tokens.expand(2, -1, -1)], 1),
    )
    known = unet_denoiser(decoder, [wanted, text])(x, T)
    torch.testing.assert_close(leaf(x, T).x0, known.x0)
    output = leaf.network.call(x, T, **leaf.prepared(2))
    torch.testing.assert_close(output, expected)
    nothing = unet_denoiser(decoder, [text_encoder(decoder, ""), unclip_conditions(decoder)])
    assert nothing.rows == 1


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        (lambda d, i: [text_encoder(d, "")], "wants a unclip condition"),
        (lambda d, i: [unclip_conditions(d, i)], "wants a text condition"),
        (
            lambda d, i: [text_encoder(d, ["a", "red", "star"]), unclip_conditions(d, i)],
            "a text and embeddings of 3 and 2 rows",
        ),
        (lambda d, i: [unclip_conditions(d, replace(i, space="other"))], "is of the CLIP 'tiny'"),
    ],
)
def test_what_a_decoder_refuses(
    decoder: UNet, clip: Clip, conditions: Callable[..., list], message: str
) -> None:
    image = clip_image(clip, torch.zeros(2, 3, 32, 32))
    with pytest.raises(Mismatch, match=message):
        unet_denoiser(decoder, conditions(decoder, image))


def test_a_prior_is_trained_in_normalised_units(clip: Clip, tmp_path: Path) -> None:
    seen = clip_image(clip, PICTURES.batch(np.random.default_rng(0), 256).signal)
    made = prior_network(clip, seen, heads=1, layers=1)
    module, seen = made.build(), seen.values
    torch.testing.assert_close(module.mean, seen.mean(0, keepdim=True))
    torch.testing.assert_close(module.embeddings((seen - module.mean) / module.std), seen)
    objective = prior_objective(clip)
    assert on_batch(objective, module).shape == (8,)
    assert learns(objective, module) < 0.8
    model = made.hand_over(module, tmp_path / "prior", {})
    assert model.config == made.promise().config
    again = from_folder(type(model), tmp_path / "prior", context(tmp_path))
    torch.testing.assert_close(again.module().std, module.std, atol=1e-3, rtol=1e-3)
    other = replace(clip_text(clip, "a star").embedding, space="other")
    with pytest.raises(Mismatch, match="is of the CLIP 'tiny'"):
        prior_denoiser(model, clip_text(clip, "a star").tokens, other)
    folder = clip.files[0].parent
    graph = load("diffusion_prior", cached=False, out=tmp_path, readable=(tmp_path, folder.parent))
    drawn = graph(
        model=str(tmp_path / "prior"),
        clip=str(folder),
        text=["a star", ""],
        steps="3",
    ).embedding
    assert (drawn.values.shape, drawn.space) == ((2, 12), "tiny")


def test_an_objective_must_be_the_networks(base: UNet, clip: Clip) -> None:
    decoder = of_decoder(base, clip).config
    blind = replace(decoder, clip=None)
    other = replace(clip, config=replace(clip.config, space="other"))
    unclip_objective(velocity(), clip).check(decoder)
    for objective, config, message in (
        (velocity(), decoder, "takes CLIP embeddings"),
        (unclip_objective(velocity(), clip), blind, "takes no CLIP embeddings"),
        (unclip_objective(velocity(), other), decoder, "'tiny', the objective's is 'other'"),
    ):
        with pytest.raises(Mismatch, match=message):
            objective.check(config)
    seen = clip_image(clip, torch.rand(4, 3, 32, 32))
    with pytest.raises(Mismatch, match="comes from 'tiny'"):
        prior_network(other, seen)
    prior = prior_network(clip, seen).config
    prior_objective(clip).check(prior)
    with pytest.raises(Mismatch, match="the objective's is 'other'"):
        prior_objective(other).check(prior)
    with pytest.raises(Mismatch, match="the chain linear-1000"):
        prior_objective(clip, "linear").check(prior)


def test_dropped_captions_are_empty_to_a_prior(clip: Clip) -> None:
    heard = []

    class Listener(nn.Module):
        mean, std = torch.zeros(1, 12), torch.ones(1, 12)

        def forward(self, x_t, t, embedding, tokens, mask):
            heard.append(embedding)
            return x_t

    on_batch(prior_objective(clip, dropout=0.5), Listener(), 64)
    empty = (heard[0] - clip_text(clip, "").embedding.values).abs().amax(1) < 1e-5
    assert 16 < empty.sum() < 48


def test_upsamplers_learn_from_crops(base: UNet, tmp_path: Path) -> None:
    like = saved(tmp_path / "large", replace(LARGE, attention=()), UNet)
    made = upsampler_network(like, image_size=64, factor=2)
    assert made.origin().startswith("started from 'large'")
    module = made.build()
    assert not any(isinstance(layer, Attention) for layer in module.modules())
    assert made.config.trained == like.config.trained
    crops = crop_dataset(shapes_dataset(64), 32)
    objective = degraded_objective(v_objective("linear", dropout=0.0), 0.0, 0.0)
    assert isinstance(objective, DiffusionObjective)
    draw = draw_for(0, 0, 4)
    batch = crops.batch(draw.choice, 4)
    assert batch.signal.shape == (4, 3, 32, 32)
    assert len(batch.captions) == 4
    pixels = objective.conditions(module, batch, draw)["pixels"]
    small = torch.nn.functional.interpolate(batch.signal, (16, 16), mode="area")
    wanted = torch.nn.functional.interpolate(small, (32, 32), mode="bilinear")
    torch.testing.assert_close(pixels, wanted, atol=0.01, rtol=0)
    assert objective.loss(module, batch, draw).shape == (4,)
    assert objective.sample(module, crops).shape == (4, 3, 32, 32)
    with pytest.raises(Mismatch, match="no 64 px can be cut out"):
        crop_dataset(crops, 64)
    with pytest.raises(Mismatch, match="no 32 px can be cut out"):
        crop_dataset(points_dataset(count=8), 32)


def test_low_resolution_pictures_are_blurred_and_noised(base: UNet) -> None:
    pictures = PICTURES.batch(np.random.default_rng(0), 3).signal
    sharp = blurred(pictures, torch.tensor([0.0, 0.0, 0.0]), 2)
    torch.testing.assert_close(sharp, pictures)
    some = blurred(pictures, torch.tensor([0.0, 0.5, 1.5]), 5)
    steps = some.diff(dim=-1).abs().mean((1, 2, 3)) / pictures.diff(dim=-1).abs().mean((1, 2, 3))
    assert steps[0] == pytest.approx(1)
    assert 1 > steps[1] > steps[2]
    flat = torch.full((3, 3, 8, 8), 0.3)
    torch.testing.assert_close(blurred(flat, torch.tensor([0.1, 1.0, 2.0]), 6), flat)
    objective = degraded_objective(v_objective(), noise=0.5, blur=1.0)
    assert objective.describe()["blur"] == 1.0
    whole, part = (
        objective.low_resolution(
            PICTURES.batch(np.random.default_rng(0), 4).signal[rows], d, LARGE.low_resolution_as
        )
        for rows, d in ((slice(None), draw(slice(None))), (slice(2, 4), draw(slice(2, 4))))
    )
    torch.testing.assert_close(whole[2:], part)


def draw(rows: slice) -> Draw:
    return draw_for(0, 0, 4, rows)
