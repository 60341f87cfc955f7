"""The rehearsal of `make real`, and what its report says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file, save_file

ROOT = Path(__file__).parents[3]
REAL = ROOT / "benchmarks" / "real"
KARLO = ROOT / "tests" / "golden" / "data" / "unclip_tiny_karlo"


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(REAL)
    monkeypatch.delitem(sys.modules, "report", raising=False)
    import report

    return report


def rehearsed(out: Path, program: str) -> dict:
    command = [
        sys.executable,
        str(REAL / "run.py"),
        "--tiny",
        str(KARLO),
        "--out",
        str(out),
        "--device",
        "cpu",
    ]
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [*command, "--only", program], capture_output=True, text=True, env=environment, cwd=out
    )
    assert done.returncode == 0, done.stderr
    return json.loads((out / "report.json").read_text("utf-8"))


@pytest.mark.parametrize("program", ["karlo", "glide"])
def test_the_rehearsal_draws_what_the_reference_draws(program: str, tmp_path: Path) -> None:
    pytest.importorskip({"karlo": "diffusers", "glide": "glide_text2im"}[program])
    record = rehearsed(tmp_path, program)
    (found,) = record["programs"]
    assert record["tiny"]
    assert min(found["within_a_level"]) >= 0.995
    assert len(found["prompts"]) == len(found["within_a_level"]) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in found["digests"].values())
    first, second = (
        load_file(tmp_path / program / "ours" / f"{n}.safetensors")["image"] for n in (0, 1)
    )
    assert not torch.equal(first, second)
    for name in ("report.md", f"{program}/sheet.png"):
        assert (tmp_path / name).is_file()


def pretended(folder: Path, off: float) -> Path:
    """What two programs would leave: pictures that differ in one pixel of a hundred by `off` levels of 255."""
    picture = torch.zeros(1, 3, 10, 10)
    other = picture.clone()
    other[:, :, 0, 0] += off / 127.5
    for side, image in (("ours", picture), ("reference", other)):
        (folder / side).mkdir(parents=True)
        save_file({"image": image}, folder / side / "0.safetensors")
        cost = {"program": "other 1.0", "seconds": [9.0, 2.0, 4.0], "memory": 2**30}
        (folder / side / "cost.json").write_text(json.dumps(cost), "utf-8")
    return folder


@pytest.mark.parametrize(("off", "right"), [(0.9, True), (1.5, False)])
def test_another_picture_is_told(
    off: float, right: bool, report: ModuleType, tmp_path: Path
) -> None:
    found = report.compared("karlo", ["a frog"], pretended(tmp_path, off), {})
    assert found.right == right
    assert found.farthest == (pytest.approx(off, abs=1e-4),)
    assert found.within_a_level == (pytest.approx(1.0 if right else 0.99),)
    assert found.seconds == 3.0


def test_the_sentence_is_the_reports(report: ModuleType, tmp_path: Path) -> None:
    found = report.compared("karlo", ["a frog"], pretended(tmp_path, 0.5), {})
    path = report.write([found], tmp_path, "a card", "2030-01-02", False)
    record = json.loads(path.read_text("utf-8"))
    said = report.sentence(record)
    for part in ("a card", "2030-01-02", "other 1.0", "100.00%", "3.0 s", "1.0 GiB"):
        assert part in said
    page = "before\n<!-- real -->\nold\n<!-- /real -->\nafter"
    assert report.told(page, record) == f"before\n<!-- real -->\n{said}\n<!-- /real -->\nafter"
    assert report.sentence({**record, "tiny": True}) == report.sentence(None) == report.NOT_YET


def test_the_readme_says_what_the_last_report_says(report: ModuleType) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert report.BLOCK.search(readme)
    assert report.told(readme, report.kept()) == readme
