"""Rows that stand for several: R rows shared out over R·n samples, n in a row for each."""

from torch import Tensor


class Uneven(ValueError):
    """Samples that cannot be shared out over rows: there is no whole number for each."""


def share(rows: int, samples: int, of: str = "rows", what: str = "samples") -> int:
    """How many samples each row stands for. `of` and `what` name the two in the error. Raises Uneven."""
    if not rows or samples % rows:
        raise Uneven(f"{samples} {what} cannot be shared out over {rows} {of}")
    return samples // rows


def spread(value: Tensor, samples: int, of: str = "rows", what: str = "samples") -> Tensor:
    """Rows [R, …] for R·n samples, [R·n, …]: each n times in a row. Raises Uneven as `share`."""
    return value.repeat_interleave(share(len(value), samples, of, what), 0)


def level(*values: Tensor, what: str = "batches") -> list[Tensor]:
    """Tensors with as many rows as the longest, whose rows those of the others are spread over. Raises Uneven."""
    samples = max(len(value) for value in values)
    try:
        return [spread(value, samples) for value in values]
    except Uneven:
        counts = " and ".join(str(len(value)) for value in values)
        raise Uneven(f"{what} of {counts} rows cannot be laid beside each other") from None
