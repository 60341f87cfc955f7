"""Wakes whoever waits for something new: threads and coroutines. A bell that rings often is heard at least once."""

import asyncio
import threading
from dataclasses import dataclass, field

Sleeper = tuple[asyncio.AbstractEventLoop, asyncio.Event]


@dataclass(slots=True)
class Bell:
    """Counts how often it rang; who saw an older count has not heard the newest."""

    _count: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _sleepers: set[Sleeper] = field(default_factory=set[Sleeper])

    @property
    def count(self) -> int:
        return self._count

    def ring(self) -> None:
        """Wake them all."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
            sleepers, self._sleepers = self._sleepers, set()
        for loop, event in sleepers:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    def wait(self, seen: int, seconds: float) -> int:
        """Wait until it rang more often than `seen`, or for a time; the count then."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > seen, seconds)
            return self._count

    async def heard(self, seen: int, seconds: float) -> int:
        """As `wait`, for a coroutine."""
        sleeper = (asyncio.get_running_loop(), asyncio.Event())
        with self._changed:
            if self._count > seen:
                return self._count
            self._sleepers.add(sleeper)
        try:
            async with asyncio.timeout(seconds):
                await sleeper[1].wait()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._sleepers.discard(sleeper)
        return self._count
