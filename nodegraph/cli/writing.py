"""What comes out of a run, as files for people or values for programs; pictures say where they come from."""

from pathlib import Path
from typing import Any, NoReturn

from nodegraph.cli.console import errors, fail
from nodegraph.execute import Engine
from nodegraph.keys import model_digests
from nodegraph.partial import claimed, scratch
from nodegraph.program import Program, Wire
from nodegraph.recorded import Recorded


def refuse_place(engine: Engine, program: Program, out: Path) -> None:
    """End the program before it runs where an output is a file for people, and none can be written to `out`."""
    ports = [engine.library.port_type(_kind(program, name)) for name in program.outputs]
    if all(port is None or port.write is None for port in ports):
        return
    place = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not place.is_dir():
        fail(f"{out} cannot be written: {place} is a file, not a folder; say --out FOLDER")
    try:
        with scratch(place):
            pass
    except OSError as error:
        _unwritable(out, error)


def write_outputs(
    engine: Engine, program: Program, outputs: dict[str, Any], out: Path
) -> dict[str, Any]:
    """Write what can be looked at; other outputs are given as they are."""
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
            _unwritable(out, error)
        except (ValueError, TypeError) as error:
            shown = port.describe(value) if port.describe else repr(value)[:80]
            fail(f"output '{name}' ({port.name}) cannot be written: {error}\n  {name} = {shown}")
    return written


def _unwritable(out: Path, error: OSError) -> NoReturn:
    fail(f"{out} cannot be written: {error.strerror or error}; say --out FOLDER")


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
