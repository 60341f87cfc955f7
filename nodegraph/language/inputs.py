"""The inputs of a graph: given values, a preset's, defaults; and as the ports of the node that a graph is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Edit, Span, meant, swap
from nodegraph.language.document import opened
from nodegraph.language.given import taken
from nodegraph.language.graph import EachAxis, Graph, GraphInput, Listing, Value
from nodegraph.language.literals import BadLiteral, Slot, as_written, from_text
from nodegraph.language.program import EXAMPLE, Constant, Source
from nodegraph.language.rows import BadRow, rows_of
from nodegraph.language.scope import ABSENT, FAILED, Bound, Faults, Scope, plain
from nodegraph.language.typenames import declared_type
from nodegraph.library.node import Port
from nodegraph.library.port import Range, TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import UNKNOWN

RESERVED = frozenset(
    (
        "preset",
        "out",
        "device",
        "precision",
        "no_cache",
        "quiet",
        "json",
        "traceback",
        "help",
        "workers",
        "name",
        "accept_licence",
        "max_megapixels",
        "traceback",
        "version",
    )
)

SINCE = dict.fromkeys(
    (
        "each",
        "sweep",
        "yes",
        "set",
        "until",
        "input",
        "watch",
        "nodes",
        "get",
        "on",
        "compile",
        "low_memory",
        "cache",
    ),
    "0.2",
)
"""Options that came after graphs may have named inputs so, by the version that has them: such an input is given otherwise."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a graph is compiled for: values of its inputs, a preset, and whether missing inputs are faults.

    The caller gives `inputs` from Python, or `texts` on a command line, which are read by the types of their inputs and win.
    What a picture `recorded` is somebody else's: literals, which allow nothing, and which the caller's preset wins over.
    `readable`: what may be read beside the graph's folder. `until`: a node of which the outputs are wanted, and no others.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    preset: str | None = None
    whole: bool = True
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    recorded: Mapping[str, Any] = field(default_factory=dict[str, Any])
    readable: tuple[Path, ...] = ()
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Binds the inputs of graphs; `folder` is where the graph lies whose literals they are."""

    registry: Registry
    faults: Faults

    def root(self, graph: Graph, folder: Path | None, request: Request) -> Scope:
        """The scope of the graph that was asked for: given values, else the preset's, else defaults."""
        preset = self.preset(graph, request.preset)
        self.check_presets(graph)
        self.check_sweeps(graph)
        for name in (*request.inputs, *request.texts, *request.recorded):
            if name not in graph.inputs:
                hint = self.faults.hints.nearest(name, graph.inputs)
                self.faults.add(Code.UNKNOWN_INPUT, f"the graph has no input '{name}'", None, hint)
        return {
            n: self.root_input(i, graph, folder, request, preset) for n, i in graph.inputs.items()
        }

    def check_presets(self, graph: Graph) -> None:
        """Every preset, whether it is asked for or not."""
        pairs = (
            (preset, *pair) for preset, values in graph.presets.items() for pair in values.items()
        )
        for preset, key, value in pairs:
            if key not in graph.inputs:
                message = f"the graph has no input '{key}'"
                hint = self.faults.hints.nearest(key, graph.inputs)
                fix = self.preset_renamed(graph, preset, key, meant(hint))
                self.faults.add(Code.UNKNOWN_INPUT, message, value.span, hint, None, fix)
            elif (
                ref := declared_type(graph.inputs[key], graph, self.faults, self.registry)
            ) is not None:
                self.check_written(graph.inputs[key], ref, value)

    def check_sweeps(self, graph: Graph) -> None:
        """Every value of every sweep, whether it is asked for or not."""
        axes = ((name, axis) for name, axes in graph.sweeps.items() for axis in axes)
        for sweep, axis in axes:
            for name in axis.names:
                if name not in graph.inputs:
                    hint = self.faults.hints.nearest(name, graph.inputs)
                    fix = swap(axis.span, meant(hint)) if len(axis.names) == 1 else ()
                    message = f"the graph has no input '{name}'"
                    self.faults.add(Code.UNKNOWN_INPUT, message, axis.span, hint, None, fix)
            for row in self.swept(sweep, axis):
                for name, value in zip(axis.names, row, strict=True):
                    declared = graph.inputs.get(name)
                    ref = declared and declared_type(declared, graph, self.faults, self.registry)
                    if declared is not None and ref is not None:
                        self.check_written(declared, ref, value)

    def swept(self, sweep: str, axis: EachAxis) -> list[tuple[Value, ...]]:
        """The rows of an axis of a sweep; none, and a fault, where they cannot be read."""
        try:
            return rows_of(axis)
        except BadRow as error:
            message = f"sweep '{sweep}': {error}"
            self.faults.add(Code.WRONG_STRUCTURE, message, error.span, error.hint)
            return []

    def preset_renamed(
        self, graph: Graph, preset: str, key: str, name: str | None
    ) -> tuple[Edit, ...]:
        """The edit that gives a value of a preset to another input, which has none there yet."""
        if name is None or name in graph.presets[preset] or not self.faults.hints.spend(500):
            return ()
        entry = opened(graph.text, graph.file).find(("presets", preset, key))
        return swap(entry.span, name) if entry else ()

    def preset(self, graph: Graph, name: str | None) -> Mapping[str, Value]:
        if name is None:
            return {}
        if name not in graph.presets:
            hint = self.faults.hints.nearest(name, graph.presets)
            self.faults.add(Code.UNKNOWN_PRESET, f"the graph has no preset '{name}'", None, hint)
        return graph.presets.get(name, {})

    def root_input(
        self,
        declared: GraphInput,
        graph: Graph,
        folder: Path | None,
        request: Request,
        preset: Mapping[str, Value],
    ) -> Bound:
        self.check_name(declared)
        ref = declared_type(declared, graph, self.faults, self.registry)
        if ref is None:
            return FAILED
        right = declared.default is None or self.check_written(declared, ref, declared.default)
        if declared.name in request.texts:
            return self.written(declared, ref, request.texts[declared.name])
        if declared.name in request.inputs:
            return self.given(declared, ref, request.inputs[declared.name])
        if declared.name in request.recorded and declared.name not in preset:
            value = request.recorded[declared.name]
            return self.constant(declared, ref, value, None, Path(), f"input '{declared.name}'")
        written = preset.get(declared.name) or declared.default
        if written is not None:
            if not (
                right if written is declared.default else self.check_written(declared, ref, written)
            ):
                return FAILED
            return self.constant(declared, ref, plain(written), written.span, folder)
        if declared.optional:
            return ABSENT
        if not request.whole:
            return Bound({"": (Constant(EXAMPLE, ref, declared.span, folder), ref)})
        message = f"the graph needs input '{declared.name}': {ref}"
        option = f"--{declared.name.replace('_', '-')}"
        hint = f"give {option} (in Python: {declared.name}=…)"
        self.faults.add(Code.MISSING_INPUT, message, declared.span, hint)
        return FAILED

    def check_name(self, declared: GraphInput) -> None:
        """Whether the command line has an option of that name."""
        name = declared.name
        if name in RESERVED:
            message = f"'{name}' is an option of the command line and cannot name an input"
            self.faults.add(Code.RESERVED_INPUT, message, declared.span, "choose another name")
        if name in SINCE:
            message = f"'{name}' is an option of the command line since {SINCE[name]}"
            hint = f"the input is given by --input {name}=VALUE"
            self.faults.add(Code.INPUT_LIKE_OPTION, message, declared.span, hint)

    def check_written(self, declared: GraphInput, ref: TypeRef, written: Value) -> bool:
        """Whether a default, or the value of a preset, fits its input; each item of a list is held against it."""
        if isinstance(written, Listing) and ref.name == "list":
            right = [self.check_written(declared, ref.args[0], item) for item in written.items]
            return all(right)
        if plain(written) is None:
            return True
        slot, owner = slot_of(declared, ref), f"input '{declared.name}': "
        found = self.faults.literal(plain(written), slot, written.span, None, owner)
        return not isinstance(found, BadLiteral)

    def written(self, declared: GraphInput, ref: TypeRef, text: str) -> Bound:
        """A value from the command line, relative to where that is."""
        given = f"input '{declared.name}' (--{declared.name.replace('_', '-')})"
        try:
            value = from_text(text, ref, self.registry.ports)
        except BadLiteral as error:
            self.faults.add(error.code, f"{given}: {error}", None, error.hint)
            return FAILED
        return self.constant(declared, ref, value, None, Path(), given)

    def given(self, declared: GraphInput, ref: TypeRef, value: Any) -> Bound:
        """A value from Python: a literal such as a file would hold, or the value itself, as its type takes it."""
        given = f"input '{declared.name}'"
        try:
            found = taken(as_written(value), ref, self.registry)
        except ValueError as error:
            self.faults.add(Code.BAD_LITERAL, f"{given}: {error}", declared.span)
            return FAILED
        items = cast("list[Any]", found) if isinstance(found, list) else [found]
        if not all(isinstance(item, str | int | float | bool | list | None) for item in items):
            return Bound({"": (Constant(found, ref, None, Path(), given), ref)})
        return self.constant(declared, ref, found, None, Path(), given)

    def constant(
        self,
        declared: GraphInput,
        ref: TypeRef,
        value: Any,
        span: Span | None,
        folder: Path | None,
        given: str = "",
    ) -> Bound:
        if value is None and declared.optional:
            return ABSENT
        owner = f"{given or f'input {declared.name!r}'}: "
        found = self.faults.literal(value, slot_of(declared, ref), span, None, owner)
        if isinstance(found, BadLiteral):
            return FAILED
        constant = Constant(found, ref, span, folder, given)
        return Bound({"": (constant, ref)}, constant if self.registry.parts(ref.name) else None)

    def ports(self, graph: Graph) -> tuple[Port, ...]:
        """The inputs of a graph as ports of the node that it is."""
        ports: list[Port] = []
        for declared in graph.inputs.values():
            ref = declared_type(declared, graph, self.faults, self.registry) or UNKNOWN
            required = declared.default is None and not declared.optional
            slot = slot_of(declared, ref)
            ports.append(
                Port(
                    declared.name,
                    ref,
                    required,
                    None,
                    slot.range,
                    slot.menu,
                    declared.help,
                    ref.name == "list",
                )
            )
        return tuple(ports)

    def of_subgraph(
        self, declared: GraphInput, port: Port, given: Source | None, folder: Path | None
    ) -> Bound:
        if given is not None:
            bundle = (
                given
                if isinstance(given, Constant) and self.registry.parts(port.type.name)
                else None
            )
            return Bound({"": (given, port.type)}, bundle)
        if declared.default is None:
            return ABSENT
        return self.constant(
            declared, port.type, plain(declared.default), declared.default.span, folder
        )


def slot_of(declared: GraphInput, ref: TypeRef) -> Slot:
    """What a literal of an input must fit: its type, range and menu."""
    bounded = declared.low is not None or declared.high is not None
    return Slot(ref, Range(declared.low, declared.high) if bounded else None, declared.menu)
