"""Jobs: asked for, looked at, cancelled, tried again, put in order."""

import hashlib
import io
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse

from server import services
from server.encoding import Answer
from server.history import forget
from server.jobs.job import Job, OtherRequest, QueueFull, State, WrongState
from server.jobs.printed import printed_by
from server.jobs.store import Jobs
from server.problems import Problem, absent
from server.routes.shown import job_shown, row
from server.services import Services
from server.sweeps import sheet_of
from server.wanting import wanted_job
from server.wire import Moved, WantedJob

router = APIRouter(tags=["jobs"])
Key = Annotated[str | None, Header(alias="idempotency-key", min_length=1, max_length=200)]


@router.post("/jobs", status_code=201)
def add(request: Request, body: WantedJob, key: Key = None) -> Response:
    """Queue a run, or a sweep with its cells. The same `Idempotency-Key` and body give the same job again: 200."""
    found = services.of(request)
    job, new = queued(found, body, key)
    headers = {"location": f"{request.scope.get('root_path', '')}/api/v1/jobs/{job.id}"}
    return Answer(job_shown(found.jobs, job), 201 if new else 200, headers)


def queued(found: Services, body: WantedJob, key: str | None = None) -> tuple[Job, bool]:
    """Queue a job; whether it is new. Raises Problem."""
    digest = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    workers = found.settings.workers
    if body.device is not None and body.device not in workers:
        there = ", ".join(workers) or "none"
        detail = f"there is no worker '{body.device}'; there are: {there}"
        raise Problem(422, "no-worker", detail)
    _refuse_place(found, body)
    wanted = wanted_job(found.asking(), body)
    try:
        return found.jobs.add(wanted, key, digest)
    except OtherRequest:
        raise Problem(
            409, "other-request", "this Idempotency-Key stands for another request"
        ) from None
    except QueueFull as error:
        raise Problem(
            429, "queue-full", f"{error}; cancel one, or wait", {"retry-after": "30"}
        ) from None


def _refuse_place(found: Services, body: WantedJob) -> None:
    """Raise Problem for a place that this server was not started with: a request opens no connections."""
    there = ["here", *([found.settings.on] if found.settings.on else [])]
    if body.on is not None and body.on not in there:
        detail = f"there is no place '{body.on}' for jobs; there are: {', '.join(there)}"
        raise Problem(422, "no-place", detail)
    if body.on not in (None, "here") and body.device is not None:
        detail = f"'{body.on}' has its own workers, and '{body.device}' is one of this machine"
        raise Problem(422, "no-place", f"{detail}; say one of them")


@router.get("/jobs")
def listed(
    request: Request,
    state: State | None = None,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> dict[str, Any]:
    """Jobs, the newest first; `before` is the number of the last one that was read."""
    found = services.of(request)
    jobs = found.jobs.listed(state, before, limit)
    return {"jobs": [job_shown(found.jobs, job) for job in jobs], "paused": found.jobs.paused}


@router.get("/jobs/{id}")
def read(request: Request, id: str) -> dict[str, Any]:
    """A job as it is now, whole; of a sweep its cells too. `folder`: where it left what is no output, such as a training."""
    found = services.of(request)
    shown = job_shown(found.jobs, known(found.jobs, id), whole=True)
    left = found.files.runs / shown["id"]
    return {**shown, "folder": str(left) if left.is_dir() else None, "event": found.log.last()}


@router.get("/jobs/{id}/table")
def table(request: Request, id: str) -> list[dict[str, Any]]:
    """A row for each cell of a sweep."""
    found = services.of(request).jobs
    known(found, id)
    return [row(cell) for cell in found.cells(id)]


@router.get("/jobs/{id}/sheet", response_class=Response)
def sheet(request: Request, id: str, page: Annotated[int, Query(ge=0)] = 0) -> Response:
    """The pictures of a sweep's cells on one sheet with its axes; more axes than two make more pages."""
    found = services.of(request)
    pages = sheet_of(known(found.jobs, id), found.jobs.cells(id), found.files)
    if page >= len(pages):
        raise absent(f"page {page} of this job's sheet: it has {len(pages)}")
    made = io.BytesIO()
    pages[page].save(made, "PNG")
    return Response(made.getvalue(), media_type="image/png")


@router.get("/jobs/{id}/printed", response_class=FileResponse)
def printed(request: Request, id: str) -> FileResponse:
    """What the nodes of a job have printed, as text: the first 256 KiB; 404 where that is nothing."""
    found = services.of(request)
    path = printed_by(found.files, known(found.jobs, id).id)
    if not path.is_file():
        raise absent(f"text that job {id[:32]} printed")
    return FileResponse(path, media_type="text/plain; charset=utf-8")


@router.post("/jobs/{id}/cancel", status_code=202)
def cancel(request: Request, id: str) -> dict[str, Any]:
    """Cancel a job: at once while it waits, at the next step of a sampler while it runs. Others are not touched."""
    found = services.of(request)
    known(found.jobs, id)
    for running in changing(found.jobs.cancel, id):
        found.workers.cancel(running)
    return job_shown(found.jobs, found.jobs.get(id))


@router.post("/jobs/{id}/retry", status_code=202)
def retry(request: Request, id: str) -> dict[str, Any]:
    """Let a job that came to no good end wait again; what had finished comes from the cache."""
    found = services.of(request)
    known(found.jobs, id)
    return job_shown(found.jobs, changing(found.jobs.retry, id))


@router.post("/jobs/{id}/move")
def move(request: Request, id: str, body: Moved) -> dict[str, Any]:
    """Put a waiting job before another one, or behind all."""
    found = services.of(request)
    for one in (id, body.before):
        if one is not None:
            known(found.jobs, one)
    changing(found.jobs.move, id, body.before)
    return job_shown(found.jobs, found.jobs.get(id))


@router.delete("/jobs/{id}", status_code=204)
def remove(request: Request, id: str) -> None:
    """Remove a job that has ended, with what came out of it and its events; what was uploaded for it stays."""
    found = services.of(request)
    known(found.jobs, id)
    changing(forget, found.jobs, found.files, id)


@router.post("/queue/pause", status_code=204)
def pause(request: Request) -> None:
    """Let what waits wait; what runs goes on. It stays so over restarts."""
    services.of(request).jobs.pause(True)


@router.post("/queue/resume", status_code=204)
def resume(request: Request) -> None:
    """Let the queue go on."""
    services.of(request).jobs.pause(False)


def known(jobs: Jobs, id: str) -> Job:
    """A job. Raises Problem."""
    try:
        return jobs.get(id)
    except KeyError:
        raise absent(f"job {id[:32]}") from None


def changing(change: Any, *given: Any) -> Any:
    """Change a job. Raises Problem where its state does not allow it."""
    try:
        return change(*given)
    except WrongState as error:
        raise Problem(409, "wrong-state", str(error)) from None
    except KeyError:
        raise absent("such job any more") from None
