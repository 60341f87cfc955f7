"""The OpenAPI of a server: its routes, and for each graph that can be run a path of its own with its inputs."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from nodegraph.base.diagnostics import GraphError
from nodegraph.language.given import names_places
from nodegraph.language.graph import Graph
from nodegraph.language.literals import literal_kind
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import parse_type, under
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session
from nodegraph.views import Input, input_of
from server.asking import LARGE
from server.judging import RANDOM
from server.problems import Problem
from server.services import Services

KINDS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "text": {"type": "string"},
    "number": {"type": "number"},
    "scalar": {"type": ["number", "string"]},
}
FILE = {
    "type": "object",
    "required": ["file"],
    "properties": {"file": {"type": "string"}},
    "additionalProperties": False,
}
MOST = 300
"""Graphs that have a path of their own."""


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI as it is now."""
    made = get_openapi(title=app.title, version=app.version, routes=app.routes, description=ABOUT)
    found: Services = app.state.services
    session = found.fresh()
    shipped = sorted(session.registry.listed)
    for name in [*shipped, *found.documents.listed()][:MOST]:
        operation = _operation(name, found, session)
        if operation is not None:
            made["paths"][f"/api/v1/run/{name}"] = {"post": operation}
    return made


ABOUT = (
    "Graphs, checks and jobs of nodegraph. Errors are `application/problem+json`. Lines count from 1, columns from 1 in "
    "UTF-16 units. Programs send `Authorization: Bearer TOKEN`."
)


def _operation(name: str, found: Services, session: Session) -> dict[str, Any] | None:
    """What running a graph takes and gives; None where it cannot be read, or is large."""
    try:
        source = found.documents.source(name, session.registry)
        if len(source.text) >= LARGE:  # other requests would wait for it
            return None
        graph = session.read(Recorded(source))
    except (GraphError, Problem):
        return None
    schema = inputs_schema(graph, session.registry)
    return {
        "tags": ["graphs"],
        "summary": graph.title or name,
        "operationId": "run_" + "".join(c if c.isalnum() else "_" for c in name),
        "requestBody": {"content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": "What came out."},
            "202": {"description": "It is queued, or runs."},
        },
    }


def inputs_schema(graph: Graph, registry: Registry) -> dict[str, Any]:
    """The JSON Schema of a graph's inputs."""
    inputs = [input_of(declared) for declared in graph.inputs.values()]
    required = [one.name for one in inputs if one.required]
    properties = {one.name: _schema(one, registry) for one in inputs}
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _schema(one: Input, registry: Registry) -> dict[str, Any]:
    about: dict[str, Any] = {"description": one.help} if one.help else {}
    if one.default is not None:
        about["default"] = one.default
    if one.menu:
        return {**about, "enum": list(one.menu)}
    bounds = {"minimum": one.range.low, "maximum": one.range.high}
    given = {k: v for k, v in bounds.items() if v is not None}
    try:
        return {**about, **_kind(under(parse_type(one.type), registry.spellings), registry, given)}
    except ValueError:
        return about


def _kind(ref: TypeRef, registry: Registry, bounds: dict[str, Any]) -> dict[str, Any]:
    if ref.name == "list" and ref.args:
        return {"type": "array", "items": _kind(ref.args[0], registry, bounds)}
    kind = "str" if ref.name == "str" else literal_kind(ref, registry.ports)
    plain = {**KINDS.get(kind, {}), **bounds}
    if ref.name == "Seed":
        return {"anyOf": [plain, {"const": RANDOM}]}
    return {"anyOf": [plain, FILE]} if plain and names_places(ref, registry) else plain
