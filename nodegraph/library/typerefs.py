"""Which types fit on which ports, and type expressions of graph files (`list[Condition]`, `Denoiser[Image]`)."""

import re
from collections.abc import Collection, Iterator, Mapping

from nodegraph.library.port import TypeRef

DEEPEST = 16
"""How deep a type that a graph names may be nested."""
LONGEST = 64
"""How many names a type may mention."""
UNKNOWN = TypeRef("?")
PLAIN = ("str", "int", "float", "bool")
BUILT_IN = frozenset((*PLAIN, "list", "*"))
"""Names of types that no library declares."""
Widenings = Collection[tuple[str, str]]


def fits(source: TypeRef, target: TypeRef, bound: dict[str, TypeRef], widenings: Widenings) -> bool:
    """Whether a value of type `source` may stand on a port of type `target`; binds the variables of `target`.

    A union source must fit whole; a variable takes the first type that it meets, and then only that.
    """
    if source.name == "?" or source.variable or target.name in ("*", "?"):
        return True
    # Before the variable of the target: each member binds it, and the second must agree with the first.
    if source.name == "|":
        return all(fits(member, target, bound, widenings) for member in source.args)
    if target.variable:
        return fits(source, bound.setdefault(target.name, source), bound, widenings)
    if target.name == "|":
        return any(_tried(source, member, bound, widenings) for member in target.args)
    if source.name != target.name:
        return (str(source), target.name) in widenings
    if not source.args or not target.args:
        return True
    pairs = zip(source.args, target.args, strict=False)
    return all(fits(a, b, bound, widenings) for a, b in pairs)


def _tried(
    source: TypeRef, target: TypeRef, bound: dict[str, TypeRef], widenings: Widenings
) -> bool:
    # On a copy: a member that fits in its first argument and fails in its second would leave a variable bound, and the next
    # member of the union would be held against that.
    attempt = dict(bound)
    if not fits(source, target, attempt, widenings):
        return False
    bound.update(attempt)
    return True


def resolved(ref: TypeRef, bound: dict[str, TypeRef]) -> TypeRef:
    """The type with its variables replaced by what they were bound to; unbound ones become unknown."""
    if ref.variable:
        return bound.get(ref.name, UNKNOWN)
    if not ref.args:
        return ref
    return TypeRef(ref.name, tuple(resolved(a, bound) for a in ref.args))


class LargeType(ValueError):
    """A type that is nested too deep, or names too many others."""


def parse_type(text: str) -> TypeRef:
    """The type that a graph file names. Raises ValueError where the expression is malformed, LargeType."""
    found = re.findall(r"[A-Za-z_*][A-Za-z0-9_]*|\*|[\[\],|]", text)
    _bounded(found)
    tokens = iter([*found, ""])
    ref, rest = _union(next(tokens), tokens)
    if rest or re.sub(r"[A-Za-z0-9_*\[\],|\s]", "", text):
        raise ValueError(
            f"'{text}' is not a type such as Image, list[Condition] or float | list[float]"
        )
    return ref


def _bounded(tokens: list[str]) -> None:
    names, depth = 0, 0
    for token in tokens:
        names += token not in "[],|"
        depth += (token == "[") - (token == "]")
        if depth > DEEPEST or names > LONGEST:
            raise LargeType(f"a type goes {DEEPEST} deep at most, and names {LONGEST} others")


def _union(token: str, tokens: Iterator[str]) -> tuple[TypeRef, str]:
    members: list[TypeRef] = []
    while True:
        ref, token = _single(token, tokens)
        members.append(ref)
        if token != "|":
            break
        token = next(tokens)
    return (members[0] if len(members) == 1 else TypeRef("|", tuple(members))), token


def _single(token: str, tokens: Iterator[str]) -> tuple[TypeRef, str]:
    if not token or token in "[],|":
        raise ValueError("a type name is missing")
    name, token = token, next(tokens, "")
    if token != "[":
        if name == "list":
            raise ValueError("a list says what it holds: list[float]")
        return TypeRef(name), token
    arguments: list[TypeRef] = []
    while token in ("[", ","):
        ref, token = _union(next(tokens), tokens)
        arguments.append(ref)
    if token != "]":
        raise ValueError("a ']' is missing in a type")
    if name in (*PLAIN, "*"):
        raise ValueError(f"'{name}' has no part in brackets")
    if name == "list" and len(arguments) > 1:
        raise ValueError("a list holds one type: list[int | float]")
    return TypeRef(name, tuple(arguments)), next(tokens, "")


def under(ref: TypeRef, names: Mapping[str, str]) -> TypeRef:
    """The type with other names, as far as there are any."""
    return TypeRef(
        names.get(ref.name, ref.name), tuple(under(a, names) for a in ref.args), ref.variable
    )


def names_in(ref: TypeRef) -> Iterator[str]:
    """All names that a type mentions."""
    if not ref.variable and ref.name != "|":
        yield ref.name
    for argument in ref.args:
        yield from names_in(argument)
