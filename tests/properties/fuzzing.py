"""What a spoiled graph may do: be good, or be refused with diagnostics that can be shown, soon and without growing."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import jsonschema
from campaign import Wrong
from mutations import Words, spoiled
from nasty import NUMBERS, TEXTS
from PIL import Image

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError
from nodegraph.base.paths import read_text
from nodegraph.base.render import as_json, texts_of
from nodegraph.cli.checking import check_one
from nodegraph.cli.console import errors
from nodegraph.language.compile import Compiled, compile_graph
from nodegraph.language.format import Unformattable, formatted
from nodegraph.language.inputs import Request
from nodegraph.language.reading import read_graph
from nodegraph.language.schema import json_schema
from nodegraph.language.source import SourceText, from_file
from nodegraph.language.yaml import Items, Leaf, Table, Tree, parse
from nodegraph.options import Options
from nodegraph.session import Checked, Job, Session, registry

ROOT = Path(__file__).parents[2]
GRAPHS = ROOT / "graphs"
ZOO = ROOT / "tests" / "diagnostics" / "zoo"
TYPES_SECONDS, SHAPES_SECONDS = 2.0, 20.0
"""Of the processor, for one case."""
SLOW = ("guidance_sweep", "unclip_vs_glide")
"""Graphs that are many others: what they are made of is tried by itself."""


@dataclass(frozen=True)
class Case:
    """The file and the text of a case, and the preset that it is checked with."""

    path: Path
    text: bytes
    preset: str | None = None


@dataclass(frozen=True)
class Playground:
    """A folder with copies of the shipped graphs beside which spoiled ones are put."""

    folder: Path
    seeds: dict[str, list[bytes]]
    words: Words

    def __repr__(self) -> str:
        return f"playground({str(self.folder)!r})"

    @property
    def paths(self) -> list[Path]:
        """The shipped graphs whose shapes are soon known."""
        groups = [group for group in sorted(self.seeds) if group != "zoo"]
        found = [path for group in groups for path in sorted((self.folder / group).glob("*.yaml"))]
        return [path for path in found if path.stem not in (*SLOW, "fuzzed")]

    def case(self, random: Random) -> Case:
        """A spoiled graph with all kinds of faults."""
        group = random.choice(sorted(self.seeds))
        text = spoiled(random, self.seeds[group], self.words, random.random() < 0.3)
        presets = [None] * 40 + ["openai", "", "\0[x]"]
        return Case(self.folder / group / "fuzzed.yaml", text, random.choice(presets))

    def well_typed(self, random: Random) -> Case:
        """A graph that is changed, and in most cases has names and types that are right: only shapes can tell."""
        for _ in range(30):
            group = random.choice(sorted({*self.seeds} - {"zoo"}))
            text = spoiled(random, self.seeds[group], self.words, True)
            case = Case(self.folder / group / "fuzzed.yaml", text)
            source = SourceText(str(case.path), text.decode("utf-8", "replace"), case.path.parent)
            if compile_graph(source, registry(), Request(whole=False)).program is not None:
                break
        return case


def playground(folder: Path) -> Playground:
    """The graphs as they are shipped, and those of the zoo, in which every fault stands once."""
    seeds: dict[str, list[bytes]] = {}
    for path in [*sorted(GRAPHS.rglob("*.yaml")), *sorted(ZOO.glob("*.yaml"))]:
        place = folder / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        seeds.setdefault(path.parent.name, []).append(path.read_bytes())
    for name, mode in (("picture.png", "RGB"), ("mask.png", "L")):
        Image.new(mode, (48, 40), "white").save(folder / name)
    return Playground(folder, seeds, words())


@cache
def words() -> Words:
    """Node types with their inputs, and port types, as they are installed."""
    known = registry()
    nodes = {name: tuple(p.name for p in spec.inputs) for name, spec in known.nodes.items()}
    for name, path in known.composites.items():
        graph, _ = read_graph(read_text(path), name)
        nodes[name] = tuple(graph.inputs) if graph else ()
    return Words(nodes, (*known.ports, "int", "str", "float", "bool"))


def checked(case: Case, types: bool) -> Sequence[Diagnostic]:
    """Check a text as the command does; every fault can be shown. A fourth of what can be read is formatted too."""
    case.path.write_bytes(case.text)
    job = Job(preset=case.preset, options=Options(cached=False))
    found = check_one(Session(), str(case.path), job, types)
    shown(found)
    if types and len(case.text) % 4 == 0:
        reformatted(case.path, case.text, found)
    return found.diagnostics


def shown(found: Checked) -> None:
    """Each fault has a code, a message and a place in its text; it is written as text, on a terminal and as JSON."""
    for fault, text in zip(
        found.diagnostics, texts_of(found.diagnostics, found.texts), strict=True
    ):
        want(
            fault.code in list(Code) and bool(fault.message.strip()), "a fault says nothing", fault
        )
        json.dumps(as_json(fault), ensure_ascii=False, allow_nan=False)
        want(text.replace("\n", "").isprintable() or _printable(text), "controls are shown", text)
        source = found.texts.get(fault.span.file) if fault.span else None
        if fault.span is not None and source is not None:
            lines = len(source.removeprefix("\ufeff").splitlines())
            want(1 <= fault.span.line <= lines + 1, "a fault stands in no line", fault)
            want(fault.span.line > lines or "^" in text, "a fault has no caret", text)
        want(not fault.hint or "hint: " in text, "a hint is not shown", text)
    if len(found.diagnostics) < 5:
        printed(texts_of(found.diagnostics, found.texts))


def _printable(text: str) -> bool:
    return not any(
        (c < " " and c != "\n") or "\x7f" <= c < "\xa0" or "\ud800" <= c < "\ue000" for c in text
    )


def printed(texts: list[str]) -> None:
    """As on a terminal: nothing of it is taken for a style, or for the name of a picture."""
    with errors.capture() as written:
        for text in texts:
            errors.print(text)
    want(
        written.get() == "".join(f"{t}\n" for t in texts),
        "the terminal shows something else",
        texts,
    )


def want(right: bool, what: str, of: object) -> None:
    if not right:
        raise Wrong(f"{what}\n{of}")


def reformatted(path: Path, text: bytes, found: Checked) -> None:
    """`fmt` changes nothing of what a text means, the second time not even its form; the schema takes what is right."""
    try:
        written = text.decode()
        made = formatted(written, path.name)
    except (Unformattable, UnicodeDecodeError):
        want(
            any(f.severity == "error" for f in found.diagnostics), "fmt refuses a good graph", text
        )
        return
    want(meaning(made) == meaning(written), "fmt changes what is meant", made)
    want(formatted(made, path.name) == made, "fmt has no end", made)
    if not any(fault.severity == "error" for fault in found.diagnostics) and len(text) % 16 == 0:
        errors = list(schema().iter_errors(_data(parse(written, path.name).tree)))
        want(not errors, "the schema refuses a good graph", errors[:1])


def meaning(text: str) -> object:
    """What a text says, without its form."""
    parsed = parse(text, "g.yaml")
    return repr(_data(parsed.tree)) if not parsed.diagnostics else parsed.diagnostics[0].message


def _data(tree: Tree | None) -> Any:
    if isinstance(tree, Table):
        return {entry.key: _data(entry.value) for entry in tree.entries}
    if isinstance(tree, Items):
        return [_data(value) for value in tree.values]
    return tree.value if isinstance(tree, Leaf) else None


@cache
def schema() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(json.dumps(json_schema(registry()))))


@dataclass(frozen=True)
class Line:
    """A command line: a graph, values of its inputs, and a preset."""

    path: Path
    texts: dict[str, str]
    preset: str | None


def taken(line: Line, shapes: bool) -> list[Diagnostic]:
    """The values of a command line, as `run` takes them before it runs."""
    compiled = compiled_line(line)
    found = [*compiled.diagnostics]
    if shapes and compiled.program is not None:
        session = Session()
        job = Job({}, line.texts, line.preset, Options(cached=False))
        try:
            session.prepare(session.open(from_file(line.path)), job)
        except GraphError as error:
            found += error.diagnostics
    shown(Checked(tuple(found), compiled.texts))
    return found


def compiled_line(line: Line) -> Compiled:
    request = Request(preset=line.preset, texts=line.texts)
    return compile_graph(from_file(line.path), registry(), request)


def command_line(random: Random, ground: Playground) -> Line:
    """Values for one to three inputs of a graph; the others as they are, or a picture where there is none."""
    path = random.choice(ground.paths)
    graph, _ = read_graph(path.read_text("utf-8"), path.name)
    assert graph is not None
    needed = [i for i in graph.inputs.values() if i.default is None and not i.optional]
    count = min(len(graph.inputs), random.choice([1, 1, 2, 3]))
    chosen = [graph.inputs[name] for name in random.sample(sorted(graph.inputs), count)]
    texts = {i.name: usual(random, i.type, ground.folder) for i in needed}
    for declared in chosen:
        likely = random.random() < 0.6
        told = usual(random, declared.type, ground.folder) if likely else typed(random)
        texts[declared.name] = told
    if random.random() < 0.03:
        texts[random.choice(TEXTS)] = "1"
    return Line(path, texts, random.choice([*[None] * 20, *graph.presets, "nosuch"]))


def well_typed_line(random: Random, ground: Playground) -> Line:
    """A command line of which in most cases only shapes can tell whether it is right."""
    for _ in range(30):
        line = command_line(random, ground)
        if compiled_line(line).program is not None:
            break
    return line


def usual(random: Random, kind: str, folder: Path) -> str:
    """A text that a type takes, if it takes any; its value may be too large all the same."""
    picture, mask = str(folder / "picture.png"), str(folder / "mask.png")
    numbers = ["0", "1", "2", "3", "7", "16", "50", "64", "250", "999", "1000", "4096", "100000"]
    bundles = ["shapes/glide", "shapes/unclip", "shapes/adm", "openai/glide", "karlo", "shapes"]
    offered = {
        "Image": [picture, mask, f"{picture},{picture}"],
        "Mask": [mask, picture],
        "Steps": [*numbers, "1,2,3", "ddim25", "fast27", "10,10,0,5", "ddim1000"],
        "float": [*numbers, "0.5", "1.5", "1e-9", "20"],
        "Text": [text for text in TEXTS if text.isprintable()],
        "Bundle": bundles,
        "Seed": [*numbers, str(2**31), str(2**63), str(2**64 - 1)],
    }
    parts = [f"{b}/{part}" for b in bundles for part in ("base", "clip", "prior", "decoder")]
    return random.choice(offered.get(kind, [*numbers, *parts] if kind[:1].isupper() else numbers))


def typed(random: Random, listed: bool = True) -> str:
    """A text as somebody mistypes it: a number, a list, a word, or what is none of them."""
    match random.randrange(5 if listed else 4):
        case 0 | 1:
            return str(random.choice(NUMBERS))
        case 2:
            return random.choice(TEXTS)
        case 3:
            before, number = random.choice(["[", "", "", "[[", "{"]), str(random.randrange(-3, 70))
            return before + number + random.choice(["", "", "]", "]]", "}", "e3", ".5", "%", "px"])
        case _:
            parts = [typed(random, False)[:99] for _ in range(random.randrange(5))]
            return random.choice([",", ", ", " ", ";", "-"]).join(parts)
