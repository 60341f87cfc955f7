"""The notebook of the docs runs, shows how it goes in one place, and shows what comes out; elsewhere nothing is shown."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "notebook.ipynb"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The code cells of the notebook, with what came out of them."""
    pytest.importorskip("ipykernel")
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(PAGE, as_version=4)
    where = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:  # nothing is kept yet, so that all of it runs
        for name in ("NODEGRAPH_CACHE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(where / name))
        resources = {"metadata": {"path": str(where)}}
        client.NotebookClient(notebook, timeout=600, resources=resources).execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def value(cell: Any) -> dict[str, str]:
    """What a cell is worth, by kind."""
    return next(dict(o.data) for o in cell.outputs if o.output_type == "execute_result")


def shown(cell: Any) -> list[str]:
    """What a cell showed on the way, as it is at the end."""
    return [o.data["text/html"] for o in cell.outputs if o.output_type == "display_data"]


def test_no_outputs_are_kept_with_the_docs() -> None:
    text = PAGE.read_text("utf-8")
    assert text.count('"outputs": []') == text.count('"cell_type": "code"') > 5
    assert text.count('"execution_count": null') == text.count('"cell_type": "code"')


def test_nothing_goes_wrong_or_is_printed(cells: list[Any]) -> None:
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds == {"execute_result", "display_data"}


def test_a_graph_is_a_picture(cells: list[Any]) -> None:
    assert value(cells[0])["image/svg+xml"].startswith("<svg")


def test_a_batch_is_a_grid_with_its_graph_and_seed(cells: list[Any]) -> None:
    html = value(cells[1])["text/html"]
    assert html.count("data:image/png;base64,") == 4
    assert "<figcaption>GLIDE, text to image, seed 1</figcaption>" in html


def test_progress_ends_as_one_line_in_its_place(cells: list[Any]) -> None:
    (line,) = shown(cells[1])
    assert re.fullmatch(
        r"<p>GLIDE, text to image: \d+ nodes ran, \d+ were kept, [\d.]+ s</p>", line
    )
    (line,) = shown(cells[3])
    assert line.startswith("<p>4 of 4 cells, ")
    assert shown(cells[2]) == []


def test_sheets_and_tables_are_shown(cells: list[Any]) -> None:
    assert "image/png" in value(cells[3])
    assert value(cells[4])["text/html"].count("<tr>") == 5
    assert "<table>" in value(cells[-1])["text/html"]


def test_an_edited_graph_runs(cells: list[Any]) -> None:
    html = value(cells[5])["text/html"]
    assert html.count("data:image/png;base64,") == 2
    assert "With a thumbnail" in html


def test_a_script_shows_nothing_and_needs_no_ipython(tmp_path: Path) -> None:
    code = (
        "import sys, nodegraph\n"
        "graph = nodegraph.load('ddpm/unconditional', device='cpu', cached=False)\n"
        "graph(steps=2)\n"
        "assert 'IPython' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
