"""`nodegraph new node` and `nodegraph new library`."""

import os
import re
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.node_files import shown
from nodegraph.base.workspace import FOLDER
from nodegraph.cli.arguments import Once
from nodegraph.cli.console import USAGE, errors, fail, registry, results
from nodegraph.cli.files import explained

app = typer.Typer(
    help="Make a file of nodes, or a library to install, with its test.", no_args_is_help=True
)
SKELETONS = Path(__file__).with_name("skeletons")
"""The files to make. In them, and in their names, `NAME` stands for what is made, and a last `.txt` goes."""
Name = Annotated[str, typer.Argument(help="A name as Python has them, in small letters.")]


@app.command("node", cls=Once)
def node(
    name: Name,
    folder: Annotated[Path, typer.Option(help="The folder of node files.")] = Path(FOLDER),
) -> None:
    """Make a node file FOLDER/NAME.py, and beside the folder tests/test_NAME.py."""
    _refuse(name, [name])
    place = Path(os.path.abspath(folder))  # noqa: PTH100 (links stay: a test finds the folder by them)
    around = place if place == Path.cwd() else place.parent
    words = {"NAME": name, "FOLDER": Path(os.path.relpath(place, around)).as_posix()}
    files = {
        folder / f"{name}.py": SKELETONS / "node" / "NAME.py.txt",
        _near(around / "tests" / f"test_{name}.py"): SKELETONS / "node" / "test_NAME.py.txt",
    }
    _write(files, words)
    named = "" if place == Path.cwd() / FOLDER else f" --nodes {folder}"
    errors.print(f"see it with `nodegraph nodes {name}{named}`, and test it with `pytest`")


@app.command("library", cls=Once)
def library(
    name: Name,
    folder: Annotated[Path, typer.Option(help="Where its folder is made.")] = Path(),
) -> None:
    """Make a library to install, NAME/pyproject.toml and more: a node, a port type, a composite graph, a test."""
    title = name.title().replace("_", "")
    _refuse(name, [name, f"{name}_compared", f"{title}Tint"])
    if find_spec(name) is not None:
        fail(f"a module '{name}' is installed; choose another name", USAGE)
    skeleton = SKELETONS / "library"
    files = {
        folder / name / _target(path.relative_to(skeleton), name): path
        for path in sorted(skeleton.rglob("*.txt"))
    }
    _write(files, {"NAME": name, "TITLE": title})
    place = folder / name
    errors.print(f"install it with `pip install --editable {place}`, and test it with `pytest`")


def _refuse(name: str, types: Iterable[str]) -> None:
    """End with a message unless a name can be made, and none of the types that come with it is known."""
    if not name.isidentifier() or iskeyword(name) or not name.isascii() or name.startswith("_"):
        fail(f"'{name}' is no name of a Python function, such as soft_focus", USAGE)
    known = registry()
    for kind in types:
        if kind in known.clashes:
            fail(known.clash(kind), USAGE)
        if kind in known.nodes:
            place = shown(known.nodes[kind].home)
            fail(f"there is a node type '{kind}' ({place}); choose another name", USAGE)
        if kind in known.ports:
            fail(f"there is a port type '{kind}'; choose another name", USAGE)


def _target(skeleton: Path, name: str) -> Path:
    return Path(skeleton.as_posix().replace("NAME", name).removesuffix(".txt"))


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _write(files: Mapping[Path, Path], words: Mapping[str, str]) -> None:
    """Write files from their skeletons with words replaced, and name them. Nothing is overwritten."""
    for path in files:
        if os.path.lexists(path):
            fail(f"{path} is there already; nothing was written", USAGE)
    for path, skeleton in files.items():
        text = re.sub("|".join(words), lambda word: words[word[0]], skeleton.read_text("utf-8"))
        with explained(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        results.print(str(path))
