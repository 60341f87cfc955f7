"""Which configurations other layouts say: all that came from them, and no other; what is refused says why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import GLIDE, PLAIN, PRIOR, UNCLIP, built

from nodes.checkpoints.catalogue import entries, part_kinds
from nodes.checkpoints.configs import published_config
from nodes.checkpoints.entries import Part
from nodes.checkpoints.named import named_model
from nodes.checkpoints.publishing.counting import counting
from nodes.checkpoints.publishing.saying import Said, Unsaid, said
from nodes.networks.config import (
    ClipTokenizerConfig,
    LowResolution,
    TextConfig,
    TokenizerConfig,
    TrainedFor,
    UNetConfig,
)

GOLDEN = Path(__file__).parents[4] / "golden" / "data"
KARLO, VARIATIONS = GOLDEN / "unclip_tiny_karlo", GOLDEN / "unclip_tiny_karlo_variations"
WRITTEN = ("openai_glide", "openai_glide_clip", "diffusers", "transformers")
PUBLISHED = {
    f"{bundle}/{name}": part
    for bundle, entry in entries().items()
    for name, part in entry.parts.items()
    if part.layout.startswith(WRITTEN)
}


def configuration(folder: Path, part: str) -> Any:
    return named_model(part_kinds(str(folder))[part], str(folder / part), Path).config


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_published_is_said_in_its_own_layout(name: str) -> None:
    """With the very options of the catalogue, as far as it has them: and of GLIDE's networks with no others."""
    part = PUBLISHED[name]
    found = said(name.rpartition("/")[2], part.kind, published_config(part))
    assert isinstance(found, Said)
    assert found.layout == part.layout
    options, expected = dict(found.options), dict(part.options or {})
    if part.layout == "openai_glide":
        expected["channel_mult"] = (
            expected["channel_mult"] or {64: "1,2,3,4", 256: "1,1,2,2,4,4"}[expected["image_size"]]
        )
        assert {**options, "use_fp16": True} == expected
    assert within(expected, options) == []


def within(expected: Any, found: Any, place: str = "") -> list[str]:
    """Where one has another value than the other; null and a default are alike."""
    free = ("use_fp16", "sample_size")
    if isinstance(expected, dict):
        return [
            fault
            for key, value in expected.items()
            if key not in free
            for fault in within(value, found.get(key), f"{place}.{key}")
        ]
    return [] if expected in (found, None) else [f"{place}: {found} for {expected}"]


READING = TextConfig()
SAYABLE = UNetConfig(
    text=READING, trained=TrainedFor(schedule="cosine", fixed_variance="fixed_large")
)
UNSAYABLE: list[tuple[str, Any, str]] = [
    ("base", replace(SAYABLE, fold=2), "OpenAI's layout cannot say: pixels folded 2 × 2"),
    ("base", replace(SAYABLE, classes=10), "10 classes"),
    ("base", replace(SAYABLE, groups=16), "groups is 16"),
    ("base", replace(SAYABLE, channels=4), "channels is 4"),
    ("base", replace(SAYABLE, multipliers=(1, 1.5, 2, 2)), "multipliers is"),
    ("base", replace(SAYABLE, middle_attention=False), "middle_attention is False"),
    ("base", replace(SAYABLE, qkv_order="qkv_major"), "weights of attention"),
    ("base", replace(SAYABLE, text=replace(READING, vocabulary=99)), "text.vocabulary is 99"),
    (
        "base",
        replace(SAYABLE, text=replace(READING, tokenizer=TokenizerConfig("words", ("a",)))),
        "a closed vocabulary",
    ),
    (
        "base",
        replace(SAYABLE, trained=replace(SAYABLE.trained, parametrisation="v")),
        "a network that predicts v",
    ),
    (
        "base",
        replace(SAYABLE, trained=replace(SAYABLE.trained, schedule="const")),
        "trained.schedule is 'const'",
    ),
    (
        "base",
        replace(SAYABLE, trained=replace(SAYABLE.trained, learned_variance=False)),
        "a variance that is not learned",
    ),
    ("base", replace(SAYABLE, trained=replace(SAYABLE.trained, x0_bound=2.0)), "x0_bound is 2.0"),
    (
        "upsample",
        replace(
            SAYABLE,
            low_resolution=True,
            low_resolution_as=LowResolution(residual=True),
            trained=TrainedFor("x0", False),
        ),
        "what is predicted is added to the enlarged picture",
    ),
    ("clip", GLIDE["clip"], "a closed vocabulary"),
    ("prior", PRIOR, "text tokens 16 wide beside embeddings 12 wide"),
    ("autoregressive_prior", UNCLIP["autoregressive_prior"], "no other layout is written for"),
    ("clip", UNCLIP["clip"], "a closed vocabulary"),
    ("decoder", UNCLIP["decoder"], "a text transformer of its own"),
    ("upsample_1", UNCLIP["upsample_1"], "pixels folded 8 × 8 into channels"),
]


@pytest.mark.parametrize(("name", "config", "why"), UNSAYABLE)
def test_what_a_layout_cannot_say_is_refused_in_words(name: str, config: Any, why: str) -> None:
    assert isinstance(said("base", "UNet", SAYABLE), Said)
    found = said(name, "UNet" if isinstance(config, UNetConfig) else "Prior", config)
    assert isinstance(found, Unsaid)
    assert why in found.why


