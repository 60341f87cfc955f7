"""Guided diffusion against the reference: its UNets, its classifiers, and sampling that both guide."""

from collections.abc import Mapping
from typing import Any

import torch
from fill import filled
from recorded import first_of, recorded, sampling
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
    CLASSIFIER_KEYS,
    UNET_KEYS,
    adm_config,
    classifier_config,
    unet_config,
)
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, guided_x0_eps
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.score_guidance import ScoreGuidance, class_log_probability, gradient
from nodes.diffusion.techniques import ClipX0
from nodes.networks.blocks import multi_head_attention
from nodes.networks.unet.classifier import Classifier
from nodes.networks.unet.network import UNet


def golden_classifier(options: Mapping[str, Any]) -> Classifier:
    with torch.device("meta"):
        classifier = Classifier(classifier_config(options))
    shapes = {k: v.shape for k, v in CLASSIFIER_KEYS.theirs(classifier.state_dict()).items()}
    classifier.load_state_dict(CLASSIFIER_KEYS.ours(filled(shapes)), assign=True)
    return classifier.eval().requires_grad_(False)


def classifies(case: Mapping[str, Any]) -> bool:
    return "classifier" in case["fn"] or "Encoder" in case["fn"]


def unet_of(case: Mapping[str, Any]) -> UNet:
    if case["fn"].startswith("script_util"):
        return golden_unet(adm_config(case["options"], "low_res" in case["forward_kwargs"]))
    return golden_unet(unet_config(case["options"]))


def unets(golden, file: str = "adm_tiny") -> None:
    tensors, meta = golden.load(file)
    for case, fields in meta["cases"].items():
        if classifies(fields):
            continue
        unet = unet_of(fields)
        assert_weights(unet, fields["weights"])
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name)
            label = unet.label_embedding(given["y"]) if unet.label_embedding else None
            beside = pixels(unet, given, given["x"])
            out = unet(given["x"], given["t"], embedding=label, pixels=beside)
            golden.close(f"{case}.{name}", out, tensors, meta)


def classifiers_and_their_gradients(golden, file: str = "adm_tiny") -> None:
    tensors, meta = golden.load(file)
    for case, fields in meta["cases"].items():
        if not classifies(fields):
            continue
        classifier = golden_classifier(fields["options"])
        assert_weights(classifier, fields["weights"])
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name)
            golden.close(f"{case}.{name}", classifier(given["x"], given["t"]), tensors, meta)
        for name in [n for n in tensors if n.startswith(f"{case}.grad_scale")]:
            scale, given = (
                float(name.rpartition("grad_scale")[2]),
                inputs_of(tensors, case, name.removeprefix(f"{case}.")),
            )
            guide = class_log_probability(classifier, given["y"])
            golden.close(name, scale * gradient(guide, given["x"], given["t"]), tensors, meta)


def attention_in_both_orders_of_its_channels(golden) -> None:
    tensors, meta = golden.load("adm_tiny")
    qkv = tensors.get("nn.qkv_attention.qkv")
    if qkv is None:
        return
    for name, head_major in {"out_legacy": True, "out_new": False}.items():
        out = multi_head_attention(qkv.mT, meta["nn"]["heads"], head_major).mT
        golden.close(f"nn.qkv_attention.{name}", out, tensors, meta)


def test_every_number_of_the_tiny_networks_is_compared(golden) -> None:
    tensors, meta = golden.load("adm_tiny")
    unets(golden)
    classifiers_and_their_gradients(golden)
    attention_in_both_orders_of_its_channels(golden)
    golden.whole(tensors, meta)


def test_options_that_no_published_network_has(golden) -> None:
    """Resampling without convolutions, other heads on the way up, and timesteps on the scale of 1000 steps."""
    unets(golden, "adm_options")
    classifiers_and_their_gradients(golden, "adm_options")
    golden.whole(*golden.load("adm_options"))


def test_every_key_of_the_published_checkpoints(golden) -> None:
    for name, model in golden.meta("adm_manifest")["models"].items():
        expected = {key: tuple(shape) for key, shape in model["state_dict"]}
        empty = {key: torch.empty(shape, device="meta") for key, shape in expected.items()}
        with torch.device("meta"):
            if model["kind"] == "classifier":
                classifier = Classifier(classifier_config(model["config"]))
                classifier.load_state_dict(CLASSIFIER_KEYS.ours(empty), assign=True)
                continue
            unet = UNet(adm_config(model["config"], "large_size" in model["config"]))
        assert reference_shapes(unet) == expected, name
        unet.load_state_dict(UNET_KEYS.ours(empty), assign=True)


def network(unet: UNet) -> DiffusionNetwork:
    config, trained = unet.config, unet.config.trained
    chain = schedule(trained.schedule, trained.train_steps)
    shape = (config.channels, config.image_size, config.image_size)
    return DiffusionNetwork(unet, chain, shape, trained)


def denoisers(case: Mapping[str, Any], labels: Tensor) -> tuple[Denoiser, Denoiser]:
    """Without and with guidance by the classifier."""
    unet = golden_unet(adm_config(case["model_options"]))
    label = {"embedding": unet.label_embedding(labels)} if unet.label_embedding else {}
    classifier = golden_classifier(case["classifier_options"])
    leaf = Leaf(network(unet), label)
    free = ClipX0(leaf) if case.get("clip_denoised", True) else leaf
    guide = class_log_probability(classifier, labels)
    return free, ScoreGuidance(free, guide, case["classifier_scale"], len(labels))


def chain_of(case: Mapping[str, Any], denoiser: Denoiser) -> Schedule:
    spaced = respace(denoiser.trained, case["model_options"]["timestep_respacing"])
    assert spaced.timesteps.tolist() == case["timestep_map"]
    return spaced


def states(
    case: Mapping[str, Any], tensors: dict[str, Tensor], name: str, denoiser: Denoiser
) -> list[Tensor]:
    """x_t after each step, on the recorded noise, as far as it goes."""
    x_T = tensors[f"{name}.x_T"]
    noise = RecordedNoise(x_T, tensors.get(f"{name}.step_noise"))
    start = Start(noise, count=len(x_T) // denoiser.rows)
    return [
        now.x_t
        for now in recorded(sampling(case["sampler"], chain_of(case, denoiser), denoiser, start))
    ]


def guided_x0(case: Mapping[str, Any], denoiser: Denoiser, visited: list[Tensor]) -> Tensor:
    """x_0 with the score folded in, as DDIM takes it, at each visited x_t, the noisiest first."""
    chain = chain_of(case, denoiser)
    found: list[Tensor] = []
    for step, x_t in zip(range(len(chain) - 1, -1, -1), visited, strict=False):
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
        found = {"step_sample": torch.stack(steps)}
        if len(steps) == len(case["timestep_map"]):
            found["samples"] = steps[-1]
            compare_levels(steps[-1], tensors.get(f"{name}.uint8"))
            found["samples_without_guidance"] = states(case, tensors, name, free)[-1]
        if f"{name}.step_pred_xstart" in tensors:
            found["step_pred_xstart"] = guided_x0(case, guided, [x_T, *steps[:-1]])
        for key, value in found.items():
            golden.close(
                f"{name}.{key}", first_of(value, tensors.get(f"{name}.{key}")), tensors, meta
            )
    golden.whole(tensors, meta)


def compare_levels(samples: Tensor, expected: Tensor | None) -> None:
    if expected is not None:
        picture = ((samples + 1) * 127.5).clamp(0, 255).byte().int()
        assert int((picture - expected.int()).abs().max()) <= 1
