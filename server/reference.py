"""The reference of the API as one page, made of its OpenAPI; it loads nothing from elsewhere."""

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
summary{cursor:pointer;padding:4px 0}code,pre{font:13px ui-monospace,monospace}
pre{overflow:auto;padding:8px;border:1px solid #8884}
b{display:inline-block;min-width:4.5rem}td{padding:2px 12px 2px 0;vertical-align:top}"""
Operation = Mapping[str, Any]


def page(document: Mapping[str, Any], nonce: str) -> str:
    """The page of an OpenAPI document; `nonce` lets its style be read."""
    chapters: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            chapter = chapters.setdefault((operation.get("tags") or ["other"])[0], [])
            chapter.append(_operation(method, path, operation, document))
    body = "".join(f"<h2>{escape(name)}</h2>{''.join(found)}" for name, found in chapters.items())
    title = escape(document["info"]["title"])
    about = escape(document["info"].get("description", ""))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<title>{title}: API</title><style nonce="{escape(nonce)}">{STYLE}</style>'
        f'<h1>{title}</h1><p>{about}</p><p><a href="openapi.json">openapi.json</a></p>{body}</html>'
    )


def _operation(method: str, path: str, operation: Operation, document: Mapping[str, Any]) -> str:
    name = f"<b>{method.upper()}</b><code>{escape(path)}</code>"
    return (
        f"<details><summary>{name} {escape(operation.get('summary', ''))}</summary>"
        f"<p>{escape(operation.get('description', ''))}</p>{_parameters(operation)}"
        f"{''.join(_body(operation, document))}</details>"
    )


def _parameters(operation: Operation) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code><td>{escape(one['in'])}"
        f"<td>{escape(one.get('description', ''))}"
        for one in operation.get("parameters", ())
    )
    return f"<table>{rows}</table>" if rows else ""


def _body(operation: Operation, document: Mapping[str, Any]) -> Iterator[str]:
    """What a request sends, as its schema."""
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = _found(content.get("schema", {}), document)
        told = json.dumps(schema, indent=1, ensure_ascii=False)
        yield f"<p><code>{escape(media)}</code></p><pre>{escape(told)}</pre>"


def _found(schema: Any, document: Mapping[str, Any]) -> Any:
    """A schema in the place of a reference to it."""
    reference = schema.get("$ref", "") if isinstance(schema, dict) else ""
    name = str(reference).rpartition("/")[2]
    return document.get("components", {}).get("schemas", {}).get(name, schema)
