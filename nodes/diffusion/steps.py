"""How the steps of a schedule are written, before a chain is known to cut them from. Imports no torch."""

FAST = "fast27"
STRIDED = "ddim"
TRAILING = "trailing"


class TooFew(ValueError):
    """Less than one step."""


def canonical_steps(spec: str | int) -> str:
    """The one way to write steps: `27`, `10,10,3,2,2`, `ddim50`, `trailing8`, `fast27`, or nothing for all of them.

    Raises TooFew, or ValueError for what is none of these.
    """
    text = str(spec).strip()
    if text in ("", FAST):
        return text
    for word in (STRIDED, TRAILING):
        if text.startswith(word):
            return word + str(_count(text.removeprefix(word), spec))
    return ",".join(str(_count(part, spec)) for part in text.split(","))


def _count(part: str, spec: str | int) -> int:
    part = part.strip()
    if not part.removeprefix("-").isdecimal():
        raise ValueError(
            f"steps '{spec}' are neither a number, nor numbers with commas, nor ddimN, nor trailingN, nor fast27"
        )
    if int(part) < 1:
        raise TooFew(f"of {int(part)} steps none is visited; there must be at least 1")
    return int(part)
