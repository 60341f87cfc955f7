"""The peak of a whole unCLIP call beside diffusers' on the same weights: resident memory of a process each, in turns.

`OMP_NUM_THREADS=1 python benchmarks/memory.py [--pairs N] [--count N]`: medians in MiB and of ratios, in Markdown. The folder
is that of `networks.py`; two steps of each network are enough, since a step takes what another takes.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from networks import made, whole

STEPS = (2, 2, 2)
MOST = 1.03
"""What ours may take of theirs."""


def peak() -> float:
    """MiB of this process at its fullest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drawn(folder: Path, count: int, which: int, low_memory: bool) -> float:
    """The peak of a process that draws, ours (0) or theirs (1)."""
    whole(folder, count, STEPS, only=which, low_memory=low_memory)[which]()
    return peak()


def elsewhere(*given: object) -> float:
    """The same, of a process of its own."""
    command = [sys.executable, __file__, "--of", *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def line(what: str, ours: list[float], theirs: list[float]) -> str:
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    met = "yes" if ratio <= MOST else "no"
    both = " | ".join(f"{statistics.median(of):.0f}" for of in (ours, theirs))
    return f"| {what} | {both} | **{ratio:.3f}** | ≤ {MOST} | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--of", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of:
        folder, count, which, low = given.of
        print(drawn(Path(folder), int(count), int(which), low == "True"))
        return
    with tempfile.TemporaryDirectory() as folder:
        made(Path(folder))
        print("| whole call | ours, MiB | diffusers | ours ÷ diffusers | asked | met |")
        print("|---|--:|--:|--:|--:|---|")
        for low in (False, True):
            pairs = [
                (elsewhere(folder, given.count, 0, low), elsewhere(folder, given.count, 1, False))
                for _ in range(given.pairs)
            ]
            ours, theirs = (list(column) for column in zip(*pairs, strict=True))
            print(line("--low-memory" if low else "as it is", ours, theirs), flush=True)


if __name__ == "__main__":
    main()
