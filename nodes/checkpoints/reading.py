"""Weights in files: safetensors, torch files of every age, and the shards that an index names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from nodes.checkpoints.files import UnreadableFile, shards
from nodes.checkpoints.pickles import Record
from nodes.checkpoints.state_dicts import plain_names, state_dict
from nodes.checkpoints.torch_file import Archive, Container, open_torch, shape_of, tensor_of

Shapes = Mapping[str, tuple[int, ...]]
PORTION = 2**26
"""Bytes of tensors, about, that share a mapping of their file: what was read of it is memory of the process until all of them
are let go, and those that are converted to another precision, or laid out anew, should not wait for others."""


def read_weights(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a weights file, or of the shards of an index, one after the other.

    Names are those of the network itself, without what wrappers and trainers put around it; of averaged and plain weights the
    averaged ones are read. Nothing but tensors is made of a file. Raises UnreadableFile, NoStateDict or BadIndex naming it.
    """
    for file in shards(path):
        if is_safetensors(file):
            yield from _safetensors(file)
        else:
            container, records = _torch(file)
            read = 0
            for name, record in records.items():
                if read > PORTION:
                    container, read = container.again(), 0
                with naming(file):
                    value = tensor_of(record, container)
                read += value.nbytes
                yield name, value
                del value


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of what `read_weights` gives, without reading numbers. Raises as it does."""
    found: dict[str, tuple[int, ...]] = {}
    for file in shards(path):
        if is_safetensors(file):
            with naming(file), safe_open(file, "pt") as opened:
                names = plain_names(list(opened.keys()))
                found |= {n: tuple(opened.get_slice(k).get_shape()) for n, k in names.items()}
        else:
            container, records = _torch(file)
            with naming(file):
                found |= {name: shape_of(record, container) for name, record in records.items()}
    return found


def is_safetensors(path: Path) -> bool:
    """Whether a file starts as safetensors do: the length of a JSON header, and its brace."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size


def _safetensors(path: Path) -> Iterator[tuple[str, Tensor]]:
    with naming(path):
        for names in _portions(path):
            with safe_open(path, "pt") as file:
                for name, key in names:
                    yield name, file.get_tensor(key)


def _portions(path: Path) -> Iterator[list[tuple[str, str]]]:
    """Names and keys of the tensors of a file, in portions; filters apart, which a CPU lays out anew."""
    with safe_open(path, "pt") as file:
        names = plain_names(list(file.keys()))
        shapes = {name: file.get_slice(key).get_shape() for name, key in names.items()}
    for filters in (True, False):
        portion: list[tuple[str, str]] = []
        size = 0
        for name, key in names.items():
            if (len(shapes[name]) == 4) == filters:
                portion.append((name, key))
                size += 4 * prod(shapes[name])
            if size > PORTION:
                yield portion
                portion, size = [], 0
        if portion:
            yield portion


def _torch(path: Path) -> tuple[Container, dict[str, Record]]:
    """A torch file, and the records of its weights by their plain names."""
    with naming(path):
        container = open_torch(path)
        code = container.listed if isinstance(container, Archive) else {}
        found = state_dict(container.held, code.get)
        return container, {name: found[key] for name, key in plain_names(list(found)).items()}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Whatever is wrong with a file that anybody may have written, as an UnreadableFile that names it."""
    try:
        yield
    except (OSError, GeneratorExit):
        raise
    except Exception as error:
        kind = type(error) if isinstance(error, UnreadableFile) else UnreadableFile
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise kind(f"{path} holds no readable weights: {reason}") from None
