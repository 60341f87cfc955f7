"""What a graph may be at most, and what is said of one that is more."""

import os
from collections.abc import Mapping
from pathlib import Path

import library
import pytest

from nodegraph.base import diagnostics as errors
from nodegraph.base.diagnostics import GraphError
from nodegraph.base.paths import TEXT_LIMIT
from nodegraph.base.render import all_as_text, as_text
from nodegraph.base.visible import visible
from nodegraph.language import source
from nodegraph.language.compile import Compiled, compile_graph
from nodegraph.language.inputs import Request
from nodegraph.language.order import cycles_among
from nodegraph.language.source import SourceText
from nodegraph.library.registry import Registry, from_modules

EMPTY = "graph: 1\nnodes: {}\noutputs: {}\n"


@pytest.fixture(scope="module")
def registry() -> Registry:
    return from_modules([library])


def compiled(
    registry: Registry,
    nodes: list[str],
    siblings: Mapping[str, str] | None = None,
) -> Compiled:
    lines = "".join(f"  {line}\n" for line in nodes)
    text = f"graph: 1\nnodes:\n{lines}outputs: {{}}\n"
    return compile_graph(SourceText("x.yaml", text, None, siblings or {}), registry)


def codes(found: Compiled) -> list[str]:
    return [fault.code for fault in found.diagnostics]


def calling(name: str, times: int) -> str:
    nodes = "".join(f"  a{number}: {{type: {name}}}\n" for number in range(times))
    return f"graph: 1\nnodes:\n{nodes}outputs: {{}}\n"


def test_ten_thousand_steps(registry: Registry) -> None:
    nodes = [f"n{number}: {{type: add, a: 1}}" for number in range(10_001)]
    assert not any(fault.severity == "error" for fault in compiled(registry, nodes[1:]).diagnostics)
    found = compiled(registry, nodes)
    assert codes(found) == ["E114"]
    assert found.diagnostics[0].node == "n10000"


@pytest.mark.parametrize("leaf", [EMPTY, EMPTY.replace("{}", "{s: {type: add, a: 1}}", 1)])
def test_subgraphs_that_multiply(registry: Registry, leaf: str) -> None:
    siblings = {f"g{level}.yaml": calling(f"g{level + 1}.yaml", 10) for level in range(9)}
    found = compiled(registry, ["a: {type: g0.yaml}"], {**siblings, "g9.yaml": leaf})
    assert codes(found) == ["E114"]
    assert found.diagnostics[0].node == "a"


def test_subgraphs_with_much_in_them_multiply_too(registry: Registry) -> None:
    inputs = ", ".join(f"i{number}: {{type: int, default: 1}}" for number in range(2000))
    wide = f"graph: 1\ninputs: {{{inputs}}}\nnodes: {{}}\noutputs: {{}}\n"
    nodes = [f"n{number}: {{type: wide.yaml}}" for number in range(200)]
    assert codes(compiled(registry, nodes, {"wide.yaml": wide})) == ["E114"]


def test_the_depth_of_subgraphs(registry: Registry) -> None:
    siblings = {f"g{level}.yaml": calling(f"g{level + 1}.yaml", 1) for level in range(100)}
    assert codes(compiled(registry, ["a: {type: g0.yaml}"], siblings)) == ["E115"]
    siblings["g20.yaml"] = EMPTY
    assert codes(compiled(registry, ["a: {type: g0.yaml}"], siblings)) == ["W101"]


def test_a_subgraph_that_is_used_twice_is_blamed_once(registry: Registry) -> None:
    inner = "graph: 1\nnodes: {a: {typ: add}}\noutputs: {}\n"
    found = compiled(registry, ["a: {type: i.yaml}", "b: {type: i.yaml}"], {"i.yaml": inner})
    assert codes(found) == ["E103"]


