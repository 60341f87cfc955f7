"""A graph's text in a plain page: checked as one types, run with progress and previews. A walking skeleton."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse
from pydantic import BaseModel, Field
from starlette.middleware.trustedhost import TrustedHostMiddleware

from nodegraph.base.workspace import NOWHERE, Workspace
from nodegraph.session import Session
from server.worker import Kind, Task, Worker

PAGE = Path(__file__).with_name("page.html")
MOST_TEXT = 2**20


class Text(BaseModel):
    """The text of a graph, as it stands in the page."""

    text: str = Field(max_length=MOST_TEXT)


def application(graph: str, out: Path, workspace: Workspace = NOWHERE) -> FastAPI:
    """The page of one graph, for the machine that it runs on. Raises GraphError where there is no such graph, NoNodes."""
    opened = Session(workspace=workspace).fresh().open(graph)
    workers: dict[Kind, Worker] = {"check": Worker(workspace), "run": Worker(workspace)}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        yield
        for worker in workers.values():
            worker.stop()

    app = FastAPI(
        title="nodegraph", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])

    @app.get("/")
    def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text("utf-8"))

    @app.get("/graph")
    def text() -> dict[str, str]:
        return {"name": Path(opened.source.name).name, "text": opened.source.text}

    @app.post("/{kind}")
    def do(kind: Kind, text: Text) -> StreamingResponse:
        task = Task(kind, replace(opened.source, text=text.text), out)
        told = (json.dumps(line) + "\n" for line in workers[kind].do(task))
        return StreamingResponse(told, media_type="application/x-ndjson")

    @app.get("/out/{name}")
    def file(name: str) -> FileResponse:
        path = out / Path(name).name
        if not path.is_file():
            raise HTTPException(404, f"there is no file {path.name}")
        return FileResponse(path)

    return app
