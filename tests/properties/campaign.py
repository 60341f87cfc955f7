"""Many cases of chance: each by its seed, within bounds of time and memory; failures are counted and kept by kind."""

import resource
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

from nodegraph.base.diagnostics import Diagnostic

GROWTH = 500 * 2**20
"""Bytes by which the process may grow over all cases."""


class Hang(BaseException):
    """A case that has used up its time of the processor."""


class Wrong(AssertionError):
    """A case with an answer that is none."""


@dataclass
class Tally:
    """What came of many cases; `kinds` holds the first failure of each kind."""

    name: str
    cases: int = 0
    valid: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    slowest: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0
    start: int = 0
    growth: int = 0

    def answered(self, found: list[Diagnostic]) -> None:
        self.valid += all(fault.severity == "warning" for fault in found)
        self.codes.update({fault.code for fault in found})

    def failed(
        self, seed: int, case: object, error: BaseException, said: Callable[[str], None]
    ) -> None:
        self.failures += 1
        kind = kind_of(error)
        if kind not in self.kinds:
            trace = "".join(traceback.format_exception(error)[-12:])
            self.kinds[kind] = f"{self.name}, seed {seed}: {kind}\n{trace}\n{case}"
            said(self.kinds[kind])

    def spent(self, seed: int, seconds: float) -> None:
        self.cases += 1
        self.seconds += seconds
        self.slowest = max(self.slowest, (seconds, seed))
        self.start = self.start if self.cases > WARM else peak()
        self.growth = peak() - self.start

    def __str__(self) -> str:
        codes = ", ".join(f"{code} {count}" for code, count in sorted(self.codes.items()))
        return (
            f"{self.name}: {self.cases} cases, {self.valid} without an error, "
            f"{self.failures} failures of {len(self.kinds)} kinds\n  cases by code: {codes}\n"
            f"  CPU {self.seconds:.0f} s; slowest {self.slowest[0]:.2f} s (seed {self.slowest[1]}); "
            f"memory grew by {self.growth / 2**20:.0f} MB"
        )

    def passed(self) -> None:
        """Raises AssertionError with the first failure of every kind."""
        assert not self.kinds, "\n\n".join(self.kinds.values())
        assert self.growth < GROWTH, f"memory grew by {self.growth / 2**20:.0f} MB"


def peak() -> int:
    """The most memory that the process has had, in bytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Raises Hang in the body after so many seconds of this thread's CPU time; others may be at work in the process."""
    end = time.thread_time() + seconds

    def hang(*_: object) -> None:
        left = end - time.thread_time()
        if left <= 0.01:
            raise Hang(f"more than {seconds:g} s of CPU")
        signal.setitimer(signal.ITIMER_PROF, left)

    before = signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


WARM = 50
"""Cases after which memory counts: what is imported and cached once is no growth."""


C = TypeVar("C")


def campaign(
    name: str,
    seeds: range,
    make: Callable[[Random], C],
    act: Callable[[C], list[Diagnostic]],
    seconds: float,
    said: Callable[[str], None] = lambda _: None,
) -> Tally:
    """Try a case of every seed, each within so many seconds of its thread's CPU time. Failures are kept by kind."""
    tally = Tally(name)
    for seed in seeds:
        case = make(Random(seed))
        begun = time.thread_time()
        try:
            with bounded(seconds):
                tally.answered(act(case))
        except (Exception, Hang, SystemExit) as error:
            tally.failed(seed, case, error, said)
        tally.spent(seed, time.thread_time() - begun)
        if tally.cases % max(1, len(seeds) // 40) == 0:
            said(str(tally))
    return tally


def kind_of(error: BaseException) -> str:
    """The error and the innermost place in the product where it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/nodegraph/" in f.filename or "/nodes/" in f.filename] or frames
    places = [f"{Path(f.filename).name}:{f.name}" for f in own[-1:]]
    what = str(error).split("\n")[0][:60] if isinstance(error, Wrong) else ""
    return f"{type(error).__name__} in {' '.join(places)} {what}"
