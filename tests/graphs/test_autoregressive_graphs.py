"""The graph that trains the autoregressive prior, on a tiny CLIP; what it makes is usable by name, and checked."""

from pathlib import Path

import pytest
import torch

from nodegraph import load
from nodes.checkpoints.weights import write_model
from nodes.networks.clip.network import Clip
from nodes.networks.config import ClipConfig, ClipTokenizerConfig
from nodes.shapes.world import COLOURS, SHAPES

pytestmark = pytest.mark.filterwarnings("ignore:.*W401")
"""The tiny CLIPs know few words."""

WORDS = (*COLOURS, *SHAPES)
CLIP = ClipConfig(
    16,
    {"context_length": 24, "vocab_size": len(WORDS) + 3, "width": 16, "heads": 2, "layers": 1},
    {"image_size": 32, "patch_size": 16, "width": 16, "head_width": 8, "layers": 1},
    tokenizer=ClipTokenizerConfig("words", words=WORDS),
    space="tiny",
)
TRAINING = {"steps": 2, "batch": 4, "interval": 1, "measured": 40, "components": 4, "buckets": 8}
GRAPH = """
graph: 1
inputs: {models: {type: Bundle, default: MODELS}}
nodes:
  words:   {type: clip_text, clip: $models.clip, text: a red circle}
  nothing: {type: clip_text, clip: $models.clip, text: ""}
  drawn:
    type: autoregressive_prior
    model: $models.autoregressive_prior
    text: $words.tokens
    embedding: $words.embedding
    uncond_text: $nothing.tokens
    uncond_embedding: $nothing.embedding
    guidance: 3
    count: 2
outputs: {embedding: $drawn}
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a tiny CLIP, and the prior that the graph trains for it."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    write_model(folder / "unclip" / "clip", Clip(CLIP), CLIP, {})
    graph = load("train/unclip_autoregressive_prior", out=folder, cached=False, readable=(folder,))
    made = graph(models=str(folder / "unclip"), count=6, **TRAINING)
    assert [row[0] for row in made.history.rows] == [1, 2]
    assert made.losses.column("code") == [0, 1, 2, 3]
    assert -1 <= made.cosine.column("cosine")[0] <= 1
    assert made.retrieval.columns == made.retrieval_true.columns
    assert made.components.components.shape == (4, 16) and made.components.space == "tiny"
    return folder


def graph(models: Path, text: str):
    path = models / "graph.yaml"
    path.write_text(text.replace("MODELS", str(models / "unclip")), encoding="utf-8")
    return load(path, out=models, cached=False, readable=(models,))


def test_what_was_trained_is_used_by_name(models: Path) -> None:
    loaded = graph(models, GRAPH)
    assert all(fault.severity == "warning" for fault in loaded.check())
    made = loaded().embedding
    assert made.values.shape == (2, 16) and made.space == "tiny"


MISTAKES = {
    "guidance needs a text": (
        "    uncond_text: $nothing.tokens\n",
        "",
        "guidance of 3 moves away from a text that is not given",
    ),
    "another CLIP": (
        "nothing: {type: clip_text, clip: $models.clip",
        "nothing: {type: clip_text, clip: 'open_clip:ViT-B-32/openai'",
        "is of the CLIP 'tiny', what is wired comes from 'ViT-B-32/openai'",
    ),
    "a picture's embedding for a text's": (
        "outputs: {embedding: $drawn}",
        "  again: {type: autoregressive_prior, model: $models.autoregressive_prior, text: $words.tokens, "
        "embedding: $drawn}\noutputs: {embedding: $again}",
        "ClipText",
    ),
    "another model": (
        "model: $models.autoregressive_prior",
        "model: $models.clip",
        "ArPrior",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_found_before_anything_runs(models: Path, name: str) -> None:
    old, new, message = MISTAKES[name]
    assert old in GRAPH
    faults = graph(models, GRAPH.replace(old, new)).check()
    [found] = [fault for fault in faults if fault.severity == "error"]
    assert message in found.message and found.span is not None
