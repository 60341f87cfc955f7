"""Stubs of `nodegraph` for editors and type checkers: `load` knows the graphs by name, with their inputs and outputs."""

import ast
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import resources
from keyword import iskeyword
from pathlib import Path

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.paths import read_text
from nodegraph.build import composite_spec
from nodegraph.language.graph import Graph
from nodegraph.language.reading import read_graph
from nodegraph.library.annotations import Annotations
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.registry import Registry
from nodegraph.options import Options
from nodegraph.result import Result

MARK = "# Written by `nodegraph stubs`; write it again when graphs change their inputs or outputs."
PLACE = Path("nodegraph") / "__init__.pyi"
HEAD = """
from collections.abc import Iterable as _Iterable, Mapping as _Mapping, Sequence as _Sequence
from os import PathLike as _PathLike
from pathlib import Path as _Path
from typing import Any as _Any, Literal as _Literal, Never as _Never, overload as _overload
from typing import TypedDict as _TypedDict, Unpack as _Unpack

from numpy.typing import NDArray as _NDArray
from PIL import Image as _PIL

from nodegraph.api import LoadedGraph as _LoadedGraph, loads as loads
from nodegraph.calling import finished as finished, value as value
from nodegraph.each import Each as _Each
from nodegraph.library.port import Precision as _Precision
from nodegraph.result import Result as _Result
"""
OPTIONS: Mapping[str, str] = {
    "device": "str | None",
    "precision": "_Precision | None",
    "out": "str | _Path",
    "cached": "bool",
    "readable": "_Sequence[str | _Path]",
    "max_megapixels": "float",
    "compile": "bool",
    "low_memory": "bool",
    "cache": "str | None",
}


@dataclass(frozen=True, slots=True)
class Known:
    """A graph that `load` finds by a name; `spec` is None where it has faults."""

    name: str
    presets: tuple[str, ...]
    spec: NodeSpec | None


def known_graphs(registry: Registry, folder: Path) -> Iterator[Known]:
    """The shipped graphs, those that are node types, and the graph files of a folder and the folders in it."""
    shipped = {**registry.composites, **{name: registry.graphs[name] for name in registry.listed}}
    own = {path.relative_to(folder).as_posix(): path for path in graph_files(folder)}
    for name, path in {**shipped, **own}.items():
        graph = _read(path)
        if graph is None:
            continue
        try:
            spec = composite_spec(name, path, registry)
        except GraphError:
            spec = None
        yield Known(name, tuple(graph.presets), spec)


def graph_files(folder: Path) -> Iterator[Path]:
    """The YAML files of a folder, but for those of environments, of hidden folders, and parts of other graphs."""
    for place, inside, names in os.walk(folder):
        here = Path(place)
        inside[:] = sorted(
            name
            for name in inside
            if name[0] not in "._"
            and name not in ("node_modules", "parts")
            and not (here / name / "pyvenv.cfg").exists()
        )
        yield from (here / n for n in sorted(names) if n.endswith((".yaml", ".yml")))


def _read(path: Path) -> Graph | None:
    """The graph of a file; None where it is none, or cannot be read."""
    try:
        graph, faults = read_graph(read_text(path), str(path))
    except (OSError, UnicodeDecodeError):
        return None
    return None if any(fault.code.startswith("E0") for fault in faults) else graph


def stubs_of(registry: Registry, folder: Path) -> str:
    """The text of `nodegraph/__init__.pyi` for the graphs of the libraries and of a folder."""
    notes, taken = Annotations(registry), set[str]()
    classes: list[str] = []
    overloads: list[str] = []
    for known in known_graphs(registry, folder):
        kind = "_LoadedGraph"
        if known.spec is not None:
            kind = _free(known.name, taken)
            classes += _classes(kind, known, known.spec, notes)
        overloads += _load(f"_Literal[{known.name!r}]", kind)
    options = [f"    {option.name}: {OPTIONS[option.name]}" for option in fields(Options)]
    return "\n".join(
        [
            MARK,
            "# pyright: basic, reportIncompatibleMethodOverride=false",
            '# mypy: disable-error-code="override"',
            HEAD.strip(),
            *_own_names(),
            *sorted(notes.imports),
            "",
            "class _Options(_TypedDict, total=False):",
            *options,
            "",
            *classes,
            *overloads,
            *_load("_Path", "_LoadedGraph"),
            "",
        ]
    )


def _own_names() -> Iterator[str]:
    """What `nodegraph` has beside `load`, from its own file."""
    text = resources.files("nodegraph").joinpath("__init__.py").read_text("utf-8")
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.ImportFrom) and statement.module != "typing":
            names = ", ".join(f"{alias.name} as {alias.name}" for alias in statement.names)
            yield f"from {statement.module} import {names}"


def _load(name: str, kind: str) -> Iterator[str]:
    yield "@_overload"
    nodes = "nodes: _Iterable[str | _Path] = ..., **options: _Unpack[_Options]"
    yield f"def load(graph: {name}, *, {nodes}) -> {kind}: ..."


def _free(name: str, taken: set[str]) -> str:
    """The name of a graph's class, which nothing else has."""
    words = re.findall(r"[A-Za-z0-9]+", name.removesuffix(".yaml").removesuffix(".yml"))
    wanted = "_" + ("".join(word[0].upper() + word[1:] for word in words) or "Graph")
    found, number = wanted, 2
    while found in taken:
        found, number = f"{wanted}{number}", number + 1
    taken |= {found, f"{found}Result"}
    return found


def _classes(kind: str, known: Known, spec: NodeSpec, notes: Annotations) -> Iterator[str]:
    """A class of a graph that can be called, and one of its results."""
    presets = f"_Literal[{', '.join(map(repr, known.presets))}] | None" if known.presets else "None"
    inputs = [_input(port, notes) for port in spec.inputs if _writable(port.name)]
    star = ["*", *inputs] if inputs else []
    rest = ["**inputs: _Any"] if len(inputs) < len(spec.inputs) else []
    given = ", ".join([f"preset: {presets} = ...", *star, *rest])
    shared = f"inputs: _Mapping[str, _Any] | None = ..., /, *, preset: {presets} = ..."
    yield f"class {kind}Result(_Result):"
    hidden = dir(Result)
    for port in spec.outputs:
        if _writable(port.name) and port.name not in hidden:
            yield f"    {port.name}: {notes.value(port.type)}"
    yield "    def __getattr__(self, name: _Never) -> _Never: ..."
    yield ""
    yield f"class {kind}(_LoadedGraph):"
    yield f"    def __call__(self, /, {given}) -> {kind}Result: ..."
    yield f"    def each(self, {shared}, **axes: _Any) -> _Each[{kind}Result]: ..."
    yield ""


def _writable(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name not in ("self", "preset")


def _input(port: Port, notes: Annotations) -> str:
    """An input as a parameter by keyword."""
    kind = notes.given(port.type)
    if port.menu:
        kind = f"_Literal[{', '.join(map(repr, port.menu))}]"
    optional = not port.required and port.default is None
    return f"{port.name}: {kind}{' | None' if optional else ''}{'' if port.required else ' = ...'}"
