"""What `$name`, `$name.port` and `$bundle.part` stand for."""

from dataclasses import dataclass
from pathlib import Path

from nodegraph.graph import GraphNode, Listing, Ref, Value
from nodegraph.program import EXAMPLE, Constant, Many, Source, Wire
from nodegraph.registry import Registry
from nodegraph.scope import Faults, Scope, unknown
from nodegraph.types import TypeRef
from nodegraph.unify import UNKNOWN

Found = tuple[Source, TypeRef]
"""A source with the type of what it gives."""


@dataclass(frozen=True, slots=True)
class References:
    """Looks names up in a scope; what refers to nothing is reported."""

    registry: Registry
    faults: Faults

    def find(self, ref: Ref, scope: Scope, node: str | None) -> Found | None:
        """What `$name.port` stands for; None where it is absent or a fault was reported."""
        bound = scope.get(ref.name)
        if bound is None:
            hint = self.faults.hints.nearest(ref.name, scope)
            self.faults.add("E204", f"'${ref.name}' refers to nothing", ref.span, hint, node)
            return unknown(ref.span), UNKNOWN
        if bound.failed:
            return unknown(ref.span), UNKNOWN
        if bound.bundle is not None and ref.port is not None:
            return self._part(bound.bundle, ref, node)
        if not bound.outputs:
            return None
        port = ref.port or next(iter(bound.outputs))
        if port not in bound.outputs:
            hint = self.faults.hints.nearest(port, [name for name in bound.outputs if name])
            self.faults.add("E203", f"'{ref.name}' has no output '{port}'", ref.span, hint, node)
            return unknown(ref.span), UNKNOWN
        source, kind = bound.outputs[port]
        return (
            Wire(source.step, source.output, ref.span) if isinstance(source, Wire) else source
        ), kind

    def _part(self, bundle: Constant, ref: Ref, node: str | None) -> Found | None:
        lister = self.registry.parts(bundle.type.name)
        nothing = unknown(ref.span), UNKNOWN
        if bundle.value is EXAMPLE or lister is None:
            return Constant(EXAMPLE, UNKNOWN, ref.span), UNKNOWN
        try:
            parts = lister(_located(bundle))
        except ValueError as error:
            message = f"{bundle.given or f'input {ref.name!r}'}: {error}"
            self.faults.add("E208", message, bundle.span, "see `nodegraph models`")
            return nothing
        if ref.port not in parts:
            held = ", ".join(sorted(parts)) or "nothing"
            message = f"the bundle '{bundle.value}' has no part '{ref.port}'; it holds {held}"
            hint = self.faults.hints.nearest(str(ref.port), parts)
            if hint is None or not hint.startswith("did you mean"):
                hint = f"give another bundle, one that has it, as input '{ref.name}'"
            self.faults.add("E209", message, ref.span, hint, node)
            return nothing
        kind = TypeRef(parts[str(ref.port)])
        return Constant(f"{bundle.value}/{ref.port}", kind, ref.span, bundle.folder), kind


def is_list(value: Value, scope: Scope) -> bool:
    """Whether a reference stands for a list."""
    bound = scope.get(value.name) if isinstance(value, Ref) else None
    if bound is None or not bound.outputs or not isinstance(value, Ref):
        return False
    found = bound.outputs.get(value.port or next(iter(bound.outputs)))
    return found is not None and (found[1].name == "list" or isinstance(found[0], Many))


def references(node: GraphNode) -> set[str]:
    """The names that a node refers to."""
    found: set[str] = set()
    waiting = list(node.inputs.values())
    while waiting:
        value = waiting.pop()
        if isinstance(value, Ref):
            found.add(value.name)
        elif isinstance(value, Listing):
            waiting.extend(value.items)
    return found


def has_reference(value: Value) -> bool:
    """Whether a value is a reference, or a list that holds one."""
    return isinstance(value, Ref) or (
        isinstance(value, Listing) and any(map(has_reference, value.items))
    )


def _located(bundle: Constant) -> str:
    """The bundle's name, or its folder relative to where the literal stands."""
    path = (bundle.folder or Path()) / str(bundle.value)
    return str(path) if path.is_dir() else str(bundle.value)
