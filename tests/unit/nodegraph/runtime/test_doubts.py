"""What is said before a graph runs: a precision that the CPU does not compute in."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from nodegraph.base import devices
from nodegraph.base.diagnostics import Diagnostic
from nodegraph.language.source import SourceText
from nodegraph.library.port import Precision
from nodegraph.options import Options
from nodegraph.session import Job, Session

MODEL = """graph: 1
nodes:
  text: {type: text_encoder, model: shapes/glide/base, text: a red circle}
outputs: {out: $text}
"""
NO_MODEL = """graph: 1
nodes:
  mask: {type: mask_rectangle, size: 8}
outputs: {out: $mask}
"""
ZEN3, GENOA, GRANITE, GRACE = (
    "processor\t: 0\nflags\t\t: fpu sse2 avx2\n",
    "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\n",
    "processor\t: 0\nflags\t\t: fpu avx2 amx_bf16 amx_fp16\n",
    "processor\t: 0\nFeatures\t: fp asimd asimdhp bf16\n",
)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Session:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    return Session()


def slow(found: Iterable[Diagnostic]) -> list[str]:
    return [one.message for one in found if one.code == "W405"]


def said(session: Session, text: str, precision: Precision, device: str = "cpu") -> list[str]:
    """The warning, which a plan and a run give alike."""
    job = Job(options=Options(device, precision))
    opened = session.open(SourceText("g.yaml", text))
    planned = slow(session.plan(opened, job).warnings)
    assert slow(session.prepare(opened, job).warnings) == planned
    return planned


@pytest.mark.parametrize(
    ("cpuinfo", "precision", "times"),
    [
        (ZEN3, "float32", None),
        (ZEN3, "bfloat16", 8),
        (ZEN3, "float16", 7),
        (GENOA, "bfloat16", None),
        (GENOA, "float16", 7),
        (GRANITE, "bfloat16", None),
        (GRANITE, "float16", None),
        (GRACE, "bfloat16", None),
        (GRACE, "float16", None),
        ("", "bfloat16", None),
    ],
)
def test_a_precision_that_the_cpu_lacks_is_told_before_the_run(
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cpuinfo: str,
    precision: Precision,
    times: int | None,
) -> None:
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "cpuinfo")
    expected = (
        f"this CPU has no instructions for {precision}: networks take about {times} times as"
        " long as in float32"
    )
    assert said(session, MODEL, precision) == ([] if times is None else [expected])


def test_nothing_is_told_where_no_network_runs(
    session: Session, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(ZEN3)
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "cpuinfo")
    assert said(session, NO_MODEL, "bfloat16") == []
    job = Job(options=Options("cpu", "bfloat16", tmp_path / "out"))
    opened = session.open(SourceText("g.yaml", MODEL))
    first = session.prepare(opened, job)
    list(session.run(first))
    assert slow(first.warnings)
    assert said(session, MODEL, "bfloat16") == []


def test_where_the_system_does_not_say_nothing_is_doubted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(devices, "CPUINFO", tmp_path / "missing")
    assert devices.computes_in("bfloat16")
