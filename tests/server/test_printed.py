"""What nodes print goes with their job, and never to the log of the server."""

import pytest
from serving import ended
from starlette.testclient import TestClient

from server.jobs import printed

API = "/api/v1"
GRAPH = "graph: 1\nnodes: {{s: {{type: toy_print, said: {said}, ends: {ends}, times: {times}}}}}\noutputs: {{said: $s}}\n"


def run(served: TestClient, said: str, ends: bool = False, times: int = 1) -> str:
    text = GRAPH.format(said=said, ends=str(ends).lower(), times=times)
    job = served.post(f"{API}/jobs", json={"text": text}).json()["id"]
    assert ended(served, job)["state"] == ("failed" if ends else "done")
    return job


def test_what_is_printed_is_kept_with_its_job_alone(
    served: TestClient, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for said, ends in (("a-prompt", False), ("a-last-word", True), ("another", False)):
        job = run(served, said, ends)
        answer = served.get(f"{API}/jobs/{job}/printed")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        lines = [line for line in answer.text.splitlines() if said in line]
        assert lines[-4:] == [f"{way} {said}" for way in ("out", "err", "raw", "child")]
        assert said in answer.text and (said == "a-prompt" or "a-prompt" not in answer.text)
    told = capfd.readouterr()
    assert "another" not in told.out + told.err + caplog.text
    assert "a-prompt" not in told.out + told.err + caplog.text
    assert served.delete(f"{API}/jobs/{job}").status_code == 204
    assert served.get(f"{API}/jobs/{job}/printed").status_code == 404
    assert not printed.printed_by(served.app.state.services.files, job).exists()  # type: ignore[attr-defined]


def test_who_prints_without_end_waits_for_nobody_and_is_kept_to_a_bound(served: TestClient) -> None:
    job = run(served, "x" * 1000, times=3000)
    text = served.get(f"{API}/jobs/{job}/printed").content
    assert len(text) == printed.MOST + len(printed.CUT) and text.endswith(printed.CUT)


def test_a_job_that_prints_nothing_has_no_text(served: TestClient) -> None:
    job = served.post(f"{API}/jobs", json={"graph": "slow.yaml"}).json()["id"]
    ended(served, job)
    answer = served.get(f"{API}/jobs/{job}/printed")
    assert answer.status_code == 404 and "printed" in answer.json()["detail"]
