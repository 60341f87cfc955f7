"""Files of weights: which there are, and the digests of their contents. Nothing of them is read as weights."""

import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path

from nodegraph.base.contents import sha256_of, state_of
from nodegraph.base.framing import digest
from nodegraph.base.paths import read_json
from nodegraph.models.catalogue import noted_digest

ADAPTER_FILE, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""What PEFT calls the file of low-rank adapters, and that of their options beside it."""


class UnreadableFile(ValueError):
    """A file that is no file of weights, or is damaged."""


class BadIndex(ValueError):
    """An index of shards that names no shards."""


def shards(path: Path) -> list[Path]:
    """The files of a weights file: itself, or those that an index names. Raises BadIndex naming the index."""
    if not is_index(path):
        return [path]
    try:
        names = set(read_json(path)["weight_map"].values())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise BadIndex(f"{path} cannot be read as an index of shards") from None
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or name in ("", ".."):
            raise BadIndex(f"{path} names a shard that is not in its folder: {name!r}")
    return [path.with_name(name) for name in sorted(names)]


def is_index(path: Path) -> bool:
    """Whether a file is an index of shards: `model.safetensors.index.json`, perhaps with a variant (`….index.fp16.json`)."""
    return path.suffix == ".json" and ".index." in path.name


def file_digest(path: Path) -> str:
    """sha256 of a weights file; of an index, that of its digest and those of the shards that are here."""
    if not is_index(path):
        return content_digest(path)
    parts = (path, *shards(path))
    return digest([content_digest(file) if file.exists() else None for file in parts])


def content_digest(path: Path) -> str:
    """sha256 of a file's content: as noted when it was fetched, else computed once for each state of the file."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise UnreadableFile(f"{path} is no file: a folder, a pipe or a device")
    return _memoised(str(path), state_of(path))


@cache
def _memoised(path: str, state: str) -> str:
    return noted_digest(Path(path)) or sha256_of(Path(path))


def adapter_file(name: str, readable: Callable[[str], Path]) -> Path:
    """The file of an adapter, or of a folder that holds one. Raises FileNotFoundError.

    `readable` gives the real path of one that may be read, and raises for others; options beside the file are asked for too.
    """
    file = _only(readable(name))
    options = file.with_name(ADAPTER_CONFIG)
    if options.exists():
        readable(str(options))
    return file


def _only(path: Path) -> Path:
    if not path.is_dir():
        return path
    own = path / ADAPTER_FILE
    found = [own] if own.exists() else sorted(path.glob("*lora*.safetensors"))
    if len(found) != 1:
        raise FileNotFoundError(f"{path} holds {len(found)} adapters; name the file")
    return found[0]


def adapter_digest(path: Path) -> str:
    """What an adapter is: the sha256 of its file; where options lie beside it, a digest of both."""
    options = path.with_name(ADAPTER_CONFIG)
    parts = [content_digest(file) for file in (path, options) if file.exists() or file == path]
    return parts[0] if len(parts) == 1 else digest(parts)
