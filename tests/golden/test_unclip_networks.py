"""The networks of Karlo against the reference: prior, decoder with its projection of embeddings, super-resolution."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from fill import fill
from safetensors.torch import load_file
from torch import Tensor, nn

from nodes.checkpoints.diffusers import (
    TEXT_PROJ_KEYS,
    prior_config,
    prior_keys,
    unet_config,
    unet_to_ours,
)
from nodes.networks.clip.conditions import ClipReading
from nodes.networks.config import PriorConfig, UNetConfig
from nodes.networks.prior.diffusion import Prior
from nodes.networks.unet.network import UNet, upsampled

FILE, FOLDER = "unclip_components", "unclip_tiny_karlo"
ATOL = 2e-5
WEIGHTS = "diffusion_pytorch_model.safetensors"


def options(golden, component: str) -> dict[str, Any]:
    return golden.record(f"{FOLDER}/{component}/config.json")


def scheduler(golden, stage: str) -> dict[str, Any]:
    return golden.record(f"{FOLDER}/{stage}_scheduler/scheduler_config.json")


def stored(golden, component: str) -> dict[str, Tensor]:
    return load_file(golden.path(f"{FOLDER}/{component}/{WEIGHTS}"))


def loaded(network: nn.Module, weights: Mapping[str, Tensor]) -> Any:
    network.load_state_dict(weights, assign=True)
    return network.eval().requires_grad_(False)


def prior(config: PriorConfig, weights: Mapping[str, Tensor]) -> Prior:
    with torch.device("meta"):
        network = Prior(config)
    return loaded(network, prior_keys(config).ours(weights))


def unet(config: UNetConfig, *weights: Mapping[str, Tensor]) -> UNet:
    with torch.device("meta"):
        network = UNet(config)
    renamed = unet_to_ours(weights[0], config)
    projection = TEXT_PROJ_KEYS.ours(weights[1]) if len(weights) > 1 else {}
    return loaded(network, {**renamed, **projection})


def tiny_prior(golden) -> Prior:
    return prior(
        prior_config(options(golden, "prior"), scheduler(golden, "prior")),
        stored(golden, "prior"),
    )


def tiny_decoder(golden) -> UNet:
    given = options(golden, "decoder"), scheduler(golden, "decoder"), options(golden, "text_proj")
    return unet(unet_config(*given), stored(golden, "decoder"), stored(golden, "text_proj"))


def tiny_super_resolution(golden, name: str) -> UNet:
    size = options(golden, "super_res_first")["sample_size"]
    config = unet_config(options(golden, name), scheduler(golden, "super_res"), image_size=size)
    return unet(config, stored(golden, name))


def cases(golden, tensors: Mapping[str, Tensor], component: str) -> dict[str, dict[str, Tensor]]:
    """The tensors of each case of a component, by what follows its name."""
    found: dict[str, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        start, _, rest = key.partition(".")
        if start == component:
            case, _, name = rest.partition(".")
            found.setdefault(case, {})[name] = value
    golden.part({component: found} if found else {}, component)
    return found


def times(case: Mapping[str, Tensor], rows: int) -> Tensor:
    return case["in.timestep"].expand(rows)


def close(name: str, actual: Tensor, expected: Tensor, atol: float = ATOL) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=atol, msg=lambda m: f"{name}: {m}")


def inputs_of_prior(case: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    x = case["in.hidden_states"]
    return {
        "x_t": x,
        "t": times(case, len(x)),
        "embedding": case["in.proj_embedding"],
        "tokens": case.get("in.encoder_hidden_states"),
        "mask": case.get("in.attention_mask"),
    }


def test_prior(golden) -> None:
    tensors, _ = golden.load(FILE)
    network = tiny_prior(golden)
    ready = {n: c for n, c in cases(golden, tensors, "prior").items() if "in.hidden_states" in c}
    for name, case in ready.items():
        given = inputs_of_prior(case)
        close(name, network(**given), case["out"])
        check_first_block(name, network, given, case)
        if (bias := case.get("mid.attention_bias")) is not None:
            assert given["mask"] is not None
            seen = network.attention_mask(given["mask"], bias.shape[-1])[: len(bias), 0]
            assert torch.equal(seen, bias > -5000), name
            check_kept_text(name, network, given, case)


def check_kept_text(
    name: str, network: Prior, given: Mapping[str, Any], case: Mapping[str, Tensor]
) -> None:
    """The same, of a text whose keys and values are made once."""
    context = network.projected(given["embedding"], given["tokens"], given["mask"])
    bias = network.seen_by_last(given["mask"])
    close(name, network(given["x_t"], given["t"], context=context, bias=bias), case["out"])


def check_first_block(
    name: str, network: Prior, given: Mapping[str, Any], case: Mapping[str, Tensor]
) -> None:
    """What goes into the first block and comes out of it, of the rows that are stored."""
    if "mid.block0_in" not in case:
        return
    sequence = network.sequence(given["x_t"], given["t"], given["embedding"], given["tokens"])
    mask = given["mask"]
    after = network.blocks[0](
        sequence, None if mask is None else network.attention_mask(mask, sequence.shape[1])
    )
    rows = len(case["mid.block0_in"])
    close(name, sequence[:rows], case["mid.block0_in"])
    close(name, after[:rows], case["mid.block0_out"])


def test_what_the_prior_samples_becomes_an_embedding(golden) -> None:
    tensors, _ = golden.load(FILE)
    network = tiny_prior(golden)
    for name, case in cases(golden, tensors, "prior").items():
        if "in.latents" in case:
            close(name, network.embeddings(case["in.latents"]), case["out"], 1e-6)


def test_priors_of_other_configurations(golden) -> None:
    tensors, meta = golden.load(FILE)
    for name, case in cases(golden, tensors, "prior_alt").items():
        about = meta["cases"][f"prior_alt.{name}"]
        config = prior_config(about["config"], scheduler(golden, "prior"))
        weights = {key: of_rule(key, shape) for key, (shape, _) in about["state_dict"].items()}
        close(name, prior(config, weights)(**inputs_of_prior(case)), case["out"])


def of_rule(key: str, shape: list[int]) -> Tensor:
    """A prior's weights by the fill rule; deviations are about 1."""
    value = fill(key, shape)
    return 1 + 0.1 * value.abs() if key == "clip_std" else value


