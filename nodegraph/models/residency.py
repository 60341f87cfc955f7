"""Loaded models, kept within a budget of memory: the least recently used goes to the CPU, and then out."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


class Resident(Protocol):
    """A loaded model: a torch module, or anything that moves like one."""

    def to(self, device: str) -> Any: ...


@dataclass(slots=True)
class _Held:
    model: Any
    bytes: int
    device: str


Budgets = Mapping[str, int]


@dataclass(slots=True)
class Residency:
    """Models by name and device. `budgets` in bytes by device type, or what measures them when the first model is asked for;
    without one a device is not limited. `alone`: one model at a time, whatever room there is; the others are let go."""

    budgets: Budgets | Callable[[], Budgets] = field(default_factory=dict[str, int])
    alone: bool = False
    _held: OrderedDict[str, _Held] = field(default_factory=OrderedDict[str, _Held])
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __reduce__(self) -> tuple[type["Residency"], tuple[Any, ...]]:
        """In another process it holds nothing yet."""
        return Residency, (self.budgets, self.alone)

    def get(self, name: str, device: str, size: int, load: Callable[[], Resident]) -> Any:
        """The model, on the device; where it is not held, `load` gives it there.

        Raises MemoryError if it exceeds the whole budget.
        """
        with self._lock:
            budget = self._budget(device)
            if budget is not None and size > budget:
                raise MemoryError(
                    f"'{name}' needs {size:,} bytes; the budget of {device} is {budget:,}"
                )
            held = self._held.pop(name, None)
            if self.alone:
                self._held.clear()
            self._room(device, size if held is None or held.device != device else 0)
            if held is None:
                held = _Held(load(), size, device)
            elif held.device != device:
                held = _Held(held.model.to(device), size, device)
            self._held[name] = held
            return held.model

    def held(self) -> dict[str, str]:
        """Names of the models that are held, and where."""
        with self._lock:
            return {name: held.device for name, held in self._held.items()}

    def release(self) -> None:
        """Let every model go."""
        with self._lock:
            self._held.clear()

    def _budget(self, device: str) -> int | None:
        if callable(self.budgets):
            self.budgets = self.budgets()
        return self.budgets.get(_kind(device))

    def _room(self, device: str, wanted: int) -> None:
        budget = self._budget(device)
        if budget is None:
            return
        for name in list(self._held):
            if self._used(device) + wanted <= budget:
                return
            if self._held[name].device == device:
                self._move_out(name)

    def _move_out(self, name: str) -> None:
        held = self._held[name]
        spare = self._budget("cpu")
        fits = spare is None or self._used("cpu") + held.bytes <= spare
        if _kind(held.device) == "cpu" or not fits:
            del self._held[name]
        else:
            self._held[name] = _Held(held.model.to("cpu"), held.bytes, "cpu")

    def _used(self, device: str) -> int:
        return sum(held.bytes for held in self._held.values() if held.device == device)


def _kind(device: str) -> str:
    return device.partition(":")[0]
