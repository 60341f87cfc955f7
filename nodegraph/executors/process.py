"""A worker beside this process, seen from it: a process, and the pipes to it."""

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BufferedReader
from queue import SimpleQueue
from typing import IO, Any, cast

from nodegraph.executors.tasks import Ending, Heard, Worker
from nodegraph.executors.worker import COMMAND, Place


@dataclass(eq=False)
class Process(Worker):
    """A process of its own, spawned and never forked."""

    process: subprocess.Popen[bytes]

    @property
    def alive(self) -> bool:
        """See `Worker`."""
        return self.process.poll() is None

    def send(self, message: Any) -> None:
        """See `Worker`."""
        with suppress(OSError, ValueError):
            stream = cast("IO[bytes]", self.process.stdin)
            pickle.dump(message, stream)
            stream.flush()

    def kill(self) -> None:
        """See `Worker`."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        with suppress(OSError):
            cast("IO[bytes]", self.process.stdin).close()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()

    def printed(self, most: int) -> bytes:
        """See `Worker`."""
        found = b""
        with suppress(OSError, ValueError):  # it is stopped meanwhile
            stream = cast("BufferedReader | None", self.process.stderr)
            while stream is not None and len(found) < most and (read := stream.read1(most)):
                found += read
        return found

    def ended(self) -> Ending:
        """See `Worker`."""
        code = self.process.returncode
        if code >= 0:
            return Ending(f"ended with code {code}", True)
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return Ending(f"was killed ({name})", False, code == -signal.SIGKILL)


def started(
    place: Place,
    environment: Mapping[str, str],
    heard: SimpleQueue[Heard | None],
    printed: int | None = None,
) -> Process:
    """Start a worker; `printed` is where its standard error goes, None: to this process's. Raises OSError."""
    pipe = subprocess.PIPE
    command = [sys.executable, *COMMAND]
    process = subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=printed, env=dict(environment), process_group=0
    )
    worker = Process(process, pid=process.pid)
    threading.Thread(target=_listen, args=(worker, heard), daemon=True).start()
    worker.send(place)
    return worker


def _listen(worker: Process, heard: SimpleQueue[Heard | None]) -> None:
    """Put what a worker tells into the queue, until it has ended."""
    # Half a message is that of a process that was killed.
    with cast("IO[bytes]", worker.process.stdout) as stream, suppress(Exception):
        while True:
            heard.put((worker, pickle.load(stream)))
    heard.put((worker, None))
