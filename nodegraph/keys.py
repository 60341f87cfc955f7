"""Merkle keys: the identity of each step's result, known before anything runs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol, cast

from nodegraph.node import NodeSpec
from nodegraph.program import Constant, Many, Program, Source, Wire
from nodegraph.types import Context, PortType

Key = bytes
SIZE = 16


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
    _parsed: dict[tuple[str, str, str], Any] = field(
        default_factory=dict[tuple[str, str, str], Any]
    )

    def value(self, constant: Constant) -> Any:
        """The value of a literal: what its port type makes of it."""
        if isinstance(constant.value, list):
            return [self.value(item) for item in items_of(constant)]
        port = self.library.port_type(constant.type.name)
        if (
            port is None
            or port.parse is None
            or not isinstance(constant.value, str | int | float | bool)
        ):
            return constant.value
        name = (constant.type.name, repr(constant.value), str(constant.folder))
        if name not in self._parsed:
            self._parsed[name] = port.parse(constant.value, self.context.within(constant.folder))
        return self._parsed[name]

    def identity(self, constant: Constant) -> bytes:
        """What a literal contributes to a key: the digest of its content where the type has one, else its text."""
        value = constant.value
        if isinstance(value, list):
            return b"\2".join((b"list", *map(self.identity, items_of(constant))))
        port = self.library.port_type(constant.type.name)
        if port is not None and port.digest is not None:
            return port.digest(self.value(constant)).encode()
        if isinstance(value, str | int | float | bool | None):
            return repr(value).encode()
        return secrets.token_bytes(SIZE)


def items_of(constant: Constant) -> list[Constant]:
    """The items of a literal list, each as a literal of its own."""
    kind = constant.type.args[0] if constant.type.name == "list" else constant.type
    values = cast("list[Any]", constant.value)
    return [Constant(value, kind, constant.span, constant.folder) for value in values]


def keys_of(program: Program, literals: Literals, policy: str) -> list[Key]:
    """The key of every step: type, version, code, precision policy, literals and upstream keys. Impure steps get new ones."""
    keys: list[Key] = []
    heads: dict[int, bytes] = {}
    for step in program.steps:
        spec = step.spec
        head = heads.get(id(spec))
        if head is None:
            text = f"{spec.home}|{spec.name}|{spec.version}|{spec.code}|{policy}"
            head = heads[id(spec)] = blake2b(text.encode(), digest_size=SIZE).digest()
        if not spec.pure:
            keys.append(secrets.token_bytes(SIZE))
            continue
        parts = [head]
        for port in spec.inputs:
            source = step.inputs.get(port.name)
            if source is not None:
                parts += (port.name.encode(), source_identity(source, keys, literals))
            elif not port.required:
                parts += (port.name.encode(), repr(port.default).encode())
        keys.append(blake2b(b"\0".join(parts), digest_size=SIZE).digest())
    return keys


def source_identity(source: Source, keys: list[Key], literals: Literals) -> bytes:
    """What stands on one port, as bytes."""
    if isinstance(source, Wire):
        return keys[source.step] + source.output.to_bytes(2, "big")
    if isinstance(source, Constant):
        return literals.identity(source)
    return b"\1".join(source_identity(entry, keys, literals) for entry in source.entries)


def model_digests(program: Program, literals: Literals) -> dict[str, str]:
    """Digests of the models that a program names; a model in a folder goes by the folder's name."""
    found: dict[str, str] = {}
    for step in program.steps:
        for source in step.inputs.values():
            if isinstance(source, Constant) and _is_model(source, literals.library):
                path = Path(str(source.value))
                name = path.name if path.is_absolute() else str(source.value)
                found[name] = literals.identity(source).decode()
    return found


def _is_model(constant: Constant, library: Library) -> bool:
    port = library.port_type(constant.type.name)
    return port is not None and port.literal == "name" and port.digest is not None


def wires(sources: Mapping[str, Source]) -> list[Wire]:
    """All wires of a step's inputs."""
    found: list[Wire] = []
    for source in sources.values():
        if isinstance(source, Wire):
            found.append(source)
        elif isinstance(source, Many):
            found.extend(entry for entry in source.entries if isinstance(entry, Wire))
    return found
