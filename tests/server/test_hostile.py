"""What hostile and careless requests send: each is refused with a problem, and what comes after is answered as before."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from serving import SCENE, SLOW, TOKEN, ended
from starlette.testclient import TestClient

from server.app import application
from server.encoding import encoded
from server.problems import MEDIA
from server.settings import Limits, Settings

Other = Callable[..., TestClient]
API = "/api/v1"
HALF = r'"\ud800"'
DEEP = "[" * 900 + "]" * 900
PICTURE = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"


@pytest.fixture(scope="module")
def quiet(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server without workers, whose own errors are answers."""
    given = replace(settings, state=tmp_path_factory.mktemp("hostile"), workers=())
    with TestClient(application(given), raise_server_exceptions=False) as client:
        client.headers["authorization"] = f"Bearer {TOKEN}"
        yield client


def refused(answer: Any) -> tuple[int, str]:
    """Status and type of a refusal."""
    assert answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == MEDIA, answer.text
    body = answer.json()
    assert body["detail"] and body["status"] == answer.status_code
    return body["status"], body["type"]


def send(client: TestClient, path: str, content: str, method: str = "POST", **headers: str) -> Any:
    given = {"content-type": "application/json", **headers}
    return client.request(method, f"{API}{path}", content=content, headers=given)


@pytest.mark.parametrize("value", [HALF, "NaN", "-Infinity", "1e400", DEEP, "1" * 5000])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/jobs", '{"graph": "slow.yaml", "inputs": {"value": %s}}'),
        ("/jobs", '{"graph": "slow.yaml", "inputs": {"seconds": %s}}'),
        ("/jobs", '{"graph": "slow.yaml", "set": {"s.seconds": %s}}'),
        ("/jobs", '{"graph": "slow.yaml", "each": {"seconds": [1, %s]}}'),
        ("/run/slow.yaml", '{"seconds": %s}'),
        ("/check", '{"path": "slow.yaml", "inputs": {"seconds": %s}}'),
        (
            "/edit",
            '{"text": "graph: 1", "edits": [{"edit": "set_text", "key": "title", "value": %s}]}',
        ),
        ("/live/slow.yaml/updates", '{"version": 0, "client": "me", "changes": [%s]}'),
    ],
)
def test_values_that_json_has_not_are_refused(
    quiet: TestClient, path: str, body: str, value: str
) -> None:
    assert refused(send(quiet, path, body % value))[1] in ("malformed", "faulty-graph")


@pytest.mark.parametrize("where", ["inputs", "set", "each"])
def test_names_of_half_characters_are_refused(quiet: TestClient, where: str) -> None:
    body = f'{{"graph": "slow.yaml", "{where}": {{{HALF}: ["a"]}}}}'
    assert refused(send(quiet, "/jobs", body)) == (422, "malformed")


@pytest.mark.parametrize(
    "content", ["", "[" * 100_000, "\ufeff{}", "{", "null", "3", '"text"', "[1]"]
)
@pytest.mark.parametrize("path", ["/jobs", "/check", "/format", "/edit", "/run/slow.yaml"])
def test_bodies_that_are_none_are_refused(quiet: TestClient, path: str, content: str) -> None:
    if path.startswith("/run") and content in ("", "null", "\ufeff{}"):
        return  # a graph whose inputs all have defaults needs none
    assert refused(send(quiet, path, content))[1] == "malformed"


def test_numbers_that_no_database_holds_are_refused(quiet: TestClient) -> None:
    quiet.get(f"{API}/live/slow.yaml")
    for query in ("live/slow.yaml/updates?since=", "jobs?before=", "events?since="):
        assert refused(quiet.get(f"{API}/{query}{9**40}")) == (422, "malformed")
    assert refused(quiet.get(f"{API}/jobs/none/sheet?page={9**40}"))[0] == 404


