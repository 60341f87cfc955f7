"""The JSON Schema of graph files, made from the installed nodes: completion and hover docs in any YAML editor."""

from typing import Any

from nodegraph.graph import FORMAT_VERSION
from nodegraph.inputs import RESERVED
from nodegraph.node import NodeSpec, Port
from nodegraph.registry import Registry
from nodegraph.types import TypeRef

_REFERENCE = {"type": "string", "pattern": r"^\$[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$"}
_PLAIN = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_LITERAL = {
    "text": "string",
    "path": "string",
    "name": "string",
    "number": "number",
    "flag": "boolean",
}


def json_schema(registry: Registry) -> dict[str, Any]:
    """Draft-07 schema of a graph file."""
    specs = sorted(registry.nodes.values(), key=lambda spec: spec.name)
    types = sorted({*registry.ports, *_PLAIN})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "nodegraph graph",
        "type": "object",
        "required": ["graph", "nodes", "outputs"],
        "additionalProperties": False,
        "properties": {
            "graph": {"const": FORMAT_VERSION, "description": "Version of the format."},
            "title": {"type": "string"},
            "description": {"type": "string"},
            "inputs": {
                "type": "object",
                "propertyNames": {
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                    "not": {"enum": sorted(RESERVED)},
                },
                "additionalProperties": _input(types),
            },
            "presets": {"type": "object", "additionalProperties": {"type": "object"}},
            "nodes": {"type": "object", "additionalProperties": _any_node(specs)},
            "outputs": {"type": "object", "additionalProperties": _REFERENCE},
            "layout": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "number"}},
            },
        },
    }


def _input(types: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {
            "type": {"type": "string", "examples": types},
            "default": {},
            "min": {"type": "number"},
            "max": {"type": "number"},
            "menu": {"type": "array"},
            "help": {"type": "string"},
            "optional": {"type": "boolean"},
        },
    }


def _any_node(specs: list[NodeSpec]) -> dict[str, Any]:
    names = [spec.name for spec in specs]
    return {
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": {"anyOf": [{"enum": names}, {"type": "string", "pattern": r"\.ya?ml$"}]},
            "note": {"type": "string"},
        },
        "allOf": [_node(spec) for spec in specs],
    }


def _node(spec: NodeSpec) -> dict[str, Any]:
    ports = {port.name: _port(port) for port in spec.inputs}
    return {
        "if": {"properties": {"type": {"const": spec.name}}, "required": ["type"]},
        "then": {
            "description": spec.doc,
            "properties": {
                "type": {"const": spec.name, "description": spec.doc},
                "note": {"type": "string"},
                **ports,
            },
            "required": [port.name for port in spec.inputs if port.required],
            "additionalProperties": False,
        },
    }


def _port(port: Port) -> dict[str, Any]:
    literal = {"enum": list(port.menu)} if port.menu else _type(port.type)
    if port.range and literal.get("type") in ("integer", "number"):
        bounds = {"minimum": port.range.low, "maximum": port.range.high}
        literal = {**literal, **{key: value for key, value in bounds.items() if value is not None}}
    described = f"{port.type}" + (f": {port.doc}" if port.doc else "")
    options = [_REFERENCE, *([literal] if literal else [])]
    if not port.required:
        options.append({"type": "null"})
    return {
        "description": described,
        "anyOf": options,
        **({} if port.default is None else {"default": port.default}),
    }


def _type(ref: TypeRef) -> dict[str, Any]:
    if ref.name in _PLAIN:
        return {"type": _PLAIN[ref.name]}
    if ref.name == "list":
        return {"type": "array"}
    if ref.name == "|":
        return {"anyOf": [made for a in ref.args if (made := _type(a))]}
    return {"type": ["string", "number", "boolean", "array"]} if not ref.variable else {}
