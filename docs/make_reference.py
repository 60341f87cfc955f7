"""Write docs/nodes.md and docs/diagnostics.md from what is installed, and the pages of the site that stand elsewhere.

The start page is `theme/landing.md`, the overview the README, the benchmarks are those of `benchmarks/`, the notebook's cells
those of `notebook.ipynb`: copies for the site.
"""

import json
from pathlib import Path

from nodegraph.base.codes import Code
from nodegraph.library.node import NodeSpec, Port
from nodegraph.session import registry

DOCS = Path(__file__).parent
ROOT = DOCS.parent
PLACES = {
    "](docs/adr)": "](adr/0001-one-lane.md)",
    "](docs)": "](nodes.md)",
    "](docs/": "](",
    "](benchmarks/README.md)": "](benchmarks.md)",
}
"""Links of the README, and where they lead on the site."""


def nodes_page() -> str:
    """Every node type by category, with ports and docs."""
    specs = sorted(registry().nodes.values(), key=lambda s: (s.category, s.name))
    lines = ["# Nodes", "", "Made by `make docs` from the installed nodes.", ""]
    category = ""
    for spec in specs:
        if spec.category != category:
            category = spec.category
            lines += [f"## {category.capitalize()}", ""]
        lines += node_section(spec)
    return "\n".join(lines)


def node_section(spec: NodeSpec) -> list[str]:
    """One node type: docs, then a table of its ports."""
    rows = [port_row(port) for port in spec.inputs]
    gives = ", ".join(f"{port.name}: `{port.type}`" for port in spec.outputs) or "nothing"
    table = ["| input | type | default | |", "|---|---|---|---|", *rows, ""] if rows else []
    return [f"### `{spec.name}`", "", spec.doc, "", *table, f"Gives {gives}.", ""]


def port_row(port: Port) -> str:
    """A row of the table of inputs."""
    kind = str(port.type).replace("|", "\\|")
    default = "required" if port.required else f"`{port.default!r}`"
    notes = [port.doc] if port.doc else []
    if port.range is not None:
        bounds = ("…" if b is None else f"{b:g}" for b in (port.range.low, port.range.high))
        notes.append(" to ".join(bounds))
    if port.menu:
        notes.append(", ".join(str(choice) for choice in port.menu))
    return f"| `{port.name}` | `{kind}` | {default} | {'; '.join(notes)} |"


def diagnostics_page() -> str:
    """The table of codes."""
    rows = [f"| {code} | {code.word} | {code.meaning} |" for code in Code]
    return "\n".join(["# Diagnostics", "", "| code | name | meaning |", "|---|---|---|", *rows, ""])


def overview_page() -> str:
    """The README, with its links as on the site."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for there, here in PLACES.items():
        text = text.replace(there, here)
    return text


def notebook_page() -> str:
    """The cells of the notebook one below the other, and where the file is."""
    cells = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    title, *rest = ["".join(cell["source"]) for cell in cells]
    kinds = [cell["cell_type"] for cell in cells[1:]]
    shown = [
        text if kind == "markdown" else f"```python\n{text}\n```"
        for kind, text in zip(kinds, rest, strict=True)
    ]
    return "\n\n".join([title, "[notebook.ipynb](notebook.ipynb) to download.", *shown, ""])


if __name__ == "__main__":
    (DOCS / "nodes.md").write_text(nodes_page(), encoding="utf-8")
    (DOCS / "diagnostics.md").write_text(diagnostics_page(), encoding="utf-8")
    landing = (DOCS / "theme" / "landing.md").read_text(encoding="utf-8")
    (DOCS / "index.md").write_text(landing, encoding="utf-8")
    (DOCS / "overview.md").write_text(overview_page(), encoding="utf-8")
    (DOCS / "notebook.md").write_text(notebook_page(), encoding="utf-8")
    benchmarks = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(benchmarks, encoding="utf-8")
