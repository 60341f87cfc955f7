"""Guided diffusion against the reference: its UNets, its classifiers, and sampling that both guide."""

from collections.abc import Mapping
from typing import Any

import torch
from fill import filled
from test_glide_networks import (
    assert_weights,
    golden_unet,
    inputs_of,
    outputs,
    pixels,
    reference_shapes,
)
from torch import Tensor

from nodes.checkpoints.openai import (
    adm_config,
    classifier_config,
    openai_key,
    to_ours,
    unet_config,
)
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.guidance import ScoreGuidance, class_log_probability, gradient
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim, guided_x0_eps
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.techniques import ClipX0
from nodes.networks.blocks import multi_head_attention
from nodes.networks.classifier import Classifier
from nodes.networks.unet import UNet


def golden_classifier(options: Mapping[str, Any]) -> Classifier:
    with torch.device("meta"):
        classifier = Classifier(classifier_config(options))
    shapes = {openai_key(k, "classifier"): v.shape for k, v in classifier.state_dict().items()}
    classifier.load_state_dict(to_ours(filled(shapes), "classifier"), assign=True)
    return classifier.eval().requires_grad_(False)


def unet_of(case: Mapping[str, Any]) -> UNet:
    if case["fn"].startswith("script_util"):
        return golden_unet(adm_config(case["options"], "low_res" in case["forward_kwargs"]))
    return golden_unet(unet_config(case["options"]))


def test_unets(golden) -> None:
    tensors, meta = golden.load("adm_tiny")
    for case, fields in meta["cases"].items():
        if "classifier" in case:
            continue
        unet = unet_of(fields)
        assert_weights(unet, fields["weights"])
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name.rpartition(".")[0])
            label = unet.label_embedding(given["y"]) if unet.label_embedding else None
            beside = pixels(unet, given, given["x"])
            out = unet(given["x"], given["t"], embedding=label, pixels=beside)
            golden.close(f"{case}.{name}", out, tensors, meta)


def test_classifiers_and_their_gradients(golden) -> None:
    tensors, meta = golden.load("adm_tiny")
    for case, fields in meta["cases"].items():
        if "classifier" not in case:
            continue
        classifier = golden_classifier(fields["options"])
        assert_weights(classifier, fields["weights"])
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name.rpartition(".")[0])
            golden.close(f"{case}.{name}", classifier(given["x"], given["t"]), tensors, meta)
        x, t = tensors[f"{case}.x"], tensors[f"{case}.t"]
        for name in [n for n in tensors if n.startswith(f"{case}.grad_scale")]:
            scale = float(name.rpartition("grad_scale")[2])
            guide = class_log_probability(classifier, tensors[f"{case}.y"])
            golden.close(name, scale * gradient(guide, x, t), tensors, meta)


def test_attention_in_both_orders_of_its_channels(golden) -> None:
    tensors, meta = golden.load("adm_tiny")
    if "nn" not in meta:
        return
    qkv, heads = tensors["nn.qkv_attention.qkv"], meta["nn"]["heads"]
    for name, head_major in {"out_legacy": True, "out_new": False}.items():
        out = multi_head_attention(qkv, heads, head_major)
        golden.close(f"nn.qkv_attention.{name}", out, tensors, meta)


def test_every_number_of_the_tiny_networks_is_compared(golden) -> None:
    _, meta = golden.load("adm_tiny")
    test_unets(golden)
    test_classifiers_and_their_gradients(golden)
    test_attention_in_both_orders_of_its_channels(golden)
    assert sorted(set(meta["tolerance"]) - golden.seen) == []


