"""Port types as Python writes them: what a value of a type is, and what a caller may give for it."""

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from nodegraph.library.port import TypeRef
from nodegraph.library.registry import PortFacts, Registry
from nodegraph.library.typerefs import PLAIN

PICTURES = ("_PIL.Image", "_NDArray[_Any]")
"""What a type of files takes from Python beside them, where it takes values as they are."""


@dataclass(slots=True)
class Annotations:
    """Writes annotations; `imports` are the lines that they need, with names that begin with `_`."""

    registry: Registry
    imports: set[str] = field(default_factory=set[str])

    def value(self, ref: TypeRef) -> str:
        """The annotation of a value that travels on a wire; `_Any` where nothing is known of it."""
        if ref.name == "|":
            return _either(map(self.value, ref.args))
        if ref.name == "list":
            return f"list[{self.value(ref.args[0]) if ref.args else '_Any'}]"
        if ref.name in PLAIN:
            return ref.name
        facts = self.registry.facts(ref.name)
        if ref.variable or facts is None or not _declares(facts.home, facts.name):
            return "_Any"
        self.imports.add(f"from {facts.home} import {facts.name} as _{facts.name}")
        arguments = ", ".join(map(self.value, ref.args))
        return f"_{facts.name}[{arguments}]" if arguments else f"_{facts.name}"

    def given(self, ref: TypeRef) -> str:
        """The annotation of what a caller may give: values, and the literals that a file may have there."""
        if ref.name == "|":
            return _either(map(self.given, ref.args))
        if ref.name == "list":
            item = self.given(ref.args[0]) if ref.args else "_Any"
            return _either((f"_Sequence[{item}]", item))
        facts = None if ref.name in PLAIN else self.registry.facts(ref.name)
        own = self.value(ref)
        if facts is None or own == "_Any":
            return own
        return _either((*_literals(facts), *facts.widens_from, own))


def _literals(facts: PortFacts) -> tuple[str, ...]:
    """What a literal of a type may be; where the type says it by itself nothing."""
    if facts.literal in ("path", "name"):
        more = () if not facts.given else PICTURES if facts.literal == "path" else ("_Any",)
        return ("str", "_PathLike[str]", *more)
    if not facts.parsed:
        return ("_Any",) if facts.given else ()
    kinds = {"text": ("str",), "number": ("float",), "flag": ("bool",), "scalar": ("float", "str")}
    found = kinds.get(facts.literal, () if facts.literal == "none" else ("_Any",))
    return (*found, "_Any") if facts.given else found


def _either(members: Iterable[str]) -> str:
    found = dict.fromkeys(members)
    return "_Any" if "_Any" in found else " | ".join(found)


@cache
def _declares(module: str, name: str) -> bool:
    """Whether a module that can be imported by its name declares a name; it is read, not imported."""
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return False
    if spec is None or not spec.origin:
        return False
    path = Path(spec.origin)
    if rest:
        path = path.parent.joinpath(*rest).with_suffix(".py")
        path = path if path.exists() else path.with_suffix("") / "__init__.py"
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError):
        return False
    return any(name in _bound(statement) for statement in tree.body)


def _bound(statement: ast.stmt) -> list[str]:
    """The names that a statement binds."""
    match statement:
        case ast.ClassDef() | ast.FunctionDef():
            return [statement.name]
        case ast.Assign():
            return [target.id for target in statement.targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case ast.Import() | ast.ImportFrom():
            return [alias.asname or alias.name for alias in statement.names]
        case _:
            return []
