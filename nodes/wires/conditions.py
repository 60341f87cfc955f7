"""The types on the wires: what each means, its shape and range, and how it is read, kept and shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from nodegraph import Doc
from nodegraph.framing import digest
from nodegraph.types import Context, PortType
from nodes.checkpoints.reading import naming
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import Noise, NoiseSource, RecordedNoise
from nodes.diffusion.pca import Pca
from nodes.diffusion.schedule import Schedule
from nodes.models import (
    AR_PRIOR,
    BUNDLE,
    CLASSIFIER,
    CLIP,
    CLIP_TOKENS,
    OPEN_CLIP,
    PRIOR,
    UNET,
    ArPrior,
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
from nodes.models.pca import PCA
from nodes.wires.scalars import read_label, read_seed, read_size, read_steps
from nodes.wires.tables import TABLE, Table
from nodes.wires.pictures import TENSOR_FILE, describe_tensor
from nodes.wires.pictures import Image as Image
from nodes.wires.pictures import Mask as Mask
from nodes.wires.pictures import Signal as Signal
from nodes.training.dataset import Dataset
from nodes.training.folder import folder_digest
from nodes.training.networks import Network, PointModel, TextReader
from nodes.training.step import Objective


def _as_is(literal: Any, context: Context) -> Any:
    return literal


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
        read=read_seed,
    ),
]
Steps = Annotated[
    int | str,
    PortType(
        "Steps",
        "Steps to visit of a trained chain: 27, or 10,10,3,2,2 in equal sections, ddim50, fast27; empty: all.",
        literal="scalar",
        colour="#fcd34d",
        read=read_steps,
        example=lambda context: "2",
        widens_from=("int", "str"),
    ),
]
Label = Annotated[
    int | str,
    PortType(
        "Label",
        "A class: its number, or its name in the shapes world such as red circle; empty: none of them.",
        literal="scalar",
        colour="#f9a8d4",
        read=read_label,
        example=lambda context: 0,
        widens_from=("int", "str"),
    ),
]
Size = Annotated[
    int | list[int],
    PortType(
        "Size",
        "Pixels of a side, or [height, width].",
        literal="list",
        colour="#bef264",
        read=read_size,
        widens_from=("int", "list[int]"),
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

    def to(self, device: str) -> "Condition":
        """The same on a device."""
        held = {n: t for n in CONDITION_TENSORS if (t := getattr(self, n)) is not None}
        return replace(self, **{name: tensor.to(device) for name, tensor in held.items()})


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


def _check_condition(value: Condition) -> str | None:
    """Nothing but tensors, all of one number of rows, labels whole numbers."""
    parts = [t for n in CONDITION_TENSORS if (t := getattr(value, n)) is not None]
    if not all(isinstance(part, Tensor) and part.dim() for part in parts):
        return "tensors [R, …]"
    if len({len(part) for part in parts}) > 1:
        return "tensors of one number of rows"
    whole = value.labels is None or value.labels.dtype is torch.int64
    return None if whole else "labels int64 [R]"


def _check_noise(value: Noise[Any]) -> str | None:
    fits = isinstance(value.x_t, Tensor) and value.x_t.dtype is torch.float32
    return None if fits and 0 <= value.timestep < value.train_steps else "x_t float32 [B, …]"


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
    return f"{describe_tensor(value.x_t)}, {where}"


def _describe_schedule(value: Schedule) -> str:
    jumps = f", {value.jumps} jumps up, {len(value.visits)} visits" if value.jumps else ""
    return f"{value.kind}, {len(value)} of {value.train_steps} steps{jumps}"


def _describe_denoiser(value: Denoiser[Any]) -> str:
    calls = len(value.leaves)
    shape = list(value.sample_shape)
    return f"{type(value).__name__} of {shape}, {calls} network call{'s' * (calls != 1)}"


def _probe_denoiser(value: Denoiser[Any]) -> None:
    """Call the denoiser once on shapes, so that a wrong condition shows where the denoiser is made."""
    rows = value.rows
    value(
        torch.empty(rows, *value.sample_shape, device="meta"),
        torch.zeros(rows, dtype=torch.int64, device="meta"),
    )


def _read_noise(literal: Any, context: Context) -> NoiseSource:
    path = context.readable(str(literal))
    with naming(path):
        tensors = load_file(path)
    if "initial" not in tensors:
        raise ValueError(
            f"{path.name} holds no tensor 'initial'; it has {', '.join(sorted(tensors))}"
        )
    return RecordedNoise(tensors["initial"], tensors.get("steps"))


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
Stream = Annotated[str, Doc("Keeps the noise of stages that share a seed apart.")]

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
        check=_check_noise,
    ),
    NoiseSource: PortType(
        "NoiseSource",
        "Where noise comes from; a safetensors file with `initial` [B, …] and perhaps `steps` [S, B, …].",
        literal="path",
        colour="#94a3b8",
        parse=_read_noise,
        digest=digest,
    ),
    Condition: PortType(
        "Condition",
        "What a network is told beside x_t: a text, a class, a low-resolution picture, known pixels.",
        colour="#fb923c",
        dump=_dump_condition,
        load=_load_condition,
        describe=_describe_condition,
        check=_check_condition,
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
    ArPrior: AR_PRIOR,
    OpenClip: OPEN_CLIP,
    ClipTokens: CLIP_TOKENS,
    Pca: PCA,
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
