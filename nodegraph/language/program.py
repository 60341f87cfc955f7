"""A program: the checked graph with its subgraphs unfolded, its inputs bound, in an order in which it can run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodegraph.base.diagnostics import Span
from nodegraph.library.node import NodeSpec
from nodegraph.library.port import TypeRef


class _Example:
    def __repr__(self) -> str:
        return "EXAMPLE"


EXAMPLE = _Example()
"""Stands for a required input that was not given, where a graph is only checked."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal as written (already resolved by the YAML rules) for a port of `type`; `folder` is where its file lies.

    `given`: the input by which it came, if a caller gave it: faults of it are told there, not where the graph uses it.
    """

    value: Any
    type: TypeRef
    span: Span | None
    folder: Path | None = None
    given: str = ""


@dataclass(frozen=True, slots=True)
class Wire:
    """Output number `output` of step number `step` of the program."""

    step: int
    output: int
    span: Span | None


@dataclass(frozen=True, slots=True)
class Many:
    """The entries of a fan-in port, in order; a wired entry whose value is a list is flattened one level at run time."""

    entries: tuple[Constant | Wire, ...]


Source = Constant | Wire | Many


@dataclass(frozen=True, slots=True)
class Step:
    """One node to run. `name` is the path through the subgraphs: `large/text`. Ports that were not given are left out."""

    name: str
    spec: NodeSpec
    inputs: Mapping[str, Source]
    span: Span | None
    output_types: tuple[TypeRef, ...]
    kept: bool = True
    """Whether it gives a result of its own, and not only what others are made of."""


@dataclass(frozen=True, slots=True)
class Program:
    """Steps in topological order and the named outputs (a Wire, or a Constant for an input passed through)."""

    file: str
    title: str
    steps: tuple[Step, ...]
    outputs: Mapping[str, Constant | Wire]
    output_types: Mapping[str, TypeRef]
    inputs: Mapping[str, Any]
    sources: Mapping[str, str]
    """Text of every graph file involved, by name: what a picture's provenance carries."""
    places: frozenset[str] = frozenset()
    """The inputs whose values may be places of files."""
    named: tuple[Path, ...] = ()
    """The places that the caller named, which a run may therefore read."""
