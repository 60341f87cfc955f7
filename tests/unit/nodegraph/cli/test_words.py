"""What the command line says to somebody who mistypes: one message with the mend, and an exit code. In process."""

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

import nodegraph
from nodegraph.cli import app
from nodegraph.language.inputs import RESERVED, SINCE
from nodegraph.language.reading import read_graph
from nodegraph.library.port import TypeRef
from nodegraph.library.typerefs import fits
from nodegraph.options import Options
from nodegraph.session import registry

NUMBERS = "graph: 1\nnodes: {d: {type: points_dataset}}\noutputs: {d: $d}\n"
LONE = "graph: 1\ninputs: {token: {type: int, default: 1}, self: {type: int, default: 2}}\nnodes: {}\noutputs: {a: $token, b: $self}\n"
ASKS = """graph: 1
inputs:
  n: {type: int, min: 1, max: 9, help: How many.}
  l: {type: "list[int]", default: [1, 2]}
  m: {type: str, default: "[x", menu: ["[x", y]}
nodes: {}
outputs: {n: $n, l: $l, m: $m}
"""
USES = "graph: 1\ninputs: {n: {type: int, default: 1}}\nnodes: {g: {type: points_dataset}, s: {type: shapes_scene, caption: x, size: $n}}\noutputs: {s: $s, g: $g}\n"
T2I = "glide/text_to_image"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name, text in (
        ("numbers.yaml", NUMBERS),
        ("open.yaml", "graph: 1\nnodes: {a: {type: slerp\n"),
        ("asks.yaml", ASKS),
        ("uses.yaml", USES),
        ("afile", "hello"),
    ):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "latin.yaml").write_bytes(b"graph: \xff")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.yaml").write_text(NUMBERS, "utf-8")
    return tmp_path


