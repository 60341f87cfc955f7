"""One call from a prompt to a picture: a graph's inputs are the body, its outputs the answer."""

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

from server import services
from server.encoding import Answer
from server.files import first_picture
from server.jobs.job import ENDED, Job
from server.problems import Problem
from server.routes.jobs import queued
from server.routes.shown import job_shown
from server.services import Services
from server.wire import Inputs, WantedJob

router = APIRouter(tags=["runs"])
LONGEST = 600.0
"""Seconds for which an answer is waited for at most."""
WAIT = re.compile(r"\bwait=(\d{1,6})\b")


@router.post("/run/{graph:path}")
async def run(
    request: Request,
    graph: Annotated[str, Path(max_length=400)],
    inputs: Annotated[Inputs | None, Body()] = None,
    prefer: Annotated[str | None, Header(max_length=200)] = None,
    accept: Annotated[str | None, Header(max_length=1_000)] = None,
) -> Response:
    """Run a graph with these inputs. `Prefer: wait=60` answers with what came out, with `Accept: image/png` with the picture.

    Else, or where it takes longer: 202, and `Location` is where the job is.
    """
    found = services.of(request)
    body = WantedJob(graph=graph, inputs=inputs or {})
    job, _ = await run_in_threadpool(queued, found, body)
    waiting = WAIT.search(prefer or "")
    if waiting:
        job = await _ended(request, found, job, min(float(waiting[1]), LONGEST))
    return await run_in_threadpool(_answer, request, found, job, accept or "")


async def _ended(request: Request, found: Services, job: Job, seconds: float) -> Job:
    """The job when it has ended, or after a time."""
    loop = asyncio.get_running_loop()
    until, seen = loop.time() + seconds, found.database.bell.count
    while job.state not in ENDED and (left := until - loop.time()) > 0:
        seen = await found.database.bell.heard(seen, min(left, 1.0))
        if await request.is_disconnected():
            break
        job = await run_in_threadpool(found.jobs.get, job.id)
    return job


def _answer(request: Request, found: Services, job: Job, accept: str) -> Response:
    place = {"location": f"{request.scope.get('root_path', '')}/api/v1/jobs/{job.id}"}
    if job.state in ("failed", "cancelled", "interrupted"):
        faults = [dict(f) for f in job.faults or []]
        first = next(
            (f["message"] for f in faults if f["severity"] == "error"), f"the job was {job.state}"
        )
        raise Problem(
            422 if job.state == "failed" else 409,
            f"job-{job.state}",
            first,
            place,
            diagnostics=faults,
            job=job.id,
        )
    if job.state != "done":
        return Answer(job_shown(found.jobs, job), 202, {**place, "retry-after": "2"})
    if "image/" in accept and "application/json" not in accept:
        return _picture(found, job, place)
    return Answer(job_shown(found.jobs, job), 200, place)


def _picture(found: Services, job: Job, place: dict[str, str]) -> Response:
    digest = first_picture(job.outputs or {})
    file = found.files.find(digest) if digest else None
    if file is None:
        raise Problem(
            406, "no-picture", "no picture came out of this graph; ask for application/json", place
        )
    return FileResponse(file.path, media_type=file.media, headers=place)
