"""CLIPs as transformers keeps them: configurations of both towers, and their keys as those of open_clip's modules."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from nodes.checkpoints.keymap import KeyMap, Table, parts, under
from nodes.checkpoints.options import Known, UnknownConfig
from nodes.networks.bpe import CLIP_SPECIALS
from nodes.networks.config import ClipConfig, ClipTokenizerConfig

if TYPE_CHECKING:  # the options are read without torch
    from torch import Tensor


Options = Mapping[str, Any]

_BLOCK: Table = {
    "layer_norm1.": "ln_1.",
    "layer_norm2.": "ln_2.",
    "mlp.fc1.": "mlp.c_fc.",
    "mlp.fc2.": "mlp.c_proj.",
    "self_attn.out_proj.": "attn.out_proj.",
    **{
        theirs: part
        for kind in ("weight", "bias")
        for theirs, part in parts(
            f"attn.in_proj_{kind}", *(f"self_attn.{n}_proj.{kind}" for n in "qkv")
        ).items()
    },
}
KEYS = KeyMap(
    {
        "text_model.embeddings.token_embedding.": "text.token_embedding.",
        "text_model.embeddings.position_embedding.weight": "text.positional_embedding",
        "text_model.final_layer_norm.": "text.ln_final.",
        "text_projection.weight": "text.text_projection",
        "text_model.embeddings.position_ids": None,
        **under("text_model.encoder.layers.#.", "text.transformer.resblocks.#.", _BLOCK),
        "vision_model.embeddings.class_embedding": "image.class_embedding",
        "vision_model.embeddings.patch_embedding.": "image.conv1.",
        "vision_model.embeddings.position_embedding.weight": "image.positional_embedding",
        "vision_model.pre_layrnorm.": "image.ln_pre.",
        "vision_model.post_layernorm.": "image.ln_post.",
        "visual_projection.weight": "image.proj",
        "vision_model.embeddings.position_ids": None,
        **under("vision_model.encoder.layers.#.", "image.transformer.resblocks.#.", _BLOCK),
    }
)
START, END = CLIP_SPECIALS
_BILINEAR, _BICUBIC = 2, 3
"""As Pillow numbers its filters."""
_PROCESSOR: Options = {
    "do_resize": True,
    "size": {"shortest_edge": 224},
    "resample": _BICUBIC,
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 224},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": ClipConfig().means,
    "image_std": ClipConfig().deviations,
}
"""What a CLIP's feature extractor does where its file does not say it."""
_EXTRACTOR = Known(
    "the feature extractor",
    read=("size", "crop_size", "image_mean", "image_std"),
    # The kind of a picture is settled before a graph sees it.
    free=("do_convert_rgb", "feature_extractor_type", "image_processor_type", "use_square_size"),
    fixed={
        "do_resize": (True,),
        "resample": (_BICUBIC, _BILINEAR),
        "do_center_crop": (True,),
        "do_rescale": (True,),
        "rescale_factor": (1 / 255,),
        "do_normalize": (True,),
    },
)
_GENERIC = (
    "architectures",
    "attention_dropout",
    "dropout",
    "dtype",
    "initializer_factor",
    "initializer_range",
    "torch_dtype",
    "transformers_version",
    "bos_token_id",
    "pad_token_id",
    "use_cache",
    "return_dict",
    "chunk_size_feed_forward",
    "id2label",
    "label2id",
    "max_length",
    "tie_word_embeddings",
)
"""What transformers writes of every model: it changes no number of a run."""
_TOWER = (
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_hidden_layers",
    "projection_dim",
    "hidden_act",
)
_TEXT_OPTIONS = Known(
    "the text encoder",
    read=(*_TOWER, "max_position_embeddings", "vocab_size", "eos_token_id"),
    free=_GENERIC,
    fixed={"model_type": ("clip_text_model",), "layer_norm_eps": (1e-5,)},
)
_IMAGE_OPTIONS = Known(
    "the image encoder",
    read=(*_TOWER, "image_size", "patch_size"),
    free=_GENERIC,
    fixed={"model_type": ("clip_vision_model",), "layer_norm_eps": (1e-5,), "num_channels": (3,)},
)
_TOKENIZER = Known(
    "the tokenizer",
    read=("pad_token", "model_max_length", "bos_token", "eos_token"),
    free=(
        "added_tokens_decoder",
        "additional_special_tokens",
        "backend",
        "clean_up_tokenization_spaces",
        "errors",
        "extra_special_tokens",
        "is_local",
        "max_length",
        "name_or_path",
        "pad_to_multiple_of",
        "processor_class",
        "special_tokens_map_file",
        "stride",
        "tokenizer_class",
        "truncation_side",
        "truncation_strategy",
        "unk_token",
    ),
    fixed={
        "do_lower_case": (True,),
        "add_prefix_space": (False,),
        "padding_side": ("right",),
    },
)
_VOCABULARY = 49_408
"""Tokens of CLIP's own vocabulary."""
_TRANSPOSED = ("text.text_projection", "image.proj")


