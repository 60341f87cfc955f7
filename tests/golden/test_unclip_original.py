"""Karlo's own checkpoints against the original implementation: forwards, and its three samplers."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from fill import fill
from test_unclip_networks import close, loaded
from torch import Tensor

from nodes.checkpoints import karlo
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral
from nodes.diffusion.schedule import schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0, GuidanceInterval
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.config import TrainedFor
from nodes.networks.prior.diffusion import Prior
from nodes.networks.unet.network import UNet

FILE = "unclip_original_tiny"
ATOL = 1e-4


def state_dict(meta: Mapping[str, Any], part: str) -> dict[str, Tensor]:
    return {key: fill(key, shape) for key, shape in meta["state_dict"][part].items()}


def hyper(meta: Mapping[str, Any], part: str) -> dict[str, Any]:
    return meta["yaml"][part]["model"]["hparams"]


def trained(config: Any, meta: Mapping[str, Any], part: str) -> Any:
    """The configuration with the length of chain that the file has; the published checkpoints are all of 1000 steps."""
    steps = meta["yaml"][part].get("diffusion", {}).get("steps", 1000)
    return replace(config, trained=replace(config.trained, train_steps=steps))


def tiny_prior(golden) -> Prior:
    tensors, meta = golden.load(FILE)
    with torch.device("meta"):
        network = Prior(trained(karlo.prior_config(hyper(meta, "prior")), meta, "prior"))
    statistics = {"0": tensors["clip_mean"], "1": tensors["clip_std"]}
    return loaded(network, karlo.prior_to_ours(state_dict(meta, "prior"), statistics))


def tiny_decoder(golden) -> UNet:
    _, meta = golden.load(FILE)
    with torch.device("meta"):
        network = UNet(trained(karlo.decoder_config(hyper(meta, "decoder")), meta, "decoder"))
    return loaded(network, karlo.decoder_to_ours(state_dict(meta, "decoder")))


def tiny_super_resolution(golden, prefix: str) -> UNet:
    _, meta = golden.load(FILE)
    size = meta["tiny_diffusers_config"]["sr"]["sample_size"]
    options = {**hyper(meta, "sr"), "image_size": size}
    with torch.device("meta"):
        network = UNet(trained(karlo.super_resolution_config(options), meta, "sr"))
    return loaded(network, karlo.super_resolution_to_ours(state_dict(meta, "sr"), prefix))


def reading(tensors: Mapping[str, Tensor], rows: slice = slice(None)) -> ClipReading:
    names = ("in.txt_feat", "in.txt_feat_seq", "in.mask")
    return ClipReading(*(tensors[name][rows] for name in names))


def given(golden, tensors: Mapping[str, Tensor], case: str, *names: str) -> list[Tensor]:
    return [golden.part(tensors, f"{case}.in.{name}") for name in names]


def test_forward_of_the_prior(golden) -> None:
    tensors, _ = golden.load(FILE)
    x, t = given(golden, tensors, "prior_forward", "x", "timesteps")
    text = reading(tensors, slice(len(x)))
    made = tiny_prior(golden)(x, t, text.embedding, text.tokens, text.mask)
    close("prior", made, tensors["prior_forward.out"])


def test_forward_of_the_decoder(golden) -> None:
    tensors, _ = golden.load(FILE)
    x, t, image = given(golden, tensors, "decoder_forward", "x", "timesteps", "y")
    decoder = tiny_decoder(golden)
    assert decoder.clip is not None
    conditions = decoder.clip(image, reading(tensors, slice(len(x))))
    made = decoder(x, t, conditions.embedding, conditions.tokens, mask=conditions.mask)
    close("decoder", made, tensors["decoder_forward.out"])


def test_forwards_of_super_resolution(golden) -> None:
    tensors, _ = golden.load(FILE)
    x, t, low = given(golden, tensors, "sr_forward", "x", "timesteps", "low_res")
    for prefix, end in ((karlo.FIRST, "first"), (karlo.LAST, "last")):
        if (expected := tensors.get(f"sr_forward.out_{end}")) is not None:
            made = tiny_super_resolution(golden, prefix)(x, t, pixels=low)
            close(f"sr {end}", made, expected)


def network_of(module: Any, trained: TrainedFor, shape: Sequence[int]) -> DiffusionNetwork:
    chain = schedule(trained.schedule, trained.train_steps)  # type: ignore[arg-type]
    return DiffusionNetwork(module, chain, tuple(shape), trained)


def noise(case: Mapping[str, Any], rows: int) -> RecordedNoise:
    """The draws of the rows that are kept."""
    drawn = []
    for number, shape in enumerate(case["noise_shapes"]):
        seed = zlib.crc32(f"{case['noise_name']}.{number}".encode())
        drawn.append(torch.randn(shape, generator=torch.Generator().manual_seed(seed))[:rows])
    return RecordedNoise(drawn[0], torch.stack(drawn[1:]))


def halves(tensors: Mapping[str, Tensor]) -> tuple[ClipReading, ClipReading]:
    """Text rows with the condition, which come first, and without."""
    rows = len(tensors["in.txt_feat"]) // 2
    return reading(tensors, slice(rows)), reading(tensors, slice(rows, None))


def test_prior_sampler(golden) -> None:
    tensors, meta = golden.load(FILE)
    case, prior = golden.part(meta["cases"], "prior_sample"), tiny_prior(golden)
    network = network_of(prior, prior.config.trained, [prior.config.embedding])
    cond, uncond = (
        Leaf(network, {"embedding": t.embedding, "tokens": t.tokens, "mask": t.mask})
        for t in halves(tensors)
    )
    guided = ClassifierFreeGuidance(cond, uncond, case["guidance"])
    bound = prior.config.trained.x0_bound
    start = Start(noise(case, len(tensors["prior_sample.out"])))
    spaced = respace(network.trained, case["respacing"])
    *_, last = ancestral(ClipX0(guided, -bound, bound), spaced, start)
    close("prior", prior.embeddings(last.x_t), tensors["prior_sample.out"], ATOL)


def test_decoder_sampler(golden) -> None:
    tensors, meta = golden.load(FILE)
    case, decoder = golden.part(meta["cases"], "decoder_sample"), tiny_decoder(golden)
    assert decoder.clip is not None
    with_text, without = halves(tensors)
    images = (golden.part(tensors, "prior_sample.out"), None)
    size = decoder.config.image_size
    network = network_of(decoder, decoder.config.trained, [decoder.config.channels, size, size])
    cond, uncond = (
        Leaf(network, {"embedding": made.embedding, "tokens": made.tokens, "mask": made.mask})
        for made in map(decoder.clip, images, (with_text, without))
    )
    guided = ClipX0(ClassifierFreeGuidance(cond, uncond, case["guidance"]))
    start = Start(noise(case, len(tensors["decoder_sample.out"])))
    *_, last = ancestral(guided, respace(network.trained, case["respacing"]), start)
    close("decoder", last.x_t, tensors["decoder_sample.out"], ATOL)


def test_super_resolution_sampler(golden) -> None:
    """The last step is made by a network of its own."""
    tensors, meta = golden.load(FILE)
    case, low = golden.part(meta["cases"], "sr_sample"), tensors["sr_sample.in.low_res"]
    first, last = (
        Leaf(network_of(unet, unet.config.trained, low.shape[1:]), {"pixels": low})
        for unet in (tiny_super_resolution(golden, p) for p in (karlo.FIRST, karlo.LAST))
    )
    denoiser = ClipX0(GuidanceInterval(last, first, 0, 0))
    spaced = respace(denoiser.trained, case["respacing"])
    states = list(ancestral(denoiser, spaced, Start(noise(case, len(low)))))
    if (before := tensors.get("sr_sample.out_before_last")) is not None:
        close("before the last", states[-2].x_t, before, ATOL)
    close("super-resolution", states[-1].x_t, tensors["sr_sample.out"], ATOL)
