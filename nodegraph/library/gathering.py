"""What the engine itself puts into a program: nodes that make one value of many, and many of one."""

from typing import Any, cast


def gathered(items: list[Any]) -> list[Any]:
    """The values, as they are, in one list."""
    return items


def stacked(**batches: Any) -> Any:
    """Batches of as many rows as one, in the order of the ports; of lists of them each. Raises ValueError where they differ."""
    from nodegraph.base.tensors import of_rows

    return of_rows(list(batches.values()))


def single(value: Any) -> Any:
    """A batch, if it is of one row, or none at all. Raises ValueError for any other."""
    from nodegraph.base.tensors import rows_of

    there = value is not None and not (
        isinstance(value, list) and not len(cast("list[Any]", value))
    )
    if there and rows_of(value) != 1:
        raise ValueError("this is not of one row")
    return cast(Any, value)


def part(part: int, parts: int, **batches: Any) -> Any:
    """One of so many equal parts of each batch: of one batch, or a tuple of several. Raises ValueError for what has none."""
    from nodegraph.base.tensors import part_of

    found = [part_of(batch, part, parts) for batch in batches.values()]
    return tuple(found) if len(found) > 1 else found[0]
