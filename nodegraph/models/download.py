"""One file over HTTP, resumed where it broke off.

`urllib.request` serves: these are public files, one GET with two headers, and it heeds the proxy settings of the machine.
Files of the Hugging Face Hub come by its own client (`hub.py`). A server is trusted with nothing: it sends no more than is
announced, by https, also where it sends one on; plain http serves from this machine alone.
"""

import errno
import http.client
import ipaddress
import re
import shutil
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from nodegraph.base.contents import sha256_of

CHUNK = 1 << 20
SECONDS = 30
_AS_IT_IS = "%/:=&?~#+!$,;'@()*[]"
"""What stands in an address as it is; other characters than these and letters are written as bytes."""
BROKEN = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)
UNANNOUNCED = 2**30
"""Bytes that a file of no announced size may have beyond four times what is expected."""
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
Progress = Callable[[int, int | None], None]
"""Told of bytes that have arrived and, where the server says so, of all that there are."""


class DownloadError(OSError):
    """A file that could not be had; the message says what to do."""


class _BrokenOff(Exception):
    """The connection ended before the file did."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server. `sha256`, and `size` in bytes, where they are known; `about`: the size that is expected; `limit`: the
    largest that is taken."""

    url: str
    sha256: str | None = None
    size: int | None = None
    about: int = 0
    limit: int | None = None


def fetch(remote: Remote, partial: Path, progress: Progress) -> str:
    """Bring `partial` to completion and return its sha256; a broken connection is taken up again while bytes arrive.

    Raises DownloadError: offline, refused by the server, no space, another size or digest. What has arrived is kept for the
    next call, unless it is not what was announced.
    """
    if not _allowed(remote.url):
        raise DownloadError(
            f"'{remote.url}' is neither an https nor an hf address (http serves from this machine alone)"
        )
    partial.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = _size(partial)
        try:
            _attempt(remote, partial, progress)
            break
        except _BrokenOff as error:
            if _size(partial) <= before:
                raise DownloadError(_broken(remote.url, partial, error)) from None
    return checked(remote, partial)


def checked(remote: Remote, partial: Path) -> str:
    """The sha256 of what came. Raises DownloadError, and keeps nothing, where it is not the file that was announced."""
    size, found = _size(partial), sha256_of(partial)
    if remote.size not in (None, size):
        _refuse(partial, f"{remote.url} has {size:,} bytes, not {remote.size:,} as published")
    if remote.sha256 is not None and found != remote.sha256:
        _refuse(
            partial,
            f"what {remote.url} sends is not the published file: its sha256 is {found}, expected {remote.sha256}",
        )
    return found


def _refuse(partial: Path, message: str) -> NoReturn:
    discard(partial)
    raise DownloadError(f"{message}; nothing was kept")


def _allowed(url: str, before: str = "") -> bool:
    """Whether a file may come from an address, also where `before` sent us there."""
    try:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", urlsplit(before).scheme == "https"
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and not secure and _here(host))


