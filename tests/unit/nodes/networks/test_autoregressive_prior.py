"""The autoregressive prior: causality, the cache, and how codes are drawn."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from nodegraph import Mismatch
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.meta.abstract import abstract_run
from nodes.checkpoints.weights import write_model
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.tokens import Choice, drawn, guided_logits, probabilities, uniforms
from nodes.library.priors import autoregressive_prior
from nodes.measures.pca import dequantised, fit_pca, project, quantised
from nodes.models.autoregressive_prior import ArPrior, principal_components
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.models.handle import parsed
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.config import ArPriorConfig
from nodes.networks.prior import autoregressive as networks
from nodes.networks.prior.autoregressive import Prompt
from nodes.wires.models import PORT_TYPES

CONFIG = ArPriorConfig(12, 6, 16, 8, 5, 10, heads=2, head_width=8, layers=2, space="one")


def network(config: ArPriorConfig = CONFIG) -> networks.ArPrior:
    """Random weights that are large enough for every part to matter, and components of random rows."""
    torch.manual_seed(0)
    made = networks.ArPrior(config).eval().requires_grad_(False)
    for name, parameter in made.named_parameters():
        if "norm" not in name:
            parameter.normal_(0, 0.4)
    pca = fit_pca(torch.randn(60, config.embedding) @ torch.randn(12, 12), config.components)
    for name in ("mean", "components", "eigenvalues", "low", "high"):
        made.get_buffer(name).copy_(getattr(pca, name))
    return made


def prompt(rows: int = 3, seed: int = 1) -> Prompt:
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.arange(rows) % 5 + 1
    reading = ClipReading(
        torch.randn(rows, 12, generator=generator),
        torch.randn(rows, 5, 10, generator=generator),
        torch.arange(5)[None] < lengths[:, None],
    )
    return Prompt(reading, torch.randint(8, (rows,), generator=generator))


@pytest.fixture
def model(tmp_path: Path) -> ArPrior:
    write_model(tmp_path / "prior", network(), CONFIG, {})
    return parsed(ArPrior, tmp_path / "prior", RunContext(Sandbox((tmp_path,), tmp_path)))


def text(rows: int = 3, space: str = "one", seed: int = 1) -> tuple[ClipTokens, Embedding]:
    reading = prompt(rows, seed).reading
    return ClipTokens(reading.tokens, reading.mask, space), Embedding(reading.embedding, space)


NOTHING = dict(zip(("uncond_text", "uncond_embedding"), text(1, seed=7), strict=True))


def sampled(running: Generator[Any, None, Embedding]) -> Embedding:
    while True:
        try:
            next(running)
        except StopIteration as stop:
            return stop.value


def test_later_codes_do_not_change_earlier_logits() -> None:
    codes = torch.randint(16, (3, 5))
    other = codes.clone()
    other[:, 3] = (other[:, 3] + 1) % 16
    one, two = network()(codes, prompt()), network()(other, prompt())
    assert one.shape == (3, 6, 16)
    assert torch.equal(one[:, :4], two[:, :4])
    assert bool(((one[:, 4:] - two[:, 4:]).abs().amax(2) > 1e-3).all())


def test_every_part_of_the_prompt_matters_but_not_what_stands_in_padding() -> None:
    codes, base = torch.randint(16, (3, 5)), prompt()
    reading, plain = base.reading, network()(codes, base)
    hidden = torch.where(reading.mask[..., None], reading.tokens, torch.full((), 9.0))
    padded = ClipReading(reading.embedding, hidden, reading.mask)
    torch.testing.assert_close(network()(codes, Prompt(padded, base.level)), plain)
    others = (
        Prompt(ClipReading(reading.embedding.flip(1), reading.tokens, reading.mask), base.level),
        Prompt(ClipReading(reading.embedding, reading.tokens + 1, reading.mask), base.level),
        Prompt(reading, (base.level + 1) % 8),
    )
    for other in others:
        moved = (network()(codes, other) - plain).abs().amax((1, 2))
        assert bool((moved > 1e-3).all())


def test_the_cache_gives_what_the_whole_sequence_gives() -> None:
    codes = torch.randint(16, (3, 5))
    whole = network()(codes, prompt())
    step = network().decoding(prompt())
    rows = [step(None), *(step(codes[:, i]) for i in range(5))]
    torch.testing.assert_close(torch.stack(rows, 1), whole, rtol=1e-5, atol=1e-5)


def test_codes_are_buckets_of_the_range() -> None:
    vectors = torch.randn(40, 5) * torch.tensor([5.0, 3, 2, 1, 0.1])
    pca = fit_pca(vectors, 3)
    codes = quantised(pca, vectors, 8)
    assert codes.amin(0).tolist() == [0, 0, 0] and codes.amax(0).tolist() == [7, 7, 7]
    beyond = quantised(pca, 100 * vectors, 8)
    assert int(beyond.min()) == 0 and int(beyond.max()) == 7
    error = (project(pca, dequantised(pca, codes, 8)) - project(pca, vectors)).abs()
    assert bool((error <= (pca.high - pca.low) / 16 + 1e-5).all())
    assert torch.equal(quantised(pca, dequantised(pca, codes, 8), 8), codes)
    torch.testing.assert_close(dequantised(pca, codes[:, :0], 8), pca.mean.expand(40, -1))


def test_probabilities_of_a_choice() -> None:
    logits = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.5, 0.1, 0.2, 0.2]]).log()
    torch.testing.assert_close(probabilities(logits, Choice()), logits.exp())
    greedy = torch.tensor([[0.0, 1, 0, 0], [1.0, 0, 0, 0]])
    assert torch.equal(probabilities(logits, Choice(0.0)), greedy)
    torch.testing.assert_close(probabilities(logits, Choice(1.0, 0.0)), greedy)
    torch.testing.assert_close(
        probabilities(logits[:1], Choice(1.0, 0.7)), torch.tensor([[0, 2 / 3, 0, 1 / 3]])
    )
    cold = probabilities(logits[:1], Choice(0.5))
    torch.testing.assert_close(cold, F.normalize(logits[:1].exp().square(), p=1))


def test_tokens_are_drawn_by_the_running_sum() -> None:
    shares = torch.tensor([[0.0, 0.25, 0.0, 0.75]])
    found = drawn(
        shares.expand(4, -1), torch.tensor([0.0, 0.2499, 0.25, 1 - 1e-12], dtype=torch.float64)
    )
    assert found.tolist() == [1, 1, 3, 3]
    even = uniforms(SeededNoise(0), 4000, 1)
    assert float(even.min()) >= 0 and float(even.max()) < 1
    counts = drawn(shares.expand(4000, -1), even).bincount(minlength=4) / 4000
    torch.testing.assert_close(counts, shares[0], atol=0.02, rtol=0)
    assert torch.equal(even[:7], uniforms(SeededNoise(0), 7, 1))
    assert not torch.equal(even, uniforms(SeededNoise(0), 4000, 2))


def test_guidance_of_logits() -> None:
    cond, uncond = torch.randn(2, 5), torch.randn(2, 5)
    torch.testing.assert_close(guided_logits(cond, uncond, 1.0), cond)
    torch.testing.assert_close(guided_logits(cond, uncond, 3.0), uncond + 3 * (cond - uncond))


def test_levels_are_those_above_a_quantile(model: ArPrior) -> None:
    uniform = torch.tensor([0.0, 0.5, 1 - 1e-12], dtype=torch.float64)
    assert model.levels(uniform, 0.0).tolist() == [0, 4, 7]
    assert model.levels(uniform, 0.5).tolist() == [4, 6, 7]
    assert model.levels(uniform, 1.0).tolist() == [7, 7, 7]


def test_samples_are_embeddings_of_codes(model: ArPrior) -> None:
    one = sampled(autoregressive_prior(model, *text(), seed=3))
    assert one.values.shape == (3, 12) and one.space == "one"
    pca = principal_components(model.module())
    again = dequantised(pca, quantised(pca, one.values, 16), 16)
    torch.testing.assert_close(again, one.values, rtol=1e-3, atol=1e-3)
    assert bool((one.values != sampled(autoregressive_prior(model, *text(), seed=4)).values).any())


def test_progress_shows_the_embedding_so_far(model: ArPrior) -> None:
    shown = list(autoregressive_prior(model, *text()))
    assert [(p.done, p.total) for p in shown] == [(i, 6) for i in range(1, 7)]
    last = sampled(autoregressive_prior(model, *text()))
    assert torch.equal(shown[-1].preview.values, last.values)
    pca = principal_components(model.module())
    first, final = (project(pca, p.preview.values) for p in (shown[0], shown[-1]))
    torch.testing.assert_close(first[:, :1], final[:, :1], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(first[:, 1:], torch.zeros(3, 5), rtol=0, atol=2e-3)


def test_a_sample_is_the_same_in_any_batch(model: ArPrior) -> None:
    tokens, embedding = text(1)
    options = {"guidance": 2.0, "seed": 5, **NOTHING}
    many = sampled(autoregressive_prior(model, tokens, embedding, count=4, **options)).values
    few = sampled(autoregressive_prior(model, tokens, embedding, count=2, **options)).values
    torch.testing.assert_close(few, many[:2])
    assert len(many.unique(dim=0)) == 4


def test_samples_are_of_their_texts_row_by_row(model: ArPrior) -> None:
    def rows(part: ClipTokens | Embedding, *chosen: int) -> Any:
        tensors = {
            n: getattr(part, n)[list(chosen)] for n in ("values", "mask") if hasattr(part, n)
        }
        return replace(part, **tensors)

    told = text(3)
    here, there = (
        sampled(autoregressive_prior(model, *(rows(p, *chosen) for p in told), count=4)).values
        for chosen in ((0, 1), (0, 2))
    )
    assert torch.equal(here[:4], there[:4])
    assert not torch.equal(here[4:], there[4:])
    same = [rows(part, 0, 0) for part in told]
    assert len(sampled(autoregressive_prior(model, *same, count=4)).values.unique(dim=0)) == 8


def test_guidance_of_one_is_none_and_needs_no_second_text(model: ArPrior) -> None:
    plain = sampled(autoregressive_prior(model, *text(), seed=2))
    same = sampled(autoregressive_prior(model, *text(), seed=2, guidance=1.0, **NOTHING))
    assert torch.equal(plain.values, same.values)
    other = sampled(autoregressive_prior(model, *text(), seed=2, guidance=4.0, **NOTHING))
    assert not torch.equal(plain.values, other.values)
    alike = dict(zip(("uncond_text", "uncond_embedding"), text(), strict=True))
    away_from_itself = sampled(autoregressive_prior(model, *text(), seed=2, guidance=4.0, **alike))
    torch.testing.assert_close(plain.values, away_from_itself.values)


def test_without_temperature_or_within_no_nucleus_the_likeliest_code_is_taken(
    model: ArPrior,
) -> None:
    certain = [
        sampled(autoregressive_prior(model, *text(), seed=seed, agreement=1.0, **options)).values
        for seed, options in (
            (1, {"temperature": 0.0}),
            (2, {"temperature": 0.0}),
            (3, {"top_p": 0.0}),
        )
    ]
    assert torch.equal(certain[0], certain[1]) and torch.equal(certain[0], certain[2])
    reading = prompt().reading
    level = torch.full((3,), 7)
    codes = torch.empty(3, 0, dtype=torch.int64)
    for _ in range(6):
        likeliest = model.module()(codes, Prompt(reading, level))[:, -1].argmax(1, keepdim=True)
        codes = torch.cat([codes, likeliest], 1)
    torch.testing.assert_close(model.embeddings(codes).values, certain[0])


@pytest.mark.parametrize(("temperature", "top_p"), [(0.5, 1.0), (2.0, 1.0), (1.0, 0.5), (1.5, 0.7)])
def test_codes_are_drawn_at_the_temperature_and_within_the_nucleus(
    model: ArPrior, temperature: float, top_p: float
) -> None:
    options = {"temperature": temperature, "top_p": top_p, "agreement": 1.0, "seed": 9}
    made = sampled(autoregressive_prior(model, *text(), **options)).values
    told, source = Prompt(prompt().reading, torch.full((3,), 7)), SeededNoise(9, "prior")
    codes = torch.empty(3, 0, dtype=torch.int64)
    for place in range(6):
        logits = model.module()(codes, told)[:, -1] / temperature
        kept = probabilities(logits.softmax(1).log(), Choice(1.0, top_p))
        codes = torch.cat([codes, drawn(kept, uniforms(source, 3, 1 + place))[:, None]], 1)
    torch.testing.assert_close(model.embeddings(codes).values, made)
    plain = sampled(autoregressive_prior(model, *text(), agreement=1.0, seed=9)).values
    assert not torch.equal(made, plain)


def test_recorded_noise_stands_for_a_seed(model: ArPrior) -> None:
    from nodes.diffusion.noise import RecordedNoise

    source = SeededNoise(9, "prior")
    recorded = RecordedNoise(
        source.draw(range(3), 0, (1,)),
        torch.stack([source.draw(range(3), 1 + i, (1,)) for i in range(6)]),
    )
    one = sampled(autoregressive_prior(model, *text(), noise=recorded))
    assert torch.equal(one.values, sampled(autoregressive_prior(model, *text(), seed=9)).values)


def test_what_does_not_belong_together_is_refused(model: ArPrior) -> None:
    with pytest.raises(Mismatch, match="is of the CLIP 'one', what is wired comes from 'two'"):
        sampled(autoregressive_prior(model, *text(space="two")))
    with pytest.raises(Mismatch, match="guidance of 3 moves away from a text") as caught:
        sampled(autoregressive_prior(model, *text(), guidance=3.0))
    assert caught.value.port == "uncond_text"


def test_a_check_reads_no_weights(tmp_path: Path, model: ArPrior) -> None:
    place = RunContext(Sandbox((tmp_path,), tmp_path), device="meta", abstract=True)
    handle = parsed(ArPrior, tmp_path / "prior", place)
    tokens, embedding = text(2)
    meta = ClipTokens(tokens.values.to("meta"), tokens.mask.to("meta"), "one")
    read = Embedding(embedding.values.to("meta"), "one")
    abstract = autoregressive_prior.__node__.abstract  # type: ignore[attr-defined]
    with abstract_run() as cost:
        made = abstract(handle, meta, read, meta, read, guidance=2.0, count=3)
    assert made.values.shape == (6, 12) and made.space == "one"
    assert cost().flops > 2 * 2 * 6 * 12 * handle.parameters / 4
    assert PORT_TYPES[ArPrior].describe(handle) == "prior: 6 codes of 16, 2 layers, 16 wide, of one"  # type: ignore[misc]
