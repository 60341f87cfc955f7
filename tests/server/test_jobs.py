"""Jobs: queued, run, cancelled, tried again, put in order; workers that die."""

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from serving import SCENE, ended
from starlette.testclient import TestClient

from server.database import opened
from server.jobs.job import Wanted
from server.jobs.log import Log
from server.jobs.store import Jobs
from server.settings import Limits

Other = Callable[..., TestClient]
API = "/api/v1"
JOBS = f"{API}/jobs"


def queue(client: TestClient, status: int = 201, **body: Any) -> dict[str, Any]:
    answer = client.post(JOBS, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


def text_of(kind: str, **ports: Any) -> str:
    written = "".join(f", {name}: {value}" for name, value in ports.items())
    return f"graph: 1\nnodes: {{n: {{type: {kind}{written}}}}}\noutputs: {{out: $n}}\n"


def test_a_job_runs_and_tells_what_came_out(served: TestClient, folder: Path) -> None:
    job = ended(served, queue(served, graph="slow.yaml", inputs={"value": "hello"})["id"])
    assert job["state"] == "done" and job["outputs"] == {"said": ["hello"]}
    assert job["nodes"]["s"]["status"] == "ran" and job["nodes"]["s"]["memory"] > 2**20
    assert job["text"] == (folder / "slow.yaml").read_text() and job["versions"]["nodegraph"]
    assert job["started"] >= job["created"] and job["ended"] >= job["started"]


def test_a_picture_is_kept_by_what_is_in_it(served: TestClient) -> None:
    job = ended(served, queue(served, text=SCENE, inputs={"caption": "a green circle"})["id"])
    (output,) = job["outputs"]["image"]
    sent = served.get(f"{API}/files/{output['file']}")
    assert sent.content.startswith(b"\x89PNG") and "immutable" in sent.headers["cache-control"]
    part = served.get(f"{API}/files/{output['file']}", headers={"range": "bytes=1-3"})
    assert part.status_code == 206 and part.content == b"PNG"
    small = served.get(f"{API}/files/{output['file']}/thumbnail")
    assert small.headers["content-type"] == "image/webp" and len(small.content) <= 40_000
    assert served.get(f"{API}/files/{job['thumbnail']}").headers["content-type"] == "image/webp"


def test_seeds_that_are_drawn_are_told(served: TestClient) -> None:
    body = {"graph": "glide/text_to_image", "inputs": {"prompt": "a red circle", "seed": "random"}}
    served.post(f"{API}/queue/pause")
    one, two = queue(served, **body), queue(served, **body)
    assert one["seeds"] != two["seeds"] and 0 <= one["seeds"]["seed"] < 2**31
    assert queue(served, graph="glide/text_to_image")["seeds"] == {"seed": 0}
    for job in served.get(JOBS, params={"state": "queued"}).json()["jobs"]:
        served.post(f"{JOBS}/{job['id']}/cancel")
    served.post(f"{API}/queue/resume")


def test_faults_are_told_before_anything_is_queued(served: TestClient) -> None:
    before = len(served.get(JOBS).json()["jobs"])
    faulty = served.post(JOBS, json={"text": SCENE.replace("caption: $", "captoin: $")})
    assert faulty.status_code == 422 and faulty.json()["diagnostics"][0]["line"]
    unknown = served.post(JOBS, json={"graph": "scene.yaml", "inputs": {"capton": "a"}})
    assert "capton" in unknown.json()["detail"]
    assert served.post(JOBS, json={}).json()["type"] == "malformed"
    wrong = served.post(JOBS, json={"graph": "scene.yaml", "set": {"s.none": 3}})
    assert wrong.status_code == 422
    assert len(served.get(JOBS).json()["jobs"]) == before


def test_values_of_ports_and_a_node_alone(served: TestClient) -> None:
    job = ended(served, queue(served, graph="scene.yaml", set={"s.size": 32}, until="s")["id"])
    assert job["state"] == "done" and job["outputs"]


def test_the_same_key_gives_the_same_job(served: TestClient) -> None:
    headers = {"idempotency-key": "abc"}
    one = served.post(JOBS, json={"graph": "slow.yaml"}, headers=headers)
    again = served.post(JOBS, json={"graph": "slow.yaml"}, headers=headers)
    assert (one.status_code, again.status_code) == (201, 200) and one.json()["id"] == again.json()[
        "id"
    ]
    other = served.post(JOBS, json={"graph": "scene.yaml"}, headers=headers)
    assert other.status_code == 409 and other.json()["type"] == "other-request"


def test_a_cancel_stops_that_job_alone(served: TestClient) -> None:
    slow = queue(served, graph="slow.yaml", inputs={"steps": 600, "seconds": 0.05})
    behind = queue(served, graph="slow.yaml", inputs={"value": "behind"})
    waiting = queue(served, graph="slow.yaml", inputs={"value": "not"})
    while served.get(f"{JOBS}/{slow['id']}").json()["state"] == "queued":
        time.sleep(0.05)
    assert served.post(f"{JOBS}/{waiting['id']}/cancel").json()["state"] == "cancelled"
    assert served.post(f"{JOBS}/{slow['id']}/cancel").status_code == 202
    assert ended(served, slow["id"])["state"] == "cancelled"
    assert ended(served, behind["id"])["outputs"] == {"said": ["behind"]}
    assert served.post(f"{JOBS}/{slow['id']}/cancel").json()["type"] == "wrong-state"


def test_a_node_that_ends_its_process_costs_its_job_alone(served: TestClient) -> None:
    died = ended(served, queue(served, text=text_of("toy_end"))["id"])
    assert died["state"] == "failed" and "code 9" in died["diagnostics"][0]["message"]
    assert ended(served, queue(served, text=text_of("toy_memory"))["id"])["state"] == "failed"
    after = ended(served, queue(served, graph="slow.yaml", inputs={"value": "after"})["id"])
    assert after["outputs"] == {"said": ["after"]}


def test_a_sweep_is_one_job_with_cells(served: TestClient) -> None:
    each = {"caption": ["a red circle", "a blue square"]}
    job = queue(served, graph="scene.yaml", each=each)
    assert job["kind"] == "sweep"
    job = ended(served, job["id"])
    assert (
        job["state"] == "done" and [c["values"]["caption"] for c in job["cells"]] == each["caption"]
    )
    table = served.get(f"{JOBS}/{job['id']}/table").json()
    assert all(row["state"] == "done" and row["outputs"]["image"] for row in table)
    sheet = served.get(f"{JOBS}/{job['id']}/sheet")
    assert sheet.content.startswith(b"\x89PNG")
    assert served.get(f"{JOBS}/{job['id']}/sheet?page=1").status_code == 404
    assert served.get(f"{JOBS}/{job['cells'][0]['id']}").json()["parent"] == job["id"]
    listed = [j["id"] for j in served.get(JOBS).json()["jobs"]]
    assert job["id"] in listed and job["cells"][0]["id"] not in listed


def test_a_sweep_that_cannot_be_is_refused(other: Other) -> None:
    client = other(Limits(cells=5))
    many = client.post(JOBS, json={"graph": "slow.yaml", "each": {"value": "0..9"}})
    assert many.json()["type"] == "too-many-cells"
    assert (
        client.post(JOBS, json={"graph": "slow.yaml", "each": {"value": "@/etc/passwd"}}).json()[
            "type"
        ]
        == "bad-axis"
    )
    assert (
        client.post(JOBS, json={"graph": "slow.yaml", "each": {"steps": ["x"]}}).json()["type"]
        == "faulty-graph"
    )
    assert client.post(JOBS, json={"graph": "slow.yaml", "sweep": "none"}).status_code == 422


def test_the_queue_has_an_order_and_a_bound(other: Other) -> None:
    client = other(Limits(queued=4))
    jobs = [queue(client, graph="slow.yaml", inputs={"value": str(n)})["id"] for n in range(3)]
    urgent = queue(client, graph="slow.yaml", priority=5)["id"]
    full = client.post(JOBS, json={"graph": "slow.yaml"})
    assert (
        full.status_code == 429
        and full.json()["type"] == "queue-full"
        and full.headers["retry-after"]
    )

    def order() -> list[str]:
        found = client.get(JOBS, params={"state": "queued"}).json()["jobs"]
        return [job["id"] for job in sorted(found, key=lambda job: job["place"])]

    assert order() == [urgent, *jobs]
    client.post(f"{JOBS}/{jobs[2]}/move", json={"before": jobs[0]})
    assert order() == [urgent, jobs[2], jobs[0], jobs[1]]
    client.post(f"{JOBS}/{jobs[2]}/move", json={"before": None})
    assert order() == [urgent, *jobs]
    client.post(f"{JOBS}/{jobs[0]}/move", json={"before": jobs[0]})
    assert order() == [urgent, *jobs]
    client.post(f"{JOBS}/{urgent}/cancel")
    assert (
        client.post(f"{JOBS}/{urgent}/move", json={"before": None}).json()["type"] == "wrong-state"
    )
    assert client.post(f"{JOBS}/none/move", json={"before": None}).status_code == 404


def test_jobs_are_listed_in_pages(other: Other) -> None:
    client = other()
    made = [queue(client, graph="slow.yaml")["id"] for _ in range(5)]
    first = client.get(JOBS, params={"limit": 2}).json()["jobs"]
    rest = client.get(JOBS, params={"before": first[-1]["number"]}).json()["jobs"]
    assert [j["id"] for j in (*first, *rest)] == made[::-1]


def test_a_job_that_failed_is_tried_again(served: TestClient) -> None:
    died = ended(served, queue(served, text=text_of("toy_end"))["id"])
    assert served.post(f"{JOBS}/{died['id']}/retry").json()["state"] in ("queued", "running")
    assert ended(served, died["id"])["attempt"] == 2
    done = ended(served, queue(served, graph="slow.yaml")["id"])
    assert served.post(f"{JOBS}/{done['id']}/retry").json()["type"] == "wrong-state"


def test_deleting_a_job_removes_its_files(served: TestClient) -> None:
    job = ended(
        served,
        queue(served, text=SCENE, inputs={"caption": "a yellow triangle"}, cache=False)["id"],
    )
    (output,) = job["outputs"]["image"]
    assert served.delete(f"{JOBS}/{job['id']}").status_code == 204
    assert served.get(f"{JOBS}/{job['id']}").status_code == 404
    assert served.get(f"{API}/files/{output['file']}").status_code == 404


def test_folders_that_a_job_writes_stay_as_long_as_the_job(served: TestClient) -> None:
    """A training has its networks there, and goes on from there."""
    text = SCENE.replace("nodes: {", "nodes: {w: {type: save_image, image: $s, file: run/a.png}, ")
    job = ended(served, queue(served, text=text, inputs={"caption": "a blue circle"})["id"])
    written = Path(job["folder"]) / "run" / "a.png"
    assert (
        written.read_bytes().startswith(b"\x89PNG")
        and len(list(Path(job["folder"]).iterdir())) == 1
    )
    shown = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"
    again = ended(served, queue(served, text=shown, inputs={"image": str(written)})["id"])
    assert again["state"] == "done" and again["folder"] is None
    assert served.delete(f"{JOBS}/{job['id']}").status_code == 204 and not written.exists()


def test_a_paused_queue_waits(served: TestClient) -> None:
    served.post(f"{API}/queue/pause")
    job = queue(served, graph="slow.yaml")
    time.sleep(1.5)
    assert served.get(f"{JOBS}/{job['id']}").json()["state"] == "queued"
    assert served.get(JOBS).json()["paused"]
    served.post(f"{API}/queue/resume")
    assert ended(served, job["id"])["state"] == "done"


def test_one_call_from_inputs_to_what_comes_out(served: TestClient) -> None:
    wait = {"prefer": "wait=60"}
    done = served.post(f"{API}/run/slow.yaml", json={"value": "x"}, headers=wait)
    assert done.status_code == 200 and done.json()["outputs"] == {"said": ["x"]}
    later = served.post(f"{API}/run/slow.yaml", json={"value": "y"})
    assert later.status_code == 202 and ended(served, later.headers["location"].rpartition("/")[2])
    none = served.post(f"{API}/run/slow.yaml", headers={**wait, "accept": "image/png"})
    assert none.status_code == 406 and none.json()["type"] == "no-picture"
    failed = served.post(f"{API}/run/slow.yaml", json={"steps": "many"}, headers=wait)
    assert failed.status_code == 422 and failed.json()["diagnostics"]


@pytest.mark.parametrize("place", ["/etc/hostname", "../secret.png", "~/x.png"])
def test_inputs_read_nothing_outside_of_the_workspace(
    served: TestClient, tmp_path: Path, place: str
) -> None:
    text = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"
    answer = served.post(JOBS, json={"text": text, "inputs": {"image": place}})
    assert answer.status_code in (403, 422), answer.text


def test_an_upload_is_an_input(served: TestClient) -> None:
    headers = {"prefer": "wait=60", "accept": "image/png"}
    made = served.post(f"{API}/run/scene.yaml", headers=headers).content
    kept = served.post(f"{API}/uploads", files={"file": ("in.png", made, "image/png")}).json()
    text = "graph: 1\ninputs: {image: {type: Image}}\nnodes: {}\noutputs: {image: $image}\n"
    job = ended(served, queue(served, text=text, inputs={"image": {"file": kept["file"]}})["id"])
    assert job["state"] == "done", job["diagnostics"]
    missing = served.post(JOBS, json={"text": text, "inputs": {"image": {"file": "0" * 64}}})
    assert missing.status_code == 404
    assert (
        served.post(JOBS, json={"text": text, "inputs": {"image": {"path": "x"}}}).json()["type"]
        == "malformed"
    )


def test_uploads_are_looked_at(served: TestClient, other: Other) -> None:
    import io

    from PIL import Image

    made = io.BytesIO()
    Image.new("1", (10_000, 7_000)).save(made, "PNG")
    bomb = served.post(f"{API}/uploads", files={"file": ("bomb.png", made.getvalue(), "image/png")})
    assert bomb.status_code == 413 and bomb.json()["type"] == "too-many-pixels"
    page = served.post(
        f"{API}/uploads", files={"file": ("x.html", b"<script>", "text/html")}
    ).json()
    sent = served.get(f"{API}/files/{page['file']}")
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-disposition"].startswith("attachment")


def test_what_nobody_names_goes_when_there_is_too_much(other: Other) -> None:
    client = other(Limits(kept=100))
    one = client.post(f"{API}/uploads", files={"file": ("a.txt", b"a" * 80)}).json()["file"]
    two = client.post(f"{API}/uploads", files={"file": ("b.txt", b"b" * 80)}).json()["file"]
    assert [client.get(f"{API}/files/{f}").status_code for f in (one, two)] == [404, 200]


def test_a_job_of_a_device_is_run_there(served: TestClient) -> None:
    job = ended(served, queue(served, graph="slow.yaml", device="cpu")["id"])
    assert job["state"] == "done" and job["worker"] == "cpu"
    refused = served.post(JOBS, json={"graph": "slow.yaml", "device": "cuda:7"})
    assert refused.status_code == 422 and refused.json()["type"] == "no-worker"
    assert "there are: cpu" in refused.json()["detail"]
    sweep = queue(served, graph="slow.yaml", device="cpu", each={"value": ["a", "b"]})
    assert ended(served, sweep["id"])["state"] == "done"


def test_a_job_of_a_device_waits_for_its_worker(tmp_path: Path) -> None:
    database = opened(tmp_path / "server.sqlite")
    jobs = Jobs(database, Log(database))
    one, _ = jobs.add(Wanted("run", "one", {}, device="cuda:1"))
    any_of_them, _ = jobs.add(Wanted("run", "any", {}))
    assert jobs.waiting("device", "cuda:1")
    first = jobs.claim("device", "cpu")
    assert first is not None and first.id == any_of_them.id
    assert jobs.claim("device", "cpu") is None and not jobs.waiting("device", "cpu")
    second = jobs.claim("device", "cuda:1")
    assert second is not None and second.id == one.id
    database.close()


STEPS = """graph: 1
nodes:
  scene: {type: shapes_scene, caption: a red circle, size: 16}
  all: {type: toy_steps, image: $scene, steps: 100}
  few: {type: toy_steps, image: $all, steps: 3}
outputs: {image: $few}
"""


def test_some_steps_of_a_node_are_kept_evenly_with_what_was_predicted_and_from_what(
    served: TestClient,
) -> None:
    job = ended(served, queue(served, text=STEPS)["id"])
    steps = job["steps"]
    assert [step["done"] for step in steps["few"]] == [1, 2, 3]
    assert [row["loss"] for row in job["metrics"]["few"]] == [1.0, 0.5, 0.333]
    done = [step["done"] for step in steps["all"]]
    assert len(done) == 32 and done[-1] == 100
    assert {after - before for before, after in pairwise(done)} <= {3, 4}
    first, last = steps["all"][0], steps["all"][-1]
    assert first["preview"] == last["preview"] and first["noisy"] != last["noisy"]
    picture = served.get(f"{API}/files/{first['noisy']}")
    assert picture.headers["content-type"] == "image/webp"
    again = ended(served, queue(served, text=STEPS.replace("steps: 3", "steps: 2"))["id"])
    assert again["nodes"]["all"]["status"] == "cached" and again["steps"]["all"] == steps["all"]
    assert [step["done"] for step in again["steps"]["few"]] == [1, 2]
    assert served.delete(f"{JOBS}/{job['id']}").status_code == 204
    assert "all" not in served.get(f"{JOBS}/{again['id']}").json()["steps"]
    assert served.get(f"{API}/files/{first['noisy']}").status_code == 404


def test_who_looks_at_a_running_job_sees_how_its_nodes_do(served: TestClient) -> None:
    job = queue(served, graph="slow.yaml", inputs={"steps": 100, "seconds": 0.1})
    until = time.monotonic() + 30
    while (found := served.get(f"{JOBS}/{job['id']}").json())["nodes"].get("s", {}).get(
        "status"
    ) is None:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert found["state"] == "running" and found["nodes"]["s"]["status"] == "running"
    served.post(f"{JOBS}/{job['id']}/cancel")
    assert ended(served, job["id"])["state"] == "cancelled"
