"""Nodes as people write them when they do not look: they change what they are given, and give what they did not promise."""

import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch

from nodegraph import Mismatch, PortType, Progress, Range, node
from nodes.diffusion.noise import NoiseSource
from nodes.models.embeddings import Embedding
from nodes.wires.conditions import Condition
from nodes.wires.embeddings import ClipImage
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal

T = TypeVar("T")
Levels = Annotated[np.ndarray, PortType("Levels", "Grey levels, as an array.")]


@dataclass
class Palette:
    """Colours that can be added to."""

    names: list[str]
    weights: dict[str, torch.Tensor]


PORT_TYPES = {Palette: PortType("Palette")}


@node(category="careless")
def ramp(size: int = 4, rows: int = 1) -> Image:
    """A picture from dark to bright."""
    return torch.linspace(-1, 1, 3 * size * size).view(1, 3, size, size).repeat(rows, 1, 1, 1)


@node(category="careless")
def levels(image: Image) -> Levels:
    """The picture as an array."""
    return image.numpy().copy()


@node(category="careless")
def palette() -> Palette:
    """Two colours."""
    return Palette(["red", "blue"], {"red": torch.zeros(2)})


@node(category="careless")
def crops(image: Image, count: int = 2) -> list[Image]:
    """The picture several times, and all of them lie in one memory."""
    return [image[:, :, i:] for i in range(count)]


@node(category="careless")
def corner(image: Image) -> Image:
    """A part of the picture, in the memory of the whole."""
    return image[:, :, :2, :2]


@node(category="careless")
def embedded(image: Image) -> ClipImage:
    """Something like an embedding, in the memory of the picture."""
    return Embedding(image.flatten(1))


@node(category="careless")
def change(value: T, way: str) -> T:
    """Works in place on what it is given, in one of many ways."""
    tensor: Any = value
    match way:
        case "method":
            tensor.mul_(2)
        case "index":
            tensor[0, 0] = 0
        case "view":
            tensor[:, 0].zero_()
        case "out":
            torch.add(tensor, 1, out=tensor)
        case "data":
            tensor.data.add_(1)
        case "numpy":
            tensor.numpy()[...] *= -1
        case "flipped by numpy":
            tensor.numpy()[...] = tensor.numpy()[:, :, ::-1].copy()
        case "shape":
            tensor.unsqueeze_(0)
        case "gradient":
            tensor.requires_grad_()
        case "inside":
            tensor.values.add_(1)
        case "item":
            tensor[1].add_(1)
        case "array":
            tensor += 1
        case "dictionary":
            tensor.weights["red"].add_(1)
        case "fails":
            tensor.mul_(2)
            raise ArithmeticError("half-way")
        case "list":
            tensor.append(tensor[0])
    return value


@node(category="careless")
def change_slowly(image: Image) -> Generator[Progress, None, Image]:
    """Works in place between its steps."""
    for step in range(3):
        image.mul_(0.5)
        yield Progress(step + 1, 3, preview=image)
    return image.clone()


@node(category="careless")
def settle(image: Image) -> Generator[Progress, None, Image]:
    """Shows the very tensor that it works on, which is its own."""
    image = image.clone()
    for step in range(3):
        image.mul_(0.5)
        yield Progress(step + 1, 3, preview=image)
    return image


@node(category="careless")
def count_items(images: list[Image]) -> int:
    """Empties its list, which is its own."""
    count = 0
    while images:
        images.pop()
        count += 1
    return count


class Three(NamedTuple):
    low: Image
    high: Image
    energy: float


class Split(NamedTuple):
    high: Image
    low: Image
    energy: float


GIVEN: dict[str, Any] = {
    "nothing": None,
    "word": "hello",
    "number": 3,
    "half": 0.5,
    "yes": True,
    "array": np.zeros((1, 3, 4, 4), np.float32),
    "numpy int": np.int64(3),
    "numpy float": np.float32(0.5),
    "numpy bool": np.bool_(True),
    "scalar": torch.tensor(0.5),
    "picture": torch.zeros(1, 3, 4, 4),
    "flat": torch.zeros(3, 4, 4),
    "grey": torch.zeros(1, 1, 4, 4),
    "half precision": torch.zeros(1, 3, 4, 4).half(),
    "double": torch.zeros(1, 3, 4, 4).double(),
    "whole": torch.zeros(1, 3, 4, 4, dtype=torch.int64),
    "mask": torch.ones(1, 1, 4, 4),
    "beyond": torch.full((1, 1, 4, 4), 1.5),
    "below": torch.full((1, 1, 4, 4), -0.1),
    "broken mask": torch.full((1, 1, 4, 4), float("nan")),
    "words": ["a", "b"],
    "word and number": ["a", 1],
    "tuple": ("a", "b"),
    "pair": (torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)),
    "three": Three(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), 1.0),
    "wrong three": Three(torch.zeros(1, 3, 4, 4), torch.zeros(3, 4, 4), 1.0),
    "other names": Split(torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4), 1.0),
    "sparse": torch.zeros(1, 3, 4, 4).to_sparse(),
    "only a shape": torch.zeros(1, 3, 4, 4, device="meta"),
    "four": (1, 2, 3, 4),
    "embedding": Embedding(torch.zeros(1, 4)),
    "flat embedding": Embedding(torch.zeros(4)),
    "empty embedding": Embedding(None),  # type: ignore[arg-type]
    "table": Table(("a",), ((1,),)),
    "ragged table": Table(("a", "b"), ((1,),)),
    "condition": Condition("label", labels=torch.zeros(2, dtype=torch.int64)),
    "float labels": Condition("label", labels=torch.zeros(2)),
    "uneven condition": Condition("text", torch.zeros(2, 3), torch.zeros(3, 4, 5)),
}
"""What the nodes below can be told to give."""
Given = Annotated[str, "a name in GIVEN"]


