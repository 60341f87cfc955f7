"""Who is let in: the names the server is addressed by, the pages that may call it, the token; and the bounds of bodies."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.problems import Problem
from server.settings import Limits, Settings

COOKIE = "nodegraph-token"
OPEN = ("/enter", "/api/v1/health/live")
"""Paths that are answered without a token: the door, and whether there is a server at all."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; "
    "img-src 'self' blob: data:; font-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def kept_token(state: Path) -> str:
    """The token of a state folder, made at the first start, in a file that its owner alone may read."""
    path = state / "token"
    try:
        found = path.read_text("ascii").strip()
    except FileNotFoundError:
        found = ""
    if len(found) < 32:
        found = secrets.token_urlsafe(32)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(found + "\n")
    path.chmod(0o600)
    return found


@dataclass(slots=True)
class Tickets:
    """One-time words of an address that becomes a cookie."""

    _left: set[str] = field(default_factory=set[str])

    def make(self) -> str:
        """A new one."""
        ticket = secrets.token_urlsafe(16)
        self._left.add(ticket)
        return ticket

    def take(self, ticket: str) -> bool:
        """Whether it was one; from now on it is none."""
        found = next((t for t in self._left if same(t, ticket)), None)
        self._left.discard(found or "")
        return found is not None


def same(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that tells nothing."""
    return hmac.compare_digest(one.encode(), other.encode())


@dataclass(slots=True)
class Guard:
    """ASGI middleware before everything: foreign names, foreign pages and strangers are refused, bodies bounded."""

    app: ASGIApp
    settings: Settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.settings.root_path:
            scope["root_path"] = self.settings.root_path
        nonce = secrets.token_urlsafe(12)
        scope.setdefault("state", {})["nonce"] = nonce
        sending = _with_headers(send, nonce)
        refused = self._refused(Headers(scope=scope), path_of(scope))
        if refused is not None:
            await refused.answer()(scope, receive, sending)
            return
        most = _most(path_of(scope), self.settings.limits)
        await self.app(scope, _bounded(receive, most), sending)

    def _refused(self, headers: Headers, path: str) -> Problem | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name(host) not in {known.lower() for known in self.settings.hosts}:
            mend = "start it with --allow-host for another name"
            return Problem(421, "foreign-host", f"this server is not '{host[:80]}'; {mend}")
        if origin is not None and _place(origin) != host:
            return Problem(
                403, "foreign-origin", f"pages of '{origin[:80]}' may not call this server"
            )
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if foreign and headers.get("sec-fetch-mode") != "navigate" and path not in OPEN:
            return Problem(403, "foreign-origin", "other pages may not call this server")
        length = headers.get("content-length", "0")
        most = _most(path, self.settings.limits)
        if not length.isdecimal() or int(length) > most:
            return too_large(most)
        if path in OPEN or path.startswith("/assets/") or self._known(headers):
            return None
        mend = "send `Authorization: Bearer TOKEN`; the token was printed when the server started"
        return Problem(401, "no-token", mend, {"www-authenticate": "Bearer"})

    def _known(self, headers: Headers) -> bool:
        token = self.settings.token
        name = cookie_of(self.settings.state)
        return token is None or any(same(token, given) for given in tokens_of(headers, name))


def path_of(scope: Scope) -> str:
    """The path of a request below the prefix of a proxy."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"


def tokens_of(headers: Headers, cookie: str) -> Iterable[str]:
    """What a request shows: as a program, and as a browser."""
    kind, _, given = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        yield given.strip()
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(cookie)
    except CookieError:
        return
    if found is not None:
        yield found.value


def cookie_of(state: Path) -> str:
    """The name of a server's cookie: browsers send cookies to all ports of a machine, where other servers may listen."""
    return f"{COOKIE}-{hashlib.sha256(os.fsencode(state)).hexdigest()[:8]}"


def too_large(most: int) -> Problem:
    """A body beyond its bound."""
    return Problem(413, "too-large", f"the body of this request may have {most:,} bytes")


def _name(host: str) -> str:
    """A host without its port."""
    return host.lower() if host.endswith("]") else host.lower().rpartition(":")[0] or host.lower()


def _place(origin: str) -> str:
    """The host of an origin with its port; of what is none, nothing."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _most(path: str, limits: Limits) -> int:
    return limits.upload if path in ("/api/v1/uploads", "/api/v1/picture") else limits.body


def _bounded(receive: Receive, most: int) -> Receive:
    """Messages of a body that has no length in its head, up to a bound."""
    left = most

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            left -= len(message.get("body", b""))
            if left < 0:
                raise too_large(most)
        return message

    return bounded


def _with_headers(send: Send, nonce: str) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["content-security-policy"] = POLICY.format(nonce=nonce)
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "no-referrer"
            headers["cross-origin-resource-policy"] = "same-origin"
            if "cache-control" not in headers:
                headers["cache-control"] = "no-store"
        await send(message)

    return sending
