"""Drawings on the wires."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nodegraph.library.port import PortType


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


PORT_TYPES = {
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
}
