"""Every edit of every graph, in every form of a file: it does what it says, touches nothing else, and can be undone."""

import copy
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from awkward import ANCHORS, NASTY

from nodegraph.base.diagnostics import GraphError
from nodegraph.language import edit
from nodegraph.language.document import meaning
from nodegraph.language.format import formatted
from nodegraph.language.reading import read_graph
from nodegraph.language.texts import applied, inverse, lines_of
from nodegraph.language.yaml import parse

GRAPHS = Path(__file__).parents[2] / "graphs"
SHIPPED = {
    str(p.relative_to(GRAPHS)): p.read_text(encoding="utf-8")
    for p in sorted(GRAPHS.rglob("*.yaml"))
}
Made = tuple[edit.Edits, Callable[[Any], None]]
"""Edits, and what they should do to the data of the file."""


def loaded(text: str) -> Any:
    """The data of a file, every scalar a text; an empty section is none."""
    data = yaml.load(text.removeprefix("\ufeff"), Loader=yaml.BaseLoader)
    return {k: v for k, v in data.items() if v not in ({}, "", "null", "~")}


def block(text: str) -> str:
    return yaml.safe_dump(
        yaml.safe_load(text), default_flow_style=False, sort_keys=False, width=1000
    )


def flow(text: str) -> str:
    return yaml.safe_dump(
        yaml.safe_load(text), default_flow_style=True, sort_keys=False, width=1000
    )


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "BOM": lambda text: "\ufeff" + text,
    "no last newline": lambda text: text.rstrip("\n"),
    "BOM, CRLF, no last newline": lambda text: "\ufeff" + text.rstrip("\n").replace("\n", "\r\n"),
    "all block": block,
    "all flow": flow,
    "emoji": lambda text: re.sub(
        'title: ("?)',
        r"title: \1👩‍🚀 ",
        text.replace("graph: 1", "# 🌈\ngraph: 1  # 😀 ", 1),
        count=1,
    ),
}


def names(data: Any, section: str) -> list[str]:
    return [*data.get(section, {})]


def table(data: Any, *path: str) -> Any:
    for key in path:
        if not isinstance(data.get(key), dict):
            data[key] = {}
        data = data[key]
    return data


def write(*path: str, value: Any) -> Callable[[Any], None]:
    return lambda data: table(data, *path[:-1]).__setitem__(path[-1], value)


def drop(*path: str) -> Callable[[Any], None]:
    return lambda data: table(data, *path[:-1]).pop(path[-1], None)


def change_name(section: str, old: str, new: str) -> Callable[[Any], None]:
    def refs(value: Any) -> Any:
        if isinstance(value, list):
            return [refs(item) for item in value]
        head, dot, port = value.partition(".") if isinstance(value, str) else ("", "", "")
        return f"${new}{dot}{port}" if head == f"${old}" else value

    def renamed(found: Any) -> Any:
        return {new if key == old else key: value for key, value in found.items()}

    def change(data: Any) -> None:
        for part in (section, "layout"):
            if isinstance(data.get(part), dict):
                data[part] = renamed(data[part])
        if section == "inputs":
            data["presets"] = {k: renamed(v) for k, v in data.get("presets", {}).items()}
        for node in data.get("nodes", {}).values():
            node.update({k: refs(v) for k, v in node.items() if k not in ("note", "each")})
            node.update(
                {"each": {k: refs(v) for k, v in node["each"].items()}} if "each" in node else {}
            )
        for part in ("outputs",):
            data[part] = {k: refs(v) for k, v in data.get(part, {}).items()}
        for members in data.get("frames", {}).values():
            members[:] = [new if member == old else member for member in members]

    return change


def without_node(node: str) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        data["nodes"].pop(node)
        data.get("layout", {}).pop(node, None)
        for members in data.get("frames", {}).values():
            members[:] = [member for member in members if member != node]

    return change


def without_input(name: str) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for part in (data["inputs"], data.get("layout", {}), *data.get("presets", {}).values()):
            part.pop(name, None)

    return change


VALUES: list[tuple[Any, Any]] = [
    (7, "7"),
    (-0.5, "-0.5"),
    ("a red star", "a red star"),
    ("red: blue, # 'or' \"so\"", "red: blue, # 'or' \"so\""),
    ("two\nlines\n", "two\nlines\n"),
    ("😀", "😀"),
    ("", ""),
    ("true", "true"),
    (["$seed", 2, "x, y"], ["$seed", "2", "x, y"]),
    ([], []),
    (True, "true"),
    ("$one.out", "$one.out"),
]


