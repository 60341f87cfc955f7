"""The graph files of a workspace: read, saved, renamed; and the shipped graphs, which can be read alone."""

import hashlib
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import delete, insert, select

from nodegraph.base.diagnostics import nearest
from nodegraph.base.partial import write_text
from nodegraph.base.paths import LONGEST_NAME, is_file, read_text, why
from nodegraph.base.visible import visible_line
from nodegraph.base.workspace import FOLDER
from nodegraph.language.source import SourceText
from nodegraph.library.registry import Registry
from server.database import Database, saves
from server.problems import Problem, absent, full

SAVES = 20
"""Texts of a file that are kept."""
MOST = 5_000
"""Files of a workspace that are listed."""
DEEPEST = 8
"""Folders below each other in which graphs are looked for."""
FOLDERS = 10_000
"""Folders that are looked into: somebody may serve a home."""
LONGEST_PATH = 400


@dataclass(frozen=True, slots=True)
class Document:
    """A graph file: its path below the workspace, or the name of a shipped graph; its text and the tag of that.

    `absent`: there is no such file, and the text is empty.
    """

    path: str
    text: str
    shipped: bool = False
    absent: bool = False

    @property
    def etag(self) -> str:
        return etag_of(self.text)


def etag_of(text: str) -> str:
    """A strong entity tag of a text."""
    return f'"{hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}"'


def named(path: str) -> bool:
    """Whether a text is the path of a graph, and the only one of its file."""
    parts = path.split("/")
    return (
        path == visible_line(path)
        and path.endswith(".yaml")
        and len(path) <= LONGEST_PATH
        and not any(part.startswith(".") or not part for part in parts)
        and not any(len(os.fsencode(part)) > LONGEST_NAME for part in parts)
        and not {"\\", "\ufffd"} & set(path)  # the latter stands for bytes that are no text
    )


@contextmanager
def writable(path: str) -> Generator[None]:
    """What is written inside is refused with a reason where it cannot be; a full disk is told by who asked."""
    try:
        yield
    except OSError as error:
        if full(error):
            raise
        raise Problem(422, "unwritable-file", f"'{path}' cannot be written: {why(error)}") from None


