"""Cells that differ in rows alone run together, and nothing else is different for it."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import rowwise
import torch
from PIL import Image

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphWarning
from nodegraph.executors.share import shares_of
from nodegraph.groups import GROUP, groups_of, run_group
from nodegraph.language.axes import python_axes
from nodegraph.runtime.events import Cached, Event, Finished, Started
from nodegraph.session import Job
from nodegraph.sweep import Cell, Outcome, Sweep

TEXTS = [
    "a",
    "to",
    "the",
    "four",
    "fives",
    "sixsix",
    "sevenses",
    "eight ate",
    "nine, nine",
    "ten ten ten",
]
TOY = """graph: 1
inputs:
  text: {type: Text, default: x}
  size: {type: int, default: 8}
nodes:
  first: {type: drawn, text: $text, log: LOG}
  second: {type: darker, image: $first, log: LOG}
  third: {type: lighter, image: $second, log: LOG}
  last: {type: resize, image: $third, size: $size}
outputs: {image: $last, small: $second}
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NODEGRAPH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def toy(text: str = TOY, cached: bool = True) -> LoadedGraph:
    written = text.replace("LOG", str(Path("log").absolute()))
    return nodegraph.loads(written, nodes=[rowwise.__file__], cached=cached)


def log() -> list[str]:
    path = Path("log")
    found = path.read_text("utf-8").splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def sweep_of(loaded: LoadedGraph, inputs: dict[str, Any] | None = None, **axes: Any) -> Sweep:
    job = Job(inputs or {}, options=loaded.options)
    return Sweep(loaded.session, loaded.opened, job, python_axes(axes))


def told(sweep: Sweep) -> list[tuple[Cell, Event | Outcome]]:
    return [
        heard
        for share in shares_of(sweep)
        for heard in run_group(sweep.session, share.opened, share.cells)
    ]


def outcomes(found: list[tuple[Cell, Event | Outcome]]) -> dict[int, Outcome]:
    return {cell.number: event for cell, event in found if isinstance(event, Outcome)}


def test_nodes_of_rows_run_once_for_eight_cells_and_others_for_each() -> None:
    found = outcomes(told(sweep_of(toy(), text=TEXTS)))
    assert Counter(log()) == {
        "drawn 8": 1,
        "darker 8": 1,
        "lighter 1": 10,
        "drawn 2": 1,
        "darker 2": 1,
    }
    for number, text in enumerate(TEXTS):
        outputs = found[number].outputs
        assert outputs["image"].shape == (1, 3, 8, 8)
        torch.testing.assert_close(outputs["image"].mean(), torch.tensor(len(text) / 100))
        torch.testing.assert_close(outputs["small"], torch.full((1, 3, 4, 4), len(text) / 200))
        assert found[number].prepared is not None


def test_each_cell_is_kept_as_if_it_had_run_alone() -> None:
    told(sweep_of(toy(), text=TEXTS[2:7]))
    log()
    again = told(sweep_of(toy(), text=TEXTS[2:7]))
    assert not [event for _, event in again if isinstance(event, Started)]
    assert log() == []
    wider = told(sweep_of(toy(), text=TEXTS[:7]))
    assert Counter(log()) == {"drawn 2": 1, "darker 2": 1, "lighter 1": 2}
    assert {c.number for c, e in wider if isinstance(e, Cached)} == {2, 3, 4, 5, 6}
    toy()(text="eleven")
    assert log() == ["drawn 1", "darker 1", "lighter 1"]
    toy()(text=TEXTS[3])
    assert log() == []


def test_what_a_step_gives_is_kept_too_if_it_took_long() -> None:
    loaded = toy(
        TOY.replace("darker, image: $first", "darker, image: $slow").replace(
            "nodes:\n", "nodes:\n  slow: {type: waited, image: $first, log: LOG}\n"
        )
    )
    told(sweep_of(loaded, text=TEXTS[:3]))
    log()
    changed = sweep_of(
        toy(
            TOY.replace("darker, image: $first", "darker, image: $slow")
            .replace("nodes:\n", "nodes:\n  slow: {type: waited, image: $first, log: LOG}\n")
            .replace("$second, log", "$slow, log")
        ),
        text=TEXTS[:3],
    )
    assert len(outcomes(told(changed))) == 3
    assert "waited 3" not in log()


def test_groups_are_of_cells_that_differ_in_rows_alone_in_their_order() -> None:
    sweep = sweep_of(toy(), text=TEXTS, size=[4, 8])
    groups = [[cell.number for cell in group] for group in groups_of(sweep)]
    assert groups == [
        [0, 2, 4, 6, 8, 10, 12, 14],
        [1, 3, 5, 7, 9, 11, 13, 15],
        [16, 18],
        [17, 19],
    ]
    assert all(len(group) <= GROUP for group in groups)
    assert [len(g) for g in groups_of(sweep_of(toy(), size=[4, 8, 16]))] == [1, 1, 1]
    rows = toy().each(text=TEXTS, size=[4, 8]).table()
    assert [(row["cell"], row["text"], row["size"]) for row in rows] == [
        (2 * i + j, text, size) for i, text in enumerate(TEXTS) for j, size in enumerate((4, 8))
    ]


