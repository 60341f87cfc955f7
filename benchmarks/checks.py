"""What checks and runs cost beside `import torch`, in CPU time, and what a second check costs beside a warm first one.

`python benchmarks/checks.py [--repeats N]`: medians; each process is counted whole. Prints a table in Markdown.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from nodegraph.session import Job, Session

GRAPH = "glide/text_to_image"
COMMANDS = {
    "import torch": ["-c", "import torch"],
    "`--help`": ["-m", "nodegraph", "--help"],
    "`check --types`": ["-m", "nodegraph", "check", "--types", GRAPH],
    "`check`": ["-m", "nodegraph", "check", GRAPH],
    "`run`, all kept": ["-m", "nodegraph", "run", GRAPH, "--quiet"],
}
CHANGES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "`guidance`": {"guidance": 2.5},
    "`seed`": {"seed": 5},
    "`steps`": {"steps": 20},
    "`count`": {"count": 3},
    "`prompt`": {"prompt": "a blue star"},
}


def of_children(command: list[str], folder: str) -> float:
    """CPU seconds of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *command], check=True, capture_output=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def processes(repeats: int) -> Iterator[str]:
    """A row for each command: seconds, and times `import torch`."""
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS.values():
            of_children(command, folder)
        seen = {
            name: statistics.median(of_children(command, folder) for _ in range(repeats))
            for name, command in COMMANDS.items()
        }
    for name, seconds in seen.items():
        yield f"| {name} | {seconds:.2f} s | {seconds / seen['import torch']:.2f} |"


def timed(act: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    act()
    return time.process_time() - started


def second_checks(repeats: int) -> Iterator[str]:
    """A row for each change: milliseconds, times a warm first check, and how many nodes were called."""
    session = Session()
    graph = session.open(GRAPH)
    session.check(graph, Job())

    def first() -> float:
        session.shapes.clear()
        return timed(lambda: session.check(graph, Job()))

    warm = statistics.median(first() for _ in range(repeats))
    yield f"| first, warm | {warm * 1e3:.1f} ms | 1.00 | {session.shapes.calls // (repeats + 1)} |"
    for name, change in CHANGES.items():
        seconds, calls = list[float](), 0
        for _ in range(repeats):
            first()
            before = session.shapes.calls
            seconds.append(timed(lambda change=change: session.check(graph, Job(change))))
            calls = session.shapes.calls - before
        middle = statistics.median(seconds)
        yield f"| after {name} changed | {middle * 1e3:.1f} ms | {middle / warm:.2f} | {calls} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print(f"{GRAPH}\n\n| process | CPU | ÷ import torch |\n|---|---|---|")
    for row in processes(repeats):
        print(row)
    print("\n| check in one session | CPU | ÷ first | nodes called |\n|---|---|---|---|")
    for row in second_checks(repeats):
        print(row)


if __name__ == "__main__":
    main()
