"""Where in what a trainer saved the weights are, and their names without what wrappers added."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from nodes.checkpoints.files import UnreadableFile
from nodes.checkpoints.pickles import Foreign, Record

AVERAGED = ("ema_model", "model_ema", "ema", "state_dict_ema", "ema_state_dict", "params_ema")
"""Under which name trainers keep averaged weights, which are those to use."""
KEPT = ("state_dict", "model_state_dict", "model", "module", "net", "network", "weights", "params")
"""Under which name they keep the others."""
PREFIXES = ("module.", "model.", "online_model.", "net.", "network.")
"""What wrappers put before every name."""
BOOKKEEPING = ("initted", "step", "n_averaged", "num_updates", "decay")
"""Tensors of wrappers themselves, in the flat dicts that they make."""
_WRAPPERS = re.compile(r"(^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)")
MOST, DEEPEST = 100_000, 100
"""Tensors in one file, and modules one inside the other: more are a trap."""
Listed = Callable[[str], frozenset[str] | None]
"""Names of parameters and buffers of a class of a script; None where that is not known."""


class NoStateDict(UnreadableFile):
    """A torch file without a mapping of names to tensors."""


def state_dict(held: Any, listed: Listed) -> dict[str, Record]:
    """The records of the weights in the object of a torch file, by their names there. Raises NoStateDict.

    A mapping of names to tensors, or what such a mapping stands below in a training checkpoint: averaged weights first. A
    whole module gives what its state dict would; tensors of a list are named 0, 1, …
    """
    found = _found(held, listed, 3)
    if not found:
        raise NoStateDict(f"no state dict, no mapping of names to tensors; {_inventory(held)}")
    return found


def _found(held: Any, listed: Listed, depth: int) -> dict[str, Record]:
    if isinstance(held, Foreign):
        return dict(_module(held, listed))
    if isinstance(held, list | tuple):
        held = {str(number): value for number, value in enumerate(cast("list[Any]", held))}
    if not isinstance(held, Mapping):
        return {}
    values = cast("Mapping[Any, Any]", held)
    for name in (*AVERAGED, *KEPT) if depth else ():
        below = values.get(name)
        if isinstance(below, Mapping | Foreign) and (inner := _found(below, listed, depth - 1)):
            return inner
    return {k: v for k, v in values.items() if isinstance(k, str) and isinstance(v, Record)}


def _module(root: Foreign, listed: Listed) -> Iterable[tuple[str, Record]]:
    """Parameters and buffers of a module, and of those below it, with their dotted names."""
    waiting, count = [((), root)], 0
    while waiting:
        path, module = waiting.pop()
        tensors, children = _members(module, listed)
        count += len(tensors) + len(children)
        if count > MOST or len(path) > DEEPEST:
            raise NoStateDict("modules without an end")
        waiting += [((*path, name), child) for name, child in reversed(children.items())]
        yield from ((".".join((*path, name)), record) for name, record in tensors.items())


def _members(module: Foreign, listed: Listed) -> tuple[dict[str, Record], dict[str, Foreign]]:
    """The tensors of one module, and the modules in it: those of Python, or those of a script."""
    state: Mapping[Any, Any] = module.state if isinstance(module.state, Mapping) else {}
    if "_modules" in state:
        left_out = state.get("_non_persistent_buffers_set") or ()
        tensors = {**_mapping(state.get("_buffers")), **_mapping(state.get("_parameters"))}
        tensors = {k: v for k, v in tensors.items() if k not in left_out}
        children = _mapping(state["_modules"])
    else:
        wanted = listed(module.qualified)
        tensors = {k: v for k, v in state.items() if wanted is None or k in wanted}
        children = state
    return (
        {str(k): v for k, v in tensors.items() if isinstance(v, Record)},
        {str(k): v for k, v in children.items() if isinstance(v, Foreign)},
    )


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _inventory(held: Any) -> str:
    """What is there instead, in words."""
    if isinstance(held, Mapping) and held:
        names = [str(name) for name in list(cast("Mapping[Any, Any]", held))[:8]]
        return f"it has {', '.join(names)}{', …' * (len(held) > len(names))}"
    if not isinstance(held, Foreign):
        return f"it is a {type(held).__name__}"
    if not held.qualified.startswith("__torch__."):
        return f"it is a {held.qualified}"
    return "it is a script whose tensors only its own code finds: save its state_dict() where you trust it"


def plain_names(keys: Sequence[str]) -> dict[str, str]:
    """The key of each weight by its name without what wrappers added: compiled, parallel and averaged networks.

    Where a file has averaged weights beside the others, theirs are the keys; what was not averaged is kept.
    """
    bare = {_WRAPPERS.sub("", key).removeprefix("."): key for key in keys}
    for start in (f"{name}." for name in AVERAGED):
        averaged = {
            name.removeprefix(start): k for name, k in bare.items() if name.startswith(start)
        }
        if averaged:
            others = {name: k for name, k in bare.items() if not name.startswith(start)}
            return _replaced(_unprefixed(others), _unprefixed(averaged))
    return _unprefixed(bare)


def _unprefixed(names: Mapping[str, str]) -> dict[str, str]:
    """Without the beginnings that all have; what only wrappers have beside them goes too."""
    weights = {name: key for name, key in names.items() if name not in BOOKKEEPING}
    for prefix in PREFIXES:
        if weights and all(name.startswith(prefix) for name in weights):
            return _unprefixed({name.removeprefix(prefix): k for name, k in weights.items()})
    return dict(names)


def _replaced(others: Mapping[str, str], averaged: Mapping[str, str]) -> dict[str, str]:
    """Others with the averaged in their place; some trainers leave the dots out of the names of those."""
    dotted = {name.replace(".", ""): name for name in others}
    both = {**others, **{dotted.get(name, name): key for name, key in averaged.items()}}
    return {name: key for name, key in both.items() if name not in BOOKKEEPING}