@dataclass(frozen=True, slots=True)
class Documents:
    """The graphs that people see: `.yaml` files below a folder, in none where node code is loaded from."""

    folder: Path
    database: Database
    nodes: tuple[Path, ...] = ()
    most: int = 2**20
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listed(self) -> Iterator[str]:
        """Paths of the graph files, in order; hidden folders are left out."""
        found: list[str] = []
        for number, (place, folders, names) in enumerate(os.walk(self.folder)):
            below = Path(place).relative_to(self.folder)
            keep = len(below.parts) < DEEPEST
            folders[:] = sorted(
                n for n in folders if keep and not n.startswith((".", "_")) and n != "node_modules"
            )
            found += [
                (below / n).as_posix()
                for n in names
                if n.endswith(".yaml") and named((below / n).as_posix())
            ]
            if len(found) >= MOST or number >= FOLDERS:
                break
        return iter(sorted(found)[:MOST])

    def read(self, path: str, registry: Registry) -> Document:
        """A graph of the workspace, or a shipped one. Raises Problem."""
        if not path.endswith(".yaml"):
            return shipped(path, registry)
        try:
            return Document(path, read_text(self.place(path), self.most))
        except FileNotFoundError:
            near = nearest(path, self.listed())
            raise absent(f"graph '{path}'" + (f"; {near}" if near else "")) from None
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                422, "unreadable-file", f"'{path}' cannot be read: {why(error)}"
            ) from None

    def source(self, path: str, registry: Registry, text: str | None = None) -> SourceText:
        """A graph as the session takes it; with another text in the place of its own."""
        if not path.endswith(".yaml"):
            found = {**registry.composites, **registry.graphs}
            read = shipped(path, registry)
            return SourceText(
                f"{path}.yaml", read.text if text is None else text, found[path].parent
            )
        place = self.place(path)
        return SourceText(
            path, self.read(path, registry).text if text is None else text, place.parent
        )

    def place(self, path: str) -> Path:
        """Where a graph of the workspace lies. Raises Problem for a path that leads elsewhere, or is none of a graph."""
        if not named(path):
            mend = "it is relative, ends in .yaml, and has no name that is hidden, empty or long"
            raise Problem(
                400, "bad-path", f"'{visible_line(path[:80])}' is no path of a graph: {mend}"
            )
        try:
            real = (self.folder / path).resolve()
        except (OSError, RuntimeError):
            raise Problem(400, "bad-path", f"'{path[:80]}' is no path of a graph") from None
        if not real.is_relative_to(self.folder.resolve()):
            raise Problem(403, "outside", f"'{path[:80]}' lies outside of the workspace")
        return real

    def _writable(self, path: str) -> Path:
        """Where a graph is written. Raises Problem also for a folder from which node code is loaded."""
        real = self.place(path)
        own = (
            (self.folder / FOLDER),
            *(n if n.is_dir() else n.parent for n in self.nodes if n.is_dir()),
        )
        if any(real.is_relative_to(place.resolve()) for place in own):
            raise Problem(
                403,
                "outside",
                f"'{path}' lies where node code is loaded from: graphs have their place elsewhere",
            )
        return real

    def save(self, path: str, text: str, expected: str | None) -> Document:
        """Write a graph; `expected` is the tag of the text that is replaced, None where there must be none.

        Raises Problem: 412 with both texts where the file is another than expected.
        """
        real = self._writable(path)
        with self._lock, writable(path):
            self._match(path, real, text, expected)
            real.parent.mkdir(parents=True, exist_ok=True)
            write_text(real, text)
        self._remember(path, text)
        return Document(path, text)

    def _match(self, path: str, real: Path, text: str, expected: str | None) -> None:
        try:
            now = read_text(real, self.most)
        except FileNotFoundError:
            now = None
        except (OSError, UnicodeDecodeError) as error:
            raise Problem(
                422, "unreadable-file", f"'{path}' cannot be replaced: {why(error)}"
            ) from None
        tag = None if now is None else etag_of(now)
        if tag == expected:
            return
        detail = (
            f"'{path}' was changed meanwhile"
            if now is not None
            else f"there is no '{path}' any more"
        )
        if expected is None:
            detail = f"there is a '{path}' already"
        raise Problem(
            412, "changed", f"{detail}; look at both texts", etag=tag, theirs=now, yours=text
        )

    def delete(self, path: str, expected: str | None) -> None:
        """Remove a graph; its saves stay. Raises Problem."""
        real = self._writable(path)
        with self._lock, writable(path):
            self._match(path, real, "", expected)
            real.unlink()

    def move(self, path: str, to: str) -> Document:
        """Give a graph another path, where nothing lies yet. Raises Problem."""
        real, target = self._writable(path), self._writable(to)
        with self._lock, writable(to):
            if not is_file(real):
                raise absent(f"graph '{path}'")
            if target.exists():
                raise Problem(409, "there-already", f"there is a '{to}' already")
            target.parent.mkdir(parents=True, exist_ok=True)
            real.rename(target)
        with self.database.writing() as connection:
            connection.execute(saves.update().where(saves.c.path == path).values(path=to))
        return Document(to, read_text(target, self.most))

    def _remember(self, path: str, text: str) -> None:
        with self.database.writing() as connection:
            row = {"path": path, "text": text, "etag": etag_of(text), "time": time.time()}
            connection.execute(insert(saves).values(**row))
            newest = (
                select(saves.c.id)
                .where(saves.c.path == path)
                .order_by(saves.c.id.desc())
                .limit(SAVES)
            )
            old = saves.c.id.not_in(newest.scalar_subquery())
            connection.execute(delete(saves).where(saves.c.path == path, old))

    def saved(self, path: str) -> list[dict[str, object]]:
        """The last saves of a graph, the newest first."""
        wanted = select(saves.c.time, saves.c.etag, saves.c.text).where(saves.c.path == path)
        with self.database.reading() as connection:
            rows = connection.execute(wanted.order_by(saves.c.id.desc()))
            return [{"time": row.time, "etag": row.etag, "text": row.text} for row in rows]


def shipped(name: str, registry: Registry) -> Document:
    """A shipped graph by its name. Raises Problem."""
    found = {**registry.composites, **registry.graphs}
    if name not in found:
        near = nearest(name, [*registry.listed, *registry.composites])
        hint = near or "GET /api/v1/graphs lists them; a graph of the workspace ends in .yaml"
        raise absent(f"shipped graph '{name[:80]}'; {hint}")
    with suppress(OSError, UnicodeDecodeError):
        return Document(name, read_text(found[name]), shipped=True)
    raise Problem(422, "unreadable-file", f"the shipped graph '{name}' cannot be read")