def test_what_is_no_number_comes_out_as_null(served: TestClient) -> None:
    text = "graph: 1\nnodes: {n: {type: toy_nan}}\noutputs: {out: $n}\n"
    assert served.post(f"{API}/jobs", json={"text": text}).status_code == 201
    (job,) = served.get(f"{API}/jobs").json()["jobs"]
    assert ended(served, job["id"])["outputs"] == {"out": [None]}
    assert encoded({"a": (float("inf"), "\ud800🙂")}) == b'{"a":[null,"?\xf0\x9f\x99\x82"]}'


@pytest.mark.parametrize(
    "path",
    ["./new.yaml", "a//new.yaml", "a/./new.yaml", "a/../new.yaml", "a\nb.yaml", "a\u202eb.yaml",
     "x" * 250 + ".yaml", "🙂" * 60 + ".yaml", "/new.yaml", ".yaml", "a/.yaml", "a\\b.yaml", "a\0.yaml", "a\ufffd.yaml"],
)  # fmt: skip
def test_a_graph_has_one_path_which_people_can_read(
    quiet: TestClient, folder: Path, path: str
) -> None:
    before = sorted(folder.rglob("*"))
    for verb in ("copy", "rename"):
        answer = quiet.post(f"{API}/graphs/scene.yaml/{verb}", json={"to": path})
        assert refused(answer) == (400, "bad-path")
    assert refused(quiet.post(f"{API}/check", json={"path": path, "text": ""})) == (400, "bad-path")
    assert sorted(folder.rglob("*")) == before


def test_names_in_all_writings_are_names(quiet: TestClient, folder: Path) -> None:
    for name in ("🙂.yaml", "ä ö.yaml", "Slow.yaml", "ſlow.yaml", "a,b&c=d#e?.yaml"):
        place = f"{API}/graphs/" + name.replace("%", "%25").replace("#", "%23").replace("?", "%3F")
        made = quiet.put(place, json={"text": SCENE}, headers={"if-none-match": "*"})
        assert made.status_code == 201 and (folder / name).read_text() == SCENE
        assert name in {graph["path"] for graph in quiet.get(f"{API}/graphs").json()["workspace"]}
        (folder / name).unlink()
    assert (folder / "slow.yaml").read_text() == SLOW


def test_files_whose_names_are_no_text_hide_no_others(quiet: TestClient, folder: Path) -> None:
    odd = folder / b"\xff.yaml".decode("utf-8", "surrogateescape")
    try:
        odd.write_text(SCENE)
    except OSError:
        pytest.skip("this disk takes names of text alone")
    listed = {graph["path"] for graph in quiet.get(f"{API}/graphs").json()["workspace"]}
    odd.unlink()
    assert "slow.yaml" in listed and len(listed) == len({name.encode() for name in listed})


def test_a_file_is_no_folder(quiet: TestClient) -> None:
    for verb in ("rename", "copy"):
        answer = send(quiet, f"/graphs/scene.yaml/{verb}", '{"to": "slow.yaml/new.yaml"}')
        assert refused(answer)[0] == 422
    new = {"if-none-match": "*"}
    assert refused(send(quiet, "/graphs/slow.yaml/a.yaml", '{"text": ""}', "PUT", **new))[0] == 422


@pytest.mark.parametrize("name", ["a%00b", "x" * 500, "..%2f..%2fapp", "%2fetc%2fpasswd"])
def test_nothing_else_is_a_picture_of_a_graph(quiet: TestClient, name: str) -> None:
    assert refused(quiet.get(f"{API}/thumbnails/{name}")) == (404, "not-found")


@pytest.mark.parametrize("name", ["x" * 401, "../../etc/passwd", "a%00b", "/etc/passwd", ".yaml"])
def test_nothing_else_is_run(quiet: TestClient, name: str) -> None:
    assert refused(send(quiet, f"/run/{name}", "{}"))[0] in (400, 404, 422)


