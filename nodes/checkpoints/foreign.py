"""Folders in other layouts as bundles: diffusers' unCLIP pipelines, and Karlo's own checkpoints. Imports no torch."""

from pathlib import Path

from nodegraph.base.paths import read_json as read_json

INDEX = "model_index.json"
KINDS = {
    "prior": "Prior",
    "decoder": "UNet",
    "super_res_first": "UNet",
    "super_res_last": "UNet",
    "clip": "Clip",
}
FILES = {
    "prior": ("prior-ckpt-*.ckpt", "*_stats.th"),
    "decoder": ("decoder-ckpt-*.ckpt",),
    "super_res_first": ("improved-sr-ckpt-*.ckpt",),
    "super_res_last": ("improved-sr-ckpt-*.ckpt",),
    "clip": ("ViT-*.pt",),
}


def foreign_kinds(folder: Path) -> dict[str, str] | None:
    """Port types of the parts of such a folder, by name; None for a folder in no such layout."""
    if (folder / INDEX).exists():
        has = components(folder)
        parts = [part for part in KINDS if part in has]
        clip = ["clip"] if has & {"text_encoder", "image_encoder"} else []
        return {part: KINDS[part] for part in [*parts, *clip]}
    found = {part: KINDS[part] for part, names in FILES.items() if matching(folder, names)}
    return found or None


def components(folder: Path) -> set[str]:
    """The networks of a pipeline, whatever library its index names for them."""
    index = read_json(folder / INDEX)
    return {name for name, value in index.items() if isinstance(value, list) and value and value[0]}


def matching(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """One file for each pattern, or none at all."""
    found = [sorted(folder.glob(pattern))[:1] for pattern in patterns]
    return [path for paths in found for path in paths] if all(found) else []
