"""The shipped models on a card beside the CPU: the same pictures in float32, pictures that the oracle reads in half precision,
one training step, steps a second and peak memory. `python benchmarks/gpu.py [--device cuda] [--out FILE] [--only WORD…]`.

Every line is printed and kept as it comes; a fault in one does not stop the others, and the exit status tells. With
`--device cpu` the CPU stands beside itself, in few steps: a rehearsal.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import nodegraph
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.runtime.events import Completed, Stepped
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, registry
from nodes.checkpoints.catalogue import shipped_folder
from nodes.library.evaluation.scenes import held_out_scenes
from nodes.library.masks import mask_rectangle
from nodes.shapes.oracle import judge
from nodes.wires.pictures import to_bytes

SHARE = 0.995
"""Of the pixels of a picture in float32, this share is within one level of 255 of the CPU's."""
LOSS = {"float32": 1e-3, "bfloat16": 3e-2}
"""How far the losses of a training may be from the CPU's in float32, relatively."""
HALF = ("bfloat16", "float16")
TRAINING = """
graph: 1
inputs:
  numbers: {type: str, default: float32, menu: [float32, bfloat16]}
nodes:
  pictures: {type: shapes_dataset, size: 32}
  drawing:  {type: network, like: shapes/glide/base, start: shapes/glide/base}
  velocity: {type: v_objective, kind: cosine, gamma: 5.0, dropout: 0.12}
  training:
    type: trainer
    network: $drawing
    objective: $velocity
    dataset: $pictures
    run_dir: training
    steps: 2
    batch_size: 16
    interval: 100
    optimiser: muon
    precision: $numbers
outputs:
  history: $training.history
"""


