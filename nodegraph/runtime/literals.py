"""Literals of a run: what each contributes to the keys of results, and the value that its type makes of it."""

import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from nodegraph.base.contents import Unframed
from nodegraph.base.framing import frame, framed, frames
from nodegraph.base.ownership import PLAIN
from nodegraph.language.program import EXAMPLE, Constant
from nodegraph.library.holding import WrongValue, held
from nodegraph.library.node import NodeSpec
from nodegraph.library.port import Context, PortType, TypeRef
from nodegraph.library.registry import PortFacts
from nodegraph.runtime.warn import Warned, collecting, warn

SIZE = 16
"""Bytes of a key."""


class Library(Protocol):
    """What planning and running need of a registry."""

    def function(self, spec: NodeSpec) -> Any: ...

    def port_type(self, name: str) -> PortType | None: ...

    def facts(self, name: str) -> PortFacts | None: ...


class PlacedContext(Context, Protocol):
    """A context that can be moved to the folder of another file."""

    def within(self, folder: Path | None) -> Context: ...


class Identified(NamedTuple):
    """What a literal contributes to a key, the type that reads it, and the digest of its content where it was not parsed."""

    content: bytes
    type: PortFacts
    digest: str | None = None


_Name = tuple[str, str, str]


@dataclass(slots=True)
class Literals:
    """The literals of a run: what each contributes to keys, and its value, parsed once. Plain words and numbers are their own.

    Types that can tell the content of a literal without parsing it are not imported for its key.
    """

    library: Library
    context: PlacedContext
    _parsed: dict[_Name, tuple[Any, PortFacts]] = field(
        default_factory=dict[_Name, tuple[Any, PortFacts]]
    )
    _said: dict[_Name, tuple[Warned, ...]] = field(default_factory=dict[_Name, tuple[Warned, ...]])
    _identified: dict[_Name, Identified] = field(default_factory=dict[_Name, Identified])
    _reading: dict[str, list[PortFacts]] = field(default_factory=dict[str, list[PortFacts]])
    _known: dict[int, tuple[bytes, Any]] = field(default_factory=dict[int, tuple[bytes, Any]])
    """The content of values that Python gave, and the values, so that no other gets the same `id`."""

    def value(self, constant: Constant) -> Any:
        """The value of a literal: what its port type makes of it. Says again what the type said when it read it."""
        if type(constant.value) in PLAIN and not self._readers(constant.type):
            return constant.value
        if isinstance(constant.value, list):
            return [self.value(item) for item in items_of(constant)]
        if not self._is_read(constant):
            return constant.value
        found, _ = self._read(constant)
        for warning in self._said.get(_name(constant), ()):
            warn(warning.message, hint=warning.hint)
        return found

    def _is_read(self, constant: Constant) -> bool:
        """Whether a literal is more than plain words and numbers: a type makes a value of it."""
        plain = isinstance(constant.value, str | int | float | bool)
        return plain and bool(self._readers(constant.type))

    def _read(self, constant: Constant) -> tuple[Any, PortFacts]:
        """The value of a literal and the type that read it."""
        name, said = _name(constant), dict[Warned, None]()
        if name not in self._parsed:
            with collecting(said):
                found = self._first_reading(constant)
            self._unchanged(name, constant)
            self._parsed[name], self._said[name] = found, tuple(said)
        return self._parsed[name]

    def _first_reading(self, constant: Constant) -> tuple[Any, PortFacts]:
        """What the first type makes of a literal that can read it. Raises what the last one raised."""
        *others, last = self._readers(constant.type)
        context = self.context.within(constant.folder)
        for facts in others:
            with suppress(ValueError):
                return self._parse(facts, constant.value, context), facts
        return self._parse(last, constant.value, context), last

    def _parse(self, facts: PortFacts, literal: Any, context: Context) -> Any:
        port = self.library.port_type(facts.name)
        assert port is not None and port.parse is not None
        value = port.parse(literal, context)
        try:
            return held(value, TypeRef(facts.name), self.library.port_type)
        except WrongValue as wrong:
            raise ValueError(f"'{literal}' makes no {wrong.promised.rstrip(',')}") from None

    def _unchanged(self, name: _Name, constant: Constant) -> None:
        """Raises ValueError where the content of a literal is not that of its key any more, now that it was read."""
        known = self._identified.get(name)
        if known is None or known.digest is None:
            return
        now = self._by_type(constant)
        if now is not None and now.digest != known.digest:
            raise ValueError(f"'{constant.value}' was changed while the graph was run")

    def _readers(self, ref: TypeRef) -> list[PortFacts]:
        """The port types that read literals of a type: of a union those of its members."""
        name = str(ref) if ref.name == "|" else ref.name
        found = self._reading.get(name)
        if found is None:
            members = ref.args if ref.name == "|" else (ref,)
            known = [self.library.facts(member.name) for member in members]
            found = [facts for facts in known if facts is not None and facts.parsed]
            self._reading[name] = found
        return found

    def identity(self, constant: Constant) -> bytes:
        """What a literal contributes to a key: its content as its type tells it, else as it was read, else as it is written."""
        value = constant.value
        if type(value) in PLAIN and not self._readers(constant.type):
            return framed(value)
        if isinstance(value, list):
            return frames(b"L", map(self.identity, items_of(constant)))
        if self._is_read(constant):
            return self._identity(constant).content
        if value is EXAMPLE:
            return frame(b"E", b"")
        if isinstance(value, str | int | float | bool | None):
            return framed(value)
        return self._given(constant)

    def _identity(self, constant: Constant) -> Identified:
        name = _name(constant)
        if name not in self._identified:
            self._identified[name] = self._by_type(constant) or self._by_value(constant)
        return self._identified[name]

    def _by_type(self, constant: Constant) -> Identified | None:
        """What the one type that reads a literal tells of its content without parsing it, where it can.

        Of several types it takes a parse to see which one reads it.
        """
        facts, *others = self._readers(constant.type)
        identify = None if others else facts.identifier()
        if identify is None:
            return None
        context = self.context.within(constant.folder)
        digest = identify(facts.name, constant.value, context)
        return Identified(_of_digest(facts.name, digest), facts, digest)

    def _by_value(self, constant: Constant) -> Identified:
        """What a literal is by its value; of one whose content is not known by its words and place."""
        value, facts = self._read(constant)
        content = self._content(value, self.library.port_type(facts.name))
        words = framed(str(constant.folder)), framed(constant.value)
        return Identified(content or frames(b"l", words), facts)

    def digest(self, constant: Constant) -> str:
        """The digest of a literal's content, where its type has one."""
        if not self._is_read(constant):
            return ""
        known = self._identity(constant)
        if known.digest is not None:
            return known.digest
        value, facts = self._read(constant)
        port = self.library.port_type(facts.name)
        return port.digest(value) if port is not None and port.digest is not None else ""

    def names_model(self, constant: Constant) -> bool:
        """Whether a literal is a model, or what was trained for one, by its type. No picture is decoded for it."""
        if not any(facts.trained for facts in self._readers(constant.type)):
            return False
        read = self._is_read(constant)
        facts = self._identity(constant).type if read else self.library.facts(constant.type.name)
        return facts is not None and facts.trained and facts.digests

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
                return _of_digest(port.name, port.digest(value))
            return framed(value)
        except (Unframed, RecursionError):
            return None


def _of_digest(type_name: str, digest: str) -> bytes:
    """The content of a value of a type that has digests."""
    return frames(b"C", (framed(type_name), framed(digest)))


def _name(constant: Constant) -> _Name:
    """What tells one literal from another, short of its place."""
    value = constant.value
    shown = repr(value) if isinstance(value, str | int | float | bool | None) else str(id(value))
    return str(constant.type), shown, str(constant.folder)


def items_of(constant: Constant) -> list[Constant]:
    """The items of a literal list, each as a literal of its own."""
    kind = constant.type.args[0] if constant.type.name == "list" else constant.type
    values = cast("list[Any]", constant.value)
    return [replace(constant, value=value, type=kind) for value in values]
