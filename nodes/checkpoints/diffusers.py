"""The folder layout of diffusers: configurations of unCLIP's networks from their JSON, and state-dict keys as ours."""

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from nodes.checkpoints.diffusers_options import (
    DECODER,
    PRIOR,
    SCHEDULER,
    SUPER_RESOLUTION,
    TEXT_PROJECTION,
)
from nodes.checkpoints.fused import Renamed, by_head, in_sequence, renamed, replaced
from nodes.checkpoints.options import Options, UnknownConfig, one
from nodes.networks.config import (
    ClipConditionConfig,
    LowResolution,
    PriorConfig,
    TrainedFor,
    UNetConfig,
)

if TYPE_CHECKING:  # the options are read without torch
    from torch import Tensor


_RESNET = {
    "norm1.": "norm_in.",
    "conv1.": "conv_in.",
    "time_emb_proj.": "embedding.",
    "norm2.": "norm_out.",
    "conv2.": "conv_out.",
    "conv_shortcut.": "skip.",
}
_ATTENTION = {"group_norm.": "norm.", "to_out.0.": "proj."}
_ENDS = {
    "conv_in.": "inputs.0.0.",
    "conv_norm_out.": "out_norm.",
    "conv_out.": "out_conv.",
    "time_embedding.linear_1.": "time.0.",
    "time_embedding.linear_2.": "time.2.",
}
_PARTS = {"to_q": ("qkv", 0), "to_k": ("qkv", 1), "to_v": ("qkv", 2)}
_ADDED_PARTS = {"add_k_proj": ("context_kv", 0), "add_v_proj": ("context_kv", 1)}
_TEXT_PROJ = {
    "learned_classifier_free_guidance_embeddings": "clip.null_embedding",
    "clip_image_embeddings_project_to_time_embeddings.": "clip.image_to_time.",
    "clip_extra_context_tokens_proj.": "clip.image_to_tokens.",
    "embedding_proj.": "clip.text_to_time.",
    "encoder_hidden_states_proj.": "clip.tokens_proj.",
    "text_encoder_hidden_states_norm.": "clip.tokens_norm.",
}
_PRIOR = {
    "time_embedding.linear_1.": "time.0.",
    "time_embedding.linear_2.": "time.2.",
    "proj_in.": "x_proj.",
    "embedding_proj.": "condition_proj.",
    "embedding_proj_norm.": "condition_norm.",
    "encoder_hidden_states_proj.": "tokens_proj.",
    "prd_embedding": "query",
    "positional_embedding": "positional_embedding",
    "norm_in.": "first_norm.",
    "norm_out.": "final_norm.",
    "proj_to_clip_embeddings.": "out.",
    "clip_mean": "mean",
    "clip_std": "std",
}
_PRIOR_BLOCK = {
    "norm1.": "norm_attention.",
    "attn1.to_out.0.": "proj.",
    "norm3.": "norm_mlp.",
    "ff.net.0.proj.": "widen.",
    "ff.net.2.": "narrow.",
}
LEVELS = 16
"""Of resolution that a network may have."""
_PARAMETRISATIONS = {"epsilon": "eps", "sample": "x0"}
_WITHOUT_ATTENTION = {"ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"}
_WITH_ATTENTION = {"SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"}


def trained_for(scheduler: Options, learned_variance: bool = False) -> TrainedFor:
    """What a network was trained for, from the configuration of its scheduler. Raises UnknownConfig."""
    SCHEDULER.check(scheduler)
    kind = scheduler.get("variance_type", "fixed_small_log")
    if (kind == "learned_range") != learned_variance:
        raise UnknownConfig(
            f"the scheduler: variance_type is {kind!r}, with a network that has none"
        )
    clipped = scheduler.get("clip_sample", True)
    return TrainedFor(
        parametrisation=_PARAMETRISATIONS[scheduler.get("prediction_type", "epsilon")],  # type: ignore[arg-type]
        learned_variance=learned_variance,
        fixed_variance="fixed_small_log",
        schedule="cosine_float32",
        train_steps=int(scheduler.get("num_train_timesteps", 1000)),
        x0_bound=float(scheduler.get("clip_sample_range", 1.0)) if clipped else math.inf,
    )


def prior_config(options: Options, scheduler: Options, space: str = "") -> PriorConfig:
    """Configuration of a prior. Raises UnknownConfig."""
    PRIOR.check(options)
    hidden = options.get("encoder_hid_proj_type", "linear")
    tokens = int(options["num_embeddings"])
    return PriorConfig(
        embedding=int(options["embedding_dim"]),
        tokens=tokens,
        heads=int(options["num_attention_heads"]),
        head_width=int(options["attention_head_dim"]),
        layers=int(options["num_layers"]),
        condition=options.get("embedding_proj_dim"),
        output=options.get("clip_embed_dim"),
        time_width=options.get("time_embed_dim"),
        time_activation=options.get("time_embed_act_fn", "silu"),
        reads_text=hidden is not None,
        query=options.get("added_emb_type", "prd") is not None,
        positions=tokens + int(options.get("additional_embeddings", 4)),
        norm_in=options.get("norm_in_type") is not None,
        norm_condition=options.get("embedding_proj_norm_type") is not None,
        space=space,
        trained=trained_for(scheduler),
    )


