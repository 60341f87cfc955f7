"""unCLIP's graphs: planned without weights, run on the tiny folders, and the mistakes that a check must find."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from nodegraph import load
from nodes.checkpoints.catalogue import part_kinds

GOLDEN = Path(__file__).parents[1] / "golden" / "data"
TINY, VARIATIONS = GOLDEN / "unclip_tiny_karlo", GOLDEN / "unclip_tiny_karlo_variations"
PLAN = """
import sys
from nodegraph.cli import app
app(["plan", "unclip/karlo"], standalone_mode=False)
assert "open_clip" not in sys.modules
"""
FEW = {"decoder_steps": "2", "upsample_steps": "2"}


def test_the_plan_of_karlo_needs_neither_weights_nor_open_clip() -> None:
    done = subprocess.run([sys.executable, "-c", PLAN], capture_output=True, text=True, check=True)
    for part in ("clip", "prior", "decoder", "super_res_first", "super_res_last"):
        assert f"to download: kakaobrain/karlo-v1-alpha/{part}, " in done.stdout
    assert "float32[1, 3, 256, 256]" in done.stdout


def test_candidates_and_counts(tmp_path: Path) -> None:
    graph = load("unclip/karlo", out=tmp_path, cached=False, readable=(TINY,))
    inputs = {"models": str(TINY), "prior_steps": "3", **FEW}
    one = graph(**inputs, candidates=3).image
    assert one.shape == (1, 3, 32, 32)
    assert not torch.equal(one, graph(**inputs).image)
    assert graph(**inputs, count=2, candidates=2).image.shape == (2, 3, 32, 32)


def test_variations_of_a_picture(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "red.png")
    graph = load("variations/karlo", out=tmp_path, cached=False, readable=(VARIATIONS, tmp_path))
    made = graph(image=str(tmp_path / "red.png"), models=str(VARIATIONS), count=2, **FEW).image
    assert made.shape == (2, 3, 32, 32)
    assert not torch.equal(made[0], made[1])


def test_the_shapes_models_are_trained_one_after_the_other(tmp_path: Path) -> None:
    """CLIP, and on it the prior and the decoder; the upsamplers; each is found by the bundle's name for it."""
    few = {"steps": 2, "batch": 4, "interval": 1}

    def trained(name: str, **inputs: object):
        graph = load(f"train/unclip_{name}", cached=False, out=tmp_path, readable=(tmp_path,))
        return graph(**inputs)

    clip = trained("clip", **few, space="mine")
    assert clip.retrieval.column("pairs") == [256]
    family = {"models": str(tmp_path / "unclip")}
    prior = trained("prior", **few, **family, count=4)
    assert prior.model.config.space == "mine"
    assert prior.retrieval.column("pairs") == [4]
    decoder = trained("decoder", **few, **family)
    assert decoder.model.config.clip.space == "mine"
    assert decoder.samples.shape[1] == 3
    upsamplers = trained("upsample", first_steps=1, last_steps=1, interval=1)
    assert upsamplers.first_samples.shape == (4, 3, 128, 128)
    assert upsamplers.last_samples.shape == (4, 3, 128, 128)
    parts = {"clip": "Clip", "prior": "Prior", "decoder": "UNet"}
    parts |= {"upsample_1": "UNet", "upsample_2": "UNet"}
    assert part_kinds(family["models"]) == parts
    assert parts.items() < part_kinds("shapes/unclip").items()


HEAD = f"""
graph: 1
inputs: {{models: {{type: Bundle, default: {TINY}}}}}
"""
OTHER_CLIP = (
    HEAD
    + """
nodes:
  words: {type: clip_text, clip: "open_clip:ViT-B-32/openai", text: a frog}
  denoiser:
    type: prior_denoiser
    model: $models.prior
    text: $words.tokens
    embedding: $words.embedding
outputs: {denoiser: $denoiser}
"""
)
TEXT_FOR_IMAGE = (
    HEAD
    + """
nodes:
  words: {type: clip_text, clip: $models.clip, text: a frog}
  wanted:
    type: unclip_conditions
    model: $models.decoder
    image: $words.embedding
    text: $words.tokens
    embedding: $words.embedding
outputs: {wanted: $wanted}
"""
)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (OTHER_CLIP, "E402", "is of the CLIP 'sha256:"),
        (TEXT_FOR_IMAGE, "E301", "ClipImage"),
    ],
)
def test_what_a_check_finds(tmp_path: Path, text: str, code: str, says: str) -> None:
    (tmp_path / "graph.yaml").write_text(text, encoding="utf-8")
    (found,) = load(tmp_path / "graph.yaml", readable=(TINY,)).check()
    assert (found.code, says in found.message) == (code, True), found
    assert found.span is not None
