"""`nodegraph models get` against servers and catalogues that mean no good: sizes, addresses, and where files are put."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from file_server import Silent, running
from typer.testing import CliRunner

import nodegraph.models.download
from nodegraph.cli import app
from nodegraph.models.catalogue import ModelFile
from nodegraph.models.download import DownloadError, Remote, fetch

Answer = Callable[[BaseHTTPRequestHandler], None]
CONTENT = bytes(range(256)) * 40


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server that answers every request so; its address."""

    class Handler(Silent):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.close_connection = True
            answer(self)

    with running(Handler) as address:
        yield address


def sends(content: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def in_pieces(content: bytes) -> Answer:
    """A body whose length is not said before."""
    pieces = (content[i : i + 1000] for i in range(0, len(content), 1000))
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return sends(body, Transfer_Encoding="chunked")


def sent_on(place: str, code: int = 302) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Location", place)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    (tmp_path / "models").mkdir()


def got(answer: Answer, tmp_path: Path, **known: Any) -> Path:
    partial = tmp_path / "x.pt.part"
    with answering(answer) as address:
        fetch(Remote(f"{address}/x.pt", **known), partial, lambda done, total: None)
    return partial


def nothing_kept(tmp_path: Path) -> bool:
    return {path.name for path in tmp_path.iterdir()} == {"models"}


@pytest.mark.parametrize("known", [{}, {"size": len(CONTENT)}])
@pytest.mark.parametrize(
    "answer", [sends(CONTENT, Content_Length=str(len(CONTENT))), in_pieces(CONTENT)]
)
def test_the_announced_size_is_kept(answer: Answer, known: dict[str, int], tmp_path: Path) -> None:
    assert got(answer, tmp_path, **known).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (in_pieces(CONTENT + b"x"), "sends more than the 10,240 bytes"),
        (in_pieces(CONTENT * 1000), "sends more than the 10,240 bytes"),
        (in_pieces(CONTENT[:-1]), "has 10,239 bytes, not 10,240 as published"),
        (in_pieces(b""), "has 0 bytes, not 10,240"),
        (sends(CONTENT, Content_Length="10239"), "announces 10,239 bytes"),
        (sends(CONTENT + b"x", Content_Length="10241"), "announces 10,241 bytes"),
        (sends(CONTENT + b"x", Content_Length="no number"), "sends more than the 10,240 bytes"),
        (sends(CONTENT + b"x", Content_Length="-5"), "sends more than the 10,240 bytes"),
    ],
)
def test_another_size_than_the_published_one_is_refused(
    answer: Answer, says: str, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match=says):
        got(answer, tmp_path, size=len(CONTENT))
    assert nothing_kept(tmp_path)


def test_a_body_is_no_longer_than_its_header_says(tmp_path: Path) -> None:
    answer = sends(CONTENT + b"and more", Content_Length=str(len(CONTENT)))
    assert got(answer, tmp_path).read_bytes() == CONTENT


