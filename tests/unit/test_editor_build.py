"""The editor's build: what it is made of, when it is built again, and what an install asks for."""

import json
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def hook() -> dict[str, Any]:
    """The names of the build hook."""
    pytest.importorskip("hatchling")
    return runpy.run_path(str(ROOT / "hatch_build.py"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an editor that was built."""
    web = tmp_path / "server" / "web"
    (web / "src").mkdir(parents=True)
    (web / "package.json").write_text("{}")
    (web / "src" / "main.ts").write_text("1")
    (tmp_path / "server" / "static").mkdir()
    return tmp_path


def built(hook: dict[str, Any], root: Path) -> None:
    made = hook["stamp"](root / "server" / "web") + "\n"
    (root / "server" / "static" / ".built-from").write_text(made, "ascii")


def wanted(hook: dict[str, Any], root: Path) -> list[str]:
    made = hook["CustomBuildHook"](str(root), {}, None, None, str(root), "wheel")
    return made.dependencies()


def test_node_is_asked_for_only_where_the_sources_differ(
    hook: dict[str, Any], checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NODEGRAPH_WEB", raising=False)
    assert wanted(hook, checkout) == [hook["NODE"]]
    built(hook, checkout)
    assert wanted(hook, checkout) == []
    (checkout / "server" / "web" / "src" / "main.ts").write_text("2")
    assert wanted(hook, checkout) == [hook["NODE"]]
    monkeypatch.setenv("NODEGRAPH_WEB", "skip")
    assert wanted(hook, checkout) == []


def test_tests_and_tools_are_no_part_of_what_is_built(hook: dict[str, Any], checkout: Path) -> None:
    built(hook, checkout)
    web = checkout / "server" / "web"
    (web / "src" / "main.test.ts").write_text("a test")
    (web / "node_modules").mkdir()
    (web / "node_modules" / "tool.js").write_text("a tool")
    assert hook["is_built"](checkout)
    (web / "src" / "main.ts").rename(web / "src" / "other.ts")
    assert not hook["is_built"](checkout)


def test_the_lock_names_no_host_and_all_packages_have_digests() -> None:
    lock = json.loads((ROOT / "server" / "web" / "package-lock.json").read_text())
    packages = {name: told for name, told in lock["packages"].items() if name}
    assert packages and all(told.get("integrity") for told in packages.values())
    assert not any("resolved" in told for told in packages.values())


def test_all_packages_are_pinned() -> None:
    told = json.loads((ROOT / "server" / "web" / "package.json").read_text())
    versions = [*told["dependencies"].values(), *told["devDependencies"].values()]
    assert versions and all(version[0].isdigit() for version in versions)
