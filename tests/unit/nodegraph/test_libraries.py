"""Libraries of nodes as other people install them: found by entry points, named where they are broken."""

import os
import subprocess
import sys
from pathlib import Path

import library
import pytest

from nodegraph.build import library as read_library
from nodegraph.build import merged
from nodegraph.registry import CATALOGUES, BrokenLibrary, _keep, from_modules, sources_digest

SOURCE = '''
from nodegraph import node

@node(category="mine")
def {name}(a: int) -> int:
    """A node of somebody's own."""
    return a + {number}
'''
GRAPH = "graph: 1\nnodes: {a: {type: plus_some, a: 1}}\noutputs: {a: $a}\n"


def install(folder: Path, name: str = "plus_some", number: int = 1, more: str = "") -> None:
    """A distribution of one module, `my_nodes`, registered under the same entry-point name as the shipped library."""
    (folder / "my_nodes.py").write_text(SOURCE.format(name=name, number=number) + more, "utf-8")
    meta = folder / "my_nodes-1.0.dist-info"
    meta.mkdir(exist_ok=True)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: my-nodes\nVersion: 1.0\n", "utf-8")
    (meta / "entry_points.txt").write_text("[nodegraph.nodes]\nnodes = my_nodes\n", "utf-8")


def nodegraph(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "NODEGRAPH_CACHE": str(folder / "cache")}
    command = [sys.executable, "-P", "-m", "nodegraph", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_module_of_nodes_is_found_and_its_edits_are_seen(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH, "utf-8")
    for number in (1, 41):
        install(tmp_path, number=number)
        done = nodegraph(tmp_path, "run", "g.yaml", "--quiet")
        assert done.stdout == f"a: {1 + number}\n", done.stderr
    for wrong, says in (
        (
            {"name": "slerp"},
            "node type 'slerp' is defined twice: my_nodes:slerp and nodes.embeddings:slerp",
        ),
        (
            {"more": "import not_there\n"},
            "in 'my_nodes': ModuleNotFoundError: No module named 'not_there'",
        ),
        (
            {"more": "@node(category='x')\ndef bad(a): ...\n"},
            "parameter 'a' of node 'bad' has no annotation",
        ),
    ):
        install(tmp_path, **wrong)  # type: ignore[arg-type]
        done = nodegraph(tmp_path, "nodes")
        assert done.returncode == 1
        assert says in done.stderr.replace(
            "nodes.embeddings:slerp and my_nodes:slerp", "my_nodes:slerp and nodes.embeddings:slerp"
        )
        assert "Traceback" not in done.stderr


def test_the_digest_of_a_module_is_that_of_its_source() -> None:
    assert sources_digest(["library"], ()) != sources_digest([], ())


def test_two_libraries_do_not_share_a_name() -> None:
    with pytest.raises(BrokenLibrary, match="is defined twice: library:"):
        merged(from_modules([library]), from_modules([library]))


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(BrokenLibrary, match="'no_such_library'"):
        read_library("no_such_library")


def test_a_few_catalogues_are_kept(tmp_path: Path) -> None:
    for number in range(CATALOGUES + 3):
        path = tmp_path / f"catalogue-{number}.json"
        _keep(path, "{}")
        os.utime(path, (number, number))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"catalogue-{n}.json" for n in range(3, CATALOGUES + 3)]
