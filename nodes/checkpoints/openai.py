"""OpenAI's layouts: GLIDE and guided-diffusion options as configurations, and their state-dict keys as ours."""

from dataclasses import replace
from typing import Any

from nodes.checkpoints.keymap import KeyMap, Table, under
from nodes.checkpoints.openai_options import (
    ADM,
    ADM_UPSAMPLER,
    CLASSIFIER,
    CLASSIFIER_NETWORK,
    CLIP,
    GLIDE,
    UNET_NETWORK,
)
from nodes.checkpoints.options import Options, UnknownConfig, flag
from nodes.networks.config import (
    ClassifierConfig,
    LowResolution,
    NoisedClipConfig,
    Pool,
    TextConfig,
    TrainedFor,
    UNetConfig,
)

_LAYERS: Table = {
    "in_layers.0.": "norm_in.",
    "in_layers.2.": "conv_in.",
    "emb_layers.1.": "embedding.",
    "out_layers.0.": "norm_out.",
    "out_layers.3.": "conv_out.",
    "skip_connection.": "skip.",
    "norm.": "norm.",
    "qkv.": "qkv.",
    "encoder_kv.": "context_kv.",
    "proj_out.": "proj.",
    "op.": "strided.",
    "conv.": "conv.",
    "weight": "weight",
    "bias": "bias",
}
_ENCODER: Table = {
    "time_embed.": "time.",
    "label_emb.": "label_embedding.",
    **under("input_blocks.#.#.", "inputs.#.#.", _LAYERS),
    **under("middle_block.#.", "middle.#.", _LAYERS),
}
UNET: Table = {
    **_ENCODER,
    **under("output_blocks.#.#.", "outputs.#.#.", _LAYERS),
    "out.0.": "out_norm.",
    "out.2.": "out_conv.",
}
TEXT_BLOCK: Table = {
    "attn.c_qkv.": "qkv.",
    "attn.c_proj.": "proj.",
    "ln_1.": "norm_attention.",
    "ln_2.": "norm_mlp.",
    "mlp.c_fc.": "widen.",
    "mlp.c_proj.": "narrow.",
}
_TEXT: Table = {
    **under("transformer.resblocks.#.", "text.blocks.#.", TEXT_BLOCK),
    "final_ln.": "text.final_norm.",
    "token_embedding.": "text.token_embedding.",
    "positional_embedding": "text.positional_embedding",
    "padding_embedding": "text.padding_embedding",
    "transformer_proj.": "text.proj.",
}
_CLASSIFIER: Table = {
    **_ENCODER,
    "out.": "head.",
    "out.#.qkv_proj.": "head.#.pool_qkv.",
    "out.#.c_proj.": "head.#.pool_proj.",
}
_NORM: Table = {"g": "weight", "b": "bias"}
_LINEAR: Table = {"w": "weight", "b": "bias"}
_CLIP_BLOCK: Table = {
    **under("f_attn.ln.", "norm_attention.", _NORM),
    **under("f_mlp.ln.", "norm_mlp.", _NORM),
    **under("f_attn.f_q.", "query.", _LINEAR),
    **under("f_attn.f_k.", "key.", _LINEAR),
    **under("f_attn.f_v.", "value.", _LINEAR),
    **under("f_attn.f_c.", "proj.", _LINEAR),
    **under("f_mlp.f_1.", "widen.", _LINEAR),
    **under("f_mlp.f_2.", "narrow.", _LINEAR),
}
_CLIP: Table = {
    **under("blocks.block_#.", "blocks.#.", _CLIP_BLOCK),
    **under("blocks.input.ln.", "first_norm.", _NORM),
    **under("blocks.output.ln.", "final_norm.", _NORM),
    **under("blocks.output.f.", "proj.", _LINEAR),
    "blocks.input.w_voc": "token_embedding.weight",
    "blocks.input.w_pos": "positional_embedding",
    "blocks.input.w_t": "time_embedding.weight",
    "blocks.input.pred_state": "class_embedding",
    "blocks.input.patch_proj": "patches.weight",
}
UNET_KEYS = KeyMap({**UNET, **_TEXT})
CLASSIFIER_KEYS = KeyMap(_CLASSIFIER)
CLIP_KEYS = KeyMap(_CLIP)
"""Of either of CLIP's encoders, which are two state dicts."""
_DEFAULT_MULTIPLIERS: dict[int, tuple[float, ...]] = {
    512: (0.5, 1, 1, 2, 2, 4, 4),
    256: (1, 1, 2, 2, 4, 4),
    128: (1, 1, 2, 3, 4),
    64: (1, 2, 3, 4),
}
_SCHEDULES = {"linear": "linear", "squaredcos_cap_v2": "cosine", "cosine": "cosine"}


