"""A cache that machines share: what lies there is read elsewhere, and one that fails, hangs or lies costs time only."""

import random
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import fsspec
import marking
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from typer.testing import CliRunner

import nodegraph
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphWarning
from nodegraph.base.paths import results_folder
from nodegraph.cli import app
from nodegraph.executors.processes import Processes
from nodegraph.runtime.cache import Disk, Kept
from nodegraph.runtime.literals import Library
from nodegraph.runtime.packed import Damaged
from nodegraph.runtime.remote import REST, TRIES, NoAddress, remote

NODES = Path(marking.__file__)
TEXT = """graph: 1
inputs: {a: {type: int, default: 3}}
nodes:
  first: {type: squared, a: $a, log: LOG}
  second: {type: squared, a: $first, log: LOG}
outputs: {n: $second}
"""
KEY = bytes(range(16))


class Broken(MemoryFileSystem):
    """A place in which everything fails."""

    protocol = "broken"
    cachable = False

    def cat_file(self, *_: Any, **__: Any) -> bytes:
        raise PermissionError(13, "Permission denied")

    exists = makedirs = pipe_file = mv = rm_file = cat_file


class Down(MemoryFileSystem):
    """A place that takes no connection while it is down."""

    protocol = "down"
    cachable = False
    is_down = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        if self.is_down:
            raise ConnectionRefusedError(111, "Connection refused")
        super().__init__(*arguments, **options)


class Hanging(Broken):
    """A place that never answers."""

    protocol = "hanging"

    def cat_file(self, *_: Any, **__: Any) -> bytes:
        threading.Event().wait()
        raise AssertionError

    exists = makedirs = pipe_file = mv = rm_file = cat_file


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of these tests, whose catalogues are made once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NODEGRAPH_CACHE", str(cache))
    for kind in (Broken, Down, Hanging):
        fsspec.register_implementation(str(kind.protocol), kind, clobber=True)
    yield tmp_path
    MemoryFileSystem.store.clear()


def on_new_machine(address: str) -> LoadedGraph:
    """The graph as a machine loads it that has kept nothing yet."""
    shutil.rmtree(results_folder(), ignore_errors=True)
    Path("g.yaml").write_text(TEXT.replace("LOG", str(Path("log").absolute())), "utf-8")
    return nodegraph.load("g.yaml", nodes=[NODES], cache=address)


def begun() -> int:
    return Path("log").read_text("utf-8").count("begins") if Path("log").exists() else 0