def test_every_key_of_the_published_checkpoints(golden) -> None:
    for name, model in golden.meta("adm_manifest")["models"].items():
        expected = {key: tuple(shape) for key, shape in model["state_dict"]}
        empty = {key: torch.empty(shape, device="meta") for key, shape in expected.items()}
        with torch.device("meta"):
            if model["kind"] == "classifier":
                classifier = Classifier(classifier_config(model["config"]))
                classifier.load_state_dict(to_ours(empty, "classifier"), assign=True)
                continue
            unet = UNet(adm_config(model["config"], "large_size" in model["config"]))
        assert reference_shapes(unet) == expected, name
        unet.load_state_dict(to_ours(empty), assign=True)


def network(unet: UNet) -> DiffusionNetwork:
    config, trained = unet.config, unet.config.trained
    chain = schedule(trained.schedule, trained.train_steps)
    shape = (config.channels, config.image_size, config.image_size)
    return DiffusionNetwork(unet, chain, shape, "eps", trained.learned_variance)


def denoisers(case: Mapping[str, Any], labels: Tensor) -> tuple[Denoiser, Denoiser]:
    """Without and with guidance by the classifier."""
    unet = golden_unet(adm_config(case["model_options"]))
    label = {"embedding": unet.label_embedding(labels)} if unet.label_embedding else {}
    classifier = golden_classifier(case["classifier_options"])
    free = ClipX0(Leaf(network(unet), label))
    guide = class_log_probability(classifier, labels)
    return free, ScoreGuidance(free, guide, case["classifier_scale"])


def chain_of(case: Mapping[str, Any], denoiser: Denoiser) -> Schedule:
    spaced = respace(denoiser.trained, case["model_options"]["timestep_respacing"])
    assert spaced.timesteps.tolist() == case["timestep_map"]
    return spaced


def states(
    case: Mapping[str, Any], tensors: dict[str, Tensor], name: str, denoiser: Denoiser
) -> list[Tensor]:
    """x_t after each step, on the recorded noise."""
    start = Start(
        RecordedNoise(tensors[f"{name}.x_T"], tensors.get(f"{name}.step_noise")),
        count=len(tensors[f"{name}.y"]) // denoiser.rows,
    )
    sampler = ddim if case["sampler"].startswith("ddim") else ancestral
    return [now.x_t for now in sampler(denoiser, chain_of(case, denoiser), start)]


def guided_x0(case: Mapping[str, Any], denoiser: Denoiser, visited: list[Tensor]) -> Tensor:
    """x_0 with the score folded in, as DDIM takes it, at each visited x_t, the noisiest first."""
    chain = chain_of(case, denoiser)
    found: list[Tensor] = []
    for step, x_t in zip(range(len(chain) - 1, -1, -1), visited, strict=True):
        steps = torch.full((len(x_t),), step)
        prediction = denoiser(x_t, chain.timesteps[steps])
        found.append(guided_x0_eps(chain, x_t, steps, prediction)[0])
    return torch.stack(found)


def test_sampling_with_a_classifier(golden) -> None:
    tensors, meta = golden.load("adm_sampling_tiny")
    for name, case in meta["runs"].items():
        free, guided = denoisers(case, tensors[f"{name}.y"])
        x_T = tensors[f"{name}.x_T"]
        score = guided(x_T, torch.full((len(x_T),), case["timestep_map"][-1])).score
        golden.close(f"{name}.first_gradient", score, tensors, meta)
        steps = states(case, tensors, name, guided)
        golden.close(f"{name}.step_sample", torch.stack(steps), tensors, meta)
        golden.close(f"{name}.samples", steps[-1], tensors, meta)
        picture = ((steps[-1] + 1) * 127.5).clamp(0, 255).byte().int()
        assert int((picture - tensors[f"{name}.uint8"].int()).abs().max()) <= 1
        if f"{name}.step_pred_xstart" in tensors:
            x0 = guided_x0(case, guided, [x_T, *steps[:-1]])
            golden.close(f"{name}.step_pred_xstart", x0, tensors, meta)
        unguided = states(case, tensors, name, free)[-1]
        golden.close(f"{name}.samples_without_guidance", unguided, tensors, meta)
    assert sorted(set(meta["tolerance"]) - golden.seen) == []
