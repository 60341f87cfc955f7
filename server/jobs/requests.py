"""What is kept of a request with its job, from which the task is made when a worker takes it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job as Asking
from server.jobs.job import Job
from server.jobs.store import Jobs
from server.jobs.tasks import Asked, Get, Run, Task
from server.settings import Settings


def kept(asked: Asked, cached: bool) -> dict[str, Any]:
    """A graph and what is asked of it, as JSON."""
    source, job = asked.opened.source, asked.job
    return {
        "graph": source.name,
        "text": source.text,
        "folder": str(source.folder or ""),
        "preset": job.preset,
        "until": job.until,
        "precision": job.options.precision,
        "compile": job.options.compile,
        "low_memory": job.options.low_memory,
        "cache": cached,
        **cell(job),
    }


def cell(job: Asking) -> dict[str, Any]:
    """What a cell of a sweep has of its own."""
    return {"inputs": dict(job.inputs), "texts": dict(job.texts)}


def asked_of(request: Mapping[str, Any], options: Options) -> Asked:
    """The opposite of `kept`, with options of the place where it runs."""
    source = SourceText(request["graph"], request["text"], Path(request["folder"]))
    given = replace(
        options,
        precision=request["precision"],
        cached=request["cache"],
        compile=request.get("compile", False),
        low_memory=request.get("low_memory", False),
    )
    job = Asking(request["inputs"], request["texts"], request["preset"], given, request["until"])
    return Asked(Recorded(source), job)


def task_of(job: Job, out: str, jobs: Jobs, settings: Settings) -> Task:
    """What a worker is asked to do for a job; of a cell the graph is kept with its sweep."""
    if job.kind == "get":
        return Get(job.request["model"])
    request = {**jobs.get(job.parent).request, **job.request} if job.parent else job.request
    device = None if job.lane == settings.on else job.worker
    options = Options(device, None, out, max_megapixels=settings.limits.megapixels)
    return Run(asked_of(request, options))
