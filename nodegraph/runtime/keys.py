"""Merkle keys: the identity of each step's result, known before anything runs."""

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

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
from nodegraph.language.program import Constant, Many, Program, Source, Step, Wire
from nodegraph.language.written import flow, tree_of
from nodegraph.library.node import NodeSpec
from nodegraph.runtime.literals import SIZE, Literals
from nodegraph.runtime.warn import Warned, collecting

Key = bytes
UNREADABLE = (OSError, ValueError, KeyError)
"""What types raise for literals that they cannot read."""


def keys_of(program: Program, literals: Literals, policy: str) -> list[Key]:
    """The key of every step: type, version, code, precision policy, literals and upstream keys. Impure steps get new ones.

    Raises GraphError with the first literal that cannot be identified, or that goes straight to an output and cannot be read.
    """
    keys: list[Key] = []
    fixed: Fixed = {}
    for step in program.steps:
        keys.append(key_of(step, keys, literals, policy, fixed))
    for name, source in program.outputs.items():
        if isinstance(source, Constant):
            try:
                with collecting({}):  # it is read for the run, which says what is to be said of it
                    literals.value(source)
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
    return frames(b"F", [source_identity(entry, keys, literals) for entry in source.entries])


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