def of_nodes(text: str, data: Any) -> Iterator[Callable[[], Made]]:
    for at, (node, ports) in enumerate(data.get("nodes", {}).items()):
        for port in [p for p in ports if p not in ("type", "note", "each")]:
            value, said = VALUES[(at + len(port)) % len(VALUES)]
            yield lambda n=node, p=port, v=value, s=said: (
                edit.set_port(text, n, p, v),
                write("nodes", n, p, value=s),
            )
            yield lambda n=node, p=port: (edit.unset_port(text, n, p), drop("nodes", n, p))
        for value, said in (VALUES[at % len(VALUES)], ("x", "x")):
            yield lambda n=node, v=value, s=said: (
                edit.set_port(text, n, "added", v),
                write("nodes", n, "added", value=s),
            )
        yield lambda n=node: (
            edit.set_note(text, n, "a, note"),
            write("nodes", n, "note", value="a, note"),
        )
        yield lambda n=node: (
            edit.set_type(text, n, "other"),
            write("nodes", n, "type", value="other"),
        )
        yield lambda n=node: (
            edit.rename_node(text, n, "renamed_it"),
            change_name("nodes", n, "renamed_it"),
        )
        yield lambda n=node: (edit.remove_node(text, n), without_node(n))
        yield lambda n=node: (edit.move(text, n, 3, -4.5), write("layout", n, value=["3", "-4.5"]))
        yield lambda n=node: (
            edit.connect(text, n, n, "added"),
            write("nodes", n, "added", value=f"${n}"),
        )
        yield lambda n=node: (
            edit.set_each(text, n, "added", [1, 2]),
            write("nodes", n, "each", "added", value=["1", "2"]),
        )
        for names in ports.get("each", {}):
            yield lambda n=node, k=names: (edit.unset_each(text, n, k), drop("nodes", n, "each", k))
        if "note" in ports:
            yield lambda n=node: (edit.unset_note(text, n), drop("nodes", n, "note"))


def of_inputs(text: str, data: Any) -> Iterator[Callable[[], Made]]:
    for name, facts in data.get("inputs", {}).items():
        for fact in [f for f in facts if f != "type"]:
            yield lambda n=name, f=fact: (edit.unset_input(text, n, f), drop("inputs", n, f))
            yield lambda n=name, f=fact: (
                edit.set_input(text, n, f, 5),
                write("inputs", n, f, value="5"),
            )
        yield lambda n=name: (
            edit.set_input(text, n, "help", "x: y"),
            write("inputs", n, "help", value="x: y"),
        )
        yield lambda n=name: (
            edit.rename_input(text, n, "renamed_it"),
            change_name("inputs", n, "renamed_it"),
        )
        yield lambda n=name: (edit.remove_input(text, n), without_input(n))
        yield lambda n=name: (
            edit.set_preset(text, "added", n, 1),
            write("presets", "added", n, value="1"),
        )
        for preset in names(data, "presets"):
            yield lambda n=name, p=preset: (
                edit.set_preset(text, p, n, "😀"),
                write("presets", p, n, value="😀"),
            )


def of_the_rest(text: str, data: Any) -> Iterator[Callable[[], Made]]:
    long = {"text": "a " * 60 + "b", "c": ["$x"], "d": 1}
    said = {"type": "big", **long, "d": "1"}
    yield lambda: (
        edit.add_node(text, "added_it", "small"),
        write("nodes", "added_it", value={"type": "small"}),
    )
    yield lambda: (
        edit.add_node(text, "added_it", "big", long),
        write("nodes", "added_it", value=said),
    )
    yield lambda: (
        edit.add_input(text, "added_it", "int", {"default": 1}),
        write("inputs", "added_it", value={"type": "int", "default": "1"}),
    )
    yield lambda: (
        edit.set_output(text, "added_it", "$x.y"),
        write("outputs", "added_it", value="$x.y"),
    )
    yield lambda: (edit.set_text(text, "title", "Äh: 😀"), write("title", value="Äh: 😀"))
    yield lambda: (
        edit.set_text(text, "description", "two\nlines"),
        write("description", value="two\nlines"),
    )
    members = names(data, "nodes")[:2]
    yield lambda: (
        edit.set_frame(text, "My: frame", members),
        write("frames", "My: frame", value=members),
    )
    for title in names(data, "frames"):
        yield lambda t=title: (edit.set_frame(text, t, members), write("frames", t, value=members))
        yield lambda t=title: (edit.unset_frame(text, t), drop("frames", t))
    for name in names(data, "layout"):
        yield lambda n=name: (edit.unplace(text, n), drop("layout", n))
    for name in names(data, "outputs"):
        yield lambda n=name: (edit.set_output(text, n, "$x"), write("outputs", n, value="$x"))
        yield lambda n=name: (edit.unset_output(text, n), drop("outputs", n))
    for preset, values in data.get("presets", {}).items():
        yield lambda p=preset: (edit.unset_preset(text, p), drop("presets", p))
        for name in values:
            yield lambda p=preset, n=name: (edit.unset_preset(text, p, n), drop("presets", p, n))