def _here(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Redirects(HTTPRedirectHandler):
    """A server sends one on only to addresses from which a file may come."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        """As any, after a look at the address."""
        if not _allowed(newurl, req.full_url):
            raise DownloadError(f"{req.full_url} sends on to '{newurl}', which is no https address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def discard(partial: Path) -> None:
    """Remove a partial file and what is known of it."""
    partial.unlink(missing_ok=True)
    _validator(partial).unlink(missing_ok=True)


def _attempt(remote: Remote, partial: Path, progress: Progress) -> None:
    url = remote.url
    start, headers = _resumption(url, partial)
    try:
        request = Request(quote(url, _AS_IT_IS), headers={"User-Agent": "nodegraph", **headers})
        with build_opener(_Redirects).open(request, timeout=SECONDS) as response:
            _receive(response, remote, partial, start, progress)
    except HTTPError as error:
        error.close()
        if error.code == 416 and start:
            _beyond(error, remote, partial, start, progress)
        else:
            raise DownloadError(
                f"the server answers {error.code} {error.reason} for {url}"
            ) from None
    except URLError as error:
        host = urlsplit(url).netloc
        raise DownloadError(f"{host} cannot be reached ({error.reason})") from None
    except (http.client.InvalidURL, ValueError) as error:
        raise DownloadError(f"{url} is no address: {error}") from None
    except BROKEN as error:
        raise _BrokenOff(str(error) or type(error).__name__) from None


def _beyond(
    error: HTTPError, remote: Remote, partial: Path, start: int, progress: Progress
) -> None:
    """The server has nothing after what is here: either that is all, or it belongs to another file."""
    if error.headers.get("Content-Range", "") == f"bytes */{start}":
        return
    discard(partial)
    _attempt(remote, partial, progress)


def _resumption(url: str, partial: Path) -> tuple[int, dict[str, str]]:
    """Bytes that are here, and the headers that ask for the rest of the same version; (0, {}) to start anew."""
    start, note = _size(partial), _validator(partial)
    if not start or not note.exists():
        return 0, {}
    known, _, validator = note.read_text(encoding="utf-8", errors="replace").partition("\n")
    if known != url or not validator:
        return 0, {}
    return start, {"Range": f"bytes={start}-", "If-Range": validator}


def _receive(
    response: http.client.HTTPResponse,
    remote: Remote,
    partial: Path,
    start: int,
    progress: Progress,
) -> None:
    done, total = _extent(response, start)
    if None not in (total, remote.size) and total != remote.size:
        sends = f"{remote.url} announces {total:,} bytes"
        _refuse(partial, f"{sends}, where the published file has {remote.size:,}")
    announced = remote.size if total is None else total
    most = 4 * remote.about + UNANNOUNCED if announced is None else announced
    if remote.limit is not None:
        most = min(most, remote.limit)
    _validator(partial).write_text(f"{remote.url}\n{_version(response)}", encoding="utf-8")
    _room(partial, done, announced)
    with partial.open("ab" if done else "wb") as file:
        progress(done, announced)
        while chunk := response.read1(CHUNK):
            done += len(chunk)
            if done > most:
                _refuse(partial, f"{remote.url} sends more than the {most:,} bytes of the file")
            _append(file, chunk, partial)
            progress(done, announced)
    if total is not None and done < total:
        raise _BrokenOff("the connection was closed")


def _extent(response: http.client.HTTPResponse, start: int) -> tuple[int, int | None]:
    """Where the body begins in the file, and the file's size: a server that sends all of it ignores what was asked."""
    if response.status == 206:
        found = re.fullmatch(
            r"bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|\*)",
            response.headers.get("Content-Range", ""),
        )
        if found is None or int(found[1]) != start:
            raise DownloadError(
                f"the server sends another part of {response.url} than was asked for"
            )
        return start, None if found[2] == "*" else int(found[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None


def _version(response: http.client.HTTPResponse) -> str:
    """A strong validator of what is being sent, or nothing: then a broken transfer starts anew."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _room(partial: Path, done: int, total: int | None) -> None:
    free = shutil.disk_usage(partial.parent).free
    if total is not None and total - done > free:
        raise DownloadError(
            no_space(partial, f"{(total - done - free) / 2**20:,.0f} MiB are lacking")
        )


def _append(file: BinaryIO, chunk: bytes, partial: Path) -> None:
    try:
        _written(file, chunk)
    except OSError as error:
        if error.errno in FULL:
            raise DownloadError(no_space(partial, "what has arrived is kept")) from None
        raise


def _written(file: BinaryIO, chunk: bytes) -> int:
    return file.write(chunk)


def no_space(target: Path, note: str) -> str:
    """What to say when a disk is full."""
    return (
        f"no space is left in {target.parent} ({note}); free some, or let NODEGRAPH_MODELS name "
        "another folder, and run the same command again"
    )


def _broken(url: str, partial: Path, error: Exception) -> str:
    return (
        f"the transfer of {url} broke off ({error}); {_size(partial) / 2**20:,.1f} MiB are here, "
        "and the same command goes on from there"
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator(partial: Path) -> Path:
    return partial.with_name(partial.name + ".version")
