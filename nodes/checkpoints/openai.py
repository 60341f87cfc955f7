"""OpenAI's layouts: GLIDE and guided-diffusion options as configurations, and their state-dict keys as ours."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from nodes.networks.config import TextConfig, TrainedFor, UNetConfig

# (theirs, ours), each pair a stretch of a key that stands for the same thing.
_UNET = (
    ("time_embed.", "time."),
    ("label_emb.", "label_embedding."),
    ("input_blocks.", "inputs."),
    ("middle_block.", "middle."),
    ("output_blocks.", "outputs."),
    (".in_layers.0.", ".norm_in."),
    (".in_layers.2.", ".conv_in."),
    (".emb_layers.1.", ".embedding."),
    (".out_layers.0.", ".norm_out."),
    (".out_layers.3.", ".conv_out."),
    ("out.0.", "out_norm."),
    ("out.2.", "out_conv."),
    (".skip_connection.", ".skip."),
    (".proj_out.", ".proj."),
    (".encoder_kv.", ".context_kv."),
    (".op.", ".strided."),
)
_TEXT = (
    ("transformer.resblocks.", "text.blocks."),
    (".attn.c_qkv.", ".qkv."),
    (".attn.c_proj.", ".proj."),
    (".ln_1.", ".norm_attention."),
    (".ln_2.", ".norm_mlp."),
    (".mlp.c_fc.", ".widen."),
    (".mlp.c_proj.", ".narrow."),
    ("final_ln.", "text.final_norm."),
    ("token_embedding.", "text.token_embedding."),
    ("positional_embedding", "text.positional_embedding"),
    ("padding_embedding", "text.padding_embedding"),
    ("transformer_proj.", "text.proj."),
)
_TEXT_STARTS = tuple(theirs for theirs, _ in _TEXT if not theirs.startswith("."))
_DEFAULT_MULTIPLIERS: dict[int, tuple[float, ...]] = {
    512: (0.5, 1, 1, 2, 2, 4, 4),
    256: (1, 1, 2, 2, 4, 4),
    128: (1, 1, 2, 3, 4),
    64: (1, 2, 3, 4),
}
_SCHEDULES = {"linear": "linear", "squaredcos_cap_v2": "cosine", "cosine": "cosine"}


def our_key(key: str) -> str:
    """Our name of a parameter of OpenAI's UNets."""
    for theirs, ours in _TEXT if key.startswith(_TEXT_STARTS) else _UNET:
        key = _replaced(key, theirs, ours)
    return key


def openai_key(key: str) -> str:
    """OpenAI's name of a parameter of our UNet."""
    pairs = _TEXT if key.startswith("text.") else _UNET
    for theirs, ours in sorted(pairs, key=lambda pair: pair[1].startswith(".")):
        key = _replaced(key, ours, theirs)
    return key


def _replaced(key: str, old: str, new: str) -> str:
    """A stretch that starts with a dot may stand anywhere in a key, another only at its start."""
    if old.startswith("."):
        return key.replace(old, new)
    return new + key.removeprefix(old) if key.startswith(old) else key


def to_ours(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An OpenAI state dict under our names. Raises ValueError where two keys meet."""
    renamed = {our_key(key): value for key, value in state_dict.items()}
    if len(renamed) != len(state_dict):
        raise ValueError(
            "two keys of the checkpoint have the same meaning; it is not an OpenAI UNet"
        )
    return renamed


def glide_config(options: Mapping[str, Any]) -> UNetConfig:
    """Configuration of a GLIDE network from the options of its published model factory."""
    size = int(options["image_size"])
    return UNetConfig(
        text=_glide_text(options),
        low_resolution=bool(options["super_res"]),
        known_pixels=bool(options["inpaint"]),
        trained=_trained(options, learned=True),
        dropout=float(options["dropout"]),
        **_backbone(options, size),
    )


def adm_config(options: Mapping[str, Any], low_resolution: bool = False) -> UNetConfig:
    """Configuration of a guided-diffusion network from its published flags; an upsampler's size is `large_size`."""
    size = int(options["large_size" if low_resolution else "image_size"])
    return UNetConfig(
        classes=1000 if options["class_cond"] else None,
        low_resolution=low_resolution,
        qkv_order="qkv_major" if options.get("use_new_attention_order") else "head_major",
        trained=_trained(options, learned=bool(options["learn_sigma"])),
        dropout=float(options["dropout"]),
        **_backbone(options, size),
    )


def _glide_text(options: Mapping[str, Any]) -> TextConfig | None:
    if not options["xf_width"]:
        return None
    return TextConfig(
        context=int(options["text_ctx"]),
        width=int(options["xf_width"]),
        layers=int(options["xf_layers"]),
        heads=int(options["xf_heads"]),
        final_norm=bool(options["xf_final_ln"]),
        padding=bool(options["xf_padding"]),
    )


def _trained(options: Mapping[str, Any], learned: bool) -> TrainedFor:
    return TrainedFor(
        parametrisation="x0" if options.get("predict_xstart") else "eps",
        learned_variance=learned,
        fixed_variance="fixed_large",
        schedule=_SCHEDULES[str(options["noise_schedule"])],
        train_steps=int(options["diffusion_steps"]),
    )


def _backbone(options: Mapping[str, Any], size: int) -> dict[str, Any]:
    resolutions = [int(r) for r in str(options["attention_resolutions"]).split(",")]
    return {
        "image_size": size,
        "model_channels": int(options["num_channels"]),
        "multipliers": _multipliers(options.get("channel_mult"), size),
        "blocks": int(options["num_res_blocks"]),
        "attention": tuple(size // r for r in resolutions),
        "heads": int(options["num_heads"]),
        "heads_upsample": _positive(options["num_heads_upsample"]),
        "head_channels": _positive(options["num_head_channels"]),
        "scale_shift_norm": bool(options["use_scale_shift_norm"]),
        "resample_in_blocks": bool(options["resblock_updown"]),
    }


def _positive(value: Any) -> int | None:
    return int(value) if int(value) > 0 else None


def _multipliers(given: Any, size: int) -> tuple[float, ...]:
    if given:
        return tuple(float(m) for m in str(given).split(","))
    if size not in _DEFAULT_MULTIPLIERS:
        raise ValueError(
            f"no default channel multipliers for {size} px; there are {sorted(_DEFAULT_MULTIPLIERS)}"
        )
    return _DEFAULT_MULTIPLIERS[size]