def clip_config(
    text: Options | None,
    image: Options | None,
    processor: Options | None = None,
    tokenizer: ClipTokenizerConfig | None = None,
    space: str = "",
) -> ClipConfig:
    """Configuration of a CLIP of which one tower may be missing. Raises UnknownConfig."""
    for known, tower in ((_TEXT_OPTIONS, text), (_IMAGE_OPTIONS, image)):
        known.check(tower or {})
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
    return found if processor is None else _with_processor(found, processor)


def tokenizer_config(
    options: Options | None, folder: str | None, text: Options | None
) -> ClipTokenizerConfig | None:
    """How a folder's tokenizer reads; None without a tokenizer, whose vocabulary then is CLIP's. Raises UnknownConfig."""
    if folder is None:
        if text is not None and int(text["vocab_size"]) != _VOCABULARY:
            raise UnknownConfig(
                f"a text encoder of {text['vocab_size']} tokens without a tokenizer"
            )
        return None
    options = options or {}
    _TOKENIZER.check(options)
    for name, token in (("bos_token", START), ("eos_token", END)):
        if (given := _content(options.get(name)) or token) != token:
            raise UnknownConfig(f"{name} is {given!r}; the tokenizers here know {token!r}")
    context, most = options.get("model_max_length"), (text or {}).get("max_position_embeddings")
    if context is not None and most is not None and context < most:
        raise UnknownConfig(
            f"model_max_length is {context}, less than the {most} tokens of the CLIP"
        )
    padding = _content(options.get("pad_token")) or END
    return ClipTokenizerConfig("folder", folder, padding=padding)


def _content(token: Any) -> str | None:
    """A special token, which may be written with what is known of it."""
    return token.get("content") if isinstance(token, Mapping) else token


def _with_processor(config: ClipConfig, processor: Options) -> ClipConfig:
    """Raises UnknownConfig for a processor whose pictures are another square than the CLIP's, or are not resized so."""
    _EXTRACTOR.check(processor)
    given = {**_PROCESSOR, **processor}
    if _sides(given["crop_size"]) != {config.image_size}:
        raise UnknownConfig(
            f"pictures cut to {given['crop_size']} for a CLIP of {config.image_size} px"
        )
    pictures = replace(
        config.pictures,
        resize_mode=_resize_mode(given["size"], config.image_size),
        interpolation="bilinear" if given["resample"] == _BILINEAR else "bicubic",
    )
    means, deviations = tuple(given["image_mean"]), tuple(given["image_std"])
    return replace(config, means=means, deviations=deviations, pictures=pictures)


def _resize_mode(size: int | Mapping[str, int], wanted: int) -> Literal["shortest", "squash"]:
    if _sides(size) != {wanted}:
        raise UnknownConfig(f"pictures resized to {size} for a CLIP of {wanted} px")
    return "squash" if isinstance(size, Mapping) and "height" in size else "shortest"


def _sides(size: int | Mapping[str, int]) -> set[int]:
    return {int(side) for side in (size.values() if isinstance(size, Mapping) else [size])}


def _text(options: Options) -> dict[str, Any]:
    width, end = int(options["hidden_size"]), options.get("eos_token_id", 2)
    if end not in (2, int(options["vocab_size"]) - 1):
        raise UnknownConfig(f"eos_token_id is {end}; the end of a text is the largest token here")
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


def clip_to_ours(*files: Mapping[str, "Tensor"]) -> dict[str, "Tensor"]:
    """The state dicts of the towers under our names. Raises ValueError for keys that have no place."""
    found = {k: v for file in files for k, v in KEYS.ours(file).items()}
    return {k: v.T if k in _TRANSPOSED else v for k, v in found.items()}


def clip_to_theirs(state_dict: Mapping[str, "Tensor"]) -> list[dict[str, "Tensor"]]:
    """A state dict of ours as those of the towers that are there, the text's first."""
    flat = {k: v.T if k in _TRANSPOSED else v for k, v in state_dict.items()}
    towers = (
        {k: v for k, v in flat.items() if k.startswith(tower)} for tower in ("text.", "image.")
    )
    return [KEYS.split(tower) for tower in towers if tower]
