"""Sweeps: cells in one order from every surface, tables, contact sheets, failures that stop no other cell."""

import csv
import json
import warnings
from itertools import islice
from pathlib import Path

import library
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphError, GraphWarning
from nodegraph.cli import app
from nodegraph.language.axes import BadAxis, python_axes, written_axis
from nodegraph.language.many import Axis, cells
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.session import Job, Session
from nodegraph.sweep import MOST_CELLS, Outcome, Sweep

TEXT = """graph: 1
inputs:
  a: {type: int, default: 1}
  b: {type: int, default: 1, max: 50}
  w: {type: str, default: x}
  l: {type: "list[int]", default: [1]}
sweeps:
  both: {each: {a: [1, 2], b: 0..1}}
  pair: {each: {a+w: [[1, one], [2, two]]}}
nodes:
  s: {type: add, a: $a, b: $b}
  t: {type: total, items: $l}
outputs: {s: $s, t: $t, w: $w}
"""


def loaded(text: str = TEXT, folder: Path | None = None) -> LoadedGraph:
    session = Session(from_modules([library], code="sweep"))
    opened = session.open(SourceText("g.yaml", text, folder))
    return LoadedGraph(opened, session, Options(device="cpu", cached=False))


def table(text: str = TEXT, **axes: object) -> list[dict[str, object]]:
    return loaded(text).each(**axes).table()


def test_cells_are_every_combination_the_first_changing_slowest() -> None:
    rows = table(a=[1, 2], b=range(3))
    assert [(row["a"], row["b"], row["s"]) for row in rows] == [
        (a, b, a + b) for a in (1, 2) for b in range(3)
    ]
    assert [row["cell"] for row in rows] == list(range(6))
    assert {row["status"] for row in rows} == {"done"}


def test_python_gives_inputs_and_results_in_order() -> None:
    graph = loaded()
    found = graph.each({"b": 5}, a="3..1")
    assert len(found) == 3
    assert [(inputs["a"], result.s) for inputs, result in found] == [(3, 8), (2, 7), (1, 6)]
    assert repr(found) == "<3 cells: a (3)>"
    assert [r.t for _, r in graph.each(l=[[1, 2], [3]])] == [3, 3]
    assert [r.w for _, r in graph.each(**{"a+w": [(1, "one"), (2, "two")]})] == ["one", "two"]


def test_only_what_is_asked_for_runs() -> None:
    library.calls.clear()
    graph = loaded()
    inputs, result = next(islice(graph.each(a=[7, 8, 9]), 1))
    assert (inputs, result.s) == ({"a": 7}, 8)


@pytest.mark.parametrize(
    ("text", "axis"),
    [
        ("a=[1, 2]", Axis(("a",), (("1",), ("2",)), written=True)),
        ("w=['1, 2', b c]", Axis(("w",), (("1, 2",), ("b c",)), written=True)),
        ("l=[[1, 2], [3]]", Axis(("l",), (("[1, 2]",), ("[3]",)), written=True)),
        ("a=0..2", Axis(("a",), ((0,), (1,), (2,)))),
        ("a+w=[[1, x], [2, y]]", Axis(("a", "w"), (("1", "x"), ("2", "y")), written=True)),
    ],
)
def test_axes_as_a_command_line_says_them(text: str, axis: Axis) -> None:
    assert written_axis(text) == axis


def test_axes_out_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lines.txt").write_text("a red circle\n\na blue star, with a comma\n", "utf-8")
    Path("t.csv").write_text('seed,prompt\n1,"a, b"\n2,c\n', "utf-8-sig")
    Path("t.jsonl").write_text('{"a": 1, "w": "x"}\n\n{"a": 2, "w": "y", "z": 0}\n', "utf-8")
    Path("plain.jsonl").write_text("[1, 2]\n[3]\n", "utf-8")
    lines = written_axis("w=@lines.txt")
    assert lines.rows == (("a red circle",), ("a blue star, with a comma",))
    assert written_axis("prompt+seed=@t.csv").rows == (("a, b", "1"), ("c", "2"))
    assert written_axis("a+w=@t.jsonl") == Axis(("a", "w"), ((1, "x"), (2, "y")))
    assert written_axis("l=@plain.jsonl").rows == (([1, 2],), ([3],))


