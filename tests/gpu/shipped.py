"""The shipped graphs with few steps, few pictures and small networks."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tiny
import torch
from own_pictures import own_pictures

from nodegraph.language.compile import compile_graph
from nodegraph.language.graph import GraphInput
from nodegraph.language.inputs import Request
from nodegraph.language.program import Constant, Program, Source, Step
from nodegraph.language.reading import read_graph
from nodegraph.session import find_graph, registry
from nodes.checkpoints.catalogue import shipped_folder
from nodes.checkpoints.weights import read_config
from nodes.models.embeddings import Embedding
from nodes.networks.config import (
    ArPriorConfig,
    ClassifierConfig,
    ClipConfig,
    NoisedClipConfig,
    PriorConfig,
    UNetConfig,
)
from nodes.wires.tables import Table

EMBEDDING = 64
OWN = "pictures"
OWNED = {
    "ReadFolder": OWN,
    "OpenClip": "unclip/clip",
    "UNet": "glide/base",
    "NoisedClip": "glide/clip",
}
"""What the user brings to a graph, below the folder of the bundles."""
FEW: Mapping[str, Any] = {
    "count": 2, "samples": 2, "batch": 2, "candidates": 2, "keep": 1, "measured": 40, "fitted": 8, "buckets": 4, "jump": 1,
    "resamples": 2, "interval": 1, "shares": [0.0, 1.0], "theta": [0.0, 0.5], "captions": ["a red circle", "a blue star"],
}  # fmt: skip
"""Inputs of the shipped graphs by name."""
TABLE = Table(("colour_and_shape", "correct", "clip", "noised_clip"), ((1, 0, 0.5, 0.5),) * 4)
ONLY: Mapping[str, Mapping[str, Any]] = {
    "evaluate/class_guidance": {"references": 4, "scales": [1.0], "free": [2.0]},
    "evaluate/fidelity": {"count": 4},
    "evaluate/guides_judged": {"references": 4, "free": [2.0], "clip": [1.0]},
    "evaluate/parts/best_row": {"table": TABLE, "samples": 2},
    "evaluate/parts/class_point": {"references": torch.ones(4, 64), "classes": [0, 1]},
    "evaluate/parts/decoded_point": {"references": torch.ones(4, 128)},
    "evaluate/parts/glide_judged": {"references": torch.ones(4, 128)},
    "evaluate/parts/guided_point": {"references": torch.ones(4, 64)},
    "evaluate/parts/judged_by_all": {
        "images": torch.zeros(4, 3, 32, 32),
        "references": torch.ones(4, 64),
    },
    "evaluate/parts/objective_point": {
        "references": torch.ones(4, 64),
        "held_out": torch.zeros(2, 3, 16, 16),
        "count": 4,
    },
    "evaluate/parts/pictures_point": {
        "images": torch.zeros(4, 3, 32, 32),
        "references": torch.ones(4, 128),
    },
    "evaluate/objectives": {"count": 4, "references": 4, "held_out": 1},
    "evaluate/parts/variance_point": {"references": torch.ones(4, 128), "classes": [0, 1]},
    "evaluate/reranking": {"seeds": [0], "count": 1},
    "evaluate/unclip_conditions": {"references": 4, "scales": [1.0]},
    "evaluate/variance": {"references": 4},
    "evaluate/parts/turned": {"theta": 0.35},
    "evaluate/parts/guidance_point": {"images": torch.zeros(4, 3, 32, 32)},
    "evaluate/parts/judged": {"images": torch.zeros(4, 3, 32, 32)},
    "variations/pca_probe": {"components": [1, 4]},
    "train/unclip_autoregressive_prior": {"components": 4},
}
LITERALS: Mapping[str, Mapping[str, Any]] = {
    "trainer": {"steps": 1, "batch_size": 2, "interval": 2},
    "classifier_accuracy": {"count": 2},
    "clip_accuracy": {"count": 2},
}
"""What stands in the graphs themselves, by node type."""


UNIT = dict.fromkeys(("base", "inpaint", "upsample", "upsample_inpaint"), UNetConfig)
PARTS: Mapping[str, Mapping[str, type]] = {
    "adm": {"diffusion": UNetConfig, "classifier": ClassifierConfig},
    "glide": {**UNIT, "clip": NoisedClipConfig},
    "unclip": {
        **dict.fromkeys(("decoder", "upsample_1", "upsample_2"), UNetConfig),
        "clip": ClipConfig,
        "prior": PriorConfig,
        "autoregressive_prior": ArPriorConfig,
    },
}


def smaller(config: Any) -> Any:
    """A configuration for the same pictures, texts and conditions, with as few layers and channels as there can be."""
    if isinstance(config, UNetConfig):
        text = config.text and replace(config.text, layers=1)
        few = {"multipliers": (1, 1), "blocks": 1, "attention": (2,), "middle_attention": False}
        return replace(
            config, model_channels=32, heads=1, head_channels=16, groups=32, text=text, **few
        )
    if isinstance(config, ClassifierConfig):
        return replace(config, trunk=smaller(config.trunk))
    if isinstance(config, NoisedClipConfig):
        return replace(config, text_layers=1, image_layers=2)
    if isinstance(config, ClipConfig):
        one = {"layers": 1}
        image = (
            config.image if isinstance(config.image["layers"], list) else {**config.image, **one}
        )
        return replace(config, text={**config.text, **one}, image=image)
    return replace(config, layers=1)


def write_bundles(folder: Path) -> Path:
    """Bundles of the names, parts, sizes and meanings of the shipped ones, of small networks with random weights.

    Beside them lies a folder of pictures.
    """
    for name, parts in PARTS.items():
        shipped = {part: shipped_folder(f"shapes/{name}/{part}") for part in parts}
        tiny.write_bundle(
            folder / name, {n: smaller(read_config(shipped[n], kind)) for n, kind in parts.items()}
        )
    own_pictures(folder / OWN)
    return folder


def few(name: str, bundles: Path) -> dict[str, Any]:
    """Values for the inputs of a shipped graph."""
    graph, _ = read_graph(find_graph(name, registry()).text, name)
    assert graph is not None
    given = {i.name: value_of(i, bundles) for i in graph.inputs.values()} | ONLY.get(name, {})
    return {key: value for key, value in given.items() if value is not None}


def value_of(declared: GraphInput, bundles: Path) -> Any:
    kind = str(declared.type)
    if kind == "Bundle":
        own = re.match(r"shapes/(\w+)", str(getattr(declared.default, "value", "")))
        return str(bundles / own[1]) if own else None
    if kind in ("Image", "Mask"):
        return torch.ones(1, 3 if kind == "Image" else 1, 32, 32)
    if kind in OWNED and declared.default is None and not declared.optional:
        return str(bundles / OWNED[kind])
    if kind == "ClipImage":
        return Embedding(torch.ones(4, EMBEDDING))
    return FEW.get(declared.name)


def few_steps(program: Program, steps: str) -> Program:
    """The program with so many steps of every sampler, and one of every training."""
    return replace(program, steps=tuple(fewer(step, steps) for step in program.steps))


def fewer(step: Step, steps: str) -> Step:
    inputs: dict[str, Source] = dict(step.inputs)
    for port in step.spec.inputs:
        if port.type.name == "Steps":
            inputs[port.name] = Constant(steps, port.type, None)
        elif port.name in (literals := LITERALS.get(step.spec.name, {})):
            inputs[port.name] = Constant(literals[port.name], port.type, None)
    return replace(step, inputs=inputs)


def program_of(name: str, inputs: Mapping[str, Any], readable: tuple[Path, ...] = ()) -> Program:
    """A shipped graph of few steps; what is measured is drawn as elsewhere, and takes one."""
    request = Request(dict(inputs), readable=readable)
    program = compile_graph(find_graph(name, registry()), registry(), request).checked()
    return few_steps(program, "1" if name.startswith("evaluate/") else "2")
