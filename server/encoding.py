"""JSON that every reader can read: no NaN, no halves of characters, whatever a node gave."""

import json
import math
from typing import Any, cast

from fastapi.responses import JSONResponse


def encoded(content: Any) -> bytes:
    """Content as JSON in UTF-8. A number that is not finite becomes null, half a character `?`: JSON has neither."""
    try:
        return _json(content).encode()
    except ValueError:
        return _json(_finite(content)).encode("utf-8", "replace")


def _json(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        found = cast("dict[str, Any]", content)
        return {name: _finite(value) for name, value in found.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in cast("list[Any]", content)]
    return content


class Answer(JSONResponse):
    """An answer in such JSON."""

    def render(self, content: Any) -> bytes:
        return encoded(content)
