"""Python's search for garbage, which the command line puts off while it checks a graph."""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Generator[None]:
    """No garbage is looked for meanwhile: a checked graph is a great many small objects, and all of them stay.

    For processes of our own alone: callers from Python have objects of theirs.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # What has been made is old now: it is not looked through as soon as the search goes on.
        gc.freeze()
        gc.unfreeze()
        if enabled:
            gc.enable()
