"""Merkle keys: the identity of each step's result, known before anything runs."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, cast

from nodegraph.base.codes import Code
from nodegraph.base.contents import Unframed
from nodegraph.base.diagnostics import (
    Diagnostic,
    GraphError,
    Mismatch,
    Span,
    diagnostic,
    meant,
    swap,
)
from nodegraph.base.framing import frame, framed, frames
from nodegraph.language.program import EXAMPLE, Constant, Many, Program, Source, Step, Wire
from nodegraph.language.written import flow, tree_of
from nodegraph.library.node import NodeSpec
from nodegraph.library.port import Context, PortType, TypeRef
from nodegraph.runtime.warn import Warned, collecting, warn

Key = bytes
SIZE = 16
UNREADABLE = (OSError, ValueError, KeyError)
"""What types raise for literals that they cannot read."""


class Library(Protocol):
    """What planning and running need of a registry."""

    def function(self, spec: NodeSpec) -> Any: ...

    def port_type(self, name: str) -> PortType | None: ...


class PlacedContext(Context, Protocol):
    """A context that can be moved to the folder of another file."""

    def within(self, folder: Path | None) -> Context: ...


@dataclass(slots=True)
class Literals:
    """Parsed literals of a run, each parsed once. Plain words and numbers are their own values."""

    library: Library
    context: PlacedContext
    _parsed: dict[tuple[str, str, str], tuple[Any, PortType]] = field(
        default_factory=dict[tuple[str, str, str], tuple[Any, PortType]]
    )
    _said: dict[tuple[str, str, str], tuple[Warned, ...]] = field(
        default_factory=dict[tuple[str, str, str], tuple[Warned, ...]]
    )
    _reading: dict[TypeRef, list[PortType]] = field(default_factory=dict[TypeRef, list[PortType]])
    _known: dict[int, tuple[bytes, Any]] = field(default_factory=dict[int, tuple[bytes, Any]])
    """The content of values that Python gave, and the values, so that no other gets the same `id`."""

    def value(self, constant: Constant) -> Any:
        """The value of a literal: what its port type makes of it. Says again what the type said when it read it."""
        if isinstance(constant.value, list):
            return [self.value(item) for item in items_of(constant)]
        found = self._read(constant)
        for warning in self._said.get(_name(constant), ()):
            warn(warning.message, hint=warning.hint)
        return constant.value if found is None else found[0]

    def _read(self, constant: Constant) -> tuple[Any, PortType] | None:
        """The value of a literal and the type that read it; None for plain words and numbers."""
        readers = self._readers(constant.type)
        if not readers or not isinstance(constant.value, str | int | float | bool):
            return None
        name, said = _name(constant), dict[Warned, None]()
        if name not in self._parsed:
            with collecting(said):
                self._parsed[name] = _first_reading(
                    readers, constant.value, self.context.within(constant.folder)
                )
            self._said[name] = tuple(said)
        return self._parsed[name]

    def _readers(self, ref: TypeRef) -> list[PortType]:
        """The port types that read literals of a type: of a union those of its members."""
        if ref not in self._reading:
            members = ref.args if ref.name == "|" else (ref,)
            ports = [self.library.port_type(member.name) for member in members]
            self._reading[ref] = [port for port in ports if port is not None and port.parse]
        return self._reading[ref]

    def identity(self, constant: Constant) -> bytes:
        """What a literal contributes to a key: its content as its type tells it, else as it was read, else as it is written."""
        value = constant.value
        if isinstance(value, list):
            return frames(b"L", map(self.identity, items_of(constant)))
        found = self._read(constant)
        if found is not None:
            return self._content(*found) or frames(
                b"l", (framed(str(constant.folder)), framed(value))
            )
        if value is EXAMPLE:
            return frame(b"E", b"")
        if isinstance(value, str | int | float | bool | None):
            return framed(value)
        return self._given(constant)

    def digest(self, constant: Constant) -> str:
        """The digest of a literal's content, where its type has one."""
        found = self._read(constant)
        if found is None or found[1].digest is None:
            return ""
        return found[1].digest(found[0])

    def names_model(self, constant: Constant) -> bool:
        """Whether a literal is a model, by the type that reads it. No picture is decoded for it."""
        if not any(port.literal == "name" for port in self._readers(constant.type)):
            return False
        found = self._read(constant)
        port = self.library.port_type(constant.type.name) if found is None else found[1]
        return port is not None and port.literal == "name" and port.digest is not None

    def _given(self, constant: Constant) -> bytes:
        """The content of a value that Python gave; of one whose content is not known something new each time."""
        value, port = constant.value, self.library.port_type(constant.type.name)
        if id(value) not in self._known:
            found = self._content(value, port) or frame(b"R", secrets.token_bytes(SIZE))
            self._known[id(value)] = found, value
        return self._known[id(value)][0]

    def _content(self, value: Any, port: PortType | None) -> bytes | None:
        """The content of a value, by its type where that can tell it; None where it is not known."""
        try:
            if port is not None and port.digest is not None:
                return frames(b"C", (framed(port.name), framed(port.digest(value))))
            return framed(value)
        except (Unframed, RecursionError):
            return None


def _name(constant: Constant) -> tuple[str, str, str]:
    """What tells one literal from another, short of its place."""
    value = constant.value
    shown = repr(value) if isinstance(value, str | int | float | bool | None) else str(id(value))
    return str(constant.type), shown, str(constant.folder)


def _first_reading(
    readers: Sequence[PortType], literal: Any, context: Context
) -> tuple[Any, PortType]:
    """What the first type makes of a literal that can read it. Raises what the last one raised."""
    for port in readers[:-1]:
        assert port.parse is not None
        try:
            return port.parse(literal, context), port
        except ValueError:
            continue
    last = readers[-1]
    assert last.parse is not None
    return last.parse(literal, context), last


