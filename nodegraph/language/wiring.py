"""What stands on the ports of a node: literals, references and fan-in, each checked against the port's type."""

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Edit, Span, meant, swap
from nodegraph.language.graph import GraphNode, Listing, Literal, Ref, Value
from nodegraph.language.literals import BadLiteral, Slot, accepts_literals, member_for
from nodegraph.language.mistaken import behind_a_comma
from nodegraph.language.program import EXAMPLE, Constant, Many, Source, Wire
from nodegraph.language.references import References, has_reference, is_list
from nodegraph.language.scope import Faults, Scope, plain, unknown
from nodegraph.language.written import joined
from nodegraph.library.node import Port
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import PLAIN, UNKNOWN, fits, names_in, resolved


@dataclass(frozen=True, slots=True)
class Site:
    """A node while its ports are wired: the folder of its file, the names in reach, and its type variables so far."""

    node: GraphNode
    folder: Path | None
    scope: Scope
    variables: dict[str, TypeRef] = field(default_factory=dict[str, TypeRef])

    def owner(self, port: Port) -> str:
        return f"{self.node.name}.{port.name}"


@dataclass(frozen=True, slots=True)
class Wiring:
    """Finds what stands on ports."""

    registry: Registry
    faults: Faults
    references: References

    def values(self, site: Site, ports: tuple[Port, ...]) -> dict[str, Source] | None:
        """What stands on each port; None when a required one is absent, so that the node is absent too."""
        node, values, absent = site.node, dict[str, Source](), False
        self._strangers(node, {port.name for port in ports})
        for port in sorted(ports, key=lambda p: _waits(p, node.inputs.get(p.name))):
            written = node.inputs.get(port.name)
            found = None if written is None else self._value(site, port, written)
            if found is not None:
                values[port.name] = found
            elif port.name in node.keys and written is None:
                values[port.name] = unknown(node.keys[port.name])
            elif port.required and written is None:
                message = f"'{node.name}' ({node.type}) needs input '{port.name}': {port.type}"
                self.faults.add(
                    Code.MISSING_INPUT, message, node.span, self._giver(port), node.name
                )
            elif port.required:
                absent = True
        return None if absent else values

    def _strangers(self, node: GraphNode, known: set[str]) -> None:
        for name in node.inputs:
            if name not in known:
                message = f"'{node.type}' has no input '{name}'"
                rest = behind_a_comma(name, node.inputs[name])
                hint = rest or self.faults.hints.nearest(name, known)
                fix = self._joined(node, name) if rest else self._renamed(node, name, meant(hint))
                self.faults.add(Code.UNKNOWN_PORT, message, node.keys[name], hint, node.name, fix)

    def _renamed(self, node: GraphNode, name: str, right: str | None) -> tuple[Edit, ...]:
        """The edit that gives a value to another port, which has none yet."""
        alone = self.faults.written(node.keys[name]).strip("'\"") == name  # not `a+b` of each
        return () if right in node.inputs or not alone else swap(node.keys[name], right)

    def _joined(self, node: GraphNode, name: str) -> tuple[Edit, ...]:
        """The edit that quotes a text of which a comma made a part a key: `{text: red, blue}`."""
        before = [
            node.inputs[n] for n in node.inputs if _is_before(node.inputs[n], node.keys[name])
        ]
        here, value = node.keys[name], node.inputs[name]
        if not before or not isinstance(value, Literal) or value.value is not None:
            return ()
        span = replace(before[-1].span, end_line=here.end_line, end_column=here.end_column)
        return swap(span, joined(self.faults.written(span)))

    def _value(self, site: Site, port: Port, written: Value) -> Source | None:
        if isinstance(written, Literal) and written.value is None and not port.required:
            return None
        if isinstance(written, Ref):
            return self._wired(site, port, written)
        if isinstance(written, Listing) and has_reference(written):
            return self._many(site, port, written)
        return self._literal(site, port, written)

    def _literal(self, site: Site, port: Port, written: Value) -> Source:
        ref = site.variables.get(port.type.name, port.type) if port.type.variable else port.type
        slot, owner = Slot(ref, port.range, port.menu), f"{site.owner(port)}: "
        if ref.variable and isinstance(written, Literal) and (hint := self._reader(written.value)):
            message = (
                f"{owner}{written.value!r} cannot stand here: this input takes its type from a wire"
            )
            self.faults.add(Code.BAD_LITERAL, message, written.span, hint, site.node.name)
            return unknown(written.span)
        if isinstance(written, Listing) and ref.name == "list":
            single = replace(port, type=ref.args[0])
            items = [self._literal(site, single, item) for item in written.items]
            if any(isinstance(item, Constant) and item.type == UNKNOWN for item in items):
                return unknown(written.span)
        found = self.faults.literal(plain(written), slot, written.span, site.node.name, owner)
        if isinstance(found, BadLiteral):
            return unknown(written.span)
        kind = member_for(found, ref, self.registry.ports)
        return Constant(found, kind, written.span, site.folder)

    def _reader(self, value: object) -> str | None:
        """How to bring a file in by a node: by one that opens files, and needs nothing else."""
        if not isinstance(value, str) or not PurePath(value).suffix:
            return None
        if not self.faults.hints.spend(len(self.registry.nodes)):
            return None
        for spec in sorted(self.registry.nodes.values(), key=lambda s: s.name):
            needed = [port.name for port in spec.inputs if port.required]
            if "file" in spec.words and "open" in spec.words and len(needed) == 1:
                node = f"{{type: {spec.name}, {needed[0]}: {value}}}"
                return f"read the file with a node, `opened: {node}`, and write $opened here"
        return None

    def _wired(self, site: Site, port: Port, written: Ref) -> Source | None:
        target = self.references.find(written, site.scope, site.node.name)
        if target is None:
            return None
        source, ref = target
        if port.fan_in:
            single = replace(port, type=port.type.args[0], fan_in=False)
            item = self._fit(site, ref, single.type)
            if item or (ref.name == "list" and self._fit(site, ref, port.type)):
                found = self._ranged(site, single if item else port, written, source)
                return Many((found,)) if isinstance(found, Constant | Wire) else found
        elif self._fit(site, ref, port.type):
            return self._ranged(site, port, written, source)
        self._mismatch(site, port, written, ref)
        return unknown(written.span)

    def _ranged(self, site: Site, port: Port, written: Ref, source: Source) -> Source:
        """A constant that came through an input is checked, and put into the port's own form."""
        if not isinstance(source, Constant) or source.value is EXAMPLE:
            return source
        if not {"int", "float", "str", "list"}.issuperset(names_in(source.type)):
            return source
        if port.range is None and port.menu is None and port.type == source.type:
            return source
        slot = Slot(source.type if port.type.variable else port.type, port.range, port.menu)
        owner = f"{source.given or site.owner(port)}: "
        span = source.span or (None if source.given else written.span)
        value = self.faults.literal(source.value, slot, span, site.node.name, owner)
        return source if isinstance(value, BadLiteral) else replace(source, value=value)

    def _many(self, site: Site, port: Port, written: Listing) -> Source:
        if not port.fan_in:
            message = f"{site.owner(port)} takes one {port.type}, not a list"
            self.faults.add(Code.TYPE_MISMATCH, message, written.span, None, site.node.name)
            return unknown(written.span)
        entries: list[Constant | Wire] = []
        single = replace(port, type=port.type.args[0], fan_in=False)
        for item in written.items:
            found = self._value(site, port if is_list(item, site.scope) else single, item)
            if found is not None:
                entries.extend(found.entries if isinstance(found, Many) else [found])
        return Many(tuple(entries))

    def _fit(self, site: Site, source: TypeRef, target: TypeRef) -> bool:
        attempt = dict(site.variables)
        if not fits(source, target, attempt, self.registry.widenings):
            return False
        site.variables.update(attempt)
        return True

    def _mismatch(self, site: Site, port: Port, written: Ref, ref: TypeRef) -> None:
        known = site.variables
        wanted = resolved(port.type, known) if port.type.name in known else port.type
        shown = f"${written.name}" + (f".{written.port}" if written.port else "")
        message = f"{site.owner(port)} wants {wanted}, but {shown} gives {ref}"
        hint = self._converters(ref, wanted)
        self.faults.add(Code.TYPE_MISMATCH, message, written.span, hint, site.node.name)

    def _converters(self, source: TypeRef, target: TypeRef) -> str | None:
        """Node types that make one type of the other; those that want the other one too only change it."""
        if not self.faults.hints.spend(len(self.registry.nodes)):
            return None
        wide = self.registry.widenings

        def takes(port: Port, kind: TypeRef) -> bool:
            one = port.type.args[0] if port.fan_in and port.type.args else port.type
            needed = port.required or port.fan_in
            return needed and not one.variable and fits(kind, one, {}, wide)

        names = [
            spec.name
            for spec in self.registry.nodes.values()
            if any(fits(o.type, target, {}, wide) and not o.type.variable for o in spec.outputs)
            and any(takes(port, source) for port in spec.inputs)
            and not any(takes(port, target) for port in spec.inputs)
        ]
        return f"{' or '.join(sorted(names)[:3])} would convert it" if names else None

    def _giver(self, port: Port) -> str | None:
        """What would give an input: a value that is written here, or the output of a node."""
        ways: list[str] = []
        if accepts_literals(port.type, self.registry.ports):
            ways.append(f"write {port.name}: …")
        if port.type.name in PLAIN:
            return ways[0]
        if not self.faults.hints.spend(len(self.registry.nodes)):
            return " or ".join(ways) or None
        wide = self.registry.widenings
        names = sorted(
            s.name
            for s in self.registry.nodes.values()
            if any(not o.type.variable and fits(o.type, port.type, {}, wide) for o in s.outputs)
        )
        if names:
            ways.append(f"wire one of {', '.join(names[:4])}")
        return " or ".join(ways) or None


def _is_before(value: Value, place: Span) -> bool:
    """Whether a text stands before a place, on its line."""
    same = value.span.line == value.span.end_line == place.line
    return isinstance(value, Literal) and same and value.span.end_column <= place.column


def _waits(port: Port, written: Value | None) -> bool:
    """A literal on a generic port waits for the wires that say what type it is."""
    return port.type.variable and isinstance(written, Literal | Listing)
