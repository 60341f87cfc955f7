"""The graph files of a workspace."""

from collections.abc import Callable
from pathlib import Path

import pytest
from serving import SCENE
from starlette.testclient import TestClient

from server.documents import SAVES

Other = Callable[..., TestClient]
GRAPHS = "/api/v1/graphs"


def test_what_there_is_is_listed(served: TestClient) -> None:
    found = served.get(GRAPHS).json()
    assert {"slow.yaml", "scene.yaml"} <= {graph["path"] for graph in found["workspace"]}
    shipped = {graph["path"]: graph for graph in found["shipped"]}
    assert shipped["glide/text_to_image"]["title"] == "GLIDE, text to image"
    assert "upsampler" in found["composites"]


def test_a_graph_is_read_with_a_tag_and_saved_under_it(served: TestClient, folder: Path) -> None:
    read = served.get(f"{GRAPHS}/scene.yaml")
    assert read.json() == {"path": "scene.yaml", "text": SCENE, "shipped": False}
    tag = read.headers["etag"]
    assert served.get(f"{GRAPHS}/scene.yaml", headers={"if-none-match": tag}).status_code == 304
    mine, theirs = SCENE + "# mine\n", SCENE + "# theirs\n"
    assert served.put(f"{GRAPHS}/scene.yaml", json={"text": mine}).status_code == 428
    saved = served.put(f"{GRAPHS}/scene.yaml", json={"text": theirs}, headers={"if-match": tag})
    assert saved.status_code == 200 and (folder / "scene.yaml").read_text() == theirs
    late = served.put(f"{GRAPHS}/scene.yaml", json={"text": mine}, headers={"if-match": tag})
    assert late.status_code == 412 and late.json()["type"] == "changed"
    assert (late.json()["theirs"], late.json()["yours"]) == (theirs, mine)
    assert (folder / "scene.yaml").read_text() == theirs
    back = {"if-match": saved.headers["etag"]}
    assert served.put(f"{GRAPHS}/scene.yaml", json={"text": SCENE}, headers=back).status_code == 200
    saves = served.get(f"{GRAPHS}/scene.yaml/saves").json()
    assert [save["text"] for save in saves[:2]] == [SCENE, theirs]


def test_a_new_graph_is_made_once_and_removed_under_its_tag(
    served: TestClient, folder: Path
) -> None:
    new, path = {"if-none-match": "*"}, f"{GRAPHS}/sub/new.yaml"
    made = served.put(path, json={"text": SCENE}, headers=new)
    assert made.status_code == 201 and (folder / "sub" / "new.yaml").read_text() == SCENE
    assert served.put(path, json={"text": ""}, headers=new).status_code == 412
    assert served.delete(path).status_code == 428
    assert served.delete(path, headers={"if-match": '"no"'}).status_code == 412
    assert served.delete(path, headers={"if-match": made.headers["etag"]}).status_code == 204
    assert (
        served.get(path).status_code == 404
        and served.get(f"{path}/saves").json()[0]["text"] == SCENE
    )


def test_a_graph_is_renamed_and_copied_where_nothing_lies(served: TestClient, folder: Path) -> None:
    copied = served.post(f"{GRAPHS}/glide/text_to_image/copy", json={"to": "own.yaml"})
    assert copied.status_code == 201 and "GLIDE" in (folder / "own.yaml").read_text()
    assert served.post(f"{GRAPHS}/scene.yaml/copy", json={"to": "own.yaml"}).status_code == 409
    assert served.post(f"{GRAPHS}/own.yaml/rename", json={"to": "scene.yaml"}).status_code == 409
    assert served.post(f"{GRAPHS}/own.yaml/rename", json={"to": "a/b.yaml"}).status_code == 200
    assert not (folder / "own.yaml").exists() and (folder / "a" / "b.yaml").exists()
    assert served.post(f"{GRAPHS}/own.yaml/rename", json={"to": "c.yaml"}).status_code == 404
    (folder / "a" / "b.yaml").unlink()


def test_line_ends_and_odd_characters_stay(served: TestClient, folder: Path) -> None:
    text = "\ufeffgraph: 1\r\n# 🙂 \u2028 end"
    made = served.put(f"{GRAPHS}/odd.yaml", json={"text": text}, headers={"if-none-match": "*"})
    assert made.status_code == 201 and (folder / "odd.yaml").read_bytes() == text.encode()
    assert served.get(f"{GRAPHS}/odd.yaml").json()["text"] == text
    (folder / "odd.yaml").unlink()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("../out.yaml", 404),
        ("%2e%2e/out.yaml", 400),
        ("..%2fout.yaml", 400),
        ("sub/..%2f..%2fout.yaml", 400),
        ("%2fetc%2fout.yaml", 400),
        (".hidden.yaml", 400),
        ("a%00b.yaml", 400),
        ("a%5cb.yaml", 400),
        ("x" * 500 + ".yaml", 400),
        ("link/out.yaml", 403),
        ("nodes/out.yaml", 403),
        ("nodes/deep/out.yaml", 403),
        ("out.py", 403),
        ("glide/text_to_image", 403),
    ],
)
def test_nothing_is_written_elsewhere(
    served: TestClient, folder: Path, tmp_path: Path, path: str, status: int
) -> None:
    if not (folder / "link").exists():
        (folder / "link").symlink_to(tmp_path)
    before = sorted(folder.parent.rglob("*.yaml"))
    answer = served.put(f"{GRAPHS}/{path}", json={"text": SCENE}, headers={"if-none-match": "*"})
    assert answer.status_code == status, answer.text
    assert sorted(folder.parent.rglob("*.yaml")) == before
    (folder / "link").unlink()


def test_what_is_not_there_has_a_near_name(served: TestClient) -> None:
    assert "did you mean 'scene.yaml'" in served.get(f"{GRAPHS}/scenne.yaml").json()["detail"]
    assert (
        "did you mean 'glide/text_to_image'"
        in served.get(f"{GRAPHS}/glide/text_to_imag").json()["detail"]
    )


def test_the_last_saves_are_kept(other: Other, folder: Path) -> None:
    client, path = other(), f"{GRAPHS}/often.yaml"
    headers = {"if-none-match": "*"}
    for number in range(SAVES + 3):
        saved = client.put(path, json={"text": f"# {number}\n"}, headers=headers)
        headers = {"if-match": saved.headers["etag"]}
    texts = [save["text"] for save in client.get(f"{path}/saves").json()]
    assert texts == [f"# {n}\n" for n in range(SAVES + 2, 2, -1)]
    (folder / "often.yaml").unlink()


def test_shipped_graphs_have_thumbnails(served: TestClient) -> None:
    shipped = served.get(GRAPHS).json()["shipped"]
    pictured = [graph["path"] for graph in shipped if graph["thumbnail"]]
    assert len(pictured) >= 25 and "glide/text_to_image" in pictured
    for name in pictured:
        sent = served.get(f"/api/v1/thumbnails/{name}")
        assert sent.headers["content-type"] == "image/webp" and len(sent.content) < 40_000
    for name in ("none", "..%2fgallery%2fglide%2ftext_to_image", "a%00"):
        assert served.get(f"/api/v1/thumbnails/{name}").status_code == 404
