"""Training the autoregressive prior: its buffers, what is minimised, and that it learns to read."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nodegraph import Mismatch
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.weights import write_model
from nodes.library.clip import clip_image, clip_text
from nodes.library.embeddings import pca_fit
from nodes.library.evaluation.agreement import embedding_cosine
from nodes.library.evaluation.likelihood import code_losses
from nodes.library.priors import autoregressive_prior
from nodes.library.training.datasets import Pairs, dataset_embeddings
from nodes.library.training.networks import autoregressive_prior_network
from nodes.library.training.objectives import token_objective
from nodes.library.training.trainer import trainer
from nodes.measures.pca import quantised
from nodes.models.autoregressive_prior import ArPrior, principal_components
from nodes.models.clip import Clip
from nodes.models.embeddings import Embedding
from nodes.models.handle import parsed
from nodes.networks.clip.network import Clip as ClipNetwork
from nodes.networks.clip.network import clip_tokenize
from nodes.networks.config import ClipConfig, ClipTokenizerConfig
from nodes.training.dataset import Batch
from nodes.training.draws import draw_for
from nodes.training.objectives.token_prior import TokenObjective, dot_products, level_edges

WORDS = ("red", "blue")
CLIP = ClipConfig(
    8,
    {"context_length": 4, "vocab_size": 5, "width": 16, "heads": 2, "layers": 1},
    {"image_size": 8, "patch_size": 4, "width": 16, "head_width": 8, "layers": 1},
    tokenizer=ClipTokenizerConfig("words", words=WORDS),
    space="two colours",
)


class Colours:
    """Red and blue pictures, of many shades, that are called by their colour."""

    sample_shape = (3, 8, 8)

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        blue = rng.integers(2, size=size)
        shades = torch.from_numpy(rng.uniform(0.2, 1.0, size)).float()[:, None, None]
        pictures = -torch.ones(size, 3, 8, 8)
        pictures[torch.arange(size), torch.from_numpy(2 * blue)] = shades.expand(-1, 8, 8)
        return Batch(pictures, tuple(WORDS[i] for i in blue))

    def describe(self) -> dict[str, str | int | float]:
        return {"kind": "colours"}


def _of(batch: Batch, word: str) -> list[bool]:
    return [caption == word for caption in batch.captions or ()]


def drawn(running: Any) -> Any:
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Random towers, but a last projection by which each word lies amid its pictures."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    module = ClipNetwork(CLIP).requires_grad_(False)
    batch = Colours().batch(np.random.default_rng(0), 64)
    centres = torch.stack([module.see(batch.signal[_of(batch, w)]).mean(0) for w in WORDS])
    states = module.read(clip_tokenize(CLIP, WORDS)).tokens[:, 1]  # at the end of each word
    assert module.text is not None
    module.text.text_projection.copy_(torch.linalg.pinv(states) @ centres)
    write_model(folder / "clip", module, CLIP, {})
    return parsed(Clip, folder / "clip", RunContext(Sandbox((folder,), folder)))


@pytest.fixture(scope="module")
def pairs(clip: Clip) -> Pairs:
    return drawn(dataset_embeddings(clip, Colours(), count=300))


def network(clip: Clip, pairs: Pairs, **options: Any):
    pca = pca_fit(pairs.images, 3)
    small = {"buckets": 8, "levels": 4, "heads": 1, "layers": 1, **options}
    return autoregressive_prior_network(clip, pca, *pairs, **small)


def test_embeddings_of_a_data_set(clip: Clip, pairs: Pairs) -> None:
    assert pairs.images.values.shape == pairs.texts.values.shape == (300, 8)
    assert pairs.images.space == pairs.texts.space == "two colours"
    few = drawn(dataset_embeddings(clip, Colours(), count=256))
    torch.testing.assert_close(few.images.values, pairs.images.values[:256])
    batch = Colours().batch(np.random.default_rng([0, 0]), 256)
    torch.testing.assert_close(few.images.values, clip_image(clip, batch.signal).values)
    assert len(few.texts.values.unique(dim=0)) == 2


def test_the_network_holds_what_its_codes_stand_for(clip: Clip, pairs: Pairs) -> None:
    made, pca = network(clip, pairs), pca_fit(pairs.images, 3)
    module = made.build()
    held = principal_components(module)  # type: ignore[arg-type]
    assert torch.equal(held.components, pca.components) and held.space == "two colours"
    assert made.config.embedding == 8 and made.config.tokens == 4 and made.config.text_width == 16
    again = network(clip, drawn(dataset_embeddings(clip, Colours(), 300)))
    assert again.describe() == made.describe()
    other = network(clip, drawn(dataset_embeddings(clip, Colours(), 300, seed=1)))
    assert other.describe() != made.describe()


def test_as_many_pairs_lie_in_each_level(pairs: Pairs) -> None:
    texts, images = pairs.texts.values, pairs.images.values
    edges = level_edges(texts, images, 5)
    assert edges.shape == (4,)
    counts = torch.bucketize(dot_products(texts, images), edges).bincount(minlength=5)
    assert counts.tolist() == pytest.approx([60] * 5, abs=2)
    longer = dot_products(3 * texts, 7 * images)
    torch.testing.assert_close(longer, dot_products(texts, images))


def test_embeddings_of_another_clip_are_refused(clip: Clip, pairs: Pairs) -> None:
    other = Embedding(pairs.images.values, "others")
    with pytest.raises(Mismatch, match="'clip' is of the CLIP 'two colours'") as caught:
        autoregressive_prior_network(clip, pca_fit(other, 3), *pairs)
    assert caught.value.port == "pca"
    with pytest.raises(Mismatch, match="comes from 'others'"):
        autoregressive_prior_network(clip, pca_fit(pairs.images, 3), other, pairs.texts)


def test_the_loss_is_the_cross_entropy_of_the_codes(clip: Clip, pairs: Pairs) -> None:
    module, objective = network(clip, pairs).build(), TokenObjective(clip, 0.0)
    batch = Colours().batch(np.random.default_rng(3), 6)
    codes, prompt = objective.codes_and_prompt(module, batch, np.zeros(6, bool))  # type: ignore[arg-type]
    images = clip_image(clip, batch.signal).values
    assert torch.equal(codes, quantised(pca_fit(pairs.images, 3), images, 8))
    logits = module(codes[:, :2], prompt).log_softmax(2)
    wanted = -logits.gather(2, codes[..., None]).squeeze(2).mean(1)
    torch.testing.assert_close(objective.loss(module, batch, draw_for(0, 0, 6)), wanted)
    with pytest.raises(ValueError, match="has none"):
        objective.loss(module, Batch(batch.signal), draw_for(0, 0, 6))


def test_dropped_captions_are_empty_ones_of_the_same_dot_product(clip: Clip, pairs: Pairs) -> None:
    module, objective = network(clip, pairs).build(), TokenObjective(clip)
    batch = Colours().batch(np.random.default_rng(3), 4)
    dropped = np.array([True, False, True, False])
    _, whole = objective.codes_and_prompt(module, batch, np.zeros(4, bool))  # type: ignore[arg-type]
    _, some = objective.codes_and_prompt(module, batch, dropped)  # type: ignore[arg-type]
    empty = clip_text(clip, "")
    for row, away in enumerate(dropped):
        source = empty.embedding.values[0] if away else whole.reading.embedding[row]
        states = empty.tokens.values[0] if away else whole.reading.tokens[row]
        torch.testing.assert_close(some.reading.embedding[row], source)
        torch.testing.assert_close(some.reading.tokens[row], states)
    assert some.reading.mask.sum(1).tolist() == [1, 2, 1, 2]
    assert torch.equal(some.level, whole.level)


def test_it_learns_to_read(clip: Clip, pairs: Pairs, tmp_path: Path) -> None:
    made = drawn(
        trainer(
            network(clip, pairs),
            token_objective(clip, dropout=0.2),
            Colours(),
            tmp_path / "run",
            steps=120,
            batch_size=32,
            learning_rate=5e-3,
            warmup=10,
            cooldown=60,
            ema_decay=0.9,
            precision="float32",
            interval=40,
            optimiser="muon",
        )
    )
    prior: ArPrior = made.model
    assert made.history.rows[-1][1] < 0.8 * made.history.rows[0][1]
    batch = Colours().batch(np.random.default_rng(9), 64)
    losses = code_losses(prior, clip, batch.signal, list(batch.captions or ()))
    assert losses.columns == ("code", "nats", "nats_se") and len(losses.rows) == 3
    assert losses.rows[0][1] < 0.8 * np.log(8)
    texts = clip_text(clip, ["red", "blue"])
    found = drawn(autoregressive_prior(prior, texts.tokens, texts.embedding, count=16))
    nearer = torch.cdist(found.values, texts.embedding.values).argmin(1)
    right = (nearer == torch.arange(2).repeat_interleave(16)).float().mean()
    assert float(right) >= 0.9
    with pytest.raises(Mismatch, match="1 captions for 64 pictures"):
        code_losses(prior, clip, batch.signal, ["red"])


def test_cosines_with_references() -> None:
    references = Embedding(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), "one")
    values = torch.tensor([[3.0, 0.0], [1.0, 1.0], [0.0, -1.0], [5.0, 0.0]])
    table = embedding_cosine(Embedding(values, "one"), references)
    assert table.column("cosine") == pytest.approx([1.0, 0.5**0.5, -1.0, 0.0], abs=1e-5)
    with pytest.raises(Mismatch, match="'one', what is wired comes from 'two'"):
        embedding_cosine(Embedding(values, "two"), references)
    with pytest.raises(Mismatch, match="3 embeddings cannot be shared out over 2 references"):
        embedding_cosine(Embedding(values[:3], "one"), references)
