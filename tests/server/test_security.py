"""Who is let in, and what is refused."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from serving import TOKEN
from starlette.testclient import TestClient

from server.command import serve
from server.listening import listening
from server.security import COOKIE, Tickets, kept_token
from server.settings import Limits

Other = Callable[..., TestClient]
API = "/api/v1"


def problem(answer: "object") -> tuple[int, str]:
    """Status and type of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"  # type: ignore[attr-defined]
    body = answer.json()  # type: ignore[attr-defined]
    assert body["detail"] and body["status"] == answer.status_code  # type: ignore[attr-defined]
    return body["status"], body["type"]


def test_strangers_are_refused_and_told_how_to_come_in(served: TestClient) -> None:
    for given in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        assert problem(served.get(f"{API}/health", headers={"authorization": given})) == (
            401,
            "no-token",
        )
    assert served.get(f"{API}/health/live", headers={"authorization": ""}).json() == {
        "status": "ok"
    }
    assert served.get(f"{API}/health").status_code == 200
    assert problem(served.get("/", headers={"authorization": ""})) == (401, "no-token")


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"host": "evil.example"}, (421, "foreign-host")),
        ({"host": "testserver.evil.example"}, (421, "foreign-host")),
        ({"origin": "http://evil.example"}, (403, "foreign-origin")),
        ({"origin": "null"}, (403, "foreign-origin")),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, (403, "foreign-origin")),
        ({"content-length": "999999999999"}, (413, "too-large")),
        ({"content-length": "-1"}, (413, "too-large")),
    ],
)
def test_foreign_names_pages_and_large_bodies_are_refused(
    served: TestClient, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    assert problem(served.post(f"{API}/format", headers=headers, content=b"{}")) == refusal
    if "content-length" not in headers:
        assert problem(served.get(f"{API}/events", headers=headers)) == refusal


def test_the_own_page_may_call(served: TestClient) -> None:
    headers = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    assert served.get(f"{API}/health", headers=headers).status_code == 200


def test_a_body_without_a_length_is_bounded(other: Other) -> None:
    client = other(Limits(body=1000))
    chunks = (b"x" * 600 for _ in range(3))
    assert problem(client.post(f"{API}/format", content=chunks)) == (413, "too-large")


def test_a_one_time_address_becomes_a_cookie(served: TestClient) -> None:
    ticket = served.app.state.services.tickets.make()  # type: ignore[attr-defined]
    stranger = {"authorization": ""}
    entered = served.get(f"/enter?ticket={ticket}", headers=stranger, follow_redirects=False)
    assert entered.status_code == 303 and entered.headers["location"] == "/"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and cookie.startswith(COOKIE)
    known = {**stranger, "cookie": cookie.partition(";")[0]}
    assert served.get("/api/v1/health", headers=known).status_code == 200
    served.cookies.clear()
    assert served.get(f"/enter?ticket={ticket}", headers=stranger).status_code == 403
    typed = served.post("/enter", data={"token": TOKEN}, headers=stranger, follow_redirects=False)
    assert typed.status_code == 303
    served.cookies.clear()
    assert served.post("/enter", data={"token": "no"}, headers=stranger).status_code == 403
    served.cookies.clear()


def test_two_servers_of_a_machine_have_cookies_of_their_own(other: Other) -> None:
    one, two = other(token="one" * 10), other(token="two" * 10)
    for client, token in ((one, "one" * 10), (two, "two" * 10)):
        client.headers["authorization"] = ""
        client.post("/enter", data={"token": token}, follow_redirects=False)
    two.cookies.update(dict(one.cookies))
    assert len(two.cookies) == 2 and two.get(f"{API}/health").status_code == 200
    one.cookies.update(dict(two.cookies))
    assert one.get(f"{API}/health").status_code == 200


def test_tickets_are_taken_once() -> None:
    tickets = Tickets()
    one, two = tickets.make(), tickets.make()
    assert [tickets.take(t) for t in (one, one, "", two)] == [True, False, False, True]


def test_the_token_is_kept_where_its_owner_alone_reads(tmp_path: Path) -> None:
    token = kept_token(tmp_path)
    assert len(token) >= 32 and kept_token(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_answers_tell_browsers_to_be_careful(served: TestClient) -> None:
    headers = served.get("/").headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert served.get(f"{API}/health").headers["cache-control"] == "no-store"
    assert served.get("/assets/../app.py").status_code == 404


def test_an_error_of_ours_shows_no_trace(other: Other, monkeypatch: pytest.MonkeyPatch) -> None:
    client = other()

    def broken(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("server.jobs.store.Jobs.counts", broken)
    quiet = TestClient(client.app, raise_server_exceptions=False, headers=dict(client.headers))
    answer = quiet.get(f"{API}/health")
    assert problem(answer) == (500, "internal") and "secret" not in answer.text


def test_a_socket_of_a_path_is_its_owners_alone(tmp_path: Path) -> None:
    listener = listening("", 0, tmp_path / "socket")
    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o600
    listener.close()
    listening("", 0, tmp_path / "socket").close()  # what a dead server left is no hindrance
    free = listening("127.0.0.1", 0, None)
    assert free.family == socket.AF_INET and os.get_inheritable(free.fileno()) is False
    free.close()


def test_a_socket_is_named_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[tuple[Any, socket.socket]] = []
    run = lambda server, sockets: served.append((server.config.app, sockets[0]))  # noqa: E731
    monkeypatch.setattr("uvicorn.Server.run", run)
    (tmp_path / "graphs").mkdir()
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    serve(Path("graphs"), socket=Path("own"), workers="cpu", state=Path("state"))
    assert (tmp_path / "own").is_socket() and Path.cwd() == tmp_path / "graphs"
    ((app, listener),) = served
    assert listener.getsockname() == "own"
    listener.close()
    app.state.services.close()


def test_behind_a_proxy_places_have_its_prefix(
    other: Callable[..., TestClient], recwarn: pytest.WarningsRecorder
) -> None:
    client = other(root_path="/graphs")
    for asked in ("/graphs/api/v1/jobs", "/api/v1/jobs"):
        answer = client.post(asked, json={"graph": "scene.yaml"})
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/graphs/api/v1/jobs/{answer.json()['id']}"
    assert client.get("/graphs/api/v1/jobs", headers={"authorization": ""}).status_code == 401
    assert not [w for w in recwarn if "root_path" in str(w.message)]
