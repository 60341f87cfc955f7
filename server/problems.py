"""Errors as `application/problem+json` (RFC 9457): a type that programs tell apart, and a sentence that names the mend."""

import errno
import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from nodegraph.base.visible import visible_line
from nodegraph.base.workspace import NoNodes
from server.encoding import Answer

MEDIA = "application/problem+json"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MOST = 20
"""Faults of a body that are told."""
log = logging.getLogger("nodegraph.server")


class Problem(HTTPException):
    """A request that is refused. `type` is a short word that stays the same; `more` are members of the body."""

    def __init__(
        self,
        status: int,
        type: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(status, detail, headers)
        self.status, self.type, self.more = status, type, more

    def answer(self) -> Answer:
        """The body that tells it."""
        body = {"type": self.type, "title": HTTPStatus(self.status).phrase, "status": self.status}
        body |= {"detail": self.detail, **self.more}
        return Answer(body, self.status, self.headers, MEDIA)


def absent(what: str) -> Problem:
    """Something that a path names and that is not there."""
    return Problem(404, "not-found", f"there is no {what}")


def install(app: FastAPI) -> None:
    """Tell every error of an application as a problem; what is nobody's fault but ours shows no trace."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(NoNodes, _of_nodes)
    app.add_exception_handler(OSError, _of_disk)
    app.add_exception_handler(OperationalError, _of_disk)
    app.add_exception_handler(Exception, _ours)


def _problem(_: Request, error: Exception) -> Answer:
    assert isinstance(error, Problem)
    return error.answer()


def _malformed(_: Request, error: Exception) -> Answer:
    assert isinstance(error, RequestValidationError)
    found = [
        {"at": ".".join(map(str, e["loc"])), "message": e["msg"].removeprefix("Value error, ")}
        for e in error.errors()[:MOST]
    ]
    first = found[0]
    detail = f"{first['at']}: {first['message']}"
    return Problem(422, "malformed", detail, errors=found).answer()


def _of_http(request: Request, error: Exception) -> Answer:
    assert isinstance(error, HTTPException)
    if error.__cause__ is not None and full(error.__cause__):  # a body that is read into a file
        return _of_disk(request, error.__cause__)
    kinds = {404: "not-found", 405: "method-not-allowed"}
    path = visible_line(request.url.path)
    details = {404: f"there is nothing at {path}", 405: f"{request.method} is not done at {path}"}
    detail = details.get(error.status_code, error.detail)
    kind = kinds.get(error.status_code, "malformed")
    return Problem(error.status_code, kind, detail, error.headers).answer()


def _of_nodes(_: Request, error: Exception) -> Answer:
    """A node file that was named at the start, and cannot be read any more."""
    return Problem(503, "no-nodes", str(error)).answer()


def full(error: BaseException | None) -> bool:
    """Whether an error says that a disk has no room left, or may not be written."""
    if isinstance(error, OSError):
        return error.errno in (*FULL, errno.EROFS)
    told = str(error.orig) if isinstance(error, OperationalError) else ""
    return "disk is full" in told or "readonly database" in told or "disk I/O error" in told


def _of_disk(request: Request, error: BaseException) -> Answer:
    """A disk without room is nobody's fault, and has a mend."""
    if not full(error):
        return _ours(request, error)
    log.error(
        "%s %s: no room on a disk, or it may not be written", request.method, request.url.path
    )
    mend = "make room there, and ask again"
    return Problem(
        507, "disk-full", f"a disk of this server is full, or may not be written; {mend}"
    ).answer()


def _ours(request: Request, error: BaseException) -> Answer:
    number = secrets.token_hex(4)
    log.error("error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    detail = f"an error of the server; its log tells more under {number}"
    return Problem(500, "internal", detail).answer()
