"""The bodies of requests and answers, as the OpenAPI tells them."""

import math
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from server.settings import MIB

GraphText = Annotated[str, Field(max_length=MIB, description="The text of a graph: YAML.")]
GraphPath = Annotated[
    str,
    Field(
        max_length=400,
        description="A `.yaml` file of the workspace, relative to it; without the ending, a shipped graph.",
    ),
]
Precision = Literal["float32", "bfloat16", "float16"]


DEEPEST = 32
"""Lists and objects in each other that a body may have."""


def sound(body: Any) -> Any:
    """A body that can be kept, told and sent on. Raises ValueError for halves of characters, NaN, and what nests too deep."""
    waiting = [(body, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise ValueError(f"it is nested deeper than {DEEPEST}")
        if isinstance(value, str):
            _whole(value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise ValueError("numbers are finite")
        elif isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            waiting += ((one, depth + 1) for pair in found.items() for one in pair)
        elif isinstance(value, list):
            waiting += ((one, depth + 1) for one in cast("list[Any]", value))
    return body


def _whole(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half a character (a surrogate alone)") from None


class Body(BaseModel):
    """A body without keys that nobody reads."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _sound(cls, body: Any) -> Any:
        return sound(body)


Inputs = Annotated[dict[str, Any], BeforeValidator(sound)]
"""The inputs of a graph, by name."""


class SavedText(Body):
    """A graph that is to be saved."""

    text: GraphText


class NewPath(Body):
    """Where a graph goes."""

    to: GraphPath


class Asking(Body):
    """What is asked of a graph; a text stands in the place of what `path` or `graph` names."""

    preset: Annotated[str | None, Field(max_length=200)] = None
    inputs: Annotated[
        dict[str, Any],
        Field(
            description='Values by name. A file that was uploaded is `{"file": DIGEST}`; a seed may be "random".'
        ),
    ] = {}
    set: Annotated[dict[str, Any], Field(description="Values of ports: `{NODE.PORT: value}`.")] = {}
    until: Annotated[
        str | None, Field(max_length=200, description="A node whose outputs are wanted alone.")
    ] = None
    precision: Precision | None = None
    compile: Annotated[
        bool, Field(description="Compile blocks of networks at their first call; it is kept.")
    ] = False
    low_memory: Annotated[bool, Field(description="Load one network at a time.")] = False


class CheckedText(Asking):
    """A text that is to be checked, as it is being written."""

    path: GraphPath
    text: GraphText | None = None
    version: Annotated[int, Field(ge=0, description="Comes back with the answer.")] = 0
    level: Literal["types", "shapes"] = "types"


class PlannedText(Asking):
    """A graph of which is asked what a run would do."""

    path: GraphPath
    text: GraphText | None = None


class FormattedText(Body):
    """A text that is to be brought into canonical form."""

    text: GraphText


class OneEdit(Body):
    """An edit by name, with what it takes: `{"edit": "set_port", "node": "sampler", "port": "steps", "value": 30}`."""

    model_config = ConfigDict(extra="allow")
    edit: str


class EditedText(Body):
    """A text, and the edits to make in it, one after the other."""

    text: GraphText
    edits: Annotated[list[OneEdit], Field(min_length=1, max_length=1_000)]


class WantedJob(Asking):
    """A run that is asked for: of a graph by its path or name, of a text, or of one with the other's place."""

    graph: GraphPath | None = None
    text: GraphText | None = None
    each: Annotated[
        dict[str, Any],
        Field(
            description="Values that inputs take in turn: lists, `0..3`; `a+b` for inputs that go together."
        ),
    ] = {}
    sweep: Annotated[
        str | None, Field(max_length=200, description="One of the graph's own sweeps.")
    ] = None
    device: Annotated[
        str | None,
        Field(max_length=40, description="The worker that is to run it: `cpu`, `cuda:1`."),
    ] = None
    on: Annotated[
        str | None,
        Field(
            max_length=300,
            description="Where it runs: `here`, or the cluster that the server was started with.",
        ),
    ] = None
    cache: bool = True
    priority: Annotated[int, Field(ge=-9, le=9, description="A higher one comes first.")] = 0


class Moved(Body):
    """Where a waiting job goes: before another one, or behind all."""

    before: str | None = None


class Licence(Body):
    """Consent to the terms of a model; needed where it has any."""

    accept_licence: bool = False


class Updates(Body):
    """Changes of a live document: a change set of CodeMirror over a version."""

    version: Annotated[int, Field(ge=0)]
    client: Annotated[str, Field(min_length=1, max_length=80)]
    changes: Annotated[list[Any], Field(max_length=20_000)]


class SavedLive(Body):
    """The version of a live document that is to be written to its file."""

    version: Annotated[int, Field(ge=0)]


class Writer(Body):
    """Who wants to write a live document; `take` also where another one does."""

    client: Annotated[str, Field(min_length=1, max_length=80)]
    take: bool = False
