"""The JSON Schema of graph files, made from the installed nodes: completion and hover docs in any YAML editor.

It accepts every graph whose names and types are right, and refuses what stands in one place alone: what needs a second
look (`$name`, a preset's values, what a wire carries) is left to `nodegraph check`.
"""

from collections.abc import Mapping
from typing import Any

from nodegraph.language.graph import FORMAT_VERSION
from nodegraph.language.inputs import RESERVED
from nodegraph.language.literals import literal_kind
from nodegraph.language.unfolding import SWITCH
from nodegraph.library.node import NodeSpec, Port
from nodegraph.library.port import Range, TypeRef
from nodegraph.library.registry import PortFacts, Registry
from nodegraph.library.typerefs import BUILT_IN, PLAIN

Schema = dict[str, Any]
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_NAMES: Schema = {"pattern": f"^{_NAME}$"}
_REFERENCE: Schema = {"type": "string", "pattern": rf"^\${_NAME}(\..*)?$"}
_TEXT: Schema = {"type": "string", "pattern": r"^([^$]|\$\$|$)"}
_NOTE: Schema = {"type": ["string", "number", "boolean", "null"]}
_CONSTANT: Schema = {"$ref": "#/definitions/constant"}
_ANYTHING: Schema = {"$ref": "#/definitions/value"}
_PLAIN: Schema = {"type": ["number", "boolean", "null"]}
_DEFINITIONS: Schema = {
    "constant": {"anyOf": [_TEXT, _PLAIN, {"type": "array", "items": _CONSTANT}]},
    "value": {"anyOf": [_NOTE, {"type": "array", "items": _ANYTHING}]},
}
_RANGE: Schema = {"type": "string", "pattern": r"\.\."}
_LIST: Schema = {"type": "array", "minItems": 1}
_MANY: Schema = {
    "description": "Names, or names that go together (a+b), and the values that they take in turn.",
    "type": "object",
    "minProperties": 1,
}
_SWEEP: Schema = {
    "type": "object",
    "required": ["each"],
    "additionalProperties": False,
    "properties": {"each": {**_MANY, "additionalProperties": {"anyOf": [_LIST, _RANGE]}}},
}
_EACH: Schema = {**_MANY, "additionalProperties": {"anyOf": [_LIST, _RANGE, _REFERENCE]}}
_SWITCH: Schema = {
    "if": {"properties": {"type": {"const": SWITCH}}},
    "then": {"required": ["on"], "minProperties": 3},
}
_KINDS: Mapping[str, Schema] = {
    "str": _TEXT,
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "scalar": {"type": ["number", "string"]},
}


def json_schema(registry: Registry) -> Schema:
    """Draft-07 schema of a graph file."""
    specs = sorted(registry.nodes.values(), key=lambda spec: spec.name)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nodegraph graph",
        "type": "object",
        "required": ["graph", "outputs"],
        "additionalProperties": False,
        "definitions": _DEFINITIONS,
        "properties": {
            "graph": {"const": FORMAT_VERSION, "description": "Version of the format."},
            "title": _NOTE,
            "description": _NOTE,
            "inputs": _section(_input(registry), {**_NAMES, "not": {"enum": sorted(RESERVED)}}),
            "presets": _section({"type": "object", "additionalProperties": _CONSTANT}),
            "sweeps": _section(_SWEEP),
            "nodes": _section(_any_node(specs, registry.ports), _NAMES),
            "outputs": _section(_REFERENCE, _NAMES),
            "layout": _section(
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
            ),
            "frames": _section({"type": "array", "items": {"type": "string"}}),
        },
    }


def _section(entry: Schema, names: Schema | None = None) -> Schema:
    """A mapping by names; nothing at all stands for an empty one."""
    limits = {"propertyNames": names} if names else {}
    return {"type": ["object", "null"], **limits, "additionalProperties": entry}


def _input(registry: Registry) -> Schema:
    kinds = {**registry.spellings, **{name: name for name in PLAIN}}
    names = sorted({*kinds, *BUILT_IN} - {"*"})
    domain, plain = "|".join(sorted(registry.spellings)), "|".join(PLAIN)
    word = rf"(\s|[\[\],|*]|\blist(?=\s*\[)|\b({plain})\b(?!\s*\[)|\b({domain})\b)"
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {"type": "string", "pattern": f"^{word}+$", "examples": names},
            "default": _CONSTANT,
            "min": {"type": "number"},
            "max": {"type": "number"},
            "menu": {"type": "array", "items": _NOTE},
            "help": _NOTE,
            "optional": {"type": "boolean"},
        },
        "allOf": [_default(name, kinds[name], registry.ports) for name in sorted(kinds)],
    }


