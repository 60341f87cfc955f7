"""The tables of names of every layout: there and back is the same, nothing is guessed, joined tensors are whole."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import nn

from nodegraph.runtime.meta.modes import skeleton
from nodes.checkpoints import diffusers, karlo, lucidrains, transformers_clip
from nodes.checkpoints.catalogue import entries
from nodes.checkpoints.configs import published_config
from nodes.checkpoints.entries import OURS
from nodes.checkpoints.keymap import KeyMap, Part, by_head, parts, under
from nodes.checkpoints.layouts import LAYOUTS
from nodes.checkpoints.open_clip import OPEN_CLIP_KEYS, open_clip_config
from nodes.checkpoints.sizes import building
from nodes.networks.clip.network import Clip
from nodes.networks.prior.diffusion import Prior
from nodes.networks.prior.laion import LaionPrior
from nodes.networks.unet.network import UNet

STATISTICS = ("mean", "std")
"""Of Karlo's prior, which has them in a file of their own."""
LAION = {"dim": 16, "depth": 2, "heads": 2, "dim_head": 8, "normformer": True, "norm_in": True}
PUBLISHED = {
    f"{bundle}/{name}": part
    for bundle, entry in entries().items()
    for name, part in entry.parts.items()
    if part.layout != OURS
}


def halves(layout: str, config: Any) -> Iterator[tuple[KeyMap, nn.Module, tuple[str, ...]]]:
    """The key maps of a layout, with the module whose tensors each names, and the beginnings of those that it does not."""
    if layout in LAYOUTS:
        whole = LAYOUTS[layout].network(config)
        for name in LAYOUTS[layout].modules:
            yield LAYOUTS[layout].keys, whole.get_submodule(name), ()
    elif layout in ("diffusers_decoder", "diffusers_super_resolution"):
        yield diffusers.unet_keys(config), UNet(config), ("clip.",)
    elif layout == "diffusers_prior":
        yield diffusers.prior_keys(config), Prior(config), ()
    elif layout == "karlo_prior":
        yield karlo.PRIOR_KEYS, Prior(config), STATISTICS
    elif layout == "transformers_clip":
        yield transformers_clip.KEYS, Clip(config), ()
    elif layout == "karlo_decoder":
        yield karlo.DECODER_KEYS, UNet(config), ()
    else:
        assert layout in ("karlo_first", "karlo_last")
        yield karlo.UNET_KEYS, UNet(config), ()


def there_and_back(keys: KeyMap, names: list[str]) -> None:
    """Every tensor has names in their file, which no other has, and which mean it and nothing else."""
    assert names
    theirs = {name: keys.their_keys(name) for name in names}
    every = [their for found in theirs.values() for their in found]
    assert len(set(every)) == len(every)
    for name, found in theirs.items():
        for place, their in enumerate(found):
            assert keys.our_key(their) == Part(name, place, len(found))
        for their in found:
            with pytest.raises(ValueError, match="has a key that has no place"):
                keys.our_key(f"x{their}")


@pytest.mark.parametrize("name", PUBLISHED)
def test_there_and_back_is_the_same(name: str) -> None:
    config = published_config(PUBLISHED[name])
    with building(), skeleton():
        known = list(halves(PUBLISHED[name].layout, config))
    for keys, module, others in known:
        there_and_back(keys, [key for key in module.state_dict() if not key.startswith(others)])


def test_there_and_back_is_the_same_for_models_that_the_catalogue_has_not() -> None:
    with building(), skeleton():
        laion = LaionPrior(lucidrains.prior_config(LAION)).state_dict()
        clip = Clip(open_clip_config("RN50")).state_dict()
    there_and_back(lucidrains.KEYS, list(laion))
    there_and_back(OPEN_CLIP_KEYS, list(clip))
    layers = ("image_to_time", "image_to_tokens", "text_to_time", "tokens_proj", "tokens_norm")
    names = [f"clip.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    there_and_back(diffusers.TEXT_PROJ_KEYS, ["clip.null_embedding", *names])


TABLE = KeyMap(
    {
        "a.": "b.",
        "a.0.": "zero.",
        **under("layers.#.sub_#.", "blocks.#.#.", {"n.": "norm.", "g": "gain", "x.": None}),
        **parts("qkv.", "q.", "k.", "v."),
        "scale": None,
    },
    by_head(2),
)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("a.weight", Part("b.weight")),
        ("a.0.weight", Part("zero.weight")),
        ("a.00.weight", Part("b.00.weight")),
        ("layers.3.sub_14.n.weight", Part("blocks.3.14.norm.weight")),
        ("layers.3.sub_14.g", Part("blocks.3.14.gain")),
        ("k.bias", Part("qkv.bias", 1, 3)),
        ("scale", None),
        ("layers.3.sub_1.x.y.z", None),
    ],
)
def test_the_longest_of_several_counts(theirs: str, ours: Part | None) -> None:
    assert TABLE.our_key(theirs) == ours
    assert ours is None or theirs in TABLE.their_keys(ours.ours)


@pytest.mark.parametrize(
    "key", ["", "a", "a.", "b.weight", "scale.x", "layers.x.sub_1.g", "layers.1.sub_.g", "scales"]
)
def test_what_the_table_has_not_has_no_place(key: str) -> None:
    with pytest.raises(ValueError, match="has a key that has no place"):
        TABLE.ours({key: torch.zeros(1)})


def test_joined_tensors_are_whole_and_in_their_order() -> None:
    q, k, v = (torch.arange(4.0) + 10 * n for n in range(3))
    found = TABLE.ours({"v.bias": v, "q.bias": q, "k.bias": k, "scale": q})
    assert found.keys() == {"qkv.bias"}
    assert found["qkv.bias"].tolist() == [0, 1, 10, 11, 20, 21, 2, 3, 12, 13, 22, 23]
    apart = TABLE.split(found)
    assert {name: apart[f"{name}.bias"].tolist() for name in "qkv"} == {
        name: value.tolist() for name, value in (("q", q), ("k", k), ("v", v))
    }
    with pytest.raises(ValueError, match=r"qkv\.bias lacks a part: of 3 there are 2"):
        TABLE.ours({"v.bias": v, "q.bias": q})


def test_two_keys_of_one_meaning_are_refused() -> None:
    both = KeyMap({"x.": "z.", "y.": "z."})
    assert both.their_keys("z.w") == ["x.w"]
    with pytest.raises(ValueError, match=r"two keys of the checkpoint mean z\.w; one is y\.w"):
        both.ours({"x.w": torch.zeros(1), "y.w": torch.zeros(1)})
