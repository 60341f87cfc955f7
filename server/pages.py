"""The pages: the editor as it was built, and plain ones where it says nothing yet. Each gets the nonce of its answer."""

from html import escape
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

STATIC = Path(__file__).with_name("static")
"""The built editor: `index.html` and its `assets`."""
PLAIN = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>nodegraph</title><style nonce="{nonce}">
body {{ font: 16px/1.5 system-ui, sans-serif; color-scheme: light dark; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }}
input, button {{ font: inherit; padding: 4px 8px; }}
</style></head><body><main><h1>nodegraph</h1>{body}</main></body></html>
"""
NO_EDITOR = """<p>The server runs; its editor was not built.</p>
<p>In a checkout, <code>python -m pip install --editable .</code> builds it with a Node of its own, and an installed package
has it unless <code>NODEGRAPH_WEB=skip</code> was set. The API is at <code>api/v1</code>.</p>"""


def plain(request: Request, body: str, status: int = 200) -> HTMLResponse:
    """A page of one column; `body` is markup."""
    return HTMLResponse(PLAIN.format(nonce=escape(request.state.nonce), body=body), status)


def editor(request: Request) -> HTMLResponse:
    """The editor; where there is none, what to do about it."""
    try:
        page = (STATIC / "index.html").read_text("utf-8")
    except FileNotFoundError:
        return plain(request, NO_EDITOR, 503)
    return HTMLResponse(page.replace('content="NONCE"', f'content="{request.state.nonce}"'))


class Assets(StaticFiles):
    """Built files: their names tell their contents, so that browsers keep them."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        answer = super().file_response(*given, **named)
        answer.headers["cache-control"] = "private, max-age=31536000, immutable"
        return answer


def mount(app: FastAPI) -> None:
    """Add the editor's page and files to an application."""
    app.add_api_route("/", editor, include_in_schema=False)
    if (STATIC / "assets").is_dir():
        app.mount("/assets", Assets(directory=STATIC / "assets"))
