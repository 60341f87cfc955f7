"""HTML of results for notebooks; every text is escaped."""

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

MOST_ROWS, MOST_PICTURES = 200, 64
"""Rows and pictures that are shown; of those beyond only the number is."""


def text(value: Any) -> str:
    """A value as text."""
    return escape(f"{value:.6g}" if isinstance(value, float) else str(value))


def paragraph(value: Any) -> str:
    """A line of text."""
    return f"<p>{text(value)}</p>"


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Rows of plain values under the names of their columns."""
    head = "".join(f"<th>{text(name)}</th>" for name in columns)
    lines = (f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows[:MOST_ROWS])
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    return body + _beyond(len(rows) - MOST_ROWS, "rows")


def records(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by the names of their columns, in the order in which those come up."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return table(names, [[row.get(name) for name in names] for row in rows])


def grid(pictures: Sequence[bytes], name: str) -> str:
    """Pictures, as PNG bytes, side by side."""
    shown = "".join(_picture(png, name) for png in pictures[:MOST_PICTURES])
    style = "display: flex; flex-wrap: wrap; gap: 6px"
    return f'<div style="{style}">{shown}</div>' + _beyond(len(pictures) - MOST_PICTURES, name)


def progress(done: int, total: int, told: str, preview: bytes | None, name: str) -> str:
    """A line over a bar, and over a picture as PNG bytes where there is one."""
    bar = f'<progress max="{total}" value="{done}" style="width: 256px"></progress>'
    shown = "" if preview is None else f"<div>{_picture(preview, name)}</div>"
    return f"<div><small>{text(told)}</small><div>{bar}</div>{shown}</div>"


def figure(parts: Iterable[tuple[str, str]], caption: str) -> str:
    """Names with the HTML of what they stand for, over a caption."""
    body = "".join(f"<div><small>{text(name)}</small>{shown}</div>" for name, shown in parts)
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return f'<figure style="margin: 0">{body}{below}</figure>'


def _cell(value: Any) -> str:
    return f"<td>{'' if value is None else text(value)}</td>"


def _picture(png: bytes, name: str) -> str:
    data = b64encode(png).decode("ascii")
    return f'<img alt="{text(name)}" src="data:image/png;base64,{data}">'


def _beyond(count: int, what: str) -> str:
    return paragraph(f"… and {count} more {what}") if count > 0 else ""
