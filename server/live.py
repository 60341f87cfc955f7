"""Live documents: the text of a graph as it is being written, kept at every change, with one writer at a time.

A draft is the text here; a file is written by saving alone. Line ends travel as `\\n`: a file whose lines all end in
`\\r\\n` gets them back when its document is saved from here.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from server.changes import BadChange, changed, difference
from server.database import Database, live, updates
from server.documents import Document
from server.jobs.log import LIVE, Log
from server.problems import Problem

LEASE = 15.0
"""Seconds for which a writer stays the writer without a word."""
FORGETTING = 100
"""Updates after which old events of a document are looked for."""
UPDATES = 2_000
"""Updates of a document that are kept, for clients that come back."""
DISK = "disk"
"""The client whose updates are changes of the file by other programs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A live document. `saved` and `etag` are of the file when it was last read or written: None where there is none."""

    path: str
    text: str
    version: int
    saved: str | None
    etag: str | None
    writer: str | None

    @property
    def unsaved(self) -> bool:
        """Whether the text is another than the file's."""
        return self.text != self.saved


def unix(text: str) -> str:
    """A text as it travels: where all its lines end in `\\r\\n`, with `\\n`."""
    return text.replace("\r\n", "\n") if crlf(text) else text


def as_before(text: str, before: str) -> str:
    """A text with the line ends of the one that it replaces."""
    return text.replace("\n", "\r\n") if crlf(before) and "\r" not in text else text


def crlf(text: str) -> bool:
    """Whether all lines of a text end in `\\r\\n`."""
    return "\r\n" in text and text.count("\n") == text.count("\r\n") == text.count("\r")


