"""The shipped graph draws the prompts of a job, from the noise that the reference program drew. `python ours.py JOB.json`."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from references import exactly, peak
from safetensors.torch import save_file

import nodegraph
from nodegraph.language.setting import with_values


def drawn(job: Mapping[str, Any], graph: Any, number: int) -> Any:
    """The picture [1, 3, H, W] of a prompt. Noise is given to inputs of the graph, or to ports of its nodes (`small.noise`)."""
    noise = {
        place: f"{job['noise_from']}/{number}-{stage}.safetensors"
        for place, stage in job["noise"].items()
    }
    ports = [f"{place}={path}" for place, path in noise.items() if "." in place]
    inputs = {place: path for place, path in noise.items() if "." not in place}
    if ports:
        source = with_values(graph.opened.source, ports)
        graph = replace(graph, opened=replace(graph.opened, source=source))
    return graph(**job["inputs"], **inputs, prompt=job["prompts"][number]).image


def main(path: str) -> None:
    """Draw every prompt: `N.safetensors` with the picture, and what it cost."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    exactly()
    readable = [job["noise_from"], *job.get("readable", ())]
    graph = nodegraph.load(
        job["graph"], device=job["device"], precision="float32", cached=False, readable=readable
    )
    seconds: list[float] = []
    for number in range(len(job["prompts"])):
        started = time.perf_counter()
        image = drawn(job, graph, number).float().cpu()
        seconds.append(time.perf_counter() - started)
        save_file({"image": image.contiguous()}, out / f"{number}.safetensors")
    told = {"program": "nodegraph", "seconds": seconds, "memory": peak(job["device"])}
    (out / "cost.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
