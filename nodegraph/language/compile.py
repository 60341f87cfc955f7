"""A graph file → a program: subgraphs unfolded, inputs bound, every wire checked; all faults are found at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError, diagnostic, meant, place, swap
from nodegraph.base.paths import Sandbox
from nodegraph.language.given import inputs_of_places, named_places
from nodegraph.language.graph import Graph, GraphNode, Ref, Value
from nodegraph.language.inputs import Inputs, Request
from nodegraph.language.order import cycles_among, in_order
from nodegraph.language.program import Constant, Many, Program, Source, Step, Wire
from nodegraph.language.reading import read_graph
from nodegraph.language.references import Found, References, references
from nodegraph.language.scope import ABSENT, FAILED, Bound, Faults, Scope
from nodegraph.language.source import SourceText, places, read_source
from nodegraph.language.subgraphs import Subgraphs
from nodegraph.language.unfolding import GATHER, SWITCH, Unfolding, gathered
from nodegraph.language.unused import warn_of_unused
from nodegraph.language.wiring import Site, Wiring
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import resolved

MOST_STEPS = 10_000
MOST_TEXT = 3 * 2**20
"""Characters of the graph files of a graph, each counted as often as it is used, and `USE` more for each use."""
USE = 200
OWN_NODES = "a node of your own? name its file: --nodes FILE.py, in Python nodes=['FILE.py']"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The program (None where there are errors), all diagnostics, and the graph as read.

    `texts` are those of all its files, by the names that the spans of diagnostics give them.
    """

    program: Program | None
    diagnostics: tuple[Diagnostic, ...]
    graph: Graph | None
    texts: Mapping[str, str] = field(default_factory=dict[str, str])

    def checked(self) -> Program:
        """The program. Raises GraphError with every fault."""
        if self.program is None:
            raise GraphError(self.diagnostics, self.texts)
        return self.program


def compile_graph(
    source: SourceText | Path | str, registry: Registry, request: Request | None = None
) -> Compiled:
    """Check a graph and make its program. Faults are returned, not raised."""
    try:
        return _compile(read_source(source), registry, request or Request())
    except GraphError as error:
        return Compiled(None, error.diagnostics, None)


def _compile(source: SourceText, registry: Registry, request: Request) -> Compiled:
    graph, found = read_graph(source.text, source.name)
    faults = Faults(registry, texts={source.name: source.text})
    faults.extend(found)
    if graph is None:
        return Compiled(None, _told(faults), None, {source.name: source.text})
    scope = Inputs(registry, faults).root(graph, source.folder, request)
    caller = {*request.inputs, *request.texts} & inputs_of_places(graph, registry)
    named = named_places(_given(scope), caller)
    sandbox = Sandbox(places(source, registry), Path(), (*request.readable, *named))
    compiler = _Compiler(registry, faults, References(registry, faults, sandbox))
    outputs = compiler.whole(graph, source, scope)
    if request.until is not None:
        outputs = compiler.until(request.until, graph, scope)
    if not faults.errors:
        warn_of_unused(graph, registry, faults)
    diagnostics = _told(faults)
    if faults.errors:
        return Compiled(None, diagnostics, graph, compiler.texts)
    program = replace(_program(source, graph, compiler, scope, outputs), named=named)
    return Compiled(program, diagnostics, graph, compiler.texts)


def _told(faults: Faults) -> tuple[Diagnostic, ...]:
    """The faults in order of their places, without those that follow from others.

    What stands behind a syntax error, or in a number that is too long, was not read, and is not missing.
    """
    broken = any(fault.code == Code.YAML_SYNTAX for fault in faults.found)
    unread = {fault.span for fault in faults.found if fault.code == Code.LONG_NUMBER}
    meant = [
        fault
        for fault in faults.found
        if not (broken and fault.code in (Code.UNRESOLVED_REFERENCE, Code.MISSING_INPUT))
        and (fault.code == Code.LONG_NUMBER or fault.span not in unread)
    ]
    rest = [diagnostic(Code.MANY_FAULTS, "there are more faults than these")] if faults.more else []
    return (*sorted(meant, key=place), *rest)


class _TooLarge(Exception):
    """A graph that has grown beyond its bounds while it was unfolded."""


Outputs = dict[str, Found]


def _program(
    source: SourceText, graph: Graph, compiler: "_Compiler", scope: Scope, outputs: Outputs
) -> Program:
    gathered = {n: compiler.gather(n, *found) for n, found in outputs.items()}
    return Program(
        file=source.name,
        title=graph.title,
        steps=tuple(compiler.steps),
        outputs=gathered,
        output_types={n: t for n, (_, t) in outputs.items()},
        inputs=_given(scope),
        sources=compiler.sources,
        places=inputs_of_places(graph, compiler.registry),
    )


