"""What a job keeps of a request is what a worker is asked."""

from nodegraph.language.source import SourceText
from nodegraph.options import Options
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job
from server.jobs.requests import asked_of, kept
from server.jobs.tasks import Asked


def test_how_a_graph_is_run_comes_back() -> None:
    options = Options(None, "bfloat16", compile=True, low_memory=True)
    asked = Asked(Recorded(SourceText("g.yaml", "graph: 1\n")), Job(options=options))
    request = kept(asked, cached=False)
    found = asked_of(request, Options()).job.options
    assert (found.precision, found.compile, found.cached) == ("bfloat16", True, False)
    assert found.low_memory
    since = ("compile", "low_memory")
    older = {name: value for name, value in request.items() if name not in since}
    before = asked_of(older, Options()).job.options
    assert not before.compile and not before.low_memory
