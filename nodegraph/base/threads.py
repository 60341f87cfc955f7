"""How the threads of torch wait for each other."""

import os


def wait_quietly() -> None:
    """Let threads sleep while they wait, where nothing else is asked for; counts for a torch that is imported later.

    Threads that spin while they wait made a run seventy times slower on a machine that did other work too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
