"""LAION's priors, in the layout of DALLE2-pytorch: its options as a configuration, and its keys as ours."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nodes.checkpoints.keymap import KeyMap, Table, under
from nodes.networks.config import LaionPriorConfig, TrainedFor

if TYPE_CHECKING:  # the options are read without torch
    from torch import Tensor


NETWORK = "net."
_LAYER: Table = {
    "0.null_kv": "attention.null",
    "0.norm.g": "attention.norm.weight",
    "0.to_q.": "attention.query.",
    "0.to_kv.": "attention.key_value.",
    "0.to_out.0.": "attention.proj.",
    "0.to_out.1.g": "attention.proj_norm.weight",
    "0.rotary_emb.": None,
    "1.0.g": "gated.norm.weight",
    "1.1.": "gated.widen.",
    "1.3.g": "gated.gate_norm.weight",
    "1.5.": "gated.narrow.",
}
KEYS = KeyMap(
    {
        "learned_query": "query",
        "null_text_encodings": "null_tokens",
        "null_text_embeds": "null_text",
        "null_image_embed": "null_image",
        "to_text_embeds.0.": "text_proj.",
        "to_image_embeds.0.": "image_proj.",
        "to_time_embeds.0.1.net.0.0.": "time.layers.0.",
        "to_time_embeds.0.1.net.1.0.": "time.layers.2.",
        "to_time_embeds.0.1.net.2.": "time.layers.4.",
        "to_time_embeds.0.weight": "time.weight",
        "causal_transformer.init_norm.g": "first_norm.weight",
        "causal_transformer.norm.g": "final_norm.weight",
        "causal_transformer.project_out.": "out.",
        "causal_transformer.rel_pos_bias.relative_attention_bias.": "positions.table.",
        "causal_transformer.rotary_emb.": None,
        **under("causal_transformer.layers.#.", "blocks.#.", _LAYER),
    }
)


def prior_config(options: Mapping[str, Any]) -> LaionPriorConfig:
    """Configuration of a prior from its network's options; `timesteps` is the length of its chain."""
    steps = options.get("num_timesteps")
    chain = int(options.get("timesteps", steps or 1000))
    return LaionPriorConfig(
        width=int(options["dim"]),
        layers=int(options["depth"]),
        heads=int(options.get("heads", 8)),
        head_width=int(options.get("dim_head", 64)),
        context=int(options.get("max_text_len", 256)),
        widening=int(options.get("ff_mult", 4)),
        steps=None if steps is None else int(steps),
        image_tokens=int(options.get("num_image_embeds", 1)),
        text_tokens=int(options.get("num_text_embeds", 1)),
        time_tokens=int(options.get("num_time_embeds", 1)),
        normed_gate=bool(options.get("normformer", False)),
        rotary=bool(options.get("rotary_emb", True)),
        norm_in=bool(options.get("norm_in", False)),
        norm_out=bool(options.get("norm_out", True)),
        project_out=bool(options.get("final_proj", True)),
        space=str(options.get("space", "")),
        trained=TrainedFor("x0", False, "fixed_small_log", "cosine", chain, math.inf),
    )


def prior_to_ours(state_dict: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """A prior's network under our names, out of a whole prior too: its chain, its CLIP and the angles are left out."""
    whole = any(key.startswith(NETWORK) for key in state_dict)
    named = {
        key.removeprefix(NETWORK): value
        for key, value in state_dict.items()
        if not whole or key.startswith(NETWORK)
    }
    return KEYS.ours(named)
