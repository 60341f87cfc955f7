"""What of a configuration counts: nothing of parts that it has not, and one value for each meaning."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from nodes.checkpoints.publishing.clip import IMAGE, TEXT
from nodes.networks.config import ClipConfig, PriorConfig, UNetConfig

Options = dict[str, Any]


def counting(config: Any) -> Options:
    """The options of a configuration, alike for all that build one network and use it alike."""
    found = asdict(config)
    settle = _SETTLED.get(type(config))
    return found if settle is None else {**found, **settle(config, found)}


def _of_unet(config: UNetConfig, found: Options) -> Options:
    levels = {2**level for level in range(len(config.multipliers))}
    trained = config.trained
    chain = dict(found["trained"])
    if trained.learned_variance:
        chain["fixed_variance"] = None
    return {
        **_attention(config, bool(levels & {*config.attention})),
        "attention": sorted(levels & {*config.attention}),
        "multipliers": [float(multiplier) for multiplier in config.multipliers],
        "low_resolution_as": found["low_resolution_as"] if config.low_resolution else None,
        "resample_convolutions": config.resample_convolutions or config.resample_in_blocks,
        "rescaled_timesteps": config.rescaled_timesteps and trained.train_steps != 1000,
        "trained": chain,
    }


def _attention(config: UNetConfig, at_levels: bool) -> Options:
    """A number of heads counts where the channels of a head are not given, and neither does without attention."""
    if not at_levels and not config.middle_attention:
        return dict.fromkeys(("heads", "heads_upsample", "head_channels", "qkv_order"))
    if config.head_channels:
        return dict.fromkeys(("heads", "heads_upsample"))
    return {"heads_upsample": config.heads_upsample or config.heads}


def _of_prior(config: PriorConfig, found: Options) -> Options:
    return {
        "text_width": (config.text_width or config.embedding) if config.reads_text else None,
        "condition": config.condition or config.embedding,
        "output": config.output_width,
        "time_width": config.time_width or config.width,
    }


def _of_clip(config: ClipConfig, found: Options) -> Options:
    pictures = dict(found["pictures"])
    if config.pictures.resize_mode != "longest":
        pictures["fill"] = None
    seen = {"image": {**IMAGE, **(config.image or {})}, "pictures": pictures}
    read = {"text": {**TEXT, **(config.text or {})}, "tokenizer": found["tokenizer"]}
    return {
        **(dict.fromkeys((*seen, "means", "deviations")) if config.image is None else seen),
        **(dict.fromkeys(read) if config.text is None else read),
    }


_SETTLED: Mapping[type, Callable[[Any, Options], Options]] = {
    UNetConfig: _of_unet,
    PriorConfig: _of_prior,
    ClipConfig: _of_clip,
}