def all_edits(text: str) -> list[Callable[[], Made]]:
    data = loaded(text)
    return [*of_nodes(text, data), *of_inputs(text, data), *of_the_rest(text, data)]


def comments(text: str) -> Counter[str]:
    """The comments of a file: what stands between the tokens of YAML."""
    bare, found, done = text.removeprefix("\ufeff"), Counter[str](), 0
    for token in yaml.scan(bare, Loader=yaml.CSafeLoader):
        found.update(re.findall(r"#[^\r\n]*", bare[done : token.start_mark.index]))
        done = max(done, token.end_mark.index)
    return found + Counter(re.findall(r"#[^\r\n]*", bare[done:]))


def form(text: str) -> tuple[bool, set[str], bool]:
    """Whether there is a byte order mark; how lines end; whether the last one does."""
    breaks = {"\r\n" if "\r\n" in text else "\r" if "\r" in text else "\n"}
    mixed = text.replace("\r\n", "").count("\n") if "\r\n" in text else 0
    return (
        text.startswith("\ufeff"),
        breaks | {"\n"} if mixed else breaks,
        text.endswith(("\n", "\r")),
    )


def hold(text: str, make: Callable[[], Made]) -> str:
    """Every law of one edit; gives the text after it."""
    edits, change = make()
    after = applied(text, edits)
    wanted = copy.deepcopy(loaded(text))
    change(wanted)
    found = loaded(after)
    assert found == {k: v for k, v in wanted.items() if v not in ({}, "")}, after
    assert applied(after, inverse(text, edits)) == text, after
    if "\n" in text.rstrip() or "\r" in text.rstrip():
        assert form(after)[:2] == form(text)[:2], after
    lines, was, now = lines_of(text), comments(text), comments(after)
    assert now <= was, after
    if not any("\n" in lines.at(e.span) or "\r" in lines.at(e.span) for e in edits):
        assert now == was, after
    return after


def some(items: list[Any], count: int, seed: str) -> list[Any]:
    return items if len(items) <= count else random.Random(seed).sample(items, count)


@pytest.mark.parametrize("at", range(len(SHIPPED)))
def test_some_edits_of_shipped_graphs(at: int) -> None:
    name, text = [*SHIPPED.items()][at]
    shape = [*FORMS][at % len(FORMS)]
    written = FORMS[shape](text)
    for make in some(all_edits(written), 12, name):
        hold(written, make)


@pytest.mark.soak
@pytest.mark.parametrize("shape", FORMS)
def test_all_edits_of_shipped_graphs(shape: str) -> None:
    for text in SHIPPED.values():
        written = FORMS[shape](text)
        for make in all_edits(written):
            hold(written, make)


@pytest.mark.parametrize("shape", ["as it is", "BOM, CRLF, no last newline"])
@pytest.mark.parametrize("name", NASTY)
def test_all_edits_of_nasty_graphs(name: str, shape: str) -> None:
    written = FORMS[shape](NASTY[name])
    edits = all_edits(written)
    assert edits
    for make in edits:
        hold(written, make)


@pytest.mark.parametrize("name", [*NASTY, *some([*SHIPPED], 4, "undo")])
def test_thirty_edits_undone(name: str) -> None:
    text = {**NASTY, **SHIPPED}[name]
    draw, undo, now = random.Random(name), list[edit.Edits](), text
    for _ in range(30):
        try:
            edits, _ = draw.choice(all_edits(now))()
        except edit.Refused as error:
            assert "already" in str(error)  # a name that was added before
            continue
        undo.append(inverse(now, edits))
        now = applied(now, edits)
    for edits in reversed(undo):
        now = applied(now, edits)
    assert now == text


