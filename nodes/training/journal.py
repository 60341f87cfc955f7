"""What is written beside a training while it runs: `metrics.jsonl`, a growing sheet of samples, and files for TensorBoard."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nodegraph.base.partial import replacing, write_text
from nodes.training.state import Record

METRICS, SAMPLES, SHEET = "metrics.jsonl", "samples", "samples.png"
MOST_ROWS = 24
"""Rows of the sheet; of more samples some are left out, evenly."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a training goes: `pictures` a second since the row before, and `left` seconds to its end."""

    pictures: float
    left: float

    def __str__(self) -> str:
        minutes, seconds = divmod(round(self.left), 60)
        hours, minutes = divmod(minutes, 60)
        left = f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
        return f"{self.pictures:.3g} pictures/s, {left} left"


def pace(history: Sequence[Record], batch_size: int, steps: int) -> Pace:
    """The pace of the last row of a curve."""
    last = history[-1]
    before = history[-2] if len(history) > 1 else Record(0, 0.0, 0.0, 0.0)
    seconds = max(last.seconds - before.seconds, 1e-9)
    made = last.step - before.step
    return Pace(made * batch_size / seconds, (steps - last.step) * seconds / max(made, 1))


@dataclass(frozen=True, slots=True)
class Journal:
    """The files of a training in its `folder`; TensorBoard's only where its package is installed."""

    folder: Path
    batch_size: int
    board: Any = field(default=None, compare=False)

    def begin(self, history: Sequence[Record]) -> None:
        """Write the curve so far: what a killed training wrote after its last saving goes."""
        rows = [self._line(history[: number + 1]) for number in range(len(history))]
        write_text(self.folder / METRICS, "".join(rows))

    def row(self, history: Sequence[Record]) -> None:
        """Add the last row of the curve."""
        with (self.folder / METRICS).open("a", encoding="utf-8") as file:
            file.write(self._line(history))
        if self.board is not None:
            for name, value in self._values(history).items():
                self.board.add_scalar(name, value, history[-1].step)
            self.board.flush()

    def samples(self, step: int, levels: np.ndarray) -> None:
        """Keep samples uint8 [N, H, W, 3], and write the sheet of all: a row for each time, the latest last."""
        latest = np.concatenate(levels, 1)
        write_png(self.folder / SAMPLES / f"{step:09}.png", latest)
        found = sorted((self.folder / SAMPLES).glob("[0-9]" * 9 + ".png"))
        rows = [row for row in found if int(row.stem) <= step]
        shown = {rows[round(i)] for i in np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS))}
        strips = [_strip(row) for row in sorted(shown)]
        fitting = [s for s in strips if s is not None and s.shape == latest.shape]
        write_png(self.folder / SHEET, np.concatenate(fitting))
        if self.board is not None:
            self.board.add_images("samples", levels, step, dataformats="NHWC")

    def _values(self, history: Sequence[Record]) -> dict[str, float]:
        last = history[-1]
        speed = pace(history, self.batch_size, last.step).pictures
        return {
            "loss": last.loss,
            "learning_rate": last.learning_rate,
            "pictures_per_second": speed,
        }

    def _line(self, history: Sequence[Record]) -> str:
        last = history[-1]
        return (
            json.dumps({"step": last.step, **self._values(history), "seconds": last.seconds}) + "\n"
        )


def journal(folder: Path, batch_size: int, step: int) -> Journal:
    """The journal of a training that stands at a step. What TensorBoard was told of later steps is taken back."""
    return Journal(folder, batch_size, _board(folder / "tensorboard", step))


def _board(folder: Path, step: int) -> Any:
    """A writer for TensorBoard; None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step)


def _strip(path: Path) -> np.ndarray | None:
    """The levels of a picture; None of what is none, which somebody else put there."""
    try:
        return np.asarray(Image.open(path).convert("RGB"))
    except (OSError, Image.DecompressionBombError):
        return None


def write_png(path: Path, levels: np.ndarray) -> None:
    """Write a picture uint8 [H, W, 3], whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as made:
        Image.fromarray(levels).save(made)
