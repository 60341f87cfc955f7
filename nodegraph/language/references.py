"""What `$name`, `$name.port` and `$bundle.part` stand for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Edit, meant, swap
from nodegraph.base.paths import Outside, Sandbox, expanded
from nodegraph.language.graph import GraphNode, Listing, Ref, Value
from nodegraph.language.program import EXAMPLE, Constant, Many, Source, Wire
from nodegraph.language.scope import Faults, Scope, unknown
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import Registry
from nodegraph.library.typerefs import UNKNOWN

Found = tuple[Source, TypeRef]
"""A source with the type of what it gives."""
Lister = Callable[[Any, Callable[[str], Path]], Mapping[str, str]]
"""Gives the parts of a bundle, of which it finds the folder by a function of its name."""


@dataclass(frozen=True, slots=True)
class References:
    """Looks names up in a scope; what refers to nothing is reported. Bundles are looked for in the sandbox."""

    registry: Registry
    faults: Faults
    sandbox: Sandbox
    _bundles: dict[tuple[str, str, str], Mapping[str, str] | None] = field(
        default_factory=dict[tuple[str, str, str], Mapping[str, str] | None]
    )
    """Parts of the bundles that were looked up; None where a fault was reported."""

    def find(self, ref: Ref, scope: Scope, node: str | None) -> Found | None:
        """What `$name.port` stands for; None where it is absent or a fault was reported."""
        bound = scope.get(ref.name)
        if bound is None:
            hint = self.faults.hints.nearest(ref.name, scope)
            fix = _refers(ref, meant(hint), ref.port)
            self.faults.add(
                Code.UNRESOLVED_REFERENCE,
                f"'${ref.name}' refers to nothing",
                ref.span,
                hint,
                node,
                fix,
            )
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
            fix = _refers(ref, ref.name, meant(hint)) if meant(hint) else ()
            message = f"'{ref.name}' has no output '{port}'"
            self.faults.add(Code.UNKNOWN_OUTPUT, message, ref.span, hint, node, fix)
            return unknown(ref.span), UNKNOWN
        source, kind = bound.outputs[port]
        return (
            Wire(source.step, source.output, ref.span) if isinstance(source, Wire) else source
        ), kind

    def _part(self, bundle: Constant, ref: Ref, node: str | None) -> Found | None:
        nothing = unknown(ref.span), UNKNOWN
        lister = self.registry.parts(bundle.type.name)
        if bundle.value is EXAMPLE or lister is None:
            return Constant(EXAMPLE, UNKNOWN, ref.span), UNKNOWN
        owner = bundle.given or f"input '{ref.name}'"
        key = str(bundle.value), str(bundle.folder), owner
        if key not in self._bundles:
            self._bundles[key] = self._parts(bundle, lister, owner)
        parts = self._bundles[key]
        if parts is None:
            return nothing
        if ref.port not in parts:
            held = ", ".join(sorted(parts)) or "nothing"
            message = f"the bundle '{bundle.value}' has no part '{ref.port}'; it holds {held}"
            hint = self.faults.hints.nearest(str(ref.port), parts)
            fix = _refers(ref, ref.name, meant(hint)) if meant(hint) else ()
            if not fix:
                hint = f"give another bundle, one that has it, as input '{ref.name}'"
            self.faults.add(Code.UNKNOWN_PART, message, ref.span, hint, node, fix)
            return nothing
        kind = TypeRef(parts[str(ref.port)])
        if kind.name not in self.registry.ports:
            message = f"the part '{ref.port}' of '{bundle.value}' is a '{kind}', which is no type"
            self.faults.add(Code.BAD_LITERAL, message, ref.span, None, node)
            return nothing
        return Constant(f"{bundle.value}/{ref.port}", kind, ref.span, bundle.folder), kind

    def _parts(self, bundle: Constant, lister: Lister, owner: str) -> Mapping[str, str] | None:
        """The parts of a bundle; None, and a fault, where they cannot be had."""
        folder = bundle.folder or Path()

        def readable(path: str) -> Path:
            return self.sandbox.reading(folder / expanded(path))

        try:
            return lister(str(bundle.value), readable)
        except Outside as error:
            hint = "keep it in the folder of the graph that is run, or name it on the command line"
            self.faults.add(Code.OUTSIDE_FOLDER, f"{owner}: {error}", bundle.span, hint)
        except (OSError, ValueError) as error:
            hint = getattr(error, "hint", None) or "see `nodegraph models`"
            self.faults.add(Code.BAD_LITERAL, f"{owner}: {error}", bundle.span, hint)
        return None


def _refers(ref: Ref, name: str | None, port: str | None) -> tuple[Edit, ...]:
    """The edit that lets a reference be to something else."""
    return swap(ref.span, name and f"${name}" + (f".{port}" if port else ""))


def is_list(value: Value, scope: Scope) -> bool:
    """Whether a reference stands for a list."""
    bound = scope.get(value.name) if isinstance(value, Ref) else None
    if bound is None or not bound.outputs or not isinstance(value, Ref):
        return False
    found = bound.outputs.get(value.port or next(iter(bound.outputs)))
    return found is not None and (found[1].name == "list" or isinstance(found[0], Many))


def references(node: GraphNode) -> set[str]:
    """The names that a node refers to."""
    found: set[str] = {node.type[1:]} if node.type.startswith("$") else set()
    waiting = [*node.inputs.values(), *(axis.values for axis in node.each or ())]
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
