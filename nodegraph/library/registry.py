"""The registry: which node types, port types and graphs are known, without importing any of their files."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from shlex import quote
from types import ModuleType
from typing import Any

from nodegraph.base.libraries import Broken, category_of, why
from nodegraph.base.node_files import shown
from nodegraph.library.declared import node_functions, of_classes, port_types
from nodegraph.library.node import NodeSpec
from nodegraph.library.port import Context, PortType
from nodegraph.library.signature import TypeReader, carried, spec_of
from nodegraph.library.typerefs import names_in


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What is known of a port type without importing it: `live` values are not kept on disk, `parsed` literals become values
    by its `parse`, and `digests` tells that those have a digest; `given` values are taken as Python has them. What was
    `trained` goes into the record of pictures with its digest.

    `parts`, `read`, `identify` and `arrays` are `module:function` of torch-free functions.
    """

    name: str
    doc: str
    literal: str
    colour: str
    shape: str
    live: bool
    home: str
    parts: str | None = None
    widens_to: tuple[str, ...] = ()
    read: str | None = None
    widens_from: tuple[str, ...] = ()
    formerly: tuple[str, ...] = ()
    parsed: bool = False
    digests: bool = False
    identify: str | None = None
    arrays: str | None = None
    given: bool = False
    trained: bool = False

    def reader(self) -> Callable[[Any], Any] | None:
        """The function that brings literals into their canonical form, or None."""
        return _attribute(self.read) if self.read else None

    def identifier(self) -> Callable[[str, Any, Context], str] | None:
        """The function that gives the digest of a literal that is not parsed, or None."""
        return _attribute(self.identify) if self.identify else None


@dataclass(frozen=True)
class Registry:
    """Node types and port types by name, and the shipped graphs by name (`glide/text_to_image`).

    `broken`: what cannot be read of the installed libraries; `clashes`: names that several of them claim, which stand for
    none, with the places of the claims; `elsewhere`: the node files of node types that a picture was made with, by type.
    """

    nodes: Mapping[str, NodeSpec]
    ports: Mapping[str, PortFacts]
    graphs: Mapping[str, Path] = field(default_factory=dict[str, Path])
    composites: Mapping[str, Path] = field(default_factory=dict[str, Path])
    loaded: dict[str, PortType] = field(default_factory=dict[str, PortType])
    broken: tuple[Broken, ...] = ()
    clashes: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    elsewhere: Mapping[str, str] = field(default_factory=dict[str, str])
    code: str = ""
    """Digest of every source file of the libraries and of the engine; empty where not all could be read."""

    def function(self, spec: NodeSpec) -> Callable[..., Any]:
        """The function of a node type; imports its file."""
        return _attribute(spec.home)

    def port_type(self, name: str) -> PortType | None:
        """The behaviour of a port type, or None for plain numbers and words; imports the file that declares it."""
        if name not in self.loaded and name in self.ports:
            home = self.ports[name].home
            found = port_types(importlib.import_module(home))
            self.loaded.update({n: p for n, p in found.items() if self._home(n) == home})
        return self.loaded.get(name)

    def facts(self, name: str) -> PortFacts | None:
        """What is known of a port type without importing it, or None for plain numbers and words."""
        return self.ports.get(name)

    def _home(self, name: str) -> str:
        return self.ports[name].home if name in self.ports else ""

    def parts(
        self, type_name: str
    ) -> Callable[[Any, Callable[[str], Path]], Mapping[str, str]] | None:
        """The function that lists the parts of a bundle type, or None."""
        facts = self.ports.get(type_name)
        return _attribute(facts.parts) if facts and facts.parts else None

    @cached_property
    def listed(self) -> list[str]:
        """The names of the shipped graphs that are meant to be run; what others are made of lies in folders called `parts`."""
        return sorted(name for name in self.graphs if "/parts/" not in name)

    @cached_property
    def widenings(self) -> frozenset[tuple[str, str]]:
        """Pairs of names (from, to) that join silently."""
        out = {(f.name, target) for f in self.ports.values() for target in f.widens_to}
        into = {(source, f.name) for f in self.ports.values() for source in f.widens_from}
        return frozenset({("int", "float"), *out, *into})

    @cached_property
    def former(self) -> Mapping[str, str]:
        """Port types by the names that they had in older versions."""
        return {name: facts.name for facts in self.ports.values() for name in facts.formerly}

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """Port types by the names that a graph may write for them: its own, and those of older versions, but no name that
        has been one type's and is another's."""
        own = {name: name for name in self.ports if name not in self.former}
        return {**own, **{n: kind for n, kind in self.former.items() if n not in self.ports}}

    def spelling(self, name: str) -> str:
        """How a graph writes a port type so that every version reads it as that."""
        return next((n for n, kind in self.spellings.items() if kind == name), name)

    def complaints(self) -> list[str]:
        """What is wrong with the installed libraries, in one sentence each."""
        missing = "what it holds is missing until it is mended"
        unread = (
            f"{found}; {missing}{'' if found.own else ' or uninstalled'}" for found in self.broken
        )
        return [*unread, *map(self.clash, self.clashes)]

    def clash(self, name: str) -> str:
        """Who claims a name that stands for nothing because several do."""
        homes = " and ".join(map(shown, self.clashes[name]))
        return f"'{name}' is defined twice: {homes}; rename one of them, or uninstall its library"

    def absence(self, name: str, hint: str | None) -> tuple[str, str | None]:
        """Why there is no node or port type of this name, after "there is no …", and what to do: take the nearest known
        one, of which `hint` tells, or mend the library that has it, or may have it; or name the node file that had it when a
        picture was made."""
        for found in self.broken:
            if name in found.names:
                told = f": {found.place}, which has it, cannot be read: {found.reason}"
                return told, found.mend
        if name in self.elsewhere:
            file = self.elsewhere[name]
            return f": it was in the node file '{file}'", f"give that file: --nodes {quote(file)}"
        if hint is None and self.elsewhere:
            files = " ".join(
                f"--nodes {quote(file)}" for file in sorted({*self.elsewhere.values()})
            )
            return "", f"give the node files that the picture was made with: {files}"
        if not self.broken:
            return "", hint
        unread = "; ".join(str(found) for found in self.broken)
        return "", (
            f"{hint} or " if hint else ""
        ) + f"is it of a library that cannot be read? {unread}"


