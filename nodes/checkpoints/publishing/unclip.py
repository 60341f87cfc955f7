"""Configurations of unCLIP's networks as the options of diffusers: what `diffusers` reads, written.

They are proposals: of what the options cannot say they say nothing, and reading them again tells that.
"""

import math
from typing import Any

from nodes.checkpoints.diffusers import (
    DOUBLE,
    PARAMETRISATIONS,
    WITH_ATTENTION,
    WITHOUT_ATTENTION,
)
from nodes.checkpoints.options import Options
from nodes.networks.config import ClipConditionConfig, PriorConfig, TrainedFor, UNetConfig

MADE = {"_diffusers_version": "0.42.1"}
"""The version by which the folders are tested."""
_PREDICTS = {ours: theirs for theirs, ours in PARAMETRISATIONS.items()}


def scheduler_options(trained: TrainedFor) -> dict[str, Any]:
    """The scheduler of a network."""
    bounded = math.isfinite(trained.x0_bound)
    return {
        "_class_name": "UnCLIPScheduler",
        **MADE,
        "clip_sample": bounded,
        "clip_sample_range": trained.x0_bound if bounded else 1.0,
        "num_train_timesteps": trained.train_steps,
        "prediction_type": _PREDICTS.get(trained.parametrisation, "epsilon"),
        "variance_type": "learned_range" if trained.learned_variance else "fixed_small_log",
    }


def prior_options(config: PriorConfig) -> Options:
    """A prior."""
    options = {
        "_class_name": "PriorTransformer",
        **MADE,
        "additional_embeddings": config.positions - config.tokens,
        "attention_head_dim": config.head_width,
        "dropout": 0.0,
        "embedding_dim": config.embedding,
        "num_attention_heads": config.heads,
        "num_embeddings": config.tokens,
        "num_layers": config.layers,
        **_beside_the_usual(config),
    }
    return {"config": options, **_trained(config.trained, config.space)}


def _beside_the_usual(config: PriorConfig) -> dict[str, Any]:
    """What the options of other priors than Karlo's have."""
    said = {
        "embedding_proj_dim": config.condition,
        "clip_embed_dim": config.output,
        "time_embed_dim": config.time_width,
        "time_embed_act_fn": None if config.time_activation == "silu" else config.time_activation,
        "norm_in_type": "layer" if config.norm_in else None,
        "embedding_proj_norm_type": "layer" if config.norm_condition else None,
    }
    found = {name: value for name, value in said.items() if value is not None}
    left_out = {"encoder_hid_proj_type": config.reads_text, "added_emb_type": config.query}
    return {**found, **{name: None for name, there in left_out.items() if not there}}


def decoder_options(config: UNetConfig) -> Options:
    """A decoder with its text projection."""
    clip = config.clip or ClipConditionConfig()
    options = {
        "_class_name": "UNet2DConditionModel",
        **_unet(config, config.channels),
        "class_embed_type": "identity",
        "cross_attention_dim": clip.width,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "only_cross_attention": False,
    }
    projection = {
        "_class_name": "UnCLIPTextProjModel",
        **MADE,
        "clip_embeddings_dim": clip.embedding,
        "clip_extra_context_tokens": clip.extra_tokens,
        "cross_attention_dim": clip.width,
        "time_embed_dim": config.embedding_width,
    }
    return {"config": options, "text_proj": projection, **_trained(config.trained, clip.space)}


def super_resolution_options(config: UNetConfig) -> Options:
    """A super-resolution network."""
    options = {
        "_class_name": "UNet2DModel",
        **_unet(config, 2 * config.channels),
        "add_attention": False,
        "time_embedding_type": "positional",
    }
    return {"config": options, "image_size": config.image_size, **_trained(config.trained, "")}


def _unet(config: UNetConfig, inputs: int) -> dict[str, Any]:
    dropout = {"dropout": config.dropout} if config.dropout else {}
    attends = [2**level in config.attention for level in range(len(config.multipliers))]
    down, up = (
        [WITH_ATTENTION[way] if there else WITHOUT_ATTENTION[way] for there in has]
        for way, has in enumerate((attends, reversed(attends)))
    )
    return {
        **MADE,
        "act_fn": "silu",
        "attention_head_dim": config.head_channels or 8,
        "block_out_channels": config.widths,
        "center_input_sample": False,
        "down_block_types": down,
        "downsample_padding": 1,
        **dropout,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": inputs,
        "layers_per_block": config.blocks,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": config.groups,
        "out_channels": config.output_channels,
        "resnet_time_scale_shift": "scale_shift" if config.scale_shift_norm else "default",
        "sample_size": config.image_size,
        "up_block_types": up,
    }


def _trained(trained: TrainedFor, space: str) -> dict[str, Any]:
    """The scheduler, and what no folder of diffusers says: the CLIP's joint space, and a chain in double precision."""
    chain = {"chain": DOUBLE} if trained.schedule == DOUBLE else {}
    return {"scheduler": scheduler_options(trained), **({"space": space} if space else {}), **chain}
