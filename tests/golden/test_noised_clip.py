"""GLIDE's CLIP, whose image encoder knows the noise, against the reference."""

from collections.abc import Mapping
from typing import Any

import torch
from fill import filled
from test_glide_networks import assert_weights
from torch import nn

from nodes.checkpoints.openai import CLIP_KEYS, clip_config
from nodes.diffusion.score_guidance import gradient, text_log_probability
from nodes.networks.noised_clip import NoisedClip, clip_tokens


def fill_encoder(encoder: nn.Module) -> None:
    shapes = {k: v.shape for k, v in CLIP_KEYS.theirs(encoder.state_dict()).items()}
    encoder.load_state_dict(CLIP_KEYS.ours(filled(shapes)), assign=True)


def golden_clip(options: Mapping[str, Any]) -> NoisedClip:
    with torch.device("meta"):
        clip = NoisedClip(clip_config(options))
    fill_encoder(clip.text)
    fill_encoder(clip.image)
    return clip.eval().requires_grad_(False)


def test_features_and_gradients(golden) -> None:
    tensors, meta = golden.load("glide_clip_tiny")
    clip = golden_clip(meta["config"])
    assert_weights(clip.text, meta["text_encoder"])
    assert_weights(clip.image, meta["image_encoder"])
    compare_texts(golden, clip, tensors, meta)
    x, t = tensors["image.x"], tensors["image.t"].expand(len(tensors["image.x"]))
    named = {
        "image.z_unnormalized": clip.image(x, t),
        "image.z": clip.images(x, t),
        "image.probe_features": clip.image.layers(x, t)[-1][:, 0],
    }
    for name, value in named.items():
        golden.close(name, value, tensors, meta)
    guide = text_log_probability(clip.images, clip.texts(meta["prompts"]), clip.config.logit_scale)
    for name in [n for n in tensors if n.startswith("cond_fn.grad_scale")]:
        found = float(name.rpartition("scale")[2]) * gradient(guide, x, t)
        golden.close(name, found, tensors, meta)
    if "image_notime_config" in meta:
        still = golden_clip(meta["image_notime_config"])
        assert_weights(still.image, meta["image_encoder_notime"])
        golden.close("image_notime.z_unnormalized", still.image(x), tensors, meta)
    golden.whole(tensors, meta)


def compare_texts(
    golden, clip: NoisedClip, tensors: Mapping[str, Any], meta: Mapping[str, Any]
) -> None:
    tokens, lengths = clip_tokens(meta["prompts"], clip.config.context)
    named = {
        "text.tokens": tokens,
        "text.lens": lengths,
        "text.z_unnormalized": clip.text(tokens, lengths),
        "text.z": clip.texts(meta["prompts"]),
        "text.probe_features": clip.text.hidden(tokens, lengths),
    }
    for name, value in named.items():
        golden.close(name, value, tensors, meta)


def test_every_key_of_the_published_checkpoint(golden) -> None:
    for name, model in golden.meta("glide_clip_manifest")["models"].items():
        with torch.device("meta"):
            clip = NoisedClip(clip_config(model["config"]))
        for part, encoder in (("text_encoder", clip.text), ("image_encoder", clip.image)):
            expected = {key: tuple(shape) for key, shape in model[part]["state_dict"]}
            theirs = CLIP_KEYS.theirs(encoder.state_dict())
            assert {k: tuple(v.shape) for k, v in theirs.items()} == expected, (name, part)
            empty = {k: torch.empty(s, device="meta") for k, s in expected.items()}
            encoder.load_state_dict(CLIP_KEYS.ours(empty), assign=True)
