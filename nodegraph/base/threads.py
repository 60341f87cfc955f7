"""How many threads torch has, and how they wait for each other."""

import os


def wait_quietly() -> None:
    """Let threads sleep while they wait, where nothing else is asked for; counts for a torch that is imported later.

    Threads that spin while they wait made a run seventy times slower on a machine that did other work too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def shared_out(processes: int) -> dict[str, str]:
    """The environment of each of several processes: their threads together are as many as there are cores.

    A number of threads that is asked for already stays.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = str(max(1, (cores or 1) // processes))
    return {"OMP_NUM_THREADS": threads, **os.environ}
