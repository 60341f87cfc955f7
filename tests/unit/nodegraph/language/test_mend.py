"""Fixes of faults, applied to files; notes and frames as the reader keeps them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nodegraph.base.diagnostics import Edit, Span, meant, nearest, swap
from nodegraph.cli import app
from nodegraph.language.compile import compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.mend import mended
from nodegraph.language.reading import read_graph
from nodegraph.language.schema import json_schema
from nodegraph.language.source import SourceText
from nodegraph.session import registry

GOOD = "graph: 1\nnodes:\n  a: {type: load_image, file: x.png}\noutputs: {image: $a}\n"
BAD = GOOD.replace("load_image", "load_imag").replace("$a", "$b").replace("a:", "abc:")


def checked(source: SourceText):
    return compile_graph(source, registry(), Request(whole=False)).diagnostics


def fixed(text: str, *, unused: bool = False) -> str:
    return mended(SourceText("g.yaml", text), checked, unused=unused).text


@pytest.mark.parametrize(
    ("bad", "good"),
    [
        ("load_imag, file: x.png", "load_image, file: x.png"),
        ("load_image, flie: x.png", "load_image, file: x.png"),
        ("load_image, file: a, b.png", 'load_image, file: "a, b.png"'),
        ("load_image, file: a, b, c", 'load_image, file: "a, b, c"'),
        ("load_image, file: 5", 'load_image, file: "5"'),
        ("load_image, file: 0x10", 'load_image, file: "0x10"'),
        ("load_image, file: &a x", 'load_image, file: "&a x"'),
        ("load_image, file: C: drive", 'load_image, file: "C: drive"'),
        ("load_image, file: {C: drive}", 'load_image, file: "C: drive"'),
        ("'load_imag', file: x.png # why", "load_image, file: x.png # why"),
    ],
)
def test_what_fixes_write(bad: str, good: str) -> None:
    comment = "\n" if "#" in bad else ""
    text = f"graph: 1\nnodes:\n  a: {{type: {bad}{comment}}}\noutputs: {{image: $a}}\n"
    wanted = f"graph: 1\nnodes:\n  a: {{type: {good}{comment}}}\noutputs: {{image: $a}}\n"
    assert fixed(text) == wanted
    assert (
        fixed("\ufeff" + text.replace("\n", "\r\n").rstrip())
        == "\ufeff" + wanted.replace("\n", "\r\n").rstrip()
    )


def test_what_cannot_be_known_stays() -> None:
    for inside in (
        "load_image, flie: x.png, file: y.png",  # the right name has a value already
        "wholly_unknown_node",
        "load_image, file: {a: b, c: d}",
        "\n      |\n      load_imag\n",
    ):
        text = f"graph: 1\nnodes:\n  a: {{type: {inside}}}\noutputs: {{image: $a}}\n"
        assert fixed(text) == text


def test_an_anchor_that_is_used_is_no_text() -> None:
    text = "graph: 1\nnodes:\n  a: {type: load_image, file: &x y.png}\n  b: {type: load_image, file: *x}\noutputs: {image: $a}\n"
    assert fixed(text) == text


def test_two_misspelt_ports_of_one_name_do_not_become_twins() -> None:
    text = "graph: 1\nnodes:\n  a: {type: load_image, flie: x.png, fiel: y.png}\noutputs: {image: $a}\n"
    assert "stands twice" not in str(
        compile_graph(SourceText("g.yaml", fixed(text)), registry()).diagnostics
    )


def test_numbers_go_to_their_bounds() -> None:
    text = "graph: 1\ninputs:\n  n: {type: float, default: -7, min: 0.5}\nnodes:\n  a: {type: load_image, file: x}\noutputs: {image: $a}\n"
    assert "default: 0.5" in fixed(text)


def test_old_names_of_ports_are_renamed() -> None:
    old = next(s for s in registry().nodes.values() if any(s.renames.values()))
    was, now = next((o, n) for names in old.renames.values() for o, n in names.items())
    text = f"graph: 1\nnodes:\n  a: {{type: {old.name}, {was}: 0.5}}\noutputs: {{x: $a}}\n"
    found = compile_graph(SourceText("g.yaml", text), registry(), Request(whole=False)).diagnostics
    assert any(f.code == "W103" and f.fix for f in found)
    assert f"{now}: 0.5" in fixed(text)


def test_what_nothing_uses_goes_only_if_asked() -> None:
    text = (
        GOOD.replace("outputs", "  b: {type: load_image, file: y.png}  # of no use\noutputs")
        + "layout: {b: [1, 2]}\n"
    )
    assert fixed(text) == text
    assert fixed(text, unused=True) == GOOD


def test_faults_of_a_subgraph_stay_its_own(tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(BAD)
    text = "graph: 1\nnodes:\n  s: {type: ./in.yaml}\noutputs: {image: $s}\n"
    assert mended(SourceText("g.yaml", text, tmp_path), checked).text == text


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bad = BAD.replace("\n", "\r\n").replace("abc", "b")
    Path("g.yaml").write_bytes(bad.encode())
    shown = CliRunner().invoke(app, ["fix", "--diff", "g.yaml"])
    assert shown.exit_code == 1
    assert "-  b: {type: load_imag, file: x.png}" in shown.output
    assert "+  b: {type: load_image, file: x.png}" in shown.output
    assert Path("g.yaml").read_bytes() == bad.encode()
    assert CliRunner().invoke(app, ["fix", "g.yaml"]).exit_code == 0
    assert Path("g.yaml").read_bytes() == bad.replace("imag,", "image,").encode()
    assert CliRunner().invoke(app, ["fix", "--diff", "g.yaml"]).exit_code == 0
    assert CliRunner().invoke(app, ["fix", "none.yaml"]).exit_code == 1


def test_names_of_models_are_mended(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    text = "graph: 1\nnodes:\n  a: {type: text_encoder, model: shapes/glide/base, text: red}\noutputs: {x: $a}\n"
    path.write_text(text.replace("base", "bsae"))
    assert CliRunner().invoke(app, ["fix", "--types", str(path)]).exit_code == 0
    assert path.read_text() != text
    assert CliRunner().invoke(app, ["fix", str(path)]).exit_code == 0
    assert path.read_text() == text


def test_fixes_in_json(tmp_path: Path) -> None:
    path = tmp_path / "g.yaml"
    path.write_text(GOOD.replace("load_image", "load_imag"))
    told = json.loads(CliRunner().invoke(app, ["check", "--types", "--json", str(path)]).stdout)
    place = {"file": str(path), "line": 3, "column": 13, "end_line": 3, "end_column": 22}
    assert told[0]["fix"] == [{**place, "text": "load_image"}]


def test_names_that_hints_give() -> None:
    assert meant(nearest("dot", ["dog", "x"])) == "dog"
    assert meant("no such thing; did you mean 'a b'?") == "a b"
    assert meant("there are: a, b") is None
    assert meant("did you mean 'a'? or is it of a library that cannot be read?") is None
    assert swap(Span("g", 1, 1, 2, 1), "x") == ()
    assert swap(Span("g", 1, 1, 1, 2), "x") == (Edit(Span("g", 1, 1, 1, 2), "x"),)


CANVAS = (
    GOOD.replace("x.png}", "x.png, note: 'from a: b'}")
    + "layout: {a: [1, 2], image: [3, 4]}\nframes:\n  'Left: one': [a]\n"
)


def test_notes_and_frames_are_kept() -> None:
    graph, found = read_graph(CANVAS, "g.yaml")
    assert graph is not None
    assert not found
    assert graph.nodes["a"].note == "from a: b"
    assert graph.layout == {"a": (1, 2), "image": (3, 4)}
    assert graph.frames == {"Left: one": ("a",)}


def test_the_schema_takes_frames() -> None:
    import jsonschema
    import yaml

    schema = json_schema(registry())
    jsonschema.validate(yaml.safe_load(CANVAS), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**yaml.safe_load(CANVAS), "frames": {"x": "a"}}, schema)


def test_strangers_on_a_canvas_are_told() -> None:
    text = GOOD.replace("a:", "node_a:").replace("$a", "$node_a")
    _, found = read_graph(
        text + "frames: {Left: [nod_a, elsewhere], Right: 1}\nlayout: {nod_a: [1, 2]}\n", "g.yaml"
    )
    assert [(f.code, f.span.column if f.span else 0) for f in found] == [
        ("W105", 10),
        ("W105", 16),
        ("W105", 23),
        ("E103", 42),
    ] or {f.code for f in found} == {"W105", "E103"}
    assert sum(bool(f.fix) for f in found) == 2


@pytest.mark.parametrize("name", ["true", "null", "yes", "None", "no"])
def test_keys_are_read_by_their_text(name: str) -> None:
    text = f"graph: 1\nnodes:\n  {name}: {{type: load_image, file: x.png}}\noutputs: {{{name}: ${name}}}\n"
    graph, found = read_graph(text, "g.yaml")
    assert graph is not None
    assert not found
    assert [*graph.nodes] == [*graph.outputs] == [name]


@pytest.mark.parametrize("text", ["{}", "{}\n", "---\n{}\n", "{a}", "", "a", "[]"])
def test_graphs_of_nothing_are_told(text: str) -> None:
    assert read_graph(text, "g.yaml")[1]
    assert not [f for f in mended(SourceText("g.yaml", text), checked).left if f.code == "E001"]


@pytest.mark.parametrize(("pieces", "most"), [(400, 41), (20_000, 1)])
def test_a_mend_of_broken_text_is_looked_for_a_few_times(
    pieces: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nodegraph.language import syntax

    read, parse = list[int](), syntax.parse
    monkeypatch.setattr(syntax, "parse", lambda *a: read.append(1) or parse(*a))
    text = "graph: 1\nnodes: {a: [" + "{a: `b, [" * pieces + "\n"
    faults = parse(text, "g.yaml").diagnostics
    assert faults and len(syntax.with_fixes(text, "g.yaml", faults)) == len(faults)
    assert len(read) <= most
