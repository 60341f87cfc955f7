"""What the installed open_clip knows: its architectures and its table of pretrained tags, read without importing it.

Importing the package takes seconds. Its architectures are JSON files; its table is a module of plain assignments, of which
only these are run.
"""

import ast
import copy
import importlib.util
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from nodegraph.base.diagnostics import nearest

TABLE = "_PRETRAINED"
_HEX = re.compile("[0-9a-f]{8,64}")


def package_folder() -> Path:
    """The folder of the installed package. Raises ValueError where there is none."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        raise ValueError("open_clip_torch is not installed: `pip install open_clip_torch`")
    return Path(found.origin).parent


def architecture_options(architecture: str) -> dict[str, Any]:
    """The JSON of an architecture. Raises ValueError naming one that is near."""
    folder = package_folder() / "model_configs"
    path = folder / f"{architecture}.json"
    known = sorted(p.stem for p in folder.glob("*.json"))
    if architecture not in known:
        hint = nearest(architecture, known)
        raise ValueError(
            f"open_clip has no architecture '{architecture}'{f'; {hint}' * bool(hint)}"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def tag_options(architecture: str, tag: str) -> Mapping[str, Any]:
    """The entry of a tag: `quick_gelu`, and how pictures are brought to size. Raises ValueError naming one that is near."""
    tags = table().get(architecture, {})
    if clean_tag(tag) not in tags:
        hint = nearest(clean_tag(tag), tags)
        raise ValueError(
            f"open_clip has no weights '{tag}' for '{architecture}'{f'; {hint}' * bool(hint)}"
        )
    return tags[clean_tag(tag)]


def tag_of_file(architecture: str, sha256: str) -> str | None:
    """The tag of a published file, by its digest, of which addresses carry the whole or the first digits."""
    for tag, entry in table().get(architecture, {}).items():
        *_, folder, name = ("", *str(entry.get("url", "")).split("/"))
        digits = folder if len(folder) == len(sha256) else Path(name).stem.rpartition("-")[2]
        if _HEX.fullmatch(digits) and sha256.startswith(digits):
            return tag
    return None


def clean_tag(tag: str) -> str:
    """A tag as the table has it."""
    return tag.lower().replace("-", "_")


@cache
def table() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Entries by architecture and tag. Raises ValueError for a version whose table is written in another way."""
    folder = package_folder()
    names: dict[str, Any] = {"copy": copy}
    try:
        for file in ("constants.py", "pretrained.py"):
            _run(folder / file, names)
        return names[TABLE]
    except (SyntaxError, NameError, KeyError, TypeError) as error:
        raise ValueError(
            f"the table of {folder / 'pretrained.py'} cannot be read: {error}"
        ) from None


def _run(path: Path, names: dict[str, Any]) -> None:
    """Run the assignments of a module: what is imported is there already or is not of the table."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    module.body = [statement for statement in module.body if _of_table(statement)]
    exec(compile(module, str(path), "exec"), names)


def _of_table(statement: ast.stmt) -> bool:
    """Whether a statement makes a part of the table: no import, no guarded import, and of functions those that make entries."""
    if isinstance(statement, ast.FunctionDef):
        return (
            statement.name.endswith("cfg")
            and statement.returns is None
            and not _annotated(statement)
        )
    return isinstance(statement, ast.Assign | ast.For | ast.Expr)


def _annotated(function: ast.FunctionDef) -> bool:
    return any(argument.annotation for argument in function.args.args)