def test_too_little_memory_halves_the_group() -> None:
    texts = ["large", *TEXTS[:7]]
    found = outcomes(told(sweep_of(toy(cached=False), text=texts)))
    assert [line for line in log() if line.startswith("drawn")] == [
        "drawn 8",
        "drawn 4",
        "drawn 2",
        "drawn 2",
        "drawn 4",
    ]
    assert all(outcome.fault is None for outcome in found.values())


def test_a_cell_that_fails_or_is_warned_of_is_that_cell_alone() -> None:
    cells = toy(cached=False).each(text=["a", "bad", "to"])
    with pytest.warns(GraphWarning, match="cell 1 .*bad is no picture"):
        assert [inputs["text"] for inputs, _ in cells] == ["a", "to"]
    assert [row["status"] for row in cells.table()] == ["done", "failed", "done"]
    found = told(sweep_of(toy(cached=False), text=["three", "nothing", "four"]))
    said = [(cell.number, str(e.diagnostic)) for cell, e in found if hasattr(e, "diagnostic")]
    assert [number for number, _ in said] == [1]
    assert len(outcomes(found)) == 3
    log()
    found = told(sweep_of(toy(cached=False), text=["three", "a", "four"]))
    said = [(cell.number, str(e.diagnostic)) for cell, e in found if hasattr(e, "diagnostic")]
    assert said == [(1, "untitled.yaml:8:3: W401 node-warning: third (lighter): it is dark")]
    assert "drawn 3" in log()


NEAR = {"atol": 2e-3, "rtol": 1e-3}
"""Batches of another size add up in another order; the tiny networks have random weights."""
GRAPHS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("glide/text_to_image", "glide", {}, {"prompt": ["a red", "a blue star", "red"]}),
    ("glide/text_to_image", "glide", {"count": 2, "prompt": "a red"}, {"seed": [3, 5]}),
    ("glide/clip_guided", "glide", {}, {"prompt": ["a red", "blue"], "seed": [1, 2]}),
    ("glide/inpaint", "glide", {"image": 0, "mask": 0}, {"prompt": ["a red", "blue"]}),
    ("guidance/negative_prompt", "glide", {}, {"negative": ["red", "a blue"]}),
    ("guidance/clip_text", "glide", {"count": 2}, {"prompt": ["a red", "blue"]}),
    ("guidance/classifier", "adm", {}, {"label": [3, 5], "seed": [0, 7]}),
    ("unclip/text_to_image", "unclip", {}, {"prompt": ["a red", "blue"]}),
]


@pytest.fixture
def one_way_to_convolve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convolutions of any batch in the same order: with AVX-512 oneDNN chooses another for another size."""
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)


@pytest.mark.usefixtures("one_way_to_convolve")
@pytest.mark.parametrize(("name", "bundle", "inputs", "axes"), GRAPHS)
def test_shipped_graphs_give_each_cell_what_it_gives_alone(
    name: str,
    bundle: str,
    inputs: dict[str, Any],
    axes: dict[str, Any],
    bundles: Path,
) -> None:
    given = {n: {"image": picture(), "mask": mask()}.get(n, v) for n, v in inputs.items()}
    loaded = nodegraph.load(name, cached=False)
    few = {n: 2 for n in loaded.inputs if n.endswith("steps")}
    given |= {"models": str(bundles / bundle), **few}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GraphWarning)
        sweep = sweep_of(loaded, given, **axes)
        found = told(sweep)
        for number, outcome in outcomes(found).items():
            assert outcome.fault is None, outcome.fault
            alone = nodegraph.load(name, cached=False)(**given, **outcome.cell.values)
            for output, value in alone.outputs.items():
                if isinstance(value, torch.Tensor):
                    torch.testing.assert_close(outcome.outputs[output], value, **NEAR)
            assert number == outcome.cell.number
    many = Counter(e.node for _, e in found if isinstance(e, Finished))
    assert {node for node, times in many.items() if times > 1} <= {"sheet"}


def picture() -> Image.Image:
    return Image.new("RGB", (32, 32), (200, 30, 30))


def mask() -> torch.Tensor:
    return torch.cat([torch.ones(1, 1, 32, 16), torch.zeros(1, 1, 32, 16)], 3)


APART = """graph: 1
inputs:
  model: {type: UNet}
  seed: {type: Seed, default: 0}
nodes:
  told: {type: label, index: [LABELS]}
  cond: {type: unet_denoiser, model: $model, conditions: $told}
  plan: {type: noise_scheduler, model: $model, steps: 2}
  clipped: {type: clip_x0, denoiser: $cond}
  drawn: {type: ddim_sampler, denoiser: $clipped, schedule: $plan, seed: $seed}
outputs: {image: $drawn}
"""


def test_rows_that_all_cells_share_are_not_taken_for_rows_of_the_cells(bundles: Path) -> None:
    model = {"model": str(bundles / "adm" / "diffusion")}
    for labels, together in (("1", True), ("1, 2", False), ("1, 2, 3, 4", False)):
        loaded = nodegraph.loads(APART.replace("LABELS", labels), cached=False)
        found = told(sweep_of(loaded, model, seed=[5, 6]))
        calls = [e for _, e in found if isinstance(e, Finished) and e.node == "drawn"]
        assert len(calls) == (1 if together else 2)
        for outcome in outcomes(found).values():
            alone = loaded.session
            one = nodegraph.loads(APART.replace("LABELS", labels), cached=False)
            image = one(**model, **outcome.cell.values).image
            assert alone is not one.session
            torch.testing.assert_close(outcome.outputs["image"], image, **NEAR)
