"""Requests made from the OpenAPI, sound ones and others: none breaks the server, every refusal is a problem."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from serving import SCENE
from starlette.testclient import TestClient

from server.problems import MEDIA

schemathesis = pytest.importorskip("schemathesis", reason="the extra 'test' brings it")

Other = Callable[..., TestClient]
ENDLESS = ("/api/v1/events",)
"""Streams, which have no end to wait for."""
OWN = "/api/v1/run/scene.yaml"
FETCHES = "/api/v1/models/{name}/get"
"""A job of a name that is none: what goes on beside it has tests of its own."""
NAMES = (
    "scene.yaml",
    "slow.yaml",
    "a/b.yaml",
    "../x.yaml",
    "glide/text_to_image",
    "shapes_scene",
    "cpu",
)


def operations(client: TestClient) -> list[Any]:
    """The operations of a server, with one path of a graph for all."""
    told = client.get("/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(told)
    found = [result.ok() for result in schema.get_all_operations()]
    runs = [op for op in found if op.path.startswith("/api/v1/run/") and op.path != OWN]
    generic = [op for op in runs if "{" in op.path]
    rest = [op for op in found if op not in runs and op.path not in ENDLESS]
    assert len(rest) > 40 and len(generic) == 1
    return [*rest, *generic]


def cases(found: list[Any], jobs: list[str]) -> st.SearchStrategy[Any]:
    """Requests for any of the operations, as the OpenAPI has them or not; half of them name what is there."""

    @cache
    def of(number: int, mode: Any) -> st.SearchStrategy[Any]:
        return found[number].as_strategy(generation_mode=mode)

    modes = list(schemathesis.GenerationMode)
    chosen = st.tuples(st.integers(0, len(found) - 1), st.sampled_from(modes))
    made = chosen.flatmap(lambda pair: of(*pair))
    return st.tuples(made, st.sampled_from([None, *NAMES, *jobs]))


def sent(client: TestClient, case: Any, name: str | None) -> Any:
    """The answer to a request; a name that is there may stand in the place of what the path has."""
    if name is not None and case.path_parameters:
        case.path_parameters = dict.fromkeys(case.path_parameters, name)
    case.headers.pop("Prefer", None)  # waits for a job
    wire = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
    headers = {k: v for k, v in wire.headers.items() if k.lower() not in ("host", "authorization")}
    return client.request(wire.method or "GET", wire.url or "", content=wire.body, headers=headers)


def attacked(client: TestClient, examples: int) -> None:
    """Send so many requests. A refusal has a type, a status and what to do."""
    quiet = TestClient(client.app, raise_server_exceptions=False, headers=dict(client.headers))
    jobs = [
        quiet.post("/api/v1/jobs", json={"text": SCENE, "each": each}).json()["id"]
        for each in ({}, {"caption": ["a red circle", "a blue square"]})
    ]
    graph = quiet.get("/api/v1/graphs/scene.yaml").json()["text"]

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(operations(quiet), jobs))
    def attack(made: tuple[Any, str | None]) -> None:
        answer = sent(quiet, *made)
        told = (made[0].method, answer.request.url, answer.status_code, answer.text[:400])
        assert answer.status_code < 500, told
        if answer.status_code >= 400 and made[0].method != "HEAD":
            assert answer.headers["content-type"] == MEDIA, told
            body = json.loads(answer.text)
            assert body["status"] == answer.status_code and body["type"] and body["detail"], told

    attack()
    assert quiet.get("/api/v1/jobs").status_code == 200
    assert quiet.get("/api/v1/graphs").status_code == 200 and graph == SCENE


def test_two_hundred_requests_of_any_kind(other: Other) -> None:
    attacked(other(), 200)


@pytest.mark.soak
def test_two_thousand_requests_of_any_kind(other: Other) -> None:
    attacked(other(), 2_000)


def test_inputs_of_pictures_take_uploads_and_seeds_may_be_drawn(other: Other) -> None:
    told = other().get("/api/v1/openapi.json").json()["paths"]["/api/v1/run/glide/inpaint"]
    inputs = told["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for name in ("image", "mask"):
        plain, file = inputs[name]["anyOf"]
        assert plain == {"type": "string"} and file["required"] == ["file"]
    assert inputs["seed"]["anyOf"] == [{"type": "number"}, {"const": "random"}]
    assert inputs["prompt"]["type"] == "string" and inputs["guidance"]["maximum"] == 20
