"""What a worker tells of a job, brought into the log: steps folded, pictures by address, and what is kept at the end."""

import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from server.files import File, Files, first_picture
from server.jobs.job import End, State
from server.jobs.printed import keep, printed_by
from server.jobs.store import Jobs
from server.jobs.tasks import Told, outputs_of

log = logging.getLogger("nodegraph.server")
STEP_SECONDS = 0.1
"""The least time between two steps of a node that are kept."""
NAMES = {"stepped": "step", "loaded": "loading", "warned": "warned", "downloading": "downloading"}
"""Names of the API for events of the session that have others there."""
FOLDED = ("stepped", "downloading")
NOTED = ("planned", "started", "finished", "cached", "failed")
"""What changes the state of a node."""
ENDS: Mapping[str, State] = {"cancelled": "cancelled", "refused": "failed", "broken": "failed"}
METRIC = re.compile(r"([a-z][a-z_ ]*?) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?:, |$)")
"""A number in the note of a step: `loss 0.0123`."""


@dataclass(slots=True)
class Recorder:
    """Records one job. Events beyond `rows` are not kept; a `gap` says so, and the job's own state tells the rest."""

    id: str
    jobs: Jobs
    files: Files
    rows: int = 5_000
    end: End | None = None
    _nodes: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    _faults: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    _last: dict[str, float] = field(default_factory=dict[str, float])
    _kept: int = 0

    def take(self, told: Told) -> None:
        """Log one thing that a worker tells."""
        name = told["event"]
        self._note(told)
        if name == "printed":
            keep(printed_by(self.files, self.id), told["content"])
        elif name == "trace":
            log.error("job %s: an error of the program\n%s", self.id, told["text"])
        elif name in ENDS:
            faults = [*self._faults, *told.get("diagnostics", ())]
            self.end = End(ENDS[name], faults=faults, nodes=self._nodes)
        elif name == "written":
            self._written(told)
        elif name not in ("completed",) and self._due(told):
            self._log(told)
        if name in NOTED:
            self.jobs.note(self.id, self._nodes)

    def _note(self, told: Told) -> None:
        """Keep what is told of a node with the job."""
        node, name = told.get("node"), told["event"]
        if name == "planned":
            self._nodes = {
                s["node"]: {n: s[n] for n in ("action", "reason", "key")} for s in told["steps"]
            }
        elif node and name in NOTED:
            status = {"started": "running", "finished": told.get("status", "ran")}.get(name, name)
            kept = {n: told[n] for n in ("seconds", "memory", "outputs") if n in told}
            self._nodes[node] = {**self._nodes.get(node, {}), "status": status, **kept}
        if name in ("failed", "warned"):
            self._faults.append(told["diagnostic"])

    def _due(self, told: Told) -> bool:
        """Whether an event is kept: of steps the last of a node, and those that do not come too soon."""
        if told["event"] not in FOLDED:
            return True
        now, key = time.monotonic(), f"{told['event']} {told['node']}"
        due = told["done"] == told["total"] or bool(told.get("preview"))
        if not due and now - self._last.get(key, 0.0) < STEP_SECONDS:
            return False
        self._last[key] = now
        return True

    def _log(self, told: Told) -> None:
        self._kept += not told.get("kept")
        if self._kept > self.rows and not told.get("kept"):
            if self._kept == self.rows + 1:
                self.jobs.tell(self.id, [("gap", {"kept": self.rows})])
            return
        name = told["event"]
        data = {key: value for key, value in told.items() if key != "event"}
        for picture in ("preview", "noisy"):
            if data.get(picture):
                data[picture] = self._held(self.files.add(data[picture], "preview.webp"))
        rows: list[tuple[str, Mapping[str, Any]]] = [(f"node.{NAMES.get(name, name)}", data)]
        numbers = dict(METRIC.findall(told.get("note", ""))) if name == "stepped" else {}
        if numbers:
            values = {key: float(value) for key, value in numbers.items()}
            rows.append(("metric", {"node": told["node"], "step": told["done"], **values}))
        self.jobs.tell(self.id, rows)

    def _written(self, told: Told) -> None:
        outputs: dict[str, list[Any]] = {name: [] for name in told["outputs"]}
        for name, value in outputs_of(told, self.files.runs / self.id):
            shown = self._file(self.files.adopt(value)) if isinstance(value, Path) else value
            outputs[name].append(shown)
            self.jobs.tell(self.id, [("output", {"name": name, "value": shown})])
        first = first_picture(outputs)
        small = self.files.thumbnail(first) if first else None
        held = self._held(small) if small else None
        versions = told.get("versions", {})
        self.end = End("done", outputs, self._faults, self._nodes, versions, held)

    def _held(self, file: File) -> str:
        self.jobs.hold(self.id, [file.digest])
        return file.digest

    def _file(self, file: File) -> dict[str, Any]:
        """An output that is a file, as the API tells it."""
        self._held(file)
        return {"file": file.digest, "name": file.name, "media": file.media, "bytes": file.size}
