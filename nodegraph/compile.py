"""A graph file → a program: subgraphs unfolded, inputs bound, every wire checked; all faults are found at once."""

import gc
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nodegraph.errors import Diagnostic, GraphError, Span, diagnostic, nearest, place
from nodegraph.graph import Graph, GraphInput, GraphNode, Listing, Literal, Ref, Value, read_graph
from nodegraph.literals import BadLiteral, Slot, coerced, from_text
from nodegraph.node import NodeSpec, Port
from nodegraph.order import cycle_among, in_order
from nodegraph.program import EXAMPLE, Constant, Many, Program, Source, Step, Wire
from nodegraph.registry import Registry
from nodegraph.types import Range, TypeRef
from nodegraph.unify import UNKNOWN, fits, names_in, parse_type, resolved

RESERVED = frozenset(
    (
        "preset",
        "out",
        "device",
        "precision",
        "no_cache",
        "quiet",
        "json",
        "help",
        "workers",
        "name",
        "accept_licence",
    )
)


@dataclass(frozen=True, slots=True)
class SourceText:
    """A graph that may lie in no file: its text, the folder its paths are relative to, and its subgraphs by name."""

    name: str
    text: str
    folder: Path | None = None
    siblings: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Request:
    """What a graph is compiled for: values of its inputs, a preset, and whether missing inputs are faults."""

    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    preset: str | None = None
    whole: bool = True
    from_text: bool = False
    """Values are texts, as from a command line, read by the types of their inputs."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The program (None where there are errors), all diagnostics, and the graph as read."""

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    graph: Graph | None

    def checked(self) -> Program:
        """The program. Raises GraphError with every fault."""
        if self.program is None:
            raise GraphError(self.diagnostics)
        return self.program


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name of a graph stands for: outputs by port, each a source with its type. Empty: it is absent."""

    outputs: Mapping[str, tuple[Source, TypeRef]]
    bundle: Constant | None = None
    failed: bool = False
    """A fault was reported already: what depends on it stays silent."""


ABSENT = Bound({})
FAILED = Bound({}, failed=True)


def read_source(source: SourceText | Path | str) -> SourceText:
    """The text of a file. Raises GraphError (`unreadable-file`) if it cannot be read."""
    if isinstance(source, SourceText):
        return source
    path = Path(source)
    try:
        return SourceText(str(path), path.read_text(encoding="utf-8"), path.parent)
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise GraphError([diagnostic("E005", f"{path} cannot be read: {reason}")]) from None


def compile_graph(
    source: SourceText | Path | str, registry: Registry, request: Request | None = None
) -> Compiled:
    """Check a graph and make its program. Faults are returned, not raised."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        return _compile(read_source(source), registry, request or Request())
    except GraphError as error:
        return Compiled(None, error.diagnostics, None)
    finally:
        if enabled:
            gc.enable()


def _compile(source: SourceText, registry: Registry, request: Request) -> Compiled:
    graph, faults = read_graph(source.text, source.name)
    if graph is None:
        return Compiled(None, tuple(faults), None)
    compiler = _Compiler(registry, list(faults))
    scope = compiler.root(graph, source, request)
    outputs = compiler.unfold(graph, source, scope, "")
    if not any(fault.severity == "error" for fault in compiler.faults):
        compiler.unused(graph)
    diagnostics = tuple(sorted(compiler.faults, key=place))
    if any(d.severity == "error" for d in diagnostics):
        return Compiled(None, diagnostics, graph)
    given = {n: s.value for n, b in scope.items() if (s := b.bundle or _constant(b)) is not None}
    program = Program(
        file=source.name,
        title=graph.title,
        steps=tuple(compiler.steps),
        outputs={n: s for n, (s, _) in outputs.items() if isinstance(s, Constant | Wire)},
        output_types={n: t for n, (_, t) in outputs.items()},
        inputs=given,
        sources=compiler.sources,
    )
    return Compiled(program, diagnostics, graph)


def _constant(bound: Bound) -> Constant | None:
    found = bound.outputs.get("")
    return found[0] if found and isinstance(found[0], Constant) else None


Scope = dict[str, Bound]
Outputs = dict[str, tuple[Source, TypeRef]]