@dataclass(frozen=True, slots=True)
class Arrays:
    """A registry whose port types take arrays of numpy where they can: what is kept is read and written without torch.

    Its values are for no node.
    """

    registry: Registry

    def function(self, spec: NodeSpec) -> Callable[..., Any]:
        """The function of a node type, to tell of it."""
        return self.registry.function(spec)

    def facts(self, name: str) -> PortFacts | None:
        """What is known of a port type without importing it."""
        return self.registry.facts(name)

    def port_type(self, name: str) -> PortType | None:
        """The behaviour of a port type for arrays, else that for the values on wires."""
        facts = self.facts(name)
        if facts is None or facts.arrays is None:
            return self.registry.port_type(name)
        return _attribute(facts.arrays)()


def from_modules(
    modules: Iterable[ModuleType], code: str = "", types: Mapping[type, PortType] | None = None
) -> Registry:
    """A registry of the node functions of some modules; `types`: what other modules declare for classes."""
    registry = Registry({}, {})
    for module in modules:
        registry = merged(registry, from_module(module, code, types))
    return registry


def from_module(
    module: ModuleType,
    code: str = "",
    types: Mapping[type, PortType] | None = None,
    package: str = "",
) -> Registry:
    """A registry of the node functions of one module of a package; a function that cannot be a node is `broken`."""
    nodes: dict[str, NodeSpec] = {}
    broken: list[Broken] = []
    own = of_classes(module)
    reader = TypeReader({**(types or {}), **own})
    category = category_of(module.__name__, package)
    for function, declaration in node_functions(module):
        placed = replace(declaration, category=declaration.category or category)
        try:
            spec = spec_of(function, placed, reader, code)
        except Exception as error:
            name = function.__name__
            broken.append(Broken(f"{module.__name__}:{name}", why(error), (name,)))
        else:
            nodes[spec.name] = spec
    loaded = {**{p.name: carried(p, kind) for kind, p in own.items()}, **reader.met}
    return replace(of_types(loaded, module), nodes=nodes, broken=tuple(broken))


def of_types(loaded: dict[str, PortType], module: ModuleType) -> Registry:
    """A registry of the port types of one module."""
    ports = {name: facts_of(port, module.__name__) for name, port in loaded.items()}
    return Registry({}, ports, loaded=loaded)


def merged(first: Registry, second: Registry) -> Registry:
    """Both together. A node type that both define stands for none of them; a node of the second is broken where it uses a
    port type that is another than the one of that name in the first."""
    strangers = tuple(_strangers(first, second))
    refused = {found.names[0] for found in strangers}
    theirs = {name: spec for name, spec in second.nodes.items() if name not in refused}
    claims: dict[str, dict[str, None]] = {}
    for name, homes in (*first.clashes.items(), *second.clashes.items()):
        claims.setdefault(name, {}).update(dict.fromkeys(homes))
    for name, spec in (*first.nodes.items(), *theirs.items()):
        claims.setdefault(name, {})[spec.home] = None
    clashes = {name: tuple(homes) for name, homes in claims.items() if len(homes) > 1}
    return Registry(
        {n: spec for n, spec in {**theirs, **first.nodes}.items() if n not in clashes},
        {**second.ports, **first.ports},
        loaded={**second.loaded, **first.loaded},
        broken=tuple(dict.fromkeys((*first.broken, *second.broken, *strangers))),
        clashes=clashes,
    )


def _strangers(first: Registry, second: Registry) -> Iterable[Broken]:
    for name, facts in second.ports.items():
        known = first.ports.get(name)
        if known is None or replace(known, home=facts.home) == facts:
            continue
        reason = f"its port type '{name}' is another than the one of {known.home}"
        for spec in second.nodes.values():
            if any(name in names_in(port.type) for port in (*spec.inputs, *spec.outputs)):
                yield Broken(spec.home, reason, (spec.name,))


def facts_of(port: PortType, home: str) -> PortFacts:
    """What is known of a port type, for those who do not import it."""
    live = port.dump is None or port.load is None
    return PortFacts(
        port.name,
        port.doc,
        port.literal,
        port.colour,
        port.shape,
        live,
        home,
        _home(port.parts),
        port.widens_to,
        _home(port.read),
        port.widens_from,
        port.formerly,
        port.parse is not None,
        port.digest is not None,
        _home(port.identify),
        _home(port.arrays),
        port.given is not None,
        port.trained or port.literal == "name",
    )


def _home(function: Callable[..., Any] | None) -> str | None:
    return f"{function.__module__}:{function.__qualname__}" if function else None


def _attribute(home: str) -> Any:
    module, _, name = home.partition(":")
    return getattr(sys.modules.get(module) or importlib.import_module(module), name)
