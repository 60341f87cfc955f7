"""A graph as a Python script: a call of a node on each line, without an engine."""

import builtins
import json
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from nodegraph.base.paths import Sandbox
from nodegraph.language.graph import Graph
from nodegraph.language.program import Constant, Many, Program, Source, Step, Wire
from nodegraph.language.unfolding import GATHER
from nodegraph.library.port import PortType, TypeRef
from nodegraph.library.registry import Registry
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.execute import needed

WIDTH = 100
TAKEN = frozenset((*dir(builtins), *keyword.kwlist, "torch", "DEVICE", "finished", "value"))


@dataclass(slots=True)
class _Names:
    """Names of a script, each given once."""

    taken: set[str]

    def free(self, wanted: str) -> str:
        """A name that is like the one that is wanted, and no other's."""
        plain = re.sub(r"\W+", "_", wanted).strip("_").lower() or "value"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        name, number = plain, 2
        while name in self.taken:
            name, number = f"{plain}_{number}", number + 1
        self.taken.add(name)
        return name


@dataclass(slots=True)
class _Script:
    """A script while it is written."""

    registry: Registry
    program: Program
    names: _Names
    inputs: Mapping[Any, str]
    """The names of the graph's inputs, by the places of their values."""
    used: dict[str, str] = field(default_factory=dict[str, str])
    """Inputs that a step reads, with the code of their values."""
    models: dict[str, str] = field(default_factory=dict[str, str])
    steps: dict[int, str] = field(default_factory=dict[int, str])
    helpers: set[str] = field(default_factory=set[str])

    def line(self, index: int) -> str:
        """The line of a step."""
        step = self.program.steps[index]
        if step.spec is GATHER:
            begin, given, end = "", [self.code(step.inputs["items"])], ""
        else:
            given = [f"{name}={self.code(source)}" for name, source in step.inputs.items()]
            begin, end = f"{step.spec.name}(", ")"
        if step.spec.generator:
            self.helpers.add("finished")
            begin, end = f"finished({begin}", f"{end})"
        if step.spec.outputs:
            self.steps[index] = self.names.free(step.name)
            begin = f"{self.steps[index]} = {begin}"
        return _laid_out(begin, given, end)

    def code(self, source: Source) -> str:
        """What stands on a port."""
        if isinstance(source, Many):
            items = (self.item(entry) for entry in source.entries)
            return f"[{', '.join(item for item in items if item != '*[]')}]"
        return self.wire(source) if isinstance(source, Wire) else self.constant(source)

    def item(self, entry: Constant | Wire) -> str:
        """An entry of a list; one that is a list itself gives its items."""
        many = (
            self.kind(entry).name == "list"
            if isinstance(entry, Wire)
            else isinstance(entry.value, list)
        )
        return f"*{self.code(entry)}" if many else self.code(entry)

    def kind(self, wire: Wire) -> TypeRef:
        return self.program.steps[wire.step].output_types[wire.output]

    def wire(self, wire: Wire) -> str:
        ports = self.program.steps[wire.step].spec.outputs
        name = self.steps[wire.step]
        alone = len(ports) == 1 and ports[0].name == "output"
        return name if alone else f"{name}.{ports[wire.output].name}"

    def constant(self, constant: Constant) -> str:
        """A literal: an input by its name, a model by one name for all that use it."""
        code = self.literal(constant.value, constant.type, constant.folder)
        name = self.inputs.get(constant.span or constant.given)
        if name is None or code in self.models.values():
            return code
        self.used.setdefault(name, code)
        return name if self.used[name] == code else code

    def literal(self, value: Any, kind: TypeRef, folder: Path | None) -> str:
        if isinstance(value, list):
            item = kind.args[0] if kind.name == "list" else kind
            items = cast("list[Any]", value)
            return f"[{', '.join(self.literal(one, item, folder) for one in items)}]"
        if not isinstance(value, str | int | float | bool | None):
            raise TypeError(f"a {type(value).__name__} that Python gave cannot be written down")
        port = self.reader(kind)
        if port is None or value is None or _is_itself(port, value):
            return _written(value)
        if port.weights is not None:
            return self.model(str(value))
        self.helpers.add("value")
        shown = value if port.literal != "path" else _place(str(value), folder)
        return f"value({_written(port.name)}, {_written(shown)})"

    def reader(self, kind: TypeRef) -> PortType | None:
        """The type that reads a literal, where it makes something else of it."""
        members = kind.args if kind.name == "|" else (kind,)
        ports = [self.registry.port_type(member.name) for member in members]
        return next((port for port in ports if port is not None and port.parse), None)

    def model(self, name: str) -> str:
        """The variable of a model, loaded once."""
        if name not in self.models:
            self.models[name] = self.names.free(f"{name.rpartition('/')[2]}_model")
        return self.models[name]

    def ending(self) -> Iterator[str]:
        """What comes out: pictures as files, the rest printed."""
        for name, source in self.program.outputs.items():
            kind = self.program.output_types[name]
            if kind.name == "Image":
                self.helpers.add("value")
                yield f'save_image({self.code(source)}, value("PictureFile", "{name}.png"))'
            else:
                yield f'print("{name}:", {self.code(source)})'


