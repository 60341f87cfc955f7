"""Starting from a network with other conditions or outputs: what fits by name is taken, and what does not is reported."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.networks.config import UNetConfig

FIRST = "inputs.0.0.weight"
LAST = ("out_conv.weight", "out_conv.bias")
WORDS = "text.token_embedding.weight"
SILENT = ("label_", "clip.image_to_")
"""New parts that start at zero: labels, and what CLIP's image embeddings become."""


class Misfit(ValueError):
    """Weights that a network cannot start from."""


@dataclass(frozen=True, slots=True)
class Started:
    """First weights by name, and which are not the start's: `changed` in channels or meaning, `new`, `left` behind."""

    weights: Mapping[str, Tensor]
    changed: tuple[str, ...]
    new: tuple[str, ...]
    left: tuple[str, ...]

    def differences(self) -> str:
        """What was not taken as it was; empty when everything was."""
        kinds = {"changed": self.changed, "new": self.new, "left behind": self.left}
        return "; ".join(f"{kind}: {_brief(names)}" for kind, names in kinds.items() if names)


def _brief(names: Iterable[str]) -> str:
    """Names, with those of one part of the network as one: `text.*`, `outputs.*.context_kv.*`."""
    patterns = {re.sub(r"^text\..*", "text.*", re.sub(r"(\.\d+)+", ".*", name)) for name in names}
    return ", ".join(sorted(patterns))


def started(
    own: Mapping[str, Tensor], config: UNetConfig, given: Mapping[str, Tensor], of: UNetConfig
) -> Started:
    """First weights for a network of `config` (its `own`) from those of another with other conditions or outputs.

    Input channels are matched by what they carry; where the start has none, weights are zero, as are those of new
    outputs, of new labels and of CLIP embeddings: at first the network does what the start did (but for new context
    tokens, which say nothing and still get a share of the attention). Embeddings of words are matched by the words, new ones
    are the network's own. A residual upsampler adds nothing at first when it starts from one that is not. Raises Misfit when
    more differs.
    """
    weights: dict[str, Tensor] = {}
    changed: list[str] = []
    renewed = LAST if config.residual != of.residual else ()
    for name, value in own.items():
        if name in renewed:
            weights[name] = torch.zeros_like(value)
            changed.append(name)
        elif name not in given:
            weights[name] = torch.zeros_like(value) if name.startswith(SILENT) else value
        elif value.shape == given[name].shape and _means_the_same(name, config, of):
            weights[name] = given[name].to(value)
        else:
            weights[name] = _changed(name, value, given[name].to(value), (config, of))
            changed.append(name)
    new = tuple(name for name in own if name not in given)
    left = tuple(name for name in given if name not in own)
    return Started(weights, tuple(changed), new, left)


def same_words(config: UNetConfig, of: UNetConfig) -> bool:
    """Whether two networks read the same words, if they read at all."""
    return (config.text and config.text.tokenizer) == (of.text and of.text.tokenizer)


def _means_the_same(name: str, config: UNetConfig, of: UNetConfig) -> bool:
    if name == WORDS:
        return same_words(config, of)
    return name != FIRST or _carried(config) == _carried(of)


def _changed(
    name: str, own: Tensor, given: Tensor, configs: tuple[UNetConfig, UNetConfig]
) -> Tensor:
    """A tensor with its channels or words matched. Raises Misfit for one whose shape means another network."""
    if name == WORDS and own.shape[1:] == given.shape[1:]:
        return _by_words(own, given, *map(_numbered, configs))
    found = torch.zeros_like(own)
    if name == FIRST and own.shape[::2] == given.shape[::2]:
        config, of = map(_carried, configs)
        for place in set(config) & set(of):
            found[:, config.index(place)] = given[:, of.index(place)]
        return found
    if name in LAST and own.shape[1:] == given.shape[1:]:
        rows = min(len(own), len(given))
        found[:rows] = given[:rows]
        return found
    raise Misfit(f"'{name}' has the shape {list(given.shape)} there and {list(own.shape)} here")


def _numbered(config: UNetConfig) -> dict[str, int]:
    """The row of each word of a closed vocabulary, and those of padding and of unknown words."""
    assert config.text is not None
    return {word: row for row, word in enumerate(("", "?", *config.text.tokenizer.words))}


def _by_words(own: Tensor, given: Tensor, rows: dict[str, int], of: dict[str, int]) -> Tensor:
    """The embeddings `own`, with those of words that `given` knows too."""
    found = own.clone()
    for word in rows.keys() & of.keys():
        found[rows[word]] = given[of[word]]
    return found


def _carried(config: UNetConfig) -> list[tuple[str, int]]:
    """What each input channel of the first convolution carries, folded pixels of one channel beside each other."""
    known = config.channels + 1 if config.known_pixels else 0
    low = config.channels if config.low_resolution else 0
    counts = {"x_t": config.channels, "known": known, "low_resolution": low}
    folded = config.fold**2
    return [(kind, i) for kind, count in counts.items() for i in range(count * folded)]
