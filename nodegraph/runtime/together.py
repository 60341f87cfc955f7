"""Several cells of a sweep as one program: steps whose nodes work on rows run once for all, each cell a row.

Whoever differs in nothing is there once. Where cells differ only in inputs that a node declares as rows (`@node(rows=…)`), the
node is called with a row for each; what comes out is cut into the results of the cells, under the keys that they have
alone. Any other node is called for each cell.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from nodegraph.base.diagnostics import Span
from nodegraph.language.program import Constant, Many, Source, Step, Wire
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import TypeRef
from nodegraph.runtime.cache import PLAIN, storable
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import SIZE, Key, source_identity
from nodegraph.runtime.literals import Library

WORDS = ("text", "number", "scalar", "flag")
"""The kinds of literals of which a list has one for each row."""
MARK = "#"
"""Behind the names of steps of one cell, before its number; no name in a graph has it."""
_HOME = "nodegraph.library.gathering:"


class Apart(Exception):
    """Cells that cannot be one program."""


@dataclass(frozen=True, slots=True)
class Together:
    """The program of several cells.

    `outputs`: of each cell its outputs by name, as they are called in the program. `rows`: the nodes that run once for all.
    `cut`: the steps that only take a cell's result out of those.
    """

    keyed: Keyed
    outputs: tuple[Mapping[str, str], ...]
    rows: frozenset[str]
    cut: frozenset[str]


def together(cells: Sequence[Keyed], library: Library) -> Together | None:
    """One program for cells of one graph; None where there is none, or no step would run once for all.

    Raises GraphError for a literal that cannot be read.
    """
    made = _Joined(cells, library)
    try:
        for index in range(len(cells[0].program.steps)):
            made.place(index)
        return made.whole() if made.batches else None
    except Apart:
        return None


@dataclass(slots=True)
class _Joined:
    """The program in the making. Steps of the cells by number, with those that stand for them in the program."""

    cells: Sequence[Keyed]
    library: Library
    steps: list[Step] = field(default_factory=list[Step])
    keys: list[Key] = field(default_factory=list[Key])
    shared: dict[int, int] = field(default_factory=dict[int, int])
    batches: dict[int, int] = field(default_factory=dict[int, int])
    own: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    cut: set[str] = field(default_factory=set[str])

    def add(self, step: Step, key: Key | None = None) -> int:
        self.steps.append(step)
        self.keys.append(key or secrets.token_bytes(SIZE))
        return len(self.steps) - 1

    def place(self, index: int) -> None:
        """Put a step of the cells into the program: once, once for all rows, or once for each. Raises Apart."""
        steps = [cell.program.steps[index] for cell in self.cells]
        first, keys = steps[0], [cell.keys[index] for cell in self.cells]
        if not first.spec.pure or any(_form(step) != _form(first) for step in steps):
            raise Apart
        if len(set(keys)) == 1:
            self.shared[index] = self.add(self.of_cell(first, 0), keys[0])
        elif set(self.varying(steps)) <= set(first.spec.rows):
            inputs = dict(self.inputs(steps))
            self.batches[index] = self.add(replace(first, inputs=inputs, kept=False))
        else:
            self.own[index] = [
                self.add(replace(self.of_cell(s, n), name=f"{s.name}{MARK}{n}"), key)
                for n, (s, key) in enumerate(zip(steps, keys, strict=True))
            ]

    def varying(self, steps: Sequence[Step]) -> list[str]:
        """The inputs in which the cells differ."""
        return [name for name in steps[0].inputs if not self.same([s.inputs[name] for s in steps])]

    def same(self, sources: Sequence[Source]) -> bool:
        """Whether all cells have the same on a port."""
        cells = zip(self.cells, sources, strict=True)
        return len({source_identity(s, cell.keys, cell.literals) for cell, s in cells}) == 1

    def of_cell(self, step: Step, number: int) -> Step:
        """A step of one cell, as it reads in the program."""
        return replace(step, inputs={n: self.source(s, number) for n, s in step.inputs.items()})

    def source(self, source: Source, number: int) -> Source:
        """What one cell has on a port. Raises Apart."""
        if isinstance(source, Many):
            return Many(tuple(self.entry(entry, number) for entry in source.entries))
        return self.entry(source, number)

    def entry(self, source: Constant | Wire, number: int) -> Constant | Wire:
        """One of what a cell has on a port. Raises Apart for the row of a live value, which cannot be cut."""
        if isinstance(source, Constant):
            return source
        if source.step in self.shared:
            return replace(source, step=self.shared[source.step])
        if source.step not in self.own:
            self.own[source.step] = self.rows(source.step)
        return replace(source, step=self.own[source.step][number])

    def rows(self, index: int) -> list[int]:
        """The results of the cells, cut out of those of a step that ran once for all."""
        first, batch = self.cells[0].program.steps[index], self.batches[index]
        if not all(storable(ref, self.library) for ref in first.output_types):
            raise Apart
        batches = {f"batch_{n}": Wire(batch, n, None) for n in range(len(first.output_types))}
        whole = TypeRef("int")
        found: list[int] = []
        for number, cell in enumerate(self.cells):
            where = {"part": number, "parts": len(self.cells)}
            inputs = {**{n: Constant(v, whole, None) for n, v in where.items()}, **batches}
            name = f"{first.name}{MARK}{number}"
            self.cut.add(name)
            step = Step(name, _spec("part", inputs, first), inputs, first.span, first.output_types)
            found.append(self.add(step, cell.keys[index]))
        return found

    def inputs(self, steps: Sequence[Step]) -> Mapping[str, Source]:
        """What stands on the ports of a node that is called once for all rows."""
        first, found = steps[0], dict[str, Source]()
        for port in first.spec.inputs:
            given = [step.inputs.get(port.name) for step in steps]
            item = self.item(port)
            if port.name not in first.spec.rows:
                if port.name in first.inputs:
                    found[port.name] = self.source(first.inputs[port.name], 0)
            elif item is not None:
                entries = [self.word(source, port, item, n) for n, source in enumerate(given)]
                if None not in entries:
                    found[port.name] = Many(tuple(cast("list[Constant | Wire]", entries)))
            elif port.name in first.inputs:
                found[port.name] = self.stacks(first, cast("list[Source]", given))
        return found

    def item(self, port: Port) -> TypeRef | None:
        """The type of one text or number, where a port takes a list of them with one for each row."""
        members = port.type.args if port.type.name == "|" else (port.type,)
        for member in members:
            if member.name == "list":
                facts = self.library.facts(member.args[0].name)
                if member.args[0].name in PLAIN or (facts and facts.literal in WORDS):
                    return member.args[0]
        return None

    def word(
        self, source: Source | None, port: Port, item: TypeRef, number: int
    ) -> Constant | Wire | None:
        """The text or number of one cell; None where a port has none. Raises Apart where a cell has several."""
        if source is None:
            return None if port.default in (None, []) else Constant(port.default, item, None)
        entries = source.entries if isinstance(source, Many) else (source,)
        if len(entries) != 1:
            raise Apart
        (entry,) = entries
        if isinstance(entry, Constant) and entry.type.name == "list":
            values: list[Any] = entry.value
            if len(values) != 1:
                raise Apart
            return replace(entry, value=values[0], type=item)
        if isinstance(entry, Wire) and self.kind(entry).name == "list":
            raise Apart
        return self.entry(entry, number)

    def stacks(self, step: Step, sources: Sequence[Source]) -> Source:
        """The batches of a port, a row for each cell; of a list of them each."""
        if not isinstance(sources[0], Many):
            return self.stack(step, cast("Sequence[Constant | Wire]", sources))
        lists = [cast(Many, source).entries for source in sources]
        if len(set(map(len, lists))) != 1:
            raise Apart
        return Many(tuple(self.stack(step, entries) for entries in zip(*lists, strict=True)))

    def stack(self, step: Step, sources: Sequence[Constant | Wire]) -> Constant | Wire:
        """One batch with the rows of each cell, or with the one row that all of them have.

        Raises Apart for live values of the cells, which cannot be laid below each other.
        """
        first = sources[0]
        kind = self.kind(first)
        if self.same(sources):
            return self.helper("single", step, kind, {"value": self.entry(first, 0)}, first.span)
        batch = self.batches.get(first.step) if isinstance(first, Wire) else None
        types = () if batch is None else self.steps[batch].output_types
        if batch is not None and not all(storable(ref, self.library) for ref in types):
            return replace(cast(Wire, first), step=batch)
        if not storable(kind, self.library):
            raise Apart
        rows = {f"row_{n}": self.entry(source, n) for n, source in enumerate(sources)}
        return self.helper("stacked", step, kind, rows, first.span)

    def kind(self, source: Constant | Wire) -> TypeRef:
        """The type of what stands on a port of the cells."""
        if isinstance(source, Constant):
            return source.type
        return self.cells[0].program.steps[source.step].output_types[source.output]

    def helper(
        self,
        name: str,
        step: Step,
        kind: TypeRef,
        inputs: Mapping[str, Constant | Wire],
        span: Span | None,
    ) -> Wire:
        """A step of the engine's own, for a port of a node."""
        spec = _spec(name, inputs, replace(step, output_types=(kind,)))
        made = Step(f"{step.name}{MARK}", spec, inputs, step.span, (kind,), kept=False)
        return Wire(self.add(made), 0, span)

    def whole(self) -> Together:
        """The program, when all steps are in it."""
        base = self.cells[0]
        outputs: dict[str, Constant | Wire] = {}
        types: dict[str, TypeRef] = {}
        names: list[Mapping[str, str]] = []
        for number, cell in enumerate(self.cells):
            of_cell = {name: f"{name}{MARK}{number}" for name in cell.program.outputs}
            for name, called in of_cell.items():
                outputs[called] = self.entry(cell.program.outputs[name], number)
                types[called] = cell.program.output_types[name]
            names.append(of_cell)
        steps = tuple(self.steps)
        program = replace(base.program, steps=steps, outputs=outputs, output_types=types)
        rows = frozenset(base.program.steps[index].name for index in self.batches)
        keyed = replace(base, program=program, known=self.keys)
        return Together(keyed, tuple(names), rows, frozenset(self.cut))


def _form(step: Step) -> tuple[Any, ...]:
    """All of a step but the values of its literals."""

    def form(source: Source) -> Any:
        if isinstance(source, Many):
            return tuple(map(form, source.entries))
        return (source.step, source.output) if isinstance(source, Wire) else "literal"

    inputs = {name: form(source) for name, source in step.inputs.items()}
    return step.name, id(step.spec), inputs, step.output_types


def _spec(name: str, inputs: Mapping[str, Any], like: Step) -> NodeSpec:
    """The spec of a node of the engine's own, with the outputs of a step."""
    anything = TypeRef("*")
    types = like.output_types
    several = len(types) > 1
    outputs = (
        Port(like.spec.outputs[n].name if several else "output", ref) for n, ref in enumerate(types)
    )
    ports = tuple(Port(port, anything) for port in inputs)
    return NodeSpec(name, f"{_HOME}{name}", ports, tuple(outputs))
