"""What checks and runs cost beside `import torch`, in CPU time, and what a second check costs beside a warm first one.

`python benchmarks/checks.py [--repeats N]`: medians; each process is counted whole. Prints a table in Markdown.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nodegraph.base.threads import wait_quietly
from nodegraph.options import Options
from nodegraph.session import Job, Session

GRAPH = "glide/text_to_image"
SAYS = ["-m", "nodegraph"]
COMMANDS: dict[str, tuple[list[str], bool]] = {
    "import torch": (["-c", "import torch"], False),
    "`--help`": ([*SAYS, "--help"], False),
    "`check --types`": ([*SAYS, "check", "--types", GRAPH], False),
    "`check`, cold": ([*SAYS, "check", GRAPH], True),
    "`check`, unchanged": ([*SAYS, "check", GRAPH], False),
    "`run`, nothing kept (`make demo`)": ([*SAYS, "run", GRAPH], True),
    "`run`, all kept": ([*SAYS, "run", GRAPH, "--device", "auto"], False),
}
"""What is called, and whether all that earlier ones kept is removed before."""
OPTIONS = Options(cached=False)
"""Checks that were kept are not asked: the nodes are called."""
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "`guidance`": {"guidance": 2.5},
    "`seed`": {"seed": 5},
    "`steps`": {"steps": 20},
    "`count`": {"count": 3},
    "`prompt`": {"prompt": "a blue star"},
}


def of_children(command: list[str], folder: Path, cold: bool) -> float:
    """CPU seconds of a process; `cold`: without results and checks that others kept, but with the catalogue.

    Python's compiled files are kept, as they are for whoever may write where it is installed.
    """
    if cold:
        shutil.rmtree(folder / "cache" / "results", ignore_errors=True)
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment = {**os.environ, **compiled, "NODEGRAPH_CACHE": str(folder / "cache")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = [sys.executable, *command]
    subprocess.run(whole, check=True, capture_output=True, cwd=folder, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processes(repeats: int) -> Iterator[str]:
    """A row for each command: seconds, and times `import torch`. They take turns, so that a slow minute slows all of them."""
    seen: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        for turn in range(repeats + 1):
            for command, (words, cold) in COMMANDS.items():
                seconds = of_children(words, Path(name), cold)
                if turn:
                    seen[command].append(seconds)
    middle = {command: statistics.median(found) for command, found in seen.items()}
    for command, seconds in middle.items():
        yield f"| {command} | {seconds:.2f} s | {seconds / middle['import torch']:.2f} |"


def timed(act: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    act()
    return time.process_time() - started


def second_checks(repeats: int) -> Iterator[str]:
    """A row for each change: milliseconds, times a warm first check, and how many nodes were called."""
    session = Session()
    graph = session.open(GRAPH)
    session.check(graph, Job(options=OPTIONS))

    def first() -> float:
        session.shapes.clear()
        return timed(lambda: session.check(graph, Job(options=OPTIONS)))

    warm = statistics.median(first() for _ in range(repeats))
    yield f"| first, warm | {warm * 1e3:.1f} ms | 1.00 | {session.shapes.calls // (repeats + 1)} |"
    for name, change in CHANGES.items():
        seconds, calls = list[float](), 0
        for _ in range(repeats):
            first()
            before = session.shapes.calls
            seconds.append(
                timed(lambda change=change: session.check(graph, Job(change, options=OPTIONS)))
            )
            calls = session.shapes.calls - before
        middle = statistics.median(seconds)
        yield f"| after {name} changed | {middle * 1e3:.1f} ms | {middle / warm:.2f} | {calls} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    wait_quietly()  # as commands do: threads that spin while they wait would be counted
    print(f"{GRAPH}\n\n| process | CPU | ÷ import torch |\n|---|---|---|")
    for row in processes(repeats):
        print(row)
    print("\n| check in one session | CPU | ÷ first | nodes called |\n|---|---|---|---|")
    for row in second_checks(repeats):
        print(row)


if __name__ == "__main__":
    main()
