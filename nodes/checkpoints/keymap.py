"""One form for the names of tensors in every layout: a table of what their keys are in ours, which is read both ways.

    "time_embed.": "time.",               the beginning of keys; what stands behind the dot stays as it is
    "prd_emb": "query",                   a whole key
    "layers.#.norm.": "blocks.#.ln.",     # is a number, the same in both
    "to_k.": Part("qkv.", 1, 3),          the second of three tensors that are joined into one of ours
    "logit_scale": None,                  left out

Of several that fit the longest counts. A key that none fits is an error.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:  # who names a layout needs no torch
    from torch import Tensor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Part:
    """The name of a tensor of ours, and the place among the tensors of theirs that make it; mostly it is one."""

    ours: str
    place: int = 0
    of: int = 1


Table = Mapping[str, str | Part | None]


@dataclass(frozen=True, slots=True)
class Joint:
    """How several tensors of theirs make one of ours, and how ours gives them again, given how many they are."""

    join: Callable[["list[Tensor]"], "Tensor"]
    split: Callable[["Tensor", int], "Sequence[Tensor]"]


def parts(ours: str, *theirs: str) -> Table:
    """A table of tensors that are joined into one, in their order."""
    return {name: Part(ours, place, len(theirs)) for place, name in enumerate(theirs)}


def under(theirs: str, ours: str, table: Table) -> Table:
    """A table whose names stand behind others."""
    placed = {name: _part(value) for name, value in table.items()}
    return {theirs + n: p and replace(p, ours=ours + p.ours) for n, p in placed.items()}


def _one_behind_the_other(parts: "list[Tensor]") -> "Tensor":
    from torch import cat

    return cat(parts)


IN_SEQUENCE = Joint(_one_behind_the_other, lambda whole, count: whole.chunk(count))
"""All queries, then all keys, then all values."""


def by_head(heads: int) -> Joint:
    """Queries, keys and values of the first head, then those of the next."""

    def join(parts: "list[Tensor]") -> "Tensor":
        from torch import stack

        return stack([part.unflatten(0, (heads, -1)) for part in parts], 1).flatten(0, 2)

    def split(whole: "Tensor", count: int) -> "list[Tensor]":
        each = whole.unflatten(0, (heads, count, -1)).unbind(1)
        return [part.flatten(0, 1) for part in each]

    return Joint(join, split)


class KeyMap:
    """The names of a layout. `joint` makes one tensor of several, and several of one."""

    def __init__(self, table: Table, joint: Joint = IN_SEQUENCE) -> None:
        self.table = table
        self.joint = joint

    def our_key(self, key: str) -> Part | None:
        """Our name of a tensor of theirs; None for one that is left out. Raises ValueError for one that has no place."""
        value, ends = self._from_theirs(key)
        return value and replace(value, ours=_filled(value.ours, ends))

    def their_keys(self, key: str) -> list[str]:
        """Their names of the tensors that make one of ours. Raises ValueError for one that has no place."""
        names, ends = self._from_ours(key)
        return [_filled(name, ends) for name in names]

    def ours(self, state_dict: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """A state dict under our names.

        Raises ValueError for a key without a place, two keys with one meaning, and where a part of a joined tensor is missing.
        """
        found: dict[str, dict[Part, Tensor]] = {}
        for key, value in state_dict.items():
            if part := self.our_key(key):
                held = found.setdefault(part.ours, {})
                if part in held:
                    raise ValueError(f"two keys of the checkpoint mean {part.ours}; one is {key}")
                held[part] = value
        return {name: self._whole(name, held) for name, held in found.items()}

    def theirs(self, values: Mapping[str, T]) -> dict[str, T]:
        """What stands under our names under theirs, where each tensor of ours is one of theirs."""
        return {name: value for key, value in values.items() for name in self.their_keys(key)}

    def split(self, state_dict: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
        """A state dict of ours under their names, as `ours` reads it. Raises ValueError for a key without a place."""
        found: dict[str, Tensor] = {}
        for key, value in state_dict.items():
            names = self.their_keys(key)
            parts = [value] if len(names) == 1 else self.joint.split(value, len(names))
            found |= zip(names, parts, strict=True)
        return found

    def _whole(self, name: str, held: "Mapping[Part, Tensor]") -> "Tensor":
        of = next(iter(held)).of
        if len(held) != of:
            raise ValueError(f"{name} lacks a part: of {of} there are {len(held)}")
        tensors = [value for _, value in sorted(held.items(), key=lambda item: item[0].place)]
        return tensors[0] if of == 1 else self.joint.join(tensors)

    @cached_property
    def _from_theirs(self) -> "_Rules[Part | None]":
        return _Rules({name: _part(value) for name, value in self.table.items()})

    @cached_property
    def _from_ours(self) -> "_Rules[list[str]]":
        """Where two names of theirs mean one of ours, the first is taken."""
        names: dict[str, dict[int, str]] = {}
        for name, value in self.table.items():
            if part := _part(value):
                names.setdefault(part.ours, {}).setdefault(part.place, name)
        return _Rules({name: list(found.values()) for name, found in names.items()})


class _Rules(Generic[T]):
    """What keys stand for, by their form, and what was found at each # and behind the beginning."""

    def __init__(self, table: Mapping[str, T]) -> None:
        longest = sorted(table, key=len, reverse=True)
        self.values = [table[name] for name in longest]
        self.form = re.compile("|".join(f"(?P<r{n}>{_form(k)})" for n, k in enumerate(longest)))

    def __call__(self, key: str) -> tuple[T, tuple[str, ...]]:
        found = self.form.fullmatch(key)
        if found is None or found.lastgroup is None or found.lastindex is None:
            raise ValueError(f"the checkpoint has a key that has no place: {key}")
        ends = tuple(end for end in found.groups()[found.lastindex :] if end is not None)
        return self.values[int(found.lastgroup[1:])], ends


def _form(name: str) -> str:
    """A name of a table as a regular expression: a group for each number, and one for what follows a dot at its end."""
    return re.escape(name).replace(r"\#", r"(\d+)") + ("(.+)" if name.endswith(".") else "")


def _filled(name: str, ends: tuple[str, ...]) -> str:
    """A name of the other side, with what was found in the key."""
    numbers, behind = (ends[:-1], ends[-1]) if name.endswith(".") else (ends, "")
    for number in numbers:
        name = name.replace("#", number, 1)
    return name + behind


def _part(value: str | Part | None) -> Part | None:
    return Part(value) if isinstance(value, str) else value
