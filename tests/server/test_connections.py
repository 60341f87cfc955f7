"""Connections that say nothing, say it slowly, or say what is no HTTP."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest
from serving import TOKEN, heard

from server import connections
from server.app import application
from server.settings import Settings

HEAD = b"GET /api/v1/health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.fixture
def port(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a server that is impatient, and takes six connections."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    monkeypatch.setattr(connections, "MOST", 6)
    app = application(replace(settings, state=tmp_path / "state", workers=()))
    with heard(app, http=connections.Bounded) as found:
        yield found


Opening = Callable[..., socket.socket]


@pytest.fixture
def opened(port: int) -> Iterator[Opening]:
    """Opens connections, and says something."""
    with ExitStack() as stack:

        def opening(said: bytes = b"") -> socket.socket:
            found = socket.create_connection(("127.0.0.1", port), timeout=20)
            stack.enter_context(closing(found))
            found.sendall(said)
            return found

        yield opening


def closed(one: socket.socket) -> bool:
    """Whether the server hangs up; waits for it."""
    try:
        return one.recv(1) == b""
    except ConnectionError:
        return True


def gone(one: socket.socket) -> bool:
    """Whether the server has hung up, when all was read that it said."""
    one.settimeout(0.1)
    try:
        while one.recv(4096):
            pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


def alive(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/api/v1/health/live")
    found = connection.getresponse().status == 200
    connection.close()
    return found


def test_who_says_nothing_or_says_it_slowly_is_hung_up_on(port: int, opened: Opening) -> None:
    silent, slow, again = opened(), opened(HEAD), opened(HEAD + b"\r\n")
    answer = HTTPResponse(again)  # its head and its body may come one after the other
    answer.begin()
    assert answer.status == 200 and answer.read() and alive(port)
    again.sendall(HEAD)  # a second request, whose head does not end
    slow.settimeout(0.1)
    for number in range(600):  # a byte of a head now and then is no reason to wait longer
        try:
            slow.sendall(b"x-%d: a\r\n" % number)
            if slow.recv(1) == b"":
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    else:
        pytest.fail("the slow one was never hung up on")
    assert closed(silent) and closed(again) and alive(port)


def test_a_new_connection_takes_the_place_of_the_one_that_waited_longest(
    port: int, opened: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 60.0)
    first, *others = [opened() for _ in range(6)]
    time.sleep(0.1)
    assert alive(port) and closed(first)
    assert not any(map(gone, others))


def test_streams_are_never_hung_up_on_for_others(port: int, opened: Opening) -> None:
    ask = f"GET /api/v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {TOKEN}\r\n\r\n"
    streams = [opened(ask.encode()) for _ in range(6)]
    for stream in streams:
        assert stream.recv(15) == b"HTTP/1.1 200 OK"
    refused = opened(HEAD + b"\r\n").recv(4096)
    assert refused.startswith(b"HTTP/1.1 503") and b"retry-after: 5" in refused
    time.sleep(1.2)  # they have no request to wait for
    for stream in streams:
        assert not gone(stream)


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01\x02\x00\x01\x00", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem(port: int, opened: Opening, said: bytes) -> None:
    answer = opened(said + b"\r\n\r\n")
    head, _, body = answer.recv(4096).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400") and b"content-type: application/problem+json" in head
    assert json.loads(body)["type"] == "no-http" and closed(answer)
