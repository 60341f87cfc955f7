"""The node library. Importing this package imports nothing else; `from nodes import slerp` finds a node by its name."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any


def __getattr__(name: str) -> Any:
    """A node function by its name, from the file that defines it."""
    if not name.startswith("_"):
        for module in iter_modules([str(Path(__file__).parent)]):
            source = Path(__file__).parent / f"{module.name}.py"
            if not module.ispkg and f"\ndef {name}(" in source.read_text(encoding="utf-8"):
                return getattr(import_module(f"nodes.{module.name}"), name)
    raise AttributeError(f"there is no node '{name}'")
