"""unCLIP's graphs on tiny models of the shapes world's kinds: they run, and say what is wrong before they run."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph import load
from nodegraph.base.diagnostics import GraphError
from nodegraph.base.render import as_text
from nodegraph.language.compile import compile_graph
from nodegraph.session import registry
from nodes.diffusion.masks import resampled

pytestmark = pytest.mark.filterwarnings("ignore:.*W401")
"""The tiny CLIPs know few words."""

PICTURES = {
    "unclip/text_to_image": 2,
    "unclip/text_to_image_autoregressive": 2,
    "unclip/rerank": 2,
    "variations/variations": 2,
    "variations/interpolate_images": 3,
    "variations/interpolate_texts": 3,
    "variations/text_difference": 3,
    "variations/inversion_edit": 3,
    "variations/pca_probe": 3,
}
FEW: dict[str, Any] = {
    "prior_steps": "2",
    "decoder_steps": "2",
    "upsample_steps": "2",
    "steps": "2",
    "count": 2,
    "keep": 2,
    "shares": [0, 0.5, 1],
    "theta": [0, 0.25, 0.5],
    "strength": [0, 0.5, 1],
    "components": [1, 6, 12],
    "fitted": 12,
    "measured": 40,
}


def loaded(name: str, bundles: Path, out: Path):
    return load(name, cached=False, out=out, readable=(bundles,))


def inputs_of(graph: Any, bundles: Path, **more: Any) -> dict[str, Any]:
    """Tiny models and few steps, as far as the graph has such inputs."""
    compiled = compile_graph(graph.opened.source, registry()).graph
    assert compiled is not None
    given = {**FEW, "models": str(bundles / "unclip"), **more}
    return {key: value for key, value in given.items() if key in compiled.inputs}


def ran(name: str, bundles: Path, out: Path, **more: Any):
    graph = loaded(name, bundles, out)
    return graph(**inputs_of(graph, bundles, **more))


@pytest.mark.parametrize("name", PICTURES)
def test_it_draws(name: str, bundles: Path, tmp_path: Path) -> None:
    made = ran(name, bundles, tmp_path).image
    assert made.shape == (PICTURES[name], 3, 128, 128)
    assert bool(made.isfinite().all())
    assert not torch.equal(made[0], made[1])


def test_the_four_ways_from_a_text_differ(bundles: Path, tmp_path: Path) -> None:
    made = ran("unclip/decode_embedding", bundles, tmp_path)
    ways = [made.text_alone, made.text_embedding, made.prior, made.prior_and_text]
    assert all(way.shape == (2, 3, 32, 32) for way in ways)
    assert not any(torch.equal(a, b) for n, a in enumerate(ways) for b in ways[:n])


def test_reranked_pictures_are_the_best_of_those_drawn(bundles: Path, tmp_path: Path) -> None:
    kept = ran("unclip/rerank", bundles, tmp_path, count=3, keep=1)
    assert kept.image.shape == (1, 3, 128, 128)
    assert len(kept.scores.rows) == 3


def test_embedding_and_noise_give_a_picture_back(tmp_path: Path) -> None:
    """With eta 0 the shipped decoder returns what was inverted; with new noise it does not."""
    graph = load("variations/variations", cached=False, out=tmp_path)
    few = {"decoder_steps": "100", "decoder_guidance": 1.0, "upsample_steps": "1", "count": 1}
    same, other = (graph(eta=eta, **few) for eta in (0.0, 1.0))
    source = resampled(same.source, (32, 32))
    errors = [float((made.small - source).abs().mean()) for made in (same, other)]
    assert errors[0] < 0.05 and errors[0] < errors[1] / 3, errors


def test_a_picture_of_ones_own_is_varied(bundles: Path, tmp_path: Path) -> None:
    own = torch.full((1, 3, 20, 24), -0.5)
    assert torch.equal(ran("variations/variations", bundles, tmp_path, image=own).source, own)


EVALUATIONS = {
    "evaluate/unclip_accuracy": {"accuracy": 2},
    "evaluate/variations": {"agreement": 4, "distance": 4, "error": 4},
    "evaluate/interpolation": {"monotone": 1, "similarity": 3},
    "evaluate/text_difference": {"accuracy": 4},
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_it_measures(name: str, bundles: Path, tmp_path: Path) -> None:
    made = ran(name, bundles, tmp_path, samples=2)
    for output, rows in EVALUATIONS[name].items():
        table = made.outputs[output]
        assert len(table.rows) == rows
        numbers = [v for row in table.rows for v in row if isinstance(v, float)]
        assert all(-1 <= value <= 2 for value in numbers)


def test_both_priors_and_glide_are_measured_at_each_scale(bundles: Path, tmp_path: Path) -> None:
    made = ran("evaluate/unclip_vs_glide", bundles, tmp_path, samples=2)
    names = ("GLIDE", "diffusion prior", "autoregressive prior", "diffusion prior and text")
    for table in (made.accuracy, made.diversity):
        assert table.column("name") == [name for name in names for _ in range(5)]
        assert table.column("x") == [1, 2, 3, 4, 6] * 4
    assert set(made.accuracy.column("rows")) == {4}
    assert all(distance > 0 for distance in made.diversity.column("distance"))


def test_without_new_noise_variations_are_one_picture(bundles: Path, tmp_path: Path) -> None:
    made = ran("evaluate/variations", bundles, tmp_path, samples=2)
    distances = made.distance.column("distance")
    assert made.distance.column("x") == [0, 0.25, 0.5, 1]
    assert distances[0] == 0 and all(distance > 0 for distance in distances[1:])


@pytest.fixture
def mixed(bundles: Path, tmp_path: Path) -> Path:
    """The tiny bundle with a prior that was trained with another CLIP."""
    folder = tmp_path / "mixed"
    shutil.copytree(bundles / "unclip", folder)
    path = folder / "prior" / "config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["config"]["space"] = "another"
    path.write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_a_prior_of_another_clip_is_refused_before_anything_runs(
    mixed: Path, tmp_path: Path
) -> None:
    graph = load("unclip/text_to_image", cached=False, out=tmp_path, readable=(mixed,))
    with pytest.raises(GraphError) as refused:
        graph(models=str(mixed))
    said = [as_text(d, {}) for d in refused.value.diagnostics if d.severity == "error"]
    assert any("of the CLIP 'another', what is wired comes from 'tiny'" in text for text in said)
    assert all("E402" in text and ".yaml:" in text for text in said)


TEXT_FOR_IMAGE = """graph: 1
nodes:
  words:  {type: clip_text, clip: CLIP, text: a red circle}
  turned: {type: unclip_decoder, model: MODEL, clip: CLIP, image: $words.embedding}
outputs: {image: $turned}
"""


def test_a_text_embedding_is_no_picture_embedding(bundles: Path, tmp_path: Path) -> None:
    parts = {"CLIP": bundles / "unclip" / "clip", "MODEL": bundles / "unclip" / "decoder"}
    text = TEXT_FOR_IMAGE
    for word, folder in parts.items():
        text = text.replace(word, str(folder))
    path = tmp_path / "graph.yaml"
    path.write_text(text, encoding="utf-8")
    [found] = load(path, readable=(bundles,)).check()
    said = as_text(found, {str(path): text})
    assert "E301" in said and "ClipText" in said and "ClipImage" in said
    line, caret = said.splitlines()[1:3]
    assert line[caret.index("^") :].startswith("$words.embedding")
    assert "text_as_image" in said