def _default(name: str, kind: str, ports: Mapping[str, PortFacts]) -> Schema:
    """What may be the default of an input of a type, by the name that a graph writes for it."""
    given: Schema = _literal(TypeRef(kind), ports) or {"type": "null"}
    typed: Schema = {"properties": {"type": {"const": name}}, "required": ["type"]}
    return {"if": typed, "then": {"properties": {"default": {"anyOf": [given, {"type": "null"}]}}}}


def _any_node(specs: list[NodeSpec], ports: Mapping[str, PortFacts]) -> Schema:
    names = [spec.name for spec in specs]
    return {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {
                "anyOf": [
                    {"enum": [*names, SWITCH]},
                    {"type": "string", "pattern": rf"(\.ya?ml|^\${_NAME})$"},
                ]
            },
            "note": _NOTE,
            "each": _EACH,
        },
        "additionalProperties": _ANYTHING,
        "allOf": [_SWITCH, *(_node(spec, ports) for spec in specs)],
    }


def _node(spec: NodeSpec, ports: Mapping[str, PortFacts]) -> Schema:
    known = {port.name: _port(port, ports) for port in spec.inputs}
    old = {old: new for names in spec.renames.values() for old, new in names.items()}
    renamed = {name: {**known[new], "deprecated": True} for name, new in old.items()}
    return {
        "if": {"properties": {"type": {"const": spec.name}}, "required": ["type"]},
        "then": {
            "description": spec.doc,
            "properties": {
                "type": {"const": spec.name, "description": spec.doc},
                "note": _NOTE,
                "each": _each(spec, ports),
                **renamed,
                **known,
            },
            "additionalProperties": False,
            **_required(spec, old),
        },
    }


def _each(spec: NodeSpec, ports: Mapping[str, PortFacts]) -> Schema:
    """The axes of a node: of its ports, and of several together, of which no more is said."""
    wired = [_RANGE, _REFERENCE]
    many = {
        port.name: {"anyOf": [{**_LIST, "items": _port(port, ports)}, *wired]}
        for port in spec.inputs
    }
    together = {r"\+": {"anyOf": [_LIST, *wired]}}
    return {
        **_MANY,
        "properties": many,
        "patternProperties": together,
        "additionalProperties": False,
    }


def _required(spec: NodeSpec, old: Mapping[str, str]) -> Schema:
    """The ports that must stand there, under their names of today or of older versions, and not under both.

    Where there is `each`, they may be among its names.
    """
    needed = {port.name for port in spec.inputs if port.required}
    ways = [
        {
            "anyOf": [
                {"required": [name]},
                *({"required": [o]} for o, new in old.items() if new == name),
            ]
        }
        for name in sorted(needed & {*old.values()})
    ]
    both = [{"not": {"required": [was, now]}} for was, now in old.items()]
    whole: Schema = {
        "required": sorted(needed - {*old.values()}),
        **({"allOf": [*ways, *both]} if old else {}),
    }
    return {"if": {"not": {"required": ["each"]}}, "then": whole}


def _port(port: Port, ports: Mapping[str, PortFacts]) -> Schema:
    literal = _literal(port.type, ports, port.range, port.menu, port.fan_in)
    options = [_REFERENCE, *([literal] if literal else [])]
    if not port.required:
        options.append({"type": "null"})
    return {
        "description": f"{port.type}" + (f": {port.doc}" if port.doc else ""),
        "anyOf": options,
        **({} if port.default is None else {"default": port.default}),
    }


def _literal(
    ref: TypeRef,
    ports: Mapping[str, PortFacts],
    bounds: Range | None = None,
    menu: tuple[Any, ...] | None = None,
    fan_in: bool = False,
) -> Schema | None:
    """What may be written for a type; None where there is no literal of it. A list may stand for one item."""
    if ref.name == "|":
        members = [_literal(member, ports, bounds, menu) for member in ref.args]
        written = [member for member in members if member is not None]
        return {"anyOf": written} if written else None
    if ref.name == "list":
        item = _literal(ref.args[0], ports, bounds, menu) if ref.args else _ANYTHING
        items = [*([_REFERENCE] if fan_in else []), *([item] if item else [])]
        many: Schema = {"type": "array", "items": {"anyOf": items} if items else False}
        return {"anyOf": [item, many]} if item else many
    kind = literal_kind(ref, ports)
    if ref.variable or ref.name in ("*", "?"):
        return _ANYTHING
    if kind == "none":
        return None
    if menu is not None:
        return {"enum": list(menu)}
    one = {**_KINDS[kind], **(_limits(bounds) if kind in ("int", "float") else {})}
    many = {"type": "array", "items": one}
    facts = ports.get(ref.name)
    return {"anyOf": [one, many]} if facts is not None and facts.literal == "list" else one


def _limits(bounds: Range | None) -> Schema:
    limits = {"minimum": bounds.low, "maximum": bounds.high} if bounds else {}
    return {key: value for key, value in limits.items() if value is not None}