@dataclass(frozen=True, slots=True)
class Live:
    """The live documents of a database."""

    database: Database
    log: Log
    most: int = 2**20

    def open(self, document: Document) -> Draft:
        """The draft of a graph file, begun with its text; one without unsaved changes follows the file."""
        text = unix(document.text)
        with self.database.writing() as connection:
            found = _draft(connection, document.path)
            if found is None:
                row = {
                    "path": document.path,
                    "text": text,
                    "version": 0,
                    "saved": text,
                    "etag": document.etag,
                }
                connection.execute(insert(live).values(**row))
            elif found.etag != document.etag and document.absent:
                self._unsaved(connection, document)
            elif found.etag != document.etag:
                self._follow(connection, found, text, document.etag)
            return _known(connection, document.path)

    def _follow(self, connection: Connection, draft: Draft, text: str, etag: str) -> None:
        """Take over a change of the file; where the draft is unsaved it is a conflict, which is told and changes nothing."""
        if draft.unsaved and draft.text != text:
            topic, told = LIVE + draft.path, {"etag": etag, "text": text}
            known = self.log.newest(connection, topic, "live.conflict")
            if known is None or known["etag"] != etag:  # who looks again is not told again
                self.log.add(connection, topic, "live.conflict", told)
            return
        self._replace(connection, draft, text, etag)

    def _unsaved(self, connection: Connection, document: Document) -> None:
        """A file was deleted: the draft is all that is left of it, and stays."""
        values = {"saved": document.text, "etag": document.etag}
        connection.execute(update(live).where(live.c.path == document.path).values(**values))

    def _replace(self, connection: Connection, draft: Draft, text: str, etag: str) -> None:
        """The text of the file in the place of the draft's, as an update that all hear of."""
        if draft.text != text:
            self._append(connection, draft, DISK, difference(draft.text, text), text)
        values = {"saved": text, "etag": etag}
        connection.execute(update(live).where(live.c.path == draft.path).values(**values))

    def discard(self, document: Document) -> Draft:
        """Let go what is not saved. Versions go on: a change that is on its way to the old text meets another number."""
        self.open(document)
        with self.database.writing() as connection:
            draft = _known(connection, document.path)
            self._replace(connection, draft, unix(document.text), document.etag)
            return _known(connection, document.path)

    def change(self, path: str, version: int, client: str, changes: Sequence[Any]) -> Draft:
        """Apply the changes of the writer to a version. Raises Problem: 409 for a stale version, or another's document."""
        with self.database.writing() as connection:
            draft = _known(connection, path)
            self._lease(connection, draft, client, take=False)
            if draft.version != version:
                raise _stale(draft)
            try:
                text = changed(draft.text, changes)
            except BadChange as error:
                raise Problem(422, "bad-change", str(error)) from None
            if len(text.encode("utf-8", "surrogatepass")) > self.most:
                raise Problem(413, "too-large", f"the text of a graph may have {self.most:,} bytes")
            self._append(connection, draft, client, list(changes), text)
            return _known(connection, path)

    def _append(
        self, connection: Connection, draft: Draft, client: str, changes: list[Any], text: str
    ) -> None:
        version = draft.version + 1
        row = {"path": draft.path, "version": version, "client": client, "changes": changes}
        connection.execute(insert(updates).values(**row))
        connection.execute(
            update(live).where(live.c.path == draft.path).values(text=text, version=version)
        )
        old = updates.c.version <= version - UPDATES
        connection.execute(delete(updates).where(updates.c.path == draft.path, old))
        told = {"version": version, "client": client, "changes": changes}
        self.log.add(connection, LIVE + draft.path, "live.update", told)
        if version % FORGETTING == 0:
            self.log.forget_beyond(connection, LIVE + draft.path, UPDATES)

    def take(self, path: str, client: str, take: bool) -> Draft:
        """Become, or stay, the writer; `take` also where another one is. Raises Problem."""
        with self.database.writing() as connection:
            draft = _known(connection, path)
            self._lease(connection, draft, client, take)
            if draft.writer != client:
                self.log.add(connection, LIVE + path, "live.writer", {"writer": client})
            return _known(connection, path)

    def _lease(self, connection: Connection, draft: Draft, client: str, take: bool) -> None:
        if draft.writer not in (None, client) and not take:
            detail = f"'{draft.writer}' writes this document; take it over to write"
            raise Problem(409, "not-writer", detail, writer=draft.writer)
        values = {"writer": client, "until": time.time() + LEASE}
        connection.execute(update(live).where(live.c.path == draft.path).values(**values))

    def since(self, path: str, version: int) -> list[dict[str, Any]]:
        """The updates after a version. Raises Problem where they are no longer kept."""
        wanted = select(updates).where(updates.c.path == path, updates.c.version > version)
        with self.database.reading() as connection:
            draft = _known(connection, path)
            rows = connection.execute(wanted.order_by(updates.c.version)).all()
        if len(rows) != draft.version - version:
            raise Problem(
                410, "gone", f"updates after {version} are not kept; read the document again"
            )
        return [{"version": r.version, "client": r.client, "changes": r.changes} for r in rows]

    def at(self, path: str, version: int) -> Draft:
        """A draft that is to be saved as it is at a version. Raises Problem where it has gone on."""
        with self.database.reading() as connection:
            draft = _known(connection, path)
        if draft.version != version:
            raise _stale(draft)
        return draft

    def written(self, document: Document) -> None:
        """A file was saved: what is unsaved of its draft is counted from there."""
        with self.database.writing() as connection:
            values = {"saved": unix(document.text), "etag": document.etag}
            changed = connection.execute(
                update(live).where(live.c.path == document.path).values(**values)
            )
            if changed.rowcount:
                self.log.add(
                    connection, LIVE + document.path, "live.saved", {"etag": document.etag}
                )

    def forget(self, path: str) -> None:
        """Let a draft go."""
        with self.database.writing() as connection:
            connection.execute(delete(live).where(live.c.path == path))

    def tags(self) -> list[tuple[str, str | None]]:
        """The paths of all live documents, and the tags of their files as they were last seen."""
        with self.database.reading() as connection:
            return [(p, t) for p, t in connection.execute(select(live.c.path, live.c.etag))]

    def drafts(self) -> list[Draft]:
        """All live documents."""
        with self.database.reading() as connection:
            paths = connection.execute(select(live.c.path)).scalars().all()
            return [_known(connection, path) for path in paths]


def _draft(connection: Connection, path: str) -> Draft | None:
    row = connection.execute(select(live).where(live.c.path == path)).first()
    if row is None:
        return None
    writer = row.writer if row.until > time.time() else None
    return Draft(row.path, row.text, row.version, row.saved, row.etag, writer)


def _stale(draft: Draft) -> Problem:
    detail = f"the document is at version {draft.version}; read it again"
    return Problem(409, "stale", detail, version=draft.version)


def _known(connection: Connection, path: str) -> Draft:
    found = _draft(connection, path)
    if found is None:
        raise Problem(404, "not-found", f"'{path}' is not open; GET /api/v1/live/{path} opens it")
    return found
