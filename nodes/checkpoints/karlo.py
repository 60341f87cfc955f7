"""Karlo's own checkpoints: published hyper-parameters as configurations, and state-dict keys as ours."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.checkpoints.keymap import KeyMap, under
from nodes.checkpoints.openai import TEXT_BLOCK, UNET, backbone
from nodes.networks.config import (
    ClipConditionConfig,
    LowResolution,
    PriorConfig,
    TrainedFor,
    UNetConfig,
)

if TYPE_CHECKING:  # the options are read without torch
    from torch import Tensor


Options = Mapping[str, Any]

_PRIOR = {
    **under("transformer.resblocks.#.", "blocks.#.", TEXT_BLOCK),
    "positional_embedding": "positional_embedding",
    "prd_emb": "query",
    "time_embed.": "time.",
    "text_enc_proj.": "tokens_proj.",
    "text_emb_proj.": "condition_proj.",
    "clip_img_proj.": "x_proj.",
    "out_proj.": "out.",
    "final_ln.": "final_norm.",
}
_CLIP = {
    "cf_param": "clip.null_embedding",
    "clip_emb.": "clip.image_to_time.",
    "clip_tok_proj.": "clip.image_to_tokens.",
    "text_feat_proj.": "clip.text_to_time.",
    "text_seq_proj.0.": "clip.tokens_proj.",
    "text_seq_proj.1.": "clip.tokens_norm.",
}
PRIOR_KEYS, UNET_KEYS, DECODER_KEYS = KeyMap(_PRIOR), KeyMap(UNET), KeyMap({**UNET, **_CLIP})
PREFIX = "model."
FIRST, LAST = "model_first_steps.", "model_last_step."


def prior_config(options: Options) -> PriorConfig:
    """Configuration of the prior."""
    heads, tokens = int(options["xf_heads"]), int(options["text_ctx"])
    return PriorConfig(
        embedding=int(options["clip_dim"]),
        tokens=tokens,
        heads=heads,
        head_width=int(options["xf_width"]) // heads,
        layers=int(options["xf_layers"]),
        positions=tokens + 4,
        space=str(options.get("space", "")),
        trained=TrainedFor("x0", False, "fixed_small", "cosine", 1000, 10.0),
    )


def decoder_config(options: Options) -> UNetConfig:
    """Configuration of the decoder."""
    clip = ClipConditionConfig(
        embedding=int(options["clip_dim"]),
        width=int(options["xf_width"]),
        extra_tokens=int(options["clip_emb_mult"]),
        text_width=int(options["clip_dim"]),
        space=str(options.get("space", "")),
    )
    trained = TrainedFor("eps", bool(options["learn_sigma"]), "fixed_large", "cosine")
    parts = backbone(options, int(options["image_size"]))
    return UNetConfig(clip=clip, trained=trained, dropout=float(options["dropout"]), **parts)


def super_resolution_config(options: Options) -> UNetConfig:
    """Configuration of either super-resolution network; `image_size` is 256 if it is not said."""
    return UNetConfig(
        image_size=int(options.get("image_size", 256)),
        model_channels=int(options["channels"]),
        multipliers=tuple(options["channels_multiple"]),
        blocks=int(options["depth"]),
        attention=(),
        middle_attention=False,
        scale_shift_norm=False,
        dropout=float(options["dropout"]),
        low_resolution=True,
        low_resolution_as=LowResolution(None, "bicubic"),
        trained=TrainedFor("eps", False, "fixed_small", "cosine"),
    )


def prior_to_ours(
    state_dict: Mapping[str, "Tensor"], statistics: Mapping[str, "Tensor"] | None = None
) -> dict[str, "Tensor"]:
    """The prior under our names, with the mean and deviation of embeddings (`0` and `1` of their file)."""
    found = PRIOR_KEYS.ours(_below(state_dict, PREFIX))
    if statistics is not None:
        found |= {"mean": statistics["0"][None], "std": statistics["1"][None]}
    return found


def decoder_to_ours(state_dict: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The decoder with its projections of CLIP embeddings under our names."""
    return DECODER_KEYS.ours(_below(state_dict, PREFIX))


def super_resolution_to_ours(
    state_dict: Mapping[str, "Tensor"], prefix: str
) -> dict[str, "Tensor"]:
    """One of the two super-resolution networks of a file (`FIRST`, `LAST`) under our names."""
    mine = {key: value for key, value in state_dict.items() if key.startswith(prefix)}
    return UNET_KEYS.ours(_below(mine, prefix))


def _below(state_dict: Mapping[str, "Tensor"], prefix: str) -> dict[str, "Tensor"]:
    """The keys without the beginning that the trainer gave to all, if it is there."""
    return {key.removeprefix(prefix): value for key, value in state_dict.items()}
