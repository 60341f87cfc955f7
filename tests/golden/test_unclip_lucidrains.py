"""LAION's priors against the reference: the network, guidance, its chain and its ancestral sampler; keys of the known ones.

The reference's DDIM is not compared: it takes ᾱ of the step before where DDIM has that of the step, which no sampler here does.
"""

import zlib
from collections.abc import Mapping
from typing import Any

import torch
from fill import fill
from test_unclip_networks import ATOL, close, loaded
from torch import Tensor

from nodes.checkpoints.lucidrains import NETWORK, prior_config, prior_to_ours
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.samplers import Start, ancestral
from nodes.diffusion.schedule import schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance
from nodes.networks.prior.laion import LaionPrior

FILE, MANIFEST = "unclip_lucidrains_tiny", "unclip_lucidrains_manifest"


def tiny(case: Mapping[str, Any]) -> LaionPrior:
    options = {**case["network_config"], "timesteps": case["sample_ddpm"]["timesteps"]}
    with torch.device("meta"):
        network = LaionPrior(prior_config(options))
    weights = {key: fill(key, shape) for key, (shape, _) in case["network_keys"].items()}
    return loaded(network, prior_to_ours(weights))


def given(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {
        "x_t": tensors[f"{name}.in.image_embed"],
        "t": tensors[f"{name}.in.diffusion_timesteps"],
        "embedding": tensors[f"{name}.in.text_embed"],
        "tokens": tensors[f"{name}.in.text_encodings"],
    }


def test_networks(golden) -> None:
    tensors, meta = golden.load(FILE)
    for name, case in meta["cases"].items():
        network, inputs = tiny(case), given(tensors, name)
        cond, null = network(**inputs), network(inputs["x_t"], inputs["t"])
        without = {k: v for k, v in inputs.items() if k != "tokens"}
        found = {"out": cond, "out_null": null, "out_no_text_encodings": network(**without)}
        for key in tensors:
            if key.startswith(start := f"{name}.out_cond_scale_"):
                scale = float(key.removeprefix(start))
                found[key.removeprefix(f"{name}.")] = null + scale * (cond - null)
        for key, value in found.items():
            if (expected := tensors.get(f"{name}.{key}")) is not None:
                close(f"{name} {key}", value, expected, 5e-5 if "scale" in key else ATOL)


def test_chains(golden) -> None:
    tensors, meta = golden.load(FILE)
    for name, case in meta["cases"].items():
        chain = schedule("cosine", case["sample_ddpm"]["timesteps"])
        found = {
            "betas": chain.betas,
            "alphas_cumprod": chain.alphas_cumprod,
            "posterior_mean_coef1": chain.posterior_mean_coef1,
            "posterior_mean_coef2": chain.posterior_mean_coef2,
            "posterior_log_variance_clipped": chain.posterior_variance.clamp(min=1e-20).log(),
        }
        for table, value in found.items():
            if (expected := tensors.get(f"{name}.noise_scheduler.{table}")) is not None:
                torch.testing.assert_close(value.float(), expected, rtol=1e-4, atol=1e-6)


def test_ancestral_sampler(golden) -> None:
    tensors, meta = golden.load(FILE)
    for name, case in meta["cases"].items():
        about, network, inputs = case["sample_ddpm"], tiny(case), given(tensors, name)
        trained, shape = network.config.trained, inputs["x_t"].shape
        chain = schedule("cosine", trained.train_steps)
        diffusion = DiffusionNetwork(network, chain, tuple(shape[1:]), trained)
        conditions = {k: inputs[k] for k in ("embedding", "tokens")}
        guided = ClassifierFreeGuidance(
            Leaf(diffusion, conditions), Leaf(diffusion), about["cond_scale"]
        )
        drawn = [noise(f"{about['noise_name']}.{i}", shape) for i in range(about["draws"])]
        start = Start(RecordedNoise(drawn[0], torch.stack(drawn[1:])), len(drawn[0]) // guided.rows)
        *_, last = ancestral(guided, chain, start)
        close(name, network.embeddings(last.x_t), tensors[f"{name}.sample_ddpm"], 1e-4)


def noise(name: str, shape: torch.Size) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(shape, generator=generator)


def test_every_key_of_the_known_priors(golden) -> None:
    for name, about in golden.meta(MANIFEST)["models"].items():
        with torch.device("meta"):
            network = LaionPrior(prior_config(about["network_config"]))
        assert about.get("prior_key_prefix_of_network", NETWORK) == NETWORK, name
        keys = {NETWORK + key: shape for key, (shape, _) in about["network_keys"].items()}
        keys |= {key: shape for key, (shape, _) in about.get("prior_extra_keys", {}).items()}
        whole = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
        network.load_state_dict(prior_to_ours(whole), assign=True)
