"""The language: scalars, signatures, types, the formatter and the schema."""

import json
from pathlib import Path
from typing import Any

import library
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodegraph.language.compile import compile_graph
from nodegraph.language.document import meaning
from nodegraph.language.format import formatted
from nodegraph.language.inputs import Request
from nodegraph.language.literals import Slot, coerced, from_text
from nodegraph.language.program import Constant
from nodegraph.language.reading import read_graph
from nodegraph.language.scalars import plain
from nodegraph.language.source import SourceText
from nodegraph.language.yaml import Leaf, Table, parse
from nodegraph.library.node import Declaration
from nodegraph.library.port import TypeRef
from nodegraph.library.registry import from_modules
from nodegraph.library.signature import SignatureError, TypeReader, bound, spec_of
from nodegraph.library.typerefs import fits, parse_type

WIDE = {("int", "float")}


CORPUS = json.loads(Path(__file__).with_name("scalars.json").read_text(encoding="utf-8"))
"""Plain scalars and what they are, for every program that reads graph files; numbers that JSON has not are texts."""
KINDS = {"null": type(None), "bool": bool, "int": int, "float": float, "str": str}


@pytest.mark.parametrize("row", CORPUS, ids=[row["text"] for row in CORPUS])
def test_plain_scalars(row: dict[str, Any]) -> None:
    found, kind = plain(row["text"]), KINDS[row["type"]]
    assert type(found) is kind
    value = None if row["type"] == "null" else kind(row["value"])
    assert found == value or (found != found and value != value)


@pytest.mark.parametrize("row", CORPUS, ids=[row["text"] for row in CORPUS])
def test_scalars_mean_the_same_in_a_file(row: dict[str, Any]) -> None:
    for text, quoted in ((row["text"], False), (json.dumps(row["text"]), True)):
        tree = parse(f"key: {text}", "x.yaml").tree
        assert isinstance(tree, Table)
        leaf = tree.entries[0].value
        assert isinstance(leaf, Leaf)
        expected = row["text"] if quoted else plain(row["text"])
        assert repr(leaf.value) == repr(expected)


def test_a_signature_is_a_spec() -> None:
    spec = from_modules([library]).nodes["add"]
    assert [p.name for p in spec.inputs] == ["a", "b"]
    b = spec.inputs[1]
    assert (b.required, b.default, b.doc) == (False, 1, "What is added.")
    assert b.range is not None
    assert (b.range.low, b.range.high) == (0, 100)
    halves = from_modules([library]).nodes["halves"]
    assert [p.name for p in halves.outputs] == ["quotient", "remainder"]
    assert from_modules([library]).nodes["total"].inputs[1].menu == ("sum", "max")
    assert from_modules([library]).nodes["steps"].generator


def unannotated(a, b: int) -> int:
    return a + b


def no_result(a: int):
    return a


def unknown(a: bytes) -> int:
    return len(a)


def starred(*a: int) -> int:
    return sum(a)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (unannotated, "parameter 'a' of node 'unannotated' has no annotation"),
        (no_result, "node 'no_result' has no return annotation"),
        (unknown, "parameter 'a' of node 'unknown': .*bytes.* is no port type"),
        (starred, r"is \*args or \*\*kwargs"),
    ],
)
def test_bad_signatures(function: Any, says: str) -> None:
    declaration = Declaration("test", 1, True, (), None, {})
    with pytest.raises(SignatureError, match=says):
        spec_of(function, declaration, TypeReader({}), "")


@pytest.mark.parametrize(
    ("source", "target", "fit"),
    [
        ("int", "float", True), ("float", "int", False), ("int", "float | str", True), ("int | str", "str", False),
        ("int | str", "str | float", True), ("list[int]", "list[float]", True), ("Denoiser[Image]", "Denoiser", True),
        ("Denoiser[Image]", "Denoiser[Signal]", False), ("Image", "*", True), ("bool", "int", False),
    ],
)  # fmt: skip
def test_what_fits(source: str, target: str, fit: bool) -> None:
    assert fits(parse_type(source), parse_type(target), {}, WIDE) is fit


def test_a_variable_takes_one_type() -> None:
    variable, bound = TypeRef("T", variable=True), dict[str, TypeRef]()
    assert fits(parse_type("Image"), variable, bound, WIDE)
    assert not fits(parse_type("Signal"), variable, bound, WIDE)