BAD = [
    ("a", "is no axis"),
    ("=[1]", "is no axis"),
    ("a+=[1]", "is no axis"),
    ("a=5", "are no values of 'a'"),
    ("a=[]", "has no values"),
    ("a=[1", "are no values"),
    ("a+b=[[1, 2], [3]]", "go together"),
    ("a=3..1 by 1", "does not lead"),
    ("a=@nothing.txt", "cannot be read"),
    ("a=@t.csv", "no column 'a'; there are: seed"),
    ("sede=@t.csv", "did you mean 'seed'?"),
    ("a+b=@lines.txt", "must be .csv or .jsonl"),
    ("a=@bad.jsonl", "bad.jsonl, line 2"),
    ("a=@no_a.jsonl", "there is no 'a'"),
    ("a=@latin.txt", "is not UTF-8"),
    ("a=@.", "cannot be read"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_axes_that_cannot_be_read(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("seed\n1\n", "utf-8")
    Path("lines.txt").write_text("a\n", "utf-8")
    Path("bad.jsonl").write_text("1\n{\n", "utf-8")
    Path("no_a.jsonl").write_text('{"b": 1}\n', "utf-8")
    Path("latin.txt").write_bytes(b"\xff\n")
    with pytest.raises(BadAxis) as error:
        written_axis(text)
    assert says in str(error.value)


def test_python_values_that_are_no_axis() -> None:
    with pytest.raises(BadAxis, match="5 is one"):
        python_axes({"a": 5})
    with pytest.raises(BadAxis, match="stands in two axes"):
        loaded().each(**{"a": [1], "a+b": [(1, 2)]})


def test_wrong_values_are_told_before_anything_runs() -> None:
    library.calls.clear()
    with pytest.raises(GraphError) as error:
        loaded().each(a=[1, "x", "y"], b=[99, 1])
    assert len(error.value.diagnostics) == 3
    assert library.calls == []
    with pytest.raises(GraphError, match="no input 'c'"):
        loaded().each(c=[1])


def test_a_failed_cell_is_a_row_and_stops_no_other(place: Path) -> None:
    found = nodegraph.load("p.yaml").each(
        caption=["a red circle", "three big circles", "a blue star"]
    )
    with pytest.warns(GraphWarning, match="cell 1 .* failed"):
        results = [inputs["caption"] for inputs, _ in found]
    assert results == ["a red circle", "a blue star"]
    rows = found.table()
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    assert str(rows[1]["message"]).startswith("E4")
    assert found.sheet().height > 3 * 32


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["run", *arguments], catch_exceptions=False)


PICTURES = """graph: 1
inputs:
  caption: {type: Text, default: a red circle}
  seed: {type: Seed, default: 0}
  size: {type: int, default: 32}
sweeps:
  seeds: {each: {caption: [a red circle, a blue star], seed: 0..2}}
nodes:
  scene: {type: shapes_scene, caption: $caption, seed: $seed, size: $size}
outputs: {image: $scene}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    Path("p.yaml").write_text(PICTURES, "utf-8")
    return tmp_path


def test_a_sweep_on_the_command_line_writes_pictures_a_table_and_a_sheet(place: Path) -> None:
    axes = ("--each", "caption=[a red circle, a blue star]", "--each", "seed=0..2")
    done = run("p.yaml", *axes, "--quiet")
    assert done.exit_code == 0, done.output
    with Path("out/p-sweep-001.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["caption"], r["seed"]) for r in rows] == [
        (c, s) for c in ("a red circle", "a blue star") for s in "012"
    ]
    assert [r["status"] for r in rows] == ["done"] * 6
    with Image.open("out/p-sheet-001.png") as sheet:
        assert sheet.width > 3 * 32
        assert sheet.height > 2 * 32
    picture = rows[4]["image"]
    again = nodegraph.load(picture, out="again")()
    made = nodegraph.load("p.yaml")(caption="a blue star", seed=1)
    assert (again.image == made.image).all()


def test_every_surface_has_the_same_cells(place: Path) -> None:
    named = json.loads(run("p.yaml", "--sweep", "seeds", "--json").stdout)
    axes = ("--each", "caption=[a red circle, a blue star]", "--each", "seed=0..2")
    written = json.loads(run("p.yaml", *axes, "--json").stdout)
    graph = nodegraph.load("p.yaml").each(caption=["a red circle", "a blue star"], seed=range(3))
    told = [
        [(str(r["caption"]), int(r["seed"])) for r in rows]
        for rows in (named["cells"], written["cells"], graph.table())
    ]
    assert told[0] == told[1] == told[2]
    with Image.open(named["sheet"][0]) as sheet:
        assert graph.sheet().size == sheet.size


def test_a_rerun_of_a_sweep_takes_what_is_there(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    opened = session.open("p.yaml")

    def swept(axes: list[Axis]) -> list[str]:
        sweep = Sweep(session, opened, Job(options=Options(device="cpu")), axes)
        names = []
        for cell in sweep.cells():
            names += [type(event).__name__ for event in sweep.run(cell)]
        return names

    first = swept([written_axis("seed=0..1")])
    again = swept([written_axis("seed=0..2")])
    assert (first.count("Finished"), first.count("Cached")) == (2, 0)
    assert (again.count("Finished"), again.count("Cached")) == (1, 2)
    assert again.count("Outcome") == 3


WRONG = [
    (("--each", "seed=5"), 2, "--each '5' are no values of 'seed'"),
    (("--each", "sede=0..3"), 1, "no input 'sede'"),
    (("--sweep", "seds"), 1, "did you mean 'seeds'?"),
    (("--each", "seed=0..99999"), 2, "100,000 cells; say --yes"),
    (("--each", "seed=0..3", "--each", "seed=[1]"), 2, "'seed' stands in two axes"),
    (("--each", "size=[32, x]"), 1, "input 'size' (--size): 'x' is not a whole number"),
    (("--input", "seed"), 2, "write NAME=VALUE"),
    (("--input", "sed=1"), 2, "did you mean 'seed'?"),
    (("--input", "seed=1", "--seed", "2"), 2, "--seed stands twice"),
    (("--set", "scene.size"), 1, "write NODE.PORT=VALUE"),
    (("--set", "seed=5"), 1, "or --seed for an input of the graph"),
    (("--set", "scen.size=64"), 1, "did you mean 'scene'?"),
    (("--set", "scene.sise=64"), 1, "no input 'sise'"),
    (("--set", "a/b.size=64"), 1, "inside a subgraph"),
    (("--until", "scen"), 1, "the graph has no node 'scen'"),
]


@pytest.mark.parametrize(("options", "code", "says"), WRONG)
def test_wrong_options_say_the_mend(
    place: Path, options: tuple[str, ...], code: int, says: str
) -> None:
    done = run("p.yaml", *options)
    assert (done.exit_code, says in " ".join(done.output.split())) == (code, True), done.output


def test_a_failing_cell_is_told_and_the_rest_is_done(place: Path) -> None:
    done = run(
        "p.yaml", "--each", "caption=[a red circle, three big circles, a blue star]", "--json"
    )
    assert done.exit_code == 1
    record = json.loads(done.stdout)
    assert [row["status"] for row in record["cells"]] == ["done", "failed", "done"]
    assert len(record["diagnostics"]) == 1
    assert len(list(Path("out").glob("p-image-*.png"))) == 2


def test_ports_are_set_from_outside_and_recorded(place: Path) -> None:
    assert run("p.yaml", "--set", "scene.size=48", "--quiet").exit_code == 0
    with Image.open("out/p-image-001.png") as picture:
        assert picture.size == (48, 48)
    with pytest.warns(GraphWarning, match="W102"):
        again = nodegraph.load("out/p-image-001.png")()
    assert again.image.shape[-1] == 48
    assert "48" not in Path("p.yaml").read_text("utf-8")


def test_a_run_stops_at_a_node(place: Path) -> None:
    text = PICTURES.replace(
        "outputs: {image: $scene}",
        "  half: {type: resize, image: $scene, size: 16}\noutputs: {image: $half}",
    )
    Path("p.yaml").write_text(text, "utf-8")
    done = run("p.yaml", "--until", "scene", "--json")
    record = json.loads(done.stdout)
    assert list(record["outputs"]) == ["scene"]
    assert record["nodes"]["half"]["status"] == "skipped"


def test_an_input_named_like_a_new_option_still_works(place: Path) -> None:
    text = (
        PICTURES.replace("seed:", "until:").replace("$seed", "$until").replace("seed: $", "seed: $")
    )
    text = text.replace("until: 0..2", "until: 0..2").replace("until: $until", "seed: $until")
    Path("p.yaml").write_text(text, "utf-8")
    done = run("p.yaml", "--input", "until=3", "--quiet")
    assert done.exit_code == 0, done.output
    assert "W106" in done.output
    with pytest.warns(GraphWarning, match="W106"):
        assert nodegraph.load("p.yaml")(until=3).image.shape == (1, 3, 32, 32)


def test_more_cells_than_anybody_means_are_asked_about() -> None:
    axes = [
        Axis(("a",), tuple((i,) for i in range(200))),
        Axis(("b",), tuple((i,) for i in range(100))),
    ]
    assert len(list(islice(cells(axes), MOST_CELLS + 1))) == MOST_CELLS + 1


def test_outcomes_are_rows() -> None:
    sweep = Sweep(Session(from_modules([library])), loaded().opened, Job(), [Axis(("a",), ((1,),))])
    last = [e for c in sweep.cells() for e in sweep.run(c, write=False)][-1]
    assert isinstance(last, Outcome)
    assert {**last.row(), "seconds": 0} == {
        "cell": 0,
        "a": 1,
        "s": 2,
        "t": 1,
        "w": "x",
        "status": "done",
        "seconds": 0,
        "message": "",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert table(a=[1])[0]["s"] == 2
