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
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.guidance import ScoreGuidance, class_log_probability, gradient
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim
from nodes.diffusion.schedule import schedule
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


def sampled(case: Mapping[str, Any], tensors: dict[str, Tensor], name: str, scale: float):
    unet = golden_unet(adm_config(case["model_options"]))
    labels = tensors[f"{name}.y"]
    label = {"embedding": unet.label_embedding(labels)} if unet.label_embedding else {}
    classifier = golden_classifier(case["classifier_options"])
    denoiser = ClipX0(Leaf(network(unet), label))
    if scale:
        denoiser = ScoreGuidance(denoiser, class_log_probability(classifier, labels), scale)
    spaced = respace(denoiser.trained, case["model_options"]["timestep_respacing"])
    assert spaced.timesteps.tolist() == case["timestep_map"]
    start = Start(
        RecordedNoise(tensors[f"{name}.x_T"], tensors.get(f"{name}.step_noise")),
        count=len(labels) // denoiser.rows,
    )
    sampler = ddim if case["sampler"].startswith("ddim") else ancestral
    return denoiser, list(sampler(denoiser, spaced, start))


def test_sampling_with_a_classifier(golden) -> None:
    tensors, meta = golden.load("adm_sampling_tiny")
    for name, case in meta["runs"].items():
        denoiser, states = sampled(case, tensors, name, case["classifier_scale"])
        first = torch.full((len(tensors[f"{name}.y"]),), case["timestep_map"][-1])
        score = denoiser(tensors[f"{name}.x_T"], first).score
        golden.close(f"{name}.first_gradient", score, tensors, meta)
        steps = torch.stack([now.x_t for now in states])
        golden.close(f"{name}.step_sample", steps, tensors, meta)
        golden.close(f"{name}.samples", states[-1].x_t, tensors, meta)
        picture = ((states[-1].x_t + 1) * 127.5).clamp(0, 255).byte().int()
        assert int((picture - tensors[f"{name}.uint8"].int()).abs().max()) <= 1
        _, free = sampled(case, tensors, name, 0.0)
        golden.close(f"{name}.samples_without_guidance", free[-1].x_t, tensors, meta)
