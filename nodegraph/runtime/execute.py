"""Running a program: from the outputs backwards, only what is not in the cache, on the caller's thread.

One lane: the steps of a run follow each other, the events come out of a plain generator, and closing it, or setting the
token, cancels at the next step of a sampler.
"""

import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, cast

from nodegraph.base import ownership
from nodegraph.base.diagnostics import Cancelled, NodeFailed
from nodegraph.base.ownership import PLAIN, Marks, arrays, changed, marks, plain, touched, unshared
from nodegraph.language.program import Constant, Many, Program, Source, Step, Wire
from nodegraph.library.holding import YIELDS, WrongResult, is_finite, outputs_of, shown
from nodegraph.library.node import Progress
from nodegraph.library.port import TypeRef
from nodegraph.runtime import events
from nodegraph.runtime.cache import Cache, Kept, Where
from nodegraph.runtime.cancel import CancelToken, cancellable
from nodegraph.runtime.events import (
    Cached,
    Completed,
    Event,
    Failed,
    Finished,
    Loaded,
    Started,
    Stepped,
)
from nodegraph.runtime.failures import ChangedInput, ReusedOutput, Unreadable, doubtful, failure
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.keys import UNREADABLE, Key, unreadable, warned, warned_output, wires
from nodegraph.runtime.literals import Library
from nodegraph.runtime.warn import Listener, Said, Warned, collecting

Outputs = tuple[Any, ...]
NUMBERS = (int, float, bool)


def needed(program: Program, outputs: Sequence[str], hit: Callable[[int], bool]) -> list[int]:
    """Indices of the steps that the outputs need, rising; nothing behind a hit is needed. Sinks are always needed."""
    roots = [source.step for name in outputs if isinstance(source := program.outputs[name], Wire)]
    waiting = roots + [i for i, step in enumerate(program.steps) if not step.spec.outputs]
    seen: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index in seen:
            continue
        seen.add(index)
        if not hit(index):
            waiting.extend(wire.step for wire in wires(program.steps[index].inputs))
    return sorted(seen)


