"""What is said of a text: its faults, a plan, its canonical form, edits; and the graph of a picture."""

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from nodegraph.base.diagnostics import GraphError
from nodegraph.runtime.recorded import read_picture
from server import services
from server.edits import canonical, changed
from server.jobs.tasks import Asked, Check, Plan
from server.judging import runnable, typed
from server.problems import Problem
from server.services import Services
from server.wire import CheckedText, EditedText, FormattedText, PlannedText

router = APIRouter(tags=["checks"])


@router.post("/check")
def check(request: Request, body: CheckedText) -> dict[str, Any]:
    """All faults of a text with their mends; with shapes also the shapes, cost and state of each node, and `missing`: the
    weights that a run needs and that are not here, with their bytes and licence (null where that was not looked at).

    Lines count from 1, columns from 1 in UTF-16 units. A newer check of a path makes the older one useless: 409.
    """
    found = services.of(request)
    asks = found.asking()
    source = asks.source(body.path, body.text)
    answer: dict[str, Any] = {"path": body.path, "version": body.version, "level": body.level}
    number = found.checker.announce(body.path) if body.level == "shapes" else None
    body = asks.given(body)
    work = partial(typed, source=source, asking=body)
    asked, faults = asks.judged(work, asks.size(source, body))
    if body.level == "types" or any(fault["severity"] == "error" for fault in faults):
        return {**answer, "diagnostics": faults, "nodes": [], "unknown": 0, "missing": None}
    made = found.checker.ask(Check(_for_worker(found, asked)), body.path, number)
    return {**answer, **_checked(made)}


def _for_worker(found: Services, asked: Asked) -> Asked:
    """The same for the device of the first worker: a plan says what a job would find in the cache."""
    options = replace(asked.job.options, device=next(iter(found.settings.workers), None))
    return replace(asked, job=replace(asked.job, options=options))


def _checked(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "diagnostics": told.get("diagnostics", []),
        "nodes": told.get("nodes", []),
        "unknown": told.get("unknown", 0),
        "missing": told.get("missing"),
    }


@router.post("/plan")
def plan(request: Request, body: PlannedText) -> dict[str, Any]:
    """What a run would do with each node and why: shapes, memory, operations, downloads."""
    found = services.of(request)
    asks = found.asking()
    source = asks.source(body.path, body.text)
    body = asks.given(body)
    asked = asks.judged(partial(runnable, source=source, asking=body), asks.size(source, body))
    told = found.checker.ask(Plan(_for_worker(found, asked)))
    if told["event"] == "refused":
        raise Problem(422, "faulty-graph", "the graph has faults", diagnostics=told["diagnostics"])
    return {key: value for key, value in told.items() if key != "event"}


@router.post("/format")
def format(request: Request, body: FormattedText) -> dict[str, str]:
    """The canonical form of a text; comments stay."""
    return {
        "text": services.of(request)
        .asking()
        .judged(partial(canonical, text=body.text), len(body.text))
    }


@router.post("/edit")
def edited(request: Request, body: EditedText) -> dict[str, str]:
    """A text with edits made in it, each of which changes its own entry alone: `set_port`, `connect`, `rename_node` …"""
    work = partial(changed, text=body.text, edits=body.edits)
    size = len(body.model_dump_json()) + len(body.text) * (len(body.edits) - 1)
    return {"text": services.of(request).asking().judged(work, size)}


@router.post(
    "/picture",
    openapi_extra={
        "requestBody": {
            "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}
        }
    },
)
async def picture(request: Request) -> dict[str, Any]:
    """The graph that made a picture, with the inputs it was made with; the body is the bytes of the PNG."""
    return await run_in_threadpool(_pictured, await request.body())


def _pictured(content: bytes) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        path.write_bytes(content)
        try:
            found = read_picture(path)
        except GraphError as error:
            raise Problem(
                422, "no-graph", error.diagnostics[0].message.replace(str(path), "it")
            ) from None
    about = {"precision": found.precision, "device": found.device, "models": dict(found.models)}
    return {
        "name": found.source.name,
        "text": found.source.text,
        "inputs": dict(found.inputs),
        **about,
        "siblings": dict(found.source.siblings),
    }
