"""The rows of an axis as it stands in a file: a value, or a value for each of the names that go together."""

from collections.abc import Sequence

from nodegraph.base.diagnostics import Span
from nodegraph.language.graph import EachAxis, Listing, Literal, Ref, Value
from nodegraph.language.many import BadRange, range_values

LIST = "write a list, or a range such as 0..3"
PAIRS = "write: [[a, 1], [b, 2]]"


class BadRow(ValueError):
    """What is wrong with an axis, its place, and the mend."""

    def __init__(self, message: str, span: Span, hint: str) -> None:
        super().__init__(message)
        self.span = span
        self.hint = hint


def rows_of(axis: EachAxis) -> list[tuple[Value, ...]]:
    """The rows of an axis whose values stand there. Raises BadRow."""
    value = axis.values
    if isinstance(value, Ref):
        raise BadRow("a sweep goes over values, and cannot refer to something", value.span, LIST)
    if isinstance(value, Literal):
        return paired(axis, range_items(value))
    return paired(axis, value.items)


def range_items(value: Literal) -> list[Value]:
    """The numbers of a range. Raises BadRow."""
    try:
        return [Literal(number, value.span) for number in range_values(str(value.value))]
    except BadRange as error:
        raise BadRow(str(error), value.span, LIST) from None


def paired(axis: EachAxis, items: Sequence[Value]) -> list[tuple[Value, ...]]:
    """The items as rows, with a value for each name. Raises BadRow, also where there are none."""
    width, owner = len(axis.names), "+".join(axis.names)
    if not items:
        raise BadRow(f"each '{owner}' has no values", axis.values.span, "give at least one")
    if width == 1:
        return [(item,) for item in items]
    for item in items:
        if not isinstance(item, Listing) or len(item.items) != width:
            message = f"{' and '.join(axis.names)} go together: {width} values for each"
            raise BadRow(message, item.span, PAIRS)
    return [item.items for item in items if isinstance(item, Listing)]
