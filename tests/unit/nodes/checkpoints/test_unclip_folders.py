"""Folders of unCLIP in other layouts: their parts, their files, and what is said of those that do not fit."""

import json
import shutil
import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from nodegraph.base.diagnostics import Mismatch
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.catalogue import part_kinds
from nodes.checkpoints.open_clip import named_clip, open_clip_config
from nodes.checkpoints.reading import read_weights
from nodes.library.clip import best_candidate, clip_image, clip_text, text_as_image
from nodes.library.embeddings import repeat_rows, slerp
from nodes.library.noise import forward_diffusion
from nodes.library.priors import prior_denoiser
from nodes.library.sampling import ddim_inversion
from nodes.library.schedules import noise_scheduler
from nodes.models.clip import Clip, parse_clip
from nodes.models.embeddings import Embedding
from nodes.models.handle import parsed
from nodes.models.prior import Prior
from nodes.models.unet import UNet

GOLDEN = Path(__file__).parents[3] / "golden" / "data"
TINY, VARIATIONS = GOLDEN / "unclip_tiny_karlo", GOLDEN / "unclip_tiny_karlo_variations"


def context(*folders: Path) -> RunContext:
    return RunContext(Sandbox(folders, Path("out")))


def clip_of(folder: Path) -> Clip:
    return parse_clip(str(folder / "clip"), context(folder))


def test_parts_of_both_spellings() -> None:
    kinds = {"decoder": "UNet", "super_res_first": "UNet", "super_res_last": "UNet"}
    assert part_kinds(str(TINY)) == {"prior": "Prior", **kinds, "clip": "Clip"}
    assert part_kinds(str(VARIATIONS)) == {**kinds, "clip": "Clip"}


def test_pickled_weights_are_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "karlo"
    shutil.copytree(VARIATIONS, folder)
    for component in ("image_encoder", "text_proj"):
        (weights,) = (folder / component).glob("*.safetensors")
        weights.unlink()
    for kind, part in ((UNet, "decoder"), (Clip, "clip")):
        found = parsed(kind, str(folder / part), context(folder)).weights()
        expected = parsed(kind, str(VARIATIONS / part), context(VARIATIONS)).weights()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in found)


def test_embeddings_are_neither_noised_nor_inverted() -> None:
    prior = parsed(Prior, str(TINY / "prior"), context(TINY))
    embedding, tokens = clip_text(clip_of(TINY), "a frog")
    denoiser = prior_denoiser(prior, tokens, embedding)
    schedule = noise_scheduler(prior, steps=3)
    with pytest.raises(Mismatch, match="embeddings are not noised"):
        forward_diffusion(embedding, schedule)
    with pytest.raises(Mismatch, match="embeddings are not inverted"):
        list(ddim_inversion(denoiser, schedule, embedding))


def test_both_folders_have_one_clip() -> None:
    prior = parsed(Prior, str(TINY / "prior"), context(TINY))
    assert clip_of(TINY).config.space == clip_of(VARIATIONS).config.space == prior.config.space


def test_embeddings_know_their_clip(tmp_path: Path) -> None:
    """Another CLIP's text is refused by the prior; what is made of an embedding stays one of its CLIP."""
    folder = tmp_path / "other"
    shutil.copytree(TINY / "text_encoder", folder / "text_encoder")
    shutil.copytree(TINY / "tokenizer", folder / "tokenizer")
    index = {"text_encoder": ["transformers", "CLIPTextModelWithProjection"]}
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    (weights,) = (folder / "text_encoder").glob("*.safetensors")
    torch.save(
        {k: 2 * v for k, v in load_file(weights).items()}, weights.with_name("pytorch_model.bin")
    )
    weights.unlink()
    other = clip_text(clip_of(folder), "a frog")
    own = clip_text(clip_of(TINY), "a frog")
    prior = parsed(Prior, str(TINY / "prior"), context(TINY))
    assert prior_denoiser(prior, own.tokens, own.embedding).sample_shape == (40,)
    with pytest.raises(Mismatch, match="is of the CLIP"):
        prior_denoiser(prior, other.tokens, own.embedding)
    with pytest.raises(Mismatch, match="is of the CLIP"):
        slerp(own.embedding, other.embedding)
    with pytest.raises(Mismatch, match="learned nothing for a missing text"):
        prior_denoiser(prior)
    image = text_as_image(own.embedding)
    assert repeat_rows(slerp(image, image, [0.0, 1.0]), 2).values.shape == (4, 40)
    assert slerp(image, image).space == own.embedding.space != other.embedding.space


