"""The application: who is let in, what is answered, and what goes on beside the requests."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from server import door, pages, problems
from server.openapi import document
from server.problems import Problem
from server.reference import page
from server.routes import router
from server.routes.answers import problems as refusals
from server.security import Guard
from server.services import Services, services
from server.settings import Settings

LOOK = 1.0
"""Seconds between two looks at the files of live documents."""
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
        root_path=settings.root_path,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=refusals(),
    )
    app.state.services, app.state.readers, app.state.stopping = found, 0, False
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
    beside = [asyncio.create_task(_follow(found)), asyncio.create_task(_tidy(found))]
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
    while True:
        await asyncio.sleep(LOOK)
        await run_in_threadpool(_look, found)


def _look(found: Services) -> None:
    for draft in found.live.drafts():
        with suppress(Problem):
            document = found.documents.read(draft.path, found.session.registry)
            if document.etag != draft.etag:
                found.live.open(document)


async def _tidy(found: Services) -> None:
    while True:
        await run_in_threadpool(found.files.tidy)
        await asyncio.sleep(TIDY)
