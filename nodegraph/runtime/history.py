"""What each node of a graph last ran with: it explains why a result is not in the cache."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from nodegraph.base.partial import write_text
from nodegraph.base.paths import read_json
from nodegraph.language.program import Program, Step
from nodegraph.runtime.cache import Disk
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import Key, source_identity
from nodegraph.runtime.literals import Literals


def reason_for(
    step: Step, keys: list[Key], literals: Literals, past: Mapping[str, Mapping[str, str]]
) -> str:
    """Why the result of a step is not there: what changed since it last ran in this graph."""
    before = past.get(step.name)
    if before is None:
        return "it never ran in this graph"
    now = input_digests(step, keys, literals)
    changed = [port for port, text in now.items() if before.get(port) != text and port != "code"]
    if changed:
        return "changed: " + ", ".join(changed)
    return (
        "its code changed"
        if before.get("code") != now["code"]
        else "its result was removed, or was quick to make"
    )


def input_digests(step: Step, keys: list[Key], literals: Literals) -> dict[str, str]:
    """Short digests of what stands on each port, and of the code."""
    found = {
        name: blake2b(source_identity(source, keys, literals), digest_size=6).hexdigest()
        for name, source in step.inputs.items()
    }
    return {**found, "code": f"{step.spec.version}-{step.spec.code}"}


@dataclass(frozen=True, slots=True)
class History:
    """What each node of a graph last ran with: a small JSON file for each graph, beside the cache."""

    disk: Disk | None

    def _path(self, program: Program) -> Path | None:
        if self.disk is None:
            return None
        name = blake2b(os.path.realpath(program.file).encode(), digest_size=12).hexdigest()
        return self.disk.folder / "history" / f"{name}.json"

    def read(self, program: Program) -> dict[str, dict[str, str]]:
        """Input digests by node; empty where there are none."""
        path = self._path(program)
        try:
            found = read_json(path) if path else {}
        except (OSError, ValueError):
            return {}
        return found if all(isinstance(digests, dict) for digests in found.values()) else {}

    def write(self, run: Keyed) -> None:
        """Remember what the nodes of a finished run ran with."""
        path = self._path(run.program)
        if path is None:
            return
        found = {
            step.name: input_digests(step, run.keys, run.literals) for step in run.program.steps
        }
        try:
            write_text(path, json.dumps(found))
        except OSError:
            return
