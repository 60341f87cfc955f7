"""Shape rules: what torch's operations give on the meta device.

torch has references in Python for most of them, which take a fifth of a millisecond each and load its compiler. A rule knows
the usual arguments; for others it raises Unknown, and torch's own kernel runs: it is right, and says what is wrong.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from nodegraph.runtime.meta import attention as attention
from nodegraph.runtime.meta import linear as linear
from nodegraph.runtime.meta import moves as moves
from nodegraph.runtime.meta import norms as norms
from nodegraph.runtime.meta import reductions as reductions
from nodegraph.runtime.meta import resizing as resizing
from nodegraph.runtime.meta.elementwise import pointwise, random
from nodegraph.runtime.meta.layout import Unknown
from nodegraph.runtime.meta.registry import RULES, Rule


def rule_of(func: Any) -> Rule | None:
    """The rule of an operation, by its name or torch's tag for elementwise ones; None where there is none."""
    known = RULES.get(func._name)
    if known is not None:
        return known
    inplace = _in_place(func)
    if torch.Tag.pointwise in func.tags and (inplace or not func._schema.is_mutable):
        return partial(pointwise, func, inplace, {})
    return random if inplace and torch.Tag.nondeterministic_seeded in func.tags else None


def _in_place(func: Any) -> bool:
    """Whether an operation writes into its first argument. torch 2.11 has no tag that says so."""
    first = func._schema.arguments[:1]
    return bool(first) and first[0].alias_info is not None and first[0].alias_info.is_write


def by_rule(rule: Rule, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What an operation gives by its rule. Raises Unknown."""
    try:
        return rule(*args, **kwargs)
    except (TypeError, IndexError, ValueError):
        raise Unknown from None
