"""A server of one file on a thread: ranges, versions, and connections that break."""

import hashlib
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

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


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[str]:
    """A server that speaks as the Hugging Face Hub does, of `owner/repository/path`; its address."""

    class Handler(Silent):
        def do_HEAD(self) -> None:
            self._answer(False)

        def do_GET(self) -> None:
            self._answer(True)

        def _answer(self, body: bool) -> None:
            content = files.get(self.path.lstrip("/").replace("/resolve/main/", "/"))
            self.send_response(404 if content is None else 200)
            if content is None:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("ETag", f'"{hashlib.sha256(content or b"").hexdigest()}"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if body and content:
                self.wfile.write(content)

    with running(Handler) as address:
        yield address
