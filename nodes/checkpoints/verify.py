"""Is this file that model? Every key and shape against the configuration, without reading the tensors' values."""

from math import prod
from pathlib import Path

from nodegraph.models.catalogue import SAFETENSORS
from nodes.checkpoints.catalogue import UnknownModel, find_part
from nodes.checkpoints.entries import Part, PublishedFile
from nodes.checkpoints.layouts import published_shapes
from nodes.checkpoints.reading import Shapes, is_safetensors, tensor_shapes

NAMED = 3


class WrongFile(ValueError):
    """A file that is not the model it is taken for: names missing keys, keys that are left over, and other shapes."""


def identified(model: str, path: Path) -> str:
    """The name under which a file is kept as one of the files of a model (`openai/glide/base`).

    Raises UnknownModel, BadPart, what reading the file raises, or WrongFile naming the differences from the file of the model
    that is nearest to it.
    """
    part = find_part(model)
    if part is None or not part.files:
        raise UnknownModel(f"'{model}' is not a published model of the catalogue")
    found = tensor_shapes(path)
    faults = _faults(part, found)
    nearest = min(faults, key=lambda name: sum(faults[name].values()))
    if faults[nearest]:
        raise WrongFile(f"{path} is not {nearest} of '{model}': {'; '.join(faults[nearest])}")
    return str(Path(nearest).with_suffix(SAFETENSORS)) if is_safetensors(path) else nearest


def _faults(part: Part, found: Shapes) -> dict[str, dict[str, int]]:
    """What is wrong with it as each file of a part. The files of a converted layout are judged by their numbers."""
    shapes = published_shapes(part)
    if shapes is None:
        return {file.name: miscounted(file, found) for file in part.files}
    return {
        file.name: differences(wanted, found)
        for file, wanted in zip(part.files, shapes, strict=True)
    }


def miscounted(file: PublishedFile, found: Shapes) -> dict[str, int]:
    """In words whether a file has other numbers of tensors and parameters than it should, as `differences`."""
    tensors, parameters = len(found), sum(prod(shape) for shape in found.values())
    if parameters == file.parameters and file.keys in (None, tensors):
        return {}
    expected = "" if file.keys is None else f"{file.keys} with "
    words = (
        f"{tensors} tensors with {parameters:,} parameters instead of {expected}{file.parameters:,}"
    )
    return {words: abs(tensors - (file.keys or tensors)) + 1}


def differences(wanted: Shapes, found: Shapes) -> dict[str, int]:
    """What is wrong with a file's tensors, in words, with how many are concerned; empty if all fits."""
    missing = [key for key in wanted if key not in found]
    left = [key for key in found if key not in wanted]
    others = [
        f"{key} is {list(found[key])} instead of {list(wanted[key])}"
        for key in wanted
        if key in found and found[key] != wanted[key]
    ]
    named = (("missing keys", missing), ("left-over keys", left), ("other shapes", others))
    return {f"{len(keys)} {word} ({_some(keys)})": len(keys) for word, keys in named if keys}


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:NAMED]) + (", …" if len(keys) > NAMED else "")
