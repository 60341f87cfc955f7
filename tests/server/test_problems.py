"""The bodies of the main refusals, as programs and people read them: what changes here changes the API."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving import SCENE
from starlette.testclient import TestClient

from server.problems import MEDIA
from server.settings import Limits

Other = Callable[..., TestClient]
GOLDEN = Path(__file__).with_name("problems.txt")
API = "/api/v1"
TWICE = "graph: 1\nnodes: {s: {type: shapes_scene, captoin: 'a 🙂 circle'}}\noutputs: {o: $s}\n"
Asked = tuple[str, str, str, dict[str, Any]]
ASKED: list[Asked] = [
    ("a stranger", "GET", "/health", {"headers": {"authorization": ""}}),
    ("another name", "GET", "/health", {"headers": {"host": "evil.example"}}),
    ("a page of another", "GET", "/health", {"headers": {"origin": "http://evil.example"}}),
    ("nothing there", "GET", "/nothing", {}),
    ("another method", "PATCH", "/jobs", {}),
    ("no body", "POST", "/jobs", {}),
    ("no JSON", "POST", "/jobs", {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("an unknown key", "POST", "/jobs", {"json": {"grpah": "scene.yaml"}}),
    ("half a character", "POST", "/format", {"content": b'{"text": "\\ud800"}', "headers": {"content-type": "application/json"}}),
    ("no graph", "GET", "/graphs/scenne.yaml", {}),
    ("no shipped graph", "GET", "/graphs/glide/text_to_imag", {}),
    ("a path that leads out", "PUT", "/graphs/..%2fx.yaml", {"json": {"text": ""}, "headers": {"if-none-match": "*"}}),
    ("where code is loaded from", "PUT", "/graphs/nodes/x.yaml", {"json": {"text": ""}, "headers": {"if-none-match": "*"}}),
    ("a shipped graph", "PUT", "/graphs/glide/text_to_image", {"json": {"text": ""}, "headers": {"if-none-match": "*"}}),
    ("no precondition", "PUT", "/graphs/scene.yaml", {"json": {"text": ""}}),
    ("a stale tag", "PUT", "/graphs/scene.yaml", {"json": {"text": "mine"}, "headers": {"if-match": '"old"'}}),
    ("a faulty graph", "POST", "/jobs", {"json": {"text": TWICE}}),
    ("a file outside", "POST", "/jobs", {"json": {"graph": "glide/sdedit", "inputs": {"image": "/etc/hostname"}}}),
    ("no such upload", "POST", "/jobs", {"json": {"graph": "glide/sdedit", "inputs": {"image": {"file": "0" * 64}}}}),
    ("too many cells", "POST", "/jobs", {"json": {"graph": "scene.yaml", "each": {"caption": "0..9"}}}),
    ("a queue that is full", "POST", "/jobs", {"json": {"graph": "scene.yaml"}}),
    ("no job", "GET", "/jobs/none", {}),
    ("a body that is too large", "POST", "/format", {"json": {"text": "x" * 5000}}),
    ("too many streams", "GET", "/events", {}),
    ("no edit", "POST", "/edit", {"json": {"text": "graph: 1", "edits": [{"edit": "burn"}]}}),
    ("no picture", "POST", "/picture", {"content": b"GIF89a"}),
    ("no update to a number", "GET", "/live/none.yaml/updates?since=0", {}),
]  # fmt: skip


def told(client: TestClient, asked: Asked) -> str:
    """A refusal as text: its name, status, what it says beside the body, the body."""
    name, method, path, given = asked
    answer = client.request(method, API + path, **given)
    assert answer.headers["content-type"] == MEDIA, (name, answer.status_code, answer.text)
    more = {
        k: v for k, v in answer.headers.items() if k in ("www-authenticate", "retry-after", "allow")
    }
    body = answer.json()
    assert body.pop("title")  # Python's words, which differ from version to version
    body = json.dumps(body, indent=2, ensure_ascii=False)
    return f"# {name}\n{answer.status_code} {json.dumps(more)}\n{body}\n"


def test_refusals_say_what_they_said(other: Other, folder: Path) -> None:
    (folder / "scene.yaml").write_text(SCENE, "utf-8")
    client = other(Limits(body=4000, cells=5, queued=0, readers=0))
    found = "\n".join(told(client, asked) for asked in ASKED)
    assert found == GOLDEN.read_text("utf-8")
