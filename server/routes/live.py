"""Live documents: what is being written, kept at every change."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from server import services
from server.documents import Document
from server.live import Draft, as_before
from server.problems import Problem
from server.routes.answers import expected, tagged
from server.services import Services
from server.wire import SavedLive, Updates, Writer

router = APIRouter(tags=["live"])


@router.get("/live")
def drafts(request: Request) -> list[dict[str, Any]]:
    """The documents that are open, and whether they hold what is not saved."""
    found = services.of(request).live.drafts()
    return [{"path": d.path, "version": d.version, "unsaved": d.unsaved} for d in found]


@router.get("/live/{path:path}/updates")
def updates(
    request: Request, path: str, since: Annotated[int, Query(ge=0, le=2**62)]
) -> list[dict[str, Any]]:
    """The updates of a document after a version; 410 where they are no longer kept."""
    return services.of(request).live.since(path, since)


@router.post("/live/{path:path}/updates")
def change(request: Request, path: str, body: Updates) -> dict[str, Any]:
    """Change a document: a change set of CodeMirror over its version. 409 where that is stale, or another one writes."""
    found = services.of(request)
    found.documents.place(path)
    draft = found.live.change(path, body.version, body.client, body.changes)
    return {"version": draft.version, "unsaved": draft.unsaved}


@router.post("/live/{path:path}/writer")
def writer(request: Request, path: str, body: Writer) -> dict[str, Any]:
    """Become the writer of a document, or stay it: within 15 s, else another one may."""
    found = services.of(request)
    found.documents.place(path)
    draft = found.live.take(path, body.client, body.take)
    return {"writer": draft.writer, "version": draft.version}


@router.post("/live/{path:path}/discard")
def discard(request: Request, path: str) -> dict[str, Any]:
    """Let go what is not saved: the document has the text of its file again, as an update that all hear of."""
    found = services.of(request)
    return _shown(found.live.discard(_document(found, path)))


@router.post("/live/{path:path}/save")
def save(request: Request, path: str, body: SavedLive) -> Response:
    """Write a document to its file, with the line ends that the file has; `If-Match` and `If-None-Match` as for a graph.

    409 where it is not at this version any more.
    """
    found, tag = services.of(request), expected(request)
    draft = found.live.at(path, body.version)
    text = as_before(draft.text, _document(found, path).text)
    document = found.documents.save(path, text, tag)
    found.live.written(document)
    return tagged(request, {"path": path, "version": draft.version}, document.etag)


@router.get("/live/{path:path}")
def open(request: Request, path: str) -> dict[str, Any]:
    """The text of a document and its version; it is opened with the text of its file, or empty where there is none."""
    found = services.of(request)
    return _shown(found.live.open(_document(found, path)))


def _document(found: Services, path: str) -> Document:
    """The file of a document, empty where there is none. Raises Problem."""
    found.documents.place(path)
    try:
        return found.documents.read(path, found.session.registry)
    except Problem as problem:
        if problem.status != 404:
            raise
        return Document(path, "", absent=True)


def _shown(draft: Draft) -> dict[str, Any]:
    return {
        "path": draft.path,
        "text": draft.text,
        "version": draft.version,
        "unsaved": draft.unsaved,
        "etag": draft.etag,
        "writer": draft.writer,
    }
