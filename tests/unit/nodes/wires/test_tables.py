"""Tables of strangers: what is no table, and columns that are no numbers, are told with their file or port; words are drawn as they are."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from nodegraph.base.diagnostics import Mismatch
from nodegraph.cli import app
from nodes.library.evaluation.plots import plot_lines, plot_points
from nodes.library.evaluation.tables import mean_row
from nodes.wires.tables import Table

GRAPH = """\
graph: 1
nodes:
  a: {type: mean_row, table: t.csv, columns: [a]}
  f: {type: plot_lines, table: t.csv, x: a, y: [b]}
outputs: {a: $a, f: $f}
"""


def told(content: bytes, command: str) -> tuple[int, str]:
    Path("t.csv").write_bytes(content)
    done = CliRunner().invoke(app, [command, "g.yaml"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert "E501" not in done.output
    return done.exit_code, done.output


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("g.yaml").write_text(GRAPH, encoding="utf-8")


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"a,b\n1\n", b'a,"b\n1,2', b"a,b\n" + b"x" * 200_000 + b",1\n",
     "a\ud800,b\n1,2\n".encode("utf-8", "surrogatepass"), b"\n\n", b"\x89PNG\r\n\x1a\n\0\0"],
)  # fmt: skip
def test_what_is_no_table_names_the_file(content: bytes, command: str) -> None:
    code, said = told(content, command)
    assert (code, "'t.csv' is no table" in said) == (1, True), said


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("value", [b"x", b"[red]\x1b[2J", b"", b"1;2"])
def test_columns_of_texts_are_told_at_check(value: bytes, command: str) -> None:
    code, said = told(b"a,b\n1,2\n" + value + b",y\n", command)
    assert code == 1
    assert "column 'a' holds no numbers: row 1 is '1'" in said
    assert "column 'b' holds no numbers" in said
    assert "\x1b" not in said


def test_a_table_without_rows_has_no_mean() -> None:
    with pytest.raises(Mismatch, match="has no rows"):
        mean_row(Table(("a",), ()), ["a"])


@pytest.mark.parametrize("title", ["$\\frac{", "$x^$", "a $ b", "\\", "$\\nosuch$", "{[red]}"])
def test_titles_are_no_formulas(title: str) -> None:
    import torch

    table = Table(("x", title, "by"), ((0.0, 1.0, title), (1.0, 2.0, "$")))
    made = plot_lines(table, "x", [title], title, True, "by", title)
    assert made.png.startswith(b"\x89PNG")
    assert plot_points(torch.zeros(2, 2), title).png.startswith(b"\x89PNG")
