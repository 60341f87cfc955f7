"""Port types and node files: each type is declared in one file, node files bring nothing that they do not need."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from tiny import GLIDE, write_bundle

import nodes
from nodegraph.base.diagnostics import GraphError
from nodegraph.build import declared
from nodegraph.session import registry

FOLDER = Path(nodes.__file__).parent
FILES = sorted((FOLDER / "library").rglob("*.py"))
SLERP = {
    "nodes",
    "nodes.diffusion",
    "nodes.diffusion.noise",
    "nodes.library",
    "nodes.library.embeddings",
    "nodes.measures",
    "nodes.measures.pca",
    "nodes.models",
    "nodes.models.embeddings",
    "nodes.tensors",
    "nodes.wires",
    "nodes.wires.arrays",
    "nodes.wires.embeddings",
    "nodes.wires.generic",
    "nodes.wires.stored",
    "nodes.wires.tensors",
}


def imported(code: str) -> set[str]:
    """The modules that a new Python has imported after some code."""
    ending = "import sys; print(*sys.modules, sep=chr(10))"
    command = [sys.executable, "-c", f"{code}\n{ending}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_a_node_brings_only_what_it_needs() -> None:
    found = imported("from nodes import slerp")
    assert {name for name in found if name.partition(".")[0] == "nodes"} <= SLERP


def test_names_of_nodes_are_listed_without_importing_them() -> None:
    found = imported("import nodes; assert {'slerp', 'upsampler'} <= set(dir(nodes))")
    assert {name for name in found if name.partition(".")[0] in ("nodes", "torch")} == {"nodes"}


def test_all_nodes_are_found_by_name_as_the_registry_finds_them() -> None:
    own = {n: s for n, s in registry().nodes.items() if s.home.startswith("nodes.")}
    assert set(own) | set(registry().composites) <= set(dir(nodes))
    for name, spec in own.items():
        module, _, function = spec.home.partition(":")
        assert getattr(nodes, name) is getattr(import_module(module), function)
    assert not set(own) & {path.stem for path in FOLDER.iterdir()}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_node_file_exports_what_others_have(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [a for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names]
    assert not [a.name for a in names if a.name in ("*", "PORT_TYPES") or a.asname == a.name]
    assert "PORT_TYPES" not in path.read_text(encoding="utf-8")


def test_each_type_is_declared_in_one_file_of_wires() -> None:
    found, _ = declared({}, str)
    assert not found.broken
    for name, facts in found.ports.items():
        assert (
            f'"{name}"' in inspect.getsource(import_module(facts.home)) or facts.literal == "name"
        )
    stray = {
        n: f.home for n, f in registry().ports.items() if not f.home.startswith("nodes.wires.")
    }
    assert stray == {}
    assert (
        max(len(p.read_text("utf-8").splitlines()) for p in (FOLDER / "wires").glob("*.py")) < 210
    )


def test_a_composite_has_a_signature_and_says_what_it_does() -> None:
    signature = inspect.signature(nodes.upsampler)
    spec = registry().nodes["upsampler"]
    assert list(signature.parameters) == [port.name for port in spec.inputs]
    assert {p.name for p in signature.parameters.values() if p.default is p.empty} == {
        port.name for port in spec.inputs if port.required
    }
    assert nodes.upsampler.__name__ == "upsampler"
    assert nodes.upsampler.__doc__.startswith("Upsample pictures with a super-resolution network")


def test_a_composite_runs_its_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path / "cache"))
    from nodes import upsampler

    model = str(write_bundle(tmp_path / "glide", GLIDE) / "upsample")
    image = torch.zeros(2, 3, 16, 16)
    first = upsampler(model=model, image=image, steps="2", seed=3)
    assert first.shape == (2, 3, 32, 32)
    again = upsampler(model=model, image=image, steps="2", seed=3)
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    with pytest.raises(GraphError, match="imege"):
        upsampler(model=model, imege=image)


def test_a_twin_names_inputs_of_its_node_and_repeats_no_default() -> None:
    for name, spec in registry().nodes.items():
        function = None if spec.composite else registry().function(spec)
        twin = function and function.__node__.abstract
        if twin is not None:
            found = inspect.signature(twin).parameters
            assert set(found) <= {port.name for port in spec.inputs}, name
            assert all(p.default is p.empty for p in found.values()), name
