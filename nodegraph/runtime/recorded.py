"""What a picture says of how it was made, read with distrust: whoever made the file wrote it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, Span, diagnostic
from nodegraph.language.scalars import LARGEST
from nodegraph.language.source import SourceText
from nodegraph.library.port import Precision
from nodegraph.runtime import png
from nodegraph.runtime.png import DamagedPng
from nodegraph.runtime.provenance import CHUNK

RECORD_LIMIT = 1 << 22
"""Bytes of a record: many times what the largest graph with its subgraphs takes."""
_WORD = re.compile(r"[a-z0-9]{1,16}")


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a picture says of itself: its graph, the inputs, digests of the models by name, precision and kind of device; the
    names of the node files that no library has, by node type (none of those is ever looked for); and versions by package."""

    source: SourceText
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    models: Mapping[str, str] = field(default_factory=dict[str, str])
    precision: Precision | None = None
    device: str | None = None
    beside: Mapping[str, str] = field(default_factory=dict[str, str])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])


def read_picture(path: Path) -> Recorded:
    """How a picture was made. Raises GraphError where it does not say, or says it in a way that cannot be read.

    The graph is somebody else's: its folder is the picture's own, and it reads and writes no more than any graph may.
    """
    try:
        return _recorded(_record(path), path.parent)
    except OSError as error:
        raise _refused(
            path, Code.UNREADABLE_FILE, f"{path} cannot be read: {error.strerror or error}"
        ) from None
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        reason = f"it {reason}" if isinstance(error, DamagedPng) else reason
        message = f"this picture's graph cannot be read: {reason}"
        raise _refused(path, Code.UNREADABLE_PICTURE, message) from None


def _refused(path: Path, code: Code, message: str) -> GraphError:
    return GraphError([diagnostic(code, message, Span(str(path), 1, 1, 1, 1))])


def _record(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        text = png.text(file, CHUNK, RECORD_LIMIT)
    if text is None:
        raise ValueError("the picture does not carry the graph that made it")
    return _mapping("its record", json.loads(text))


def _recorded(record: dict[str, Any], folder: Path) -> Recorded:
    """The parts of a record, each as it must be. Raises ValueError."""
    sources, name = _texts(record, "sources"), _text("'graph'", record.get("graph"))
    if not name or name != Path(name).name:
        raise ValueError(f"{name!r} is not the name of a graph file")
    if name not in sources:
        raise ValueError(f"the text of its graph {name!r} is missing")
    models, inputs = _texts(record, "models"), _mapping("'inputs'", record.get("inputs", {}))
    for key, value in inputs.items():
        for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
            _value(f"input {key!r}", item)
    source = SourceText(name, sources[name], folder, sources)
    device, beside = _word(record, "device"), _texts(record, "node_files")
    versions = _texts(record, "versions")
    return Recorded(source, inputs, models, _precision(record), device, beside, versions)


def _mapping(what: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is {_kind(value)} where names with values are expected")
    found = cast("dict[str, Any]", value)
    for name in found:
        _text(f"a name in {what}", name)
    return found


def _texts(record: dict[str, Any], part: str) -> dict[str, str]:
    """A part that gives texts by name; none where it is missing."""
    found = _mapping(f"'{part}'", record.get(part, {}))
    return {name: _text(f"{name!r} in '{part}'", text) for name, text in found.items()}


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} is {_kind(value)} where a text is expected")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{what} holds half a character (a lone surrogate)") from None
    return value


def _value(what: str, value: Any) -> None:
    """Refuse what is no value of an input: only texts, numbers and flags are recorded, and lists of them."""
    if isinstance(value, int | float):
        if isinstance(value, int) and abs(value) >= LARGEST:
            raise ValueError(f"{what} is a number of too many digits")
    else:
        _text(what, value)


def _word(record: dict[str, Any], part: str) -> str | None:
    """The short word that a device or a precision is called by."""
    value = record.get(part)
    if value is not None and not (isinstance(value, str) and _WORD.fullmatch(value)):
        raise ValueError(f"'{part}' is no word")
    return value


def _precision(record: dict[str, Any]) -> Precision | None:
    found = _word(record, "precision")
    if found is not None and found not in get_args(Precision):
        raise ValueError(f"'{found}' is no precision; there are: {', '.join(get_args(Precision))}")
    return cast("Precision | None", found)


def _kind(value: Any) -> str:
    """What stands where something else should, in words."""
    if value is None:
        return "missing"
    kinds = (str, "a text"), (bool, "a flag"), (int | float, "a number"), (list, "a list")
    return next((name for kind, name in kinds if isinstance(value, kind)), "a mapping")
