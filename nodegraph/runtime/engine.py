"""Engines: what runs programs, with a library of nodes, a context and a cache."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from nodegraph.base.partial import sweep
from nodegraph.language.program import Program
from nodegraph.runtime.cache import Cache, Memory
from nodegraph.runtime.cancel import CancelToken
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.events import Event
from nodegraph.runtime.execute import Run, needed
from nodegraph.runtime.keyed import Keyed, keyed
from nodegraph.runtime.literals import Library


@dataclass(frozen=True, slots=True)
class Engine:
    """What runs programs: a library of nodes, a context and a cache."""

    library: Library
    context: RunContext
    cache: Cache = field(default_factory=Cache)

    def keyed(self, program: Program) -> Keyed:
        """The program with its literals and keys, as they are in this engine's context."""
        return keyed(program, self.library, self.context)

    def waiting(self, keyed: Keyed) -> list[int]:
        """The steps that a run of all outputs would call, after a look at what other machines have kept.

        Raises GraphError for a literal that cannot be read.
        """
        self.bring([keyed])
        hits = [self.cache.where(key) is not None for key in keyed.keys]
        names = tuple(keyed.program.outputs)
        return [i for i in needed(keyed.program, names, lambda i: hits[i]) if not hits[i]]

    def bring(self, programs: Sequence[Keyed]) -> None:
        """Bring what other machines have kept of some programs: the outputs, and what these need where they are not there."""
        if self.cache.remote is None:
            return
        for ends in (True, False):
            orders = [(k, self._order(k, ends)) for k in programs]
            self.cache.bring(result for k, order in orders for result in k.results(order))

    def _order(self, keyed: Keyed, ends: bool) -> list[int]:
        """The steps that the outputs need as far as they are not kept here; `ends`: those that the outputs come from."""
        keys, where = keyed.keys, self.cache.where
        names = tuple(keyed.program.outputs)
        return needed(keyed.program, names, lambda i: ends or where(keys[i]) is not None)

    def reading(self, keyed: Keyed, library: Library) -> "Engine | None":
        """An engine that has read all that the outputs need, as another library reads what is kept on disk; None where
        something of it is not there, and would have to run."""
        if self.cache.disk is None:
            return None
        cache = Cache(Memory(bytes=sys.maxsize), replace(self.cache.disk, library=library))
        steps, names = keyed.program.steps, tuple(keyed.program.outputs)
        for index in needed(keyed.program, names, lambda i: True):
            if cache.get(keyed.keys[index], steps[index].output_types) is None:
                return None
        return replace(self, library=library, cache=cache)

    def run(
        self,
        program: Program | Keyed,
        outputs: Sequence[str] | None = None,
        token: CancelToken | None = None,
    ) -> Iterator[Event]:
        """Run what the outputs (by default all) need. Raises NodeFailed, after a Failed event, or Cancelled."""
        self.sweep()
        ready = program if isinstance(program, Keyed) else self.keyed(program)
        names = tuple(ready.program.outputs) if outputs is None else tuple(outputs)
        return Run(ready, self.library, self.cache, token or CancelToken()).events(names)

    def sweep(self) -> None:
        """Remove what killed runs left half made."""
        sweep(self.context.sandbox.writable)
        if self.cache.disk is not None:
            sweep(self.cache.disk.folder)