def invoke(*arguments: str) -> Result:
    done = CliRunner().invoke(app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


USAGE = [
    ("", "Usage: nodegraph"),
    ("rnu", "Did you mean 'run'?"),
    ("models gte x", "Did you mean 'get'?"),
    ("run", "nodegraph run needs a graph"),
    ("run", "\n  glide/text_to_image\n"),
    ("plan", "nodegraph plan needs a graph"),
    (f"run {T2I} --promt x", "no input '--promt'; did you mean '--prompt'?"),
    (f"run {T2I} --quite", "did you mean '--quiet'?"),
    (f"plan {T2I} --quiet", "no input '--quiet'; did you mean '--set'?"),
    (f"run {T2I} --seed", "--seed needs a value: --seed VALUE"),
    (f"run {T2I} --prompt --seed 7", "--prompt needs a value, and --seed is an option; say --prompt="),
    (f"run {T2I} --prompt --out=x", "--prompt needs a value"),
    (f"run {T2I} --out", "requires an argument"),
    (f"run {T2I} --seed 1 --seed 2", "--seed stands twice; give it once"),
    (f"run {T2I} --seed=1 --seed=1", "--seed stands twice"),
    (f"run {T2I} --out a --out b", "--out stands twice; give it once"),
    (f"run {T2I} --prompt a circle", "'circle' is not an option; inputs are given as --name value; a value"),
    (f"run --seed 3 {T2I}", "the graph comes first"),
    ("check", "Missing argument"),
    ("fmt", "Missing argument"),
    ("check numbers.yaml --typs", "--types"),
    ("nodes nosuch", "no node type fits 'nosuch'; `nodegraph nodes` lists them"),
    ("nodes slrp", "did you mean 'slerp'?"),
    ("nodes --into Imag", "there is no port type 'Imag'; did you mean 'Image'?"),
    ("nodes --into list[Imag]", "there is no port type 'Imag'; did you mean 'Image'?"),
    ("nodes --into xyz", "there is no port type 'xyz'; there are: "),
    ("nodes --into list[", "a type name is missing"),
    ("run asks.yaml --n 3 --device=", "there is no device ''"),
    ("run asks.yaml --n 3 --precision=", "'' is not a precision; there are: "),
    ("nodes load_image --into Table", "'load_image' does not feed 'Table': it gives Image"),
    ("nodes nosuch --into Image", "no node type that feeds 'Image' fits 'nosuch'"),
    ("models get nosuch", "named 'nosuch'; `nodegraph models` lists them"),
    ("models get openai/glid", "did you mean 'openai/glide'?"),
    ("cache --clar", "--clear"),
]  # fmt: skip
FAILURES = [
    ("check full", "'full' is a folder; a graph is a file\n      = hint: there are: full/mine.yaml"),
    ("check afile", "E103"),
    ("check nosuch", "'nosuch' is neither a graph file nor a shipped graph\n      = hint: `nodegraph run`"),
    ("check nosuch.yaml", "nosuch.yaml cannot be read: No such file"),
    ("run glide/text_to_imag", "did you mean 'glide/text_to_image'?"),
    ("run asks.yaml --n 1.5", "input 'n' (--n): 1.5 is not a whole number"),
    ("run asks.yaml --n 12", "input 'n' (--n): 12 is out of range"),
    ("run asks.yaml --n 3 --l 1,x", "input 'l' (--l): 'x' is not a whole number"),
    ("run asks.yaml --n 3 --m z", "input 'm' (--m): 'z' is not on offer"),
    ("run asks.yaml", "the graph needs input 'n': int"),
    ("run uses.yaml --n 999", "input 'n' (--n): 999 is out of range"),
    ("run open.yaml --n 3", "what is opened in line 2 is not closed"),
    ("run open.yaml --help", "what is opened in line 2 is not closed"),
    (f"run {T2I} --preset opena", "did you mean 'openai'?"),
    (f"run {T2I} --models shapes/glid", "lists the catalogue; the nearest is 'shapes/glide'"),
    ("run glide/inpaint --image no.png --mask none.png", "'no.png'\nE403 bad-value: input 'mask' (--mask): there is no file 'none.png'"),
    ("run glide/inpaint --mask m.png", "hint: give --image (in Python: image=…)"),
    ("check asks.yml", "did you mean 'asks.yaml'?"),
    ("fix numbres.yaml", "did you mean 'numbers.yaml'?"),
    (f"run {T2I} --seed abc", "'abc' is not a"),
    (f"run {T2I} --guidance 99", "allowed 0 … 20"),
    ("run numbers", "did you mean 'numbers.yaml'?"),
    ("fmt open.yaml", "what is opened in line 2 is not closed"),
    ("fmt full", "full cannot be read: it is a folder"),
    ("fmt nosuch.yaml", "nosuch.yaml cannot be read: No such file"),
    ("fmt latin.yaml", "latin.yaml cannot be read: it is not UTF-8 text"),
    ("schema --out nofolder/x.json", "there is no folder nofolder; make it first"),
    ("schema --out full", "full cannot be written: Is a directory"),
    ("schema --out afile/x.json", "there is no folder afile"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "says"), USAGE)
def test_what_is_typed_wrong_is_explained(line: str, says: str, folder: Path) -> None:
    done = invoke(*line.split())
    assert (done.exit_code, says in done.output) == (2, True), done.output


@pytest.mark.parametrize(("line", "says"), FAILURES)
def test_what_cannot_be_done_is_explained(line: str, says: str, folder: Path) -> None:
    done = invoke(*line.split())
    assert (done.exit_code, says in done.output) == (1, True), done.output


@pytest.mark.parametrize("line", [100, 1234])
def test_a_line_is_told_by_its_number(line: int, folder: Path) -> None:
    """`:100:` between colons is no name of a picture."""
    text = "graph: 1\nnodes: {}\noutputs: {}\n" + "\n" * (line - 4) + "tite: x\n"
    (folder / "long.yaml").write_text(text, "utf-8")
    assert f"long.yaml:{line}:1: E101" in invoke("check", "--types", "long.yaml").output


def test_the_version_is_said() -> None:
    done = invoke("--version")
    assert (done.exit_code, done.output) == (0, "nodegraph 0.1.0\n")


def test_help_lists_the_shipped_graphs() -> None:
    assert "\n  variations/variations\n" in invoke("run", "--help").output


def test_help_shows_defaults_bounds_and_menus(folder: Path) -> None:
    lines = [line.split() for line in invoke("run", "asks.yaml", "--help").output.splitlines()]
    assert ["--n", "int", "required", "How", "many.", "(1", "…", "9)"] in lines
    assert ["--l", "list[int]", "[1,", "2]"] in lines
    assert ["--m", "str", "[x", "[x", "|", "y"] in lines


def test_no_input_hides_behind_an_option() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    options = {o for name in ("run", "plan") for p in commands[name].params for o in p.opts}
    named = {o.removeprefix("--").replace("-", "_") for o in options if o.startswith("--")}
    assert named | {"version"} <= RESERVED | SINCE.keys()


def test_a_value_may_begin_with_dashes(folder: Path) -> None:
    assert "--prompt" in invoke("run", T2I, "--prompt=--seed", "--help").output


def test_files_are_formatted_though_another_cannot_be(folder: Path) -> None:
    done = invoke("fmt", "open.yaml", "numbers.yaml", "nosuch.yaml")
    assert done.exit_code == 1
    assert "numbers.yaml: formatted" in done.output
    assert (folder / "numbers.yaml").read_text("utf-8") != NUMBERS
    assert "nosuch.yaml cannot be read" in done.output


def test_generic_nodes_come_last() -> None:
    known = registry()
    target = TypeRef("Image")
    names = [
        spec["name"] for spec in json.loads(invoke("nodes", "--into", "Image", "--json").stdout)
    ]
    made = [any(port.type == target for port in known.nodes[name].outputs) for name in names]
    assert made == sorted(made, reverse=True)
    assert {"load_image", "slerp", "resize"} <= set(names)
    assert all(
        any(fits(port.type, target, {}, known.widenings) for port in known.nodes[name].outputs)
        for name in names
    )


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"precision": "half"}, ValueError, "'half' is not a precision; there are: bfloat16, float16"),
        ({"precision": "float_32"}, ValueError, "did you mean 'float32'?"),
        ({"precision": 16}, ValueError, "'16' is not a precision"),
        ({"device": 0}, TypeError, "device is a text such as 'cpu' or 'cuda:1', not 0"),
        ({"device": "tpu"}, ValueError, "there is no device 'tpu' here"),
        ({"device": "cpu:7"}, ValueError, "there is no device 'cpu:7' here"),
        ({"device": "cuda:99"}, ValueError, "there is no device 'cuda:99' here"),
        ({"device": ""}, ValueError, "there is no device '' here"),
        ({"out": 3}, TypeError, "out is the path of a folder, not 3"),
        ({"out": None}, TypeError, "out is the path of a folder"),
        ({"cached": "no"}, TypeError, "cached is True or False, not 'no'"),
        ({"compile": 1}, TypeError, "compile is True or False, not 1"),
        ({"low_memory": "yes"}, TypeError, "low_memory is True or False, not 'yes'"),
        ({"readable": "pictures"}, TypeError, r"readable is a list of paths, such as \['pictures'\]"),
        ({"readable": [3]}, TypeError, "readable is a list of paths; 3 is none"),
        ({"readable": None}, TypeError, "readable is a list of paths"),
        ({"precison": "float32"}, TypeError, "no option 'precison'; did you mean 'precision'?"),
        ({"seed": 3}, TypeError, "no option 'seed'; there are: cache, cached, compile, device"),
    ],
)  # fmt: skip
def test_options_of_load_are_validated(
    options: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        nodegraph.load(T2I, **options)


def test_options_take_what_they_should(tmp_path: Path) -> None:
    Options("cpu", "bfloat16", str(tmp_path), False, [str(tmp_path), tmp_path])
    (tmp_path / "g.yaml").write_text(NUMBERS, "utf-8")
    loaded = nodegraph.load(tmp_path / "g.yaml", readable=[str(tmp_path)], out=os.fspath(tmp_path))
    assert tmp_path in loaded.session.engine(loaded.opened, loaded.options).context.sandbox.readable


def test_what_is_loaded_and_called_is_validated(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="a graph is the path of a file"):
        nodegraph.load(None)  # type: ignore[arg-type]
    (tmp_path / "g.yaml").write_text(LONE, "utf-8")
    graph = nodegraph.load(tmp_path / "g.yaml")
    assert graph(token=3, self=4).outputs == {"a": 3, "b": 4}
    with pytest.raises(TypeError, match="preset is a name, not 3"):
        graph(preset=3)  # type: ignore[arg-type]


QUOTE = [
    ("red: blue", "quote a text that has ': ' in it"),
    ('"a" and "b"', "quote a text that has quotes"),
    ("'it's'", "quote a text that has quotes"),
    ("[a] circle", "quote a text that has quotes or brackets"),
    ("*bold*", "quote a text that begins with '*'"),
    ("&x y", "quote the text, if it is one"),
    ("!wow hi", "quote the text, if it is one"),
    ("*bold", "quote the text, if it is one"),
    ("@home", "quote a text that begins with a special character"),
    ("- a", "quote the text, if it is one"),
    ("? what", "quote the text, if it is one"),
    ("> x", "quote the text, if it is one"),
    ("{a}", "quote the text, if it is one"),
    ("x:", "quote a text that has ': ' in it"),
]


@pytest.mark.parametrize(("text", "says"), QUOTE)
def test_a_text_that_yaml_takes_for_something_else_is_to_be_quoted(text: str, says: str) -> None:
    _, found = read_graph(
        f"graph: 1\nnodes:\n  a:\n    type: t\n    text: {text}\noutputs: {{a: $a}}\n", "g"
    )
    assert [says in str(fault.hint) for fault in found] == [True], found


@pytest.mark.parametrize("text", [text for text, _ in QUOTE if text != "*bold*"])
def test_so_it_is_inside_of_braces(text: str) -> None:
    _, found = read_graph(
        f"graph: 1\nnodes: {{a: {{type: t, text: {text}}}}}\noutputs: {{a: $a}}\n", "g"
    )
    assert ["quote" in str(fault.hint) or "quoted" in str(fault.hint) for fault in found] == [
        True
    ], found


def test_from_python_warnings_are_shown_where_the_graph_is_called(folder: Path) -> None:
    text = NUMBERS.replace("nodes: {d:", "nodes: {unused: {type: points_dataset}, d:")
    (folder / "unused.yaml").write_text(text, "utf-8")
    graph = nodegraph.load(folder / "unused.yaml", cached=False)
    with pytest.warns(
        nodegraph.GraphWarning, match="W101.*nothing depends on node 'unused'"
    ) as shown:
        graph()
    assert [Path(warning.filename).name for warning in shown] == ["test_words.py"]
