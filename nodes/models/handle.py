"""What every handle of a model has: configuration, digest, the files of its weights, and where it runs."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar
from weakref import WeakValueDictionary

import torch
from torch import Tensor, nn

from nodegraph.base.contents import state_of
from nodegraph.library.port import Context, Weights
from nodegraph.runtime.cancel import cancel_point
from nodegraph.runtime.meta.abstract import Recall, uncounted
from nodegraph.runtime.meta.modes import skeleton
from nodegraph.runtime.warn import loaded
from nodes.checkpoints.adapters import Adapter, adapted
from nodes.checkpoints.entries import OURS
from nodes.checkpoints.files import shards
from nodes.checkpoints.layouts import ours
from nodes.checkpoints.named import Named, in_folder, model_identity, named_model
from nodes.checkpoints.reading import read_weights, tensor_shapes
from nodes.checkpoints.sizes import building
from nodes.checkpoints.verify import WrongFile, differences
from nodes.checkpoints.weights import BadConfig
from nodes.models.place import Place, place_of

C = TypeVar("C")
M = TypeVar("M", bound=nn.Module)
S = TypeVar("S")
H = TypeVar("H", bound="Model[Any, Any]")
_sizes: dict[str, int] = {}
"""Parameters of the networks that were counted, by the identities of their models."""
_fitting: set[tuple[str, ...]] = set()
"""Models whose files were found to hold their weights, with what those files were."""


class MissingWeights(FileNotFoundError):
    """A model whose weights are not on this machine; `hint`: where to get them."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class Model(ABC, Generic[C, M]):
    """A handle: `name`, configuration, digest and files of the weights (their keys in `layout`), and where it runs."""

    name: str
    config: C
    digest: str
    files: tuple[Path, ...] = ()
    place: Place = field(default_factory=Place)
    layout: str = OURS
    download: int = 0
    """Bytes of the files that are not here."""
    adapters: tuple[Adapter, ...] = ()
    """What is added to the weights of the files; the digest says it too."""

    guides: ClassVar[bool] = False
    """Whether gradients are taken through it. In half precision they would underflow: such a model keeps float32."""

    @abstractmethod
    def build(self) -> M:
        """The network of the configuration, with its first weights."""

    def __post_init__(self) -> None:
        if self.guides:
            object.__setattr__(self, "place", self.place.in_full())

    @property
    def called(self) -> str:
        """What the model is called where it is told from others."""
        return f"'{self.name}'{' with adapters' * bool(self.adapters)}"

    @property
    def device(self) -> str:
        return self.place.device

    @property
    def abstract(self) -> bool:
        return self.place.abstract

    def module(self) -> M:
        """The network in its place, its weights loaded on first use. Raises MissingWeights."""
        if self.abstract:
            return self._skeleton
        return self.place.held(self._there, self._size, self._load)

    def call(self, x_t: Tensor, t: Tensor, **conditions: Tensor) -> Tensor:
        """What the network says of x_t at t; on shapes alone, equal calls are made once."""
        network = self._on_shapes if self.abstract else self.module()
        return network(x_t, t, **conditions)

    @cached_property
    def _shared(self) -> WeakValueDictionary[str, Any]:
        return WeakValueDictionary()

    def shared(self, name: str, make: Callable[[], S]) -> S:
        """What holds the handle, one object for all who ask while one of them has it. The handle does not hold it in turn."""
        found = self._shared.get(name)
        if found is None:
            found = self._shared[name] = make()
        return found

    @cached_property
    def _on_shapes(self) -> Recall:
        return Recall(self.module())

    @cached_property
    def _skeleton(self) -> M:
        with building(), uncounted(), skeleton():
            return self.place.put(self.build())

    @cached_property
    def identity(self) -> str:
        """What tells the model from all others: its weights, and what is made of them."""
        return model_identity(type(self).__name__, self.digest, self.layout, self.config)

    @cached_property
    def parameters(self) -> int:
        """Parameters, counted without the weights, once for each identity."""
        if self.identity not in _sizes:
            _sizes[self.identity] = sum(p.numel() for p in self._skeleton.parameters())
        return _sizes[self.identity]

    @cached_property
    def _there(self) -> str:
        """What the network is held by in its place."""
        return f"{self.identity}/{self.place.dtype}{'/compiled' * self.place.compiled}"

    @property
    def _size(self) -> int:
        return self.parameters * self.place.dtype.itemsize

    @property
    def needs(self) -> Weights:
        """What the network needs, counted without its weights. The handle does not hold it: it holds the handle."""
        here = bool(self.files) and not self.absent
        sizes = self.parameters, self._size
        return Weights(self.name, self._there, *sizes, here, self.download or None, self.verify)

    @property
    def absent(self) -> list[Path]:
        """Files of the weights that are not here; shards too, where an index names them."""
        named = [
            part for file in self.files for part in (shards(file) if file.exists() else [file])
        ]
        return [file for file in named if not file.is_file()]

    def verify(self) -> None:
        """Look whether the weights are here, and the network's, from the headers of their files: once for each state of them.

        Raises MissingWeights, WrongFile naming the differences, or UnreadableFile.
        """
        self._present()
        files = (part for file in self.files for part in {file, *shards(file)})
        found = (self.identity, *sorted(map(state_of, files)))
        if found not in _fitting:
            self._compare()
            _fitting.add(found)

    def _compare(self) -> None:
        """Raises WrongFile where the files hold other tensors than the network has."""
        files = [tensor_shapes(file) for file in self.files]
        empty = [{k: torch.empty(v, device="meta") for k, v in file.items()} for file in files]
        names = " and ".join(map(str, self.files))
        try:
            found = ours(self.layout, empty, self.config)
        except ValueError as error:
            raise WrongFile(f"{names} is not '{self.name}': {error}") from None
        shapes = ({k: tuple(v.shape) for k, v in d.items()} for d in (self.own_shapes(), found))
        if faults := differences(*shapes):
            raise WrongFile(f"{names} is not '{self.name}': {'; '.join(faults)}")

    def own_shapes(self) -> Mapping[str, Tensor]:
        """What the network has to be given, as tensors without values."""
        return self._skeleton.state_dict()

    def _present(self) -> None:
        if not self.files:
            raise MissingWeights(f"'{self.name}' has no weights yet")
        if not self.absent:
            return
        message = (
            f"the weights of '{self.name}' are not on this machine: there is no {self.absent[0]}"
        )
        if self.download:
            get = f"{message}; `nodegraph models get {self.name}` fetches it, and `run --get` too"
            raise MissingWeights(get, f"`nodegraph models add FILE --as {self.name}` takes yours")
        folder = self.absent[0].parent
        held = ", ".join(sorted(path.name for path in folder.glob("*"))) or "nothing"
        others = "a variant (.fp16.safetensors), shards with their index, and .bin files serve too"
        raise MissingWeights(
            f"{message}; the folder holds {held}", None if self.layout == OURS else others
        )

    def weights(self, dtype: torch.dtype | None = None) -> dict[str, Tensor]:
        """The weights under our names, as they are kept or in `dtype`. Raises MissingWeights saying how to get them."""
        self._present()
        if not self.adapters:
            files = [self._read(file, dtype) for file in self.files]
            return dict(ours(self.layout, files, self.config))
        # A sum is rounded once, so what is added to is read as it is kept.
        files = [self._read(file, None) for file in self.files]
        found = adapted(files, self.adapters, lambda f: ours(self.layout, f, self.config))
        return {key: _in(value, dtype) for key, value in found.items()}

    def _read(self, file: Path, dtype: torch.dtype | None) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for key, value in read_weights(file):
            cancel_point()
            found[key] = _in(value, dtype)
        return found

    def _load(self) -> M:
        started = time.perf_counter()
        with skeleton():
            network = self.build()
        network.load_state_dict(self.weights(self.place.dtype), assign=True)
        loaded(self.name, time.perf_counter() - started)
        return network


def _in(value: Tensor, dtype: torch.dtype | None) -> Tensor:
    """Numbers with fractions in a precision; in their own without one."""
    return value.to(dtype) if dtype and value.is_floating_point() else value


def parsed(kind: type[H], literal: Any, context: Context) -> H:
    """A model by a catalogue name (`shapes/glide/base`), or of a folder with a `config.json`.

    Raises ValueError for a name that is not known or whose weights were not installed, or a model of another kind.
    """
    return handle(kind, named_model(kind.__name__, str(literal), context.readable), context)


def from_folder(kind: type[H], folder: Path, context: Context, name: str = "") -> H:
    """The model in a folder of our own layout. Raises BadConfig."""
    return handle(kind, in_folder(kind.__name__, folder, name), context)


def handle(kind: type[H], named: Named, context: Context) -> H:
    """The handle of a model, if a network can be built as its configuration says. A check asks, and comes before every run.

    Raises BadConfig naming the place of the configuration.
    """
    what = named.name, named.config, named.digest, named.files
    model = kind(*what, place_of(context), named.layout, named.download)
    try:
        with building():
            _ = model.abstract and (model.parameters, getattr(model, "trained", None))
    except ValueError as error:
        raise BadConfig(f"{named.place}: {error}") from error
    return model
