"""How many parameters a CLIP has, from its architecture alone: open_clip takes seconds to import."""

from typing import Any

from nodes.networks.config import ClipConfig

_BLOCKS = {
    "width",
    "layers",
    "mlp_ratio",
    "act_kwargs",
    "norm_kwargs",
    "pool_type",
    "output_tokens",
}
_IMAGE = _BLOCKS | {"image_size", "patch_size", "head_width", "patch_dropout"}
_TEXT = _BLOCKS | {
    *("context_length", "vocab_size", "heads", "embed_cls", "no_causal_mask", "pad_id", "eos_id"),
    *("hf_tokenizer_name", "tokenizer_kwargs", "tokenizer_mode"),
}
"""Options of towers that the formulas know, or that add no parameter."""


def clip_parameters(config: ClipConfig) -> int:
    """Parameters of the towers that are there; 0 for a tower that is neither a plain transformer nor CLIP's ResNet."""
    text = 0 if config.text is None else _text(config.text, config.embedding)
    return text + (0 if config.image is None else _image(config.image, config.embedding))


def _text(options: dict[str, Any], embedding: int) -> int:
    if not options.keys() <= _TEXT:
        return 0
    width = int(options.get("width", 512))
    rows = int(options.get("vocab_size", 49_408)) + int(options.get("context_length", 77))
    rows += 2 if options.get("embed_cls") else 0  # a token at the end, and its place
    layers = int(options.get("layers", 12)) * _block(width, float(options.get("mlp_ratio", 4)))
    return rows * width + layers + 2 * width + width * embedding


def _image(options: dict[str, Any], embedding: int) -> int:
    layers = options.get("layers", 12)
    if not options.keys() <= _IMAGE:
        return 0
    if not isinstance(layers, int):
        return _resnet(options, embedding)
    width, patch = int(options.get("width", 768)), int(options.get("patch_size", 16))
    patches = (int(options.get("image_size", 224)) // patch) ** 2
    first = 3 * patch**2 * width + width + (patches + 1) * width + 2 * width
    blocks = layers * _block(width, float(options.get("mlp_ratio", 4)))
    return first + blocks + 2 * width + width * embedding


def _block(width: int, ratio: float) -> int:
    """Attention, two norms and two layers of a block, with their biases."""
    inner = int(width * ratio)
    return 4 * width**2 + 4 * width + 4 * width + 2 * width * inner + inner + width


def _resnet(options: dict[str, Any], embedding: int) -> int:
    """A stem of three convolutions, four stages of bottlenecks, and attention over places."""
    width = int(options.get("width", 64))
    half = width // 2
    count = 9 * (3 * half + half**2 + half * width) + 2 * (2 * half + width)
    before = width
    for stage, blocks in enumerate(options["layers"]):
        inner = width * 2**stage
        for _ in range(blocks):
            count += _bottleneck(before, inner, first=before != 4 * inner)
            before = 4 * inner
    places = (int(options.get("image_size", 224)) // 32) ** 2 + 1
    return count + places * before + 3 * (before**2 + before) + (before + 1) * embedding


def _bottleneck(before: int, inner: int, first: bool) -> int:
    """Three convolutions and their norms; the first of a stage also has a projection of what it gets."""
    after = 4 * inner
    layers = before * inner + 9 * inner**2 + inner * after + 2 * (2 * inner + after)
    return layers + (before * after + 2 * after if first else 0)