def test_a_body_without_end_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodegraph.models.download, "UNANNOUNCED", 1000)
    with pytest.raises(DownloadError, match="sends more than the 5,000 bytes"):
        got(in_pieces(CONTENT), tmp_path, about=1000)
    assert nothing_kept(tmp_path)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place",
    [
        "http://192.0.2.1/x.pt",
        "ftp://127.0.0.1/x.pt",
        "file:///etc/hostname",
        "http://127.0.0.1.example.org/x.pt",
        "http://[::2]/x.pt",
        "http://[nothing/x.pt",
        "javascript:1",
    ],
)
def test_nobody_is_sent_on_to_an_unsafe_address(place: str, code: int, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        got(sent_on(place, code), tmp_path)
    assert nothing_kept(tmp_path)


def test_one_is_sent_on_within_this_machine(tmp_path: Path) -> None:
    with answering(sends(CONTENT, Content_Length=str(len(CONTENT)))) as other:
        assert got(sent_on(f"{other}/y.pt"), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("before", "url", "fits"),
    [
        ("", "https://example.org/x", True),
        ("", "http://example.org/x", False),
        ("", "http://localhost:80/x", True),
        ("", "http://[::1]:80/x", True),
        ("", "http://127.8.0.1/x", True),
        ("", "http://localhost.example.org/x", False),
        ("", "http://127.0.0.1@example.org/x", False),
        ("", "ftp://example.org/x", False),
        ("", "file:///etc/passwd", False),
        ("", "/etc/passwd", False),
        ("", "", False),
        ("https://example.org/y", "https://example.com/x", True),
        ("https://example.org/y", "http://localhost/x", False),
        ("http://localhost/y", "http://localhost/x", True),
        ("http://localhost/y", "https://example.org/x", True),
    ],
)
def test_addresses(before: str, url: str, fits: bool) -> None:
    assert nodegraph.models.download._allowed(url, before) == fits


@pytest.mark.parametrize(
    "url",
    ["https://", "https://a b/\x1b", "https://" + "a" * 300 + ".org/x", "http://localhost:x/y"],
)
def test_an_address_that_is_none_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        fetch(Remote(url), tmp_path / "x.part", lambda done, total: None)


BAD_NAMES = [
    ("../away", "x.pt"),
    ("a/../../away", "x.pt"),
    ("/away", "x.pt"),
    ("a//b", "x.pt"),
    ("a/.", "x.pt"),
    ("a\0b", "x.pt"),
    ("a\\..\\b", "x.pt"),
    ("C:", "x.pt"),
    ("a\ud800", "x.pt"),
    ("a" * 300, "x.pt"),
    ("a/b", ""),
    ("a/b", ".."),
    ("a/b", "%2e%2e"),
    ("a/b", "..%2Fx.pt"),
    ("a/b", "%2Fetc%2Fx.pt"),
    ("a/b", "x%00.pt"),
    ("a/b", "x%0a.pt"),
    ("a/b", "..%5Cx.pt"),
]


@pytest.mark.parametrize(("model", "name"), BAD_NAMES)
@pytest.mark.parametrize("server", ["https://example.org/", "hf://owner/repository/"])
def test_names_that_lead_out_have_no_place(model: str, name: str, server: str) -> None:
    with pytest.raises(ValueError, match="has no place below the folder of models"):
        ModelFile(model, server + name, 1)


def test_dots_and_strange_letters_are_names() -> None:
    assert ModelFile("a/..b/ü", "https://example.org/..x.pt?y=../..", 1).name == "..x.pt"


def published(tmp_path: Path, model: str, url: str) -> None:
    part = {"kind": "UNet", "layout": "openai_glide", "files": [{"url": url, "parameters": 1}]}
    about = {"licence": "MIT", "source": "test", "card": "Tiny."}
    bundle, _, name = model.rpartition("/")
    record = {bundle: {**about, "parts": {name: part}}}
    (tmp_path / "models" / "catalogue.json").write_text(json.dumps(record), encoding="utf-8")


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["models", *arguments])
    assert done.exit_code, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    return done.output


@pytest.mark.parametrize("model", ["../../away/base", "/away/base"])
def test_a_catalogue_cannot_name_a_place_elsewhere(model: str, tmp_path: Path) -> None:
    with answering(sends(CONTENT, Content_Length=str(len(CONTENT)))) as address:
        published(tmp_path, model, f"{address}/x.pt")
        assert "catalogue.json" in told("get", model)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["catalogue.json", "models"]


@pytest.mark.parametrize("link", ["tiny", "tiny/base", "tiny/base/x.pt.part", "tiny/base/.lock"])
@pytest.mark.parametrize("way", ["get", "add"])
def test_a_link_out_of_the_folder_is_not_written_through(
    link: str, way: str, tmp_path: Path
) -> None:
    away, place = tmp_path / "away", tmp_path / "models" / link
    away.mkdir()
    (away / "base").mkdir()
    (away / "kept").write_text("mine")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(away / "kept" if "." in place.name else away)
    (tmp_path / "x.pt").write_bytes(b"weights")
    with answering(sends(CONTENT, Content_Length=str(len(CONTENT)))) as address:
        published(tmp_path, "tiny/base", f"{address}/x.pt")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("nodegraph.models.store._checker", lambda _: lambda *_: "x.pt")
            rest = ["tiny/base"] if way == "get" else [str(tmp_path / "x.pt"), "--as", "tiny/base"]
            assert "is a link out of the folder of models" in told(way, *rest)
    assert {path.name for path in away.rglob("*")} == {"base", "kept"}
    assert (away / "kept").read_text() == "mine"


@pytest.mark.parametrize(
    "url",
    ["hf://", "hf://a", "hf://a/b", "hf://a/b/", "hf://../b/c", "hf://a/b/../c", "hf://a/b//c",
     "hf://a/b/c/../../d", "hf://a b/c/d", "hf://a/b/c\0d", "hf://a/b@/c", "hf://a/b@../c",
     "hf://a/@main/c", "hf://a@x/b/c"],
)  # fmt: skip
def test_addresses_of_the_hub_that_are_none(url: str) -> None:
    from nodegraph.models.hub import hub_file

    with pytest.raises(DownloadError, match="is no file of the Hub"):
        hub_file(url)
