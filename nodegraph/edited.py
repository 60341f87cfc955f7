"""`graph.edit.set("sampler.steps", 30).save("mine.yaml")`: edits of a graph's text from Python; comments and order stay."""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any, Generic, TypeVar, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import Diagnostic, GraphError, diagnostic
from nodegraph.base.partial import write_text
from nodegraph.base.paths import expanded, read_text
from nodegraph.language import edit
from nodegraph.language.document import opened as document_of
from nodegraph.language.format import Unformattable, formatted
from nodegraph.language.settling import Edits, Refused, names
from nodegraph.language.source import SourceText
from nodegraph.language.texts import applied
from nodegraph.options import Options
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session
from nodegraph.views import as_written

G = TypeVar("G")
LATER = (Code.MISSING_INPUT, Code.UNRESOLVED_REFERENCE, Code.NO_OUTPUTS)
"""What an edit may leave to those after it."""
WAYS = (
    "node.port, node.type, node.note, node.each.port, input.default (or type, min, max, menu, help, optional), outputs.name, "
    "presets.name.input, title or description"
)


@dataclass(frozen=True)
class Edited(Generic[G]):
    """A graph's text with edits. Each method gives another one, and this stays as it is; nothing is written before `save`.

    Values are as a file says them: `"$node.port"` is a reference, `"$$5"` the text `$5`. What cannot be edited, and what does
    not fit (a port, a type, a value), raises GraphError at once; that something is missing yet is told by `save`, and when
    `graph` runs.
    """

    session: Session
    opened: Recorded
    text: str
    options: Options
    load: Callable[[Recorded], G]

    @property
    def graph(self) -> G:
        """The graph as it is now, to run and to look at; values stay in memory from one to the next."""
        return self.load(self._recorded(self.text))

    def set(self, place: str, value: Any) -> "Edited[G]":
        """Write a value to a place: `set("sampler.steps", 30)`, `set("outputs.image", "$large")`, `set("seed.default", 7)`.

        Places are node.port, node.type, node.note, node.each.port, input.default (or type, min, max, menu, help, optional),
        outputs.name, presets.name.input, title and description.
        """
        written = _plain(value)
        match self._parts(place):
            case ["title" | "description" as key]:
                return self._after(lambda t, f: edit.set_text(t, key, str(written), f))
            case ["outputs", name]:
                return self._after(lambda t, f: edit.set_output(t, name, str(written), f))
            case ["presets", preset, name]:
                return self._after(lambda t, f: edit.set_preset(t, preset, name, written, f))
            case [node, "each", port]:
                return self._after(lambda t, f: edit.set_each(t, node, port, written, f))
            case [name, fact] if name in self._names("inputs"):
                return self._after(lambda t, f: edit.set_input(t, name, fact, written, f))
            case [node, "type"]:
                return self._after(lambda t, f: edit.set_type(t, node, str(written), f))
            case [node, "note"]:
                return self._after(lambda t, f: edit.set_note(t, node, str(written), f))
            case [node, port]:
                return self._after(lambda t, f: edit.set_port(t, node, port, written, f))
            case _:
                raise _refused(f"'{place}' is no place of a graph; there are {WAYS}")

    def unset(self, place: str) -> "Edited[G]":
        """Take away what stands at a place; also `frames.title`, `layout.node` and a whole preset (`presets.name`)."""
        match self._parts(place):
            case ["outputs", name]:
                return self._after(lambda t, f: edit.unset_output(t, name, f))
            case ["presets", preset, *name]:
                return self._after(lambda t, f: edit.unset_preset(t, preset, *name[:1], file=f))
            case ["frames", *title]:
                return self._after(lambda t, f: edit.unset_frame(t, ".".join(title), f))
            case ["layout", name]:
                return self._after(lambda t, f: edit.unplace(t, name, f))
            case [node, "each", *port]:
                return self._after(lambda t, f: edit.unset_each(t, node, *port[:1], file=f))
            case [name, fact] if name in self._names("inputs"):
                return self._after(lambda t, f: edit.unset_input(t, name, fact, f))
            case [node, "note"]:
                return self._after(lambda t, f: edit.unset_note(t, node, f))
            case [node, port]:
                return self._after(lambda t, f: edit.unset_port(t, node, port, f))
            case _:
                raise _refused(f"'{place}' is no place from which something is taken")

    def connect(self, source: str, place: str) -> "Edited[G]":
        """Wire a node (`"small"`), one of its outputs (`"small.image"`) or an input of the graph to `node.port`."""
        name, _, output = source.removeprefix("$").partition(".")
        match self._parts(place):
            case ["outputs", _]:
                return self.set(place, f"${source.removeprefix('$')}")
            case [node, port]:
                out = output or None
                return self._after(lambda t, f: edit.connect(t, name, node, port, out, f))
            case _:
                raise _refused(f"'{place}' is no input of a node; write node.port")

    def add(self, name: str, kind: str, /, **ports: Any) -> "Edited[G]":
        """Add a node of a type, with what stands on its inputs: `add("half", "resize", image="$large", size=32)`."""
        given = {port: _plain(value) for port, value in ports.items()}
        return self._after(lambda t, f: edit.add_node(t, name, kind, given, f))

    def add_input(self, name: str, kind: str, /, **facts: Any) -> "Edited[G]":
        """Declare an input of a type; facts: default, min, max, menu, help, optional."""
        given = {fact: _plain(value) for fact, value in facts.items()}
        return self._after(lambda t, f: edit.add_input(t, name, kind, given, f))

    def remove(self, name: str) -> "Edited[G]":
        """Take a node or an input away. What refers to it stays, and has to be given another wire."""
        if name in self._names("inputs"):
            return self._after(lambda t, f: edit.remove_input(t, name, f))
        return self._after(lambda t, f: edit.remove_node(t, name, f))

    def rename(self, name: str, new: str) -> "Edited[G]":
        """Give a node or an input another name, wherever it stands."""
        if name in self._names("inputs"):
            return self._after(lambda t, f: edit.rename_input(t, name, new, f))
        return self._after(lambda t, f: edit.rename_node(t, name, new, f))

    def move(self, name: str, x: float, y: float) -> "Edited[G]":
        """Keep the place of a node, an input or an output in pictures of the graph."""
        return self._after(lambda t, f: edit.move(t, name, x, y, f))

    def frame(self, title: str, nodes: Sequence[str]) -> "Edited[G]":
        """Draw a frame with a title around nodes in pictures of the graph."""
        return self._after(lambda t, f: edit.set_frame(t, title, nodes, f))

    def save(self, path: str | Path | None = None, *, replace: bool = False) -> G:
        """Write the graph, in the form of `nodegraph fmt`, and load it from there; without a path to the file that it is from.

        Raises GraphError, and writes nothing, where the graph has faults, or would have some in the other folder;
        FileExistsError for a file that is another's, or was changed since it was loaded, unless it is to be replaced;
        PermissionError for shipped graphs, and ValueError for a name that no graph has.
        """
        place = self._place(path)
        self._refuse(place, replace)
        try:
            text = formatted(self.text, str(place))
        except Unformattable as error:
            raise GraphError(error.diagnostics) from None
        made = SourceText(str(place), text, place.parent)
        self._check(made)
        write_text(place, text)
        return self.load(Recorded(made))

    def __repr__(self) -> str:
        return f"<edited graph '{self.opened.source.name}'>"

    def _parts(self, place: str) -> list[str]:
        return place.removeprefix("$").split(".")

    def _names(self, section: str) -> tuple[str, ...]:
        return names(document_of(self.text, self.opened.source.name), section)

    def _after(self, change: Callable[[str, str], Edits]) -> "Edited[G]":
        """With one more edit. Raises GraphError where it cannot be made, or brings faults that no later edit mends."""
        file = self.opened.source.name
        try:
            text = applied(self.text, change(self.text, file))
        except (Refused, ValueError) as error:
            raise _refused(str(error)) from None
        after = replace(self, text=text)
        new = _new(self.faults, after.faults)
        if found := [fault for fault in new if fault.code not in LATER]:
            raise GraphError(found, {file: text})
        return after

    @cached_property
    def faults(self) -> tuple[Diagnostic, ...]:
        """What is wrong with the graph as it is now, names and types."""
        return self._faults(self._recorded(self.text))

    def _faults(self, opened: Recorded) -> tuple[Diagnostic, ...]:
        found = self.session.fresh().compiled(opened, Job(options=self.options), whole=False)
        return tuple(fault for fault in found.diagnostics if fault.severity == "error")

    def _recorded(self, text: str) -> Recorded:
        """The graph with another text; what a picture says of inputs holds for those that are as they were."""
        source = replace(self.opened.source, text=text)
        kept = self.opened.inputs
        if kept:
            was, now = self._declared(self.opened.source.text), self._declared(text)
            kept = {n: v for n, v in kept.items() if n in now and now[n] == was.get(n)}
        return replace(self.opened, source=source, inputs=kept)

    def _declared(self, text: str) -> Mapping[str, Any]:
        """The inputs that a text declares, each as it is written but for its place."""
        graph = self.session.read(Recorded(replace(self.opened.source, text=text)))
        return {
            n: (i.type, as_written(i.default) if i.default else None)
            for n, i in graph.inputs.items()
        }

    def _place(self, path: str | Path | None) -> Path:
        """Where the graph is to be written."""
        if path is not None:
            place = expanded(path)
            if place.suffix not in (".yaml", ".yml"):
                raise ValueError(f"a graph is a file *.yaml, not '{place}'")
            return place
        if self._own is None:
            raise ValueError("this graph is of no file; say where it is written: save('mine.yaml')")
        return self._own

    @property
    def _own(self) -> Path | None:
        """The file that the graph was read from."""
        source = self.opened.source
        place = Path(source.name)
        return place if source.folder == place.parent and place.is_file() else None

    def _refuse(self, place: Path, replacing: bool) -> None:
        """Raises OSError for a file that may not be written."""
        known = self.session.registry
        shipped = {
            os.path.realpath(p) for p in (*known.graphs.values(), *known.composites.values())
        }
        if os.path.realpath(place) in shipped:
            told = f"'{place}' is a shipped graph, and stays as it is; save it elsewhere"
            raise PermissionError(told)
        if replacing or not os.path.lexists(place):
            return
        own = self._own is not None and os.path.realpath(self._own) == os.path.realpath(place)
        if not own:
            raise FileExistsError(f"'{place}' is there already; save(…, replace=True) replaces it")
        if read_text(place) != self.opened.source.text:
            told = f"'{place}' was changed since it was loaded; save(…, replace=True) replaces it"
            raise FileExistsError(told)

    def _check(self, made: SourceText) -> None:
        """Raises GraphError where the graph has faults; in another folder also where files are no longer found."""
        found = list(self._faults(Recorded(made)))
        folder = self.opened.source.folder
        if not found and os.path.realpath(folder or Path()) != os.path.realpath(
            made.folder or Path()
        ):
            session, job = self.session.fresh(), Job(options=self.options)
            before = session.check(self._recorded(self.text), job).diagnostics
            new = _new(before, session.check(Recorded(made), job).diagnostics)
            found = [fault for fault in new if fault.severity == "error"]
        if found:
            raise GraphError(found, {made.name: made.text})


def _new(before: Sequence[Diagnostic], after: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The faults that were not there before, wherever they stand now."""
    known = Counter((fault.code, fault.message) for fault in before)
    found: list[Diagnostic] = []
    for fault in after:
        if known[fault.code, fault.message]:
            known[fault.code, fault.message] -= 1
        else:
            found.append(fault)
    return found


def _plain(value: Any) -> Any:
    """A value as a file can hold it."""
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, list | tuple | range):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    item = getattr(value, "item", None)
    return item() if callable(item) and getattr(value, "shape", None) == () else value


def _refused(message: str) -> GraphError:
    return GraphError([diagnostic(Code.NOT_EDITABLE, message)])