names = st.sampled_from(["int", "float", "str", "Image", "Denoiser"])
types = st.recursive(
    names.map(TypeRef),
    lambda inner: st.one_of(
        inner.map(lambda t: TypeRef("list", (t,))),
        st.tuples(inner, inner).map(lambda pair: TypeRef("|", pair)),
    ),
    max_leaves=4,
)


@given(types)
def test_every_type_fits_itself(ref: TypeRef) -> None:
    assert fits(ref, ref, {}, WIDE)


@given(names.map(TypeRef), types, types)
def test_a_union_takes_what_its_members_take(ref: TypeRef, a: TypeRef, b: TypeRef) -> None:
    either = fits(ref, a, {}, WIDE) or fits(ref, b, {}, WIDE)
    assert fits(ref, TypeRef("|", (a, b)), {}, WIDE) is either


@pytest.mark.parametrize("text", ["list[", "a]", "| a", "a b", "list[]", "a,b"])
def test_malformed_types(text: str) -> None:
    with pytest.raises(ValueError, match=r"type"):
        parse_type(text)


SOURCE = """\
# a graph
graph:   1
title: "a: title"   # said

inputs:
  # how many
  start: {type: int,   default: 3}  # a start
nodes:
    many:
      type: several
      a: $start   # here
    all: {type: total, items: [$many,  1,2], note: "a rather long note that does not fit on one line of the file", kind: sum}
outputs: {all: $all}
"""


def test_the_formatter_keeps_comments_and_meaning() -> None:
    made = formatted(SOURCE, "x.yaml")
    for comment in ("# a graph", "# said", "# how many", "# a start", "# here"):
        assert made.count(comment) == 1
    assert formatted(made, "x.yaml") == made
    assert max(map(len, made.splitlines())) <= 100 or "long note" in made
    before, after = read_graph(SOURCE, "x")[0], read_graph(made, "x")[0]
    assert before is not None
    assert after is not None
    assert {n: (g.type, list(g.inputs)) for n, g in before.nodes.items()} == {
        n: (g.type, list(g.inputs)) for n, g in after.nodes.items()
    }


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=30))
def test_any_text_survives_formatting(text: str) -> None:
    source = f"graph: 1\ntitle: {json.dumps(text)}\nnodes: {{}}\noutputs: {{}}\n"
    made = formatted(source, "x.yaml")
    graph = read_graph(made, "x.yaml")[0]
    assert graph is not None
    assert graph.title == text
    assert formatted(made, "x.yaml") == made


KEYS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=12)
ODD_KEYS = [
    "<<",
    "a: b",
    "# a",
    "",
    "1.5",
    "012",
    "1e3",
    "null",
    "Null",
    "true",
    "True",
    "-",
    "? a",
    "9" * 500,
    "x" * 120,
    "\x85",
]


@given(st.one_of(KEYS, st.sampled_from(ODD_KEYS)))
def test_any_key_survives_formatting(key: str) -> None:
    """At the top, in a section, in a long value of one and in a short."""
    name, far = json.dumps(key), json.dumps("x" * 99)
    inner = f"{{{name}: {{{name}: 1}}}}"
    source = (
        f"presets: {inner}\n{name}: 1\nnodes: {{a: {{{name}: {far}}}}}\nlayout: {{{name}: {{}}}}\n"
    )
    made = formatted(source, "x.yaml")
    assert said(parse(made, "x.yaml").tree) == said(parse(source, "x.yaml").tree)
    assert formatted(made, "x.yaml") == made


def said(tree: object) -> object:
    """What a tree says, in its order."""
    assert tree is not None
    if isinstance(tree, Table):
        return [(entry.key, said(entry.value)) for entry in tree.entries]
    return tree.value  # type: ignore[attr-defined]


BLOCKS = """\
graph: 1
nodes:
  a:
    type: add

    a: 1

  # of b
  b:
    type: add
    a:
      - 1
      - 2

# of what comes out
outputs:
  a: $a

layout:
  a:
    - 1
    - 2
"""


def test_the_formatter_keeps_the_lines_between_blocks() -> None:
    """A block ends with what stands in it last: blank lines and comments behind it belong to what follows."""
    made = formatted(BLOCKS, "x.yaml")
    assert made == (
        "graph: 1\nnodes:\n  a: {type: add, a: 1}\n\n  # of b\n  b: {type: add, a: [1, 2]}\n\n"
        "# of what comes out\noutputs:\n  a: $a\n\nlayout:\n  a: [1, 2]\n"
    )
    assert formatted(made, "x.yaml") == made