def test_a_missing_tower_is_said() -> None:
    with pytest.raises(Mismatch, match="has no image tower"):
        clip_image(clip_of(TINY), torch.zeros(1, 3, 32, 32))


def test_the_best_of_the_candidates() -> None:
    """Of two for each of two texts the one with the larger product."""
    texts = Embedding(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    drawn = Embedding(torch.tensor([[0.5, 9.0], [0.6, -9.0], [2.0, 3.0], [9.0, 2.0]]))
    assert best_candidate(drawn, texts).values.tolist() == [[pytest.approx(0.6), -9.0], [2.0, 3.0]]
    with pytest.raises(Mismatch, match="cannot be shared out"):
        best_candidate(Embedding(drawn.values[:3]), texts)


def test_names_of_open_clip() -> None:
    found = named_clip("open_clip:ViT-L-14-quickgelu/openai")
    assert found is not None
    assert (found.space, found.is_file) == ("ViT-L-14/openai", False)
    assert named_clip("shapes/unclip/clip") is None
    assert open_clip_config("ViT-L-14-quickgelu").quick_gelu
    with pytest.raises(ValueError, match="did you mean 'ViT-L-16'"):
        open_clip_config("ViT-L-41")


def test_a_local_file_of_open_clip(tmp_path: Path) -> None:
    """One in its own layout, and in that of the text tower on its own: the same embeddings."""
    import open_clip

    made = open_clip.create_model("RN50", pretrained=None).eval()
    torch.save(made.state_dict(), tmp_path / "clip.pt")
    clip = parse_clip(f"open_clip:RN50/{tmp_path / 'clip.pt'}", context(tmp_path))
    embedding, tokens = clip.read(["a frog"])
    expected = made.encode_text(open_clip.tokenize(["a frog"])).detach()
    torch.testing.assert_close(embedding.values, expected, rtol=0, atol=1e-5)
    assert tokens.values.shape == (1, 77, 512)
    assert embedding.space == clip.digest


def test_weights_of_a_script(tmp_path: Path) -> None:
    network = torch.nn.Linear(2, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(network).save(tmp_path / "ViT.pt")
    found = dict(read_weights(tmp_path / "ViT.pt"))
    assert torch.equal(found["weight"], network.weight)


def test_an_original_folder(tmp_path: Path) -> None:
    names = ("prior-ckpt-step=01.ckpt", "ViT-L-14_stats.th", "decoder-ckpt-step=01.ckpt")
    for name in (*names, "improved-sr-ckpt-step=1.2M.ckpt", "ViT-L-14.pt"):
        torch.save({"state_dict": {}}, tmp_path / name)
    assert part_kinds(str(tmp_path)) == part_kinds(str(TINY))
    prior = parsed(Prior, str(tmp_path / "prior"), context(tmp_path))
    assert [file.name for file in prior.files] == [*names[:2]]
    assert prior.config.trained.x0_bound == 10
    clip = parse_clip(str(tmp_path / "clip"), context(tmp_path))
    assert clip.config.space == prior.config.space == "ViT-L-14/openai"
    last = parsed(UNet, str(tmp_path / "super_res_last"), context(tmp_path))
    assert (last.layout, last.config.image_size) == ("karlo_last", 256)
