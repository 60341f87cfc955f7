"""The door: a one-time address, or the token typed by hand, becomes a cookie of the browser."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from server import services
from server.pages import plain
from server.security import cookie_of, same

router = APIRouter(include_in_schema=False)
YEAR = 365 * 24 * 3600
FORM = """<form method="post" action="enter">
<label>Token <input name="token" type="password" autocomplete="current-password" autofocus></label>
<button>Enter</button></form><p>{said}</p>"""
WHERE = "The token was printed when the server started; it is kept in the file <code>token</code> of its state folder."


@router.get("/enter")
def enter(request: Request, ticket: Annotated[str, "one-time"] = "") -> Response:
    """Open the door with a one-time word; without one there is a form."""
    found = services.of(request)
    if ticket and found.tickets.take(ticket):
        return _inside(request, found.settings.token or "")
    said = f"This address was used already. {WHERE}" if ticket else WHERE
    return plain(request, FORM.format(said=said), 403 if ticket else 200)


@router.post("/enter")
def typed(request: Request, token: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Open the door with the token."""
    wanted = services.of(request).settings.token
    if wanted is None or same(token.strip(), wanted):
        return _inside(request, wanted or "")
    return plain(request, FORM.format(said=f"That is not the token. {WHERE}"), 403)


def _inside(request: Request, token: str) -> Response:
    prefix = request.scope.get("root_path", "")
    answer = RedirectResponse(f"{prefix}/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(
        cookie_of(services.of(request).settings.state),
        token,
        YEAR,
        path=prefix or "/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )
    return answer