def glide_config(options: Options) -> UNetConfig:
    """Configuration of a GLIDE network from the options of its published model factory. Raises UnknownConfig."""
    GLIDE.check(options)
    size = int(options["image_size"])
    return UNetConfig(
        text=_glide_text(options),
        low_resolution=flag(options, "super_res"),
        known_pixels=flag(options, "inpaint"),
        trained=_trained(options, learned=True),
        dropout=float(options["dropout"]),
        **backbone(options, size),
    )


def adm_config(options: Options, low_resolution: bool = False) -> UNetConfig:
    """Configuration of a guided-diffusion network from its published flags; an upsampler's size is `large_size`.

    Raises UnknownConfig.
    """
    (ADM_UPSAMPLER if low_resolution else ADM).check(options)
    size = int(options["large_size" if low_resolution else "image_size"])
    if low_resolution and size == 512 and not options.get("channel_mult"):
        options = {**options, "channel_mult": "1,1,2,2,4,4"}
    new_order = flag(options, "use_new_attention_order", False)
    return UNetConfig(
        classes=1000 if flag(options, "class_cond") else None,
        low_resolution=low_resolution,
        low_resolution_as=LowResolution(factor=_factor(size, options.get("small_size"))),
        qkv_order="qkv_major" if new_order else "head_major",
        trained=_trained(options, learned=flag(options, "learn_sigma")),
        dropout=float(options["dropout"]),
        **backbone(options, size),
    )


def _factor(large: int, small: int | None) -> int:
    """How many times smaller a low-resolution picture is."""
    if small is None:
        return LowResolution().factor
    if large % int(small):
        raise UnknownConfig(f"small_size is {small}, which does not divide large_size, {large}")
    return large // int(small)


def classifier_config(options: Options) -> ClassifierConfig:
    """Configuration of a guided-diffusion classifier: its published flags, or the arguments of the network itself.

    Raises UnknownConfig.
    """
    if "classifier_width" not in options:
        CLASSIFIER_NETWORK.check(options)
        trunk = replace(_trunk(options), trained=_known_noise(options, "linear"))
        return ClassifierConfig(trunk, int(options["out_channels"]), _pool(options))
    CLASSIFIER.check(options)
    size = int(options["image_size"])
    trunk = UNetConfig(
        image_size=size,
        model_channels=int(options["classifier_width"]),
        multipliers=_multipliers(None, size),
        blocks=int(options["classifier_depth"]),
        attention=_factors(options["classifier_attention_resolutions"], size),
        head_channels=64,
        scale_shift_norm=flag(options, "classifier_use_scale_shift_norm"),
        resample_in_blocks=flag(options, "classifier_resblock_updown"),
        resample_convolutions=flag(options, "conv_resample", True),
        rescaled_timesteps=flag(options, "rescale_timesteps", False),
        trained=_known_noise(options, "cosine" if size == 64 else "linear"),
    )
    return ClassifierConfig(trunk, 1000, options["classifier_pool"])


def _known_noise(options: Options, published: str) -> TrainedFor:
    """The chain whose noise a classifier knows: the published one of its size where the options do not name it."""
    return TrainedFor(
        schedule=_schedule(options.get("noise_schedule", published)),
        train_steps=int(options.get("diffusion_steps", 1000)),
    )


def _pool(options: Options) -> Pool:
    """The pool of a classifier's network. Raises UnknownConfig for attention without a width of its heads."""
    pool = options.get("pool", "adaptive")
    if pool == "attention" and _positive(options.get("num_head_channels", -1)) is None:
        raise UnknownConfig("num_head_channels is -1; a pool by attention needs their width")
    return pool


def _trunk(options: Options) -> UNetConfig:
    return UNetConfig(
        image_size=int(options["image_size"]),
        channels=int(options["in_channels"]),
        model_channels=int(options["model_channels"]),
        multipliers=tuple(options.get("channel_mult", (1, 2, 4, 8))),
        blocks=int(options["num_res_blocks"]),
        attention=tuple(options["attention_resolutions"]),
        heads=int(options.get("num_heads", 1)),
        heads_upsample=_positive(options.get("num_heads_upsample", -1)),
        head_channels=_positive(options.get("num_head_channels", -1)),
        scale_shift_norm=flag(options, "use_scale_shift_norm", False),
        resample_in_blocks=flag(options, "resblock_updown", False),
        resample_convolutions=flag(options, "conv_resample", True),
        qkv_order="qkv_major" if flag(options, "use_new_attention_order", False) else "head_major",
        classes=options.get("num_classes"),
        dropout=float(options.get("dropout", 0)),
        trained=TrainedFor(learned_variance=options["out_channels"] == 2 * options["in_channels"]),
    )