OUTSIDE = [
    "/etc/hostname",
    "/etc/passwd",
    "../../x.png",
    "~/x.png",
    "~root/x.png",
    "/proc/self/environ",
]


@pytest.mark.parametrize("place", OUTSIDE)
def test_no_request_names_a_file_outside(quiet: TestClient, place: str) -> None:
    inputs = {"image": place}
    for path in ("/jobs", "/check", "/plan"):
        body = {"text": PICTURE, "inputs": inputs}
        more = {} if path == "/jobs" else {"path": "p.yaml"}
        assert refused(send(quiet, path, json.dumps(body | more))) == (403, "outside"), path


def test_no_cell_of_a_sweep_names_a_file_outside(quiet: TestClient, folder: Path) -> None:
    from PIL import Image

    Image.new("RGB", (4, 4)).save(folder / "own.png")
    own = str(folder / "own.png")
    assert (
        quiet.post(f"{API}/jobs", json={"text": PICTURE, "inputs": {"image": own}}).status_code
        == 201
    )
    for place in OUTSIDE:
        body = {"text": PICTURE, "each": {"image": [own, place]}}
        assert refused(send(quiet, "/jobs", json.dumps(body)))[0] in (403, 422), place
    swept = PICTURE + f"sweeps: {{all: {{each: {{image: ['{own}', /etc/passwd]}}}}}}\n"
    answer = send(quiet, "/jobs", json.dumps({"text": swept, "sweep": "all"}))
    assert refused(answer)[0] in (403, 422)
    (folder / "own.png").unlink()


@pytest.mark.parametrize(
    "kind", ["../secret.yaml", "/etc/passwd", "sub/../../secret.yaml", "link/secret.yaml"]
)
def test_no_graph_is_of_a_graph_outside(quiet: TestClient, folder: Path, kind: str) -> None:
    secret = folder.parent / "secret.yaml"
    secret.write_text("graph: 1\ntitle: hush\nnodes: {}\noutputs: {a: $nothing}\n", "utf-8")
    (folder / "link").symlink_to(folder.parent)
    text = f"graph: 1\nnodes: {{n: {{type: {kind}}}}}\noutputs: {{o: $n}}\n"
    for path, more in (
        ("/check", {"path": "x.yaml"}),
        ("/jobs", {}),
        ("/plan", {"path": "x.yaml"}),
    ):
        answer = send(quiet, path, json.dumps({"text": text} | more))
        found = answer.json()["diagnostics"]
        assert found and "hush" not in answer.text and "nothing" not in answer.text
    (folder / "link").unlink()
    secret.unlink()


@pytest.mark.parametrize("port", ["path: /etc/hostname", "path: ../x.png", "path: link/x.png"])
def test_no_graph_reads_a_file_outside(quiet: TestClient, folder: Path, port: str) -> None:
    (folder / "link").symlink_to("/etc")
    text = f"graph: 1\nnodes: {{n: {{type: load_image, {port}}}}}\noutputs: {{o: $n}}\n"
    assert refused(send(quiet, "/jobs", json.dumps({"text": text}))) == (422, "faulty-graph")
    body = {"graph": "scene.yaml", "set": {"s.caption": "/etc/passwd", "s.none": 1}}
    assert refused(send(quiet, "/jobs", json.dumps(body)))[0] == 422
    (folder / "link").unlink()


def test_bombs_of_yaml_are_faults_of_a_graph(quiet: TestClient) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    bombs = [
        f"a0: &a0 [x]\n{levels}",
        "[" * 5000,
        "{a: " * 5000,
        "- " * 5000,
        "&a [*a]",
        "? " * 3000,
    ]
    for bomb in bombs:
        for path, more in (("/check", {"path": "x.yaml"}), ("/format", {}), ("/jobs", {})):
            answer = send(quiet, path, json.dumps({"text": bomb} | more))
            assert answer.status_code < 500, (path, bomb[:20])
            assert answer.json()["diagnostics"]


