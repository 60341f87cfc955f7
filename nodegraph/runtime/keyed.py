"""A program made ready: its literals read and its keys made once, for the run, the plan and the history alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, cast

from nodegraph.base.ownership import PLAIN, own
from nodegraph.language.program import Constant, Many, Program, Source, Wire
from nodegraph.library.port import TypeRef
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.keys import Key, keys_of, model_digests
from nodegraph.runtime.literals import Library, Literals
from nodegraph.runtime.provenance import provenance


@dataclass(frozen=True)
class Keyed:
    """A program, the values of its literals, and the key of each step."""

    program: Program
    literals: Literals
    context: RunContext
    known: Sequence[Key] | None = None
    """The keys of the steps, where they are those of other programs."""

    @cached_property
    def keys(self) -> list[Key]:
        """The key of each step. Raises GraphError with the first literal that cannot be read."""
        if self.known is not None:
            return list(self.known)
        return keys_of(self.program, self.literals, self.policy)

    def results(self, steps: Sequence[int]) -> Iterator[tuple[Key, Sequence[TypeRef]]]:
        """Keys and types of what comes out of those of some steps whose results are kept."""
        for index in steps:
            step = self.program.steps[index]
            if step.spec.pure and step.kept:
                yield self.keys[index], step.output_types

    @property
    def policy(self) -> str:
        """What of the device and the precision a result depends on."""
        return f"{self.context.device.partition(':')[0]}/{self.context.precision}"

    @cached_property
    def models(self) -> dict[str, str]:
        """Digests of the models that the program names, by name."""
        return model_digests(self.program, self.literals)

    def provenance(self) -> dict[str, str]:
        """The text chunks of the program's pictures: what it is, and the digests of the models that it names."""
        return provenance(self.program, self.models, self.context.device, self.context.precision)


def keyed(program: Program, library: Library, context: RunContext) -> Keyed:
    """A program for a context, with copies of what Python gave, which the caller may change meanwhile."""
    program = owned(program)
    # What asks for the provenance holds no literals of the run, which would hold it in turn, and its models.
    told = partial(_provenance, program, library, context)
    return Keyed(program, Literals(library, replace(context, provenance=told)), context)


def _provenance(program: Program, library: Library, context: RunContext) -> dict[str, str]:
    return Keyed(program, Literals(library, context), context).provenance()


def owned(program: Program) -> Program:
    """The program with copies of what Python gave, which the caller may change while and after it runs."""
    if not any(any(map(_given, step.inputs.values())) for step in program.steps):
        return program
    known: dict[int, Any] = {}

    def taken(source: Source) -> Source:
        if isinstance(source, Many):
            return Many(tuple(map(one, source.entries)))
        return one(source)

    def one(source: Constant | Wire) -> Constant | Wire:
        if isinstance(source, Constant) and _given(source):
            return replace(source, value=own(source.value, known))
        return source

    steps = (
        replace(step, inputs={name: taken(source) for name, source in step.inputs.items()})
        for step in program.steps
    )
    return replace(program, steps=tuple(steps))


def _given(source: Source) -> bool:
    """Whether a source is, or holds, more than what can be written in a file."""
    if isinstance(source, Wire):
        return False
    if isinstance(source, Many):
        return any(map(_given, source.entries))
    return not _written(source.value)


def _written(value: Any) -> bool:
    if type(value) in PLAIN:
        return True
    if isinstance(value, list):
        return all(map(_written, cast("list[Any]", value)))
    return isinstance(value, str | int | float | bool | None)
