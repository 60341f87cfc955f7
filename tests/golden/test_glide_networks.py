"""GLIDE's networks against the reference, on weights that follow the fill rule."""

from typing import Any

import pytest
import torch
from fill import filled
from torch import Tensor

from nodes.checkpoints.openai import UNET_KEYS, glide_config
from nodes.networks.blocks import multi_head_attention, timestep_embedding
from nodes.networks.config import UNetConfig
from nodes.networks.text import TextEncoding
from nodes.networks.unet.network import UNet, masked, upsampled


def reference_shapes(unet: UNet) -> dict[str, tuple[int, ...]]:
    return {k: tuple(v.shape) for k, v in UNET_KEYS.theirs(unet.state_dict()).items()}


def golden_unet(config: UNetConfig) -> UNet:
    with torch.device("meta"):
        unet = UNet(config)
    unet.load_state_dict(UNET_KEYS.ours(filled(reference_shapes(unet))), assign=True)
    return unet.eval().requires_grad_(False)


def pixels(unet: UNet, given: dict[str, Tensor], like: Tensor) -> Tensor | None:
    parts = []
    config = unet.config
    if config.known_pixels:
        image = given.get("inpaint_image", torch.zeros_like(like))
        mask = given.get("inpaint_mask", torch.zeros_like(like[:, :1]))
        parts.append(masked(image, mask))
    if config.low_resolution:
        parts.append(upsampled(given["low_res"], config.image_size))
    return torch.cat([part.expand(len(like), -1, -1, -1) for part in parts], 1) if parts else None


def run(unet: UNet, given: dict[str, Tensor]) -> Tensor:
    text: TextEncoding | None = (
        unet.text(given["tokens"], given["mask"]) if unet.text and "tokens" in given else None
    )
    return unet(
        given["x"],
        given["t"],
        embedding=None if text is None else text.pooled,
        tokens=None if text is None else text.tokens,
        pixels=pixels(unet, given, given["x"]),
    )


def case_tensors(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def inputs_of(tensors: dict[str, Tensor], case: str, name: str = "") -> dict[str, Tensor]:
    """The inputs of one output: what its variant stores, and else what the case stores; without a name, the case's own."""
    base = {k: v for k, v in case_tensors(tensors, f"{case}.").items() if "." not in k}
    variant = name.rpartition(".")[0]
    own = case_tensors(tensors, f"{case}.{variant}.") if variant else {}
    given = {**base, **own}
    rows = len(tensors[f"{case}.{name}"] if name else given["x"])
    return {key: rows_of(value, rows) for key, value in given.items()}


def rows_of(value: Tensor, rows: int) -> Tensor:
    """So many rows of a value: the first of more, or one for all."""
    return value[:rows] if value.ndim and len(value) > 1 else value.expand(rows, *value.shape[1:])


def outputs(tensors: dict[str, Tensor], case: str) -> list[str]:
    names = (k.removeprefix(f"{case}.") for k in tensors if k.startswith(f"{case}."))
    return [name for name in names if name.rpartition(".")[2].startswith("out")]


def assert_weights(unet: UNet, expected: dict[str, Any]) -> None:
    values = list(unet.state_dict().values())
    assert len(values) == expected["n_keys"]
    assert sum(v.numel() for v in values) == expected["n_params"]
    squares = float(sum(v.double().square().sum() for v in values))
    assert squares == pytest.approx(expected["sumsq_f64"], rel=1e-6)


def forward_passes(golden) -> None:
    tensors, meta = golden.load("glide_text2im_tiny")
    for case, fields in meta["cases"].items():
        unet = golden_unet(glide_config(fields["options"]))
        assert_weights(unet, fields["weights"])
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name)
            if "no_inpaint" in name:
                given = {k: v for k, v in given.items() if not k.startswith("inpaint")}
            golden.close(f"{case}.{name}", run(unet, given), tensors, meta)


def text_features(golden) -> None:
    tensors, meta = golden.load("glide_text2im_tiny")
    for case, fields in meta["cases"].items():
        if not {f"{case}.xf_proj", f"{case}.xf_out"} & set(tensors):
            continue
        unet = golden_unet(glide_config(fields["options"]))
        assert unet.text is not None
        text = unet.text(tensors[f"{case}.tokens"], tensors[f"{case}.mask"])
        golden.close(f"{case}.xf_proj", text.pooled, tensors, meta)
        golden.close(f"{case}.xf_out", text.tokens.transpose(1, 2), tensors, meta)


def path_through_the_blocks(golden) -> None:
    """Mean and deviation of each sample behind every block, under the references' names, and the embedded timesteps."""
    tensors, meta = golden.load("glide_text2im_tiny")
    for case, fields in meta["cases"].items():
        if blocks := meta.get(f"{case}_blocks"):
            unet = golden_unet(glide_config(fields["options"]))
            seen = behind_blocks(unet, blocks)
            run(unet, inputs_of(tensors, case))
            golden.close(f"{case}.time_embed_out", seen["time_embed"], tensors, meta)
            behind = [seen[name].flatten(1) for name in blocks]
            means, spreads = (
                torch.stack([f(h, 1) for h in behind]) for f in (torch.mean, torch.std)
            )
            golden.close(f"{case}.block_mean", means, tensors, meta)
            golden.close(f"{case}.block_std", spreads, tensors, meta)


def behind_blocks(unet: UNet, blocks: list[str]) -> dict[str, Tensor]:
    """Filled, in the next call, with what the time embedding and those blocks give, by the references' names."""
    seen: dict[str, Tensor] = {}
    theirs = UNET_KEYS.theirs({key: key.split(".") for key in unet.state_dict()})
    for name in ["time_embed", *blocks]:
        inside = next(path for key, path in theirs.items() if key.startswith(f"{name}."))
        module = unet.get_submodule(".".join(inside[: 1 + name.count(".")]))
        module.register_forward_hook(lambda _m, _i, out, name=name: seen.update({name: out}))
    return seen


def parts_on_their_own(golden) -> None:
    tensors, meta = golden.load("glide_text2im_tiny")
    for name in case_tensors(tensors, "nn.timestep_embedding.dim"):
        full = f"nn.timestep_embedding.dim{name}"
        embedding = timestep_embedding(tensors["nn.timestep_embedding.t"], int(name))
        golden.close(full, embedding, tensors, meta)
    given = case_tensors(tensors, "nn.qkv_attention.")
    if "qkv" not in given:
        return
    for name, context in {"out": None, "out_with_encoder": given.get("encoder_kv")}.items():
        heads = meta["nn"]["heads"]
        tokens = None if context is None else context.mT
        out = multi_head_attention(given["qkv"].mT, heads, head_major=True, context_kv=tokens)
        golden.close(f"nn.qkv_attention.{name}", out.mT, tensors, meta)


def test_every_number_of_the_tiny_networks_is_compared(golden) -> None:
    tensors, meta = golden.load("glide_text2im_tiny")
    for comparison in (
        forward_passes,
        text_features,
        path_through_the_blocks,
        parts_on_their_own,
    ):
        comparison(golden)
    golden.whole(tensors, meta)


def test_every_key_of_the_published_checkpoints(golden) -> None:
    for name, model in golden.meta("glide_manifest")["models"].items():
        with torch.device("meta"):
            unet = UNet(glide_config(model["config"]))
        expected = {key: tuple(shape) for key, shape in model["state_dict"]}
        assert reference_shapes(unet) == expected, name
        unet.load_state_dict(
            UNET_KEYS.ours({k: torch.empty(s, device="meta") for k, s in expected.items()}),
            assign=True,
        )
