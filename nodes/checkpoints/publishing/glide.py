"""Configurations of GLIDE's networks as the options of its model factory: what `openai` reads, written.

They are proposals: of what the options cannot say they say nothing, and reading them again tells that.
"""

from typing import Any

from nodes.checkpoints.options import Options
from nodes.networks.config import NoisedClipConfig, TextConfig, UNetConfig

_NAMES = {"linear": "linear", "cosine": "squaredcos_cap_v2"}


def glide_options(config: UNetConfig) -> Options:
    """A UNet, with exactly the options that the factory takes."""
    trained = config.trained
    factors = config.attention
    return {
        "image_size": config.image_size,
        "num_channels": config.model_channels,
        "num_res_blocks": config.blocks,
        "channel_mult": ",".join(str(int(multiplier)) for multiplier in config.multipliers),
        "num_heads": config.heads,
        "num_head_channels": config.head_channels or -1,
        "num_heads_upsample": config.heads_upsample or -1,
        # Without any the factory wants one all the same: of a picture of one pixel.
        "attention_resolutions": ",".join(str(config.image_size // f) for f in factors) or "1",
        "dropout": config.dropout,
        **_text(config.text),
        "diffusion_steps": trained.train_steps,
        "noise_schedule": _NAMES.get(trained.schedule, "linear"),
        "timestep_respacing": trained.respacing,
        "use_scale_shift_norm": config.scale_shift_norm,
        "resblock_updown": config.resample_in_blocks,
        "use_fp16": False,
        "cache_text_emb": False,
        "inpaint": config.known_pixels,
        "super_res": config.low_resolution,
    }


def _text(text: TextConfig | None) -> dict[str, Any]:
    found = text or TextConfig(width=0, layers=0, heads=0)
    return {
        "text_ctx": found.context,
        "xf_width": found.width,
        "xf_layers": found.layers,
        "xf_heads": found.heads,
        "xf_final_ln": found.final_norm,
        "xf_padding": found.padding,
    }


def clip_options(config: NoisedClipConfig) -> Options:
    """GLIDE's CLIP."""
    return {
        "logit_scale": config.logit_scale,
        "beta_schedule": _NAMES.get(config.schedule, "linear"),
        "n_timesteps": config.train_steps,
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "n_vocab": config.vocabulary,
        "max_text_len": config.context,
        "n_embd": config.embedding_width,
        "n_head_state_text": config.text_head_width,
        "n_head_text": config.text_heads,
        "n_xf_blocks_text": config.text_layers,
        "n_head_state_image": config.image_head_width,
        "n_head_image": config.image_heads,
        "n_xf_blocks_image": config.image_layers,
    }
