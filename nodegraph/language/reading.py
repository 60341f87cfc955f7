"""The text of a graph file read into a Graph; all that is wrong with its structure at once. Nothing is looked up here."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, Edit, Hints, Span, diagnostic, meant, swap
from nodegraph.language.canvas import Canvas
from nodegraph.language.document import Document
from nodegraph.language.graph import (
    FORMAT_VERSION,
    INPUT_KEYS,
    NODE_KEYS,
    TOP_KEYS,
    Graph,
    GraphInput,
    GraphNode,
    Listing,
    Literal,
    Ref,
    Value,
)
from nodegraph.language.mistaken import behind_a_comma, is_number, quote_hint, text_of_mapping
from nodegraph.language.rewriting import headed
from nodegraph.language.scalars import Scalar
from nodegraph.language.sweeps import Sweeps
from nodegraph.language.syntax import with_fixes
from nodegraph.language.texts import Lines, lines_of
from nodegraph.language.written import joined, quoted
from nodegraph.language.yaml import Entry, Items, Leaf, Table, Tree, parse

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_graph(text: str, file: str) -> tuple[Graph | None, list[Diagnostic]]:
    """Parse a graph file; everything that is wrong with its structure is reported at once."""
    graph, faults = _read_graph(text, file)
    return graph, list(faults)


@lru_cache(maxsize=64)
def _read_graph(text: str, file: str) -> tuple[Graph | None, Sequence[Diagnostic]]:
    parsed = parse(text, file)
    reader = _GraphReader(file, text, with_fixes(text, file, parsed.diagnostics))
    if parsed.tree is None:
        if not reader.faults:
            message = "the file is empty; a graph needs 'nodes' and 'outputs'"
            reader.fault(Code.WRONG_STRUCTURE, message, Span(file, 1, 1, 1, 2))
        return None, reader.faults
    return reader.graph(parsed.tree), reader.faults


def _scalar(leaf: Leaf) -> Value:
    text = leaf.value
    if not isinstance(text, str) or not text.startswith("$"):
        return Literal(text, leaf.span)
    if text.startswith("$$"):
        return Literal(text[1:], leaf.span)
    name, _, port = text[1:].partition(".")
    return Ref(name, port or None, leaf.span)


def _reference(value: Value) -> Ref | None:
    """The first reference in a value."""
    if isinstance(value, Listing):
        return next((ref for item in value.items if (ref := _reference(item)) is not None), None)
    return value if isinstance(value, Ref) else None


class _GraphReader:
    def __init__(self, file: str, text: str, faults: list[Diagnostic]) -> None:
        self.file = file
        self.text = text
        self.faults = faults
        self.hints = Hints()

    @cached_property
    def lines(self) -> Lines:
        return lines_of(self.text)

    def fault(
        self,
        code: Code,
        message: str,
        span: Span,
        hint: str | None = None,
        node: str | None = None,
        fix: tuple[Edit, ...] = (),
    ) -> None:
        self.faults.append(diagnostic(code, message, span, hint, node, fix=fix))

    def graph(self, tree: Tree) -> Graph | None:
        if not isinstance(tree, Table):
            self.fault(
                Code.WRONG_STRUCTURE, "a graph is a mapping with 'nodes' and 'outputs'", tree.span
            )
            return None
        self.known_keys(tree, TOP_KEYS, "a graph")
        self.version(tree)
        declared, named = self.section(tree, "inputs"), self.section(tree, "nodes")
        inputs = {e.key: self.input(e) for e in declared}
        nodes = {e.key: self.node(e) for e in named}
        self.names_once({e.key for e in declared}, named)
        there = {e.key for e in (*declared, *named)}
        given = self.section(tree, "outputs")
        outputs = {e.key: v for e in given if (v := self.output(e, there)) is not None}
        broken = any(fault.code in (Code.YAML_SYNTAX, Code.TOO_DEEP) for fault in self.faults)
        if not broken and tree.get("outputs") is None:
            self.fault(
                Code.NO_OUTPUTS,
                "the graph has no outputs",
                tree.span,
                "add: outputs: {image: $node}",
            )
        canvas = Canvas(self.fault, self.hints)
        return Graph(
            self.file,
            self.text_of(tree, "title"),
            {name: value for name, value in inputs.items() if value is not None},
            self.presets(tree),
            {name: value for name, value in nodes.items() if value is not None},
            outputs,
            self.text,
            self.text_of(tree, "description"),
            canvas.layout(self.section(tree, "layout"), {*there, *outputs}),
            canvas.frames(self.section(tree, "frames"), there),
            Sweeps(self.fault, self.value).sweeps(self.section(tree, "sweeps")),
        )

    def known_keys(self, table: Table, known: Sequence[str], owner: str) -> None:
        for entry in table.entries:
            if entry.key not in known:
                comma = behind_a_comma(entry.key, entry.value)
                hint = comma or self.hints.nearest(entry.key, known)
                taken = table.get(meant(hint) or "") is not None
                fix = self.joined(table, entry) if comma else swap(entry.span, meant(hint))
                message = f"{owner} has no key '{entry.key}'"
                self.fault(Code.UNKNOWN_KEY, message, entry.span, hint, None, () if taken else fix)

    def joined(self, table: Table, entry: Entry) -> tuple[Edit, ...]:
        """The edit that quotes a text of which a comma made a part a key: `{help: red, blue}`."""
        at = table.entries.index(entry)
        before, here = table.entries[at - 1].value.span, entry.span
        empty = isinstance(entry.value, Leaf) and entry.value.value is None
        if not at or not empty or before.line != here.end_line:
            return ()
        span = replace(before, end_line=here.end_line, end_column=here.end_column)
        return swap(span, joined(self.lines.at(span)))

    def version(self, tree: Table) -> None:
        found = tree.get("graph")
        if isinstance(found, Leaf) and found.value == FORMAT_VERSION and found.value is not True:
            return
        where = found.span if found else tree.span
        shown = found.value if isinstance(found, Leaf) else "none"
        self.fault(
            Code.UNSUPPORTED_VERSION,
            f"format version {shown}; this program reads {FORMAT_VERSION}",
            where,
            "write: graph: 1",
            None,
            self.versioned(tree, found),
        )

    def versioned(self, tree: Table, found: Tree | None) -> tuple[Edit, ...]:
        """The edit that says the version; none for a later one, which this program cannot promise to read."""
        if found is None:
            return headed(Document(self.text, self.file, tree, ()), "graph", FORMAT_VERSION)
        later = isinstance(found, Leaf) and is_number(found.value) and found.value != FORMAT_VERSION
        return () if later else swap(found.span, str(FORMAT_VERSION))

    def section(self, tree: Table, key: str) -> tuple[Entry, ...]:
        found = tree.get(key)
        if found is None or (isinstance(found, Leaf) and found.value is None):
            return ()
        if isinstance(found, Table):
            return found.entries
        self.fault(
            Code.WRONG_STRUCTURE,
            f"'{key}' must be a mapping",
            found.span,
            f"write: {key}: {{name: …}}",
        )
        return ()

    def text_of(self, tree: Table, key: str) -> str:
        found = tree.get(key)
        if found is not None and not isinstance(found, Leaf):
            self.no_text(f"'{key}' must be a text", found)
        return str(found.value) if isinstance(found, Leaf) and found.value is not None else ""

    def value(self, tree: Tree, place: str, node: str | None = None) -> Value | None:
        """What may stand on an input; a mapping may not, nor inside a list."""
        if isinstance(tree, Leaf):
            return _scalar(tree)
        if isinstance(tree, Items):
            values = [self.value(item, place, node) for item in tree.values]
            return Listing(tuple(v for v in values if v is not None), tree.span)
        self.no_text(f"a mapping cannot stand {place}", tree, node)
        return None

    def no_text(self, message: str, tree: Tree, node: str | None = None) -> None:
        """A mapping that may be a text with a ': ' in it."""
        hint, text = quote_hint(tree), text_of_mapping(tree)
        fix = swap(tree.span, text and quoted(text)) if tree.span.line == tree.span.end_line else ()
        self.fault(Code.WRONG_STRUCTURE, message, tree.span, hint, node, fix)

    def good_name(self, entry: Entry) -> None:
        if not _NAME.fullmatch(entry.key):
            hint = "use letters, digits and '_', not starting with a digit"
            self.fault(Code.BAD_NAME, f"'{entry.key}' is not a name", entry.span, hint)

    def names_once(self, inputs: set[str], nodes: tuple[Entry, ...]) -> None:
        for entry in nodes:
            if entry.key in inputs:
                message = f"'{entry.key}' is an input and a node; they share one namespace"
                self.fault(
                    Code.NAME_USED_TWICE, message, entry.span, "rename one of them", entry.key
                )

    def input(self, entry: Entry) -> GraphInput | None:
        self.good_name(entry)
        if not isinstance(entry.value, Table):
            self.fault(
                Code.WRONG_STRUCTURE,
                f"input '{entry.key}' must be a mapping such as {{type: Text}}",
                entry.value.span,
            )
            return None
        table = entry.value
        self.known_keys(table, INPUT_KEYS, "an input")
        kind = table.get("type")
        if not isinstance(kind, Leaf) or not isinstance(kind.value, str):
            self.fault(
                Code.WRONG_STRUCTURE,
                f"input '{entry.key}' needs a type",
                entry.span,
                "write: {type: Text}",
            )
            return None
        default = table.get("default")
        return GraphInput(
            entry.key,
            kind.value,
            entry.span,
            kind.span,
            self.constant(default, f"as the default of '{entry.key}'"),
            self.number(table, "min"),
            self.number(table, "max"),
            self.menu(table),
            self.text_of(table, "help"),
            self.flag(table, "optional"),
        )

    def constant(self, tree: Tree | None, place: str) -> Literal | Listing | None:
        value = self.value(tree, place) if tree is not None else None
        ref = None if value is None else _reference(value)
        if ref is not None:
            message = "a default cannot refer to something"
            text = quoted(f"${self.lines.at(ref.span)}")
            fix = () if "\n" in text or text[2:3] in ("'", '"') else swap(ref.span, text)
            hint = "write '$$' for a dollar sign"
            self.fault(Code.WRONG_STRUCTURE, message, ref.span, hint, None, fix)
        return None if ref is not None or isinstance(value, Ref) else value

    def number(self, table: Table, key: str) -> float | None:
        found = table.get(key)
        if found is None:
            return None
        if isinstance(found, Leaf) and is_number(found.value):
            return cast(float, found.value)
        self.fault(Code.WRONG_STRUCTURE, f"'{key}' must be a finite number", found.span)
        return None

    def menu(self, table: Table) -> tuple[Scalar, ...] | None:
        found = table.get("menu")
        if found is None:
            return None
        if isinstance(found, Items) and all(isinstance(item, Leaf) for item in found.values):
            return tuple(item.value for item in found.values if isinstance(item, Leaf))
        self.fault(Code.WRONG_STRUCTURE, "'menu' must be a list of texts or numbers", found.span)
        return None

    def flag(self, table: Table, key: str) -> bool:
        found = table.get(key)
        if found is not None and not (isinstance(found, Leaf) and isinstance(found.value, bool)):
            self.fault(Code.WRONG_STRUCTURE, f"'{key}' must be true or false", found.span)
        return isinstance(found, Leaf) and found.value is True

    def node(self, entry: Entry) -> GraphNode | None:
        self.good_name(entry)
        if not isinstance(entry.value, Table):
            self.fault(
                Code.WRONG_STRUCTURE,
                f"node '{entry.key}' must be a mapping with a type",
                entry.value.span,
                None,
                entry.key,
            )
            return None
        kind = entry.value.get("type")
        if not isinstance(kind, Leaf) or not isinstance(kind.value, str):
            hint = "`nodegraph nodes` lists them"
            self.fault(
                Code.WRONG_STRUCTURE,
                f"node '{entry.key}' needs a type",
                entry.span,
                hint,
                entry.key,
            )
            return None
        note = self.text_of(entry.value, "note")
        inputs: dict[str, Value] = {}
        keys: dict[str, Span] = {}
        for port in entry.value.entries:
            if port.key not in NODE_KEYS:
                self.port(entry.key, port, inputs, keys)
        each = Sweeps(self.fault, self.value).axes(entry.value.get("each"), entry.key)
        return GraphNode(entry.key, kind.value, inputs, entry.span, kind.span, keys, note, each)

    def port(self, node: str, port: Entry, inputs: dict[str, Value], keys: dict[str, Span]) -> None:
        value = self.value(port.value, f"on input '{port.key}'", node)
        keys[port.key] = port.span
        if value is not None:
            inputs[port.key] = value

    def output(self, entry: Entry, there: Collection[str]) -> Value | None:
        self.good_name(entry)
        value = _scalar(entry.value) if isinstance(entry.value, Leaf) else None
        if isinstance(value, Ref):
            return value
        name = (
            value.value if isinstance(value, Literal) and isinstance(value.value, str) else "node"
        )
        message = f"output '{entry.key}' must refer to a node"
        fix = swap(entry.value.span, f"${name}") if name.partition(".")[0] in there else ()
        self.fault(Code.WRONG_STRUCTURE, message, entry.value.span, f"write: ${name}", None, fix)
        return None

    def presets(self, tree: Table) -> dict[str, dict[str, Value]]:
        found: dict[str, dict[str, Value]] = {}
        for entry in self.section(tree, "presets"):
            if isinstance(entry.value, Table):
                place = f"in preset '{entry.key}'"
                values = ((e.key, self.constant(e.value, place)) for e in entry.value.entries)
                found[entry.key] = {key: value for key, value in values if value is not None}
            else:
                self.fault(
                    Code.WRONG_STRUCTURE,
                    f"preset '{entry.key}' must be a mapping of input values",
                    entry.value.span,
                )
        return found