def test_what_an_anchor_reaches_is_refused() -> None:
    for make in (
        lambda: edit.set_port(ANCHORS, "one", "b", "x"),
        lambda: edit.set_port(ANCHORS, "one", "added", "x"),
        lambda: edit.set_port(ANCHORS, "two", "b", "x"),
        lambda: edit.set_port(ANCHORS, "three", "b", "x"),
        lambda: edit.set_port(ANCHORS, "three", "e", "x"),
        lambda: edit.remove_node(ANCHORS, "one"),
        lambda: edit.add_input(ANCHORS, "more", "int"),
    ):
        with pytest.raises(edit.Refused, match="anchor"):
            make()
    for make in (
        lambda: edit.set_port(ANCHORS, "three", "d", 2),
        lambda: edit.set_port(ANCHORS, "three", "f", 2),
        lambda: edit.rename_node(ANCHORS, "three", "four"),
        lambda: edit.add_node(ANCHORS, "four", "a"),
    ):
        edits = make()
        assert applied(applied(ANCHORS, edits), inverse(ANCHORS, edits)) == ANCHORS


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda t: edit.set_port(t, "onne", "b", 1), "no node 'onne'; did you mean 'one'"),
        (lambda t: edit.unset_port(t, "one", "bb"), "no input of 'one' 'bb'"),
        (
            lambda t: edit.add_node(t, "two", "a"),
            ":8:3: 'two' is a node already; choose another name",
        ),
        (lambda t: edit.add_node(t, "seed", "a"), "'seed' is an input already"),
        (lambda t: edit.add_node(t, "1st", "a"), "'1st' is not a name"),
        (lambda t: edit.rename_node(t, "one", "two"), "'two' is a node already"),
        (lambda t: edit.rename_input(t, "sead", "x"), "did you mean 'seed'"),
        (lambda t: edit.connect(t, "no", "one", "b"), "no node or input 'no'"),
        (lambda t: edit.set_output(t, "image", "one"), r"write '\$one'"),
        (lambda t: edit.unset_input(t, "seed", "type"), "needs a type"),
        (lambda t: edit.set_input(t, "seed", "defualt", 1), "did you mean 'default'"),
        (lambda t: edit.set_port(t, "one", "b", object()), "cannot hold a object"),
        (lambda t: edit.set_port(t, "one", "type", "a"), "use set_type"),
        (lambda t: edit.set_port(t, "odd", "b", 1), "is no mapping"),
    ],
)
def test_refusals_say_why(make: Callable[[str], edit.Edits], said: str) -> None:
    text = "\n".join(
        [
            "graph: 1",
            "inputs:",
            "  seed: {type: Seed}",
            "nodes:",
            "  one:",
            "    type: a",
            "    b: 1",
            "  two: {type: b}",
            "  odd: 3",
            "outputs: {image: $one}",
        ]
    )
    with pytest.raises(ValueError, match=said):
        make(text)


@pytest.mark.parametrize(
    "text", ["", "- a\n", "just text", "graph: [1\n", "# nothing\n", "a: b: c\n"]
)
def test_what_is_no_graph_is_refused(text: str) -> None:
    with pytest.raises(GraphError):
        edit.add_node(text, "a", "b")


def test_overlapping_edits_are_refused() -> None:
    text = SHIPPED[next(iter(SHIPPED))]
    first = edit.set_text(text, "title", "x")
    with pytest.raises(ValueError, match="same place"):
        applied(text, (*first, *first))


@pytest.mark.parametrize("name", [*NASTY, *some([*SHIPPED], 4, "fmt")])
@pytest.mark.parametrize("shape", FORMS)
def test_fmt_keeps_line_ends_and_marks(name: str, shape: str) -> None:
    text = FORMS[shape]({**NASTY, **SHIPPED}[name])
    if parse(text, "g.yaml").diagnostics:
        pytest.skip("a comment stands where none can")
    made = formatted(text, "g.yaml")
    assert meaning(parse(made, "g.yaml").tree) == meaning(parse(text, "g.yaml").tree)
    assert form(made)[0] == form(text)[0]
    assert form(made)[2] == form(text)[2] or not text.strip("\ufeff").strip()
    if "\n" in text.rstrip() and "\r\n" in text:
        assert "\n" not in made.replace("\r\n", "")
    assert formatted(made, "g.yaml") == made
    before, after = read_graph(text, "g.yaml"), read_graph(made, "g.yaml")
    assert [f.code for f in before[1]] == [f.code for f in after[1]]


@pytest.mark.parametrize(
    ("make", "lost"),
    [
        (
            lambda t: edit.remove_node(t, "two"),
            [
                "# two",
                "# its type",
                "# what it takes",
                "# wired",
                "# a list",
                "# first",
                "# one",
                "# second",
            ],
        ),
        (lambda t: edit.remove_node(t, "one"), ["# one"]),
        (lambda t: edit.remove_node(t, "three"), ["# a break", "# more", "# three"]),
        (lambda t: edit.unset_port(t, "three", "c"), ["# more"]),
        (lambda t: edit.unset_port(t, "two", "b"), ["# wired"]),
        (lambda t: edit.set_port(t, "two", "d", 1), ["# first", "# one", "# second"]),
        (lambda t: edit.unset_input(t, "size", "menu"), ["# two"]),
        (lambda t: edit.remove_input(t, "seed"), ["# {not: a value}"]),
        (lambda t: edit.unset_output(t, "image"), ["# out"]),
    ],
)
def test_only_its_own_comments_go_with_an_entry(
    make: Callable[[str], edit.Edits], lost: list[str]
) -> None:
    text = NASTY["COMMENTS"]
    assert comments(text) - comments(applied(text, make(text))) == Counter(lost)
