"""No comment is ever lost by `fmt`, wherever it stands, and what the graph means stays."""

from pathlib import Path

import pytest

from nodegraph.language.format import formatted
from nodegraph.language.yaml import parse

GRAPHS = Path(__file__).parents[2] / "graphs"
WRITTEN = [
    "graph: 1\nnodes:\n  s: {type: a, b: c}\noutputs: {image: $s}\n",
    "graph: 1\nnodes:\n  s:\n    type: a\n    b: [1,\n      2]\noutputs:\n  image: $s\n",
    "graph: 1\nnodes: {\n  s: {type: a},\n  t: {type: a,\n      b: $s}\n}\noutputs: {\n  image: $t\n}\n",
    "graph: 1\nnotes: |\n  a # no comment\n  b\nnodes:\n    s: {type: a, b: 'it # is'}\noutputs: {image: $s}",
    'graph: 1\ninputs: {p: {type: Text, default: "a # b"}}\nnodes: {s: {type: a, b: $p}}\noutputs: {image: $s}\n',
]
TEXTS = [*WRITTEN, *(p.read_text(encoding="utf-8") for p in sorted(GRAPHS.rglob("*.yaml"))[::6])]


def commented(text: str, line: int, own: bool) -> str:
    """A text with a comment at the end of a line, or on a line of its own before it."""
    lines = text.split("\n")
    if own:
        return "\n".join([*lines[:line], "# KEEP ME", *lines[line:]])
    return "\n".join([*lines[:line], f"{lines[line]}  # KEEP ME", *lines[line + 1 :]])


def meaning(text: str) -> object:
    """What a text says, without its form: every value with its key."""

    def plain(tree: object) -> object:
        entries, values = getattr(tree, "entries", None), getattr(tree, "values", None)
        if entries is not None:
            return [(entry.key, plain(entry.value)) for entry in entries]
        if values is not None:
            return [plain(value) for value in values]
        return tree.value  # type: ignore[attr-defined]

    parsed = parse(text, "g.yaml")
    return None if parsed.diagnostics else plain(parsed.tree)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("own", [True, False])
def test_no_comment_is_lost(text: str, own: bool) -> None:
    tried = 0
    for line in range(text.count("\n")):
        written = commented(text, line, own)
        if meaning(written) is None or meaning(written) != meaning(text):
            continue  # within a text, where it is none
        made = formatted(written, "g.yaml")
        assert made.count("# KEEP ME") == 1, written
        assert meaning(made) == meaning(text), written
        assert formatted(made, "g.yaml") == made
        tried += 1
    assert tried