def test_values_from_the_command_line_are_read_by_type() -> None:
    text = 'graph: 1\ninputs:\n  a: {type: int}\n  s: {type: str, default: ""}\nnodes:\n  x: {type: add, a: $a}\noutputs: {x: $x, s: $s}\n'
    registry = from_modules([library])
    request = Request(texts={"a": "7", "s": "$5"})
    program = compile_graph(SourceText("x.yaml", text), registry, request).checked()
    assert program.inputs == {"a": 7, "s": "$5"}
    wrong = compile_graph(SourceText("x.yaml", text), registry, Request(texts={"a": "x"}))
    assert [d.code for d in wrong.diagnostics] == ["E208"]
    unknown_input = compile_graph(SourceText("x.yaml", text), registry, Request({"a": 1, "b": 2}))
    assert [d.code for d in unknown_input.diagnostics] == ["E110"]


def test_every_item_of_a_default_that_does_not_fit_is_told_at_its_place() -> None:
    text = "graph: 1\ninputs:\n  a: {type: 'list[int]', default: [1, x, 2, y]}\n  b: {type: 'list[list[int]]', default: [[1], [z]]}\nnodes: {}\npresets: {p: {a: [u, 3, v]}}\noutputs: {a: $a, b: $b}\n"
    for preset in (None, "p"):
        found = compile_graph(
            SourceText("x.yaml", text), from_modules([library]), Request(preset=preset)
        )
        assert {d.code for d in found.diagnostics} == {"E208"}
        places = [(d.span.line, d.span.column) for d in found.diagnostics if d.span]
        assert places == [(3, 39), (3, 45), (4, 48), (6, 19), (6, 25)]


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf", "1e999"])
@pytest.mark.parametrize("bound", ["min", "max"])
def test_bounds_are_finite(bound: str, number: str) -> None:
    text = f"graph: 1\ninputs: {{a: {{type: float, default: 2, {bound}: {number}}}}}\nlayout: {{a: [0, {number}]}}\noutputs: {{}}\n"
    compiled = compile_graph(SourceText("x.yaml", text), from_modules([library]))
    places = [(d.code, d.span.line) for d in compiled.diagnostics if d.span and d.code[0] == "E"]
    assert places == [("E103", 2), ("E103", 3)]


def test_absent_inputs_prune_what_needs_them() -> None:
    inner = "graph: 1\ninputs:\n  a: {type: int}\n  more: {type: int, optional: true}\nnodes:\n  extra: {type: add, a: $more}\n  all: {type: total, items: [$a, $extra]}\noutputs: {all: $all}\n"
    outer = "graph: 1\nnodes:\n  one: {type: ./inner.yaml, a: 1}\n  two: {type: ./inner.yaml, a: 1, more: 5}\noutputs: {one: $one, two: $two}\n"
    source = SourceText("outer.yaml", outer, None, {"inner.yaml": inner})
    program = compile_graph(source, from_modules([library])).checked()
    assert [step.name for step in program.steps] == ["one/all", "two/extra", "two/all"]


@pytest.mark.parametrize("name", ["number", "amount"])
def test_ports_of_older_versions_are_read_under_their_new_names(name: str) -> None:
    text = f"graph: 1\nnodes:\n  a: {{type: renamed, {name}: 4}}\noutputs: {{a: $a}}\n"
    compiled = compile_graph(SourceText("x.yaml", text), from_modules([library]))
    assert [(d.code, d.severity) for d in compiled.diagnostics] == [("W103", "warning")]
    assert list(compiled.checked().steps[0].inputs) == ["value"]


def compiled_text(nodes: str, outputs: str = "{}"):
    text = f"graph: 1\nnodes:\n{nodes}\noutputs: {outputs}\n"
    return compile_graph(SourceText("x.yaml", text), from_modules([library]))


def test_a_literal_on_a_generic_port_takes_the_type_of_its_wire() -> None:
    nodes = "  d: {type: doubled, a: 2}\n  e: {type: either, a: 5, b: $d}"
    step = compiled_text(nodes, "{e: $e}").checked().steps[1]
    literal = step.inputs["a"]
    assert isinstance(literal, Constant)
    assert str(literal.type) == "Doubled"


