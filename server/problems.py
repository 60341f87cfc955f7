"""Errors as `application/problem+json` (RFC 9457): a type that programs tell apart, and a sentence that names the mend."""

import logging
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

MEDIA = "application/problem+json"
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

    def answer(self) -> JSONResponse:
        """The body that tells it."""
        body = {"type": self.type, "title": HTTPStatus(self.status).phrase, "status": self.status}
        body |= {"detail": self.detail, **self.more}
        return JSONResponse(body, self.status, self.headers, MEDIA)


def absent(what: str) -> Problem:
    """Something that a path names and that is not there."""
    return Problem(404, "not-found", f"there is no {what}")


def install(app: FastAPI) -> None:
    """Tell every error of an application as a problem; what is nobody's fault but ours shows no trace."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _ours)


def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return error.answer()


def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [{"at": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in error.errors()]
    first = found[0]
    detail = f"{first['at']}: {first['message']}"
    return Problem(422, "malformed", detail, errors=found).answer()


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    kinds = {404: "not-found", 405: "method-not-allowed"}
    detail = f"there is nothing at {request.url.path}" if error.status_code == 404 else error.detail
    kind = kinds.get(error.status_code, "malformed")
    return Problem(error.status_code, kind, detail, error.headers).answer()


def _ours(request: Request, error: Exception) -> JSONResponse:
    number = secrets.token_hex(4)
    log.error("error %s at %s %s", number, request.method, request.url.path, exc_info=error)
    detail = f"an error of the server; its log tells more under {number}"
    return Problem(500, "internal", detail).answer()
