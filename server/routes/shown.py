"""Jobs as the API shows them."""

from collections.abc import Mapping
from typing import Any

from server.jobs.job import Job
from server.jobs.log import JOB
from server.jobs.store import Jobs

OF_REQUEST = (
    "graph",
    "inputs",
    "texts",
    "preset",
    "until",
    "precision",
    "compile",
    "low_memory",
    "cache",
    "model",
)


def job_shown(jobs: Jobs, job: Job, whole: bool = False) -> dict[str, Any]:
    """A job: what was asked, its state, and what came out. `whole`: with its text, cells, and what its nodes told."""
    request = job.request if job.parent is None else {**jobs.get(job.parent).request, **job.request}
    shown = {
        "id": job.id,
        "number": job.number,
        "kind": job.kind,
        "state": job.state,
        "title": job.title,
        "place": jobs.place(job),
        "parent": job.parent,
        "cell": job.cell,
        "asked": {name: request[name] for name in OF_REQUEST if name in request},
        "seeds": job.seeds,
        "created": job.created,
        "started": job.started,
        "ended": job.ended,
        "worker": job.worker,
        "attempt": job.attempt,
        "outputs": job.outputs or {},
        "diagnostics": job.faults or [],
        "thumbnail": job.thumbnail,
    }
    return {**shown, **_more(jobs, job, request)} if whole else shown


def _more(jobs: Jobs, job: Job, request: Mapping[str, Any]) -> dict[str, Any]:
    cells = [row(cell) for cell in jobs.cells(job.id)] if job.kind == "sweep" else []
    told = {"text": request.get("text"), "nodes": job.nodes or {}, "versions": job.versions or {}}
    metrics = jobs.log.metrics(JOB + job.id)
    axes = request.get("axes", []) if job.kind == "sweep" else []
    return {**told, "steps": _steps(jobs, job), "metrics": metrics, "axes": axes, "cells": cells}


def _steps(jobs: Jobs, job: Job) -> dict[str, Any]:
    """The kept steps of a job's nodes; of what it had no need to make those of the job that made it."""
    own = jobs.log.kept_steps(JOB + job.id)
    kept = {
        told["key"]: name
        for name, told in (job.nodes or {}).items()
        if told.get("status") in (None, "cached") and "key" in told
    }
    found = jobs.makers(job.number, kept) if kept else {}
    of_jobs = {id: jobs.log.kept_steps(JOB + id) for id, _ in found.values()}
    others = {kept[key]: of_jobs[id].get(name) for key, (id, name) in found.items()}
    return {name: steps for name, steps in others.items() if steps} | own


def row(cell: Job) -> dict[str, Any]:
    """A cell of a sweep as a row of its table."""
    seconds = (
        None if cell.started is None or cell.ended is None else round(cell.ended - cell.started, 3)
    )
    errors = [f for f in cell.faults or [] if f["severity"] == "error"]
    return {
        "id": cell.id,
        "cell": cell.cell,
        "values": cell.request.get("values", {}),
        "state": cell.state,
        "seconds": seconds,
        "outputs": cell.outputs or {},
        "thumbnail": cell.thumbnail,
        "message": errors[0]["message"] if errors else "",
    }