KARLOS: list[tuple[Path, str, dict[str, Any], str]] = [
    (KARLO, "prior", {"trained": {"x0_bound": 3.0}}, ""),
    (KARLO, "prior", {"trained": {"x0_bound": float("inf")}}, ""),
    (KARLO, "prior", {"trained": {"schedule": "cosine"}}, ""),
    (KARLO, "prior", {"trained": {"schedule": "linear"}}, "trained.schedule is 'linear'"),
    (KARLO, "prior", {"trained": {"fixed_variance": "fixed_small"}}, "a variance of the kind"),
    (KARLO, "prior", {"trained": {"respacing": "25"}}, "trained.respacing is '25'"),
    (KARLO, "prior", {"text_width": 41}, "text tokens 41 wide beside embeddings 40 wide"),
    (KARLO, "prior", {"condition": 41, "output": 42, "time_width": 43, "positions": 99}, ""),
    (KARLO, "prior", {"norm_in": True, "norm_condition": True, "time_activation": "gelu"}, ""),
    (KARLO, "prior", {"reads_text": False, "query": False}, ""),
    (KARLO, "decoder", {"qkv_order": "head_major"}, "weights of attention"),
    (KARLO, "decoder", {"blocks": 1, "dropout": 0.1, "head_channels": 4, "groups": 8}, ""),
    (KARLO, "decoder", {"scale_shift_norm": False, "attention": (1, 2, 4)}, ""),
    (KARLO, "decoder", {"head_channels": None}, "head_channels is not set"),
    (KARLO, "decoder", {"middle_attention": False}, "middle_attention is False"),
    (KARLO, "decoder", {"resample_in_blocks": False}, "resample_in_blocks is False"),
    (
        KARLO,
        "decoder",
        {"model_channels": 16, "multipliers": (0.5, 1, 1.5)},
        "model_channels is 16",
    ),
    (KARLO, "super_res_first", {"image_size": 64, "model_channels": 16}, ""),
    (KARLO, "super_res_first", {"low_resolution_as": LowResolution()}, "low_resolution_as.levels"),
    (KARLO, "super_res_first", {"attention": (2,)}, ""),
    (KARLO, "super_res_first", {"known_pixels": True}, "known_pixels is True"),
    (VARIATIONS, "clip", {"quick_gelu": False, "means": (0.5, 0.5, 0.5)}, ""),
    (VARIATIONS, "clip", {"tokenizer": {"padding": "x"}}, ""),
    (VARIATIONS, "clip", {"pictures": {"resize_mode": "squash", "interpolation": "bilinear"}}, ""),
    (VARIATIONS, "clip", {"pictures": {"resize_mode": "longest"}}, "pictures.resize_mode is"),
    (VARIATIONS, "clip", {"pictures": {"program": "open_clip"}}, "pictures.program is"),
    (VARIATIONS, "clip", {"tokenizer": ClipTokenizerConfig("clip")}, "as open_clip reads them"),
    (VARIATIONS, "clip", {"image": {"layers": (1, 1, 1, 1), "width": 64}}, "a ResNet"),
    (VARIATIONS, "clip", {"text": {"width": 40, "pool_type": "last"}}, "text.pool_type is 'last'"),
]


@pytest.mark.parametrize(("folder", "part", "changes", "why"), KARLOS)
def test_what_diffusers_can_say_and_what_it_cannot(
    folder: Path, part: str, changes: dict[str, Any], why: str
) -> None:
    config = changed(configuration(folder, part), changes)
    found = said(part, part_kinds(str(folder))[part], config)
    if why:
        assert isinstance(found, Unsaid)
        assert why in found.why
    else:
        assert isinstance(found, Said), found


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """A configuration with other options, also in the options of its parts."""
    inner = {
        name: replace(getattr(config, name), **value)
        if isinstance(value, dict) and name in ("trained", "tokenizer", "pictures")
        else value
        for name, value in changes.items()
    }
    return replace(config, **inner)


def test_a_part_of_another_name_is_in_no_pipeline() -> None:
    found = said("my_prior", "Prior", configuration(KARLO, "prior"))
    assert isinstance(found, Unsaid)
    assert "has no part of this name, but prior, decoder, " in found.why


def test_a_chain_in_double_precision_stays_so() -> None:
    """Where the folder's own description is read; diffusers keeps single precision."""
    config = changed(configuration(KARLO, "prior"), {"trained": {"schedule": "cosine"}})
    found = said("prior", "Prior", config)
    assert isinstance(found, Said)
    assert found.options["chain"] == "cosine"
    assert published_config(Part("Prior", found.layout, found.options)) == config
    with pytest.raises(ValueError, match="the chain is 'linear'"):
        published_config(Part("Prior", found.layout, {**found.options, "chain": "linear"}))


ALIKE: list[dict[str, Any]] = [
    {"heads": 4, "heads_upsample": 2},
    {"low_resolution_as": LowResolution(None, "bicubic")},
    {"attention": (2, 64)},
    {"attention": (2, 3)},
    {"resample_convolutions": False},
    {"rescaled_timesteps": True},
    {"trained": replace(PLAIN.trained, fixed_variance="fixed_small")},
]
BARE = replace(PLAIN, attention=(), middle_attention=False, head_channels=None)


@pytest.mark.parametrize(
    ("config", "changes"),
    [*((PLAIN, changes) for changes in ALIKE), (BARE, {"head_channels": 8, "heads": 2})],
)
def test_what_does_not_count_changes_nothing(config: UNetConfig, changes: dict[str, Any]) -> None:
    other = replace(config, **changes)
    assert other != config
    assert counting(other) == counting(config)
    one, two = built(config), built(other)
    two.load_state_dict(one.state_dict())
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 700])
    assert torch.equal(one(x, t), two(x, t))
    assert counting(replace(config, fold=2)) != counting(config)
