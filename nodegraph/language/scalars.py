"""Plain scalars by the YAML 1.2 core schema: `1e3` is a number, `yes`, `012` and `1:30` are what they look like."""

import re

Scalar = str | int | float | bool | None
LARGEST = 10**300
"""Whole numbers stay below it, so that each of them is a finite float too."""
LONGEST = 400
"""Characters of a number."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NAN = frozenset({".nan", ".NaN", ".NAN"})


class LongNumber(ValueError):
    """A number with more digits than any that can be meant."""


def plain(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar. Raises LongNumber. Ref: YAML 1.2.2, §10.3.2."""
    first = text[:1]
    if first.isalpha() and first not in "nNtTfF":
        return text
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    return _number(text)


def _number(text: str) -> Scalar:
    if _INT.fullmatch(text):
        return _whole(text, 10)
    if _FLOAT.fullmatch(text):
        return float(_short(text))
    if _OCTAL.fullmatch(text):
        return _whole(text[2:], 8)
    if _HEX.fullmatch(text):
        return _whole(text[2:], 16)
    if _INFINITY.fullmatch(text):
        return float("-inf") if text[0] == "-" else float("inf")
    return float("nan") if text in _NAN else text


def _whole(digits: str, base: int) -> int:
    number = int(_short(digits), base)
    if abs(number) >= LARGEST:
        raise LongNumber(f"a whole number of more than {len(str(LARGEST)) - 1} digits")
    return number


def _short(digits: str) -> str:
    if len(digits) > LONGEST:
        raise LongNumber(f"a number of {len(digits)} characters")
    return digits
