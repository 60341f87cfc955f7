"""Files by what is in them: uploads, previews, outputs."""

import re
from pathlib import PurePath
from typing import Any

from fastapi import APIRouter, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from nodegraph.base.visible import visible_line
from server import services
from server.files import SAFE, File
from server.pictures import look_at
from server.problems import Problem, absent
from server.services import Services

router = APIRouter(tags=["files"])
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}
RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


@router.post("/uploads", status_code=201)
async def upload(request: Request, file: UploadFile) -> dict[str, Any]:
    """Keep a file; inputs name it by its digest: `{"file": DIGEST}`."""
    found = services.of(request)
    kept = await run_in_threadpool(_kept, found, await file.read(), file.filename or "upload")
    return {"file": kept.digest, "name": kept.name, "media": kept.media, "bytes": kept.size}


def _kept(found: Services, content: bytes, name: str) -> File:
    look_at(content, found.settings.limits.megapixels)
    kept = found.files.add(content, visible_line(PurePath(name).name[-100:]) or "upload")
    if not found.files.tidy(spare=kept.digest):
        found.files.drop([kept.digest])
        mend = "delete jobs that are not needed any more, or raise --disk-quota"
        raise Problem(507, "quota", f"jobs hold all the room that this server has; {mend}")
    return kept


@router.get("/files/{digest}")
def read(request: Request, digest: str) -> FileResponse:
    """A file; it never changes."""
    return _sent(request, _found(request, digest))


@router.get("/files/{digest}/thumbnail")
def thumbnail(request: Request, digest: str) -> FileResponse:
    """A picture in small, as WebP."""
    _found(request, digest)
    small = services.of(request).files.thumbnail(digest)
    if small is None:
        raise absent("picture of this file")
    return _sent(request, small)


def _found(request: Request, digest: str) -> File:
    found = services.of(request).files.find(digest)
    if found is None:
        raise absent(f"file {digest[:64]}")
    return found


def _in_range(request: Request, size: int) -> None:
    """Refuse a range beyond the end. One range is served; any other is ignored, which is everybody's right (RFC 9110)."""
    given = request.headers.get("range")
    if given is None:
        return
    found = RANGE.fullmatch(given)
    first, last = (found[1], found[2]) if found else ("", "")
    if not (first or last) or (first and last and int(first) > int(last)):
        request.scope["headers"] = [h for h in request.scope["headers"] if h[0] != b"range"]
    elif int(first or 0) >= size or not (first or int(last)):
        headers = {"content-range": f"bytes */{size}"}
        raise Problem(416, "out-of-range", f"the file has {size:,} bytes", headers)


def _sent(request: Request, file: File) -> FileResponse:
    """What a browser may show is sent as what it is; all else as bytes to save."""
    _in_range(request, file.size)
    shown = file.media in SAFE
    media = file.media if shown else "application/octet-stream"
    kind = "inline" if shown else "attachment"
    headers = {**FOR_EVER, "etag": f'"{file.digest}"'}
    return FileResponse(
        file.path,
        media_type=media,
        filename=file.name,
        content_disposition_type=kind,
        headers=headers,
    )