@node(category="careless")
def gives_image(what: Given) -> Image:
    return GIVEN[what]


@node(category="careless")
def gives_mask(what: Given) -> Mask:
    return GIVEN[what]


@node(category="careless")
def gives_signal(what: Given) -> Signal:
    return GIVEN[what]


@node(category="careless")
def gives_text(what: Given) -> Text:
    return GIVEN[what]


@node(category="careless")
def gives_seed(what: Given) -> Seed:
    return GIVEN[what]


@node(category="careless")
def gives_int(what: Given) -> int:
    return GIVEN[what]


@node(category="careless")
def gives_float(what: Given) -> float:
    return GIVEN[what]


@node(category="careless")
def gives_bool(what: Given) -> bool:
    return GIVEN[what]


@node(category="careless")
def gives_share(what: Given) -> Annotated[float, Range(0, 0.4)]:
    return GIVEN[what]


@node(category="careless")
def gives_choice(what: Given) -> Literal["hallo", "hullo"]:
    return GIVEN[what]  # type: ignore[no-any-return]


@node(category="careless")
def gives_maybe(what: Given) -> Image | None:
    return GIVEN[what]


@node(category="careless")
def gives_texts(what: Given) -> list[Text]:
    return GIVEN[what]


@node(category="careless")
def gives_either(what: Given) -> int | list[str]:
    return GIVEN[what]


@node(category="careless")
def gives_embedding(what: Given) -> ClipImage:
    return GIVEN[what]


@node(category="careless")
def gives_table(what: Given) -> Table:
    return GIVEN[what]


@node(category="careless")
def gives_condition(what: Given) -> Condition:
    return GIVEN[what]


@node(category="careless")
def gives_noise(what: Given) -> NoiseSource:
    return GIVEN[what]


@node(category="careless")
def gives_three(what: Given) -> Three:
    return GIVEN[what]


@node(category="careless")
def gives_none(what: Given) -> None:
    return GIVEN[what]


@node(category="careless")
def gives_any(what: Given) -> Any:
    return GIVEN[what]


@node(category="careless")
def forgets(image: Image) -> Generator[Progress, None, Image]:
    """A generator without `return`."""
    yield Progress(1, 1)


@node(category="careless")
def yields(image: Image) -> Image:
    """A generator that is not declared as one."""
    yield Progress(1, 1)
    return image


@node(category="careless")
def yields_numbers(image: Image) -> Generator[Progress, None, Image]:
    """Its steps are no `Progress`."""
    yield 1
    return image


@node(category="careless")
def no_steps(image: Image) -> Generator[Progress, None, Image]:
    """Declared as a generator, and is none."""
    return image


@node(category="careless")
def fails(way: str, image: Image | None = None) -> int:
    """Raises an error of its own code; with a picture only where that has values."""
    found: dict[str, int] = {} if image is None or float(image.mean()) < 2 else {"foo": 1}
    match way:
        case "key":
            return found["foo"]  # here: key
        case "helper":
            return _helper(way)
        case "library":
            return np.linalg.inv(np.zeros((2, 2)))[0, 0]  # here: library
        case "exit":
            sys.exit(3)  # here: exit
        case "stop":
            raise StopIteration(1)  # here: stop
        case "chained":
            try:
                found["foo"]
            except KeyError as error:
                raise ArithmeticError("no foo") from error  # here: chained
        case "speechless":
            raise Speechless
        case "mismatch":
            raise Mismatch("these are of two worlds", port="way", hint="take one world")
    return 0


class Speechless(Exception):
    """Fails when it is asked what it says."""

    def __str__(self) -> str:
        raise TypeError("no text")


def _helper(way: str) -> int:
    return Path(way).stat().st_size // 0  # here: helper


@node(category="careless")
def broken_pictures(image: Image, value: float = float("nan"), row: int = 0) -> Image:
    """One value of one picture is not finite."""
    image = image.clone()
    image[row, 1, 2, 3] = value
    return image


@node(category="careless")
def darker(image: Image) -> Image:
    """Half of it."""
    return image / 2


_buffer: dict[tuple[int, ...], torch.Tensor] = {}


@node(category="careless")
def buffered(image: Image, value: float) -> Image:
    """The picture and a number, in a tensor that is kept and given each time."""
    kept = _buffer.setdefault(tuple(image.shape), torch.empty(image.shape))
    return kept.copy_(image + value)


@node(category="careless")
def darkest(first: Image, second: Image) -> Image:
    """The darker of two pictures."""
    return torch.minimum(first, second)