def items_of(constant: Constant) -> list[Constant]:
    """The items of a literal list, each as a literal of its own."""
    kind = constant.type.args[0] if constant.type.name == "list" else constant.type
    values = cast("list[Any]", constant.value)
    return [replace(constant, value=value, type=kind) for value in values]


def keys_of(program: Program, literals: Literals, policy: str) -> list[Key]:
    """The key of every step: type, version, code, precision policy, literals and upstream keys. Impure steps get new ones.

    Raises GraphError with the first literal that cannot be read.
    """
    keys: list[Key] = []
    fixed: Fixed = {}
    for step in program.steps:
        keys.append(key_of(step, keys, literals, policy, fixed))
    for name, source in program.outputs.items():
        if isinstance(source, Constant):
            try:
                literals.identity(source)
            except UNREADABLE as error:
                raise GraphError([unreadable_output(name, source, error)]) from error
    return keys


def key_of(step: Step, keys: list[Key], literals: Literals, policy: str, fixed: "Fixed") -> Key:
    """The key of a step, from those of the steps before it; `fixed` keeps what steps of a type share.

    Raises GraphError with the first literal that cannot be read.
    """
    spec = step.spec
    if not spec.pure:
        return secrets.token_bytes(SIZE)
    head, ports = fixed.get(id(spec)) or fixed.setdefault(id(spec), _fixed(spec, policy))
    parts = [head]
    for name, named, default in ports:
        source = step.inputs.get(name)
        if source is None:
            parts += (named, default)
            continue
        try:
            parts += (named, source_identity(source, keys, literals))
        except UNREADABLE as error:
            raise GraphError([unreadable(step, name, source, error)]) from error
    return blake2b(b"".join(parts), digest_size=SIZE).digest()


_Fixed = tuple[bytes, list[tuple[str, bytes, bytes]]]
"""What the keys of all steps of a type share: its head; of each port the name, its frame, and the default's."""
Fixed = dict[int, _Fixed]


def _fixed(spec: NodeSpec, policy: str) -> _Fixed:
    head = framed((spec.home, spec.name, spec.version, spec.code, policy))
    return head, [(port.name, framed(port.name), _default(port.default)) for port in spec.inputs]


def _default(value: Any) -> bytes:
    """A default, as the same value would be that a graph gives; of an unusual one how Python writes it."""
    try:
        return framed(value)
    except Unframed:
        return frame(b"r", repr(value).encode())


def unreadable(step: Step, port: str, source: Source, error: Exception) -> Diagnostic:
    """The fault of a literal that its type cannot read, at its place; of a caller's value, at the input."""
    code = Code.WRONG_MEANING if isinstance(error, Mismatch) else Code.BAD_VALUE
    hint: str | None = getattr(error, "hint", None)
    if given := given_by(source):
        return diagnostic(code, f"{given}: {error}", None, hint)
    place = span_of(source) or step.span
    near = meant(hint) or meant(str(error))
    known = source.span if isinstance(source, Constant) and isinstance(source.value, str) else None
    fix = swap(known, near and flow(tree_of(near)))
    return diagnostic(code, f"{step.name}.{port}: {error}", place, hint, step.name, fix=fix)


def unreadable_output(name: str, source: Constant, error: Exception) -> Diagnostic:
    """The fault of a literal that goes straight to an output."""
    return diagnostic(Code.BAD_VALUE, f"{source.given or f'output {name!r}'}: {error}", source.span)


def given_by(source: Source) -> str:
    """The input by which a caller gave a value; of several the first."""
    entry = source.entries[0] if isinstance(source, Many) and source.entries else source
    return entry.given if isinstance(entry, Constant) else ""


def warned(step: Step, warning: Warned) -> Diagnostic:
    """What a node said of its result, at the input that it comes from, or at the node."""
    source = step.inputs.get(warning.port or "")
    place = (span_of(source) if source is not None else None) or step.span
    message = f"{step.name} ({step.spec.name}): {warning.message}"
    return diagnostic(Code.NODE_WARNING, message, place, warning.hint, step.name)


def warned_output(name: str, source: Source, warning: Warned) -> Diagnostic:
    """What the type of a literal said of it that goes straight to an output."""
    return diagnostic(
        Code.NODE_WARNING, f"output '{name}': {warning.message}", span_of(source), warning.hint
    )


def span_of(source: Source) -> Span | None:
    """Where a source stands; of several the first."""
    if isinstance(source, Many):
        return source.entries[0].span if source.entries else None
    return source.span


def source_identity(source: Source, keys: list[Key], literals: Literals) -> bytes:
    """What stands on one port, as bytes."""
    if isinstance(source, Wire):
        return b"W" + keys[source.step] + source.output.to_bytes(4, "big")
    if isinstance(source, Constant):
        return literals.identity(source)
    return frames(b"F", (source_identity(entry, keys, literals) for entry in source.entries))


def model_digests(program: Program, literals: Literals) -> dict[str, str]:
    """Digests of the models that a program names; a model in a folder goes by the folder's name."""
    found: dict[str, str] = {}
    for step in program.steps:
        for source in step.inputs.values():
            if isinstance(source, Constant) and literals.names_model(source):
                path = Path(str(source.value))
                name = path.name if path.is_absolute() else str(source.value)
                found[name] = literals.digest(source)
    return found


def wires(sources: Mapping[str, Source]) -> list[Wire]:
    """All wires of a step's inputs."""
    found: list[Wire] = []
    for source in sources.values():
        if isinstance(source, Wire):
            found.append(source)
        elif isinstance(source, Many):
            found.extend(entry for entry in source.entries if isinstance(entry, Wire))
    return found
