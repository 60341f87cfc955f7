"""`nodegraph fix`."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import Annotated

import typer

from nodegraph.base.diagnostics import Diagnostic
from nodegraph.base.partial import write_text
from nodegraph.cli.collecting import uncollected
from nodegraph.cli.console import FAILED, Nodes, errors, print_faults, registry, results
from nodegraph.cli.files import explained
from nodegraph.language.mend import Check, Mended, mended
from nodegraph.language.source import SourceText, from_file
from nodegraph.options import Options
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session


def fix(
    graphs: Annotated[list[Path], typer.Argument(help="Graph files.")],
    diff: Annotated[
        bool, typer.Option("--diff", help="Only show what would change, on standard output.")
    ] = False,
    types: Annotated[
        bool, typer.Option("--types", help="Only names and types: torch is not imported.")
    ] = False,
    nodes: Nodes = None,
    unused: Annotated[
        bool, typer.Option("--unused", help="Also take away nodes and inputs that nothing uses.")
    ] = False,
) -> None:
    """Mend what can be mended in one way only: misspelt names, texts without quotes, old names of ports."""
    session, job = Session(registry(nodes)), Job(options=Options(cached=False))

    def check(source: SourceText) -> Sequence[Diagnostic]:
        with uncollected():
            return session.check(Recorded(source), job, types).diagnostics

    failed = changed = False
    for path in graphs:
        try:
            changed = _fix(path, check, diff, unused) or changed
        except typer.Exit:
            failed = True
    if failed or (diff and changed):
        raise typer.Exit(FAILED)


def _fix(path: Path, check: Check, diff: bool, unused: bool) -> bool:
    """Mend one file, or show how it would be; whether it is another then."""
    with explained(path, "read"):
        source = from_file(path)
    found = mended(source, check, unused=unused)
    changed = found.text != source.text
    if diff:
        for line in _difference(path, source.text, found.text):
            results.print(line)
    elif changed:
        with explained(path, "written"):
            write_text(path, found.text)
    print_faults(found.left, {source.name: found.text})
    _say(path, found, diff)
    return changed


def _say(path: Path, found: Mended, diff: bool) -> None:
    left = sum(fault.severity == "error" for fault in found.left)
    deed = "would be mended" if diff else "mended"
    told = f"{len(found.gone)} {deed}" if found.gone else "nothing to mend"
    errors.print(f"{path}: {told}" + (f", {left} left" if left else ""))


def _difference(path: Path, before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    return unified_diff(old, new, str(path), str(path), lineterm="")
