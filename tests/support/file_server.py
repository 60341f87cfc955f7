"""A server of one file on a thread: ranges, versions, and connections that break."""

import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PIECE = 1 << 14


@dataclass
class Served:
    """What is served. `cuts`: after how many bytes of the body each coming connection breaks; `pause`: seconds between pieces."""

    content: bytes
    tag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0
    pause: float = 0.0
    url: str = ""


class Silent(BaseHTTPRequestHandler):
    """A handler that writes no log."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on this machine, for a while; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def serving(served: Served, name: str) -> Iterator[Served]:
    class Handler(Silent):
        def do_GET(self) -> None:
            if self.path != f"/{name}":
                self.send_error(404)
                return
            served.asked.append(self.headers.get("Range"))
            self._answer(self._start())

        def _start(self) -> int:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            return int(found[1]) if found and self.headers["If-Range"] == served.tag else 0

        def _answer(self, start: int) -> None:
            size = len(served.content)
            if start >= size:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("ETag", served.tag)
            self.send_header("Content-Length", str(size - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.end_headers()
            cut = served.cuts.pop(0) if served.cuts else size
            body = served.content[start : start + cut]
            served.sent += len(body)
            with suppress(ConnectionError):  # the client may leave early
                for begin in range(0, len(body), PIECE):
                    self.wfile.write(body[begin : begin + PIECE])
                    time.sleep(served.pause)

    with running(Handler) as address:
        served.url = f"{address}/{name}"
        yield served


@dataclass
class Hub:
    """A server that speaks as the Hugging Face Hub does: `files` by commit, then by `owner/repository/path`.

    `main` is the newest commit; `lists`: whether it has lists of files. `asked`: the paths of files, with their commits.
    """

    files: dict[str, dict[str, bytes]]
    main: str = "0" * 40
    lists: bool = True
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def found(self, path: str) -> tuple[str, bytes | None]:
        repository, _, rest = path.lstrip("/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        commit = self.main if commit == "main" else commit
        return commit, self.files.get(commit, {}).get(f"{repository}/{name}")

    def listed(self, path: str) -> bytes | None:
        repository, _, commit = path.removeprefix("/api/models/").partition("/revision/")
        commit = self.main if commit in ("", "main") else commit
        if not self.lists or commit not in self.files:
            return None
        siblings = [
            {
                "rfilename": name.removeprefix(f"{repository}/"),
                "size": len(content),
                "lfs": {
                    "size": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "pointerSize": 1,
                },
            }
            for name, content in self.files[commit].items()
            if name.startswith(f"{repository}/")
        ]
        return json.dumps({"id": repository, "sha": commit, "siblings": siblings}).encode()


@contextmanager
def serving_hub(hub: Hub) -> Iterator[Hub]:
    class Handler(Silent):
        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, body: bool) -> None:
            path, commit = self.path.partition("?")[0], hub.main
            if path.startswith("/api/"):
                content = hub.listed(path)
            else:
                commit, content = hub.found(path)
                hub.asked.append(f"{commit}:{path}")
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if body and content:
                self.wfile.write(content)

    with running(Handler) as address:
        hub.url = address
        yield hub


@contextmanager
def as_the_hub(hub: Hub) -> Iterator[Hub]:
    """A Hub that its client takes for the one there is."""
    import huggingface_hub.constants as constants

    with serving_hub(hub), pytest.MonkeyPatch.context() as patched:
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        patched.setattr(constants, "ENDPOINT", hub.url)
        patched.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield hub
