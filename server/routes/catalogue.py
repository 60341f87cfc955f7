"""What there is to build with: node types, port types, models, the schema of graph files."""

import hashlib
import json
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from nodegraph.base.diagnostics import nearest
from nodegraph.language.schema import json_schema
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.registry import Registry
from nodegraph.models import store
from nodegraph.models.catalogue import Listing, accept, accepted, listings
from server import services
from server.jobs.job import QueueFull, Wanted
from server.problems import Problem, absent
from server.routes.answers import tagged
from server.routes.shown import job_shown
from server.wire import Licence

router = APIRouter(tags=["catalogue"])


def _registry(request: Request) -> Registry:
    return services.of(request).fresh().registry


def _answer(request: Request, content: Any) -> Response:
    """JSON, tagged with the digest of what it tells."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return tagged(request, content, f'"{digest[:32]}"')


@router.get("/nodes")
def nodes(request: Request) -> Response:
    """All node types: ports with their types and ranges, docs, categories."""
    known = _registry(request)
    found = [
        _node(spec) for spec in sorted(known.nodes.values(), key=lambda s: (s.category, s.name))
    ]
    return _answer(request, {"nodes": found, "complaints": known.complaints()})


@router.get("/nodes/{type}")
def node(request: Request, type: str) -> Response:
    """One node type, with the JSON Schema of what may be written on it."""
    known = _registry(request)
    spec = known.nodes.get(type)
    if spec is None:
        hint = nearest(type, known.nodes)
        raise absent(f"node type '{type[:80]}'" + (f"; {hint}" if hint else ""))
    schemas = json_schema(known)["properties"]["nodes"]["additionalProperties"]["allOf"]
    mine = next(s["then"] for s in schemas if _constant(s) == type)
    return _answer(request, {**_node(spec), "schema": mine})


def _constant(schema: dict[str, Any]) -> str:
    """The node type that a part of the schema of graphs is about."""
    found: str = schema["if"].get("properties", {}).get("type", {}).get("const", "")
    return found


def _node(spec: NodeSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "category": spec.category,
        "doc": spec.doc,
        "words": spec.words,
        "version": spec.version,
        "generator": spec.generator,
        "composite": spec.composite,
        "inputs": [_port(port) for port in spec.inputs],
        "outputs": [_port(port) for port in spec.outputs],
    }


def _port(port: Port) -> dict[str, Any]:
    return {**asdict(port), "type": str(port.type)}


@router.get("/ports")
def ports(request: Request) -> Response:
    """All port types: colour, glyph, what is written for them, what widens to what."""
    known = _registry(request)
    keys = ("name", "doc", "colour", "shape", "literal", "live", "widens_to", "widens_from")
    found = [{key: getattr(port, key) for key in keys} for _, port in sorted(known.ports.items())]
    return _answer(request, {"ports": found, "widenings": sorted(known.widenings)})


@router.get("/schema")
def schema(request: Request) -> Response:
    """The JSON Schema of graph files."""
    return _answer(request, json_schema(_registry(request)))


@router.get("/models")
def models() -> list[dict[str, Any]]:
    """The catalogue of models: parts, licence, sizes, and what is on this machine."""
    return [_model(row) for row in listings()[0]]


def _model(row: Listing) -> dict[str, Any]:
    files = [
        {
            "model": f.model,
            "name": f.name,
            "bytes": f.size,
            "known": f.size_known,
            "here": f.kept is not None,
        }
        for f in row.files
    ]
    about = {"name": row.name, "parts": row.parts, "here": row.here, "licence": row.licence}
    asks = {
        "terms": row.terms,
        "accepted": accepted(row),
        "card": row.card,
        "card_url": row.card_url,
    }
    return {**about, **asks, "bytes": row.size, "files": files}


@router.post("/models/{name:path}/get", status_code=201)
def get(
    request: Request, name: str, body: Annotated[Licence | None, Body()] = None
) -> dict[str, Any]:
    """Fetch a model, as a job; what was begun goes on where it stopped. Terms of use must be accepted once."""
    found = services.of(request)
    try:
        listing, _ = store.find(name, listings()[0])
    except store.NoModel as error:
        raise Problem(404, "not-found", str(error)) from None
    if not accepted(listing):
        if body is None or not body.accept_licence:
            detail = f"'{listing.name}' is under {listing.licence}: send accept_licence if you accept its terms"
            raise Problem(403, "licence", detail, terms=listing.terms, licence=listing.licence)
        accept(listing)
    try:
        job, _ = found.jobs.add(Wanted("get", f"get {name}", {"model": name}))
    except QueueFull as error:
        raise Problem(429, "queue-full", str(error), {"retry-after": "30"}) from None
    return job_shown(found.jobs, job)
