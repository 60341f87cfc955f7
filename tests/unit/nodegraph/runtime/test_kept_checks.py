"""Checks that are kept, devices that are remembered, literals that change meanwhile."""

import os
from pathlib import Path
from types import ModuleType

import pytest

from nodegraph.base import devices
from nodegraph.base.paths import Sandbox
from nodegraph.language.program import Constant
from nodegraph.library.port import Context, PortType, TypeRef
from nodegraph.library.registry import of_types
from nodegraph.runtime import kept_checks
from nodegraph.runtime.context import RunContext
from nodegraph.runtime.kept_checks import KeptChecks
from nodegraph.runtime.literals import Literals


def bytes_of(kind: str, literal: str, context: Context) -> str:
    return context.readable(literal).read_text()


def text_of(literal: str, context: Context) -> str:
    return context.readable(literal).read_text()


def literals(folder: Path) -> Literals:
    port = PortType("Words", literal="path", parse=text_of, identify=bytes_of)
    library = of_types({"Words": port}, ModuleType(__name__))
    return Literals(library, RunContext(Sandbox((folder,), folder), folder))


def test_a_literal_is_identified_before_it_is_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    constant, known = Constant("a.txt", TypeRef("Words"), None), literals(tmp_path)
    known.library.loaded.clear()  # type: ignore[attr-defined]
    before = known.identity(constant)
    assert known.digest(constant) == "one" and not known.library.loaded  # type: ignore[attr-defined]
    (tmp_path / "a.txt").write_text("two")
    assert literals(tmp_path).identity(constant) != before


def test_a_literal_that_changes_before_it_is_read_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    constant, known = Constant("a.txt", TypeRef("Words"), None), literals(tmp_path)
    known.identity(constant)
    (tmp_path / "a.txt").write_text("two")
    with pytest.raises(ValueError, match=r"'a\.txt' was changed while the graph was run"):
        known.value(constant)
    (tmp_path / "a.txt").write_text("one")
    assert known.value(constant) == "one"


def test_the_oldest_checks_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_checks, "ENTRIES", 2)
    monkeypatch.setattr(kept_checks, "check_key", lambda keyed, code: keyed)
    kept = KeptChecks(tmp_path, "code")
    for age, key in enumerate((b"a", b"b", b"c")):
        kept.put(key, age)  # type: ignore[arg-type]
        for path in tmp_path.glob(f"{key.hex()}.json"):
            os.utime(path, (age, age))
    assert [kept.get(key) for key in (b"a", b"b", b"c")] == [None, 1, 2]  # type: ignore[arg-type]
    assert KeptChecks(tmp_path, "").get(b"c") is None  # type: ignore[arg-type]


def test_torch_is_asked_for_the_device_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setenv("NODEGRAPH_CACHE", str(tmp_path))
    monkeypatch.setattr(devices, "may_have_card", lambda: True)
    monkeypatch.setattr(
        "nodegraph.base.tensors.choose_device", lambda wanted: asked.append(wanted) or "cuda"
    )
    monkeypatch.delitem(devices.sys.modules, "torch")
    assert devices.device_for("auto") == devices.device_for("auto") == "cuda"
    assert asked == ["auto"]
    assert devices.device_for("auto", ask=True) == "cuda" and asked == ["auto"] * 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    devices.device_for("auto")
    assert asked == ["auto"] * 3
