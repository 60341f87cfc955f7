"""`run --watch`: again when a file of the graph is saved, by whatever way editors save."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from nodegraph.cli.watching import wait, watched

INNER = "graph: 1\ninputs: {size: {type: int, default: 32}}\nnodes: {s: {type: shapes_scene, caption: a red circle, size: $size}}\noutputs: {s: $s}\n"
OUTER = "graph: 1\nnodes: {a: {type: ./inner.yaml}}\noutputs: {image: $a}\n"


def test_a_file_that_is_gone_is_waited_for_and_another_text_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "g.yaml"
    path.write_text("one", "utf-8")
    looks = []

    def look(_: float) -> None:
        looks.append(path.exists())
        if len(looks) == 1:
            path.unlink()
        elif len(looks) == 3:
            path.write_text("two", "utf-8")

    monkeypatch.setattr(time, "sleep", look)
    wait({path: "one"})
    assert looks == [True, False, False]


def test_what_is_saved_while_it_runs_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, runs = tmp_path / "g.yaml", []

    def run() -> dict[Path, str]:
        runs.append(1)
        path.write_text("saved meanwhile" if len(runs) < 3 else "read", "utf-8")
        return {path: "read"}

    def stop(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", stop)
    watched(run)
    assert len(runs) == 3


def lines_until(process: subprocess.Popen[str], mark: str) -> list[str]:
    found = []
    assert process.stderr is not None
    while mark not in (line := process.stderr.readline()):
        assert line, found
        found.append(line)
    return found


def test_a_subgraph_that_is_saved_runs_again_and_a_fault_stops_nothing(tmp_path: Path) -> None:
    inner = tmp_path / "inner.yaml"
    inner.write_text(INNER, "utf-8")
    (tmp_path / "outer.yaml").write_text(OUTER, "utf-8")
    command = [sys.executable, "-m", "nodegraph", "run", "outer.yaml", "--watch", "--quiet"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            lines_until(process, "watching")
            inner.write_text(INNER.replace("size: $size", "sise: $size"), "utf-8")
            assert any("E201" in line for line in lines_until(process, "watching"))
            beside = tmp_path / "inner.tmp"
            beside.write_text(INNER.replace("32", "48"), "utf-8")
            beside.replace(inner)
            lines_until(process, "watching")
        finally:
            process.terminate()
            process.communicate()
    assert len(list((tmp_path / "out").glob("outer-image-*.png"))) == 2
