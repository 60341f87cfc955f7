"""What comes out of a run, as files for people or values for programs; pictures say where they come from."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from nodegraph.base.codes import Code
from nodegraph.base.diagnostics import GraphError, Span, diagnostic
from nodegraph.base.partial import claimed, scratch
from nodegraph.base.paths import is_folder, is_there
from nodegraph.language.program import Program, Wire
from nodegraph.library.port import PortType, TypeRef
from nodegraph.runtime.events import Written
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import span_of
from nodegraph.runtime.literals import Library

ELSEWHERE = "say --out FOLDER (in Python: out=); what has run is kept, and does not run again"


def refuse_place(library: Library, program: Program, out: Path) -> None:
    """Raise GraphError before a run where an output is a file for people, and none can be written to `out`."""
    ports = {name: library.port_type(kind_of(program, name)) for name in program.outputs}
    name = next((name for name, port in ports.items() if port and port.write), None)
    if name is None:
        return
    place = next(path for path in (out, *out.absolute().parents) if is_there(path))
    if not is_folder(place):
        raise _unwritten(program, name, out, f"{place} is a file, not a folder")
    try:
        with scratch(place):
            pass
        with suppress(FileNotFoundError):
            out.stat()
    except (OSError, ValueError) as error:
        raise _unwritten(program, name, out, reason(error)) from None


def write_outputs(library: Library, keyed: Keyed, outputs: dict[str, Any], out: Path) -> Written:
    """Write what can be looked at; other outputs are given as they are, or described.

    Raises GraphError for one that cannot be written; what ran is in the cache.
    """
    chunks, program = keyed.provenance(), keyed.program
    written: dict[str, Any] = {}
    for name, value in outputs.items():
        port = library.port_type(kind_of(program, name))
        if port is None or port.write is None:
            written[name] = _described(value, port)
            continue
        try:
            written[name] = []
            for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
                with claimed(out, f"{Path(program.file).stem}-{name}") as (beside, stem):
                    made = port.write(item, beside, stem, chunks)
                written[name] += [str(out / path.name) for path in made]
        except OSError as error:
            raise _unwritten(program, name, out, reason(error)) from error
        except (ValueError, TypeError) as error:
            message = f"output '{name}' ({port.name}) cannot be written: {error}"
            shown = f"it is {str(_plain(value, port))[:80]}"
            fault = diagnostic(Code.UNWRITTEN_OUTPUT, message, _span(program, name), shown)
            raise GraphError([fault]) from error
    return Written(written)


def preview_of(library: Library, program: Program, outputs: Mapping[str, Any]) -> bytes | None:
    """The first output that is a picture, encoded; of a list its first item."""
    for name, value in outputs.items():
        port = library.port_type(kind_of(program, name))
        if port is not None and port.preview is not None:
            first = cast("list[Any]", value)[:1] if isinstance(value, list) else [value]
            return port.preview(first[0]) if first else None
    return None


def reason(error: OSError | ValueError) -> str:
    """Why a place cannot be written, in a few words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unwritten(program: Program, name: str, out: Path, why: str) -> GraphError:
    message = f"output '{name}': {out} cannot be written: {why}"
    return GraphError([diagnostic(Code.UNWRITTEN_OUTPUT, message, _span(program, name), ELSEWHERE)])


def _span(program: Program, name: str) -> Span | None:
    """Where an output comes from."""
    source = program.outputs[name]
    return program.steps[source.step].span if isinstance(source, Wire) else span_of(source)


def type_of(program: Program, name: str) -> TypeRef:
    """The type of an output; the node's own where the graph does not know."""
    source, kind = program.outputs[name], program.output_types[name]
    if kind.name == "?" and isinstance(source, Wire):
        return program.steps[source.step].output_types[source.output]
    return kind


def kind_of(program: Program, name: str) -> str:
    """Name of the type of an output, or of the items of a list."""
    kind = type_of(program, name)
    return kind.args[0].name if kind.name == "list" and kind.args else kind.name


def _described(value: Any, port: PortType | None) -> Any:
    """A value for people; of a list each item."""
    if isinstance(value, list):
        return [_plain(item, port) for item in cast("list[Any]", value)]
    return _plain(value, port)


def _plain(value: Any, port: PortType | None) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    return port.describe(value) if port is not None and port.describe else repr(value)
