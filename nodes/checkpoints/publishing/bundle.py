"""A bundle as a folder: whole, or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path

from nodegraph.base.contents import sha256_of
from nodegraph.base.partial import replacing
from nodegraph.base.paths import is_there
from nodegraph.models.catalogue import BUNDLE
from nodegraph.models.publishing import Publication, Pushed, PushedPart
from nodes.checkpoints.entries import Entry, entries_of, own_entry
from nodes.checkpoints.publishing.about import About, about
from nodes.checkpoints.publishing.card import DIGESTS, card, layout_of
from nodes.checkpoints.publishing.parts import Record, write_part
from nodes.checkpoints.publishing.pipeline import Pipeline, write_index
from nodes.checkpoints.publishing.sources import Source, sources


def push(bundle: str, how: Publication) -> Pushed:
    """Write a bundle, a name of the catalogue or a folder, to a folder that is not there yet.

    Raises ValueError or OSError, and writes nothing, for what is no bundle, is not here, or has no licence.
    """
    of = about(bundle, how)
    _free(how.folder)
    found = sources(bundle, how.rest)
    with replacing(how.folder) as made:
        made.mkdir()
        records = {source.name: write_part(made, source) for source in found}
        pipeline = write_index(made, found)
        entry = _write_bundle(made, of, records)
        text = card(entry, of.text, found, pipeline, records)
        (made / "README.md").write_text(text, encoding="utf-8", newline="")
        _write_digests(made)
    parts = tuple(_pushed(source, records[source.name]) for source in found)
    return Pushed(entry.name, how.folder, parts, tuple(_others(how.folder, found, pipeline)))


def _free(folder: Path) -> None:
    """Raises FileExistsError where something lies there already, NotADirectoryError where no folder can."""
    if is_there(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise FileExistsError(f"'{folder}' is there already; name another folder, or remove it")
    above = next(path for path in folder.absolute().parents if is_there(path))
    if not above.is_dir():
        raise NotADirectoryError(f"'{folder}' lies in {above}, which is no folder; name another")


def _write_bundle(folder: Path, of: About, records: Mapping[str, Record]) -> Entry:
    """Write what the folder says of itself, once it is read again."""
    record = {of.name: {**of.record, "parts": records}}
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    entry = own_entry(entries_of(json.loads(text), BUNDLE), BUNDLE)
    (folder / BUNDLE).write_text(text, encoding="utf-8", newline="")
    return entry


def _write_digests(folder: Path) -> None:
    """As sha256sum writes them."""
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    lines = [f"{sha256_of(folder / name)}  {name}\n" for name in files]
    (folder / DIGESTS).write_text("".join(lines), encoding="utf-8", newline="")


def _pushed(source: Source, record: Record) -> PushedPart:
    size = sum(file["size"] for file in record["files"])
    return PushedPart(source.name, layout_of(source), size, source.why)


def _others(folder: Path, found: tuple[Source, ...], pipeline: Pipeline) -> list[str]:
    """What other programs make of it."""
    said: list[str] = []
    if pipeline.name:
        said.append(f"diffusers reads it: {pipeline.name}.from_pretrained({str(folder)!r})")
    elif pipeline.lacks:
        said.append(f"no pipeline of diffusers: {pipeline.lacks}")
    if any(source.layout.startswith("openai_glide") for source in found):
        said.append("glide-text2im reads its .pt files; README.md shows how")
    return said
