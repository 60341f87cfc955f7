"""CLIPs as transformers keeps them: configurations of both towers, and their keys as those of open_clip's modules."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from nodes.checkpoints.diffusers import UnknownConfig
from nodes.checkpoints.fused import Renamed, in_sequence, renamed, replaced
from nodes.networks.config import ClipConfig, ClipTokenizerConfig

Options = Mapping[str, Any]

_TEXT = {
    "text_model.embeddings.token_embedding.": "text.token_embedding.",
    "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
    "text_model.final_layer_norm.": "text.ln_final.",
    "text_projection.weight": "text.text_projection",
}
_IMAGE = {
    "vision_model.embeddings.class_embedding": "image.class_embedding",
    "vision_model.embeddings.patch_embedding.": "image.conv1.",
    "vision_model.embeddings.position_embedding.weight": "image.positional_embedding",
    "vision_model.pre_layrnorm.": "image.ln_pre.",
    "vision_model.post_layernorm.": "image.ln_post.",
    "visual_projection.weight": "image.proj",
}
_BLOCK = {
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
}
_PLACES = {"q": 0, "k": 1, "v": 2}
_TRANSPOSED = ("text.text_projection", "image.proj")


def clip_config(
    text: Options | None,
    image: Options | None,
    processor: Options | None = None,
    tokenizer: ClipTokenizerConfig | None = None,
    space: str = "",
) -> ClipConfig:
    """Configuration of a CLIP of which one tower may be missing. Raises UnknownConfig."""
    towers = [tower for tower in (text, image) if tower is not None]
    acts = {str(tower["hidden_act"]) for tower in towers}
    widths = {int(tower["projection_dim"]) for tower in towers}
    if len(acts) != 1 or len(widths) != 1 or not acts <= {"quick_gelu", "gelu"}:
        raise UnknownConfig(
            f"towers with activations {sorted(acts)} and embeddings {sorted(widths)}"
        )
    found = ClipConfig(
        embedding=widths.pop(),
        text=None if text is None else _text(text),
        image=None if image is None else _image(image),
        quick_gelu=acts == {"quick_gelu"},
        tokenizer=tokenizer or ClipTokenizerConfig("clip_padded"),
        space=space,
    )
    if processor is None:
        return found
    return _with_colours(found, processor)


def _with_colours(config: ClipConfig, processor: Options) -> ClipConfig:
    return replace(
        config, means=tuple(processor["image_mean"]), deviations=tuple(processor["image_std"])
    )


def _text(options: Options) -> dict[str, Any]:
    width = int(options["hidden_size"])
    return {
        "context_length": int(options["max_position_embeddings"]),
        "vocab_size": int(options["vocab_size"]),
        "width": width,
        "heads": int(options["num_attention_heads"]),
        "layers": int(options["num_hidden_layers"]),
        "mlp_ratio": int(options["intermediate_size"]) / width,
    }


def _image(options: Options) -> dict[str, Any]:
    width = int(options["hidden_size"])
    return {
        "image_size": int(options["image_size"]),
        "patch_size": int(options["patch_size"]),
        "width": width,
        "head_width": width // int(options["num_attention_heads"]),
        "layers": int(options["num_hidden_layers"]),
        "mlp_ratio": int(options["intermediate_size"]) / width,
    }


def clip_to_ours(*files: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dicts of the towers under our names. Raises ValueError for keys that have no place."""
    found = {k: v for file in files for k, v in renamed(file, _key, in_sequence).items()}
    return {k: v.T if k in _TRANSPOSED else v for k, v in found.items()}


def _key(key: str) -> Renamed | None:
    if key.endswith("embeddings.position_ids"):
        return None
    found = re.match(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)", key)
    if found is None:
        return replaced(key, {**_TEXT, **_IMAGE}), None
    tower = "text" if found[1] == "text" else "image"
    block = f"{tower}.transformer.resblocks.{found[2]}."
    part = re.match(r"self_attn\.([qkv])_proj\.(weight|bias)$", found[3])
    if part is None:
        return block + replaced(found[3], _BLOCK), None
    return f"{block}attn.in_proj_{part[2]}", _PLACES[part[1]]
