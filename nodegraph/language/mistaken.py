"""Texts that YAML takes for something else: with a ': ' in them for mappings, with a comma for more than one entry."""

import math

from nodegraph.language.scalars import Scalar
from nodegraph.language.yaml import QUOTE_IT, Leaf, Table, Tree


def is_number(value: Scalar) -> bool:
    """Whether it is a number that can be a bound or a place: neither NaN nor infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def behind_a_comma(name: str, value: object) -> str | None:
    """A hint for an unknown key that may be the rest of a text: `{text: red, blue}`."""
    empty = value is None or getattr(value, "value", "") is None
    return f"quote the text, if '{name}' is a part of one" if empty or " " in name else None


def text_of_mapping(tree: Tree) -> str | None:
    """The text that was read as a mapping for a ': ' in it."""
    if isinstance(tree, Table) and len(tree.entries) == 1:
        (entry,) = tree.entries
        if isinstance(entry.value, Leaf) and isinstance(entry.value.value, str):
            return f"{entry.key}: {entry.value.value}"
    return None


def quote_hint(tree: Tree) -> str:
    """How to write a text that was read as a mapping for a ': ' in it."""
    text = text_of_mapping(tree)
    return QUOTE_IT if text is None else f'{QUOTE_IT}: "{text}"'