def unet_config(
    options: Options,
    scheduler: Options,
    text_proj: Options | None = None,
    image_size: int | None = None,
    space: str = "",
) -> UNetConfig:
    """Configuration of a decoder (with its text projection), or of a super-resolution network. Raises UnknownConfig."""
    (SUPER_RESOLUTION if text_proj is None else DECODER).check(options)
    widths = [int(width) for width in options["block_out_channels"]]
    outputs, inputs = int(options["out_channels"]), int(options["in_channels"])
    learned = scheduler.get("variance_type") == "learned_range"
    channels = outputs // 2 if learned else outputs
    taken = 2 * channels if text_proj is None else channels
    if inputs != taken or (learned and outputs % 2):
        raise UnknownConfig(f"in_channels is {inputs} and out_channels {outputs}")
    size = options.get("sample_size") if image_size is None else image_size
    if not isinstance(size, int):
        raise UnknownConfig(f"sample_size is {size}; it must be the side of a square")
    return UNetConfig(
        image_size=size,
        channels=channels,
        model_channels=widths[0],
        multipliers=tuple(width / widths[0] for width in widths),
        blocks=int(one(options, "layers_per_block", 2)),
        attention=_attention(options),
        head_channels=int(one(options, "attention_head_dim", 8)),
        middle_attention=text_proj is not None,
        groups=int(options.get("norm_num_groups", 32)),
        scale_shift_norm=options.get("resnet_time_scale_shift", "default") == "scale_shift",
        qkv_order="qkv_major",
        dropout=float(options.get("dropout", 0)),
        clip=None if text_proj is None else _clip(text_proj, space),
        low_resolution=text_proj is None,
        low_resolution_as=LowResolution(None, "bicubic"),
        trained=trained_for(scheduler, learned),
    )


def _clip(options: Options, space: str) -> ClipConditionConfig:
    TEXT_PROJECTION.check(options)
    width = int(options.get("clip_embeddings_dim", 768))
    extra = int(options.get("clip_extra_context_tokens", 4))
    return ClipConditionConfig(width, int(options["cross_attention_dim"]), extra, width, space)


def _attention(options: Options) -> tuple[int, ...]:
    """Downsampling factors with attention, from the block types of the way down; the way up must be its mirror."""
    down, up = list(options["down_block_types"]), list(options["up_block_types"])
    if len(down) > LEVELS:
        raise UnknownConfig(
            f"down_block_types names {len(down)} levels; {LEVELS} at most are possible"
        )
    for kind in (*down, *up):
        if kind not in _WITHOUT_ATTENTION | _WITH_ATTENTION:
            raise UnknownConfig(f"a block is {kind}; the networks here know no such one")
    has = [kind in _WITH_ATTENTION for kind in down]
    if has != [kind in _WITH_ATTENTION for kind in reversed(up)]:
        raise UnknownConfig("up_block_types is not the mirror of down_block_types")
    return tuple(2**level for level, there in enumerate(has) if there)


def unet_to_ours(state_dict: Mapping[str, "Tensor"], config: UNetConfig) -> dict[str, "Tensor"]:
    """A UNet's state dict under our names. Raises ValueError for keys that have no place."""

    def our_key(key: str) -> Renamed:
        return _unet_key(key, config)

    found = renamed(state_dict, our_key, in_sequence)
    # Attention is by 1 × 1 convolutions here.
    linear = re.compile(r"\.(qkv|context_kv|proj)\.weight$")
    return {k: v[..., None] if linear.search(k) and v.ndim == 2 else v for k, v in found.items()}


def _unet_key(key: str, config: UNetConfig) -> Renamed:
    found = re.match(
        r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(resnets|attentions|(?:down|up)samplers)\.(\d+)\.(.+)",
        key,
    )
    if found is None:
        return replaced(key, _ENDS), None
    way, level, layer, number, rest = found.groups()
    stage = _stage(way, int(level or 0), layer, int(number), config)
    if layer != "attentions":
        return stage + replaced(rest, _RESNET), None
    part, _, kind = rest.partition(".")
    name, place = {**_PARTS, **_ADDED_PARTS}.get(part, ("", None))
    if place is None:
        return stage + replaced(rest, _ATTENTION), None
    return f"{stage}{name}.{kind}", place


def _stage(way: str, level: int, layer: str, number: int, config: UNetConfig) -> str:
    """Where a layer of a level stands among our stages, as the beginning of a key."""
    each = config.blocks + 1
    if way == "mid":
        between = int(config.middle_attention)
        return f"middle.{1 if layer == 'attentions' else number * (1 + between)}."
    index = level * each + (config.blocks if layer.endswith("samplers") else number)
    if way == "down":
        return f"inputs.{index + 1}.{int(layer == 'attentions')}."
    place = int(layer == "attentions")
    if layer == "upsamplers":
        place = 1 + int(2 ** (len(config.multipliers) - 1 - level) in config.attention)
    return f"outputs.{index}.{place}."


def text_proj_to_ours(state_dict: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The text projection's state dict as a part of our UNet's."""
    return {replaced(key, _TEXT_PROJ): value for key, value in state_dict.items()}


def prior_to_ours(state_dict: Mapping[str, "Tensor"], config: PriorConfig) -> dict[str, "Tensor"]:
    """A prior's state dict under our names; queries, keys and values are joined head by head."""
    return renamed(state_dict, _prior_key, by_head(config.heads))


def _prior_key(key: str) -> Renamed:
    found = re.match(r"transformer_blocks\.(\d+)\.(.+)", key)
    if found is None:
        return replaced(key, _PRIOR), None
    number, rest = found.groups()
    part = re.match(r"attn1\.(to_[qkv])\.(weight|bias)$", rest)
    if part is None:
        return f"blocks.{number}.{replaced(rest, _PRIOR_BLOCK)}", None
    name, place = _PARTS[part[1]]
    return f"blocks.{number}.{name}.{part[2]}", place
