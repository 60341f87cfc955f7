"""Files by what is in them: uploads, previews, outputs."""

from typing import Any

from fastapi import APIRouter, Request, UploadFile
from fastapi.responses import FileResponse

from server import services
from server.files import SAFE, File
from server.pictures import look_at
from server.problems import absent

router = APIRouter(tags=["files"])
FOR_EVER = {"cache-control": "private, max-age=31536000, immutable"}


@router.post("/uploads", status_code=201)
async def upload(request: Request, file: UploadFile) -> dict[str, Any]:
    """Keep a file; inputs name it by its digest: `{"file": DIGEST}`."""
    found = services.of(request)
    content = await file.read()
    name = (file.filename or "upload")[-100:]
    look_at(content, found.settings.limits.megapixels)
    kept = found.files.add(content, name)
    found.files.tidy()
    return {"file": kept.digest, "name": kept.name, "media": kept.media, "bytes": kept.size}


@router.get("/files/{digest}")
def read(request: Request, digest: str) -> FileResponse:
    """A file; it never changes."""
    return _sent(_found(request, digest))


@router.get("/files/{digest}/thumbnail")
def thumbnail(request: Request, digest: str) -> FileResponse:
    """A picture in small, as WebP."""
    _found(request, digest)
    small = services.of(request).files.thumbnail(digest)
    if small is None:
        raise absent("picture of this file")
    return _sent(small)


def _found(request: Request, digest: str) -> File:
    found = services.of(request).files.find(digest)
    if found is None:
        raise absent(f"file {digest[:64]}")
    return found


def _sent(file: File) -> FileResponse:
    """What a browser may show is sent as what it is; all else as bytes to save."""
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
