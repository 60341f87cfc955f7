"""Karlo's own checkpoints against the original implementation: forwards, and its three samplers."""

import zlib
from collections.abc import Mapping, Sequence
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
from nodes.networks.clip_conditions import ClipReading
from nodes.networks.config import TrainedFor
from nodes.networks.prior import Prior
from nodes.networks.unet import UNet

FILE = "unclip_original_tiny"
ATOL = 1e-4


def state_dict(meta: Mapping[str, Any], part: str) -> dict[str, Tensor]:
    return {key: fill(key, shape) for key, shape in meta["state_dict"][part].items()}


def hyper(meta: Mapping[str, Any], part: str) -> dict[str, Any]:
    return meta["yaml"][part]["model"]["hparams"]


def tiny_prior(golden) -> Prior:
    tensors, meta = golden.load(FILE)
    with torch.device("meta"):
        network = Prior(karlo.prior_config(hyper(meta, "prior")))
    statistics = {"0": tensors["clip_mean"], "1": tensors["clip_std"]}
    return loaded(network, karlo.prior_to_ours(state_dict(meta, "prior"), statistics))


def tiny_decoder(golden) -> UNet:
    _, meta = golden.load(FILE)
    with torch.device("meta"):
        network = UNet(karlo.decoder_config(hyper(meta, "decoder")))
    return loaded(network, karlo.decoder_to_ours(state_dict(meta, "decoder")))


def tiny_super_resolution(golden, prefix: str) -> UNet:
    _, meta = golden.load(FILE)
    size = meta["tiny_diffusers_config"]["sr"]["sample_size"]
    with torch.device("meta"):
        network = UNet(karlo.super_resolution_config({**hyper(meta, "sr"), "image_size": size}))
    return loaded(network, karlo.super_resolution_to_ours(state_dict(meta, "sr"), prefix))


def reading(tensors: Mapping[str, Tensor], rows: slice = slice(None)) -> ClipReading:
    names = ("in.txt_feat", "in.txt_feat_seq", "in.mask")
    return ClipReading(*(tensors[name][rows] for name in names))


def test_forwards(golden) -> None:
    tensors, _ = golden.load(FILE)
    text = reading(tensors)
    x, t = tensors["prior_forward.in.x"], tensors["prior_forward.in.timesteps"]
    made = tiny_prior(golden)(x, t, text.embedding, text.tokens, text.mask)
    close("prior", made, tensors["prior_forward.out"])
    decoder = tiny_decoder(golden)
    assert decoder.clip is not None
    conditions = decoder.clip(tensors["decoder_forward.in.y"], text)
    x, t = tensors["decoder_forward.in.x"], tensors["decoder_forward.in.timesteps"]
    made = decoder(x, t, conditions.embedding, conditions.tokens, mask=conditions.mask)
    close("decoder", made, tensors["decoder_forward.out"])
    x, t = tensors["sr_forward.in.x"], tensors["sr_forward.in.timesteps"]
    for prefix, end in ((karlo.FIRST, "first"), (karlo.LAST, "last")):
        network = tiny_super_resolution(golden, prefix)
        made = network(x, t, pixels=tensors["sr_forward.in.low_res"])
        close(f"sr {end}", made, tensors[f"sr_forward.out_{end}"])


def network_of(module: Any, trained: TrainedFor, shape: Sequence[int]) -> DiffusionNetwork:
    chain = schedule(trained.schedule, trained.train_steps)  # type: ignore[arg-type]
    kinds = (trained.parametrisation, trained.learned_variance, trained.fixed_variance)
    return DiffusionNetwork(module, chain, tuple(shape), *kinds)


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
    case, prior = meta["cases"]["prior_sample"], tiny_prior(golden)
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
    case, decoder = meta["cases"]["decoder_sample"], tiny_decoder(golden)
    assert decoder.clip is not None
    with_text, without = halves(tensors)
    images = (tensors["prior_sample.out"], None)
    size = decoder.config.image_size
    network = network_of(decoder, decoder.config.trained, [3, size, size])
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
    case, low = meta["cases"]["sr_sample"], tensors["sr_sample.in.low_res"]
    first, last = (
        Leaf(network_of(unet, unet.config.trained, low.shape[1:]), {"pixels": low})
        for unet in (tiny_super_resolution(golden, p) for p in (karlo.FIRST, karlo.LAST))
    )
    denoiser = ClipX0(GuidanceInterval(last, first, 0, 0))
    spaced = respace(denoiser.trained, case["respacing"])
    states = list(ancestral(denoiser, spaced, Start(noise(case, len(low)))))
    close("before the last", states[-2].x_t, tensors["sr_sample.out_before_last"], ATOL)
    close("super-resolution", states[-1].x_t, tensors["sr_sample.out"], ATOL)
