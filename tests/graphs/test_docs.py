"""What the docs show is true: their graphs check, their nodes are nodes."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import nodegraph
from nodegraph.base.render import texts_of
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime.abstract import check_shapes
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session, registry
from nodes.checkpoints.adapters import write_adapter
from nodes.checkpoints.catalogue import listing
from nodes.networks.lora import Factors

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str, mark: str) -> list[tuple[str, str]]:
    """Code blocks of a language that hold a mark, with a name for each."""
    found = []
    for page in PAGES:
        texts = re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        found += [(f"{page.stem}_{n}", text) for n, text in enumerate(texts) if mark in text]
    return found


GRAPHS = blocks("yaml", "graph: 1")
NODES = blocks("python", "@node")


def test_there_are_some() -> None:
    assert len(GRAPHS) >= 3
    assert len(NODES) >= 4


@pytest.mark.parametrize(("name", "text"), GRAPHS, ids=[name for name, _ in GRAPHS])
def test_graphs_check(name: str, text: str, tmp_path: Path) -> None:
    factors = Factors(torch.ones(2, 128, 1), torch.ones(384, 2, 1), 2.0)
    write_adapter(tmp_path / "runs/style/lora/model", {"middle.1.qkv": factors}, "glide")
    source = SourceText(f"{name}.yaml", text, tmp_path)
    compiled = compile_graph(source, registry())
    assert compiled.diagnostics == ()
    engine = Session().engine(Recorded(source), Options(cached=False))
    report = check_shapes(compiled.checked(), engine)
    assert report.diagnostics == ()
    assert report.unknown == 0


@pytest.mark.parametrize(("name", "text"), NODES, ids=[name for name, _ in NODES])
def test_nodes_are_nodes(name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(text, name, "exec"), module.__dict__)
    declared = re.findall(r"^def ([a-z]\w*)\(", text, re.MULTILINE)
    assert set(from_modules([module]).nodes) == set(declared)


def test_the_picture_of_the_house_is_of_the_code_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("grimp")
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_architecture

    drawn = make_architecture.PICTURE.read_text("utf-8")
    monkeypatch.setattr(make_architecture, "PICTURE", tmp_path / "drawn.svg")
    make_architecture.main()
    assert (tmp_path / "drawn.svg").read_text("utf-8") == drawn, "run `make docs`"


def test_the_reference_is_of_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_reference

    pages = {
        "nodes.md": make_reference.nodes_page(),
        "diagnostics.md": make_reference.diagnostics_page(),
    }
    for name, page in pages.items():
        assert (ROOT / "docs" / name).read_text("utf-8") == page, "run docs/make_reference.py"


def test_the_site_lowers_indices_and_keeps_options_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import formulas

    command = '<pre><code>run<span class="w"> </span>--decoder-steps x_t</code></pre>'
    kept = f'<p title="x_t"><code>x_t</code> text_encoder, __call__, a_1_2</p>{command}'
    page = f"x_t<article>x_t, x_{{t−1}}, x'_t, ε̂_θ, L_vlb{kept}</article>x_t"
    lowered = "x<sub>t</sub>, x<sub>t−1</sub>, x'<sub>t</sub>, ε̂<sub>θ</sub>, L<sub>vlb</sub>"
    whole = kept.replace("--decoder-steps", '<span class="option">--decoder-steps</span>')
    assert (
        formulas.on_page_content("<td><code>a \\| b</code></td> \\|")
        == "<td><code>a | b</code></td> \\|"
    )
    assert formulas.on_post_page(page) == f"x_t<article>{lowered}{whole}</article>x_t"


def test_the_notebooks_page_has_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_reference

    page = make_reference.notebook_page()
    cells = json.loads((ROOT / "docs" / "notebook.ipynb").read_text("utf-8"))["cells"]
    assert all("".join(cell["source"]) in page for cell in cells)
    assert page.count("```python") == sum(cell["cell_type"] == "code" for cell in cells)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that makes what the README shows."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_readme

    return make_readme


def test_the_readmes_drawing_is_of_its_graph(made: ModuleType) -> None:
    assert made.DRAWING.read_text("utf-8") == made.drawing(), "run docs/make_readme.py"


def test_the_readmes_faults_are_what_is_said(made: ModuleType) -> None:
    readme, graph = made.README.read_text("utf-8"), made.graph()
    wrong = graph.text.replace("uncond: $uncond,", "uncond: $empty,").replace(
        "steps: 50", "stpes: 50"
    )
    source = SourceText(graph.name, wrong)
    found = compile_graph(source, registry()).diagnostics
    told = "\n".join(texts_of(found, {source.name: source.text}))
    assert f"```text\n{told}\n```" in readme


def test_the_readmes_facts_are_the_catalogues(made: ModuleType) -> None:
    """What the two commands fetch, its size, licence and year."""
    rows = {row.name: row for row in listing()}
    readme = made.README.read_text("utf-8")
    for name, parts in {
        "kakaobrain/karlo-v1-alpha": rows["kakaobrain/karlo-v1-alpha"].parts,
        "openai/glide": ("base", "upsample"),
    }.items():
        models = {f"{name}/{part}" for part in parts}
        size = sum(file.size for file in rows[name].files if file.model in models) / 1e9
        (line,) = (
            line for line in readme.splitlines() if line.startswith("| ") and f"`{name}`" in line
        )
        assert f"about {size:.1f} GB" in line
        assert str(rows[name].year) in line
        assert rows[name].licence in line


def test_the_gallery_is_of_the_graphs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import make_gallery

    assert (ROOT / "docs" / "gallery.md").read_text("utf-8") == make_gallery.page()
    session = Session()
    for exhibit in make_gallery.EXHIBITS:
        drawn = make_gallery.drawing_of(exhibit).read_text("utf-8")
        assert drawn == make_gallery.drawing(exhibit, session), "run docs/make_gallery.py -"
        assert make_gallery.picture_of(exhibit).is_file()


MADE_FOR_THE_SITE = {"benchmarks.md", "notebook.md", "overview.md"}
READ = [
    page
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    if page.name not in MADE_FOR_THE_SITE
]


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    folder = ROOT / "docs" if page.parent.name == "theme" else page.parent
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        if ":" in name or name in MADE_FOR_THE_SITE:
            continue
        target = folder / name if name else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", t).strip().lower().replace(" ", "-") for t in titles}
            assert anchor in slugs, f"{page.name}: {link}"


def test_every_page_is_in_the_contents() -> None:
    named = re.findall(r": ([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    pages = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    written = {page for page in pages if page.parts[0] != "theme"}
    made = {Path(name) for name in ("index.md", *MADE_FOR_THE_SITE)}
    assert sorted(map(Path, named)) == sorted(written | made)


def test_what_the_page_of_the_house_names_is_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    places = set(re.findall(r"`((?:nodes|tests|docs|nodegraph)/[\w/]+(?:\.\w+)?)`", text))
    assert len(places) > 5
    for name in places:
        assert (ROOT / name).exists(), name
    for name in set(
        re.findall(r"`(?:nodegraph\.)?((?:base|models|library|language|runtime|cli)\.\w+)`", text)
    ):
        assert (ROOT / "nodegraph" / f"{name.replace('.', '/')}.py").exists(), name


SCRIPTS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(encoding="utf-8"), re.DOTALL
)
MADE_BY = {
    0: ("glide/text_to_image", {"steps": 10}, 20),
    1: ("unclip/text_to_image", {"prior_steps": 5, "decoder_steps": 5, "upsample_steps": 3}, 30),
}
"""The scripts of a page that a graph makes too, with its inputs, and fewer lines than these."""


@pytest.mark.parametrize("number", range(len(SCRIPTS)))
def test_scripts_run_and_make_what_their_graphs_make(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    space: dict[str, Any] = {}
    gradients = torch.is_grad_enabled()
    try:
        exec(compile(SCRIPTS[number], f"python_{number}", "exec"), space)
    finally:
        torch.set_grad_enabled(gradients)
    if number in MADE_BY:
        name, inputs, lines = MADE_BY[number]
        assert len([line for line in SCRIPTS[number].splitlines() if line]) < lines
        made = nodegraph.load(name, device="cpu", cached=False)(**inputs)
        assert torch.equal(space["image"], made.image)