def python_script(program: Program, graph: Graph, registry: Registry) -> str:
    """The script of a program. Raises TypeError for a value that cannot be written down."""
    order = needed(program, tuple(program.outputs), lambda _: False)
    nodes = {program.steps[index].spec.name for index in order}
    names = _Names({*TAKEN, *nodes, "load_model", "save_image"})
    inputs: dict[Any, str] = {}
    for name, declared in graph.inputs.items():
        called = names.free(name)
        given = f"input '{name}'"
        inputs |= {given: called, f"{given} (--{name.replace('_', '-')})": called}
        if declared.default is not None:
            inputs[declared.default.span] = called
    script = _Script(registry, program, names, inputs)
    lines = [script.line(index) for index in order]
    ending = list(script.ending())
    return "\n".join([*_head(script, graph, order, ending), "", *lines, "", *ending, ""])


def _head(script: _Script, graph: Graph, order: list[int], ending: list[str]) -> Iterator[str]:
    """What stands above the calls: imports, the device, the inputs, the models."""
    title = graph.title.replace("\\", "\\\\").replace('"""', "'''")
    yield f'"""{title or "A graph"}: written by `nodegraph export`."""\n'
    yield "import torch\n"
    if script.helpers:
        yield f"from nodegraph import {', '.join(sorted(script.helpers))}"
    for module, functions in sorted(_imports(script, order, ending).items()):
        line = f"from {module} import {', '.join(sorted(functions))}"
        begin = f"from {module} import ("
        yield line if len(line) <= WIDTH else _laid_out(begin, sorted(functions), ")")
    yield "\ntorch.set_grad_enabled(False)"
    if script.models:
        yield 'DEVICE = "cpu"'
    for name, code in script.used.items():
        yield f"{name} = {code}"
    for model, name in script.models.items():
        yield f"{name} = load_model({_written(model)}, device=DEVICE)"


def _imports(script: _Script, order: list[int], ending: list[str]) -> dict[str, set[str]]:
    """The functions of nodes by the module from which they are imported."""
    found: dict[str, set[str]] = {}
    steps: list[Step] = [script.program.steps[index] for index in order]
    for step in steps:
        if step.spec is not GATHER:
            module = step.spec.home.partition(":")[0]
            own = module.startswith("nodes.")
            found.setdefault("nodes" if own else module, set()).add(step.spec.name)
    if script.models:
        found.setdefault("nodes", set()).add("load_model")
    if any(line.startswith("save_image(") for line in ending):
        found.setdefault("nodes", set()).add("save_image")
    return found


def _written(value: Any) -> str:
    """A plain value as Python writes it, a text between double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _is_itself(port: PortType, value: Any) -> bool:
    """Whether a literal is to its nodes what it is in the file."""
    if port.parse is None or port.literal in ("path", "name"):
        return False
    read = port.parse(value, RunContext(Sandbox((), Path())))
    return type(read) is type(value) and read == value


def _place(value: str, folder: Path | None) -> str:
    """The path of a literal as it is from here."""
    place = (folder or Path()) / value
    return str(place) if place.exists() else value


def _laid_out(begin: str, parts: Sequence[str], end: str) -> str:
    """Code on one line if it fits, else with each part on a line of its own."""
    line = begin + ", ".join(parts) + end
    if len(line) <= WIDTH or not end:
        return line
    return "\n".join([begin, *(f"    {part}," for part in parts), end])