def test_a_graph_of_too_many_nodes_is_refused_before_it_is_checked(other: Other) -> None:
    client = other(Limits(nodes=3))
    nodes = "".join(f"  n{k}: {{type: toy_nan}}\n" for k in range(4))
    text = f"graph: 1\nnodes:\n{nodes}outputs: {{o: $n0}}\n"
    for path, more in (
        ("/check", {"path": "x.yaml"}),
        ("/jobs", {}),
        ("/plan", {"path": "x.yaml"}),
    ):
        assert refused(client.post(f"{API}{path}", json={"text": text} | more)) == (
            422,
            "too-large",
        )


@pytest.mark.parametrize("value", [3, None, [], {}, True, ["s", "s"], "a.b", "\n", "", "x" * 5000])
def test_edits_take_what_they_take(quiet: TestClient, value: object) -> None:
    import inspect

    from server.edits import EDITS

    assert len(EDITS) > 20
    for name, function in EDITS.items():
        given = [p for p in inspect.signature(function).parameters if p not in ("text", "file")]
        for odd in given:
            edit = {"edit": name, **dict.fromkeys(given, "s"), odd: value}
            answer = send(quiet, "/edit", json.dumps({"text": SLOW, "edits": [edit]}))
            assert answer.status_code == 200 or refused(answer)[0] == 422, (edit, answer.text)


def upload(client: TestClient, name: str, content: bytes = b"x", media: str = "image/png") -> str:
    answer = client.post(f"{API}/uploads", files={"file": (name, content, media)})
    assert answer.status_code == 201, answer.text
    return answer.json()["file"]


def test_ranges_are_served_refused_or_ignored(quiet: TestClient) -> None:
    place = f"{API}/files/{upload(quiet, 'a.bin', b'0123456789')}"
    for given, content in {
        "bytes=2-4": b"234",
        "bytes=7-": b"789",
        "bytes=-2": b"89",
        "bytes=8-99": b"89",
    }.items():
        part = quiet.get(place, headers={"range": given})
        assert (part.status_code, part.content) == (206, content), given
    for given in ("bytes=5-2", "bytes=-", "x", "bytes=x-", "bytes=" + "0-1," * 500 + "0-1"):
        whole = quiet.get(place, headers={"range": given})
        assert (whole.status_code, whole.content) == (200, b"0123456789"), given
    beyond = quiet.get(place, headers={"range": "bytes=10-"})
    assert (
        refused(beyond) == (416, "out-of-range") and beyond.headers["content-range"] == "bytes */10"
    )


@pytest.mark.parametrize(
    "name",
    ["x.html", "x.svg", "x.svgz", "x.xhtml", "x.xml", "x.js", "x.pdf", "x", ".png", "x.png.html",
     'a"b\r\nSet-Cookie: a=b.html', "../../etc/passwd", "a.\0html", "x" * 300 + ".html", "a.<b>"],
)  # fmt: skip
def test_no_upload_is_a_page_of_this_server(quiet: TestClient, name: str) -> None:
    page = (
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>" + name.encode()
    )
    sent = quiet.get(f"{API}/files/{upload(quiet, name, page, 'text/html')}")
    assert sent.content == page and sent.headers["content-type"] == "application/octet-stream"
    told = sent.headers["content-disposition"]
    assert (
        told.startswith("attachment; filename")
        and "/" not in told
        and "set-cookie" not in sent.headers
    )
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in sent.headers["content-security-policy"]


def test_a_page_that_is_called_a_picture_is_no_page(quiet: TestClient) -> None:
    digest = upload(quiet, "x.png", b"<script>alert(1)</script>")
    sent = quiet.get(f"{API}/files/{digest}")
    assert sent.headers["content-type"] == "image/png"
    assert sent.headers["x-content-type-options"] == "nosniff"
    assert refused(quiet.get(f"{API}/files/{digest}/thumbnail")) == (404, "not-found")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "JPEG", "BMP", "TIFF", "EPS"])
