"""Options of other programs: each is read, or free, or of a value that the networks here know; else it is refused."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Options = Mapping[str, Any]
NOTHING = (None, False, "", [], {})
"""What an option that is not known here may be: it asks for nothing."""


class UnknownConfig(ValueError):
    """A configuration with a feature that no network here has: names the option and its value."""


@dataclass(frozen=True)
class Known:
    """The options of one kind of network. `read`: those that its configuration is made of; `free`: those that change no number
    of a run; `fixed`: those of which only these values are known, the first of which a missing option means, unless `missing`
    says another.
    """

    owner: str
    read: Iterable[str]
    free: Iterable[str] = ()
    fixed: Mapping[str, tuple[Any, ...]] = field(default_factory=dict[str, tuple[Any, ...]])
    missing: Options = field(default_factory=dict[str, Any])

    def check(self, options: Options) -> None:
        """Raises UnknownConfig for an option that the networks here would compute otherwise, or that is not known at all."""
        for name, values in self.fixed.items():
            given = options.get(name, self.missing.get(name, values[0]))
            if not any(_same(given, value) for value in values):
                known = " or ".join(repr(value) for value in values)
                raise UnknownConfig(
                    f"{self.owner}: {name} is {given!r}; the networks here know {known}"
                )
        for name, given in options.items():
            named = name in (*self.read, *self.free, *self.fixed) or name.startswith("_")
            if not named and not any(_same(given, value) for value in NOTHING):
                raise UnknownConfig(
                    f"{self.owner}: {name} is {given!r}, which is not known here and may change the pictures"
                )


def one(options: Options, name: str, default: Any = None) -> Any:
    """An option that may be given for each level. Raises UnknownConfig where the levels differ."""
    given = options.get(name, default)
    if not isinstance(given, list | tuple):
        return given
    values = list(given)
    if not values or any(value != values[0] for value in values):
        raise UnknownConfig(f"{name} is {given}; the networks here have one for all levels")
    return values[0]


def flag(options: Options, name: str, default: bool | None = None) -> bool:
    """An option that is true or false; without a default it must be there. Raises UnknownConfig for any other value."""
    given = options[name] if default is None else options.get(name, default)
    if not isinstance(given, bool):
        raise UnknownConfig(f"{name} is {given!r}, which is neither true nor false")
    return given


def _same(given: Any, value: Any) -> bool:
    """Equal, and not by chance: False is no 0."""
    return given == value and isinstance(given, bool) == isinstance(value, bool)
