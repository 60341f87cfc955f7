"""The types on the wires: what each means, its shape and range, and how it is read, kept and shown."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
from PIL import Image as PillowImage
from PIL.PngImagePlugin import PngInfo
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph.types import Context, PortType
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import Noise, NoiseSource, RecordedNoise
from nodes.diffusion.schedule import Schedule
from nodes.models import (
    BUNDLE,
    CLASSIFIER,
    CLIP,
    CLIP_TOKENS,
    OPEN_CLIP,
    PRIOR,
    UNET,
    Bundle,
    Classifier,
    Clip,
    ClipTokens,
    OpenClip,
    Prior,
    UNet,
)
from nodes.models import ClipImage as ClipImage
from nodes.models import ClipText as ClipText
from nodes.tables import TABLE, Table
from nodes.training.dataset import Dataset
from nodes.training.folder import folder_digest
from nodes.training.networks import Network, PointModel, TextReader
from nodes.training.step import Objective

TENSOR_FILE = "tensor.safetensors"


def to_bytes(image: Tensor) -> np.ndarray:
    """Pictures [B, 3, H, W] in [-1, 1] → uint8 [B, H, W, 3], rounded to the nearest level."""
    levels = image.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()


def from_bytes(pictures: np.ndarray) -> Tensor:
    """uint8 [B, H, W, 3] → float32 [B, 3, H, W] in [-1, 1]."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float().div(127.5).sub(1)


def _dump_tensor(value: Tensor, folder: Path) -> None:
    save_file({"tensor": value.contiguous().cpu()}, folder / TENSOR_FILE)


def _load_tensor(folder: Path) -> Tensor:
    return load_file(folder / TENSOR_FILE)["tensor"]


def _describe_tensor(value: Tensor) -> str:
    shape = ", ".join(str(n) for n in value.shape)
    span = (
        "" if value.is_meta or not value.numel() else f" in [{value.min():.3g}, {value.max():.3g}]"
    )
    return f"{str(value.dtype).removeprefix('torch.')}[{shape}]{span} on {value.device}"


def _read_image(literal: Any, context: Context) -> Tensor:
    """A picture file as [1, 3, H, W]; transparency is laid on white."""
    path = context.readable(str(literal))
    if context.abstract:
        with PillowImage.open(path) as picture:
            return torch.empty(1, 3, picture.height, picture.width, device="meta")
    with PillowImage.open(path) as picture:
        flat = PillowImage.new("RGBA", picture.size, "white")
        flat.alpha_composite(picture.convert("RGBA"))
        return from_bytes(np.asarray(flat.convert("RGB"))[None])


def _read_mask(literal: Any, context: Context) -> Tensor:
    """A picture file read as a mask: white (1) = known."""
    path = context.readable(str(literal))
    with PillowImage.open(path) as picture:
        if context.abstract:
            return torch.empty(1, 1, picture.height, picture.width, device="meta")
        return (
            torch.from_numpy(np.asarray(picture.convert("L")).copy()).float().div(255)[None, None]
        )


def tensor_digest(value: Tensor) -> str:
    """sha256 of the values."""
    return hashlib.sha256(value.detach().cpu().contiguous().numpy().tobytes()).hexdigest()


