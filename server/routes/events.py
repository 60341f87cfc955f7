"""One stream of everything that happens, as server-sent events; it can be taken up again anywhere."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from server import services
from server.encoding import encoded
from server.jobs.log import Happened, Readers
from server.problems import Problem
from server.services import Services

router = APIRouter(tags=["events"])
PING = 15.0
MOST = 500
UNBUFFERED = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def room(request: Request) -> None:
    """Refuse one reader more than a server takes. Raises Problem."""
    if request.app.state.readers >= services.of(request).settings.limits.readers:
        raise Problem(429, "too-many-readers", "too many streams of events are open; close one")


@router.get("/events", response_class=StreamingResponse, dependencies=[Depends(room)])
def stream(
    request: Request,
    jobs: Annotated[
        str, Query(max_length=20_000, description="Ids, with commas; `*` is all.")
    ] = "*",
    live: Annotated[
        str, Query(max_length=20_000, description="Paths of live documents, with commas.")
    ] = "",
    last: Annotated[str | None, Header(alias="last-event-id", max_length=20)] = None,
    since: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> StreamingResponse:
    """What happens to jobs and live documents; `catalogue` says that there are other nodes, ports or shipped graphs.

    After `Last-Event-ID`, or `since`, all that came later comes again first.
    """
    readers = Readers(None if jobs == "*" else _names(jobs), _names(live))
    begin = int(last) if last is not None and last.isdecimal() else since
    newest = services.of(request).log.last()
    # Who comes with a number of another database would else wait until this one has got there.
    begin = newest if begin is None else min(begin, newest)
    # FastAPI's own response for events logs a traceback for who leaves in the middle of a burst.
    events = _counted(request, readers, begin)
    return StreamingResponse(events, headers=UNBUFFERED, media_type="text/event-stream")


async def _counted(request: Request, readers: Readers, begin: int) -> AsyncGenerator[bytes]:
    """A stream that is counted while it is open."""
    request.app.state.readers += 1
    try:
        async for event in _told(request, services.of(request), readers, begin):
            yield event
    finally:
        request.app.state.readers -= 1


async def _told(
    request: Request, found: Services, readers: Readers, last: int
) -> AsyncGenerator[bytes]:
    """The events after a number, for ever; the reader's own pace decides, the log keeps the rest."""
    yield format_sse_event(comment="nodegraph", retry=2_000, id=str(last))
    bell = found.database.bell
    while not request.app.state.stopping:
        seen = bell.count
        events = await _read(request, found, (last, readers, seen))
        for number, event in events:
            last = number
            yield event
        if not events and await bell.heard(seen, PING) == seen:
            yield format_sse_event(comment="ping")


Reading = tuple[int, Readers, int]
"""After which event, for whom, and how often the bell had rung before."""


async def _read(request: Request, found: Services, reading: Reading) -> list[tuple[int, bytes]]:
    """The next events; readers that wait for the same ones after the same ring of the bell read them once."""
    under_way: dict[Reading, asyncio.Task[list[tuple[int, bytes]]]] = request.app.state.reading
    task = under_way.get(reading)
    if task is None:
        task = asyncio.create_task(run_in_threadpool(_since, found, *reading[:2]))
        under_way[reading] = task
        task.add_done_callback(lambda _: under_way.pop(reading))
    return await asyncio.shield(task)


def _since(found: Services, last: int, readers: Readers) -> list[tuple[int, bytes]]:
    return [(event.id, _sent(event)) for event in found.log.since(last, readers)]


def _sent(event: Happened) -> bytes:
    topic = event.topic
    kind, _, name = topic.partition(":")  # of the catalogue there is one, without a name
    data = encoded({kind: name, **event.data} if name else event.data).decode()
    return format_sse_event(data_str=data, event=event.event, id=str(event.id))


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)[:MOST]
