"""GLIDE's published sizes against the reference: one forward pass each in float32, on weights that follow the fill rule."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from test_glide_networks import assert_weights, golden_unet, pixels
from torch import Tensor

from nodes.checkpoints.openai import glide_config
from nodes.networks.tokenizer import tokenize

NOISE = re.compile(r"torch\.randn\(\(([\d,]+)\), generator=Generator\(\)\.manual_seed\((\d+)\)\)")


def drawn(rule: str) -> Tensor:
    """The tensor that a rule of the file describes: seeded noise, perhaps clamped to [−1, 1]."""
    found = NOISE.match(rule)
    assert found, rule
    shape = [int(n) for n in found[1].split(",")]
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(int(found[2])))
    rest = rule[found.end() :]
    assert rest in ("", ".clamp(-1,1)"), rule
    return noise.clamp(-1, 1) if rest else noise


def parts_of(out: Tensor, text: Tensor, tensors: Mapping[str, Tensor], case: str) -> dict[str, Any]:
    """What the file may have of an output [1, C, H, W] and of the text's features [1, L, W]."""
    found = {
        "out": out,
        "out_channel_mean": out.mean((0, 2, 3)),
        "out_channel_std": out.std((0, 2, 3)),
        "out_stride4": out[:, :, ::4, ::4],
        "out_crop": out[:, :, 96:128, 160:192],
        "xf_out_last8": text.transpose(1, 2)[:, :, -8:],
    }
    if f"{case}.sample_index" in tensors:
        found["sample_value"] = out.flatten()[tensors[f"{case}.sample_index"]]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("case", ["base", "upsample"])
def test_forward_pass(golden, case: str) -> None:
    tensors, meta = golden.load("glide_fullsize")
    if case not in meta["cases"]:
        pytest.skip(f"no case '{case}'")
    fields = meta["cases"][case]
    given = {k: drawn(rule) for k, rule in fields["inputs"].items() if str(rule).startswith("t")}
    assert torch.equal(given["x"].flatten()[:8], tensors[f"{case}.x_first8"])
    unet = golden_unet(glide_config(fields["options"]))
    assert_weights(unet, fields["weights"])
    tokens = tokenize(unet.config.text, [fields["inputs"]["prompt"]])
    assert torch.equal(tokens.ids, tensors[f"{case}.tokens"])
    assert torch.equal(tokens.mask, tensors[f"{case}.mask"])
    text = unet.text(tokens.ids, tokens.mask)
    golden.close(f"{case}.xf_proj", text.pooled, tensors, meta)
    conditions = {"embedding": text.pooled, "tokens": text.tokens}
    beside = pixels(unet, given, given["x"])
    out = unet(given["x"], torch.tensor(fields["inputs"]["t"]), **conditions, pixels=beside)
    for name, value in parts_of(out, text.tokens, tensors, case).items():
        if f"{case}.{name}" in tensors:
            golden.close(f"{case}.{name}", value, tensors, meta)
    wanted = {name for name in meta["tolerance"] if name.startswith(f"{case}.")}
    assert sorted(wanted - golden.seen) == []
