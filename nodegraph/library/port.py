"""Port types: what may travel on a wire, without importing what carries it.

A `TypeRef` is the static, comparable form (`Denoiser[Image]`, `list[Condition]`, `float | list[float]`, a variable `T`).
A `PortType` is the behaviour of one named type: how a literal of a graph file becomes a value, how a value is kept,
described and shown. Domain types are declared once, as a class with `__port__`, or as `Annotated[Carrier, PortType(...)]`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from nodegraph.models.residency import Residency

Shape = Literal["circle", "square", "diamond", "triangle"]
LiteralKind = Literal["text", "number", "scalar", "list", "flag", "path", "name", "none"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True, slots=True)
class TypeRef:
    """`name[args…]`. `|` is a union, `list` a list, `*` anything; a variable has `variable=True` and binds on first use."""

    name: str
    args: tuple["TypeRef", ...] = ()
    variable: bool = False

    def __str__(self) -> str:
        if self.name == "|":
            return " | ".join(str(a) for a in self.args)
        return f"{self.name}[{', '.join(str(a) for a in self.args)}]" if self.args else self.name


@dataclass(frozen=True, slots=True)
class Range:
    """Inclusive bounds of a number, with its unit for the form: `Annotated[float, Range(0, 1)]`."""

    low: float | None = None
    high: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Doc:
    """One line about a port: `Annotated[int, Doc("Steps of the respaced schedule.")]`."""

    text: str


class Context(Protocol):
    """What a run gives to the literals of its graph: places, a device and the keeper of loaded models."""

    @property
    def folder(self) -> Path:
        """Folder of the file in which the literal stands."""
        ...

    @property
    def device(self) -> str: ...

    @property
    def precision(self) -> Precision: ...

    @property
    def compiled(self) -> bool:
        """Whether blocks of networks are compiled."""
        ...

    @property
    def abstract(self) -> bool:
        """True in a shape check: values carry shapes on the meta device and no weights are read."""
        ...

    @property
    def max_megapixels(self) -> float:
        """The largest picture that is read."""
        ...

    @property
    def residency(self) -> Residency:
        """The keeper of loaded models."""
        ...

    @property
    def models(self) -> Path:
        """Folder of fetched models."""
        ...

    @property
    def provenance(self) -> Callable[[], Mapping[str, str]]:
        """Gives the text chunks of pictures that the run writes: what made them."""
        ...

    def readable(self, path: str) -> Path:
        """The path, resolved against `folder`; raises PermissionError outside the folders that the run may read."""
        ...

    def writable(self, path: str) -> Path:
        """A path below the output folder; raises PermissionError for any other."""
        ...


@dataclass(frozen=True, slots=True)
class Weights:
    """What a model needs: `identity` is equal for handles that share weights; `size` in bytes at the run's precision.

    `here`: the weights are on this machine; else `download` is what must be fetched, in bytes, or None if not known.
    `verify`: raises OSError or ValueError where they are missing or another model's, from headers alone; the error may have a
    `hint`. `port`: where the model stands on its node.
    """

    name: str
    identity: str
    parameters: int
    size: int
    here: bool = True
    download: int | None = None
    verify: Callable[[], None] = field(default=lambda: None, compare=False)
    port: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PortType:
    """Behaviour of a named port type. Every function is optional; what is missing is an honest default.

    * `read(literal)`: a literal in its canonical form, so that equal ones are one value; called when types are checked, and
      so a function of a module that does not import torch. Raises BadLiteral, or ValueError with a message for the person
      who wrote it. Literals are numbers or texts (`scalar`), and lists of these (`list`).
    * `parse(literal, context)`: value of a literal, which is held against `check`. Raises ValueError with a message for the
      person who wrote it.
    * `given(value)`: a value that Python gives as it is, in the form that travels on the wire. Raises ValueError.
    * `digest(value)`: content digest of a parsed literal (files, weights), for cache keys; text equality otherwise.
    * `identify(type, literal, context)`: the digest of a literal's content for cache keys, found without parsing it: of the
      bytes of its file, say. A function of a module that does not import torch; `type` is the name of this type. What it
      gives, with the code, decides the value. Raises as `parse` does. Without it a literal is parsed for its key.
    * `dump(value, folder)` / `load(folder)`: keep a value in a cache entry; without them the type is *live*: it is
      kept in memory only and rebuilt in a new process.
    * `write(value, folder, stem, provenance)`: files for a person (PNG, CSV), as paths written.
    * `describe(value)`: one line (shape, range, device). `preview(value)`: PNG bytes, or None.
    * `example(context)`: a value for shape checks of a graph whose required input is not given.
    * `arrays()`: this type for values that are arrays of numpy, as they are read from a cache entry without torch: a PortType
      with `load`, `write`, `describe` and `finite`, whose `write` takes tensors too. A function of a module that does not
      import torch: what is kept is then written as files without it.
    * `probe(value)`: use a lazy value once, on shapes only, so that what is wrong with it shows where it was made.
    * `check(value)`: what the type promises and the value is not ("float32 [B, 3, H, W]"); None for a value that is right.
      In a shape check the value has no content. That it is of the class that carries the type is checked before.
    * `finite(value)`: whether a picture holds nothing that is NaN or infinite; one that does is a warning.
    * `weights(value)`: what a model needs in memory and on disk, without reading it.
    * `parts(literal, readable)`: names and types of the parts of a bundle (`$models.base`), from an index, without torch;
      `readable` gives the real path of one that the literal names, and raises OSError where that may not be read.
    """

    name: str
    doc: str = ""
    literal: LiteralKind = "none"
    colour: str = "#9aa0a6"
    shape: Shape = "circle"
    parse: Callable[[Any, Context], Any] | None = None
    given: Callable[[Any], Any] | None = None
    digest: Callable[[Any], str] | None = None
    dump: Callable[[Any, Path], None] | None = None
    load: Callable[[Path], Any] | None = None
    write: Callable[[Any, Path, str, Mapping[str, str]], Sequence[Path]] | None = None
    describe: Callable[[Any], str] | None = None
    preview: Callable[[Any], bytes | None] | None = None
    example: Callable[[Context], Any] | None = None
    parts: Callable[[Any, Callable[[str], Path]], Mapping[str, str]] | None = None
    probe: Callable[[Any], None] | None = None
    weights: Callable[[Any], Weights] | None = None
    check: Callable[[Any], str | None] | None = None
    finite: Callable[[Any], bool] | None = None
    trained: bool = False
    """Whether its literals are what a training made, so that pictures record their digests as those of models."""
    carrier: Any = None
    """The class of the values, from the annotation that has the type."""
    read: Callable[[Any], Any] | None = None
    identify: Callable[[str, Any, Context], str] | None = None
    arrays: Callable[[], "PortType"] | None = None
    widens_to: tuple[str, ...] = field(default=())
    widens_from: tuple[str, ...] = field(default=())
    """Types whose values may stand on a port of this one: `str`, `list[int]`."""
    formerly: tuple[str, ...] = field(default=())
    """What graphs called it in older versions. Such a name is read as this type; where it is another type's by now it says
    neither, and is a fault."""

    def __post_init__(self) -> None:
        for name in ("parts", "read", "identify", "arrays"):
            function = getattr(self, name)
            if function is not None and not getattr(function, "__qualname__", "<").isidentifier():
                raise ValueError(
                    f"{name} of the port type '{self.name}' is no function of a module"
                )
