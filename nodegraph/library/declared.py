"""What a module declares: its node functions, its port types, and the port types that its nodes bring along."""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Annotated, Any

from nodegraph.library.node import Declaration
from nodegraph.library.port import PortType
from nodegraph.library.signature import carried


def node_functions(module: ModuleType) -> list[tuple[Callable[..., Any], Declaration]]:
    """The functions that `@node` declared in a module, in their order."""
    members = [
        m for m in vars(module).values() if getattr(m, "__module__", None) == module.__name__
    ]
    declared = [(m, getattr(m, "__node__", None)) for m in members]
    return [(m, d) for m, d in declared if isinstance(d, Declaration)]


def of_classes(module: ModuleType) -> Mapping[type, PortType]:
    """The port types that a module gives to classes: its `PORT_TYPES`."""
    return dict(getattr(module, "PORT_TYPES", {}))


def port_types(module: ModuleType) -> dict[str, PortType]:
    """The port types of a module by name: of classes, of annotated carriers, and those that its nodes bring along."""
    named = [value for value in vars(module).values() if _declares(value, module)]
    hints = [hint for function, _ in node_functions(module) for hint in _hints(function)]
    met = [port for hint in (*named, *hints) for port in _mentioned(hint)]
    classes = [carried(port, kind) for kind, port in of_classes(module).items()]
    return {port.name: port for port in reversed((*classes, *met))}


def _declares(value: Any, module: ModuleType) -> bool:
    """Whether a member of a module is an annotated carrier, or a class of its own."""
    if inspect.isclass(value):
        return value.__module__ == module.__name__
    return typing.get_origin(value) is Annotated


def _mentioned(hint: Any) -> Iterator[PortType]:
    """The port types that an annotation, or a class with `__port__`, mentions anywhere."""
    if typing.get_origin(hint) is Annotated:
        ports = [extra for extra in hint.__metadata__ if isinstance(extra, PortType)]
        yield from (carried(port, hint.__origin__) for port in ports)
        yield from () if ports else _mentioned(hint.__origin__)
        return
    if isinstance(port := getattr(hint, "__port__", None), PortType):
        yield carried(port, hint)
    several = _hints(hint) if inspect.isclass(hint) and hasattr(hint, "_fields") else ()
    for part in (*typing.get_args(hint), *several):
        yield from _mentioned(part)


def _hints(annotated: Any) -> tuple[Any, ...]:
    """The annotations of a function or of a class; none where they cannot be read."""
    try:
        return tuple(typing.get_type_hints(annotated, include_extras=True).values())
    except Exception:
        return ()
