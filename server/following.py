"""What there is to build with, as it changes while the server runs: readers are told, also after a restart."""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from nodegraph.base.libraries import BrokenLibrary
from nodegraph.base.workspace import NoNodes
from nodegraph.library.catalogue import to_json
from nodegraph.library.following import refreshed
from nodegraph.library.registry import Registry
from server.database import Database, settings
from server.jobs.log import CATALOGUE, Log

log = logging.getLogger("nodegraph.server")


@dataclass(slots=True)
class Following:
    """Looks whether libraries, or node files of the workspace, have changed; `fresh` reads the latter."""

    database: Database
    log: Log
    fresh: Callable[[], Registry]
    _known: Registry | None = None

    def look(self) -> None:
        """Tell readers of a catalogue that is another than the one they were told of last."""
        try:
            refreshed()
        except BrokenLibrary as error:
            log.error("what is installed cannot be read: %s", error)
        with suppress(NoNodes):  # who asks for the catalogue is told
            found = self.fresh()
            if found is not self._known:
                self._tell(digest_of(found))
                self._known = found

    def _tell(self, digest: str) -> None:
        with self.database.writing() as connection:
            before = _noted(connection)
            if before == digest:
                return
            connection.execute(delete(settings).where(settings.c.name == CATALOGUE))
            connection.execute(insert(settings).values(name=CATALOGUE, value=digest))
            if before is not None:  # at the very first start there is nobody who knows another
                self.log.add(connection, CATALOGUE, "catalogue", {"digest": digest})
                self.log.forget_beyond(connection, CATALOGUE, 1)


def _noted(connection: Connection) -> str | None:
    """The digest of the catalogue that was told of last."""
    return connection.execute(select(settings.c.value).where(settings.c.name == CATALOGUE)).scalar()


def digest_of(known: Registry) -> str:
    """Changes with nodes, port types, their code, and the shipped graphs."""
    whole = json.dumps([to_json(known), known.code, sorted(known.graphs), sorted(known.composites)])
    return hashlib.sha256(whole.encode()).hexdigest()[:32]
