"""open_clip's architectures, read from the JSON files of the installed package without importing it, and its keys as ours."""

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from nodegraph.errors import nearest
from nodes.networks.config import ClipConfig

PREFIX = "open_clip:"
_TEXT = ("transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection")
_LEFT_OUT = ("logit_scale", "logit_bias", "input_resolution", "context_length", "vocab_size")
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
        return f"{self.architecture.removesuffix('-quickgelu')}/{self.pretrained}"


def named_clip(name: str) -> NamedClip | None:
    """`open_clip:ViT-L-14/openai` or `open_clip:ViT-L-14/folder/weights.safetensors`; None for another name."""
    architecture, _, pretrained = name.removeprefix(PREFIX).partition("/")
    if not name.startswith(PREFIX):
        return None
    if not pretrained:
        raise ValueError(f"'{name}' names no weights: {PREFIX}ARCHITECTURE/PRETRAINED or /FILE")
    return NamedClip(architecture, pretrained)


def open_clip_config(architecture: str, space: str = "") -> ClipConfig:
    """Configuration of an architecture of open_clip. Raises ValueError naming one that is near."""
    folder = _package() / "model_configs"
    path = folder / f"{architecture}.json"
    if not path.exists():
        hint = nearest(architecture, sorted(p.stem for p in folder.glob("*.json")))
        raise ValueError(
            f"open_clip has no architecture '{architecture}'{f'; {hint}' * bool(hint)}"
        )
    options = json.loads(path.read_text(encoding="utf-8"))
    return ClipConfig(
        embedding=int(options["embed_dim"]),
        text=dict(options["text_cfg"]),
        image=dict(options["vision_cfg"]),
        quick_gelu=bool(options.get("quick_gelu", False)),
        space=space,
    )


def _package() -> Path:
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        raise ValueError("open_clip_torch is not installed: `pip install open_clip_torch`")
    return Path(found.origin).parent


def open_clip_to_ours(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of open_clip, or of OpenAI, under our names: the towers without the scale between them."""
    found: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        if key.startswith("visual."):
            found["image." + key.removeprefix("visual.")] = value
        elif key.startswith("text."):
            found[key] = value
        elif key.startswith(_TEXT):
            found["text." + key] = value
        elif key not in _LEFT_OUT:
            raise ValueError(f"the checkpoint has a key that has no place in a CLIP: {key}")
    return found
