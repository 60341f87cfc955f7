"""The index that makes a folder of parts a pipeline of diffusers."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodes.checkpoints.foreign import INDEX
from nodes.checkpoints.publishing.sources import FIRST, LAST, Source
from nodes.checkpoints.publishing.unclip import MADE

_TEXT = ("text_encoder", "tokenizer")
_NEEDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "UnCLIPPipeline": {
        "prior": ("prior", "prior_scheduler"),
        "decoder": ("decoder", "decoder_scheduler", "text_proj"),
        FIRST: (FIRST, LAST, "super_res_scheduler"),
        "clip": _TEXT,
    },
    "UnCLIPImageVariationPipeline": {
        "decoder": ("decoder", "decoder_scheduler", "text_proj"),
        FIRST: (FIRST, LAST, "super_res_scheduler"),
        "clip": (*_TEXT, "image_encoder", "feature_extractor"),
    },
}
"""The pipelines, and the folders that they need of each part."""
_CLASSES = {
    "prior": "PriorTransformer",
    "decoder": "UNet2DConditionModel",
    FIRST: "UNet2DModel",
    LAST: "UNet2DModel",
    "text_proj": "UnCLIPTextProjModel",
    "text_encoder": "CLIPTextModelWithProjection",
    "tokenizer": "CLIPTokenizer",
    "image_encoder": "CLIPVisionModelWithProjection",
    "feature_extractor": "CLIPImageProcessor",
}
_LIBRARIES = {
    # Where the class is now; pipelines that were published name a module that diffusers no longer finds.
    "text_proj": "diffusers.pipelines.deprecated.unclip.text_proj",
    **dict.fromkeys((*_TEXT, "image_encoder", "feature_extractor"), "transformers"),
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The class of diffusers that reads a folder, or empty; and what it `lacks`, in a sentence."""

    name: str = ""
    lacks: str = ""


def write_index(folder: Path, sources: Sequence[Source]) -> Pipeline:
    """Write the index of the first pipeline that has all that it needs; none where nothing is in diffusers' layout."""
    theirs = [s.name for s in sources if s.layout.startswith(("diffusers", "transformers"))]
    if not theirs:
        return Pipeline()
    lacks = {name: _lacking(folder, parts, sources) for name, parts in _NEEDS.items()}
    whole = next((name for name, missing in lacks.items() if not missing), None)
    if whole is None:
        nearest = min(lacks, key=lambda name: len(lacks[name]))
        return Pipeline(lacks=f"for {nearest} it lacks {', '.join(lacks[nearest])}")
    _double(folder)
    components = [component for of in _NEEDS[whole].values() for component in of]
    index = {"_class_name": whole, **MADE} | {name: _class(name) for name in sorted(components)}
    text = json.dumps(index, indent=2) + "\n"
    (folder / INDEX).write_text(text, encoding="utf-8", newline="")
    return Pipeline(whole)


def _lacking(
    folder: Path, parts: Mapping[str, tuple[str, ...]], sources: Sequence[Source]
) -> list[str]:
    """The parts that a pipeline has not, or not in its layout."""
    found = {source.name: source for source in sources}
    missing: list[str] = []
    for part, components in parts.items():
        if part not in found:
            missing.append(f"'{part}'")
        elif not all((folder / name).exists() for name in components if name != LAST):
            missing.append(f"'{part}' in its layout" if found[part].why else f"all of '{part}'")
    if LAST in found and found[LAST].why:
        missing.append(f"'{LAST}' in its layout")
    return missing


def _double(folder: Path) -> None:
    """Of one network of super-resolution diffusers is given a copy for the last step."""
    if not (folder / LAST).exists():
        shutil.copytree(folder / FIRST, folder / LAST)


def _class(component: str) -> list[str]:
    default = "UnCLIPScheduler" if component.endswith("_scheduler") else ""
    return [_LIBRARIES.get(component, "diffusers"), _CLASSES.get(component, default)]
