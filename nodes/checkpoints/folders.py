"""Parts of folders in other layouts: where their configuration and weights stand."""

import re
from pathlib import Path
from typing import Any

from nodes.checkpoints.catalogue import find_part
from nodes.checkpoints.entries import Part
from nodes.checkpoints.files import file_digest
from nodes.checkpoints.foreign import FILES, INDEX, components, foreign_kinds, matching, read_json
from nodes.networks.bpe import vocabulary_files

ORIGINAL = "kakaobrain/karlo-v1-alpha-original"
_WEIGHTS = re.compile(
    r"(?:diffusion_pytorch_model|model|pytorch_model)"
    r"(?:\.(?P<variant>\w+))?\.(?P<form>safetensors|bin)"
    r"(?P<index>\.index(?:\.(?P<of>\w+))?\.json)?"
)
"""As diffusers and transformers name them: whole or in shards (then their index), of full precision or a variant."""
_VARIANTS = ("", "fp32", "fp16", "bf16")
_SUPER_RESOLUTION = ("super_res_first", "super_res_last")
Found = tuple[Part, tuple[Path, ...], tuple[Path, ...]]
"""A part, the files of its weights, and other files on which what it makes depends."""


def foreign_part(folder: Path, name: str) -> Found | None:
    """A part of such a folder; None where there is none of that name. Raises ValueError for what cannot be read."""
    if name not in (foreign_kinds(folder) or {}):
        return None
    if not (folder / INDEX).exists():
        return _original(folder, name)
    return {"prior": _prior, "decoder": _decoder, "clip": _clip}.get(name, _super_resolution)(
        folder, name
    )


def _options(folder: Path, component: str) -> dict[str, Any]:
    return read_json(folder / component / "config.json")


def _scheduler(folder: Path, stage: str) -> dict[str, Any]:
    return read_json(folder / f"{stage}_scheduler" / "scheduler_config.json")


def weights_of(folder: Path, component: str) -> Path:
    """The weights file of a component, or the index of its shards: full precision before halves, safetensors before pickles."""
    place = folder / component
    found = [m for path in sorted(place.glob("*")) if (m := _WEIGHTS.fullmatch(path.name))]
    usual = "model" if component.endswith("_encoder") else "diffusion_pytorch_model"
    return place / (min(found, key=_rank)[0] if found else f"{usual}.safetensors")


def _rank(found: re.Match[str]) -> tuple[int, bool, bool]:
    variant = found["variant"] or found["of"] or ""
    known = _VARIANTS.index(variant) if variant in _VARIANTS else len(_VARIANTS)
    return known, found["form"] == "bin", found["index"] is not None


def _space(folder: Path) -> str:
    """The joint space of a pipeline's CLIP: its text encoder is in every one of them, and is what tells them apart."""
    weights = weights_of(folder, "text_encoder")
    return f"sha256:{file_digest(weights)}" if weights.exists() else ""


def _prior(folder: Path, name: str) -> Found:
    options = {
        "config": _options(folder, "prior"),
        "scheduler": _scheduler(folder, "prior"),
        "space": _space(folder),
    }
    return Part("Prior", "diffusers_prior", options), (weights_of(folder, "prior"),), ()


def _decoder(folder: Path, name: str) -> Found:
    options = {
        "config": _options(folder, "decoder"),
        "scheduler": _scheduler(folder, "decoder"),
        "text_proj": _options(folder, "text_proj"),
        "space": _space(folder),
    }
    files = (weights_of(folder, "decoder"), weights_of(folder, "text_proj"))
    return Part("UNet", "diffusers_decoder", options), files, ()


def _super_resolution(folder: Path, name: str) -> Found:
    """The size of both networks stands in the configuration of the first."""
    options = {
        "config": _options(folder, name),
        "scheduler": _scheduler(folder, "super_res"),
        "image_size": _options(folder, _SUPER_RESOLUTION[0]).get("sample_size"),
    }
    return Part("UNet", "diffusers_super_resolution", options), (weights_of(folder, name),), ()


def _clip(folder: Path, name: str) -> Found:
    has = components(folder)
    towers = [tower for tower in ("text_encoder", "image_encoder") if tower in has]
    options: dict[str, Any] = {tower: _options(folder, tower) for tower in towers}
    processor = folder / "feature_extractor" / "preprocessor_config.json"
    vocabulary = vocabulary_files(folder / "tokenizer")
    options["processor"] = read_json(processor) if processor.exists() else None
    options["vocabulary"] = str(folder / "tokenizer") if vocabulary else None
    options["tokenizer"] = _tokenizer(folder / "tokenizer")
    options["space"] = _space(folder)
    files = tuple(weights_of(folder, tower) for tower in towers)
    return Part("Clip", "transformers_clip", options), files, vocabulary


def _tokenizer(folder: Path) -> dict[str, Any]:
    """What is said of a tokenizer; its special tokens may stand in a file of their own."""
    names = ("special_tokens_map.json", "tokenizer_config.json")
    found = [read_json(folder / name) for name in names if (folder / name).exists()]
    return {key: value for options in found for key, value in options.items()}


def _original(folder: Path, name: str) -> Found:
    """Karlo's own files carry no configuration: the published one holds. Its CLIP is OpenAI's."""
    files = tuple(matching(folder, FILES[name]))
    if name == "clip":
        tower = files[0].stem
        options = {"architecture": f"{tower}-quickgelu", "space": f"{tower}/openai"}
        return Part("Clip", "open_clip", options), files, ()
    part = find_part(f"{ORIGINAL}/{name}")
    assert part is not None
    return part, files, ()
