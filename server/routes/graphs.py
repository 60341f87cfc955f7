"""The graph files of the workspace, and the shipped graphs."""

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from nodegraph.language.reading import read_graph
from server import services
from server.problems import Problem, absent
from server.routes.answers import expected, tagged
from server.thumbnails import thumbnail_of
from server.wire import NewPath, SavedText

router = APIRouter(tags=["graphs"])


@router.get("/graphs")
def listed(request: Request) -> dict[str, Any]:
    """The graph files of the workspace, and the shipped graphs, which can be read alone."""
    found = services.of(request)
    known = found.fresh().registry
    own = [{"path": path} for path in found.documents.listed()]
    shipped = [
        _shipped(name, found.documents.read(name, known).text) for name in sorted(known.listed)
    ]
    return {"workspace": own, "shipped": shipped, "composites": sorted(known.composites)}


def _shipped(name: str, text: str) -> dict[str, Any]:
    graph, _ = read_graph(text, name)
    title = graph.title if graph else name
    return {"path": name, "title": title, "thumbnail": thumbnail_of(name) is not None}


@router.get("/thumbnails/{name:path}")
def thumbnail(name: str) -> FileResponse:
    """What a shipped graph makes, in small."""
    found = thumbnail_of(name)
    if found is None:
        raise absent(f"picture of '{name[:80]}'")
    return FileResponse(
        found, media_type="image/webp", headers={"cache-control": "private, max-age=86400"}
    )


@router.get("/graphs/{path:path}/saves")
def saves(request: Request, path: str) -> list[dict[str, object]]:
    """The last twenty texts that a graph was saved with, the newest first."""
    found = services.of(request)
    found.documents.place(path)
    return found.documents.saved(path)


@router.post("/graphs/{path:path}/rename")
def rename(request: Request, path: str, body: NewPath) -> Response:
    """Give a graph another path, where nothing lies yet."""
    found = services.of(request)
    moved = found.documents.move(path, body.to)
    found.live.forget(path)
    return tagged(request, {"path": moved.path, "text": moved.text, "shipped": False}, moved.etag)


@router.post("/graphs/{path:path}/copy", status_code=201)
def copy(request: Request, path: str, body: NewPath) -> Response:
    """A copy of a graph, of a shipped one too, where nothing lies yet."""
    found = services.of(request)
    read = found.documents.read(path, found.fresh().registry)
    try:
        made = found.documents.save(body.to, read.text, None)
    except Problem as problem:
        if problem.status != 412:
            raise
        raise Problem(409, "there-already", f"there is a '{body.to}' already") from None
    return tagged(request, {"path": made.path, "text": made.text, "shipped": False}, made.etag, 201)


@router.get("/graphs/{path:path}")
def read(request: Request, path: str) -> Response:
    """The text of a graph, with a strong ETag."""
    found = services.of(request)
    document = found.documents.read(path, found.fresh().registry)
    content = {"path": document.path, "text": document.text, "shipped": document.shipped}
    return tagged(request, content, document.etag)


@router.put("/graphs/{path:path}")
def save(request: Request, path: str, body: SavedText) -> Response:
    """Save a graph: `If-Match` names the text that is replaced, `If-None-Match: *` says that there is none."""
    found, tag = services.of(request), expected(request)
    if not path.endswith(".yaml"):
        raise Problem(
            403,
            "read-only",
            f"'{path[:80]}' is no file of the workspace: save it as one that ends in .yaml",
        )
    document = found.documents.save(path, body.text, tag)
    found.live.written(document)
    status = 201 if tag is None else 200
    return tagged(request, {"path": document.path, "shipped": False}, document.etag, status)


@router.delete("/graphs/{path:path}", status_code=204)
def delete(request: Request, path: str) -> None:
    """Remove a graph; `If-Match` names its text. Its last saves can still be read."""
    found, tag = services.of(request), expected(request)
    if tag is None:
        raise Problem(428, "no-precondition", "send If-Match with the ETag that you read")
    found.documents.delete(path, tag)
    found.live.forget(path)