def unet_config(options: Options) -> UNetConfig:
    """Configuration of a guided-diffusion UNet from the arguments of the network itself. Raises UnknownConfig."""
    UNET_NETWORK.check(options)
    inputs, outputs = int(options["in_channels"]), int(options["out_channels"])
    if outputs not in (inputs, 2 * inputs):
        raise UnknownConfig(
            f"out_channels is {outputs} with in_channels {inputs}; neither as many nor twice"
        )
    return _trunk(options)


def clip_config(options: Options) -> NoisedClipConfig:
    """Configuration of GLIDE's CLIP from its published file. Raises UnknownConfig."""
    CLIP.check(options)
    return NoisedClipConfig(
        image_size=int(options["image_size"]),
        patch_size=int(options["patch_size"]),
        embedding_width=int(options["n_embd"]),
        train_steps=int(options["n_timesteps"]),
        schedule=_schedule(options["beta_schedule"]),
        logit_scale=float(options["logit_scale"]),
        vocabulary=int(options["n_vocab"]),
        context=int(options["max_text_len"]),
        text_heads=int(options["n_head_text"]),
        text_head_width=int(options["n_head_state_text"]),
        text_layers=int(options["n_xf_blocks_text"]),
        image_heads=int(options["n_head_image"]),
        image_head_width=int(options["n_head_state_image"]),
        image_layers=int(options["n_xf_blocks_image"]),
    )


def _glide_text(options: Options) -> TextConfig | None:
    if not options["xf_width"]:
        return None
    return TextConfig(
        context=int(options["text_ctx"]),
        width=int(options["xf_width"]),
        layers=int(options["xf_layers"]),
        heads=int(options["xf_heads"]),
        final_norm=flag(options, "xf_final_ln"),
        padding=flag(options, "xf_padding"),
    )


def _trained(options: Options, learned: bool) -> TrainedFor:
    return TrainedFor(
        parametrisation="x0" if flag(options, "predict_xstart", False) else "eps",
        learned_variance=learned,
        fixed_variance="fixed_small" if flag(options, "sigma_small", False) else "fixed_large",
        schedule=_schedule(options["noise_schedule"]),
        train_steps=int(options["diffusion_steps"]),
        respacing=_respacing(options.get("timestep_respacing", "")),
    )


def _respacing(given: Any) -> str:
    """The steps that a network is sampled in; the factories take a list too."""
    return ",".join(map(str, given)) if isinstance(given, list | tuple) else str(given)


def _schedule(name: Any) -> str:
    if name not in _SCHEDULES:
        raise UnknownConfig(f"the schedule is {name!r}; there are {', '.join(_SCHEDULES)}")
    return _SCHEDULES[name]


def backbone(options: Options, size: int) -> dict[str, Any]:
    """What the networks of all these layouts have in common, as arguments of a UNetConfig."""
    return {
        "image_size": size,
        "model_channels": int(options["num_channels"]),
        "multipliers": _multipliers(options.get("channel_mult"), size),
        "blocks": int(options["num_res_blocks"]),
        "attention": _factors(options["attention_resolutions"], size),
        "heads": int(options["num_heads"]),
        "heads_upsample": _positive(options["num_heads_upsample"]),
        "head_channels": _positive(options["num_head_channels"]),
        "scale_shift_norm": flag(options, "use_scale_shift_norm"),
        "resample_in_blocks": flag(options, "resblock_updown"),
        "resample_convolutions": flag(options, "conv_resample", True),
        "rescaled_timesteps": flag(options, "rescale_timesteps", False),
    }


def _factors(resolutions: Any, size: int) -> tuple[int, ...]:
    """`32,16,8` pixels as downsampling factors of a size."""
    return tuple(size // int(r) for r in str(resolutions).split(","))


def _positive(value: Any) -> int | None:
    return int(value) if int(value) > 0 else None


def _multipliers(given: Any, size: int) -> tuple[float, ...]:
    if given:
        parts = given if isinstance(given, list | tuple) else str(given).split(",")
        return tuple(float(m) for m in parts)
    if size not in _DEFAULT_MULTIPLIERS:
        raise ValueError(
            f"no default channel multipliers for {size} px; there are {sorted(_DEFAULT_MULTIPLIERS)}"
        )
    return _DEFAULT_MULTIPLIERS[size]