def test_a_literal_alone_cannot_say_what_a_generic_port_is() -> None:
    found = compiled_text("  e: {type: same, value: a.png}", "{e: $e}").diagnostics
    hint = "wire a node's output, or an input of the graph, which has a type: $name"
    assert [(d.code, d.hint) for d in found] == [("E208", hint)]


def test_every_cycle_is_reported_and_what_else_is_wrong_there() -> None:
    nodes = """
  alone: {type: add, a: 1}
  self: {type: add, a: $self}
  one: {type: add, a: $two, b: 101}
  two: {type: add, a: $one}
  behind: {type: add, c: $two}"""
    found = compiled_text(nodes, "{a: $alone, b: $behind}").diagnostics
    cycles = [d.message.partition(": ")[2] for d in found if d.code == "E106"]
    assert cycles == ["self → self", "one → two → one"]
    assert [d.code for d in found if d.code != "E106"] == ["E206", "E205", "E201"]


def test_a_subgraph_lies_in_the_folder_of_the_graph(tmp_path: Path) -> None:
    inner = "graph: 1\nnodes:\n  a: {type: add, a: %d}\noutputs: {a: $a}\n"
    for place, number in (("x.yaml", 1), ("here/one/x.yaml", 2), ("here/two/x.yaml", 3)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(inner % number, encoding="utf-8")
    (tmp_path / "here" / "link.yaml").symlink_to(tmp_path / "x.yaml")
    outer = tmp_path / "here" / "outer.yaml"
    for place in ("../x.yaml", "one/../../x.yaml", "link.yaml", str(tmp_path / "x.yaml")):
        outer.write_text(f"graph: 1\nnodes: {{a: {{type: {place}}}}}\noutputs: {{a: $a}}\n")
        assert [d.code for d in compile_graph(outer, from_modules([library])).diagnostics] == [
            "E113"
        ]
    outer.write_text(
        "graph: 1\nnodes: {a: {type: one/x.yaml}, b: {type: ./two/x.yaml}}\noutputs: {a: $a, b: $b}\n"
    )
    program = compile_graph(outer, from_modules([library])).checked()
    assert set(program.sources) == {"outer.yaml", "one/x.yaml", "two/x.yaml"}
    again = SourceText("outer.yaml", program.sources["outer.yaml"], None, program.sources)
    steps = compile_graph(again, from_modules([library])).checked().steps
    assert [step.inputs["a"].value for step in steps] == [2, 3]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1, 2", "list[int]", [1, 2]),
        ("[1, 2]", "list[int]", [1, 2]),
        ("3", "list[int]", [3]),
        ("yes, true", "list[str]", ["yes", "true"]),
        ("a, b", "str", "a, b"),
        ("0.5", "float | list[float]", 0.5),
        ("0, 1", "float | list[float]", [0.0, 1.0]),
        ("12", "int | str", 12),
        ("ddim50", "int | str", "ddim50"),
    ],
)
def test_texts_are_read_by_type(text: str, kind: str, value: object) -> None:
    assert coerced(from_text(text, parse_type(kind), {}), Slot(parse_type(kind)), {}) == value


def test_a_twin_gets_what_it_names_and_the_defaults_of_its_node() -> None:
    def whole(a: int, b: int = 2, c: int = 3) -> int:
        return a + b + c

    assert bound(lambda b, a: 0, whole, {"a": 1}) == {"b": 2, "a": 1}
    assert bound(lambda c=9: 0, whole, {"a": 1}) == {"c": 3}
    assert bound(lambda a, **rest: 0, whole, {"a": 1, "c": 7}) == {"a": 1, "c": 7}
    assert bound(lambda: 0, whole, {"a": 1}) == {}
    assert bound(whole, whole, {"a": 1, "b": 5}) == {"a": 1, "b": 5, "c": 3}


@pytest.mark.parametrize(
    "text",
    [
        "? x\r\n# a comment\rgraph: 1\rnodes: {}\r",
        "graph: 1\r# a comment\r\nnodes: {}\routputs: {}\r",
        "? graph\r\n: 1\r# a comment\rnodes: {}\n",
    ],
)
def test_lines_that_end_in_several_ways_keep_what_they_say(text: str) -> None:
    made = formatted(text, "x.yaml")
    before, after = parse(text, "x.yaml"), parse(made, "x.yaml")
    assert after.diagnostics == () == before.diagnostics
    assert meaning(after.tree) == meaning(before.tree)
