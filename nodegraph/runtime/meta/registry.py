"""Where shape rules are registered, under the names of torch's operations."""

from collections.abc import Callable
from typing import Any

Rule = Callable[..., Any]
"""What an operation gives on the meta device, of its arguments. Raises Unknown."""
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register the rule of these operations, such as `sum.dim_IntList`."""

    def register(function: Rule) -> Rule:
        RULES.update({f"aten::{name}": function for name in names})
        return function

    return register
