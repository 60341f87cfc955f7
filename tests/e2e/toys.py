"""A run of toy nodes in a process of its own, to be killed: each node tells when it begins and when it is finished."""

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nodegraph import PortType, node
from nodegraph.base.paths import Sandbox
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.runtime.cache import Cache, Disk
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Completed, Finished
from nodegraph.runtime.history import History
from nodegraph.runtime.writing import write_outputs

LINES = 2000
LOG = "log.txt"


@dataclass(frozen=True)
class Page:
    """A text of so many lines."""

    line: str


def tell(text: str) -> None:
    """Append to the log of all processes; one write, so that no kill cuts it."""
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(log, f"{text}\n".encode())
    os.close(log)


def write_page(value: Page, folder: Path, stem: str, _: Mapping[str, str]) -> list[Path]:
    paths = [folder / f"{stem}-{number}.txt" for number in range(3)]
    for path in paths:
        with path.open("w", encoding="utf-8") as file:
            for _number in range(LINES):
                file.write(f"{value.line}\n")
            time.sleep(0.01)
    return paths


def dump_page(value: Page, folder: Path) -> None:
    (folder / "page.txt").write_text(value.line, encoding="utf-8")


def load_page(folder: Path) -> Page:
    return Page((folder / "page.txt").read_text(encoding="utf-8"))


PORT_TYPES = {Page: PortType("Page", dump=dump_page, load=load_page, write=write_page)}


@node(category="test")
def step(before: Page | None = None, number: int = 0) -> Page:
    """A page that takes long enough to be kept on disk."""
    tell(f"begins {number}")
    time.sleep(0.06)
    return Page(f"{'' if before is None else before.line}{number}")


NODES = "\n".join(
    f"  n{i}: {{type: step, number: {i}{f', before: $n{i - 1}' if i else ''}}}" for i in range(6)
)
GRAPH = f"graph: 1\nnodes:\n{NODES}\noutputs: {{page: $n5}}\n"


def main() -> None:
    """Run the graph in this folder, and write what comes out."""
    registry = from_modules([sys.modules[__name__]], code="one")
    out = Path("out")
    engine = Engine(
        registry, RunContext(Sandbox((), out)), Cache(disk=Disk(Path("cache"), registry))
    )
    program = compile_graph(SourceText("toys.yaml", GRAPH), registry).checked()
    tell("starts")
    keyed = engine.keyed(program)
    for event in engine.run(keyed):
        if isinstance(event, Finished):
            tell(f"finished {event.node.removeprefix('n')}")
        if isinstance(event, Completed):
            History(engine.cache.disk).write(keyed)
            written = write_outputs(registry, keyed, event.outputs, out)
            tell(f"wrote {len(written.outputs['page'])}")


if __name__ == "__main__":
    main()
