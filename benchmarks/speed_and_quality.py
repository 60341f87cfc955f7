"""What presets cost and how well they draw: CPU seconds inside the networks, and what the oracle reads, caption by caption.

`OMP_NUM_THREADS=1 python benchmarks/speed_and_quality.py --graph glide/text_to_image --out found.jsonl [--captions N]`: every
preset draws the same held-out captions with the same seeds, in blocks that are added to the file as they come (a run that was
stopped goes on); then the file as a table in Markdown: means, ratios of seconds, and paired differences of accuracy with
95 % intervals of the bootstrap (Efron 1979) over captions. `--table` reads the file alone.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

PRESETS = ("", "fast", "draft")
BLOCK = 10
RESAMPLES = 10_000
PARTS = ("colour_and_shape", "correct")


def timed_networks() -> list[float]:
    """Make calls of networks add their CPU seconds to the list that comes back."""
    from nodes.diffusion import denoisers

    spent, part = [0.0], denoisers._Group.part

    def counted(*given: Any) -> Any:
        started = time.process_time()
        try:
            return part(*given)
        finally:
            spent[0] += time.process_time() - started

    denoisers._Group.part = counted
    return spent


def captions(count: int) -> list[str]:
    """Held-out captions, half of them with one object, half with two, in turns."""
    from nodes.library.evaluation.scenes import held_out_scenes

    one, two = (held_out_scenes(count // 2, objects, 16).captions for objects in (1, 2))
    return [caption for pair in zip(one, two, strict=True) for caption in pair]


def measured(graph: str, count: int, out: Path, seconds: float) -> None:
    """Draw what the file has not yet, for as many seconds."""
    import nodegraph
    from nodes.library.evaluation.accuracy import shapes_oracle

    spent, wanted, started = timed_networks(), captions(count), time.monotonic()
    known = {(row["graph"], row["preset"], row["block"]) for row in rows_of(out)}
    loaded = nodegraph.load(graph, cached=False)
    loaded(preset="draft")  # reads the models
    for block in range(0, count, BLOCK):
        for preset in PRESETS:
            if time.monotonic() - started > seconds:
                return
            if (graph, preset, block) in known:
                continue
            told, spent[0] = wanted[block : block + BLOCK], 0.0
            cells = {"prompt+seed": [[text, block + i] for i, text in enumerate(told)]}
            drawn = [result.image for _, result in loaded.each(preset=preset or None, **cells)]
            verdicts = [shapes_oracle(p, [text]) for p, text in zip(drawn, told, strict=True)]
            row = {"graph": graph, "preset": preset, "block": block, "seconds": spent[0]}
            row |= {part: [v.column(part)[0] for v in verdicts] for part in PARTS}
            with out.open("a") as file:
                file.write(json.dumps(row) + "\n")


def rows_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def interval(differences: np.ndarray) -> tuple[float, float]:
    """The middle 95 % of the means of resamples [N]."""
    rng = np.random.default_rng(0)
    means = rng.choice(differences, (RESAMPLES, len(differences))).mean(1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


HEAD = (
    "| graph | preset | captions | CPU s a picture | ÷ default | colour and shape | all that is said |"
    " difference of both, in points, with 95 % |\n|---|---|--:|--:|--:|--:|--:|---|"
)
Blocks = dict[int, dict[str, Any]]


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The table: a line for each graph and preset, over the blocks that the default and it have both."""
    found: dict[tuple[str, str], Blocks] = defaultdict(dict)
    for row in rows:
        found[row["graph"], row["preset"]][row["block"]] = row
    yield HEAD
    for (graph, preset), blocks in found.items():
        default = found[graph, ""]
        both = sorted(blocks.keys() & default.keys())
        if both:
            cells = compared([blocks[b] for b in both], [default[b] for b in both])
            yield f"| `{graph}` | {preset or 'default'} | {' | '.join(cells)} |"


def compared(own: list[dict[str, Any]], other: list[dict[str, Any]]) -> list[str]:
    """What a preset cost and how well it drew, beside the default in the same blocks."""
    right = {p: np.array([float(v) for row in own for v in row[p]]) for p in PARTS}
    before = {p: np.array([float(v) for row in other for v in row[p]]) for p in PARTS}
    spent, usual = (sum(row["seconds"] for row in some) for some in (own, other))
    count = len(right[PARTS[0]])
    said: list[str] = []
    for p in PARTS:
        low, high = interval(right[p] - before[p])
        mean = (right[p] - before[p]).mean()
        said.append(f"{100 * mean:+.1f} ({100 * low:+.1f} … {100 * high:+.1f})")
    shares = [f"{100 * right[p].mean():.1f} %" for p in PARTS]
    return [str(count), f"{spent / count:.3f}", f"{spent / usual:.3f}", *shares, "; ".join(said)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", default="glide/text_to_image")
    parser.add_argument("--captions", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path("speed_and_quality.jsonl"))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which it ends")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    if not given.table:
        measured(given.graph, given.captions, given.out, given.seconds)
    print("\n".join(lines(rows_of(given.out))))


if __name__ == "__main__":
    main()
