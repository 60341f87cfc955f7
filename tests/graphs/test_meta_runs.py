"""Abstract runs of shipped graphs: the same numbers as by torch's kernels, and without its compiler."""

import subprocess
import sys
from pathlib import Path

import pytest

from nodegraph.options import Options
from nodegraph.runtime.meta import operations
from nodegraph.session import Job, Session

GRAPHS = ("glide/text_to_image", "guidance/classifier", "unclip/text_to_image_autoregressive")


def numbers(name: str) -> list[object]:
    session = Session()
    plan = session.plan(session.open(name), Job(options=Options(cached=False)))
    assert not plan.shapes.errors and not plan.shapes.unknown
    return [(s.name, s.outputs, s.flops, s.peak, s.kept) for s in plan.shapes.steps]


@pytest.mark.parametrize("name", GRAPHS)
def test_plans_are_the_same_with_rules_and_without(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_rules = numbers(name)
    monkeypatch.setattr(operations, "rule_of", lambda func: None)
    monkeypatch.setattr(operations, "_known", {})
    assert numbers(name) == by_rules


COMPILER = """
import sys
import nodegraph
from nodegraph.options import Options
from nodegraph.session import Job, Session

session = Session()
for name in ("glide/text_to_image", "guidance/classifier", "unclip/text_to_image", "train/glide"):
    assert not session.check(session.open(name), Job()).diagnostics, name
graph, job = session.open("glide/text_to_image"), Job({"steps": 2}, options=Options(cached=False))
session.plan(graph, job)
*_, last = session.run(session.prepare(graph, job))
assert last.outputs["image"].shape[:2] == (1, 3)
nodegraph.load("guidance/classifier", cached=False)(steps=2)
print([name for name in ("torch._dynamo", "sympy") if name in sys.modules])
"""


def test_checks_plans_and_runs_do_not_load_the_compiler(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMPILER], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_a_check_calls_what_sees_the_change() -> None:
    """What follows a sampler sees the shape of its pictures alone, and is known again."""
    session = Session()
    graph = session.open("glide/text_to_image")

    def calls(**inputs: object) -> int:
        before = session.shapes.calls
        assert not session.check(graph, Job(inputs, options=Options(cached=False))).diagnostics
        return session.shapes.calls - before

    assert calls() == 15
    assert calls() == 0
    assert calls(guidance=2.5) == 4  # guided, clipped, and both samplers of the menu
    assert calls(steps=20) == 3  # the schedule, and both samplers
    assert calls(seed=1) == 3  # both, and the upsampler's
    assert calls(count=3) == 7  # both, and what enlarges other shapes