class _Compiler:
    def __init__(self, registry: Registry, faults: list[Diagnostic]) -> None:
        self.registry = registry
        self.faults = faults
        self.steps: list[Step] = []
        self.sources: dict[str, str] = {}
        self.stack: list[str] = []

    def fault(
        self,
        code: str,
        message: str,
        span: Span | None,
        hint: str | None = None,
        node: str | None = None,
    ) -> None:
        found = diagnostic(code, message, span, hint, node)
        if found not in self.faults[-8:]:
            self.faults.append(found)

    # Inputs

    def root(self, graph: Graph, source: SourceText, request: Request) -> Scope:
        """The scope of the graph that was asked for: given values, else the preset's, else defaults."""
        preset = self.preset(graph, request.preset)
        for name in request.inputs:
            if name not in graph.inputs:
                self.fault(
                    "E110", f"the graph has no input '{name}'", None, nearest(name, graph.inputs)
                )
        return {n: self.root_input(i, source, request, preset) for n, i in graph.inputs.items()}

    def preset(self, graph: Graph, name: str | None) -> Mapping[str, Value]:
        for values in graph.presets.values():
            for key, value in values.items():
                if key not in graph.inputs:
                    self.fault(
                        "E110",
                        f"the graph has no input '{key}'",
                        value.span,
                        nearest(key, graph.inputs),
                    )
        if name is None:
            return {}
        if name not in graph.presets:
            self.fault(
                "E109", f"the graph has no preset '{name}'", None, nearest(name, graph.presets)
            )
        return graph.presets.get(name, {})

    def root_input(
        self,
        declared: GraphInput,
        source: SourceText,
        request: Request,
        preset: Mapping[str, Value],
    ) -> Bound:
        if declared.name in RESERVED:
            message = f"'{declared.name}' is an option of the command line and cannot name an input"
            self.fault("E105", message, declared.span, "choose another name")
        ref = self.declared_type(declared)
        if ref is None:
            return FAILED
        self.check_default(declared, ref)
        if declared.name in request.inputs:
            return self.given(declared, ref, request.inputs[declared.name], request.from_text)
        written = preset.get(declared.name) or declared.default
        if written is not None:
            return self.constant(declared, ref, _plain_value(written), written.span, source.folder)
        if declared.optional:
            return ABSENT
        if not request.whole:
            return Bound({"": (Constant(EXAMPLE, ref, declared.span, source.folder), ref)})
        message = f"the graph needs input '{declared.name}': {ref}"
        self.fault("E205", message, declared.span, f"give --{declared.name.replace('_', '-')}")
        return FAILED

    def declared_type(self, declared: GraphInput) -> TypeRef | None:
        try:
            ref = parse_type(declared.type)
        except ValueError as error:
            self.fault("E202", str(error), declared.span)
            return None
        known = {*self.registry.ports, "str", "int", "float", "bool", "list", "*"}
        for name in names_in(ref):
            if name not in known:
                self.fault(
                    "E202", f"there is no port type '{name}'", declared.span, nearest(name, known)
                )
                return None
        return ref

    def check_default(self, declared: GraphInput, ref: TypeRef) -> None:
        if declared.default is not None and _plain_value(declared.default) is not None:
            owner = f"input '{declared.name}': "
            self.literal(
                _plain_value(declared.default),
                _slot(declared, ref),
                declared.default.span,
                None,
                owner,
            )

    def given(self, declared: GraphInput, ref: TypeRef, value: Any, text: bool) -> Bound:
        if text:
            value = from_text(value, ref, self.registry.ports)
        elif not isinstance(value, str | int | float | bool | list | None):
            return Bound({"": (Constant(value, ref, None), ref)})
        return self.constant(declared, ref, value, None, Path())

    def constant(
        self, declared: GraphInput, ref: TypeRef, value: Any, span: Span | None, folder: Path | None
    ) -> Bound:
        if value is None and declared.optional:
            return ABSENT
        found = self.literal(value, _slot(declared, ref), span, None, f"input '{declared.name}': ")
        if isinstance(found, BadLiteral):
            return FAILED
        constant = Constant(found, ref, span, folder)
        return Bound({"": (constant, ref)}, constant if self.registry.parts(ref.name) else None)

    def literal(
        self, value: Any, slot: Slot, span: Span | None, node: str | None, owner: str = ""
    ) -> Any | BadLiteral:
        try:
            return coerced(value, slot, self.registry.ports)
        except BadLiteral as error:
            self.fault(error.code, owner + str(error), span, error.hint, node)
            return error

    # Graphs

    def unfold(self, graph: Graph, source: SourceText, scope: Scope, prefix: str) -> Outputs:
        """Append the steps of a graph under a prefix, and return its outputs."""
        self.sources[Path(source.name).name] = source.text
        self.stack.append(_identity(source))
        waits = {n: _references(node) & graph.nodes.keys() for n, node in graph.nodes.items()}
        order = in_order(waits)
        if len(order) < len(waits):
            self.cycle(graph, waits)
        for name in order:
            scope[name] = self.node(graph.nodes[name], source, scope, prefix + name)
        for name in graph.nodes.keys() - set(order):
            scope[name] = FAILED
        outputs = {n: self.output(value, scope) for n, value in graph.outputs.items()}
        self.stack.pop()
        return {n: found for n, found in outputs.items() if found is not None}

    def cycle(self, graph: Graph, waits: Mapping[str, set[str]]) -> None:
        path = cycle_among(waits)
        message = "nodes wait for each other: " + " → ".join([*path, path[0]])
        self.fault("E106", message, graph.nodes[path[0]].span, "cut one of these wires", path[0])

    def output(self, value: Value, scope: Scope) -> tuple[Source, TypeRef] | None:
        return self.reference(value, scope, None) if isinstance(value, Ref) else None

    def reference(self, ref: Ref, scope: Scope, node: str | None) -> tuple[Source, TypeRef] | None:
        """What `$name.port` stands for; None where it is absent or a fault was reported."""
        bound = scope.get(ref.name)
        if bound is None:
            self.fault(
                "E204", f"'${ref.name}' refers to nothing", ref.span, nearest(ref.name, scope), node
            )
            return Constant(None, UNKNOWN, ref.span), UNKNOWN
        if bound.failed:
            return Constant(None, UNKNOWN, ref.span), UNKNOWN
        if bound.bundle is not None and ref.port is not None:
            return self.part(bound.bundle, ref, node)
        if not bound.outputs:
            return None
        port = ref.port or next(iter(bound.outputs))
        if port not in bound.outputs:
            hint = nearest(port, [name for name in bound.outputs if name])
            self.fault("E203", f"'{ref.name}' has no output '{port}'", ref.span, hint, node)
            return Constant(None, UNKNOWN, ref.span), UNKNOWN
        source, kind = bound.outputs[port]
        return (
            Wire(source.step, source.output, ref.span) if isinstance(source, Wire) else source
        ), kind

    def part(self, bundle: Constant, ref: Ref, node: str | None) -> tuple[Source, TypeRef] | None:
        lister = self.registry.parts(bundle.type.name)
        unknown = Constant(None, UNKNOWN, ref.span), UNKNOWN
        if bundle.value is EXAMPLE or lister is None:
            return Constant(EXAMPLE, UNKNOWN, ref.span), UNKNOWN
        try:
            parts = lister(_located(bundle))
        except ValueError as error:
            self.fault("E208", str(error), bundle.span or ref.span, None, node)
            return unknown
        if ref.port not in parts:
            message = f"the bundle '{bundle.value}' has no part '{ref.port}'"
            self.fault("E209", message, ref.span, nearest(str(ref.port), parts), node)
            return unknown
        kind = TypeRef(parts[str(ref.port)])
        return Constant(f"{bundle.value}/{ref.port}", kind, ref.span, bundle.folder), kind

    # Nodes

    def node(self, node: GraphNode, source: SourceText, scope: Scope, path: str) -> Bound:
        if node.type.endswith((".yaml", ".yml")):
            return self.subgraph(node, self.beside(node, source), scope, path, source)
        if node.type in self.registry.composites:
            file = self.registry.composites[node.type]
            return self.subgraph(
                node,
                SourceText(str(file), file.read_text("utf-8"), file.parent),
                scope,
                path,
                source,
            )
        spec = self.registry.nodes.get(node.type)
        if spec is None:
            hint = nearest(node.type, [*self.registry.nodes, *self.registry.composites])
            self.fault(
                "E202", f"there is no node type '{node.type}'", node.type_span, hint, node.name
            )
            return FAILED
        return self.step(node, spec, source, scope, path)

    def beside(self, node: GraphNode, source: SourceText) -> SourceText | None:
        """The subgraph file that a type names, relative to the file that names it."""
        name = Path(node.type).name
        if name in source.siblings:
            return SourceText(name, source.siblings[name], source.folder, source.siblings)
        file = (source.folder or Path()) / node.type
        try:
            return SourceText(str(file), file.read_text("utf-8"), file.parent)
        except (OSError, UnicodeDecodeError):
            message = f"there is no graph file '{node.type}' beside {Path(source.name).name}"
            self.fault("E107", message, node.type_span, None, node.name)
            return None

    def subgraph(
        self, node: GraphNode, inner: SourceText | None, scope: Scope, path: str, outer: SourceText
    ) -> Bound:
        if inner is None:
            return FAILED
        if _identity(inner) in self.stack:
            chain = " → ".join(Path(n).name for n in [*self.stack, inner.name])
            self.fault("E108", f"a graph contains itself: {chain}", node.type_span, None, node.name)
            return FAILED
        graph, faults = read_graph(inner.text, inner.name)
        self.faults.extend(faults)
        if graph is None:
            return FAILED
        ports = self.graph_ports(graph)
        values = self.values(node, ports, outer, scope)
        if values is None:
            return ABSENT
        inside = {
            p.name: self.inside(graph.inputs[p.name], p, values.get(p.name), inner) for p in ports
        }
        return Bound(self.unfold(graph, inner, inside, path + "/"))

    def graph_ports(self, graph: Graph) -> tuple[Port, ...]:
        """The inputs of a graph as ports of the node that it is."""
        ports: list[Port] = []
        for declared in graph.inputs.values():
            ref = self.declared_type(declared) or UNKNOWN
            required = declared.default is None and not declared.optional
            slot = _slot(declared, ref)
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

    def inside(
        self, declared: GraphInput, port: Port, given: Source | None, inner: SourceText
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
            declared, port.type, _plain_value(declared.default), declared.default.span, inner.folder
        )

    def step(
        self, node: GraphNode, spec: NodeSpec, source: SourceText, scope: Scope, path: str
    ) -> Bound:
        bound: dict[str, TypeRef] = {}
        values = self.values(self.migrated(node, spec), spec.inputs, source, scope, bound)
        if values is None:
            return ABSENT
        types = tuple(resolved(port.type, bound) for port in spec.outputs)
        index = len(self.steps)
        self.steps.append(Step(path, spec, values, node.span, types))
        ports = zip(spec.outputs, types, strict=True)
        return Bound({p.name: (Wire(index, i, node.span), t) for i, (p, t) in enumerate(ports)})

    def migrated(self, node: GraphNode, spec: NodeSpec) -> GraphNode:
        """The node with the port names of older versions replaced by today's."""
        names = {old: new for renamed in spec.renames.values() for old, new in renamed.items()}
        old = [name for name in node.inputs if name in names and names[name] not in node.inputs]
        for name in old:
            message = (
                f"'{spec.name}' calls input '{name}' '{names[name]}' since version {spec.version}"
            )
            self.fault("W103", message, node.keys[name], f"write {names[name]}", node.name)
        if not old:
            return node
        now = {name: names[name] if name in old else name for name in node.inputs}
        inputs = {now[name]: value for name, value in node.inputs.items()}
        return replace(
            node,
            inputs=inputs,
            keys={now.get(name, name): span for name, span in node.keys.items()},
        )

    def values(
        self,
        node: GraphNode,
        ports: tuple[Port, ...],
        source: SourceText,
        scope: Scope,
        bound: dict[str, TypeRef] | None = None,
    ) -> dict[str, Source] | None:
        """What stands on each port; None when a required one is absent, so that the node is absent too."""
        bound = {} if bound is None else bound
        known = {port.name for port in ports}
        for name in node.inputs:
            if name not in known:
                message = f"'{node.type}' has no input '{name}'"
                self.fault("E201", message, node.keys[name], nearest(name, known), node.name)
        values: dict[str, Source] = {}
        absent = False
        for port in ports:
            written = node.inputs.get(port.name)
            found = (
                None if written is None else self.value(written, port, node, source, scope, bound)
            )
            if found is not None:
                values[port.name] = found
            elif port.required and written is None:
                message = f"'{node.name}' ({node.type}) needs input '{port.name}': {port.type}"
                self.fault("E205", message, node.span, self.feeders(port.type), node.name)
            elif port.required:
                absent = True
        return None if absent else values

    def value(
        self,
        written: Value,
        port: Port,
        node: GraphNode,
        source: SourceText,
        scope: Scope,
        bound: dict[str, TypeRef],
    ) -> Source | None:
        if isinstance(written, Literal) and written.value is None and not port.required:
            return None
        if isinstance(written, Ref):
            return self.wired(written, port, node, scope, bound)
        if isinstance(written, Listing) and _has_reference(written):
            return self.many(written, port, node, source, scope, bound)
        ref = (
            resolved(port.type, bound)
            if port.type.variable and port.type.name in bound
            else port.type
        )
        if ref.variable:
            bound.setdefault(ref.name, UNKNOWN)
            ref = UNKNOWN
        slot = Slot(ref, port.range, port.menu)
        found = self.literal(
            _plain_value(written), slot, written.span, node.name, f"{node.name}.{port.name}: "
        )
        if isinstance(found, BadLiteral):
            return Constant(None, UNKNOWN, written.span)
        return Constant(found, port.type, written.span, source.folder)

    def wired(
        self, written: Ref, port: Port, node: GraphNode, scope: Scope, bound: dict[str, TypeRef]
    ) -> Source | None:
        found = self.reference(written, scope, node.name)
        if found is None:
            return None
        source, ref = found
        target = port.type
        if port.fan_in:
            if self.fit(ref, target.args[0], bound):
                return Many((source,)) if isinstance(source, Constant | Wire) else source
            if ref.name == "list" and self.fit(ref, target, bound):
                return Many((source,)) if isinstance(source, Constant | Wire) else source
        elif self.fit(ref, target, bound):
            return self.ranged(source, port, written, node)
        self.mismatch(written, ref, port, node, bound)
        return Constant(None, UNKNOWN, written.span)

    def ranged(self, source: Source, port: Port, written: Ref, node: GraphNode) -> Source:
        """A constant that came through an input is checked, and put into the port's own form."""
        if (
            not isinstance(source, Constant)
            or source.value is EXAMPLE
            or source.type.name not in ("int", "float", "str")
        ):
            return source
        if port.range is None and port.menu is None and port.type == source.type:
            return source
        slot = Slot(port.type if not port.type.variable else source.type, port.range, port.menu)
        value = self.literal(
            source.value, slot, source.span or written.span, node.name, f"{node.name}.{port.name}: "
        )
        return source if isinstance(value, BadLiteral) else replace(source, value=value)

    def many(
        self,
        written: Listing,
        port: Port,
        node: GraphNode,
        source: SourceText,
        scope: Scope,
        bound: dict[str, TypeRef],
    ) -> Source:
        if not port.fan_in:
            message = f"{node.name}.{port.name} takes one {port.type}, not a list"
            self.fault("E301", message, written.span, None, node.name)
            return Constant(None, UNKNOWN, written.span)
        entries: list[Constant | Wire] = []
        single = replace(port, type=port.type.args[0], fan_in=False)
        for item in written.items:
            target = port if self.is_list(item, scope) else single
            found = self.value(item, target, node, source, scope, bound)
            entries.extend(
                found.entries if isinstance(found, Many) else [] if found is None else [found]
            )
        return Many(tuple(entries))

    def is_list(self, item: Value, scope: Scope) -> bool:
        bound = scope.get(item.name) if isinstance(item, Ref) else None
        if bound is None or not bound.outputs or not isinstance(item, Ref):
            return False
        found = bound.outputs.get(item.port or next(iter(bound.outputs)))
        return found is not None and (found[1].name == "list" or isinstance(found[0], Many))

    def fit(self, source: TypeRef, target: TypeRef, bound: dict[str, TypeRef]) -> bool:
        attempt = dict(bound)
        if not fits(source, target, attempt, self.registry.widenings):
            return False
        bound.update(attempt)
        return True

    def mismatch(
        self, written: Ref, ref: TypeRef, port: Port, node: GraphNode, bound: dict[str, TypeRef]
    ) -> None:
        wanted = resolved(port.type, bound) if port.type.name in bound else port.type
        shown = f"${written.name}" + (f".{written.port}" if written.port else "")
        message = f"{node.name}.{port.name} wants {wanted}, but {shown} gives {ref}"
        self.fault("E301", message, written.span, self.converters(ref, wanted), node.name)

    def converters(self, source: TypeRef, target: TypeRef) -> str | None:
        """Node types that turn one type into the other."""
        wide = self.registry.widenings
        names = [
            spec.name
            for spec in self.registry.nodes.values()
            if any(
                fits(out.type, target, {}, wide) and not out.type.variable for out in spec.outputs
            )
            and any(
                fits(source, p.type, {}, wide) and not p.type.variable and p.required
                for p in spec.inputs
            )
        ]
        return f"{' or '.join(sorted(names)[:3])} would convert it" if names else None

    def feeders(self, target: TypeRef) -> str | None:
        wide = self.registry.widenings
        names = sorted(
            s.name
            for s in self.registry.nodes.values()
            if any(fits(o.type, target, {}, wide) for o in s.outputs)
        )
        return f"{', '.join(names[:4])} would give one" if names and not target.variable else None

    def unused(self, graph: Graph) -> None:
        """Warn of nodes and inputs that nothing depends on; a node without outputs acts by itself."""
        sinks = {
            n
            for n, node in graph.nodes.items()
            if (s := self.registry.nodes.get(node.type)) and not s.outputs
        }
        reached = {v.name for v in graph.outputs.values() if isinstance(v, Ref)} | sinks
        waiting = list(reached)
        while waiting:
            node = graph.nodes.get(waiting.pop())
            fresh = _references(node) - reached if node else set[str]()
            reached |= fresh
            waiting.extend(fresh)
        for name, node in graph.nodes.items():
            if name not in reached:
                self.fault("W101", f"nothing depends on node '{name}'", node.span, None, name)
        used = {r for node in graph.nodes.values() for r in _references(node)} | reached
        for name, declared in graph.inputs.items():
            if name not in used:
                self.fault("W102", f"no node uses input '{name}'", declared.span)


