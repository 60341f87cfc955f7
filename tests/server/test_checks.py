"""What is said of a text, of a graph's parts, and of a picture."""

import json
from pathlib import Path

import pytest
from serving import SCENE
from starlette.testclient import TestClient

API = "/api/v1"


def check(served: TestClient, text: str, level: str = "types") -> dict[str, object]:
    body = {"path": "scene.yaml", "text": text, "version": 7, "level": level}
    answer = served.post(f"{API}/check", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["version"] == 7
    return answer.json()


def test_faults_come_with_places_as_browsers_count_and_with_mends(served: TestClient) -> None:
    more = "nodes: {first: {type: shapes_scene, caption: 🙂, size: 16}, s"
    text = SCENE.replace("nodes: {s", more).replace("size: 16}}", "sise: 16}}")
    (fault,) = [f for f in check(served, text)["diagnostics"] if f["code"] == "E201"]
    units = text.splitlines()[fault["line"] - 1].encode("utf-16-le")
    for place in (fault, fault["fix"][0]):
        marked = units[2 * (place["column"] - 1) : 2 * (place["end_column"] - 1)]
        assert marked.decode("utf-16-le") == "sise"
    assert fault["file"] == "scene.yaml" and fault["fix"][0]["text"] == "size"


def test_shapes_and_costs_of_each_node_come_from_the_checker(served: TestClient) -> None:
    found = check(served, SCENE, "shapes")
    assert found["diagnostics"] == []
    (node,) = found["nodes"]
    assert node["node"] == "s" and "[1, 3, 16, 16]" in node["outputs"][0]
    plan = served.post(f"{API}/plan", json={"path": "scene.yaml"}).json()
    assert plan["steps"][0]["node"] == "s" and plan["downloads"] == []
    refused = served.post(f"{API}/plan", json={"path": "scene.yaml", "text": "graph: 1\n"})
    assert refused.status_code == 422 and refused.json()["diagnostics"]


def test_weights_that_a_run_needs_are_told_with_bytes_and_licence(served: TestClient) -> None:
    text = served.get(f"{API}/graphs/glide/text_to_image").json()["text"]
    body = {"path": "glide/text_to_image", "text": text, "preset": "openai", "version": 1}
    assert served.post(f"{API}/check", json=body).json()["missing"] is None
    found = served.post(f"{API}/check", json={**body, "level": "shapes"}).json()
    assert not [f for f in found["diagnostics"] if f["severity"] == "error"]
    base = next(one for one in found["missing"] if one["model"] == "openai/glide/base")
    assert base["bytes"] > 5e8 and base["licence"] and isinstance(base["accepted"], bool)
    plan = served.post(f"{API}/plan", json={k: v for k, v in body.items() if k != "version"}).json()
    assert plan["downloads"] == found["missing"]
    own = check(served, SCENE, "shapes")
    assert own["missing"] == []


def test_a_text_is_formatted_and_edited(served: TestClient) -> None:
    long = "graph:   1\nnodes: {s: {type: shapes_scene,   caption: a}}\noutputs: {s: $s}\n"
    assert (
        "type: shapes_scene, caption: a"
        in served.post(f"{API}/format", json={"text": long}).json()["text"]
    )
    assert served.post(f"{API}/format", json={"text": "a: ["}).json()["type"] == "faulty-graph"
    edits = [
        {"edit": "set_port", "node": "s", "port": "size", "value": 32},
        {"edit": "rename_node", "name": "s", "new": "scene"},
    ]
    text = served.post(f"{API}/edit", json={"text": SCENE, "edits": edits}).json()["text"]
    assert "scene: {type: shapes_scene, caption: $caption, size: 32}" in text and "$scene" in text
    for edit, kind in (
        ({"edit": "no_such"}, "no-edit"),
        ({"edit": "rename_node", "name": "x", "new": "y"}, "refused-edit"),
        ({"edit": "set_port", "node": "s"}, "malformed"),
    ):
        assert (
            served.post(f"{API}/edit", json={"text": SCENE, "edits": [edit]}).json()["type"] == kind
        )


def test_a_picture_gives_its_graph(served: TestClient) -> None:
    headers = {"prefer": "wait=60", "accept": "image/png"}
    made = served.post(f"{API}/run/scene.yaml", json={"caption": "a blue square"}, headers=headers)
    assert made.status_code == 200 and made.headers["content-type"] == "image/png"
    found = served.post(f"{API}/picture", content=made.content).json()
    assert found["text"] == SCENE and found["inputs"] == {"caption": "a blue square"}
    assert served.post(f"{API}/picture", content=b"no picture").json()["type"] == "no-graph"


def test_the_catalogue_is_tagged(served: TestClient) -> None:
    nodes = served.get(f"{API}/nodes")
    found = {node["name"]: node for node in nodes.json()["nodes"]}
    assert found["ddim_sampler"]["outputs"] and "toy_slow" in found
    tag = {"if-none-match": nodes.headers["etag"]}
    assert served.get(f"{API}/nodes", headers=tag).status_code == 304
    one = served.get(f"{API}/nodes/ddim_sampler").json()
    assert "steps" in json.dumps(one["schema"]) or one["schema"]["properties"]
    assert "did you mean" in served.get(f"{API}/nodes/ddim_samplerr").json()["detail"]
    ports = {port["name"]: port for port in served.get(f"{API}/ports").json()["ports"]}
    assert ports["Image"]["colour"].startswith("#")
    assert served.get(f"{API}/schema").json()["title"] == "nodegraph graph"
    assert any(model["name"] == "openai/glide" for model in served.get(f"{API}/models").json())


def test_a_node_file_that_changes_changes_the_catalogue(served: TestClient, folder: Path) -> None:
    before = served.get(f"{API}/nodes").headers["etag"]
    more = folder / "nodes" / "more.py"
    more.write_text(
        "from nodegraph import node\n\n\n@node\ndef toy_more() -> str:\n    '''More.'''\n    return ''\n",
        "utf-8",
    )
    assert served.get(f"{API}/nodes").headers["etag"] != before
    assert served.get(f"{API}/nodes/toy_more").status_code == 200
    more.unlink()
    assert served.get(f"{API}/nodes").headers["etag"] == before


def test_the_openapi_has_a_path_for_each_graph_with_its_inputs(served: TestClient) -> None:
    found = served.get(f"{API}/openapi.json").json()
    body = found["paths"][f"{API}/run/glide/text_to_image"]["post"]["requestBody"]["content"][
        "application/json"
    ]["schema"]
    assert body["properties"]["guidance"]["type"] == "number"
    assert body["properties"]["prompt"]["description"] and body["properties"]["steps"]["default"]
    own = found["paths"][f"{API}/run/scene.yaml"]["post"]
    assert own["summary"] == "a scene"
    assert "problem+json" in json.dumps(found["paths"][f"{API}/jobs"]["post"]["responses"]["422"])


@pytest.mark.parametrize("body", [{"path": "scene.yaml", "nothing": 1}, {"path": 5}, {}, []])
def test_a_malformed_body_is_told_by_its_place(served: TestClient, body: object) -> None:
    answer = served.post(f"{API}/check", json=body)
    assert (
        answer.status_code == 422
        and answer.json()["type"] == "malformed"
        and answer.json()["errors"]
    )


def test_what_nests_without_end_is_refused(served: TestClient) -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    found = check(served, bomb)
    assert found["diagnostics"]


def test_the_reference_is_a_page_that_loads_nothing(served: TestClient) -> None:
    answer = served.get(f"{API}/docs")
    nonce = answer.headers["content-security-policy"].partition("'nonce-")[2].partition("'")[0]
    assert nonce and f'<style nonce="{nonce}">' in answer.text
    assert (
        "/api/v1/run/glide/text_to_image" in answer.text and "GLIDE, text to image" in answer.text
    )
    assert "<script" not in answer.text and "http://" not in answer.text.replace(
        "http://testserver", ""
    )
