"""CLIPs of open_clip: what its architectures and tags say of them, and its keys as ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nodes.checkpoints.keymap import KeyMap
from nodes.checkpoints.open_clip_table import architecture_options, clean_tag, tag_options
from nodes.networks.config import ClipConfig, ClipPictures, ClipTokenizerConfig

PREFIX = "open_clip:"
OPEN_CLIP_KEYS = KeyMap(
    {
        "visual.": "image.",
        "text.": "text.",
        **{n: f"text.{n}" for n in ("transformer.", "token_embedding.", "ln_final.")},
        **{n: f"text.{n}" for n in ("positional_embedding", "text_projection", "text_projection.")},
        **dict.fromkeys(
            ("logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size")
        ),
        "text_decoder.": None,
    }
)
"""Of open_clip, or of OpenAI: the towers without the scale between them, and without what writes captions in a CoCa."""
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


@dataclass(frozen=True, slots=True)
class NamedClip:
    """A CLIP by name: `architecture` of open_clip, and a `pretrained` tag or a weights file."""

    architecture: str
    pretrained: str

    @property
    def is_file(self) -> bool:
        return self.pretrained.endswith(WEIGHTS)

    @property
    def space(self) -> str:
        """The name of the joint space: that of the published weights, whatever the way they are kept."""
        return f"{self.architecture.removesuffix('-quickgelu')}/{clean_tag(self.pretrained)}"


def named_clip(name: str) -> NamedClip | None:
    """`open_clip:ViT-L-14/openai` or `open_clip:ViT-L-14/folder/weights.safetensors`; None for another name."""
    architecture, _, pretrained = name.removeprefix(PREFIX).partition("/")
    if not name.startswith(PREFIX):
        return None
    if not pretrained:
        raise ValueError(f"'{name}' names no weights: {PREFIX}ARCHITECTURE/PRETRAINED or /FILE")
    return NamedClip(architecture, pretrained)


def fetched(named: NamedClip, folder: Path) -> Path:
    """The file of published weights, which open_clip fetches into `folder` if it is not there. Raises what that raises."""
    from open_clip import factory
    from open_clip.pretrained import get_pretrained_cfg

    entry = get_pretrained_cfg(named.architecture, named.pretrained)
    return Path(str(factory.download_pretrained(entry, cache_dir=str(folder))))


def open_clip_config(architecture: str, space: str = "", tag: str | None = None) -> ClipConfig:
    """Configuration of an architecture of open_clip, as the weights of a tag were trained where one is given.

    Raises ValueError naming an architecture, or a tag, that is near.
    """
    options = architecture_options(architecture)
    found = ClipConfig(
        embedding=int(options["embed_dim"]),
        text=dict(options["text_cfg"]),
        image=dict(options["vision_cfg"]),
        quick_gelu=bool(options.get("quick_gelu", False)),
        tokenizer=ClipTokenizerConfig(_tokenizer(architecture, options["text_cfg"])),
        pictures=ClipPictures(),
        space=space,
    )
    return found if tag is None else _as_trained(found, tag_options(architecture, tag))


def _tokenizer(architecture: str, text: Mapping[str, Any]) -> Literal["clip", "other"]:
    other = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    return "other" if other or "siglip" in architecture.lower() else "clip"


def _as_trained(config: ClipConfig, entry: Mapping[str, Any]) -> ClipConfig:
    """Weights that were trained with QuickGELU are published under architectures with and without it."""
    return replace(
        config,
        quick_gelu=config.quick_gelu or bool(entry.get("quick_gelu", False)),
        means=_three(entry.get("mean") or config.means),
        deviations=_three(entry.get("std") or config.deviations),
        pictures=ClipPictures(
            entry.get("resize_mode") or "shortest",
            "bilinear" if entry.get("interpolation") == "bilinear" else "bicubic",
            int(entry.get("fill_color") or 0),
        ),
    )


def _three(values: float | Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = [values] * 3 if isinstance(values, float | int) else values
    return red, green, blue