class Run:
    """One run: the steps that are still needed, one after the other; a value is let go after its last reader."""

    def __init__(self, keyed: Keyed, library: Library, cache: Cache, token: CancelToken) -> None:
        self.program = keyed.program
        self.literals = keyed.literals
        self.keyed = keyed
        self.library = library
        self.cache = cache
        self.token = token
        self.stoppable = cancellable(token)
        self.values: dict[int, Outputs] = {}
        self.marks: dict[int, Marks] = {}
        self.readers: dict[int, int] = {}
        self.said: dict[Warned, None] = {}
        self.loads: list[tuple[str, float]] = []
        self.behind: dict[int, tuple[Said, ...]] = {}
        self.repeated: set[Said] = set()
        self.told: set[int] = set()
        self.wires: dict[int, list[Wire]] = {}
        self.shown: set[int] = set()
        self.seconds: dict[int, float] = {}

    def events(self, names: Sequence[str]) -> Iterator[Event]:
        keys, cache = self.keyed.keys, self.cache
        order = needed(self.program, names, lambda i: cache.where(keys[i]) is not None)
        order, found = self.found(order, names, keys)
        self.wires = {i: wires(self.program.steps[i].inputs) for i in order if i not in found}
        self.count(names)
        self.shown = {s.step for n in names if isinstance(s := self.program.outputs[n], Wire)}
        for index in order:
            self.token.check()
            if index in found:
                yield from self.reused(index, *found[index])
            else:
                yield from self.step(index, keys[index])
                self.free(index)
        outputs: dict[str, Any] = {}
        for name in names:
            said, source = dict[Warned, None](), self.program.outputs[name]
            try:
                with collecting(said):
                    outputs[name] = self.value(source)
            except ReusedOutput as error:
                found = failure(error.step, error, None, {})
                yield Failed(error.step.name, found)
                raise NodeFailed(found, {}) from error
            for warning in said:
                yield events.Warned(name, warned_output(name, source, warning))
        types = self.program.output_types
        yield Completed(outputs, {n: self.described(types[n], v) for n, v in outputs.items()})

    def found(
        self, order: list[int], names: Sequence[str], keys: list[Key]
    ) -> tuple[list[int], dict[int, tuple[Kept, Where]]]:
        """Read the hits; when one turns out to be damaged, what stands behind it is needed after all."""
        cache, broken = self.cache, set[int]()
        found: dict[int, tuple[Kept, Where]] = {}
        # `where` only says that an entry is there; whether it can be read is known when it is read. A damaged one makes the
        # steps before it needed, and these may be damaged hits in turn. Each round reads what is new or marks it broken, so
        # that there are no more rounds than steps. All of it before the first step runs: values that were read are held, and
        # another process that clears the cache meanwhile takes nothing away.
        while True:
            damaged = len(broken)
            for index in order:
                if index not in found and index not in broken and cache.where(keys[index]):
                    hit = cache.get(keys[index], self.program.steps[index].output_types)
                    if hit is None:
                        broken.add(index)
                    else:
                        found[index] = hit
            if len(broken) == damaged:
                return order, found
            order = needed(
                self.program,
                names,
                lambda i: i in found or (i not in broken and bool(cache.where(keys[i]))),
            )

    def count(self, names: Sequence[str]) -> None:
        """How often each value will still be read, so that it is freed after the last time."""
        for read in self.wires.values():
            for wire in read:
                self.readers[wire.step] = self.readers.get(wire.step, 0) + 1
        for name in names:
            source = self.program.outputs[name]
            if isinstance(source, Wire):
                self.readers[source.step] = self.readers.get(source.step, 0) + 1

    def free(self, index: int) -> None:
        for wire in self.wires[index]:
            if wire.step in self.values:
                self.readers[wire.step] -= 1
                if not self.readers[wire.step]:
                    del self.values[wire.step]
                    del self.marks[wire.step]

    def keep(self, index: int, outputs: Outputs) -> None:
        """Hold the outputs of a step for those that read them, as they are now."""
        self.values[index] = outputs
        self.marks[index] = marks(outputs)

    def reused(self, index: int, kept: Kept, where: Where) -> Iterator[Event]:
        """Take a step's outputs as they were kept, and say again what was said when they were made."""
        self.keep(index, kept.outputs)
        yield Cached(self.program.steps[index].name, where)
        if kept.said:
            self.behind[index] = kept.said
            steps = dict(zip(map(bytes.hex, self.keyed.keys), self.program.steps, strict=True))
            for said in kept.said:
                if said not in self.repeated:
                    self.repeated.add(said)
                    step = steps.get(said.key, self.program.steps[index])
                    yield events.Warned(step.name, warned(step, said.warning))
        yield from self.doubts(index, kept.outputs)

    def step(self, index: int, key: Key) -> Iterator[Event]:
        step = self.program.steps[index]
        yield Started(step.name)
        self.said = {}
        started = time.perf_counter()
        inputs: dict[str, Any] = {}
        try:
            self.read(step, inputs)
            outputs = yield from self.made(step, inputs)
        except (Cancelled, GeneratorExit):
            raise
        except (Exception, SystemExit) as error:
            summaries = self.summaries(step, inputs)
            found = failure(step, error, self.library.function(step.spec), summaries)
            yield Failed(step.name, found, summaries)
            raise NodeFailed(found, summaries) from error
        seconds = time.perf_counter() - started
        for warning in self.said:
            yield events.Warned(step.name, warned(step, warning))
        if not plain(outputs):
            yield from self.doubts(index, outputs)
        self.keep(index, outputs)
        kept = Kept(outputs, self.said_before(index))
        if step.spec.pure and step.kept:
            worth = seconds + self.before(index)
            self.cache.put(key, kept, step.output_types, worth, index in self.shown)
        self.seconds[index] = seconds
        status = "ran" if self.kept(step) else "rebuilt"
        yield Finished(step.name, seconds, status, self.described_outputs(step, outputs))

    def before(self, index: int) -> float:
        """The seconds of the steps before one whose results are not kept: they are a part of its own."""
        steps = self.program.steps
        found = {w.step for w in self.wires[index] if not steps[w.step].kept}
        return sum(self.seconds.get(i, 0.0) for i in found) if found else 0.0

    def said_before(self, index: int) -> tuple[Said, ...]:
        """What was said by a step, and by those that it depends on."""
        if not self.said and not self.behind:
            return ()
        own = [Said(self.keyed.keys[index].hex(), warning) for warning in self.said]
        before = [said for wire in self.wires[index] for said in self.behind.get(wire.step, ())]
        found = tuple(dict.fromkeys((*before, *own)))
        self.repeated.update(found)
        if found:
            self.behind[index] = found
        return found

    def read(self, step: Step, inputs: dict[str, Any]) -> None:
        """Put what stands on the ports into `inputs`. Raises Unreadable for a literal that its type cannot read."""
        with Listener(self.said) as listener:
            for name, source in step.inputs.items():
                listener.port = name
                try:
                    value = self.value(source)
                    inputs[name] = value if type(value) in PLAIN else self.here(value)
                except UNREADABLE as error:
                    raise Unreadable(unreadable(step, name, source, error)) from error

    def made(self, step: Step, inputs: dict[str, Any]) -> Generator[Event, None, Outputs]:
        """What a step gives. Raises ChangedInput where it worked in place on what it was given, and WrongResult."""
        before = ownership.states(inputs)
        port = None
        try:
            result = self.guarded(self.library.function(step.spec), inputs)
            if self.loads:
                yield from self.loaded(step)
            if step.spec.generator:
                result = yield from self.driven(step, result)
        finally:
            # Also where the node raised or was cancelled: what it has spoiled by then may be in the memory cache already.
            if before and (port := changed(before)) is not None:
                self.cache.forget()
        if port is not None:
            raise ChangedInput(port)
        outputs = outputs_of(step.spec, step.output_types, result, self.library.port_type)
        if any(getattr(array, "is_meta", False) for array in arrays(outputs)):
            raise WrongResult("promised values and gave a tensor on 'meta', which has none")
        return outputs

    def doubts(self, index: int, outputs: Outputs) -> Iterator[Event]:
        """A warning where a picture is not finite, once at the step that made it so."""
        if not self.finite(index, outputs):
            origin = self.origin(index)
            step = self.program.steps[origin]
            if origin not in self.told:
                self.told.add(origin)
                yield events.Warned(step.name, doubtful(step))
            self.told.add(index)

    def finite(self, index: int, outputs: Outputs) -> bool:
        if plain(outputs):
            return True
        types = self.program.steps[index].output_types
        port_type = self.library.port_type
        return all(is_finite(v, ref, port_type) for v, ref in zip(outputs, types, strict=True))

    def origin(self, index: int) -> int:
        """The first step before one whose pictures are not finite that gave such pictures, as far as results are kept."""
        for wire in wires(self.program.steps[index].inputs):
            if wire.step in self.told:
                return wire.step
            types = self.program.steps[wire.step].output_types
            hit = self.cache.get(self.keyed.keys[wire.step], types)
            if hit is not None and not self.finite(wire.step, hit[0].outputs):
                return self.origin(wire.step)
        return index

    def kept(self, step: Step) -> bool:
        """Whether the results could have come from another process: live values could not."""
        disk = self.cache.disk
        return disk is None or not step.output_types or disk.keeps(step.output_types)

    def driven(self, step: Step, result: Any) -> Generator[Event, None, Any]:
        """What a generator gives in the end; its steps are told as they come."""
        if not isinstance(result, Generator):
            raise WrongResult(f"promised a generator and gave {shown(result)}", YIELDS)
        generator = cast("Generator[Progress, None, Any]", result)
        encode = self.encoder(step)
        try:
            while True:
                self.token.check()
                try:
                    # Each step on its own, not the whole loop: gradient mode and listeners belong to the thread, and between
                    # two steps the caller runs on it.
                    now = self.guarded(generator.__next__, {})
                except StopIteration as stop:
                    return stop.value
                yield from self.loaded(step)
                if not isinstance(now, Progress):
                    raise WrongResult(f"promised steps and yielded {shown(now)}", YIELDS)
                seen = (now.preview, now.note, encode, now.noisy)
                yield Stepped(step.name, now.done, now.total, *seen)
        finally:
            generator.close()

    def guarded(self, function: Callable[..., Any], inputs: dict[str, Any]) -> Any:
        """Call without gradients, whatever the thread had set; torch is not imported for it."""
        torch = sys.modules.get("torch")
        with self.stoppable, Listener(self.said) as listener:
            try:
                if torch is None or not hasattr(torch, "no_grad"):
                    return function(**inputs)
                with torch.no_grad():
                    return function(**inputs)
            finally:
                self.loads += listener.loads

    def value(self, source: Source) -> Any:
        """What stands on a port."""
        if isinstance(source, Wire):
            marked = self.marks[source.step]
            if marked and touched(marked):
                self.cache.forget()
                raise ReusedOutput(self.program.steps[source.step])
            value = self.values[source.step][source.output]
            return value if type(value) in PLAIN else unshared(value)
        if isinstance(source, Constant):
            return self.literals.value(source)
        return self.flat(source)

    def flat(self, source: Many) -> list[Any]:
        """The entries of a fan-in port; a value that is a list gives its items."""
        found: list[Any] = []
        for entry in source.entries:
            value = self.value(entry)
            if isinstance(value, list):
                found += cast("list[Any]", value)
            else:
                found.append(value)
        return found

    def here(self, value: Any) -> Any:
        """A value on the run's device: what comes out of a file, the disk or a caller's hands is on the CPU."""
        if "torch" not in sys.modules:
            return value
        from nodegraph.base.tensors import on_device

        return on_device(value, self.keyed.context.device)

    def loaded(self, step: Step) -> Iterator[Event]:
        """The models whose weights were read since this was asked."""
        loads, self.loads = self.loads, []
        for model, seconds in loads:
            yield Loaded(step.name, model, seconds)

    def encoder(self, step: Step) -> Callable[[Any], bytes | None] | None:
        """What makes pictures of a step's previews: the type of its first output that can be looked at."""
        ports = (self.library.port_type(ref.name) for ref in step.output_types)
        return next((port.preview for port in ports if port is not None and port.preview), None)

    def described_outputs(self, step: Step, outputs: Outputs) -> dict[str, str]:
        found: dict[str, str] = {}
        for port, ref, value in zip(step.spec.outputs, step.output_types, outputs, strict=True):
            bare = type(value) in NUMBERS and self.library.facts(ref.name) is None
            found[port.name] = repr(value) if bare else self.described(ref, value)
        return found

    def summaries(self, step: Step, inputs: dict[str, Any]) -> dict[str, str]:
        types = {port.name: port.type for port in step.spec.inputs}
        return {name: self.described(types[name], value) for name, value in inputs.items()}

    def described(self, ref: TypeRef, value: Any) -> str:
        """One line about a value, whatever is wrong with it."""
        try:
            return self.describe(ref, value)
        except Exception:
            return shown(value)

    def describe(self, ref: TypeRef, value: Any) -> str:
        """One line about a value on a port; of a list, about its first items."""
        if ref.name == "list" and isinstance(value, list):
            items = cast("list[Any]", value)
            shown = [self.describe(ref.args[0], item) for item in items[:4]]
            rest = ["…"] if len(items) > 4 else []
            return f"[{', '.join(shown + rest)}]"
        port = self.library.port_type(ref.name)
        if port is not None and port.describe is not None:
            return port.describe(value)
        text = repr(value)
        return text if len(text) <= 80 else f"{type(value).__name__} {text[:60]}…"
