"""Files by what is in them: uploads, previews and outputs. They never change, and go when nothing names them any more."""

import hashlib
import io
import mimetypes
import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from sqlalchemy import delete, func, insert, select, update

from nodegraph.base.partial import replacing
from server.database import Database, files, job_files

DIGEST = re.compile(r"[0-9a-f]{64}")
ENDING = re.compile(r"\.[a-z0-9]{1,9}")
FORMATS = ("PNG", "WEBP", "JPEG", "GIF")
"""Pictures of which small ones are made; readers of others run programs, or have been looked at by few."""
CHUNK = 2**20
THUMBNAIL = 256
"""Pixels of the longer side of a thumbnail, or of a preview."""
PREVIEW_BYTES = 40_000
SAFE = (
    "image/png",
    "image/webp",
    "image/jpeg",
    "image/gif",
    "image/apng",
    "video/mp4",
    "text/csv",
    "application/json",
)
"""What a browser is shown as what it is; all else is for saving."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is kept: its sha256, media type, bytes, the name it came with, and where it lies."""

    digest: str
    media: str
    size: int
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a server, in a folder of its state."""

    folder: Path
    database: Database
    most: int = 10 * 2**30
    _decoding: threading.Lock = field(default_factory=threading.Lock)

    @property
    def runs(self) -> Path:
        """Where jobs write, each in a folder that is called as the job is."""
        return self.folder.with_name("runs")

    def place(self, digest: str, name: str) -> Path:
        """Where a file lies; its name keeps the ending by which nodes tell what it is."""
        ending = Path(name).suffix.lower()
        return self.folder / digest[:2] / f"{digest}{ending if ENDING.fullmatch(ending) else ''}"

    def add(self, content: bytes, name: str) -> File:
        """Keep some bytes."""
        return self._keep(
            hashlib.sha256(content).hexdigest(),
            name,
            len(content),
            lambda p: p.write_bytes(content),
        )

    def adopt(self, path: Path) -> File:
        """Keep a file that a worker wrote, by another name for the same bytes. Raises OSError."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return self._keep(digest, path.name, path.stat().st_size, lambda made: os.link(path, made))

    def _keep(self, digest: str, name: str, size: int, make: Callable[[Path], object]) -> File:
        found = self.find(digest)
        if found is not None:
            return found
        place = self.place(digest, name)
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            with replacing(place) as beside:
                make(beside)
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        row = {"digest": digest, "media": media, "size": size, "name": name, "used": time.time()}
        with self.database.writing() as connection:
            connection.execute(insert(files).prefix_with("OR IGNORE").values(**row))
        return File(digest, media, size, name, place)

    def find(self, digest: str) -> File | None:
        """A file by its digest; None where it is not kept, or no longer."""
        if not DIGEST.fullmatch(digest):
            return None
        columns = (files.c.digest, files.c.media, files.c.size, files.c.name)
        with self.database.reading() as connection:
            row = connection.execute(select(*columns).where(files.c.digest == digest)).first()
        if row is None or not self.place(digest, row.name).is_file():
            return None
        return File(digest, row.media, row.size, row.name, self.place(digest, row.name))

    def touch(self, digest: str) -> None:
        """Note that a file is still of use."""
        with self.database.writing() as connection:
            connection.execute(
                update(files).where(files.c.digest == digest).values(used=time.time())
            )

    def thumbnail(self, digest: str) -> File | None:
        """A small picture of a picture; None where there is none."""
        found = self.find(digest)
        if found is None or not found.media.startswith("image/"):
            return None
        with self._decoding:  # a picture of 64 megapixels takes 200 MB, and many may be asked for
            made = webp(found.path.read_bytes())
        return None if made is None else self.add(made, "thumbnail.webp")

    def tidy(self, spare: str = "") -> bool:
        """Let go what no job names, the least recently used first, until all fits, but for one; whether it does."""
        loose = select(files).where(
            files.c.digest.not_in(select(job_files.c.digest)), files.c.digest != spare
        )
        gone = 0
        with self.database.writing() as connection:
            size = connection.execute(select(func.sum(files.c.size))).scalar() or 0
            if size <= self.most:
                return True
            for row in connection.execute(loose.order_by(files.c.used)).all():
                if size - gone <= self.most:
                    break
                connection.execute(delete(files).where(files.c.digest == row.digest))
                self._unlink(row.digest, row.name)
                gone += row.size
        return size - gone <= self.most

    def drop(self, digests: list[str]) -> None:
        """Remove files that no job names any more."""
        held = select(job_files.c.digest)
        with self.database.writing() as connection:
            loose = select(files).where(files.c.digest.in_(digests), files.c.digest.not_in(held))
            for row in connection.execute(loose).all():
                connection.execute(delete(files).where(files.c.digest == row.digest))
                self._unlink(row.digest, row.name)

    def of_job(self, jobs: list[str]) -> list[str]:
        """The digests that jobs name."""
        wanted = select(job_files.c.digest).where(job_files.c.job.in_(jobs))
        with self.database.reading() as connection:
            return list(connection.execute(wanted).scalars())

    def _unlink(self, digest: str, name: str) -> None:
        with suppress(OSError):
            self.place(digest, name).unlink()


def named_in(value: Any, folder: Path) -> Iterator[str]:
    """The digests of the kept files whose places stand in a value of inputs, however deep."""
    if isinstance(value, str):
        place = Path(value)
        if place.parent.parent == folder and DIGEST.fullmatch(place.stem):
            yield place.stem
    elif isinstance(value, Mapping | list | tuple):
        items = value.values() if isinstance(value, Mapping) else value
        for item in cast("Iterable[Any]", items):
            yield from named_in(item, folder)


def webp(content: bytes, side: int = THUMBNAIL, most: int = PREVIEW_BYTES) -> bytes | None:
    """A picture as WebP, no larger than `side` and `most` bytes; None for what is no picture."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            picture.thumbnail((side, side))
            small = picture.convert("RGBA" if "A" in picture.getbands() else "RGB")
    except Exception:  # decoders of foreign bytes raise whatever they stumble over
        return None
    return next((made for made in _encoded(small) if len(made) <= most), None)


def _encoded(picture: "object") -> Iterator[bytes]:
    for quality in (85, 60, 30, 5):
        made = io.BytesIO()
        picture.save(made, "WEBP", quality=quality, method=0)  # type: ignore[attr-defined]
        yield made.getvalue()


def first_picture(outputs: Mapping[str, Any]) -> str | None:
    """The digest of the first output that is a picture."""
    values = [value for found in outputs.values() for value in found if isinstance(value, dict)]
    return next((v["file"] for v in values if str(v.get("media", "")).startswith("image/")), None)
