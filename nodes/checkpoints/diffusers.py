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
from nodes.checkpoints.keymap import KeyMap, Table, by_head, parts, under
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


_RESNET: Table = {
    "norm1.": "norm_in.",
    "conv1.": "conv_in.",
    "time_emb_proj.": "embedding.",
    "norm2.": "norm_out.",
    "conv2.": "conv_out.",
    "conv_shortcut.": "skip.",
}
_ATTENTION: Table = {
    "group_norm.": "norm.",
    "to_out.0.": "proj.",
    **parts("qkv.", "to_q.", "to_k.", "to_v."),
    **parts("context_kv.", "add_k_proj.", "add_v_proj."),
}
_ENDS: Table = {
    "conv_in.": "inputs.0.0.",
    "conv_norm_out.": "out_norm.",
    "conv_out.": "out_conv.",
    "time_embedding.linear_1.": "time.0.",
    "time_embedding.linear_2.": "time.2.",
}
TEXT_PROJ_KEYS = KeyMap(
    {
        "learned_classifier_free_guidance_embeddings": "clip.null_embedding",
        "clip_image_embeddings_project_to_time_embeddings.": "clip.image_to_time.",
        "clip_extra_context_tokens_proj.": "clip.image_to_tokens.",
        "embedding_proj.": "clip.text_to_time.",
        "encoder_hidden_states_proj.": "clip.tokens_proj.",
        "text_encoder_hidden_states_norm.": "clip.tokens_norm.",
    }
)
"""The text projection as a part of our UNet."""
_PRIOR_BLOCK: Table = {
    "norm1.": "norm_attention.",
    "attn1.to_out.0.": "proj.",
    "norm3.": "norm_mlp.",
    "ff.net.0.proj.": "widen.",
    "ff.net.2.": "narrow.",
    **parts("qkv.", "attn1.to_q.", "attn1.to_k.", "attn1.to_v."),
}
_PRIOR: Table = {
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
    **under("transformer_blocks.#.", "blocks.#.", _PRIOR_BLOCK),
}
CLIP = "clip."
"""What the names of the text projection begin with in our UNet."""
_LINEAR = re.compile(r"\.(qkv|context_kv|proj)\.weight$")
"""Attention is by 1 × 1 convolutions here."""
LEVELS = 16
"""Of resolution that a network may have."""
SINGLE, DOUBLE = "cosine_float32", "cosine"
"""The chain as diffusers keeps it, and in double precision."""
PARAMETRISATIONS = {"epsilon": "eps", "sample": "x0"}
WITHOUT_ATTENTION = ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D")
WITH_ATTENTION = ("SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D")
"""Blocks of the way down, and of the way up."""


def trained_for(
    scheduler: Options, learned_variance: bool = False, chain: str = SINGLE
) -> TrainedFor:
    """What a network was trained for, from the configuration of its scheduler. Raises UnknownConfig.

    `chain`: the precision of its tables, which is single in diffusers.
    """
    if chain not in (SINGLE, DOUBLE):
        raise UnknownConfig(f"the chain is {chain!r}; it may be {SINGLE!r} or {DOUBLE!r}")
    SCHEDULER.check(scheduler)
    kind = scheduler.get("variance_type", "fixed_small_log")
    if (kind == "learned_range") != learned_variance:
        raise UnknownConfig(
            f"the scheduler: variance_type is {kind!r}, with a network that has none"
        )
    clipped = scheduler.get("clip_sample", True)
    return TrainedFor(
        parametrisation=PARAMETRISATIONS[scheduler.get("prediction_type", "epsilon")],  # type: ignore[arg-type]
        learned_variance=learned_variance,
        fixed_variance="fixed_small_log",
        schedule=chain,
        train_steps=int(scheduler.get("num_train_timesteps", 1000)),
        x0_bound=float(scheduler.get("clip_sample_range", 1.0)) if clipped else math.inf,
    )


def prior_config(
    options: Options, scheduler: Options, space: str = "", chain: str = SINGLE
) -> PriorConfig:
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
        trained=trained_for(scheduler, chain=chain),
    )


def unet_config(
    options: Options,
    scheduler: Options,
    text_proj: Options | None = None,
    image_size: int | None = None,
    space: str = "",
    chain: str = SINGLE,
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
        trained=trained_for(scheduler, learned, chain),
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
        if kind not in (*WITHOUT_ATTENTION, *WITH_ATTENTION):
            raise UnknownConfig(f"a block is {kind}; the networks here know no such one")
    has = [kind in WITH_ATTENTION for kind in down]
    if has != [kind in WITH_ATTENTION for kind in reversed(up)]:
        raise UnknownConfig("up_block_types is not the mirror of down_block_types")
    return tuple(2**level for level, there in enumerate(has) if there)


def unet_keys(config: UNetConfig) -> KeyMap:
    """The names of a UNet's tensors: which of our stages each layer of a level is."""
    blocks, levels = config.blocks, len(config.multipliers)
    last = 2 if config.middle_attention else 1
    resnets = {"mid_block.resnets.0.": "middle.0.", "mid_block.resnets.1.": f"middle.{last}."}
    attentions = {"mid_block.attentions.0.": "middle.1."} if config.middle_attention else {}
    for level in range(levels):
        first, down, up = level * (blocks + 1), f"down_blocks.{level}.", f"up_blocks.{level}."
        attends_down, attends_up = (2**n in config.attention for n in (level, levels - 1 - level))
        inputs = {n: f"inputs.{first + n + 1}." for n in range(blocks)}
        outputs = {n: f"outputs.{first + n}." for n in range(blocks + 1)}
        resnets |= {f"{down}resnets.{n}.": f"{stage}0." for n, stage in inputs.items()}
        resnets |= {f"{up}resnets.{n}.": f"{stage}0." for n, stage in outputs.items()}
        resnets[f"{down}downsamplers.0."] = f"inputs.{first + blocks + 1}.0."
        resnets[f"{up}upsamplers.0."] = f"outputs.{first + blocks}.{1 + attends_up}."
        if attends_down:
            attentions |= {f"{down}attentions.{n}.": f"{stage}1." for n, stage in inputs.items()}
        if attends_up:
            attentions |= {f"{up}attentions.{n}.": f"{stage}1." for n, stage in outputs.items()}
    table = dict(_ENDS)
    for stages, layers in ((resnets, _RESNET), (attentions, _ATTENTION)):
        for theirs, ours in stages.items():
            table |= under(theirs, ours, layers)
    return KeyMap(table)


def unet_to_ours(state_dict: Mapping[str, "Tensor"], config: UNetConfig) -> dict[str, "Tensor"]:
    """A UNet's state dict under our names. Raises ValueError as `KeyMap.ours`."""
    found = unet_keys(config).ours(state_dict)
    return {k: v[..., None] if _LINEAR.search(k) and v.ndim == 2 else v for k, v in found.items()}


def unet_to_theirs(state_dict: Mapping[str, "Tensor"], config: UNetConfig) -> dict[str, "Tensor"]:
    """A state dict of ours under a UNet's names there, without what the text projection holds."""
    flat = {
        key: value[..., 0] if _LINEAR.search(key) and value.ndim == 3 else value
        for key, value in state_dict.items()
        if not key.startswith(CLIP)
    }
    return unet_keys(config).split(flat)


def prior_keys(config: PriorConfig) -> KeyMap:
    """The names of a prior's tensors; queries, keys and values are joined head by head."""
    return KeyMap(_PRIOR, by_head(config.heads))
