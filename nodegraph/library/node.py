"""`@node`: a plain typed function becomes a node type. The function itself stays as it was."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from nodegraph.library.port import Range, TypeRef

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Progress:
    """What a generator node yields: steps done of total, and a value of the output's type to look at.

    `noisy`: where that is a prediction, the value that is still on its way to it: a sampler's x_t beside its x̂₀.
    """

    done: int
    total: int
    preview: Any = None
    note: str = ""
    noisy: Any = None


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output. `required` is False where the function has a default; `fan_in` for `list[…]` ports."""

    name: str
    type: TypeRef
    required: bool = True
    default: Any = None
    range: Range | None = None
    menu: tuple[Any, ...] | None = None
    doc: str = ""
    fan_in: bool = False


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """Everything about a node type that is known without importing its file; kept in the catalogue as JSON.

    `home` is `module:function`, or the path of a graph file for a composite. `code` is the source digest of the
    distribution that defines it. `renames[old_version][old_port] = new_port` migrates graphs of older versions.
    """

    name: str
    home: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    category: str = ""
    doc: str = ""
    version: int = 1
    pure: bool = True
    generator: bool = False
    composite: bool = False
    code: str = ""
    words: tuple[str, ...] = ()
    renames: Mapping[int, Mapping[str, str]] = field(default_factory=dict[int, Mapping[str, str]])
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Declaration:
    """What `@node` attaches to a function as `__node__`; the spec is read from the signature later."""

    category: str
    version: int
    pure: bool
    words: tuple[str, ...]
    abstract: Callable[..., Any] | None
    renames: Mapping[int, Mapping[str, str]]
    rows: tuple[str, ...] = ()


@overload
def node(function: F, /) -> F: ...


@overload
def node(
    *,
    category: str = "",
    version: int = 1,
    pure: bool = True,
    words: tuple[str, ...] = (),
    abstract: Callable[..., Any] | None = None,
    renames: Mapping[int, Mapping[str, str]] | None = None,
    rows: tuple[str, ...] = (),
) -> Callable[[F], F]: ...


def node(
    function: Callable[..., Any] | None = None,
    /,
    *,
    category: str = "",
    version: int = 1,
    pure: bool = True,
    words: tuple[str, ...] = (),
    abstract: Callable[..., Any] | None = None,
    renames: Mapping[int, Mapping[str, str]] | None = None,
    rows: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """Declare a function as a node type: `@node`, or `@node(…)`.

    Its parameters are the input ports (default = optional, `Literal` = menu, `list[T]` = fan-in, `Annotated[…, Range, Doc]`),
    its return type the output (a `NamedTuple` = several). A generator yields `Progress` and returns its result.
    `abstract` takes inputs that it names and returns shapes; `pure=False` nodes are never cached; `words` are search words.
    `rows` names the inputs that can hold rows of a batch, all of them, of a node that works on each row by itself: of R·n rows
    on some, and R or one, which stand for n or all, on others, it makes what it would make of each alone, in their order. An
    input of a text or a number that may be a list (`Text | list[Text]`) is given R. So cells of a sweep can run together.
    `category` is the place in palettes and listings: without one, that of the file in its library (`training/datasets`).
    """
    declaration = Declaration(category, version, pure, words, abstract, renames or {}, rows)

    def declare(function: F) -> F:
        function.__node__ = declaration  # type: ignore[attr-defined]
        return function

    return declare if function is None else declare(function)
