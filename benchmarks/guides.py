"""What a guide costs a step: CPU seconds and memory of GLIDE's base alone, and under each guide, in turns.

`OMP_NUM_THREADS=1 python benchmarks/guides.py [--rounds N] [--rows N] [--steps N]`: medians over rounds and of ratios to the
network alone, in Markdown. Seconds are those of a picture's step; memory is what a process of its own grows by at most
while it makes a step of `rows` pictures, its networks being read.
"""

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

NAME = "a red circle"
STEPS = 1000
"""Of the schedule that steps are taken of: the first few alone are run."""


def network(text: str) -> Any:
    from nodes import load_model, text_encoder, unet_denoiser

    model = load_model("shapes/glide/base")
    return unet_denoiser(model, [text_encoder(model, text)])


def free() -> Any:
    from nodes import classifier_free_guidance, load_model, text_encoder, unet_denoiser

    model = load_model("shapes/glide/base")
    cond, uncond = (unet_denoiser(model, [text_encoder(model, text)]) for text in (NAME, ""))
    return classifier_free_guidance(cond, uncond, 3.0)


def by_clip() -> Any:
    from nodes import clip_guidance, load_model

    return clip_guidance(network(NAME), load_model("shapes/glide/clip"), NAME, 3.0)


def by_classifier() -> Any:
    from nodes import classifier_guidance, label, load_model

    classifier = load_model("shapes/adm/classifier")
    return classifier_guidance(network(""), classifier, label([NAME.removeprefix("a ")]), 3.0)


GUIDES: dict[str, Callable[[], Any]] = {
    "the network alone": lambda: network(NAME),
    "classifier-free": free,
    "noised CLIP": by_clip,
    "classifier": by_classifier,
}


def seconds(guide: str, rows: int, steps: int) -> float:
    """CPU seconds of a step for each picture, the first step left out: it reads weights."""
    from nodes import ancestral_sampler, load_model, noise_scheduler

    schedule = noise_scheduler(load_model("shapes/glide/base"), steps=STEPS)
    sampling = ancestral_sampler(GUIDES[guide](), schedule, count=rows)
    next(sampling)
    started = time.process_time()
    for _ in range(steps):
        next(sampling)
    return (time.process_time() - started) / steps / rows


def memory(guide: str, rows: int) -> float:
    """MiB by which this process grows at most while it makes a step of `rows` pictures, its networks being read."""
    seconds(guide, 1, 1)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = held("VmRSS")
    seconds(guide, rows, 1)
    return held("VmHWM") - before


def held(what: str) -> float:
    """MiB of this process now (VmRSS) or at most (VmHWM). Linux."""
    status = Path("/proc/self/status").read_text()
    return int(re.findall(rf"{what}:\s+(\d+) kB", status)[0]) / 1024


def elsewhere(guide: str, rows: int) -> float:
    """The memory of a process of its own."""
    command = [sys.executable, __file__, "--of", guide, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def line(guide: str, spent: dict[str, list[float]], taken: dict[str, list[float]]) -> str:
    alone = next(iter(GUIDES))
    cells = [f"{1e3 * statistics.median(spent[guide]):.2f}", ratio(spent[guide], spent[alone])]
    cells += [f"{statistics.median(taken[guide]):.0f}", ratio(taken[guide], taken[alone])]
    return f"| {guide} | {' | '.join(cells)} |"


def ratio(found: list[float], alone: list[float]) -> str:
    """The median of the ratios of rounds, and their range."""
    ratios = [a / b for a, b in zip(found, alone, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} … {max(ratios):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--of", choices=list(GUIDES), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of:
        print(memory(given.of, given.rows))
        return
    spent: dict[str, list[float]] = {guide: [] for guide in GUIDES}
    taken: dict[str, list[float]] = {guide: [] for guide in GUIDES}
    for guide in GUIDES:
        seconds(guide, given.rows, 1)  # what a process does once is done
    for _ in range(given.rounds):
        for guide in GUIDES:
            spent[guide].append(seconds(guide, given.rows, given.steps))
            taken[guide].append(elsewhere(guide, given.rows))
    print(f"| guide | ms a step and picture | ÷ alone | MiB for {given.rows} pictures | ÷ alone |")
    print("|---|--:|--:|--:|--:|")
    for guide in GUIDES:
        print(line(guide, spent, taken))


if __name__ == "__main__":
    main()
