"""Edits of texts, and their canonical form."""

import inspect
from collections.abc import Sequence

from pydantic import ConfigDict, ValidationError, validate_call

from nodegraph.base.diagnostics import GraphError
from nodegraph.language import edit
from nodegraph.language.format import Unformattable, formatted
from nodegraph.language.settling import Refused
from nodegraph.language.texts import applied
from server.judging import Judge, faulty
from server.problems import Problem
from server.wire import OneEdit

EDITS = {
    name: validate_call(config=ConfigDict(strict=True))(function)
    for name, function in inspect.getmembers(edit, inspect.isfunction)
    if function.__module__ == edit.__name__ and not name.startswith("_")
}


def canonical(_: Judge, text: str) -> str:
    """The canonical form of a text. Raises Problem."""
    try:
        return formatted(text, "graph.yaml")
    except Unformattable as error:
        raise faulty(GraphError(error.diagnostics, {"graph.yaml": text})) from None


def changed(_: Judge, text: str, edits: Sequence[OneEdit]) -> str:
    """A text after edits, one after the other. Raises Problem."""
    for one in edits:
        text = _edited(text, one)
    return text


def _edited(text: str, one: OneEdit) -> str:
    function, given = EDITS.get(one.edit), one.model_extra or {}
    if function is None:
        raise Problem(
            422, "no-edit", f"there is no edit '{one.edit[:80]}'; there are: {', '.join(EDITS)}"
        )
    try:
        inspect.signature(function).bind(text, **given)
        return applied(text, function(text, **given))
    except Refused as error:
        raise Problem(422, "refused-edit", f"{one.edit}: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise Problem(422, "malformed", f"{one.edit}: {at}: {first['msg']}") from None
    except (TypeError, ValueError) as error:
        raise Problem(422, "malformed", f"{one.edit}: {error}") from None
    except GraphError as error:
        raise faulty(GraphError(error.diagnostics, {"graph": text})) from None
