"""Which published layout says a configuration, and what the others lack: what is proposed is read again, and compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nodes.checkpoints.configs import published_config
from nodes.checkpoints.entries import Part
from nodes.checkpoints.foreign import KINDS as UNCLIP
from nodes.checkpoints.options import Options
from nodes.checkpoints.publishing import clip, glide, unclip
from nodes.checkpoints.publishing.counting import counting
from nodes.checkpoints.publishing.differences import OWNERS, unlike
from nodes.networks.config import (
    ClipConfig,
    ClipTokenizerConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)

Propose = Callable[[Any], Options]
SHOWN = 6
"""Differences that are named one by one."""


@dataclass(frozen=True, slots=True)
class Said:
    """A layout with the options that say a configuration in it."""

    layout: str
    options: Options


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Why no layout of others says a configuration."""

    why: str


def said(name: str, kind: str, config: Any) -> Said | Unsaid:
    """The first layout that says the configuration of a part, or why not even the nearest does."""
    faults: list[Unsaid] = []
    for layout, propose in _layouts(config):
        found = _judged(kind, layout, propose, config)
        if isinstance(found, Said):
            found = _misplaced(layout, name) or found
        if isinstance(found, Said):
            return found
        faults.append(found)
    return faults[0] if faults else Unsaid(f"no other layout is written for models of kind {kind}")


def _layouts(config: Any) -> Iterator[tuple[str, Propose]]:
    """The layouts that may say a configuration, the nearest first."""
    if isinstance(config, PriorConfig):
        yield "diffusers_prior", unclip.prior_options
    elif isinstance(config, ClipConfig):
        yield "transformers_clip", clip.clip_options
    elif isinstance(config, NoisedClipConfig):
        yield "openai_glide_clip", glide.clip_options
    elif isinstance(config, UNetConfig):
        if config.clip is not None:
            yield "diffusers_decoder", unclip.decoder_options
        elif config.low_resolution and config.text is None:
            yield "diffusers_super_resolution", unclip.super_resolution_options
        yield "openai_glide", glide.glide_options


def _misplaced(layout: str, name: str) -> Unsaid | None:
    """A pipeline of diffusers knows its parts by their names."""
    if layout.startswith("openai") or name in UNCLIP:
        return None
    return Unsaid(f"a pipeline of diffusers has no part of this name, but {', '.join(UNCLIP)}")


def _judged(kind: str, layout: str, propose: Propose, config: Any) -> Said | Unsaid:
    cannot = f"{OWNERS[layout.partition('_')[0]]} layout cannot say: "
    try:
        options = propose(config)
        read = published_config(Part(kind, layout, _with_vocabulary(options, config)))
    except (ValueError, TypeError, ArithmeticError) as error:
        return Unsaid(cannot + str(error))
    lacks = unlike(counting(config), counting(read))
    return Unsaid(cannot + _some(lacks)) if lacks else Said(layout, options)


def _with_vocabulary(options: Options, config: Any) -> Options:
    """The options as they are read where a vocabulary lies beside them: any but CLIP's own."""
    tokenizer = getattr(config, "tokenizer", None)
    if not isinstance(tokenizer, ClipTokenizerConfig) or tokenizer.kind == "clip_padded":
        return options
    return {**options, "vocabulary": tokenizer.folder or "."}


def _some(words: list[str]) -> str:
    more = f"; and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return "; ".join(words[:SHOWN]) + more
