"""Checks on shapes that found nothing, kept on disk: an unchanged graph is checked again without torch."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nodegraph.base.diagnostics import GraphError
from nodegraph.base.framing import framed
from nodegraph.base.partial import write_text
from nodegraph.base.paths import read_json
from nodegraph.language.program import EXAMPLE, Constant, Many, Program, Source
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import SIZE
from nodegraph.runtime.provenance import versions

ENTRIES = 1024
"""How many checks are kept: those not asked for longest go."""


@dataclass(frozen=True, slots=True)
class KeptChecks:
    """Checks in which every node could be called and nothing was to be said, by what they depend on.

    `code`: digest of all code that they ran; where it is empty nothing is kept.
    """

    folder: Path
    code: str

    def get(self, keyed: Keyed) -> int | None:
        """How many steps of a program could not be followed on shapes, if a check of it found nothing else; else None."""
        path = self._path(keyed)
        try:
            found = read_json(path)["unknown"] if path else None
        except (OSError, ValueError, KeyError):
            return None
        if path is not None:
            with suppress(OSError):
                os.utime(path)
        return found if type(found) is int else None

    def put(self, keyed: Keyed, unknown: int) -> None:
        """Keep that a check of a program found nothing, but for the steps that could not be followed."""
        path = self._path(keyed)
        if path is None:
            return
        with suppress(OSError):
            write_text(path, f'{{"unknown": {unknown}}}')
            kept = sorted(self.folder.glob("*.json"), key=_time)
            for old in kept[:-ENTRIES]:
                old.unlink(missing_ok=True)

    def _path(self, keyed: Keyed) -> Path | None:
        key = check_key(keyed, self.code) if self.code else None
        return self.folder / f"{key.hex()}.json" if key else None


def check_key(keyed: Keyed, code: str) -> bytes | None:
    """What a check on shapes depends on: the steps' keys, the words and places of literals, versions, bounds and code.

    None where not all of that is known: of a node that depends on more than its inputs, of a value that Python gave, and of
    a literal that cannot be read.
    """
    program = keyed.program
    constants = list(_constants(program))
    pure = all(step.spec.pure for step in program.steps)
    if not pure or not all(_written(constant) for constant in constants):
        return None
    try:
        identities = [keyed.literals.identity(constant) for constant in constants]
        words = [(str(c.type), str(c.folder), repr(c.value)) for c in constants]
        facts = (code, versions(), keyed.keys, identities, words, keyed.context.max_megapixels)
    except (GraphError, OSError, ValueError, KeyError):
        return None
    return blake2b(framed(facts), digest_size=SIZE).digest()


def _written(constant: Constant) -> bool:
    return constant.value is EXAMPLE or isinstance(
        constant.value, str | int | float | bool | list | None
    )


def _constants(program: Program) -> Iterator[Constant]:
    sources: list[Source] = [s for step in program.steps for s in step.inputs.values()]
    for source in (*sources, *program.outputs.values()):
        for entry in source.entries if isinstance(source, Many) else [source]:
            if isinstance(entry, Constant):
                yield entry


def _time(path: Path) -> float:
    """When a file was last written; 0 if it is not there any more."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
