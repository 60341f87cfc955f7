"""The graphs that measure what the papers claim run on the shipped networks, and measure what they say."""

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph import load
from nodegraph.session import find_graph, registry
from nodes.checkpoints.weights import read_config
from nodes.networks.config import UNetConfig

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered")


def ran(name: str, folder: Path, **inputs: Any) -> Any:
    return load(f"evaluate/{name}", cached=False, out=folder)(**inputs)


def ends_hold_the_figure(table: Any) -> bool:
    """Whether every interval of a table lies about its figure."""
    names = [column for column in table.columns if f"{column}_low" in table.columns]
    assert names
    return all(
        low <= value <= high
        for name in names
        for low, value, high in zip(
            *(table.column(f"{name}{end}") for end in ("_low", "", "_high")), strict=True
        )
    )


def test_guides_are_judged_beside_no_guide(tmp_path: Path) -> None:
    few = {"count": 4, "references": 8, "steps": "15"}
    made = ran("guides_judged", tmp_path, free=[1, 3], clip=[0, 6], **few)
    for table in (made.accuracy, made.fidelity, made.diversity):
        assert table.column("name") == ["no guidance", *["classifier-free"] * 2, *["CLIP"] * 2]
        assert table.column("x") == [1, 1, 3, 0, 6]
    assert ends_hold_the_figure(made.accuracy) and ends_hold_the_figure(made.diversity)
    gain = made.gain
    none_free, free, none_clip, clip = (
        [row[gain.columns.index(name)] for name in ("correct", "guide", "judge")]
        for row in gain.rows
    )
    assert none_free == none_clip == [0, 0, 0]  # no guidance gains nothing over none
    assert free[1] != 0
    assert clip[1] > 0  # the CLIP that guides likes its pictures better


def test_a_class_is_guided_towards_with_and_without_a_classifier(tmp_path: Path) -> None:
    few = {"count": 2, "references": 8, "steps": "2", "scales": [0], "free": [1]}
    made = ran("class_guidance", tmp_path, **few)
    rows = {name: row for name, *row in made.accuracy.rows}
    told, classifier, free = (
        rows[name][2:]
        for name in ("told the class", "told the class, classifier", "classifier-free")
    )
    assert told == classifier == free  # at scales that guide nothing
    assert len(rows) == 5
    assert len(made.fidelity.rows) == len(made.diversity.rows) == 5


def test_the_best_of_more_scores_more(tmp_path: Path) -> None:
    table = ran("reranking", tmp_path, seeds=[0], count=1, steps="2").accuracy
    assert table.column("x") == [1, 2, 4, 8, 16, 32, 64] * 2
    by_clip, by_noised = table.column("clip")[:7], table.column("noised_clip")[7:]
    for scores in (by_clip, by_noised):
        assert scores == sorted(scores)
        assert scores[-1] > scores[0]
    right = table.column("colour_and_shape")
    assert right[0] == right[7]  # one of one: nobody chooses
    assert right[6] in (0, 1)


def test_a_decoder_is_told_five_things(tmp_path: Path) -> None:
    few = {"count": 2, "references": 8, "steps": "2", "scales": [2], "low": 2, "high": 3}
    made = ran("unclip_conditions", tmp_path, **few)
    assert made.accuracy.column("name") == [
        "text alone",
        "text embedding",
        "text and its embedding",
        "prior",
        "prior and text",
        "GLIDE",
    ]
    distances = made.diversity.column("distance")
    assert len({round(d, 4) for d in distances}) == 6
    assert len(made.pairs.rows) == len(made.apart.rows) == 5
    again = ran("unclip_conditions", tmp_path, **{**few, "high": 2})
    assert again.apart.column("distance")[3:] == [0, 0]  # guidance of 2 over guidance of 2
    over_its = distances[4] - distances[2]
    assert again.apart.column("distance")[0] == pytest.approx(over_its, abs=1e-5)


def test_priors_are_measured_beside_the_true_embedding(tmp_path: Path) -> None:
    made = ran("priors", tmp_path, count=2, steps="2")
    names = ["the true picture's", *["diffusion"] * 6, "autoregressive"]
    assert made.accuracy.column("name") == made.diversity.column("name") == names
    nearness = made.accuracy.column("to_picture")
    assert nearness[0] == pytest.approx(1, abs=1e-5)
    assert all(-1 <= n < 0.999 for n in nearness[1:])
    distances = dict(
        zip(made.diversity.column("x"), made.diversity.column("distance"), strict=True)
    )
    over = [distances[steps] - distances[32] for steps in (2, 25)]
    assert made.apart.column("distance") == pytest.approx(over, abs=2e-6)
    assert len(made.pairs.rows) == 2


def test_variances_differ_where_steps_are_few(tmp_path: Path) -> None:
    given = {
        "noised": "shapes/glide/clip",
        "captions": ["a red circle", "a blue star"],
        "classes": [0, 43],
        "references": torch.randn(8, 128),
    }
    drawn = [
        ran("parts/variance_point", tmp_path, variance=variance, steps="3", **given).pictures
        for variance in ("learned", "small", "large", "DDIM")
    ]
    assert not any(torch.equal(a, b) for a, b in combinations(drawn, 2))


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_network_is_trained_by_either_loss(kind: str, tmp_path: Path) -> None:
    given = {
        "like": "shapes/glide/base",
        "judge": "shapes/unclip/clip",
        "references": torch.randn(8, 64),
        "held_out": torch.zeros(2, 3, 16, 16),
        "few": "2",
        "many": "3",
        "bound": "4",
        "count": 4,
    }
    simple, hybrid = (
        ran(
            "parts/objective_point",
            tmp_path,
            kind=kind,
            learned=learned,
            run=f"{kind}-{learned}",
            steps=1,
            **given,
        )
        for learned in (False, True)
    )
    assert simple.samples.shape[-2:] == hybrid.samples.shape[-2:] == (16, 16)
    assert simple.fidelity.column("x") == [10, 100]
    assert simple.bits.rows != hybrid.bits.rows
    trained = read_config(tmp_path / f"{kind}-True" / "model", UNetConfig).trained
    assert (trained.schedule, trained.parametrisation) == (kind, "eps")
    assert trained.learned_variance


def test_twelve_trainings_are_asked_for() -> None:
    """Each schedule with each loss and each seed, in folders of their own."""
    text = find_graph("evaluate/objectives", registry()).text
    found = re.findall(r'\["(\w+), (\w+)", (\w+), (true|false), (\d), objectives/([\w-]+)\]', text)
    assert all(kind == named for named, _, kind, *_ in found)
    assert all((loss == "hybrid") == (learned == "true") for _, loss, _, learned, *_ in found)
    assert all(f"{kind}-{loss}-{seed}" == run for kind, loss, _, _, seed, run in found)
    assert len({run for *_, run in found}) == len(found) == 12