def _given(scope: Scope) -> dict[str, Any]:
    """The values of a graph's inputs."""
    return {n: s.value for n, b in scope.items() if (s := b.bundle or _constant(b)) is not None}


def _constant(bound: Bound) -> Constant | None:
    found = bound.outputs.get("")
    return found[0] if found and isinstance(found[0], Constant) else None


class _Compiler:
    """Unfolds a graph into steps."""

    def __init__(self, registry: Registry, faults: Faults, references: References) -> None:
        self.registry = registry
        self.faults = faults
        self.inputs = Inputs(registry, faults)
        self.references = references
        self.wiring = Wiring(registry, faults, references)
        self.unfolding = Unfolding(faults, references, registry.widenings)
        self.subgraphs = Subgraphs(registry, faults)
        self.steps: list[Step] = []
        self.sources: dict[str, str] = {}
        self.texts = faults.texts
        self.ports: dict[str, tuple[Port, ...]] = {}
        self.menus: dict[tuple[str, str], tuple[str, ...]] = {}
        """The menus of inputs, by file and name: what a type that is such an input may be."""
        self.unfolded = 0
        self.outermost: GraphNode | None = None

    def whole(self, graph: Graph, source: SourceText, scope: Scope) -> Outputs:
        """The steps and outputs of the graph that was asked for, within the bounds."""
        try:
            return self.unfold(graph, source, scope, "")
        except _TooLarge as error:
            assert self.outermost is not None
            node = self.outermost
            self.faults.add(Code.TOO_MANY_STEPS, str(error), node.span, None, node.name)
            return {}

    def until(self, name: str, graph: Graph, scope: Scope) -> Outputs:
        """The outputs of a node, in the place of the graph's own."""
        if name not in graph.nodes:
            hint = self.faults.hints.nearest(name, graph.nodes)
            self.faults.add(Code.UNKNOWN_OUTPUT, f"the graph has no node '{name}'", None, hint)
            return {}
        found = scope.get(name, ABSENT).outputs
        return {name if len(found) == 1 else f"{name}_{port}": out for port, out in found.items()}

    def unfold(self, graph: Graph, source: SourceText, scope: Scope, prefix: str) -> Outputs:
        """Append the steps of a graph under a prefix, and return its outputs."""
        self.sources[source.key] = source.text
        self.texts[source.name] = source.text
        for name, declared in graph.inputs.items():
            if declared.menu:
                self.menus[source.name, name] = tuple(map(str, declared.menu))
        waits = {n: references(node) & graph.nodes.keys() for n, node in graph.nodes.items()}
        order = in_order(waits)
        with self.subgraphs.inside(source):
            for name in order:
                scope[name] = self.node(graph.nodes[name], source, scope, prefix + name)
            if len(order) < len(waits):
                self.report_cycles(graph, source, scope, waits, set(order))
        outputs = {n: self.output(value, scope) for n, value in graph.outputs.items()}
        return {n: found for n, found in outputs.items() if found is not None}

    def report_cycles(
        self,
        graph: Graph,
        source: SourceText,
        scope: Scope,
        waits: Mapping[str, set[str]],
        ordered: set[str],
    ) -> None:
        """Report every cycle, and what else is wrong with the nodes on it and behind it."""
        for path in cycles_among(waits):
            message = "nodes wait for each other: " + " → ".join([*path, path[0]])
            span = graph.nodes[path[0]].span
            self.faults.add(Code.CYCLE, message, span, "cut one of these wires", path[0])
        rest = [name for name in graph.nodes if name not in ordered]
        scope.update(dict.fromkeys(rest, FAILED))
        for name in rest:
            self.node(graph.nodes[name], source, scope, name)

    def output(self, value: Value, scope: Scope) -> Found | None:
        if not isinstance(value, Ref):
            return None
        return self.references.find(value, scope, None)

    def node(self, node: GraphNode, source: SourceText, scope: Scope, path: str) -> Bound:
        if len(self.subgraphs.stack) == 1:
            self.outermost = node
        if node.each is None:
            return FAILED
        if node.each:
            return self.each(node, source, scope, path)
        if node.type == SWITCH:
            return self.unfolding.switched(node, scope)
        if node.type.startswith("$"):
            return self.chosen(node, source, scope, path)
        site = Site(node, source.folder, scope)
        if node.type.endswith((".yaml", ".yml")):
            return self.subgraph(site, self.subgraphs.beside(node, source), path)
        if node.type in self.registry.clashes:
            message = self.registry.clash(node.type)
            self.faults.add(Code.NAME_TAKEN_TWICE, message, node.type_span, None, node.name)
            return FAILED
        if node.type in self.registry.composites:
            return self.subgraph(site, self.subgraphs.composite(node.type), path)
        spec = self.registry.nodes.get(node.type)
        if spec is None:
            known = {*self.registry.nodes, *self.registry.composites}
            near = self.faults.hints.nearest(node.type, known)
            why, hint = self.registry.absence(node.type, near)
            hint = hint or OWN_NODES
            message = f"there is no node type '{node.type}'{why}"
            fix = swap(node.type_span, meant(hint))
            self.faults.add(Code.UNKNOWN_TYPE, message, node.type_span, hint, node.name, fix)
            return FAILED
        return self.step(replace(site, node=self.migrated(node, spec)), spec, path)

    def each(self, node: GraphNode, source: SourceText, scope: Scope, path: str) -> Bound:
        """The nodes that one with `each` stands for; its outputs are lists of theirs."""
        cells = self.unfolding.cells(node, scope)
        if cells is None:
            return FAILED
        numbered = enumerate(cells)
        return gathered([self.node(n, source, s, f"{path}[{i}]") for i, (n, s) in numbered])

    def chosen(self, node: GraphNode, source: SourceText, scope: Scope, path: str) -> Bound:
        """A node whose type an input says: what else its menu has is checked too, and not run."""
        ref = Ref(node.type[1:], None, node.type_span)
        ways = self.menus.get((source.name, ref.name))
        bound = scope.get(ref.name)
        if ways is None or bound is None or bound.failed:
            if bound is None or not bound.failed:
                message = f"'{node.type}' is no input with a menu of node types"
                hint = (
                    f"declare: {ref.name}: {{type: str, menu: [type_a, type_b], default: type_a}}"
                )
                self.faults.add(Code.UNKNOWN_CHOICE, message, node.type_span, hint, node.name)
            return FAILED
        source_of = bound.outputs.get("", (None, None))[0]
        taken = (
            self.unfolding.named(node, source_of, node.type_span, ways)
            if isinstance(source_of, Constant)
            else None
        )
        found = {
            way: self.node(
                replace(node, type=way), source, scope, path if way == taken else f"{path}:{way}"
            )
            for way in ways
        }
        return FAILED if taken is None else found[taken]

    def subgraph(self, site: Site, inner: SourceText | None, path: str) -> Bound:
        graph = None if inner is None else self.subgraphs.read(site.node, inner)
        if inner is None or graph is None:
            return FAILED
        self.unfolded += len(inner.text) + USE
        if self.unfolded > MOST_TEXT:
            size = f"{MOST_TEXT / 2**20:g} MiB"
            raise _TooLarge(f"with its subgraphs unfolded, the graph is longer than {size}")
        identity = self.subgraphs.identity(inner)
        if identity not in self.ports:
            self.ports[identity] = self.inputs.ports(graph)
        ports = self.ports[identity]
        values = self.wiring.values(site, ports)
        if values is None:
            return ABSENT
        scope = {
            port.name: self.inputs.of_subgraph(
                graph.inputs[port.name], port, values.get(port.name), inner.folder
            )
            for port in ports
        }
        return Bound(self.unfold(graph, inner, scope, path + "/"))

    def step(self, site: Site, spec: NodeSpec, path: str) -> Bound:
        values = self.wiring.values(site, spec.inputs)
        if values is None:
            return ABSENT
        if len(self.steps) >= MOST_STEPS:
            raise _TooLarge(f"the graph has more than {MOST_STEPS:,} steps")
        span = site.node.span
        types = tuple(resolved(port.type, site.variables) for port in spec.outputs)
        index = len(self.steps)
        self.steps.append(Step(path, spec, values, span, types))
        ports = zip(spec.outputs, types, strict=True)
        return Bound({p.name: (Wire(index, i, span), t) for i, (p, t) in enumerate(ports)})

    def gather(self, name: str, source: Source, kind: TypeRef) -> Constant | Wire:
        """What comes out under a name: of many values a list, which a step of its own makes."""
        if not isinstance(source, Many):
            return source
        self.steps.append(Step(f"{name}[]", GATHER, {"items": source}, None, (kind,)))
        return Wire(len(self.steps) - 1, 0, None)

    def migrated(self, node: GraphNode, spec: NodeSpec) -> GraphNode:
        """The node with the port names of older versions replaced by today's."""
        names = {old: new for renamed in spec.renames.values() for old, new in renamed.items()}
        old = [name for name in node.inputs if name in names and names[name] not in node.inputs]
        for name in old:
            message = (
                f"'{spec.name}' calls input '{name}' '{names[name]}' since version {spec.version}"
            )
            place, hint = node.keys[name], f"write {names[name]}"
            self.faults.add(
                Code.RENAMED_PORT, message, place, hint, node.name, swap(place, names[name])
            )
        if not old:
            return node
        now = {name: names[name] if name in old else name for name in node.inputs}
        inputs = {now[name]: value for name, value in node.inputs.items()}
        return replace(
            node,
            inputs=inputs,
            keys={now.get(name, name): span for name, span in node.keys.items()},
        )
