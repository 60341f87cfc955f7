"""GLIDE's published sizes against the reference: one forward pass each in float32, on weights that follow the fill rule."""

import re
from typing import Any

import pytest
import torch
from test_glide_networks import assert_weights, golden_unet, pixels
from torch import Tensor

from nodes.checkpoints.openai import glide_config
from nodes.networks.text import TextEncoding
from nodes.networks.tokenizer import tokenize
from nodes.networks.unet.network import UNet

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


def parts_of(out: Tensor, text: TextEncoding, notes: str) -> dict[str, Any]:
    """What the file may have of an output [B, C, H, W] and of the text's features, by the windows that its notes give."""
    found = {
        "out": out,
        "out_channel_mean": out.mean((0, 2, 3)),
        "out_channel_std": out.std((0, 2, 3)),
        "xf_proj": text.pooled,
    }
    whole = {"out": out, "xf_out": text.tokens.transpose(1, 2)}
    for name, of, window in WINDOW.findall(notes):
        found[name] = whole[of][tuple(map(slice_of, window.split(",")))]
    return found


WINDOW = re.compile(r"(\w+) = (out|xf_out)\[([^\]a-z]*)\]")


def slice_of(text: str) -> slice:
    """A slice as it is written in Python: `96:128`, `::4`, `-8:`."""
    return slice(*(int(n) if n.strip() else None for n in text.split(":")))


@pytest.mark.slow
@pytest.mark.cases("glide_fullsize", "cases")
def test_forward_pass(golden, case: str) -> None:
    tensors, meta = golden.load("glide_fullsize")
    fields = meta["cases"][case]
    given = {k: drawn(rule) for k, rule in fields["inputs"].items() if str(rule).startswith("t")}
    first = tensors.get(f"{case}.x_first8")
    assert first is None or torch.equal(given["x"].flatten()[: len(first)], first)
    unet = golden_unet(glide_config(fields["options"]))
    assert_weights(unet, fields["weights"])
    text = encoded(unet, fields["inputs"]["prompt"], case, golden, (tensors, meta))
    conditions = {"embedding": text.pooled, "tokens": text.tokens}
    beside, t = pixels(unet, given, given["x"]), torch.tensor(fields["inputs"]["t"])
    out = unet(given["x"], t.expand(len(given["x"])), **conditions, pixels=beside)
    found = parts_of(out, text, meta.get("note", ""))
    if (index := tensors.get(f"{case}.sample_index")) is not None:
        found["sample_value"] = out.flatten()[index]
    for name, value in found.items():
        golden.close(f"{case}.{name}", value, tensors, meta)
    golden.whole({k: v for k, v in tensors.items() if k.startswith(f"{case}.")}, meta)


def encoded(unet: UNet, prompt: str, case: str, golden, file: tuple[Any, Any]) -> TextEncoding:
    assert unet.config.text is not None and unet.text is not None
    tokens = tokenize(unet.config.text, [prompt])
    golden.close(f"{case}.tokens", tokens.ids, *file)
    golden.close(f"{case}.mask", tokens.mask, *file)
    return unet.text(tokens.ids, tokens.mask)
