"""A Python signature as a NodeSpec: parameters are ports, annotations their types."""

import inspect
import types
import typing
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar, cast

from nodegraph.library.node import Declaration, NodeSpec, Port
from nodegraph.library.port import Doc, PortType, Range, TypeRef

BUILTIN: dict[Any, str] = {str: "str", int: "int", float: "float", bool: "bool", Any: "*"}
EMPTY: Any = inspect.Parameter.empty


class SignatureError(TypeError):
    """A function that cannot be a node: names the function, the parameter and what is missing."""


@dataclass(slots=True)
class TypeReader:
    """Reads annotations; `ports` gives port types to plain classes, and grows by those that it meets."""

    ports: Mapping[type, PortType]
    met: dict[str, PortType] = field(default_factory=dict[str, PortType])

    def ref(self, annotation: Any) -> TypeRef:
        """The type of an annotation. Raises SignatureError for one that has no port type."""
        if annotation in BUILTIN:
            return TypeRef(BUILTIN[annotation])
        if isinstance(annotation, TypeVar):
            return TypeRef(annotation.__name__, variable=True)
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            return self.annotated(annotation)
        if origin in (typing.Union, types.UnionType):
            return self.union(typing.get_args(annotation))
        if origin is typing.Literal:
            return TypeRef(BUILTIN[type(typing.get_args(annotation)[0])])
        if origin is list:
            return TypeRef("list", (self.ref(typing.get_args(annotation)[0]),))
        return self.domain(origin or annotation, typing.get_args(annotation))

    def annotated(self, annotation: Any) -> TypeRef:
        for extra in annotation.__metadata__:
            if isinstance(extra, PortType):
                return self.meet(carried(extra, annotation.__origin__))
        return self.ref(annotation.__origin__)

    def union(self, members: tuple[Any, ...]) -> TypeRef:
        refs = tuple(self.ref(m) for m in members if m is not type(None))
        return refs[0] if len(refs) == 1 else TypeRef("|", refs)

    def domain(self, kind: Any, arguments: tuple[Any, ...]) -> TypeRef:
        port = self.ports.get(kind) or getattr(kind, "__port__", None)
        if not isinstance(port, PortType):
            raise SignatureError(
                f"{kind!r} is no port type; give it a PortType, or annotate it with one"
            )
        self.meet(carried(port, kind))
        return TypeRef(port.name, tuple(self.ref(a) for a in arguments))

    def meet(self, port: PortType) -> TypeRef:
        self.met.setdefault(port.name, port)
        return TypeRef(port.name)


def carried(port: PortType, kind: Any) -> PortType:
    """The port type, and the class of its values."""
    return port if port.carrier is not None else replace(port, carrier=kind)


def spec_of(
    function: Callable[..., Any], declaration: Declaration, reader: TypeReader, code: str
) -> NodeSpec:
    """The spec of a node function. Raises SignatureError where an annotation is missing or has no port type."""
    name = function.__name__
    signature = inspect.signature(function)
    hints = typing.get_type_hints(function, include_extras=True)
    inputs = tuple(
        _port(name, p, hints.get(p.name, EMPTY), reader) for p in signature.parameters.values()
    )
    result, generator = _result(name, hints.get("return", EMPTY))
    return NodeSpec(
        name=name,
        home=f"{function.__module__}:{function.__qualname__}",
        inputs=inputs,
        outputs=_outputs(result, reader),
        category=declaration.category,
        doc=inspect.getdoc(function) or "",
        version=declaration.version,
        pure=declaration.pure,
        generator=generator,
        code=code,
        words=declaration.words,
        renames=declaration.renames,
        rows=_row_ports(name, declaration.rows, inputs),
    )


def _row_ports(node: str, rows: tuple[str, ...], inputs: tuple[Port, ...]) -> tuple[str, ...]:
    strangers = set(rows) - {port.name for port in inputs}
    if strangers:
        raise SignatureError(f"rows of node '{node}' name no input: {', '.join(sorted(strangers))}")
    return rows


def bound(
    twin: Callable[..., Any], function: Callable[..., Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments that the twin of a node's function names: those that are given, else the function's own defaults."""
    named = inspect.signature(twin).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in named):
        return dict(given)
    own = inspect.signature(function).parameters.values()
    whole = {p.name: p.default for p in own if p.default is not EMPTY} | dict(given)
    return {p.name: whole[p.name] for p in named if p.name in whole}


def _port(node: str, parameter: inspect.Parameter, annotation: Any, reader: TypeReader) -> Port:
    where = f"parameter '{parameter.name}' of node '{node}'"
    if annotation is EMPTY:
        raise SignatureError(f"{where} has no annotation; every input needs a type")
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise SignatureError(f"{where} is *args or **kwargs; name every input, or take a list")
    try:
        ref = reader.ref(annotation)
    except SignatureError as error:
        raise SignatureError(f"{where}: {error}") from None
    extras = _extras(annotation)
    required = parameter.default is EMPTY
    return Port(
        parameter.name,
        ref,
        required,
        None if required else parameter.default,
        next((e for e in extras if isinstance(e, Range)), None),
        _menu(annotation),
        next((e.text for e in extras if isinstance(e, Doc)), ""),
        ref.name == "list",
    )


def _extras(annotation: Any) -> tuple[Any, ...]:
    """Metadata of an annotation, also inside `X | None`."""
    own = tuple(getattr(annotation, "__metadata__", ()))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return own + tuple(e for m in typing.get_args(annotation) for e in _extras(m))
    return own


def _menu(annotation: Any) -> tuple[Any, ...] | None:
    if typing.get_origin(annotation) is Annotated:
        return _menu(annotation.__origin__)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next((menu for m in typing.get_args(annotation) if (menu := _menu(m))), None)
    return typing.get_args(annotation) if typing.get_origin(annotation) is typing.Literal else None


def _result(node: str, annotation: Any) -> tuple[Any, bool]:
    if annotation is EMPTY:
        raise SignatureError(f"node '{node}' has no return annotation; its outputs need types")
    if typing.get_origin(annotation) is Generator:
        return typing.get_args(annotation)[2], True
    return annotation, False


def _outputs(result: Any, reader: TypeReader) -> tuple[Port, ...]:
    if result is None or result is type(None):
        return ()
    several: Any = typing.get_origin(result) or result
    if inspect.isclass(several) and hasattr(cast(Any, several), "_fields"):
        hints = typing.get_type_hints(cast(Any, several), include_extras=True)
        return tuple(_output(name, kind, reader) for name, kind in hints.items())
    return (_output("output", result, reader),)


def _output(name: str, annotation: Any, reader: TypeReader) -> Port:
    """An output; `required` is False where it may be None."""
    extras = _extras(annotation)
    return Port(
        name,
        reader.ref(annotation),
        not _optional(annotation),
        range=next((e for e in extras if isinstance(e, Range)), None),
        menu=_menu(annotation),
        doc=next((e.text for e in extras if isinstance(e, Doc)), ""),
    )


def _optional(annotation: Any) -> bool:
    """Whether None is one of the values of an annotation."""
    if typing.get_origin(annotation) is Annotated:
        return _optional(annotation.__origin__)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return any(_optional(member) for member in typing.get_args(annotation))
    return annotation is Any or annotation is type(None)
