"""A part of a bundle as files of its layout, and what the bundle's catalogue says of it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nodegraph.base.contents import sha256_of
from nodes.checkpoints.catalogue import CONFIG_FILE, WEIGHTS_FILE
from nodes.checkpoints.entries import OURS, name_of
from nodes.checkpoints.publishing.sources import Source
from nodes.checkpoints.publishing.words import write_vocabulary

if TYPE_CHECKING:
    from torch import Tensor

NETWORK, TOWER = "diffusion_pytorch_model.safetensors", "model.safetensors"
"""The files of weights of diffusers, and of transformers."""
CLIP_FILES = ("clip_image_enc.pt", "clip_text_enc.pt")
_CONFIGS = {
    "text_proj": "text_proj",
    "text_encoder": "text_encoder",
    "image_encoder": "image_encoder",
}
Record = dict[str, Any]


def write_part(folder: Path, source: Source) -> Record:
    """Write the files of a part below `folder`: its record in a catalogue, with the digests of what was written."""
    if source.kept:
        files, words = _copied(folder, source), list[Path]()
    elif source.layout == OURS:
        files, words = _own(folder, source), []
    elif source.layout.startswith("openai"):
        files, words = _torch_files(folder, source), []
    else:
        files, words = _components(folder, source)
    record = {
        "kind": name_of(source.kind),
        "layout": source.layout,
        "options": _options(source),
        "files": _records(folder, files),
    }
    return record | ({"vocabulary": [_file(folder, path) for path in words]} if words else {})


def _options(source: Source) -> Mapping[str, Any]:
    return asdict(source.model.config) if source.said is None else source.said.options


def _copied(folder: Path, source: Source) -> list[Path]:
    """The files as they are; of our own layout with its configuration."""
    _movable(source)
    place = folder / source.name
    place.mkdir()
    files = [Path(shutil.copyfile(file, place / file.name)) for file in source.model.files]
    if source.layout == OURS:
        _configure(place, source)
    return files


def _configure(place: Path, source: Source) -> None:
    """The configuration of a model of our own layout, with what was noted of it; that of a fetched one is in a catalogue."""
    from nodes.checkpoints.reading import tensor_shapes
    from nodes.checkpoints.weights import write_config

    noted = source.model.files[0].parent / CONFIG_FILE
    if noted.exists():
        shutil.copyfile(noted, place / CONFIG_FILE)
        return
    weights = place / WEIGHTS_FILE
    parameters = sum(map(prod, tensor_shapes(weights).values()))
    write_config(place, source.model.config, sha256_of(weights), parameters, {})


def _own(folder: Path, source: Source) -> list[Path]:
    """In our own layout, in the precision that the weights have."""
    from nodes.checkpoints.weights import write_weights

    _movable(source)
    place = folder / source.name
    place.mkdir()
    weights = {key: value.contiguous() for key, value in source.weights().items()}
    write_weights(place, weights, source.model.config, {})
    return [place / WEIGHTS_FILE]


def _movable(source: Source) -> None:
    """Raises ValueError for a CLIP of our own layout that reads a vocabulary elsewhere."""
    folder = getattr(getattr(source.model.config, "tokenizer", None), "folder", "")
    if source.layout == OURS and folder:
        reads = f"'{source.name}' reads the vocabulary in {folder}"
        raise ValueError(f"{reads}, which our own layout cannot take along; {source.why}")


def _torch_files(folder: Path, source: Source) -> list[Path]:
    """In OpenAI's layouts, whose programs read torch's files."""
    import torch

    from nodes.checkpoints.layouts import theirs

    states = theirs(source.layout, source.weights(), source.model.config)
    names = CLIP_FILES if len(states) > 1 else (f"{source.name}.pt",)
    place = folder / source.name
    place.mkdir()
    for name, state in zip(names, states, strict=True):
        torch.save({key: value.clone() for key, value in state.items()}, place / name)
    return [place / name for name in names]


def _components(folder: Path, source: Source) -> tuple[list[Path], list[Path]]:
    """In diffusers' layout: the files of weights, beside their configurations, and those of a vocabulary of its own."""
    from nodes.checkpoints.layouts import theirs

    options = _options(source)
    names = _component_names(source)
    states = theirs(source.layout, source.weights(), source.model.config)
    files = [
        _component(folder / name, state, options[_CONFIGS.get(name, "config")])
        for name, state in zip(names, states, strict=True)
    ]
    if "scheduler" in options:
        stage = "super_res" if source.name.startswith("super_res") else source.name
        _write_json(folder / f"{stage}_scheduler" / "scheduler_config.json", options["scheduler"])
    if "processor" in options:
        _write_json(folder / "feature_extractor/preprocessor_config.json", options["processor"])
    if "tokenizer" not in options:
        return files, []
    return files, write_vocabulary(folder / "tokenizer", source.model.config, options["tokenizer"])


def _component_names(source: Source) -> Sequence[str]:
    """The folders of a part, in the order of its layout's files."""
    if source.layout == "diffusers_decoder":
        return ("decoder", "text_proj")
    if source.layout == "transformers_clip":
        return [name for name in ("text_encoder", "image_encoder") if name in _options(source)]
    return (source.name,)


def _component(place: Path, state: "Mapping[str, Tensor]", config: Mapping[str, Any]) -> Path:
    from safetensors.torch import save_file

    _write_json(place / CONFIG_FILE, config)
    path = place / (TOWER if place.name.endswith("_encoder") else NETWORK)
    save_file({k: v.contiguous() for k, v in state.items()}, path, metadata={"format": "pt"})
    # safetensors writes files that only their owner may read.
    shutil.copymode(place / CONFIG_FILE, path)
    return path


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline=""
    )


def _records(folder: Path, files: Sequence[Path]) -> list[Record]:
    """What is said of files of weights; those that have one name are kept under others."""
    from nodes.checkpoints.reading import tensor_shapes

    found: list[Record] = []
    for path in files:
        shapes = tensor_shapes(path)
        count = {"parameters": sum(map(prod, shapes.values())), "keys": len(shapes)}
        alike = sum(other.name == path.name for other in files) > 1
        kept = {"kept_as": f"{path.parent.name}-{path.name}"} if alike else {}
        found.append({**_file(folder, path), **count, **kept})
    return found


def _file(folder: Path, path: Path) -> Record:
    return {
        "url": quote(path.relative_to(folder).as_posix()),
        "parameters": 0,
        "size": path.stat().st_size,
        "sha256": sha256_of(path),
    }
