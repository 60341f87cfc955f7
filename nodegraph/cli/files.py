"""`nodegraph schema`, `nodegraph fmt` and `nodegraph cache`."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.diagnostics import nearest
from nodegraph.base.partial import write_text
from nodegraph.base.paths import cache_folder, is_folder, read_text, why
from nodegraph.cli.console import (
    FAILED,
    Nodes,
    errors,
    fail,
    print_faults,
    print_json,
    registry,
    results,
)
from nodegraph.language.format import Unformattable, formatted
from nodegraph.language.schema import json_schema
from nodegraph.runtime.cache import Disk


def schema(
    out: Annotated[Path | None, typer.Option(help="Write it to a file.")] = None,
    nodes: Nodes = None,
) -> None:
    """The JSON Schema of graph files, from the installed nodes, for editors that speak YAML."""
    made = json_schema(registry(nodes))
    if out is None:
        print_json(made)
        return
    if not is_folder(out.absolute().parent):
        fail(f"{out} cannot be written: there is no folder {out.parent}; make it first")
    with explained(out, "written"):
        write_text(out, json.dumps(made, indent=1) + "\n")


def fmt(
    graphs: Annotated[list[Path], typer.Argument(help="Graph files.")],
    check: Annotated[
        bool, typer.Option("--check", help="Only say which files would change.")
    ] = False,
) -> None:
    """Bring graph files into canonical form; comments stay."""
    failed = changed = False
    for path in graphs:
        try:
            differs = _format(path, check)
        except typer.Exit:
            failed = True
            continue
        changed = changed or differs
        if differs:
            errors.print(f"{path}: {'would change' if check else 'formatted'}")
    if failed or (check and changed):
        raise typer.Exit(FAILED)


def _format(path: Path, check: bool) -> bool:
    """Bring one file into canonical form, unless it is only to be checked; whether it is another then."""
    with explained(path, "read"):
        text = read_text(path)
    try:
        made = formatted(text, str(path))
    except Unformattable as error:
        print_faults(error.diagnostics, {str(path): text})
        raise typer.Exit(FAILED) from None
    if made != text and not check:
        with explained(path, "written"):
            write_text(path, made)
    return made != text


@contextmanager
def explained(path: Path, deed: str) -> Generator[None]:
    """Say why a file cannot be read or written, and leave."""
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        beside = (
            map(str, path.parent.glob("*.y*ml")) if isinstance(error, FileNotFoundError) else ()
        )
        near = nearest(str(path), beside)
        fail(f"{path} cannot be {deed}: {why(error)}" + (f"; {near}" if near else ""))
    except ValueError as error:  # a null byte
        fail(f"{path} cannot be {deed}: {error}")


def cache(
    clear: Annotated[bool, typer.Option("--clear", help="Remove every kept result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The cache of results: where it is, how large, and how to empty it."""
    disk = Disk(cache_folder() / "results", registry())
    freed = disk.clear() if clear else 0
    size = disk.size()
    if as_json:
        print_json({"folder": str(disk.folder), "bytes": size, "freed": freed})
    else:
        note = f", {freed / 2**20:.1f} MiB freed" if clear else ""
        results.print(f"{disk.folder}: {size / 2**20:.1f} MiB{note}")
