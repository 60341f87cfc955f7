"""How many parameters a CLIP has, from its architecture alone: open_clip takes seconds to import."""

from typing import Any

from nodes.networks.config import ClipConfig


def clip_parameters(config: ClipConfig) -> int:
    """Parameters of the towers that are there; 0 for a tower that is no plain transformer."""
    text = 0 if config.text is None else _text(config.text, config.embedding)
    return text + (0 if config.image is None else _image(config.image, config.embedding))


def _text(options: dict[str, Any], embedding: int) -> int:
    if options.get("hf_model_name"):
        return 0
    width = int(options.get("width", 512))
    rows = int(options.get("vocab_size", 49_408)) + int(options.get("context_length", 77))
    layers = int(options.get("layers", 12)) * _block(width, float(options.get("mlp_ratio", 4)))
    return rows * width + layers + 2 * width + width * embedding


def _image(options: dict[str, Any], embedding: int) -> int:
    layers = options.get("layers", 12)
    if options.get("timm_model_name") or not isinstance(layers, int):
        return 0
    width, patch = int(options.get("width", 768)), int(options.get("patch_size", 16))
    patches = (int(options.get("image_size", 224)) // patch) ** 2
    first = 3 * patch**2 * width + width + (patches + 1) * width + 2 * width
    blocks = layers * _block(width, float(options.get("mlp_ratio", 4)))
    return first + blocks + 2 * width + width * embedding


def _block(width: int, ratio: float) -> int:
    """Attention, two norms and two layers of a block, with their biases."""
    inner = int(width * ratio)
    return 4 * width**2 + 4 * width + 4 * width + 2 * width * inner + inner + width
