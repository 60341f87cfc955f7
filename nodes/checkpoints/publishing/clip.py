"""Configurations of CLIPs as the options of transformers: what `transformers_clip` reads, written.

They are proposals: of what the options cannot say they say nothing, and reading them again tells that.
"""

from collections.abc import Mapping
from typing import Any

from nodes.checkpoints.options import Options
from nodes.networks.bpe import CLIP_SPECIALS
from nodes.networks.config import ClipConfig

TEXT: Options = {
    "context_length": 77,
    "vocab_size": 49_408,
    "width": 512,
    "heads": 8,
    "layers": 12,
    "mlp_ratio": 4.0,
}
IMAGE: Options = {
    "image_size": 224,
    "patch_size": 16,
    "width": 768,
    "head_width": 64,
    "layers": 12,
    "mlp_ratio": 4.0,
}
"""What open_clip takes for options of the towers that an architecture leaves out."""
START, END = CLIP_SPECIALS


def clip_options(config: ClipConfig) -> Options:
    """A CLIP with the towers that it has, and how it reads texts and sees pictures. Raises ValueError for a ResNet."""
    towers: dict[str, Any] = {}
    if config.text is not None:
        towers["text_encoder"] = _text(config)
        towers["tokenizer"] = _tokenizer(config)
    if config.image is not None:
        towers["image_encoder"] = _image(config)
        towers["processor"] = _processor(config)
    space = {"space": config.space} if config.space else {}
    return {**towers, **space}


def _text(config: ClipConfig) -> dict[str, Any]:
    text = {**TEXT, **(config.text or {})}
    return {
        "architectures": ["CLIPTextModelWithProjection"],
        "model_type": "clip_text_model",
        # Whatever its number: the end of a text is its largest token, there too where 2 is said.
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
        **_tower(config, text, text["heads"]),
        "max_position_embeddings": text["context_length"],
        "vocab_size": text["vocab_size"],
    }


def _image(config: ClipConfig) -> dict[str, Any]:
    image = {**IMAGE, **(config.image or {})}
    if not isinstance(image["layers"], int):
        raise ValueError("an image tower that is a ResNet")
    return {
        "architectures": ["CLIPVisionModelWithProjection"],
        "model_type": "clip_vision_model",
        **_tower(config, image, image["width"] // image["head_width"]),
        "image_size": image["image_size"],
        "num_channels": 3,
        "patch_size": image["patch_size"],
    }


def _tower(config: ClipConfig, options: Mapping[str, Any], heads: int) -> dict[str, Any]:
    return {
        "hidden_act": "quick_gelu" if config.quick_gelu else "gelu",
        "hidden_size": options["width"],
        "intermediate_size": int(options["width"] * options["mlp_ratio"]),
        "layer_norm_eps": 1e-05,
        "num_attention_heads": heads,
        "num_hidden_layers": options["layers"],
        "projection_dim": config.embedding,
        # What a tower is loaded as whatever its file holds: diffusers loads the networks beside it in float32.
        "torch_dtype": "float32",
    }


def _tokenizer(config: ClipConfig) -> dict[str, Any]:
    """Of a padding symbol the reader makes the same again only with a vocabulary beside it."""
    return {
        "add_prefix_space": False,
        "bos_token": START,
        "do_lower_case": True,
        "eos_token": END,
        "errors": "replace",
        "model_max_length": config.context,
        "pad_token": config.tokenizer.padding,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": END,
    }


def _processor(config: ClipConfig) -> dict[str, Any]:
    size, pictures = config.image_size, config.pictures
    square = {"height": size, "width": size}
    return {
        "crop_size": square,
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(config.means),
        "image_processor_type": "CLIPImageProcessor",
        "image_std": list(config.deviations),
        "resample": 2 if pictures.interpolation == "bilinear" else 3,
        "rescale_factor": 1 / 255,
        "size": square if pictures.resize_mode == "squash" else {"shortest_edge": size},
    }
