"""Connections, bounded: who opens them and says nothing, or says it slowly, cannot keep others out."""

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from server.problems import Problem

MOST = 512
"""Connections that are open at the same time; a stream of events is one."""
HEAD_SECONDS = 15.0
"""Within which the head of a request must be there, from its first byte, or from the opening of the connection, on."""


class Bounded(H11Protocol):
    """uvicorn's protocol with a time for heads, a bound of connections, and problems for what is no HTTP."""

    _late: asyncio.TimerHandle | None = None

    @property
    def waits(self) -> bool:
        """Whether no request is on its way to an answer."""
        return cast("object", self.cycle) is None or self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request. Beyond the bound the one that has waited longest goes, or this one."""
        super().connection_made(transport)
        self._expect()
        if len(self.connections) <= MOST:
            return
        others = (one for one in self.connections if isinstance(one, Bounded) and one._late)
        oldest = min(others, key=lambda one: one._late.when() if one._late else 0.0)
        if oldest is self:
            told = Problem(503, "busy", "too many connections are open", {"retry-after": "5"})
            self._refuse(told)
        else:
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what comes; a head that has begun must end in time."""
        super().data_received(data)
        if not self.waits:
            self._heard()
        elif self._late is None and not self.transport.is_closing():
            self._expect()

    def _expect(self) -> None:
        self._late = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _heard(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def send_400_response(self, msg: str) -> None:
        """Say what is wrong with something that is no HTTP, as every error is told."""
        if self.waits:
            self._refuse(Problem(400, "no-http", "this is no request of HTTP/1.1", None))
        else:
            self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        answer = problem.answer()
        heads = [*answer.raw_headers, (b"connection", b"close")]
        lines = [b"%s: %s\r\n" % head for head in heads]
        first = b"HTTP/1.1 %d %s\r\n" % (problem.status, problem.type.encode())
        self.transport.write(b"".join((first, *lines, b"\r\n", answer.body)))
        self.transport.close()
