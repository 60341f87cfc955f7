"""What comes out of a run, as files for people or values for programs; pictures say where they come from."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from nodegraph.cli.console import errors
from nodegraph.errors import GraphError, Span, diagnostic
from nodegraph.execute import Engine
from nodegraph.keys import model_digests, span_of
from nodegraph.partial import claimed, scratch
from nodegraph.paths import is_folder, is_there
from nodegraph.program import Program, Wire
from nodegraph.recorded import Recorded


def refuse_place(engine: Engine, program: Program, out: Path) -> None:
    """Raise GraphError before the run where an output is a file for people, and none can be written to `out`."""
    ports = {name: engine.library.port_type(_kind(program, name)) for name in program.outputs}
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


def write_outputs(
    engine: Engine, program: Program, outputs: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Write what can be looked at; other outputs are given as they are. Raises GraphError; what ran is in the cache."""
    chunks = engine.provenance(program)
    written: dict[str, Any] = {}
    for name, value in outputs.items():
        port = engine.library.port_type(_kind(program, name))
        if port is None or port.write is None:
            written[name] = _plain(value, port.describe if port else None)
            continue
        try:
            with claimed(out, f"{Path(program.file).stem}-{name}") as (beside, stem):
                made = port.write(value, beside, stem, chunks)
            written[name] = [str(out / path.name) for path in made]
        except OSError as error:
            raise _unwritten(program, name, out, reason(error)) from error
        except (ValueError, TypeError) as error:
            shown = port.describe(value) if port.describe else repr(value)[:80]
            message = f"output '{name}' ({port.name}) cannot be written: {error}"
            fault = diagnostic("E502", message, _span(program, name), f"it is {shown}")
            raise GraphError([fault]) from error
    return written


def reason(error: OSError | ValueError) -> str:
    """Why a place cannot be written, in a few words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unwritten(program: Program, name: str, out: Path, why: str) -> GraphError:
    message = f"output '{name}': {out} cannot be written: {why}"
    hint = "say --out FOLDER; what has run is kept, and does not run again"
    return GraphError([diagnostic("E502", message, _span(program, name), hint)])


def _span(program: Program, name: str) -> Span | None:
    """Where an output comes from."""
    source = program.outputs[name]
    return program.steps[source.step].span if isinstance(source, Wire) else span_of(source)


def _kind(program: Program, name: str) -> str:
    """Name of the type of an output; of the node's own where the graph does not know."""
    source = program.outputs[name]
    if program.output_types[name].name == "?" and isinstance(source, Wire):
        return program.steps[source.step].output_types[source.output].name
    return program.output_types[name].name


def _plain(value: Any, describe: Any) -> Any:
    if isinstance(value, str | int | float | bool | None):
        return value
    return describe(value) if describe else repr(value)


def warn_of_other_models(engine: Engine, program: Program, recorded: Recorded) -> None:
    """Say which models are not the ones that made the picture."""
    for name, digest in model_digests(program, engine.literals()).items():
        if recorded.models.get(name, digest) != digest:
            errors.print(
                f"'{name}' has other weights than those that made the picture: it will differ",
                style="yellow",
            )
