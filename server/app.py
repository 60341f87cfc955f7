"""The application: who is let in, what is answered, and what goes on beside the requests."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from server import door, pages, problems
from server.encoding import Answer
from server.following import Following
from server.history import tidy
from server.openapi import document
from server.problems import Problem
from server.reference import page
from server.routes import router
from server.routes.answers import problems as refusals
from server.security import Guard
from server.services import Services, services
from server.settings import Settings

log = logging.getLogger("nodegraph.server")
LOOK = 1.0
"""Seconds between two looks at the files of live documents, and at what is installed."""
TIDY = 600.0
DRAIN = 10.0
"""Seconds that running jobs are given when the server is stopped."""


def application(settings: Settings) -> FastAPI:
    """The server of a workspace. Raises NoDatabase where its state folder cannot be used."""
    found = services(settings)
    app = FastAPI(
        title="nodegraph",
        version="1",
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=refusals(),
        default_response_class=Answer,
    )
    app.state.services, app.state.readers, app.state.stopping = found, 0, False
    app.state.reading = {}
    problems.install(app)
    app.include_router(router())
    app.include_router(door.router)
    app.add_middleware(Guard, settings=settings)
    app.add_api_route("/api/v1/openapi.json", _openapi, include_in_schema=False)
    app.add_api_route("/api/v1/docs", _reference, include_in_schema=False)
    pages.mount(app)
    return app


def _openapi(request: Request) -> dict[str, object]:
    return document(request.app)


def _reference(request: Request) -> Response:
    return HTMLResponse(page(document(request.app), request.state.nonce))


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    found: Services = app.state.services
    found.workers.start()
    beside = [asyncio.create_task(work(found)) for work in (_follow, _catalogue, _tidy)]
    try:
        yield
    finally:
        app.state.stopping = True
        found.database.bell.ring()
        for task in beside:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await run_in_threadpool(found.workers.stop, DRAIN)
        await run_in_threadpool(found.close)


async def _follow(found: Services) -> None:
    """Bring changes of files that other programs made into the live documents."""
    seen: dict[str, Seen] = {}
    while True:
        await asyncio.sleep(LOOK)
        await _beside(_look, found, seen)


Seen = tuple[int, int, int] | None


def _look(found: Services, seen: dict[str, Seen]) -> None:
    """Read the files that are others than when they were last looked at."""
    for path, tag in found.live.tags():
        with suppress(Problem):
            now = _seen(found.documents.place(path))
            if path in seen and seen[path] == now:
                continue
            document = found.documents.read(path, found.session.registry)
            if document.etag != tag:
                found.live.open(document)
            seen[path] = now


def _seen(path: Path) -> Seen:
    """What changes when a file is written."""
    with suppress(OSError):
        status = path.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino
    return None


async def _catalogue(found: Services) -> None:
    """Bring libraries that come or change, and node files, into the catalogue."""
    following = Following(found.database, found.log, lambda: found.fresh().registry)
    while True:
        await _beside(following.look)
        await asyncio.sleep(LOOK)


async def _tidy(found: Services) -> None:
    most = found.settings.limits.history
    while True:
        await _beside(tidy, found.jobs, found.files, most)
        await asyncio.sleep(TIDY)


async def _beside(work: Callable[..., None], *given: Any) -> None:
    """Do something that goes on for ever; an error of it is told, and ends nothing."""
    try:
        await run_in_threadpool(work, *given)
    except Exception as error:
        log.error("what goes on beside the requests", exc_info=error)