def test_the_size_of_a_file(registry: Registry, tmp_path: Path) -> None:
    graph = tmp_path / "g.yaml"
    graph.write_text(EMPTY + "#" * (TEXT_LIMIT - len(EMPTY)), encoding="utf-8")
    assert not compile_graph(graph, registry).diagnostics
    graph.write_text(EMPTY + "#" * (TEXT_LIMIT - len(EMPTY) + 1), encoding="utf-8")
    assert codes(compile_graph(graph, registry)) == ["E007"]
    (tmp_path / "outer.yaml").write_text(calling("g.yaml", 1), encoding="utf-8")
    assert codes(compile_graph(tmp_path / "outer.yaml", registry)) == ["E007"]


def test_what_is_no_file(registry: Registry, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    for name, says in (("pipe", "a pipe"), ("folder", "a folder"), ("loop", "symbolic links")):
        found = compile_graph(tmp_path / f"{name}.yaml", registry)
        assert codes(found) == ["E005"] and says in found.diagnostics[0].message
        (tmp_path / "outer.yaml").write_text(calling(f"{name}.yaml", 1), encoding="utf-8")
        found = compile_graph(tmp_path / "outer.yaml", registry)
        assert codes(found) == ["E005"] and says in found.diagnostics[0].message
        assert found.diagnostics[0].span is not None and found.diagnostics[0].span.line == 3


def test_hints_are_looked_for_in_the_first_faults(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    nearest = errors.get_close_matches
    monkeypatch.setattr(
        errors, "get_close_matches", lambda n, names, *a: looked.append(len(names)) or nearest(n, names, *a)
    )  # fmt: skip
    for count in (300, 1000):
        looked.clear()
        nodes = [f"number_{number}: {{type: add, a: $nunber_{number}}}" for number in range(count)]
        found = compiled(registry, nodes)
        assert codes(found) == ["E204"] * count
        assert "did you mean 'number_" in str(found.diagnostics[20].hint)
        assert found.diagnostics[-1].hint is None
        assert sum(looked) <= 10_000 + count


def test_a_thousand_missing_inputs_search_the_catalogue_for_the_first(registry: Registry) -> None:
    found = compiled(registry, [f"n{number}: {{type: either}}" for number in range(5000)])
    assert found.diagnostics[0].hint != found.diagnostics[-2].hint


def test_of_very_many_faults_the_first_are_told(registry: Registry) -> None:
    wrong = compiled(registry, [f"n{number}: {{type: add, a: $no}}" for number in range(5000)])
    assert codes(wrong) == ["E204"] * 2000 + ["W104"]
    assert wrong.program is None
    unread = compile_graph(SourceText("x.yaml", f"graph: 1\nnodes: [{'!a b,' * 9000}]"), registry)
    assert codes(unread)[-1] == "W104" and len(unread.diagnostics) <= 2001


def test_a_shortest_cycle_of_a_knot_is_found_in_one_pass() -> None:
    around = {str(n): {str((n + 1) % 3000)} for n in range(3000)}
    (cycle,) = cycles_among(around)
    assert len(cycle) == 3000
    names = {str(n) for n in range(60)}
    assert cycles_among(dict.fromkeys(names, names)) == [["0"]]


def test_numbers_from_python(registry: Registry) -> None:
    text = "graph: 1\ninputs: {a: {type: int}}\nnodes: {x: {type: add, a: $a}}\noutputs: {x: $x}\n"
    found = compile_graph(SourceText("x.yaml", text), registry, Request({"a": 10**5000}))
    assert codes(found) == ["E006"]
    listed = compile_graph(SourceText("x.yaml", text), registry, Request({"a": [10**5000]}))
    assert codes(listed) == ["E208"]
    typed = compile_graph(SourceText("x.yaml", text), registry, Request(texts={"a": "9" * 5000}))
    assert codes(typed) == ["E006"]


def test_a_text_with_half_a_character_is_none(registry: Registry) -> None:
    text = "graph: 1\ninputs: {s: {type: str}}\nnodes: {}\noutputs: {s: $s}\n"
    for request in (Request({"s": "a\udcff"}), Request(texts={"s": "a\udcff"})):
        found = compile_graph(SourceText("x.yaml", text), registry, request)
        assert codes(found) == ["E208"]
        assert "\\udcff" in as_text(found.diagnostics[0], {})
    assert codes(compile_graph(SourceText("x.yaml", text + "# \ud800"), registry)) == ["E001"]


def test_a_menu_of_numbers_takes_lists(registry: Registry) -> None:
    text = "graph: 1\ninputs: {{s: {{type: '{}', menu: [1, 2], default: {}}}}}\nnodes: {{}}\noutputs: {{s: $s}}\n"
    for kind, value, said in (("list[int]", "[1, 2]", []), ("list[int]", "[1, 3]", ["E207"])):
        source = SourceText("x.yaml", text.format(kind, value))
        assert codes(compile_graph(source, registry)) == said
    nested = SourceText("x.yaml", text.format("list[list[int]]", "[[1]]"))
    assert codes(compile_graph(nested, registry)) == []


def test_a_long_line_is_shown_around_the_fault(registry: Registry) -> None:
    text = (
        f"graph: 1\nnodes: {{a: {{type: add, a: 1, note: {'x' * 500}, b: $no}}}}\noutputs: {{}}\n"
    )
    found = compile_graph(SourceText("x.yaml", text), registry)
    _, line, caret, *_ = all_as_text(found.diagnostics, found.texts).splitlines()
    assert len(line) < 200 and line[caret.index("^") :].startswith("$no")


def test_a_message_about_a_giant_is_short(registry: Registry) -> None:
    text = f"graph: 1\nnodes: {{}}\noutputs: {{a: ${'x' * 100_000}}}\n"
    found = compile_graph(SourceText("x.yaml", text), registry)
    assert codes(found) == ["E204"]
    assert len(all_as_text(found.diagnostics, found.texts)) < 2000


def test_nothing_is_read_to_show_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret\n", encoding="utf-8")
    span = errors.Span(str(secret), 1, 1, 1, 2)
    assert "a secret" not in as_text(errors.diagnostic("E103", "wrong", span), {str(secret): ""})
    assert "a secret" not in as_text(errors.diagnostic("E103", "wrong", span), {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\r\x00\x7f\x9b", "a\\r\\x00\\x7f\\x9b"),
        ("\u202egnp.exe \u2066", "\\u202egnp.exe \\u2066"),
        ("half \ud800", "half \\ud800"),
        ("größer — 円 👩‍🚀 a\nb", "größer — 円 👩‍🚀 a\nb"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    fault = errors.diagnostic("E103", text, None, text)
    assert shown.replace("\n", "\n      ") in as_text(fault, {})
    assert visible(str(GraphError([fault]))) == str(GraphError([fault]))


def test_a_file_is_read_once_however_often_it_is_used(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in folders below; what each use wires is checked all the same."""
    (tmp_path / "in").mkdir()
    inner = "graph: 1\ninputs: {a: {type: int}}\nnodes: {x: {type: add, a: $a}}\noutputs: {x: $x}\n"
    (tmp_path / "in" / "leaf.yaml").write_text(inner, "utf-8")
    outer = inner.replace("type: add", "type: ./in/leaf.yaml")
    (tmp_path / "outer.yaml").write_text(outer, "utf-8")
    uses = ", ".join(f"n{i}: {{type: ./outer.yaml, a: {i}}}" for i in range(30))
    wrong = "w: {type: ./outer.yaml, a: x, b: 1}"
    (tmp_path / "g.yaml").write_text(
        f"graph: 1\nnodes: {{{uses}, {wrong}}}\noutputs: {{a: $n7, w: $w}}\n", "utf-8"
    )
    read, as_before = list[str](), source.read_text
    monkeypatch.setattr(source, "read_text", lambda p: read.append(p.name) or as_before(p))
    found = compile_graph(tmp_path / "g.yaml", registry)
    assert sorted(read) == ["g.yaml", "leaf.yaml", "outer.yaml"]
    assert set(codes(found)) == {"E201", "E208"}
