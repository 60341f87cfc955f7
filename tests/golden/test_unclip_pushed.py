"""The tiny Karlo, pushed: diffusers runs it as it is, its networks there give what ours give, and its weights come back bit for bit."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_unclip_live import PROMPT, STEPS, noise_files, quiet, reference
from torch import Tensor

from nodegraph import load
from nodegraph.models.publishing import Publication, Pushed
from nodes import load_model
from nodes.checkpoints.catalogue import part_kinds
from nodes.checkpoints.publishing.bundle import push
from nodes.checkpoints.publishing.counting import counting
from nodes.checkpoints.weights import write_model, write_weights
from nodes.networks.clip.network import clip_tokenize
from nodes.networks.text import bias_of

TEXT, VARIATIONS = "unclip_tiny_karlo", "unclip_tiny_karlo_variations"
ATOL = 1e-5


def in_our_layout(source: Path, folder: Path) -> Path:
    """The parts of a folder of diffusers as models that were trained here: a bundle of our own layout, in float32."""
    for name in part_kinds(str(source)):
        model = load_model(source / name)
        (folder / name).mkdir(parents=True)
        weights = {key: value.contiguous() for key, value in model.weights().items()}
        write_weights(folder / name, weights, model.config, {"card": f"A tiny {name}."})
    return folder


def pushed(bundle: Path, folder: Path, **how: str) -> Pushed:
    return push(str(bundle), Publication(folder, **{"licence": "MIT", **how}))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """Bundles of our own layout, and what was pushed of them, by the folders that they come from."""
    found: dict[str, tuple[Path, Path]] = {}
    for name in (TEXT, VARIATIONS):
        folder = tmp_path_factory.mktemp(name)
        own = in_our_layout(Path(__file__).parent / "data" / name, folder / "own")
        pushed(own, folder / "pushed")
        found[name] = own, folder / "pushed"
    return found


@pytest.fixture(params=[TEXT, VARIATIONS])
def pair(made: dict[str, tuple[Path, Path]], request: pytest.FixtureRequest) -> tuple[Path, Path]:
    return made[request.param]


@pytest.fixture
def text(made: dict[str, tuple[Path, Path]]) -> tuple[Path, Path]:
    return made[TEXT]


def test_diffusers_draws_what_the_graph_draws(
    text: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, folder = text
    expected, drawn = reference(folder, monkeypatch)
    inputs = {
        "prompt": PROMPT,
        **{f"{stage}_steps": str(steps) for stage, steps in STEPS.items()},
        **noise_files(drawn, tmp_path),
    }
    for models in (own, folder):
        graph = load("unclip/karlo", out=tmp_path, cached=False, readable=(models, tmp_path))
        made = graph(models=str(models), **inputs).image / 2 + 0.5
        difference = (made.clamp(0, 1).permute(0, 2, 3, 1) - expected).abs()
        assert float((difference <= 1e-4).float().mean()) >= 0.995
        assert float(difference.max()) <= 0.05


def test_the_variations_pipeline_loads_and_sees_what_ours_sees(
    made: dict[str, tuple[Path, Path]],
) -> None:
    own, folder = made[VARIATIONS]
    with quiet():
        from diffusers import UnCLIPImageVariationPipeline

        pipeline = UnCLIPImageVariationPipeline.from_pretrained(str(folder))
    levels = torch.randint(256, (1, 3, 40, 52), generator=torch.Generator().manual_seed(0))
    picture = levels.to(torch.uint8)
    pixels = pipeline.feature_extractor(picture, return_tensors="pt").pixel_values
    theirs = pipeline.image_encoder(pixels).image_embeds
    ours = load_model(own / "clip").see(picture / 127.5 - 1).values
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=ATOL)


def component(folder: Path, library: str, name: str, part: str) -> Any:
    with quiet():
        found = getattr(__import__(library, fromlist=[name]), name)
        return found.from_pretrained(str(folder / part)).eval().requires_grad_(False)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_the_prior_gives_what_ours_gives(text: tuple[Path, Path]) -> None:
    own, folder = text
    theirs = component(folder, "diffusers", "PriorTransformer", "prior")
    model = load_model(own / "prior")
    width, tokens = model.config.embedding, model.config.tokens
    x, told, words = noise(2, width), noise(3, width)[:2], noise(2, tokens, width)
    mask = torch.arange(tokens)[None] < torch.tensor([5, 9])[:, None]
    found = model.module()(x, torch.tensor([700, 700]), told, words, mask)
    expected = theirs(x, 700, told, words, mask).predicted_image_embedding
    torch.testing.assert_close(found, expected, rtol=0, atol=ATOL)
    named = theirs.post_process_latents(x)
    torch.testing.assert_close(model.module().embeddings(x), named, rtol=0, atol=ATOL)


def test_the_decoder_gives_what_ours_gives(pair: tuple[Path, Path]) -> None:
    own, folder = pair
    theirs = component(folder, "diffusers", "UNet2DConditionModel", "decoder")
    place = "diffusers.pipelines.deprecated.unclip.text_proj"
    projection = component(folder, place, "UnCLIPTextProjModel", "text_proj")
    model = load_model(own / "decoder")
    network, reads = model.module(), model.config.clip
    assert reads is not None
    image, text, words = noise(2, reads.embedding), noise(4, reads.embedding)[:2], 7
    tokens = noise(2, words, reads.embedding)
    context, told = projection(
        image_embeddings=image,
        prompt_embeds=text,
        text_encoder_hidden_states=tokens,
        do_classifier_free_guidance=False,
    )
    x, mask = noise(2, 3, 16, 16), torch.ones(2, words + reads.extra_tokens, dtype=torch.bool)
    mask[1, -3:] = False
    expected = theirs(
        x, 500, encoder_hidden_states=context, encoder_attention_mask=mask, class_labels=told
    ).sample
    from nodes.networks.clip.conditions import ClipReading

    made = network.clip(image, ClipReading(text, tokens, mask[:, reads.extra_tokens :]))
    torch.testing.assert_close(made.embedding, told, rtol=0, atol=ATOL)
    torch.testing.assert_close(made.tokens, context, rtol=0, atol=ATOL)
    kept = {"context": network.projected(made.tokens), "bias": bias_of(mask, torch.float32)}
    found = network(x, torch.tensor([500, 500]), made.embedding, **kept)
    torch.testing.assert_close(found, expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("part", ["super_res_first", "super_res_last"])
def test_super_resolution_gives_what_ours_gives(pair: tuple[Path, Path], part: str) -> None:
    own, folder = pair
    theirs = component(folder, "diffusers", "UNet2DModel", part)
    x, low = noise(2, 3, 32, 32), noise(1, 3, 32, 32).expand(2, -1, -1, -1)
    found = load_model(own / part).module()(x, torch.tensor([20, 20]), pixels=low)
    expected = theirs(torch.cat([x, low], 1), 20).sample
    torch.testing.assert_close(found, expected, rtol=0, atol=ATOL)


def test_the_text_encoder_reads_what_ours_reads(pair: tuple[Path, Path]) -> None:
    own, folder = pair
    theirs = component(folder, "transformers", "CLIPTextModelWithProjection", "text_encoder")
    texts = ["A big red frog on  a green leaf!", "naïve café", ""]
    expected = theirs(as_transformers(folder, texts)["input_ids"])
    embedding, tokens = load_model(own / "clip").read(texts)
    torch.testing.assert_close(embedding.values, expected.text_embeds, rtol=0, atol=ATOL)
    given, seen = expected.last_hidden_state, tokens.mask
    torch.testing.assert_close(tokens.values[seen], given[seen], rtol=0, atol=ATOL)


def as_transformers(folder: Path, texts: list[str]) -> Mapping[str, Tensor]:
    with quiet():
        from transformers import CLIPTokenizer

        tokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"))
        return tokenizer(
            texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
        )


def test_weights_come_back_bit_for_bit(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """By what the folder says of itself, and as any folder of diffusers."""
    own, folder = pair
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "bundle.json").unlink()
    assert part_kinds(str(folder)).keys() == part_kinds(str(bare)).keys()
    for name in part_kinds(str(folder)):
        expected = load_model(own / name)
        for of in (folder, bare):
            found = load_model(of / name)
            weights, wanted = found.weights(), expected.weights()
            assert weights.keys() == wanted.keys()
            assert all(torch.equal(weights[key], value) for key, value in wanted.items())
        found = load_model(folder / name)
        said, wanted = counting(found.config), counting(expected.config)
        for each in (said, wanted):
            if each.get("tokenizer"):
                each["tokenizer"] = {**each["tokenizer"], "folder": ""}
        assert said == wanted


def test_a_folder_of_diffusers_is_pushed_as_it_was(golden, tmp_path: Path) -> None:
    source = golden.path(TEXT).resolve()
    pushed(source, tmp_path / "pushed")
    for file in source.rglob("*.safetensors"):
        wanted = load_file(file)
        wanted.pop("text_model.embeddings.position_ids", None)
        found = load_file(tmp_path / "pushed" / file.relative_to(source))
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[key], value) for key, value in wanted.items())
    for name in ("vocab.json", "merges.txt"):
        place = Path("tokenizer") / name
        assert (tmp_path / "pushed" / place).read_bytes() == (source / place).read_bytes()


def test_half_precision_runs_in_diffusers(text: tuple[Path, Path], tmp_path: Path) -> None:
    """What trainings write is in float16: weights are kept so, and diffusers computes in float32."""
    own, _ = text
    for name in part_kinds(str(own)):
        model = load_model(own / name)
        write_model(tmp_path / "half" / name, model.module(), model.config, {})
    pushed(tmp_path / "half", tmp_path / "pushed")
    halves = load_file(tmp_path / "pushed" / "text_encoder" / "model.safetensors")
    assert {value.dtype for value in halves.values()} == {torch.float16}
    with quiet():
        from diffusers import UnCLIPPipeline

        pipeline = UnCLIPPipeline.from_pretrained(str(tmp_path / "pushed"))
        pipeline.set_progress_bar_config(disable=True)
        steps = {f"{s}_num_inference_steps": 2 for s in ("prior", "decoder", "super_res")}
        (made,) = pipeline(PROMPT, **steps, output_type="np").images
    assert made.shape == (32, 32, 3)


def test_one_network_of_super_resolution_serves_for_the_last_step_too(
    text: tuple[Path, Path], tmp_path: Path
) -> None:
    own, _ = text
    shutil.copytree(own, tmp_path / "own", ignore=shutil.ignore_patterns("super_res_last"))
    done = pushed(tmp_path / "own", tmp_path / "pushed")
    assert any("UnCLIPPipeline" in line for line in done.others)
    first, last = (tmp_path / "pushed" / f"super_res_{name}" for name in ("first", "last"))
    for file in first.iterdir():
        assert (last / file.name).read_bytes() == file.read_bytes()
    assert "super_res_last" not in part_kinds(str(tmp_path / "pushed"))


def test_two_sizes_of_super_resolution_are_no_pipeline(
    text: tuple[Path, Path], tmp_path: Path
) -> None:
    """diffusers has one size, and one scheduler, for both."""
    shutil.copytree(text[0], tmp_path / "own")
    path = tmp_path / "own" / "super_res_last" / "config.json"
    record = json.loads(path.read_text("utf-8"))
    record["config"]["image_size"] *= 2
    path.write_text(json.dumps(record), "utf-8")
    done = pushed(tmp_path / "own", tmp_path / "pushed")
    why = {part.name: part.why for part in done.parts if part.why}
    assert why == {
        "super_res_last": "a pipeline of diffusers has one chain and one size for it and super_res_first"
    }
    assert done.others == (
        "no pipeline of diffusers: for UnCLIPPipeline it lacks 'super_res_last' in its layout",
    )
    assert load_model(tmp_path / "pushed" / "super_res_last").config.image_size == 64


def test_what_is_missing_is_no_pipeline_and_can_be_lent(
    text: tuple[Path, Path], golden, tmp_path: Path
) -> None:
    """One trained part and the rest of a published bundle make a whole pipeline."""
    own, _ = text
    shutil.copytree(own / "decoder", tmp_path / "own" / "decoder")
    alone = pushed(tmp_path / "own", tmp_path / "alone")
    assert alone.others == (
        "no pipeline of diffusers: for UnCLIPImageVariationPipeline it lacks 'super_res_first', 'clip'",
    )
    assert not (tmp_path / "alone" / "model_index.json").exists()
    source = golden.path(TEXT).resolve()
    whole = pushed(tmp_path / "own", tmp_path / "whole", rest=str(source))
    assert {part.name for part in whole.parts} == part_kinds(str(source)).keys()
    index = json.loads((tmp_path / "whole" / "model_index.json").read_text("utf-8"))
    assert index["_class_name"] == "UnCLIPPipeline"


def test_clips_own_vocabulary_is_written_for_transformers(golden, tmp_path: Path) -> None:
    """Of a CLIP that names no vocabulary."""
    from dataclasses import replace

    from tiny import built

    from nodes.networks.config import ClipTokenizerConfig

    config = load_model(golden.path(TEXT).resolve() / "clip").config
    text = {**(config.text or {}), "vocab_size": 49_408}
    config = replace(config, text=text, tokenizer=ClipTokenizerConfig("clip_padded"))
    write_model(tmp_path / "own" / "clip", built(config), config, {})
    pushed(tmp_path / "own", tmp_path / "pushed")
    texts = [
        "A big red frog on  a green leaf!!",
        "naïve café 北京 <|endoftext|> x",
        "",
        "heavy " * 90,
    ]
    expected = as_transformers(tmp_path / "pushed", texts)
    tokens = clip_tokenize(config, texts)
    mask = expected["attention_mask"].bool()
    assert torch.equal(tokens.mask, mask)
    assert torch.equal(tokens.ids[mask], expected["input_ids"][mask])
    assert load_model(tmp_path / "pushed" / "clip").config == config
