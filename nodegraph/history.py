"""What each node of a graph last ran with: it explains why a result is not in the cache."""

import json
import os
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nodegraph.execute import Engine
from nodegraph.keys import Key, Literals, keys_of, source_identity
from nodegraph.partial import write_text
from nodegraph.paths import read_json
from nodegraph.program import Program, Step


def reason_for(
    step: Step, keys: list[Key], literals: Literals, past: dict[str, dict[str, str]]
) -> str:
    """Why the result of a step is not there: what changed since it last ran in this graph."""
    before = past.get(step.name)
    if before is None:
        return "it never ran in this graph"
    now = portraits(step, keys, literals)
    changed = [port for port, text in now.items() if before.get(port) != text and port != "code"]
    if changed:
        return "changed: " + ", ".join(changed)
    return (
        "its code changed"
        if before.get("code") != now["code"]
        else "its result was removed, or was quick to make"
    )


def portraits(step: Step, keys: list[Key], literals: Literals) -> dict[str, str]:
    """Short digests of what stands on each port, and of the code."""
    found = {
        name: blake2b(source_identity(source, keys, literals), digest_size=6).hexdigest()
        for name, source in step.inputs.items()
    }
    return {**found, "code": f"{step.spec.version}-{step.spec.code}"}


@dataclass(frozen=True, slots=True)
class History:
    """What each node of a graph last ran with: a small JSON file for each graph, beside the cache."""

    engine: Engine

    def _path(self, program: Program) -> Path | None:
        disk = self.engine.cache.disk
        if disk is None:
            return None
        name = blake2b(os.path.realpath(program.file).encode(), digest_size=12).hexdigest()
        return disk.folder / "history" / f"{name}.json"

    def read(self, program: Program) -> dict[str, dict[str, str]]:
        """Portraits by node; empty where there are none."""
        path = self._path(program)
        try:
            found = read_json(path) if path else {}
        except (OSError, ValueError):
            return {}
        return found if all(isinstance(portrait, dict) for portrait in found.values()) else {}

    def write(self, program: Program) -> None:
        """Remember what the nodes of a finished run ran with."""
        path = self._path(program)
        if path is None:
            return
        literals = self.engine.literals()
        keys = keys_of(program, literals, self.engine.policy)
        found = {step.name: portraits(step, keys, literals) for step in program.steps}
        try:
            write_text(path, json.dumps(found))
        except OSError:
            return
