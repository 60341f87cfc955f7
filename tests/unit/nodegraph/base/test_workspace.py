"""Node files beside the libraries: read whole, named by their content, imported when they are needed, reloaded when edited."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage

import nodegraph
from nodegraph.base import workspace
from nodegraph.base.diagnostics import Diagnostic, GraphError, NodeFailed
from nodegraph.base.libraries import category_of
from nodegraph.base.node_files import ROOT, NodeFiles, from_json, importable
from nodegraph.base.workspace import NoNodes, Workspace
from nodegraph.build import of_files
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library import catalogue
from nodegraph.library.beside import with_node_files
from nodegraph.library.catalogue import to_json, told_by_child
from nodegraph.library.registry import Registry
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session, registry
from server.jobs.tasks import Asked, Check, done

NODE = '''
from nodegraph import node

@node
def {name}(a: int) -> int:
    """A node of somebody's own."""
    return a + {number}
'''
GRAPH = "graph: 1\nnodes: {{a: {{type: {}, a: 1}}}}\noutputs: {{a: $a}}\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def mine(name: str = "plus_some", number: int = 1, more: str = "") -> str:
    return NODE.format(name=name, number=number) + more


def read(*places: Path, folder: Path | None = None) -> tuple[NodeFiles, ...]:
    return Workspace(places, folder).read()[0]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The node files are read in this process, which spares tests the import of torch in a child; the names of those read."""
    told: list[str] = []

    def told_here(function: str, given: str = "") -> str:
        if function != "main_of_files":
            return told_by_child(function, given)
        files = from_json(given)
        told.append(files.place.name)
        return to_json(of_files(files, {}, str))

    monkeypatch.setattr(catalogue, "told_by_child", told_here)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    return told


def known(*places: Path, folder: Path | None = None) -> Registry:
    return registry(Workspace(places, folder))


def faults(found: Registry, node: str) -> tuple[Diagnostic, ...]:
    return compile_graph(SourceText("g.yaml", GRAPH.format(node)), found).diagnostics


def test_an_edited_file_is_seen_by_the_next_run_and_an_unchanged_one_is_not_read_again(
    tmp_path: Path, children: list[str]
) -> None:
    file = write(tmp_path / "my_nodes.py", mine())
    graph = nodegraph.load(write(tmp_path / "g.yaml", GRAPH.format("plus_some")), nodes=[file])
    assert graph().a == graph().a == 2
    assert children == ["my_nodes.py"]
    for number in (2, 3, 1):
        write(file, mine(number=number))
        assert graph.check() == ()
        assert graph().a == 1 + number
    assert children == ["my_nodes.py"] * 3, "what it was first is still known"
    write(file, mine("renamed"))
    with pytest.raises(GraphError, match="there is no node type 'plus_some'"):
        graph()


def test_nothing_is_shadowed_and_nothing_written_beside(
    tmp_path: Path, children: list[str]
) -> None:
    for name in ("torch.py", "nodes.py", "json.py", "my-own.nodes.py"):
        file = write(tmp_path / name, mine(f"of_{name[:2]}"))
        graph = write(tmp_path / "g.yaml", GRAPH.format(f"of_{name[:2]}"))
        assert nodegraph.load(graph, nodes=[file])().a == 2
        assert known(file).nodes[f"of_{name[:2]}"].category == name.removesuffix(".py").replace(
            "-", "_"
        ).replace(".", "_")
    assert json.__file__ != str(tmp_path / "json.py")
    assert not hasattr(sys.modules["nodes"], "of_no")
    assert not list(tmp_path.rglob("*.pyc"))


def test_keys_depend_on_the_file_and_on_those_beside_it_in_a_folder(
    tmp_path: Path, children: list[str]
) -> None:
    folder = tmp_path / "mine"
    write(folder / "helper.py", "NUMBER = 1\n")
    more = (
        "\nfrom .helper import NUMBER\n\n@node\ndef plus(a: int) -> int:\n    return a + NUMBER\n"
    )
    write(folder / "dim.py", mine(more=more))
    graph = nodegraph.load(write(tmp_path / "g.yaml", GRAPH.format("plus")), nodes=[folder])
    assert graph().a == 2
    before = known(folder).nodes["plus"].code
    write(folder / "helper.py", "NUMBER = 5\n")
    assert graph().a == 6
    assert known(folder).nodes["plus"].code != before
    assert known(folder).nodes["plus"].category == "dim"
    write(folder / "notes.txt", "nothing")
    write(tmp_path / "other.py", "")
    assert read(folder)[0].digest == known(folder).nodes["plus"].code.partition("-")[2]


def test_the_same_files_elsewhere_have_the_same_name(tmp_path: Path) -> None:
    one, other = (write(tmp_path / place / "a.py", mine()) for place in "xy")
    assert read(one)[0].package == read(other)[0].package


def test_a_file_in_a_folder_that_is_named_too_is_read_once(tmp_path: Path) -> None:
    file = write(tmp_path / "nodes" / "a.py", mine())
    found = read(file, file.parent, folder=tmp_path)
    assert [files.place for files in found] == [file.parent]


def test_the_folder_nodes_of_the_workspace_is_read(tmp_path: Path, children: list[str]) -> None:
    assert read(folder=tmp_path) == ()
    write(tmp_path / "nodes" / "notes.py", "no = 'node'\n")
    assert read(folder=tmp_path) == ()
    write(tmp_path / "nodes" / "mine.py", mine("of_workspace"))
    write(tmp_path / "nodes" / "notes.py", "raise SystemExit\n")
    assert faults(known(folder=tmp_path), "of_workspace") == ()
    assert children == ["nodes"]
    assert known(folder=tmp_path).complaints() == []


def test_the_folder_of_a_library_is_no_workspace() -> None:
    import nodes

    place = Path(nodes.__file__).parent
    assert read(folder=place.parent) == ()


def test_a_workspace_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    write(tmp_path / "nodes" / "huge.py", "#" * (2**20 + 1))
    (complaint,) = known(folder=tmp_path).complaints()
    assert complaint.startswith("nodes cannot be read: huge.py is larger than 1 MiB; what")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners")
def test_a_workspace_of_another_user_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[str]
) -> None:
    write(tmp_path / "nodes" / "mine.py", mine("planted"))
    monkeypatch.setattr(os, "getuid", lambda: -1)
    (first,) = faults(known(folder=tmp_path), "planted")
    assert "nodes, which has it, cannot be read: it belongs to another user" in first.message
    assert children == []
    assert faults(known(tmp_path / "nodes", folder=tmp_path), "planted") == ()


def test_neither_a_graph_nor_its_folder_brings_nodes_along(
    tmp_path: Path, children: list[str]
) -> None:
    write(tmp_path / "nodes" / "mine.py", mine())
    graph = write(tmp_path / "g.yaml", GRAPH.format("plus_some"))
    with pytest.raises(GraphError, match="there is no node type 'plus_some'"):
        nodegraph.load(graph)()
    assert children == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent.py", "No such file"),
        ("notes.txt", "called \\*\\.py"),
        ("empty", "declares a node"),
        ("huge.py", "larger than"),
    ],
)
def test_what_is_named_must_be_there(tmp_path: Path, name: str, why: str) -> None:
    write(tmp_path / "notes.txt", "")
    write(tmp_path / "huge.py", "#" * (2**20 + 1))
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoNodes, match=why):
        read(tmp_path / name)


BROKEN = {
    "says_nothing": (mine("says_nothing", more="def x(:\n"), "SyntaxError: invalid syntax (b.py,"),
    "stopping": (mine("stopping", more="raise SystemExit('no')\n"), "SystemExit: no (b.py, line 8"),
    "needy": (
        mine("needy", more="from .no import x\n"),
        "ModuleNotFoundError: No module named 'no'",
    ),
    "untyped": (
        mine(more="@node\ndef untyped(a) -> int: ...\n"),
        "parameter 'a' of node 'untyped'",
    ),
    "mistyped": (
        mine("mistyped", more="PORT_TYPES = 3\n"),
        "TypeError: 'int' object is not iterable",
    ),
    "defaulted": (
        mine(more="@node\ndef defaulted(a: int = object()) -> int: ...\n"),
        "the default of 'a' is no plain value",
    ),
    "turned": (
        mine(
            more="from nodegraph import PortType\n"
            "PORT_TYPES = {complex: PortType('Image', 'Something else.')}\n\n"
            "@node\ndef turned(a: complex) -> int: ...\n"
        ),
        "its port type 'Image' is another than the one of nodes.wires.pictures",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_warning_and_an_error_where_it_is_named(
    name: str, tmp_path: Path, children: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, reason = BROKEN[name]
    found = known(write(tmp_path / "b.py", text))
    (complaint,) = found.complaints()
    assert complaint.startswith("b.py") and complaint.endswith(
        "; what it holds is missing until it is mended"
    )
    assert ROOT not in complaint
    (first,) = faults(found, name)
    assert first.code == "E202" and reason in first.message
    assert first.hint == "mend that file"
    assert faults(found, "seed_of_nothing")[0].code == "E202"
    assert compile_graph(found.graphs["guidance/classifier"], found).diagnostics == ()
    assert known(tmp_path / "b.py") is found
    monkeypatch.syspath_prepend(tmp_path)  # as if something had been installed
    assert known(tmp_path / "b.py").complaints() == [complaint]
    again = 1 if name == "turned" else 2
    assert children == ["b.py"] * again, "what makes it readable need not lie in the file"


def test_a_file_without_nodes_says_so(tmp_path: Path, children: list[str]) -> None:
    (complaint,) = known(write(tmp_path / "b.py", "x = 1\n")).complaints()
    assert complaint.startswith("b.py cannot be read: no function in it has @node above it")


@pytest.mark.parametrize("name", ["slerp", "upsampler"])
def test_a_name_that_is_taken_stands_for_neither(
    name: str, tmp_path: Path, children: list[str]
) -> None:
    found = known(write(tmp_path / "b.py", mine(name, more=mine("other"))))
    (first,) = faults(found, name)
    assert first.code == "E211"
    assert f"b.py:{name}; rename one of them" in first.message
    assert faults(found, "other") == ()
    assert name not in found.composites and "glide/text_to_image" in found.graphs


COLOURS = """
from pathlib import Path
from typing import Annotated

from nodegraph import PortType, node

def _dumped(value, folder): (folder / "tone").write_text(str(value.hertz))
def _loaded(folder): return Tone(float((folder / "tone").read_text()))
def _checked(value): return None if value.hertz > 0 else "of more than 0 Hz"

class Tone:
    def __init__(self, hertz): self.hertz = hertz

PORT_TYPES = {Tone: PortType("Tone", "A tone.", dump=_dumped, load=_loaded, check=_checked)}
"""
TONES = """
import time
from .tones import Tone
from nodegraph import node

def _shape(a: int) -> Tone:
    return Tone(1.0)

@node(abstract=_shape)
def tone(a: int) -> Tone:
    time.sleep(0.06)
    return Tone(float(a))

@node
def hertz(tone: Tone) -> float:
    return tone.hertz
"""
TONE_GRAPH = """graph: 1
inputs: {a: {type: int, default: 440}}
nodes: {t: {type: tone, a: $a}, h: {type: hertz, tone: $t}}
outputs: {h: $h}
"""


def test_own_types_are_checked_and_kept_on_disk(tmp_path: Path, children: list[str]) -> None:
    write(tmp_path / "sounds" / "tones.py", COLOURS)
    write(tmp_path / "sounds" / "nodes.py", TONES)
    graph = write(tmp_path / "g.yaml", TONE_GRAPH)
    folder = tmp_path / "sounds"
    assert nodegraph.load(graph, nodes=[folder])().h == 440.0
    again = nodegraph.load(graph, nodes=folder)
    prepared = again.session.prepare(again.opened, Job(options=again.options))
    assert all(prepared.engine.cache.where(key) == "disk" for key in prepared.keyed.keys)
    with pytest.raises(NodeFailed, match="promised Tone, of more than 0 Hz, and gave Tone"):
        again(a=0)
    assert [port.name for port in known(folder).ports.values() if port.home.startswith(ROOT)] == [
        "Tone"
    ]


def test_an_error_points_to_the_line_of_the_file(tmp_path: Path, children: list[str]) -> None:
    fails = "\n@node\ndef failing(a: int) -> int:\n    return a // 0\n"
    file = write(tmp_path / "b.py", mine(more=fails))
    graph = write(tmp_path / "g.yaml", GRAPH.format("failing"))
    with pytest.raises(GraphError) as caught:
        nodegraph.load(graph, nodes=[file], cached=False)()
    assert caught.value.diagnostics[0].raised == f"{file}:{len(file.read_text().splitlines())}"


PICTURE = """
import torch
from nodes.wires.pictures import Image
from nodegraph import node

@node
def plain(size: int) -> Image:
    return torch.zeros(1, 3, size, size)
"""


def test_a_picture_says_which_file_its_nodes_were_in_and_never_brings_it(
    tmp_path: Path, children: list[str]
) -> None:
    file = write(tmp_path / "nodes" / "plain.py", PICTURE)
    text = "graph: 1\nnodes: {a: {type: plain, size: 8}}\noutputs: {a: $a}\n"
    graph = nodegraph.load(write(tmp_path / "g.yaml", text), nodes=[file], out=tmp_path / "out")
    prepared = graph.session.prepare(graph.opened, Job(options=graph.options))
    *_, last = graph.session.run(prepared)
    graph.session.write(prepared, last.outputs)
    (picture,) = (tmp_path / "out").glob("*.png")
    record = json.loads(PillowImage.open(picture).text["nodegraph"])  # type: ignore[attr-defined]
    assert record["node_files"] == {"plain": "plain.py"}
    with pytest.raises(GraphError) as caught:
        nodegraph.load(picture)()
    (fault,) = caught.value.diagnostics
    assert fault.message == "there is no node type 'plain': it was in the node file 'plain.py'"
    assert fault.hint == "give that file: --nodes plain.py"
    assert nodegraph.load(picture, nodes=[file])().a.shape == (1, 3, 8, 8)


def test_files_are_imported_from_what_was_read_though_they_are_gone(tmp_path: Path) -> None:
    (files,) = read(write(tmp_path / "b.py", mine()))
    assert from_json(files.to_json()) == files
    files.place.unlink()
    importable(files)
    assert not any(name.startswith(files.package) for name in sys.modules)
    found = of_files(files, {}, str)
    assert found.function(found.nodes["plus_some"])(a=1) == 2


def test_a_file_that_ends_the_process_is_left_out(tmp_path: Path) -> None:
    (files,) = read(write(tmp_path / "b.py", mine("deadly")))
    found = of_files(files, {files.package: "Python ended with code 3"}, str)
    assert [(b.place, b.reason, b.names) for b in found.broken] == [
        ("b.py", "Python ended with code 3", ("deadly",))
    ]


def test_the_category_of_a_module_that_is_a_whole_library_is_its_own_name() -> None:
    assert category_of("a.b", "a.b") == "b"
    assert category_of("a.b.c.d", "a.b") == "c/d"


def test_nothing_is_read_again_for_a_session_without_node_files() -> None:
    session = Session()
    assert session.fresh() is session
    assert with_node_files(session.registry, ()).nodes == session.registry.nodes


LISTED = """
import sys
from pathlib import Path
from nodegraph.base.workspace import Workspace
from nodegraph.session import registry

assert "plus_some" in registry(Workspace((Path("my_nodes.py"),))).nodes
print([name for name in sys.modules if name.startswith(("nodegraph_workspace", "torch"))])
"""


def test_the_command_line_reads_node_files_in_a_child_and_once(tmp_path: Path) -> None:
    def child(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-P", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    cache = os.environ.get("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    environment = {**os.environ, "NODEGRAPH_CACHE": cache}
    write(tmp_path / "g.yaml", GRAPH.format("plus_some"))
    write(tmp_path / "my_nodes.py", "print('hello')\n" + mine(number=41))
    write(tmp_path / "nodes" / "lethal.py", "import os\nos._exit(3)\n" + mine("deadly"))
    twice = ("--nodes", "my_nodes.py", "--nodes", "my_nodes.py")
    done = child("-m", "nodegraph", "run", "g.yaml", "--quiet", *twice)
    assert done.stdout.splitlines()[-1] == "a: 42", done.stderr
    assert "nodes/lethal.py cannot be read: Python ended with code 3" in done.stderr
    assert child("-c", LISTED).stdout == "[]\n", "what is known costs no import"


def test_a_node_that_nobody_knows_may_be_in_a_file(tmp_path: Path) -> None:
    (fault,) = faults(registry(), "unheard_of_by_anybody")
    assert fault.hint is not None and "--nodes FILE.py" in fault.hint


def test_a_server_sees_an_edited_file(tmp_path: Path, children: list[str]) -> None:
    file = write(tmp_path / "b.py", mine())
    session = Session(workspace=Workspace((file,)))
    asked = Asked(Recorded(SourceText("g.yaml", GRAPH.format("later"))), Job())

    def checked() -> list[dict[str, Any]]:
        (told,) = done(session, Check(asked), CancelToken())
        return told["diagnostics"]

    assert [fault["code"] for fault in checked()] == ["E202"]
    write(file, mine("later"))
    assert checked() == []
    file.unlink()
    assert "b.py' cannot be read: No such file" in checked()[0]["message"]


def test_a_folder_of_nodes_in_an_installed_package_is_no_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, children: list[str]
) -> None:
    write(tmp_path / "here_installed" / "__init__.py", "")
    write(tmp_path / "here_installed" / "nodes" / "mine.py", mine())
    assert len(read(folder=tmp_path / "here_installed")) == 1
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(workspace, "libraries", lambda group: ["here_installed.nodes"])
    assert read(folder=tmp_path / "here_installed") == ()