def write_images(
    value: Tensor, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    """One PNG for each picture: `stem.png`, or `stem-0.png`, `stem-1.png`, … with the provenance as text chunks."""
    pictures = to_bytes(value)
    names = [stem] if len(pictures) == 1 else [f"{stem}-{i}" for i in range(len(pictures))]
    return [
        _write_png(p, folder / f"{n}.png", provenance) for p, n in zip(pictures, names, strict=True)
    ]


def _write_png(picture: np.ndarray, path: Path, provenance: Mapping[str, str]) -> Path:
    chunks = PngInfo()
    for key, text in provenance.items():
        chunks.add_itxt(key, text, zip=True)
    PillowImage.fromarray(picture).save(path, pnginfo=chunks)
    return path


def _write_masks(
    value: Tensor, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    return write_images(value.mul(2).sub(1).expand(-1, 3, -1, -1), folder, stem, provenance)


def _preview_image(value: Tensor) -> bytes | None:
    """The first picture as a PNG, at most 256 px wide."""
    picture = PillowImage.fromarray(to_bytes(value[:1].clamp(-1, 1))[0])
    picture.thumbnail((256, 256))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _example_image(context: Context) -> Tensor:
    return torch.zeros(1, 3, 64, 64, device="meta" if context.abstract else "cpu")


def _example_mask(context: Context) -> Tensor:
    return _example_image(context)[:, :1]


def _as_is(literal: Any, context: Context) -> Any:
    return literal


def _whole(literal: Any, context: Context) -> int:
    if isinstance(literal, bool) or int(literal) != literal:
        raise ValueError(f"a seed is a whole number, not {literal!r}")
    return int(literal) % 2**64


Text = Annotated[
    str,
    PortType(
        "Text", "Words; one prompt, in any case.", literal="text", colour="#f2c14e", parse=_as_is
    ),
]
Seed = Annotated[
    int,
    PortType(
        "Seed",
        "A whole number that names all the noise of a run.",
        literal="number",
        colour="#8ecae6",
        parse=_whole,
    ),
]
Image = Annotated[
    Tensor,
    PortType(
        "Image",
        "Pictures, float32 [B, 3, H, W] in [-1, 1].",
        literal="path",
        colour="#4cc38a",
        shape="square",
        parse=_read_image,
        digest=tensor_digest,
        dump=_dump_tensor,
        load=_load_tensor,
        write=write_images,
        describe=_describe_tensor,
        preview=_preview_image,
        example=_example_image,
    ),
]
Mask = Annotated[
    Tensor,
    PortType(
        "Mask",
        "float32 [B, 1, H, W] in [0, 1]; 1 = known, 0 = to be made.",
        literal="path",
        colour="#e5e7eb",
        shape="square",
        parse=_read_mask,
        digest=tensor_digest,
        dump=_dump_tensor,
        load=_load_tensor,
        write=_write_masks,
        describe=_describe_tensor,
        example=_example_mask,
    ),
]
Signal = Annotated[
    Tensor,
    PortType(
        "Signal",
        "Any float32 [B, …]: points, features.",
        colour="#b39ddb",
        dump=_dump_tensor,
        load=_load_tensor,
        describe=_describe_tensor,
    ),
]


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing, as PNG bytes."""

    png: bytes


def _dump_figure(value: Figure, folder: Path) -> None:
    (folder / "figure.png").write_bytes(value.png)


def _load_figure(folder: Path) -> Figure:
    return Figure((folder / "figure.png").read_bytes())


def _write_figure(
    value: Figure, folder: Path, stem: str, provenance: Mapping[str, str]
) -> Sequence[Path]:
    path = folder / f"{stem}.png"
    path.write_bytes(value.png)
    return [path]


@dataclass(frozen=True, slots=True)
class Condition:
    """What a network is told beside x_t: `embedding` [R, E], `tokens` [R, L, W], a picture in `pixels` [R, C, H, W] (of known
    pixels with their mask behind), or class `labels` int64 [R].

    `mask` [R, L]: where there are tokens. `made_by`: whose language it is. The digest of the network whose transformer encoded
    a text, or whose projections read CLIP's embeddings: its encodings mean nothing to another; `shapes` for a label that was
    given by its name in the shapes world.
    """

    kind: Literal["text", "unclip", "low_resolution", "label", "known_pixels"]
    embedding: Tensor | None = None
    tokens: Tensor | None = None
    pixels: Tensor | None = None
    labels: Tensor | None = None
    mask: Tensor | None = None
    made_by: str = ""


CONDITION_TENSORS = ("embedding", "tokens", "pixels", "labels", "mask")


def _dump_condition(value: Condition, folder: Path) -> None:
    found = {
        n: t.contiguous().cpu() for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None
    }
    save_file(found, folder / TENSOR_FILE, metadata={"kind": value.kind, "made_by": value.made_by})


def _load_condition(folder: Path) -> Condition:
    with safe_open(folder / TENSOR_FILE, "pt") as file:
        meta = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return Condition(meta["kind"], made_by=meta["made_by"], **tensors)


def _describe_condition(value: Condition) -> str:
    found = (
        f"{n} {list(t.shape)}" for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None
    )
    return f"{value.kind}: {', '.join(found)}"


def _dump_noise(value: Noise[Any], folder: Path) -> None:
    chain = {"kind": value.kind, "train_steps": str(value.train_steps)}
    place = chain | {"timestep": str(value.timestep)}
    save_file({"x_t": value.x_t.contiguous().cpu()}, folder / TENSOR_FILE, metadata=place)


def _load_noise(folder: Path) -> Noise[Any]:
    with safe_open(folder / TENSOR_FILE, "pt") as file:
        place, x_t = file.metadata(), file.get_tensor("x_t")
    return Noise(x_t, int(place["timestep"]), place["kind"], int(place["train_steps"]))


def _describe_noise(value: Noise[Any]) -> str:
    where = f"at step {value.timestep} of {value.train_steps}, {value.kind}"
    return f"{_describe_tensor(value.x_t)}, {where}"


def _describe_schedule(value: Schedule) -> str:
    jumps = f", {value.jumps} jumps up, {len(value.visits)} visits" if value.jumps else ""
    return f"{value.kind}, {len(value)} of {value.train_steps} steps{jumps}"


def _describe_denoiser(value: Denoiser[Any]) -> str:
    return (
        f"{type(value).__name__} of {list(value.sample_shape)}, {len(value.leaves)} network calls"
    )


def _probe_denoiser(value: Denoiser[Any]) -> None:
    """Call the denoiser once on shapes, so that a wrong condition shows where the denoiser is made."""
    rows = value.rows
    value(
        torch.empty(rows, *value.sample_shape, device="meta"),
        torch.zeros(rows, dtype=torch.int64, device="meta"),
    )


def _read_noise(literal: Any, context: Context) -> NoiseSource:
    path = context.readable(str(literal))
    tensors = load_file(path)
    if "initial" not in tensors:
        raise ValueError(
            f"{path.name} holds no tensor 'initial'; it has {', '.join(sorted(tensors))}"
        )
    return RecordedNoise(tensors["initial"], tensors.get("steps"))


def _noise_digest(value: NoiseSource) -> str:
    """Of a recorded noise, which is the only one that a literal names."""
    assert isinstance(value, RecordedNoise)
    parts = [value.initial] + ([] if value.steps is None else [value.steps])
    return "|".join(tensor_digest(part) for part in parts)


def _writable(literal: Any, context: Context) -> Path:
    return context.writable(str(literal))


RunFolder = Annotated[
    Path,
    PortType(
        "RunFolder",
        "A folder below the output folder, for what a training keeps.",
        literal="path",
        parse=_writable,
        digest=str,
    ),
]

ReadFolder = Annotated[
    Path,
    PortType(
        "ReadFolder",
        "A folder of files to read.",
        literal="path",
        parse=lambda literal, context: context.readable(str(literal)),
        digest=folder_digest,
    ),
]

X = TypeVar("X")
"""What is sampled, or passed through: the output has the type of the input."""

PORT_TYPES: dict[type, PortType] = {
    Denoiser: PortType(
        "Denoiser",
        "(x_t, t) → what is known about x_0: a network under its conditions, and every technique around it.",
        colour="#ef4444",
        shape="diamond",
        describe=_describe_denoiser,
        probe=_probe_denoiser,
    ),
    Schedule: PortType(
        "Schedule",
        "The steps that a sampler visits, with their noise levels.",
        colour="#f59e0b",
        describe=_describe_schedule,
    ),
    Noise: PortType(
        "Noise",
        "Noisy samples x_t, x_T or before, with their place in the chain: what a sampler may start from.",
        colour="#94a3b8",
        shape="square",
        dump=_dump_noise,
        load=_load_noise,
        describe=_describe_noise,
    ),
    NoiseSource: PortType(
        "NoiseSource",
        "Where noise comes from; a safetensors file with `initial` [B, …] and perhaps `steps` [S, B, …].",
        literal="path",
        colour="#94a3b8",
        parse=_read_noise,
        digest=_noise_digest,
    ),
    Condition: PortType(
        "Condition",
        "What a network is told beside x_t: a text, a class, a low-resolution picture, known pixels.",
        colour="#fb923c",
        dump=_dump_condition,
        load=_load_condition,
        describe=_describe_condition,
    ),
    Table: TABLE,
    Figure: PortType(
        "Figure",
        "A drawing.",
        colour="#0ea5e9",
        shape="square",
        dump=_dump_figure,
        load=_load_figure,
        write=_write_figure,
        preview=lambda value: value.png,
    ),
    UNet: UNET,
    Prior: PRIOR,
    OpenClip: OPEN_CLIP,
    ClipTokens: CLIP_TOKENS,
    Classifier: CLASSIFIER,
    Clip: CLIP,
    Bundle: BUNDLE,
    Dataset: PortType(
        "Dataset", "An endless source of training batches.", colour="#22c55e", shape="triangle"
    ),
    Network: PortType(
        "Network", "A network to be trained: a configuration.", colour="#a3e635", shape="triangle"
    ),
    Objective: PortType(
        "Objective", "What a training minimises.", colour="#facc15", shape="triangle"
    ),
    TextReader: PortType(
        "TextReader",
        "A text transformer that was taught to read.",
        colour="#d946ef",
        shape="diamond",
    ),
    PointModel: PortType(
        "PointModel", "A trained network for points.", colour="#c084fc", shape="diamond"
    ),
}
