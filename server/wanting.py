"""From the body of a request to the job that is queued: a run, or a sweep with a cell for each combination of values."""

from dataclasses import replace
from functools import partial
from typing import Any

from nodegraph.base.diagnostics import GraphError
from nodegraph.language.axes import BadAxis
from nodegraph.language.given import inputs_of_places
from nodegraph.language.many import count
from nodegraph.language.source import SourceText
from nodegraph.sweep import Sweep
from server.asking import Asks
from server.jobs.job import Wanted
from server.jobs.requests import cell, kept
from server.jobs.tasks import Asked
from server.judging import Judge, faulty, refuse, seeds_of, title_of
from server.problems import Problem
from server.wire import WantedJob


def wanted_job(asks: Asks, body: WantedJob) -> Wanted:
    """The job of a request, checked. Raises Problem."""
    source, body = asks.source(body.graph, body.text), asks.given(body)
    return asks.judged(partial(_wanted, body=body, source=source), asks.size(source, body))


def _wanted(judge: Judge, body: WantedJob, source: SourceText) -> Wanted:
    asked = judge.asked(source, body)
    graph = judge.session.compiled(asked.opened, replace(asked.job, until=None)).graph
    if graph is None:
        refuse(judge.session.compiled(asked.opened, asked.job))
        raise Problem(422, "faulty-graph", "the graph cannot be read")
    asked = judge.drawn(asked, graph)
    request, title = kept(asked, body.cache), title_of(graph, source)
    axes = judge.axes(graph, body)
    if not axes:
        seeds, files = seeds_of(judge.compiled(asked)), judge.uploads(asked)
        return Wanted("run", title, request, seeds, body.priority, (), files, _worker(body))
    number = count(axes)
    if number > judge.bounds.limits.cells:
        raise Problem(
            422,
            "too-many-cells",
            f"a sweep may have {judge.bounds.limits.cells:,} cells here, not {number:,}",
        )
    sweep = Sweep(judge.session, asked.opened, asked.job, axes)
    if {n for a in axes for n in a.names} & inputs_of_places(graph, judge.session.registry):
        for job in sweep.each_once():
            judge.compiled(Asked(asked.opened, job))
    try:
        sweep.check()
    except BadAxis as error:
        raise Problem(422, "bad-axis", str(error)) from None
    except GraphError as error:
        raise faulty(error) from None
    request["axes"] = [{"names": a.names, "rows": a.rows} for a in axes]
    first = sweep.job_of(next(sweep.cells()).values)
    seeds = seeds_of(judge.compiled(Asked(asked.opened, first)))
    cells = _cells(sweep, title, seeds, _worker(body))
    files = judge.uploads(asked, axes)
    return Wanted("sweep", title, request, {}, body.priority, cells, files)


def _worker(body: WantedJob) -> str | None:
    """The one worker, or the place, that is to do it."""
    return body.device if body.on in (None, "here") else body.on


def _cells(
    sweep: Sweep, title: str, seeds: dict[str, Any], device: str | None
) -> tuple[Wanted, ...]:
    """A job for each cell; its seeds are those of the first one, but for what varies."""
    return tuple(
        Wanted(
            "run",
            title,
            {**cell(sweep.job_of(one.values)), "values": dict(one.values)},
            {name: one.values.get(name, value) for name, value in seeds.items()},
            device=device,
        )
        for one in sweep.cells()
    )
