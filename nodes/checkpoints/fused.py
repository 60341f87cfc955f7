"""Renaming the keys of a state dict, where several tensors of theirs may make one of ours."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # who renames keys of options needs no torch
    from torch import Tensor

Renamed = tuple[str, int | None]
"""Our key, and the place of the tensor among those that make it (None: it is alone)."""
Join = Callable[[str, "list[Tensor]"], "Tensor"]


def renamed(
    state_dict: Mapping[str, "Tensor"], our_key: Callable[[str], Renamed | None], join: Join
) -> dict[str, "Tensor"]:
    """A state dict under our names; keys that become None are left out.

    Raises ValueError for two keys with one meaning, and where a part of a joined tensor is missing.
    """
    alone: dict[str, Tensor] = {}
    parts: dict[str, dict[int, Tensor]] = {}
    for key, value in state_dict.items():
        found = our_key(key)
        if found is None:
            continue
        name, place = found
        if name in alone or place in parts.get(name, {}):
            raise ValueError(f"two keys of the checkpoint mean {name}; one is {key}")
        if place is None:
            alone[name] = value
        else:
            parts.setdefault(name, {})[place] = value
    joined = {name: join(name, _in_order(name, found)) for name, found in parts.items()}
    return {**alone, **joined}


def _in_order(name: str, parts: "Mapping[int, Tensor]") -> "list[Tensor]":
    """The parts 0, 1, …; keys and values are two, queries, keys and values three."""
    count = 2 if name.endswith(("context_kv.weight", "context_kv.bias")) else 3
    if sorted(parts) != list(range(count)):
        raise ValueError(f"{name} lacks a part: of {count} there are {len(parts)}")
    return [parts[place] for place in range(count)]


def in_sequence(name: str, parts: "list[Tensor]") -> "Tensor":
    """All queries, then all keys, then all values."""
    from torch import cat

    return cat(parts)


def by_head(heads: int) -> Join:
    """Queries, keys and values of the first head, then those of the next."""

    def join(name: str, parts: "list[Tensor]") -> "Tensor":
        from torch import stack

        return stack([part.unflatten(0, (heads, -1)) for part in parts], 1).flatten(0, 2)

    return join


def replaced(key: str, pairs: Mapping[str, str]) -> str:
    """A key whose first stretch that is in `pairs` is exchanged for its counterpart; the longest one counts."""
    for theirs in sorted(pairs, key=len, reverse=True):
        if key.startswith(theirs):
            return pairs[theirs] + key.removeprefix(theirs)
    raise ValueError(f"the checkpoint has a key that has no place: {key}")