def entries(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("address", ["memory://shared", "shared", "file://{}/shared"])
def test_what_one_machine_made_another_finds(address: str, place: Path) -> None:
    address = address.format(place)
    one = on_new_machine(address)
    assert one(a=2).n == 16
    one.session.settle()
    assert begun() == 2
    other = on_new_machine(address)
    assert other(a=2).n == 16
    assert begun() == 2
    assert other(a=3).n == 81
    assert begun() == 4
    assert not other.session.settle()


def test_entries_are_made_beside_and_never_changed(place: Path) -> None:
    one = on_new_machine("shared")
    one(a=2)
    one.session.settle()
    made = {path: path.stat().st_mtime_ns for path in entries(place / "shared")}
    assert len(made) == 1  # what is not shown was quick to make
    assert all(path.parent.name == path.name[:2] for path in made)
    lonely = on_new_machine("elsewhere")
    lonely(a=2)
    disk = lonely.session.engine(lonely.opened, lonely.options).cache.disk
    assert disk is not None
    shared = remote("shared")
    shared.keep(bytes.fromhex(next(iter(made)).name), disk)
    shared.settle()
    assert {path: path.stat().st_mtime_ns for path in entries(place / "shared")} == made


class Anything:
    """A library without types: all that is kept is JSON."""

    def function(self, spec: Any) -> Any: ...

    def port_type(self, name: str) -> None: ...

    def facts(self, name: str) -> None: ...


def kept_in(folder: Path, outputs: Sequence[Any] = (1, "two")) -> Disk:
    from nodegraph.library.port import TypeRef

    library: Library = Anything()
    disk = Disk(folder, library)
    disk.put(KEY, Kept(tuple(outputs)), [TypeRef("int"), TypeRef("str")])
    return disk


def test_bytes_that_were_changed_anywhere_are_no_entry(place: Path) -> None:
    content = kept_in(place / "one").packed(KEY)
    assert content is not None
    other, chance = Disk(place / "two", Anything()), random.Random(3)
    for at in [0, len(content) - 1, *chance.choices(range(len(content)), k=200)]:
        for bit in (1, 128):
            flipped = bytearray(content)
            flipped[at] ^= bit
            with pytest.raises(Damaged):
                other.adopt(KEY, bytes(flipped))
    for cut in (b"", content[:10], content[:-1], content + b"x"):
        with pytest.raises(Damaged):
            other.adopt(KEY, cut)
    with pytest.raises(Damaged):
        other.adopt(KEY[::-1], content)  # whole, but another's
    assert KEY not in other
    other.adopt(KEY, content)
    assert other.packed(KEY) == content


def test_a_cache_that_lies_costs_time_only(place: Path) -> None:
    one = on_new_machine("shared")
    one(a=2)
    one.session.settle()
    (entry,) = entries(place / "shared")
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    entry.write_bytes(content)
    other = on_new_machine("shared")
    with pytest.warns(GraphWarning, match="W501 remote-cache: the cache shared: what lies there"):
        assert other(a=2).n == 16
    assert begun() == 4
    other.session.settle()
    third = on_new_machine("shared")
    assert third(a=2).n == 16
    assert begun() == 4  # what was damaged is there again


def test_a_cache_that_fails_is_told_once_and_then_left_alone() -> None:
    one = on_new_machine("broken://x")
    with pytest.warns(GraphWarning, match="W501 .*Permission denied"):
        assert [one(a=a).n for a in range(2, 8)] == [a**4 for a in range(2, 8)]
    assert not one.session.settle()
    assert begun() == 2 * 6


def test_a_cache_that_is_down_at_the_beginning_is_used_when_it_is_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("nodegraph.runtime.remote.TRIES", 99)
    loaded = on_new_machine("down://shared")
    with pytest.warns(GraphWarning, match="W501 .*Connection refused"):
        assert loaded(a=2).n == 16
    loaded.session.settle()
    monkeypatch.setattr(Down, "is_down", False)
    assert loaded(a=3).n == 81
    assert begun() == 4
    loaded.session.settle()
    assert on_new_machine("down://shared")(a=3).n == 81
    assert begun() == 4


def test_a_cache_that_hangs_is_waited_for_a_few_times() -> None:
    shared, disk = remote("hanging://x"), kept_in(Path("one"))
    shared.patience = 0.05
    for number in range(TRIES):
        shared.fetch([bytes([number]) * 16], disk)
    started = time.monotonic()
    for number in range(100):
        shared.fetch([bytes([number]) * 16], disk)
    assert time.monotonic() - started < 0.05 * 100
    shared.keep(KEY, disk)
    shared.settle(0.0)
    told = [found.message for found in shared.complaints()]
    assert any("has not answered within 0.05 s" in message for message in told)
    assert not shared.complaints()
    assert REST > 0


def test_workers_share_a_cache_and_have_written_when_the_run_ends(
    monkeypatch: pytest.MonkeyPatch, place: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = on_new_machine("shared")
    with Processes(1) as workers:
        assert [r.n for _, r in one.each(a=[2, 3], on=workers)] == [16, 81]
    assert len(entries(place / "shared")) == 2
    other = on_new_machine("shared")
    assert [r.n for _, r in other.each(a=[2, 3, 4])] == [16, 81, 256]
    assert begun() == 6


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("s3://bucket/x", "E505 no-package", "pip install s3fs"),
        ("nosuch://x", "E506 bad-cache", "Protocol not known"),
        ("memry://x", "E506 bad-cache", "did you mean 'memory'?"),
        ("", "E506 bad-cache", "names no place"),
        ("s3://", "E506 bad-cache", "names no place"),
    ],
)
def test_addresses_that_are_none_are_told_with_the_mend(
    address: str, code: str, message: str
) -> None:
    with pytest.raises(NoAddress) as raised:
        on_new_machine(address)
    assert code in str(raised.value)
    assert message in str(raised.value)
    command = ["run", "g.yaml", "--nodes", str(NODES), "--cache", address]
    told = CliRunner().invoke(app, command)
    assert told.exit_code == 2
    assert code in told.stderr
    assert begun() == 0


def test_an_option_that_is_no_address_and_one_against_itself() -> None:
    Path("g.yaml").write_text("graph: 1\ninputs: {a: {type: int, default: 1}}\noutputs: {a: $a}\n")
    wrong: Any = 3
    with pytest.raises(TypeError, match="cache is an address"):
        nodegraph.load("g.yaml", cache=wrong)
    with pytest.raises(ValueError, match="cached=False keeps none"):
        nodegraph.load("g.yaml", cache="shared", cached=False)
    told = CliRunner().invoke(app, ["run", "g.yaml", "--cache", "shared", "--no-cache"])
    assert told.exit_code == 2
    assert "say one" in told.stderr
    assert not Path("shared").exists()