@dataclass(frozen=True)
class Case:
    """A shipped graph, what it is given, the caption that its pictures are judged by, and the models that it is about."""

    graph: str
    caption: str
    models: tuple[str, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[str, ...] = ("steps",)


@dataclass(frozen=True)
class Drawn:
    """Pictures [B, 3, H, W] on the CPU, how many steps all samplers took, and in how many seconds."""

    pictures: Tensor
    steps: int
    seconds: float


@dataclass
class Sheet:
    """Where the lines go, and how many of them tell of something wrong."""

    out: Path | None
    wrong: int = 0

    def line(self, word: str, text: str) -> None:
        """Print and keep one line: `ok`, `WRONG` or `FAULT`, `note`."""
        self.wrong += word in ("WRONG", "FAULT")
        said = f"{word:<5} {text}"
        print(said, flush=True)
        if self.out is not None:
            with self.out.open("a", encoding="utf-8") as file:
                file.write(said + "\n")


@dataclass(frozen=True)
class Where:
    """What is measured: the device, how many pictures in how many steps, and where trainings are put."""

    device: str
    count: int
    steps: str
    folder: Path


@cache
def cases() -> tuple[Case, ...]:
    scene = held_out_scenes(1, 1, 128, 4).images
    known = {"image": scene, "mask": mask_rectangle(0.0, 0.5, 1.0, 1.0, size=128)}
    glide = ("glide/base", "glide/upsample")
    unclip = tuple(
        f"unclip/{part}" for part in ("clip", "prior", "decoder", "upsample_1", "upsample_2")
    )
    three = ("prior_steps", "decoder_steps", "upsample_steps")
    star = {"prompt": "a blue star", **known}
    return (
        Case("glide/text_to_image", "a red circle", glide, {"prompt": "a red circle"}),
        Case("unclip/text_to_image", "a red circle", unclip, {"prompt": "a red circle"}, three),
        Case("guidance/clip_text", "a red circle", ("glide/base", "glide/clip")),
        Case("guidance/classifier", "a red circle", ("adm/diffusion", "adm/classifier")),
        Case("glide/inpaint_training_free", "a blue star", glide, {**star, "jump": 1, "resamples": 2}),
        Case("glide/inpaint", "a blue star", ("glide/inpaint", "glide/upsample_inpaint"), star),
    )  # fmt: skip


def draw(case: Case, where: Where, device: str, precision: str = "float32", seed: int = 7) -> Drawn:
    graph = nodegraph.load(
        case.graph, device=device, precision=precision, cached=False, out=where.folder
    )
    given = {
        **case.inputs,
        **dict.fromkeys(case.steps, where.steps),
        "count": where.count,
        "seed": seed,
    }
    started, steps, outputs = time.perf_counter(), 0, dict[str, Any]()
    for event in graph.events(**given):
        steps += isinstance(event, Stepped)
        outputs = dict(event.outputs) if isinstance(event, Completed) else outputs
    pictures = outputs["image"].float().cpu()
    return Drawn(pictures, steps, time.perf_counter() - started)


def right(case: Case, drawn: Drawn) -> int:
    """How many of the pictures show what was asked for, by the oracle."""
    return sum(
        judge(case.caption, picture).colour_and_shape for picture in to_bytes(drawn.pictures)
    )


def near(a: Tensor, b: Tensor) -> float:
    """The share of pixels that are one by one within a level of 255 of each other."""
    return float(((a - b).abs() <= 2 / 255 + 1e-6).float().mean())


def forget(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak(device: str) -> str:
    """The most memory that was taken: of the card since `forget`, or of the process."""
    if device.startswith("cuda"):
        return f"{torch.cuda.max_memory_allocated() / 2**20:,.0f} MiB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:,.0f} MiB (process)"


def speed(case: Case, where: Where, precision: str) -> str:
    """Steps a second of a run whose models are loaded anew, once the device is warm; another seed, so that nothing is known."""
    drawn = draw(case, where, where.device, precision, seed=8)
    return f"{drawn.steps / drawn.seconds:,.1f} steps/s, {peak(where.device)}"


def pictures_of(case: Case, where: Where) -> Iterator[tuple[str, str]]:
    """The lines of a case: float32 beside the CPU's, and half precision by the oracle."""
    missing = [name for name in case.models if shipped_folder(f"shapes/{name}") is None]
    if missing:
        yield "note", f"{case.graph}: left out, {', '.join(missing)} is not here"
        return
    here = draw(case, where, "cpu")
    wanted = right(case, here)
    yield (
        "note",
        f"{case.graph} cpu float32: {here.steps / here.seconds:,.1f} steps/s, {wanted} of {where.count} right",
    )
    forget(where.device)
    there = draw(case, where, where.device)
    share = near(here.pictures, there.pictures)
    told = f"{share:.2%} of pixels within 1/255, {right(case, there)} of {where.count} right"
    word = "ok" if share >= SHARE else "WRONG"
    yield word, f"{case.graph} {where.device} float32: {told}, {speed(case, where, 'float32')}"
    for precision in HALF:
        forget(where.device)
        drawn = draw(case, where, where.device, precision)
        found = right(case, drawn)
        told = f"{found} of {where.count} right, {near(here.pictures, drawn.pictures):.2%} within 1/255"
        word = (
            "ok"
            if found >= wanted - max(1, where.count // 4) and drawn.pictures.isfinite().all()
            else "WRONG"
        )
        yield (
            word,
            f"{case.graph} {where.device} {precision}: {told}, {speed(case, where, precision)}",
        )


def losses(where: Where, device: str, precision: str) -> tuple[list[float], float]:
    """The losses of a training of a few steps, and its seconds."""
    source = SourceText("training.yaml", TRAINING)
    out = Path(tempfile.mkdtemp(dir=where.folder))
    request = Request({"numbers": precision})
    program = compile_graph(source, registry(), request).checked()
    engine = Session().engine(Recorded(source), Options(device=device, out=out, cached=False))
    started = time.perf_counter()
    *_, last = engine.run(program)
    assert isinstance(last, Completed)
    return [
        float(loss) for loss in last.outputs["history"].column("loss")
    ], time.perf_counter() - started


def training(where: Where) -> Iterator[tuple[str, str]]:
    """The lines of a training of GLIDE's base network, of 16 pictures a step."""
    here, seconds = losses(where, "cpu", "float32")
    yield "note", f"training cpu float32: loss {here[-1]:.6f}, {seconds:.1f} s"
    for precision, bound in LOSS.items():
        forget(where.device)
        there, seconds = losses(where, where.device, precision)
        away = max(abs(a - b) / abs(a) for a, b in zip(here, there, strict=True))
        told = f"loss {there[-1]:.6f}, {away:.1e} away, {seconds:.1f} s, {peak(where.device)}"
        yield "ok" if away <= bound else "WRONG", f"training {where.device} {precision}: {told}"


def about(device: str) -> str:
    card = (
        torch.cuda.get_device_name()
        if device.startswith("cuda")
        else f"{torch.get_num_threads()} threads"
    )
    return f"torch {torch.__version__}, {device}: {card}; {time.strftime('%Y-%m-%d %H:%M')}"


def all_lines(sheet: Sheet, work: Mapping[str, Callable[[], Iterator[tuple[str, str]]]]) -> None:
    """Do all the work; what goes wrong in one part of it is a line."""
    for name, part in work.items():
        try:
            for word, text in part():
                sheet.line(word, text)
        except Exception as error:
            first = str(error).partition("\n")[0]
            sheet.line("FAULT", f"{name}: {type(error).__name__}: {first}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, help="a file to which every line is added")
    parser.add_argument(
        "--only", nargs="*", default=[], help="parts whose names hold one of these words"
    )
    parser.add_argument("--count", type=int, default=0, help="pictures of each case")
    parser.add_argument("--steps", default="", help="steps of each sampler")
    given = parser.parse_args(arguments)
    few = given.device == "cpu"
    sheet = Sheet(given.out)
    with tempfile.TemporaryDirectory() as folder:
        where = Where(
            given.device,
            given.count or (1 if few else 8),
            given.steps or ("2" if few else "25"),
            Path(folder),
        )
        work = {case.graph: partial(pictures_of, case, where) for case in cases()}
        work |= {"training": partial(training, where)}
        chosen = {
            n: part
            for n, part in work.items()
            if not given.only or any(word in n for word in given.only)
        }
        all_lines(sheet, {"device": lambda: iter([("note", about(given.device))]), **chosen})
    sheet.line("note", f"{sheet.wrong} wrong" if sheet.wrong else "all is well")
    return 1 if sheet.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
