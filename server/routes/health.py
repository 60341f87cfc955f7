"""Whether the server is well, and its numbers."""

from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from nodegraph.runtime.provenance import versions
from server import services
from server.problems import Problem

router = APIRouter(tags=["health"])


@router.get("/health/live")
def live() -> dict[str, str]:
    """Whether there is a server; answered to everybody."""
    return {"status": "ok"}


@router.get("/health/ready")
def ready(request: Request) -> dict[str, str]:
    """Whether it takes jobs: 503 while it stops."""
    if request.app.state.stopping:
        raise Problem(503, "stopping", "the server is about to stop")
    return {"status": "ok"}


@router.get("/health")
def health(request: Request) -> dict[str, Any]:
    """Versions, workers and the queue."""
    found = services.of(request)
    workers = [
        {"name": w.name, "lane": w.lane, "job": w.current, "warm": w.child.alive}
        for w in found.workers.workers
    ]
    queue = {"paused": found.jobs.paused, "jobs": found.jobs.counts()}
    return {"status": "ok", "versions": versions(), "workers": workers, "queue": queue}


@router.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """Numbers in the text form of Prometheus."""
    found, registry = services.of(request), CollectorRegistry()
    jobs = Gauge("nodegraph_jobs", "Jobs by state, cells included.", ["state"], registry=registry)
    for state, number in found.jobs.counts().items():
        jobs.labels(state).set(number)
    busy = Gauge(
        "nodegraph_worker_busy", "Whether a worker runs a job.", ["worker"], registry=registry
    )
    warm = Gauge(
        "nodegraph_worker_warm", "Whether a worker has a process.", ["worker"], registry=registry
    )
    for worker in found.workers.workers:
        busy.labels(worker.name).set(worker.current is not None)
        warm.labels(worker.name).set(worker.child.alive)
    readers = Gauge("nodegraph_readers", "Streams of events that are open.", registry=registry)
    readers.set(request.app.state.readers)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


@router.post("/workers/{name}/unload", status_code=204)
def unload(request: Request, name: str) -> None:
    """Let a worker give back its memory, with the models that it has loaded; 409 while it runs a job."""
    worker = next((w for w in services.of(request).workers.workers if w.name == name), None)
    if worker is None:
        raise Problem(
            404, "not-found", f"there is no worker '{name}'; GET /api/v1/health lists them"
        )
    if not worker.unload():
        raise Problem(409, "busy", f"worker '{name}' runs a job; cancel it, or wait for its end")