def test_bombs_of_pictures_are_refused_before_they_are_decoded(other: Other, format: str) -> None:
    from PIL import Image

    client, made = other(Limits(megapixels=0.01)), io.BytesIO()
    Image.new("L" if format == "EPS" else "RGB", (200, 100)).save(made, format)
    answer = client.post(f"{API}/uploads", files={"file": ("bomb", made.getvalue())})
    assert refused(answer) == (413, "too-many-pixels")


def test_damaged_pictures_have_no_small_ones(quiet: TestClient) -> None:
    from PIL import Image

    for format in ("PNG", "WEBP", "GIF", "JPEG"):
        made = io.BytesIO()
        Image.effect_noise((40, 30), 50).convert("RGB").save(made, format)
        content = made.getvalue()
        for cut in (10, 30, 60, len(content) // 2):
            for spoiled in (content[:cut], content[:cut] + b"\xff" * 40 + content[cut + 40 :]):
                digest = upload(quiet, f"x.{format.lower()}", spoiled)
                answer = quiet.get(f"{API}/files/{digest}/thumbnail")
                assert answer.status_code in (200, 404), answer.text


@pytest.mark.parametrize(
    "origin", ["http://[", "http://testserver.evil", "null", "x", "//testserver:99", ""]
)
def test_what_is_no_origin_is_foreign(quiet: TestClient, origin: str) -> None:
    assert refused(quiet.get(f"{API}/health", headers={"origin": origin})) == (
        403,
        "foreign-origin",
    )


def test_a_server_without_a_token_is_called_by_its_names_alone(other: Other) -> None:
    """A page of another name may lead to it, by a name that becomes this machine's address."""
    client = other(token=None, hosts=("localhost", "Graphs.Example"))
    foreign = {"host": "evil.example:8765", "origin": "http://evil.example:8765"}
    assert refused(client.get(f"{API}/health", headers=foreign)) == (421, "foreign-host")
    for known in ("localhost:8765", "graphs.example", "GRAPHS.example:80"):
        assert client.get(f"{API}/health", headers={"host": known}).status_code == 200


def test_headers_of_any_kind(quiet: TestClient) -> None:
    odd: list[dict[str, Any]] = [
        {"cookie": b"a=b; \xff", "authorization": ""},
        {"authorization": b"Bearer \xff"},
        {"cookie": "nodegraph-token", "authorization": ""},
        {"authorization": "Bearer " + "x" * 10_000},
    ]
    for headers in odd:
        assert refused(quiet.get(f"{API}/health", headers=headers)) == (401, "no-token")
    for headers in (
        {"if-none-match": "*," * 5000},
        {"accept": "x/*" * 300},
        {"prefer": "wait=" + "9" * 9},
    ):
        assert quiet.get(f"{API}/graphs/scene.yaml", headers=headers).status_code in (200, 304)


def test_a_home_is_looked_through_within_bounds(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.documents import Documents

    for number in range(30):
        (tmp_path / f"{number:02d}").mkdir()
    (tmp_path / "00" / "in.yaml").write_text("")
    (tmp_path / "29" / "beyond.yaml").write_text("")
    documents = Documents(tmp_path, None)  # type: ignore[arg-type]
    assert list(documents.listed()) == ["00/in.yaml", "29/beyond.yaml"]
    monkeypatch.setattr("server.documents.FOLDERS", 10)
    assert list(documents.listed()) == ["00/in.yaml"]


def test_a_text_that_names_a_file_is_a_text(served: TestClient, folder: Path) -> None:
    secret = folder.parent / "secret.txt"
    secret.write_text("not to be told")
    for said in (str(secret), "x" * 5000):
        body = {"graph": "slow.yaml", "inputs": {"value": said}}
        job = ended(served, served.post(f"{API}/jobs", json=body).json()["id"])
        assert (job["state"], job["outputs"]) == ("done", {"said": [said]})
