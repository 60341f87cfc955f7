"""Libraries of nodes as other people install them: found by entry points, named where they are broken."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import library
import pytest

from nodegraph.base.diagnostics import Diagnostic, GraphError
from nodegraph.base.libraries import (
    GRAPH_GROUP,
    Broken,
    graph_files,
    homes,
    libraries,
    module_names,
    sources_digest,
)
from nodegraph.build import build, declared
from nodegraph.build import library as read_library
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library.catalogue import CATALOGUES, from_json, keep, to_json
from nodegraph.library.registry import Registry, from_modules, merged
from nodegraph.models.catalogue import listings
from nodegraph.session import find_graph

SOURCE = '''
from nodegraph import node

@node(category="mine")
def {name}(a: int) -> int:
    """A node of somebody's own."""
    return a + {number}
'''
GRAPH = "graph: 1\nnodes: {{a: {{type: {}, a: 1}}}}\noutputs: {{a: $a}}\n"


def install(folder: Path, module: str, source: str, points: str = "") -> None:
    """A distribution of one module, registered under the same entry-point name as the shipped library."""
    (folder / f"{module}.py").write_text(source, "utf-8")
    register(folder, module, points or f"[nodegraph.nodes]\nnodes = {module}\n")


def register(folder: Path, name: str, points: str) -> None:
    meta = folder / f"{name}-1.0.dist-info"
    meta.mkdir(exist_ok=True)
    (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
    (meta / "entry_points.txt").write_text(points, "utf-8")


def mine(name: str, number: int = 1, more: str = "") -> str:
    return SOURCE.format(name=name, number=number) + more


def nodegraph(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "NODEGRAPH_CACHE": str(folder / "cache")}
    command = [sys.executable, "-P", "-m", "nodegraph", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_module_of_nodes_is_found_and_its_edits_are_seen(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH.format("plus_some"), "utf-8")
    for number in (1, 41):
        install(tmp_path, "my_nodes", "print('hello')\n" + mine("plus_some", number))
        done = nodegraph(tmp_path, "run", "g.yaml", "--quiet")
        assert done.stdout.splitlines()[-1] == f"a: {1 + number}", done.stderr
    install(tmp_path, "lethal", "import os\nos._exit(3)\n" + mine("deadly"))
    done = nodegraph(tmp_path, "run", "g.yaml", "--quiet")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "a: 42"
    assert "lethal cannot be read: Python ended with code 3" in done.stderr
    (tmp_path / "h.yaml").write_text(GRAPH.format("deadly"), "utf-8")
    done = nodegraph(tmp_path, "check", "h.yaml")
    assert done.returncode == 1
    assert "no node type 'deadly': lethal, which has it, cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


NUMBER = """
from nodegraph import PortType
PORT_TYPES = {complex: PortType("Image", "Something else of that name.")}

@node(category="mine")
def turned(a: complex) -> int:
    return 0
"""
BROKEN = {
    "absent_need": mine("uses_absent", more="import not_there\n"),
    "not_python": mine("says_nothing", more="def x(:\n"),
    "stops": mine("stopping", more="raise SystemExit('no licence')\n"),
    "deeper": mine("dividing", more="def at_once():\n    return 1 / 0\nat_once()\n"),
    "half_bad": mine("good_one", more="@node(category='x')\ndef bad_one(a): ...\n"),
    "same_name": mine("slerp"),
    "same_composite": mine("upsampler"),
    "other_image": mine("fine_one", more=NUMBER),
}
SAYS = {
    "uses_absent": (
        "E202",
        "absent_need, which has it, cannot be read: ModuleNotFoundError: No mod",
    ),
    "says_nothing": ("E202", "not_python, which has it, cannot be read: SyntaxError:"),
    "stopping": ("E202", "stops, which has it, cannot be read: SystemExit: no licence"),
    "dividing": ("E202", "ZeroDivisionError: division by zero (deeper.py, line 9)"),
    "bad_one": (
        "E202",
        "half_bad:bad_one, which has it, cannot be read: SignatureError: parameter",
    ),
    "slerp": (
        "E211",
        "'slerp' is defined twice: nodes.library.embeddings:slerp and same_name:slerp",
    ),
    "upsampler": ("E211", "'upsampler' is defined twice: same_composite:upsampler and "),
    "turned": ("E202", "its port type 'Image' is another than the one of nodes."),
    "wrong_graph": ("E202", "wrong_graph.yaml, which has it, cannot be read: "),
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Everything that is installed beside eight broken libraries, one that is not there, and a package of graphs."""
    folder = tmp_path_factory.mktemp("broken")
    for name, source in BROKEN.items():
        install(folder, name, source)
    composites = folder / "my_graphs" / "composites"
    composites.mkdir(parents=True)
    (composites.parent / "__init__.py").touch()
    (composites / "wrong_graph.yaml").write_text(GRAPH.format("no_such_node"), "utf-8")
    (composites.parent / "glide").mkdir()
    (composites.parent / "glide" / "text_to_image.yaml").write_text(GRAPH.format("lerp"), "utf-8")
    lines = (
        "[nodegraph.nodes]\nnodes = not_installed\n",
        "[nodegraph.graphs]\nmine = my_graphs\nnone = no_graphs.at_all\n",
        "[nodegraph.models]\na = absent_need:listing\nb = my_graphs:listing\n",
    )
    register(folder, "my_graphs", "\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("NODEGRAPH_CACHE", str(folder / "cache"))
        registry = build({}, str)
        found = graph_files(libraries(GRAPH_GROUP))
        clashes = {**registry.clashes, **found.clashes}
        yield Registry(
            registry.nodes,
            registry.ports,
            found.graphs,
            {n: p for n, p in found.composites.items() if n not in clashes},
            broken=(*registry.broken, *found.broken),
            clashes=clashes,
        )
        for name in BROKEN:
            sys.modules.pop(name, None)


def faults(registry: Registry, node: str) -> tuple[Diagnostic, ...]:
    return compile_graph(SourceText("g.yaml", GRAPH.format(node)), registry).diagnostics


@pytest.mark.parametrize(("name", "says"), SAYS.items())
def test_what_is_broken_is_an_error_where_it_is_named(
    name: str, says: tuple[str, str], broken: Registry
) -> None:
    if name == "wrong_graph":
        broken = Registry(broken.nodes, broken.ports, broken=broken.broken)
    first, *_ = faults(broken, name)
    assert (first.code, says[1] in first.message) == (says[0], True), first
    assert first.span is not None


def test_what_is_broken_stops_nothing_else(broken: Registry) -> None:
    assert faults(broken, "good_one") == faults(broken, "fine_one") == ()
    assert compile_graph(broken.graphs["guidance/classifier"], broken).diagnostics == ()
    with pytest.raises(GraphError, match=r"E211.*'glide/text_to_image' is defined twice"):
        find_graph("glide/text_to_image", broken)


def test_a_name_that_nobody_has_may_be_of_a_broken_library(broken: Registry) -> None:
    (first,) = faults(broken, "lerq")
    assert str(first.hint).startswith("did you mean 'lerp'? or is it of a library")
    assert "not_installed cannot be read: the package 'not_installed'" in str(first.hint)


def test_everything_that_is_broken_is_said(broken: Registry) -> None:
    told = "\n".join(broken.complaints())
    for name in (*(set(BROKEN) - {"half_bad", "same_name"}), "'slerp'", "no_graphs.at_all"):
        assert name in told
    assert all("\n" not in line for line in broken.complaints())


def test_a_catalogue_of_models_that_cannot_be_read_leaves_the_others(broken: Registry) -> None:
    rows, unread = listings()
    assert "shapes/glide" in {row.name for row in rows}
    assert [str(found).partition("cannot")[2] for found in unread] == [
        " be read: ModuleNotFoundError: No module named 'not_there'",
        " be read: AttributeError: module 'my_graphs' has no attribute 'listing'",
    ]


KINDS = """
from typing import Annotated
from nodegraph import PortType

class Tone: ...

PORT_TYPES = {Tone: PortType("Tone", "A sound.", describe=lambda value: "la")}
Loudness = Annotated[float, PortType("Loudness", "In decibels.")]
"""
SOUNDS = """
from typing import Annotated, NamedTuple
from my_types.kinds import Loudness, Tone
from nodegraph import PortType, node

class Echo:
    __port__ = PortType("Echo")

Room = Annotated[str, PortType("Room")]

class Both(NamedTuple):
    tone: Tone
    echo: Echo

@node(category="sounds")
def echoed(tone: Tone | None, room: Room, by: Loudness = 1.0) -> Both: ...
"""


@pytest.fixture
def sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A library of nodes, and one of the port types that it uses."""
    (tmp_path / "my_types").mkdir()
    (tmp_path / "my_types" / "__init__.py").touch()
    (tmp_path / "my_types" / "kinds.py").write_text(KINDS, "utf-8")
    (tmp_path / "my_types" / "wrong.py").write_text("import not_there\n", "utf-8")
    points = "[nodegraph.nodes]\nmine = my_sounds\n[nodegraph.types]\nmine = my_types\n"
    install(tmp_path, "my_sounds", SOUNDS, points)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


@pytest.mark.usefixtures("sounds")
def test_port_types_are_declared_by_an_entry_point() -> None:
    known, classes = declared({}, str)
    assert [str(found) for found in known.broken] == [
        "my_types.wrong cannot be read: ModuleNotFoundError: No module named 'not_there' (wrong.py, line 1)"
    ]
    found = merged(known, read_library("my_sounds", classes))
    assert [str(port.type) for port in found.nodes["echoed"].inputs] == ["Tone", "Room", "Loudness"]
    homes_of = {name: found.ports[name].home for name in ("Tone", "Loudness", "Room", "Echo")}
    kinds, own = "my_types.kinds", "my_sounds"
    assert homes_of == {"Tone": kinds, "Loudness": kinds, "Room": own, "Echo": own}
    later = Registry(found.nodes, found.ports)
    assert later.port_type("Tone").carrier.__name__ == "Tone"  # type: ignore[union-attr]
    assert set(later.loaded) == {"Tone", "Loudness"}
    assert {later.port_type(name).carrier for name in ("Room", "Loudness")} == {str, float}  # type: ignore[union-attr]
    assert later.port_type("Echo") is not None


@pytest.mark.usefixtures("sounds")
def test_a_library_of_port_types_that_ends_the_process_is_left_out() -> None:
    known, classes = declared({"my_types": "it ended"}, str)
    assert str(known.broken[0]) == "my_types cannot be read: it ended"
    found = merged(known, read_library("my_sounds", classes))
    assert "Tone" not in found.ports and "echoed" not in found.nodes


def test_the_digest_of_a_module_is_that_of_its_source() -> None:
    assert sources_digest(["library"], ()) != sources_digest([], ())


def test_the_digest_of_sources_knows_their_places(sounds: Path) -> None:
    def digest() -> str:
        return sources_digest(["my_types"], ())

    seen = [digest()]
    for place in ("deep/kinds.py", "deep/deeper/kinds.py", "deeper/kinds.py", "kinds.py"):
        old = next((sounds / "my_types").rglob("kinds.py"))
        new = sounds / "my_types" / place
        new.parent.mkdir(parents=True, exist_ok=True)
        old.rename(new)
        seen.append(digest())
    assert len(set(seen)) == 4 and seen[0] == seen[-1]
    old.parent.joinpath("more.py").write_text("", "utf-8")
    assert digest() not in seen


def test_the_digest_of_graphs_knows_their_places(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(GRAPH.format("add"), "utf-8")
    places = ("g", "composites/g", "deep/composites/g")
    assert len({sources_digest([], [(place, path)]) for place in places}) == 3


def test_the_digest_of_sources_is_also_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(str(path)) or b"")
    sources_digest([], ())
    assert {Path(path).parent.name for path in read} >= {"nodegraph", "cli"}


@pytest.mark.usefixtures("sounds")
def test_the_homes_of_nodes_are_read_without_importing_them() -> None:
    assert homes("my_sounds") == {"echoed": "my_sounds"}
    assert "my_sounds" not in sys.modules


def test_modules_in_packages_inside_are_read_if_their_text_declares_nodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = tmp_path / "deep_library" / "looks"
    inside.mkdir(parents=True)
    text = "from nodegraph import node\n\n\n@node\ndef shine(a: int) -> int:\n    return a\n"
    (inside / "bright.py").write_text(text, "utf-8")
    (inside / "test_bright.py").write_text("raise SystemExit('not to be imported')\n", "utf-8")
    for package in (inside, inside.parent):
        (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert module_names("deep_library") == ["deep_library.looks.bright"]
    assert homes("deep_library") == {"shine": "deep_library.looks.bright"}
    found = read_library("deep_library", {})
    assert found.nodes["shine"].category == "looks/bright"
    assert not found.broken


def test_a_library_twice_is_one() -> None:
    once = from_modules([library])
    assert merged(once, from_modules([library])).nodes == once.nodes


def test_a_catalogue_is_read_as_it_was_written() -> None:
    broken = (Broken("a place", "a reason", ("a", "b"), own=True), Broken("b", "c"))
    clashes = {"x": ("one", "two")}
    wanted = replace(from_modules([library]), broken=broken, clashes=clashes)
    found = from_json(to_json(wanted))
    assert (found.nodes, found.ports) == (wanted.nodes, wanted.ports)
    assert (found.broken, found.clashes) == (broken, clashes)


def test_a_few_catalogues_are_kept(tmp_path: Path) -> None:
    for number in range(CATALOGUES + 3):
        path = tmp_path / f"catalogue-{number}.json"
        keep(path, "{}")
        os.utime(path, (number, number))
    kept = sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".json")
    assert kept == [f"catalogue-{n}.json" for n in range(3, CATALOGUES + 3)]