def _identity(source: SourceText) -> str:
    """What tells one graph file from another, however it is named."""
    return str(((source.folder or Path()) / Path(source.name).name).resolve())


def _located(bundle: Constant) -> str:
    """The bundle's name, or its folder relative to where the literal stands."""
    path = (bundle.folder or Path()) / str(bundle.value)
    return str(path) if path.is_dir() else str(bundle.value)


def _slot(declared: GraphInput, ref: TypeRef) -> Slot:
    bounded = declared.low is not None or declared.high is not None
    return Slot(ref, Range(declared.low, declared.high) if bounded else None, declared.menu)


def _plain_value(value: Value) -> Any:
    if isinstance(value, Listing):
        return [_plain_value(item) for item in value.items]
    return value.value if isinstance(value, Literal) else None


def _references(node: GraphNode) -> set[str]:
    found: set[str] = set()
    waiting = list(node.inputs.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, Ref):
            found.add(value.name)
        elif isinstance(value, Listing):
            waiting.extend(value.items)
    return found


def _has_reference(value: Value) -> bool:
    return isinstance(value, Ref) or (
        isinstance(value, Listing) and any(map(_has_reference, value.items))
    )


def composite_spec(name: str, path: Path, registry: Registry) -> NodeSpec:
    """The spec of a shipped graph that is used as a node: its inputs and outputs are the ports."""
    compiled = compile_graph(path, registry, Request(whole=False))
    program, graph = compiled.checked(), compiled.graph
    if graph is None:
        raise GraphError(compiled.diagnostics)
    ports = _Compiler(registry, []).graph_ports(graph)
    defaults = {
        n: _plain_value(i.default) for n, i in graph.inputs.items() if i.default is not None
    }
    inputs = tuple(replace(p, default=defaults.get(p.name)) for p in ports)
    outputs = tuple(Port(n, t) for n, t in program.output_types.items())
    doc = graph.title + (f"\n\n{graph.description}" if graph.description else "")
    return NodeSpec(name, str(path), inputs, outputs, "composite", doc, composite=True)