def test_text_projection(golden) -> None:
    tensors, meta = golden.load(FILE)
    decoder = tiny_decoder(golden)
    assert decoder.clip is not None
    for name, case in cases(golden, tensors, "text_proj").items():
        images, words = case["in.image_embeddings"], case["in.text_encoder_hidden_states"]
        mask = torch.ones(words.shape[:2], dtype=torch.bool)
        texts = ClipReading(case["in.prompt_embeds"], words, mask)
        if meta["cases"][f"text_proj.{name}"]["do_classifier_free_guidance"]:
            half = len(words) // 2
            null = decoder.clip(
                None, ClipReading(texts.embedding[:half], words[:half], mask[:half])
            )
            some = decoder.clip(
                images, ClipReading(texts.embedding[half:], words[half:], mask[half:])
            )
            found = [torch.cat([getattr(e, n) for e in (null, some)]) for n in NAMES]
        else:
            made = decoder.clip(images, texts)
            found = [getattr(made, n) for n in NAMES]
        close(name, found[0], case["out.additive_clip_time_embeddings"])
        close(name, found[1], case["out.text_encoder_hidden_states"])


NAMES = ("embedding", "tokens")


def stages(network: UNet) -> dict[str, nn.Module]:
    """Our modules whose outputs the reference stores, by its names."""
    each, levels = network.config.blocks + 1, len(network.config.multipliers)
    named: dict[str, nn.Module] = {"conv_in": network.inputs[0], "mid_block": network.middle}
    named["time_embedding"] = network.time
    for level in range(levels):
        last = level == levels - 1
        named[f"down_blocks.{level}"] = network.inputs[(level + 1) * each - int(last)]
        named[f"up_blocks.{level}"] = network.outputs[(level + 1) * each - 1]
    return named


def recorded(network: UNet) -> dict[str, Tensor]:
    """Filled with what those modules give in the next call."""
    found: dict[str, Tensor] = {}
    for name, module in stages(network).items():

        def keep(_module: Any, _given: Any, output: Tensor, name: str = name) -> None:
            found[name] = output

        module.register_forward_hook(keep)
    return found


def compare_middles(case: str, found: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    for key, expected in tensors.items():
        if key.startswith("mid."):
            actual = found[key.removeprefix("mid.")]
            close(f"{case} {key}", actual[: len(expected)], expected)


def test_decoder(golden) -> None:
    tensors, _ = golden.load(FILE)
    for name, case in cases(golden, tensors, "decoder").items():
        network = tiny_decoder(golden)
        found, x = recorded(network), case["in.sample"]
        output = network(
            x,
            times(case, len(x)),
            embedding=case["in.class_labels"],
            tokens=case["in.encoder_hidden_states"],
            mask=case.get("in.attention_mask"),
        )
        close(name, output, case["out"])
        compare_middles(name, found, case)


@pytest.mark.parametrize("component", ["super_res_first", "super_res_last"])
def test_super_resolution(golden, component: str) -> None:
    tensors, _ = golden.load(FILE)
    for name, case in cases(golden, tensors, component).items():
        network = tiny_super_resolution(golden, component)
        found, both = recorded(network), case["in.sample"]
        x, pixels = both.chunk(2, 1)
        close(name, network(x, times(case, len(x)), pixels=pixels), case["out"])
        compare_middles(name, found, case)


def test_upscaling(golden) -> None:
    tensors, meta = golden.load(FILE)
    how = tiny_super_resolution(golden, "super_res_first").config.low_resolution_as
    for name, case in cases(golden, tensors, "upscale").items():
        made = upsampled(case["in"], meta["cases"][f"upscale.{name}"]["to"], how)
        expected = case["out_antialias_true"]
        made = made[tuple(slice(0, n) for n in expected.shape)]
        close(name, made, expected, 1e-5)
