"""How many threads torch has, and how they wait for each other."""

import os
from collections.abc import Mapping


def wait_quietly() -> None:
    """Let threads sleep while they wait, where nothing else is asked for; counts for a torch that is imported later.

    Threads that spin while they wait made a run seventy times slower on a machine that did other work too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")


def cores_here() -> int:
    """Cores that this process may use."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return own or 1


def threads_asked_for() -> int | None:
    """The number of threads of a process that the environment says; None where it says none."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(given)) if given.isdigit() else None


def kept_here() -> dict[str, str]:
    """What the environment says of where the program keeps things, for other processes of this machine."""
    names = ("NODEGRAPH_CACHE", "NODEGRAPH_MODELS")
    return {name: os.environ[name] for name in names if name in os.environ}


def set_environment(values: Mapping[str, str], over: bool = True) -> None:
    """Set variables of this process before the libraries that read them are imported; `over`: also those that are set."""
    for name, value in values.items():
        if over or name not in os.environ:
            os.environ[name] = value


def shared_out(processes: int) -> dict[str, str]:
    """The environment of each of several processes: their threads together are as many as there are cores.

    A number of threads that is asked for already stays.
    """
    threads = str(max(1, cores_here() // processes))
    return {"OMP_NUM_THREADS": threads, **os.environ}
