"""Loaded models within a budget: least recently used to the CPU, then out."""

import pytest

from nodegraph.models.residency import Residency


class Model:
    def __init__(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log

    def to(self, device: str) -> "Model":
        self.log.append(f"{self.name} to {device}")
        return self


def test_a_model_is_loaded_once() -> None:
    log: list[str] = []
    keeper = Residency()
    first = keeper.get("a", "cuda:0", 10, lambda: Model("a", log))
    assert keeper.get("a", "cuda:0", 10, lambda: Model("again", log)) is first
    assert log == []
    assert keeper.get("a", "cpu", 10, lambda: Model("again", log)) is first
    assert log == ["a to cpu"]


def test_the_least_recently_used_moves_out() -> None:
    log: list[str] = []
    keeper = Residency({"cuda": 25, "cpu": 15})
    for name in "abc":
        keeper.get(name, "cuda:0", 10, lambda name=name: Model(name, log))
    assert keeper.held() == {"a": "cpu", "b": "cuda:0", "c": "cuda:0"}
    keeper.get("d", "cuda:0", 10, lambda: Model("d", log))
    assert keeper.held() == {"a": "cpu", "c": "cuda:0", "d": "cuda:0"}
    assert keeper.get("a", "cuda:0", 10, lambda: Model("again", log)).name == "a"
    assert log == ["a to cpu", "c to cpu", "a to cuda:0"]
    keeper.release()
    assert keeper.held() == {}


def test_a_model_larger_than_the_budget_is_refused() -> None:
    with pytest.raises(MemoryError, match="needs 100 bytes; the budget of cuda is 25"):
        Residency({"cuda": 25}).get("a", "cuda", 100, lambda: Model("a", []))


def test_one_at_a_time_the_others_are_let_go() -> None:
    log: list[str] = []
    keeper = Residency(alone=True)
    first = keeper.get("a", "cpu", 10, lambda: Model("a", log))
    assert keeper.get("a", "cpu", 10, lambda: Model("again", log)) is first

    def load() -> Model:
        assert keeper.held() == {}
        return Model("b", log)

    keeper.get("b", "cpu", 10, load)
    assert keeper.held() == {"b": "cpu"}
    assert keeper.get("a", "cpu", 10, lambda: Model("again", log)) is not first
