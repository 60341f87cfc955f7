"""`nodegraph stubs`: pyright, as strict as it is, takes a right program and finds each wrong name and type."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nodegraph
from nodegraph.cli import app
from nodegraph.library.annotations import Annotations
from nodegraph.library.port import TypeRef
from nodegraph.library.typerefs import parse_type
from nodegraph.session import registry
from nodegraph.stubs import MARK, graph_files, stubs_of

RIGHT = """
from pathlib import Path

import numpy as np

import nodegraph
from nodegraph import GraphError, finished, node
from nodegraph.session import Session

graph = nodegraph.load("glide/text_to_image", device="cpu")
result = graph(prompt="a red circle", steps="fast27", seed=3, guidance=4, preset="openai")
print(result.image.shape, result.to_pil()[0].size, graph.inputs["seed"].default)
nodegraph.load("glide/inpaint")(image="a.png", mask=np.zeros((4, 4)), steps=3)
nodegraph.load("glide/inpaint")(image=Path("a.png"), mask=result.image)
for inputs, cell in graph.each({"steps": 2}, seed=range(3)):
    print(inputs, cell.image.shape)
mine = nodegraph.load("mine/sums.yaml")
print(mine(n=2, list=[1, 2], w="x").total + 1, mine(n=1, w="y", many=[0.5, 1]).text.upper(), mine(n=1).drawn.shape)
print(nodegraph.load("upsampler")(model="shapes/glide/upsample", image="a.png").image.mean())
other = nodegraph.load(Path("other.yaml"), nodes=["n.py"])
print(other(a=3).anything, nodegraph.load("mine/faulty.yaml")(b=2).anything)
print(Session, GraphError, node, finished)
"""
WRONG = {
    'nodegraph.load("glide/text_to_imag")': "overload",
    'nodegraph.load("mine/notes.yaml")': "overload",
    'nodegraph.load("mine/sums.yaml", devic="cpu")': "overload",
    'nodegraph.load("glide/text_to_image")(promt="a")': '"promt"',
    'nodegraph.load("mine/sums.yaml")()': '"n"',
    'nodegraph.load("mine/sums.yaml")(n="3")': '"n"',
    'nodegraph.load("mine/sums.yaml")(n=3, w="z")': '"w"',
    'nodegraph.load("mine/sums.yaml")(n=3, many="0.5")': '"many"',
    'nodegraph.load("mine/sums.yaml")(n=3).totl': "totl",
    'nodegraph.load("mine/sums.yaml")(n=3).total.upper()': "upper",
    'nodegraph.load("mine/sums.yaml")("smal", n=3)': "smal",
    'nodegraph.load("glide/inpaint")(image=3, mask="m.png")': '"image"',
    'nodegraph.load("glide/text_to_image")(steps=1.5)': '"steps"',
}
SUMS = """graph: 1
inputs:
  n: {type: int}
  many: {type: "list[float]", default: [1, 2]}
  w: {type: str, menu: [x, y], default: x}
  class: {type: int, default: 1}
  list: {type: "list[int]", optional: true}
presets: {small: {n: 1}}
nodes: {a: {type: shapes_scene, caption: a red star}}
outputs: {total: $n, text: $w, drawn: $a, save: $n}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with graphs, and with what is none of them."""
    monkeypatch.chdir(tmp_path)
    files = {
        "mine/sums.yaml": SUMS,
        "mine/faulty.yaml": "graph: 1\nnodes: {a: {type: nothing_of_the_kind}}\noutputs: {a: $a}\n",
        "mine/notes.yaml": "- no\n- graph\n",
        "mine/parts/part.yaml": SUMS,
        ".hidden/hidden.yaml": SUMS,
        "environment/pyvenv.cfg": "",
        "environment/lib/inside.yaml": SUMS,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


def test_pyright_takes_what_is_right_and_finds_what_is_wrong(place: Path) -> None:
    assert CliRunner().invoke(app, ["stubs"]).stdout.split() == ["typings/nodegraph/__init__.pyi"]
    (place / "right.py").write_text(RIGHT, "utf-8")
    (place / "wrong.py").write_text("\n".join(["import nodegraph", *WRONG]), "utf-8")
    (place / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}', "utf-8")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    faults = json.loads(done.stdout)["generalDiagnostics"]
    found: dict[int, str] = {}
    for fault in faults:
        assert Path(fault["file"]).name == "wrong.py", fault
        line = fault["range"]["start"]["line"]
        found[line] = found.get(line, "") + fault["message"]
    for line, (code, word) in enumerate(WRONG.items(), 1):
        assert word in found.get(line, ""), (code, found.get(line))


def test_graphs_of_the_folder_are_found(place: Path) -> None:
    found = {path.relative_to(place).as_posix() for path in graph_files(place)}
    assert found == {"mine/sums.yaml", "mine/faulty.yaml", "mine/notes.yaml"}


def test_stubs_have_all_that_the_package_has() -> None:
    text = stubs_of(registry(), Path("/nowhere"))
    compile(text, "stubs", "exec")
    bound = set(re.findall(r"as (\w+)|^def (\w+)", text, re.MULTILINE))
    names = {name for pair in bound for name in pair}
    source = Path(nodegraph.__file__).read_text("utf-8")
    lazy = set(re.findall(r"import (\w+) as \1$", source, re.MULTILINE))
    assert {*nodegraph.__all__, *lazy} <= names
    assert len(lazy) >= 4
    for name in lazy:
        assert callable(getattr(nodegraph, name))


def test_a_file_of_others_is_left_alone(place: Path) -> None:
    path = place / "typings" / "nodegraph" / "__init__.pyi"
    path.parent.mkdir(parents=True)
    path.write_text("# mine\n", "utf-8")
    done = CliRunner().invoke(app, ["stubs"])
    assert done.exit_code == 1
    assert "left alone" in done.stderr
    assert path.read_text("utf-8") == "# mine\n"
    path.write_text(f"{MARK}\nold\n", "utf-8")
    assert CliRunner().invoke(app, ["stubs"]).exit_code == 0
    assert "class _MineSums(" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("kind", "value", "given"),
    [
        ("int", "int", "int"),
        ("list[float]", "list[float]", "_Sequence[float] | float"),
        ("Text", "_Text", "str | _Text"),
        ("Seed", "_Seed", "_Seed"),
        ("Steps", "_Steps", "int | str | _Steps"),
        ("Image", "_Image", "str | _PathLike[str] | _PIL.Image | _NDArray[_Any] | _Image"),
        ("UNet", "_UNet", "str | _PathLike[str] | _UNet"),
        ("Denoiser[Image]", "_Denoiser[_Image]", "_Denoiser[_Image]"),
        ("Unheard", "_Any", "_Any"),
    ],
)
def test_types_as_python_writes_them(kind: str, value: str, given: str) -> None:
    notes = Annotations(registry())
    assert notes.value(parse_type(kind)) == value
    assert notes.given(parse_type(kind)) == given


def test_a_union_is_one_in_python_too() -> None:
    notes, union = Annotations(registry()), TypeRef("|", (TypeRef("Image"), TypeRef("float")))
    assert notes.value(union) == "_Image | float"
    assert notes.imports == {"from nodes.wires.pictures import Image as _Image"}
