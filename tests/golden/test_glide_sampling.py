"""GLIDE's pipelines, from the first noise to the last picture, with the references' recorded noise."""

import torch
from test_glide_networks import golden_unet
from torch import Tensor

from nodes.checkpoints.openai import glide_config
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral, ddim
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0
from nodes.networks.unet import UNet, upsampled


def network(unet: UNet) -> DiffusionNetwork:
    config = unet.config
    shape = (config.channels, config.image_size, config.image_size)
    chain = schedule(config.trained.schedule, config.trained.train_steps)
    return DiffusionNetwork(unet, chain, shape, "eps", config.trained.learned_variance)


def text(unet: UNet, tokens: Tensor, mask: Tensor) -> dict[str, Tensor]:
    assert unet.text is not None
    encoding = unet.text(tokens, mask)
    return {"embedding": encoding.pooled, "tokens": encoding.tokens}


def chain_of(denoiser: Denoiser, spec: str, visited: list[int]) -> Schedule:
    spaced = respace(denoiser.trained, spec)
    assert spaced.timesteps.tolist() == visited
    return spaced


def test_text_to_image(golden) -> None:
    tensors, meta = golden.load("glide_sampling_tiny")
    for name, case in meta["pipelines"].items():
        if (
            f"{name}.base.first_model_fn_out" in tensors
            and "guidance_scale" in case
            and name == "text2im"
        ):
            base(golden, tensors, meta, name, case)
            upsampler(golden, tensors, meta, name, case)


def base(golden, tensors, meta, name: str, case) -> None:
    unet = golden_unet(glide_config(case["base_options"]))
    rows = case["batch_size"]
    tokens, mask = tensors[f"{name}.base.tokens"], tensors[f"{name}.base.mask"]
    shared = network(unet)
    cond = Leaf(shared, text(unet, tokens[:rows], mask[:rows]))
    uncond = Leaf(shared, text(unet, tokens[rows:], mask[rows:]))
    denoiser = ClipX0(ClassifierFreeGuidance(cond, uncond, case["guidance_scale"]))
    spaced = chain_of(
        denoiser, case["base_options"]["timestep_respacing"], case["base_timestep_map"]
    )
    noise = RecordedNoise(
        tensors[f"{name}.base.x_T"][:rows], tensors[f"{name}.base.step_noise"][:, :rows]
    )
    states = [now.x_t for now in ancestral(denoiser, spaced, Start(noise))]
    golden.close(f"{name}.base.step_sample", torch.stack(states), tensors, meta)
    golden.close(f"{name}.base.samples", states[-1], tensors, meta)


def upsampler(golden, tensors, meta, name: str, case) -> None:
    unet = golden_unet(glide_config(case["up_options"]))
    conditions = text(unet, tensors[f"{name}.up.tokens"], tensors[f"{name}.up.mask"])
    pixels = upsampled(tensors[f"{name}.low_res"], unet.config.image_size)
    denoiser = ClipX0(Leaf(network(unet), {**conditions, "pixels": pixels}))
    spaced = chain_of(denoiser, case["up_options"]["timestep_respacing"], case["up_timestep_map"])
    states = [
        now.x_t for now in ddim(denoiser, spaced, Start(RecordedNoise(tensors[f"{name}.up.x_T"])))
    ]
    golden.close(f"{name}.up.sample_mid", states[case["up_mid_visited_step"]], tensors, meta)
    golden.close(f"{name}.up.samples", states[-1], tensors, meta)
