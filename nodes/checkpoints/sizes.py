"""Whether a configuration can be of a network at all: it is looked at before anything is built of it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, cast

Range = tuple[float, float]

WIDEST, LONGEST = 2**24, 4096
"""The largest number that an option may be, and how many numbers it may hold."""
PIXELS = 2**27
"""Numbers of the largest picture that a network may be of."""
_LAYERS: Range = (1, 512)
_WIDTH: Range = (1, 2**16)
_HEADS: Range = (1, 2**12)
_SIDE: Range = (1, 2**13)
RANGES: Mapping[str, Range] = {
    **dict.fromkeys(("layers", "text_layers", "image_layers"), _LAYERS),
    "blocks": (0, 64),
    **dict.fromkeys(("width", "text_width", "model_channels", "embedding", "condition"), _WIDTH),
    **dict.fromkeys(("output", "time_width", "embedding_width", "head_width"), _WIDTH),
    **dict.fromkeys(("text_head_width", "image_head_width", "head_channels"), _WIDTH),
    **dict.fromkeys(("heads", "text_heads", "image_heads", "heads_upsample", "groups"), _HEADS),
    **dict.fromkeys(("image_size", "patch_size"), _SIDE),
    **dict.fromkeys(("context", "tokens", "positions", "context_length"), (1, 2**16)),
    **dict.fromkeys(("components", "buckets", "levels"), (1, 2**16)),
    "extra_tokens": (0, 2**10),
    **dict.fromkeys(("image_tokens", "text_tokens", "time_tokens"), (1, 2**10)),
    **dict.fromkeys(("vocabulary", "vocab_size", "classes"), (1, WIDEST)),
    "channels": (1, 2**10),
    "fold": (1, 64),
    "factor": (1, 2**10),
    "widening": (1, 64),
    "multipliers": (2**-10, 2**10),
    "attention": (1, 2**13),
    "mlp_ratio": (2**-10, 64),
    "dropout": (0, 1),
    "train_steps": (0, 100_000),
    "steps": (1, 100_000),
    "x0_bound": (1e-6, float("inf")),
    "deviations": (1e-6, WIDEST),
}
"""The smallest and the largest value of an option, by its name in any configuration."""
SHARED = ("heads", "heads_upsample")
"""Options that published configurations give as -1 where the channels of a head are given instead."""
COUNTS: Mapping[str, Range] = {"multipliers": (1, 16), "attention": (0, 16), "layers": (1, 16)}
"""How many numbers an option that is a list may hold."""


TOKENS: Mapping[str, int] = {"glide_bpe": 50_257}
"""How many tokens a tokenizer gives, by its kind."""


class NoNetwork(ValueError):
    """A configuration that describes no network: names the option."""


def plausible(config: Any) -> None:
    """Raises NoNetwork where an option of a configuration, or of a part of it, is of a size that no network has."""
    for name, value in _options(config):
        if isinstance(config, Mapping) and name in RANGES:
            _required(name, value)
        if not (name in SHARED and value == -1 and getattr(config, "head_channels", None)):
            _option(name, value)
    _vocabulary(config)
    size, channels = getattr(config, "image_size", 0), getattr(config, "channels", 3)
    if channels * size**2 > PIXELS:
        raise NoNetwork(f"pictures of {channels} × {size} × {size} numbers are larger than any")


def _vocabulary(config: Any) -> None:
    """A network that reads words knows as many tokens as its tokenizer gives."""
    tokenizer = getattr(config, "tokenizer", config)
    words: tuple[str, ...] = getattr(tokenizer, "words", ())
    options = getattr(config, "text", None)
    rows = getattr(config, "vocabulary", None)
    if isinstance(options, Mapping):
        rows = cast("Mapping[str, Any]", options).get("vocab_size")
    needed = len(words) + 2 if words else TOKENS.get(getattr(tokenizer, "kind", "words"), 0)
    if isinstance(rows, int) and rows < needed:
        raise NoNetwork(f"a vocabulary of {rows} tokens is too small for the {needed} of the words")


@contextmanager
def building() -> Iterator[None]:
    """Whatever stops a network from being built of its configuration, as NoNetwork."""
    try:
        yield
    except NoNetwork:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise NoNetwork(f"no network can be built of these options: {reason}") from error


def _options(config: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(config, Mapping):
        yield from ((str(name), value) for name, value in config.items())
    else:
        yield from ((field.name, getattr(config, field.name)) for field in fields(config))


def _option(name: str, value: Any) -> None:
    if is_dataclass(value) or isinstance(value, Mapping):
        plausible(value)
    elif isinstance(value, list | tuple):
        low, high = COUNTS.get(name, (0, WIDEST if name == "words" else LONGEST))
        if not low <= len(value) <= high:
            raise NoNetwork(f"{name} holds {len(value)} values, where {low} to {high} are possible")
        for item in value:
            _option(name, item)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _number(name, value)


def _required(name: str, value: Any) -> None:
    """Options by name have no types: what is measured is a number."""
    listed = name in COUNTS and isinstance(value, list | tuple)
    if isinstance(value, bool) or not (listed or isinstance(value, int | float)):
        raise NoNetwork(f"{name} is {value!r:.80}, where a number is expected")


def _number(name: str, value: float) -> None:
    low, high = RANGES.get(name, (-WIDEST, WIDEST))
    if not low <= value <= high or not (isfinite(value) or high == float("inf")):
        raise NoNetwork(f"{name} is {_short(value)}, where {low:g} to {high:g} is possible")


def _short(value: float) -> str:
    return str(value) if abs(value) < 10**12 or not isfinite(value) else "a number of many digits"
