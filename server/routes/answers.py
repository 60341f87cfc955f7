"""Answers that many routes give."""

from typing import Any

from fastapi import Request, Response

from server.encoding import Answer
from server.problems import Problem

PROBLEM: dict[str, Any] = {
    "description": "A problem: `type` tells programs what it is, `detail` people.",
    "content": {
        "application/problem+json": {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "diagnostics": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}
REFUSALS = (
    400,
    401,
    403,
    404,
    405,
    406,
    409,
    410,
    412,
    413,
    415,
    416,
    421,
    422,
    428,
    429,
    503,
    507,
)
"""What a request may be answered with beside its own answer."""


def problems() -> dict[int | str, dict[str, Any]]:
    """Problems for the OpenAPI."""
    return dict.fromkeys(REFUSALS, PROBLEM)


def tagged(request: Request, content: Any, etag: str, status: int = 200) -> Response:
    """JSON with a strong entity tag; 304 without it for who has it."""
    headers = {"etag": etag, "cache-control": "private, no-cache"}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if request.method == "GET" and etag in known:
        return Response(status_code=304, headers=headers)
    return Answer(content, status, headers)


def expected(request: Request) -> str | None:
    """The tag of the text that a request replaces; None where it says that there is none. Raises Problem 428."""
    match, none = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is not None:
        return match.strip()
    if none is not None and none.strip() == "*":
        return None
    mend = "send If-Match with the ETag that you read, or If-None-Match: * for a new file"
    raise Problem(428, "no-precondition", mend)
