"""What a plan predicts, against what a run then takes."""

from pathlib import Path

import pytest
import torch

from nodegraph.api import load
from nodegraph.base.paths import Sandbox
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.options import Options
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.meta.abstract import abstract_run
from nodegraph.runtime.meta.modes import Allocations
from nodegraph.runtime.plan import make_plan
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, find_graph, registry
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.samplers import Start, ancestral
from nodes.diffusion.score_guidance import class_log_probability, gradient
from nodes.library.denoising import unet_denoiser
from nodes.library.schedules import noise_scheduler
from nodes.library.text import text_encoder
from nodes.models.classifier import Classifier
from nodes.models.handle import parsed
from nodes.models.unet import parse_unet
from nodes.networks import winograd


def planned(**inputs: object):
    source = find_graph("glide/text_to_image", registry())
    program = compile_graph(source, registry(), Request(inputs)).checked()
    return make_plan(program, Session().engine(Recorded(source), Options(cached=False)))


def test_a_plan_counts_models_once_and_asks_for_no_download_of_what_is_here() -> None:
    plan = planned()
    assert {model.name for model in plan.models} == {"shapes/glide/base", "shapes/glide/upsample"}
    assert plan.parameters == sum(model.parameters for model in plan.models)
    assert 5e6 < plan.parameters < 7e6
    assert plan.downloads == ()
    assert plan.peak_memory > 4 * plan.parameters


def test_absent_models_are_downloads() -> None:
    plan = planned(models="openai/glide")
    assert {model.name for model in plan.downloads} == {
        "openai/glide/base",
        "openai/glide/upsample",
    }
    assert all(model.download and model.download > 5e8 for model in plan.downloads)


def test_bfloat16_halves_the_weights() -> None:
    source = find_graph("glide/text_to_image", registry())
    program = compile_graph(source, registry(), Request({})).checked()
    plans = [
        make_plan(program, Session().engine(Recorded(source), Options(cached=False, precision=p)))
        for p in ("float32", "bfloat16")
    ]
    sizes = [sum(model.size for model in plan.models) for plan in plans]
    assert sizes[0] == 2 * sizes[1]


def test_one_network_at_a_time_needs_the_memory_of_the_largest() -> None:
    """Karlo's 3.4 billion parameters in float16, from the catalogue; no weight is here."""
    found = registry()
    program = compile_graph(find_graph("unclip/karlo", found), found, Request({})).checked()
    opened = Recorded(find_graph("unclip/karlo", found))
    usual, low = (
        make_plan(
            program,
            Session().engine(opened, Options("cpu", "float16", cached=False, low_memory=alone)),
        )
        for alone in (False, True)
    )
    assert usual.parameters == low.parameters > 3.4e9
    assert usual.peak_memory > 2 * usual.parameters
    largest = max(model.size for model in low.models)
    assert largest < low.peak_memory < 5 * 2**30


def test_the_predicted_memory_of_a_sampler_is_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Convolutions with fewer products take some megabytes beside it, which no plan knows of."""
    plan = planned()
    predicted = next(step.memory for step in plan.steps if step.node == "small")
    monkeypatch.setattr(winograd, "_instructions", lambda: "AVX2")
    usual = taken_by_a_sampler(tmp_path)
    monkeypatch.setattr(winograd, "pays", lambda *_: False)
    assert predicted == pytest.approx(direct := taken_by_a_sampler(tmp_path), rel=0.2)
    assert 0 < usual - direct < 64 * 2**20


def taken_by_a_sampler(folder: Path) -> int:
    """Bytes at the peak of three guided steps of GLIDE's base."""
    graph = load("glide/text_to_image", cached=False, out=folder)
    from nodes.library.denoising import clip_x0
    from nodes.library.guidance import classifier_free_guidance

    model = parse_unet(
        "shapes/glide/base", graph.session.engine(graph.opened, graph.options).context
    )
    model.module()
    cond = unet_denoiser(model, [text_encoder(model, "a red circle")])
    uncond = unet_denoiser(model, [text_encoder(model, "")])
    guided = clip_x0(classifier_free_guidance(cond, uncond, 3.0))
    schedule = noise_scheduler(model, steps=3)
    with Allocations("cpu") as measured:
        assert len(list(ancestral(guided, schedule, Start(SeededNoise(0), count=1)))) == 3
    return measured.peak


def test_a_backward_pass_is_followed_and_counted(tmp_path: Path) -> None:
    """Guidance takes gradients with respect to what a network is given."""
    context = RunContext(Sandbox((), tmp_path), device="meta", abstract=True)
    classifier = parsed(Classifier, "openai/adm-64/classifier", context)
    x_t, t = torch.empty(1, 3, 64, 64, device="meta"), torch.empty(1, device="meta")
    labels = torch.zeros(1, dtype=torch.int64, device="meta")
    with abstract_run() as cost:
        classifier.logits(x_t, t)
        forward = cost().flops
        gradient(class_log_probability(classifier.logits, labels), x_t, t)
    backward = cost().flops - 2 * forward  # as much as forward, but for attention's two products
    assert forward < backward < 1.3 * forward
