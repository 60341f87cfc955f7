"""Files are whole or not there, and nobody takes a name that another has."""

import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from nodegraph.base.partial import claimed, replacing, scratch, sweep, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "card.txt"
    write_text(path, "one\r\ntwo")
    assert path.read_bytes() == b"one\r\ntwo" and names(path.parent) == ["card.txt"]


def test_what_was_there_stays_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "card.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(RuntimeError), replacing(path) as made:
        made.write_text("half", encoding="utf-8")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "old" and names(tmp_path) == ["card.txt"]


def test_mode_and_link_of_what_was_there_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old", encoding="utf-8")
    real.chmod(0o640)
    link.symlink_to(real)
    write_text(link, "new")
    assert link.is_symlink() and real.read_text(encoding="utf-8") == "new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_names_count_on_from_what_is_there(tmp_path: Path) -> None:
    for name in ("cat-002-1.png", "cat-x.png", "cats-009.png"):
        (tmp_path / name).touch()
    with claimed(tmp_path, "cat") as (beside, name):
        (beside / f"{name}-0.png").touch()
        (beside / f"{name}-1.png").touch()
        assert "cat-003-0.png" not in names(tmp_path)
    assert {"cat-003-0.png", "cat-003-1.png"} <= set(names(tmp_path)) and len(names(tmp_path)) == 5


def test_an_error_in_between_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError), claimed(tmp_path, "cat") as (beside, name):
        (beside / f"{name}.png").touch()
        raise FileExistsError
    assert names(tmp_path) == []


def write_some(folder: Path, writer: int) -> list[str]:
    """What one of several processes does at the same time."""
    found: list[str] = []
    for _ in range(20):
        with claimed(folder, "cat") as (beside, name):
            (beside / f"{name}.txt").write_text(f"{writer} {name}", encoding="utf-8")
            found.append(name)
    return found


def test_processes_that_share_a_folder_never_take_one_name(tmp_path: Path) -> None:
    with ProcessPoolExecutor(3, get_context("spawn")) as pool:
        taken = list(pool.map(write_some, [tmp_path] * 3, range(3)))
    assert len({name for found in taken for name in found}) == 60
    for writer, found in enumerate(taken):
        for name in found:
            assert (tmp_path / f"{name}.txt").read_text(encoding="utf-8") == f"{writer} {name}"
    assert len(names(tmp_path)) == 60


KILLED = """
import os, signal, sys
from pathlib import Path
from nodegraph.base.partial import claimed
with claimed(Path(sys.argv[1]), "cat") as (beside, name):
    (beside / f"{name}.png").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_made_never_has_a_final_name_and_is_swept(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert names(tmp_path) == [".cat-001.partial"]
    with scratch(tmp_path) as alive:
        sweep(tmp_path)
        assert names(tmp_path) == [alive.name]
    with claimed(tmp_path, "cat") as (_, name):
        assert name == "cat-001"


def test_what_was_killed_before_it_was_locked_or_while_it_was_removed_is_swept(
    tmp_path: Path,
) -> None:
    (tmp_path / ".new.partial").mkdir()
    (tmp_path / ".old.partial").mkdir()
    (tmp_path / ".old.partial" / "half.png").touch()
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_is_swept_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def swept_once(path: Path) -> Path:
        path.mkdir()
        if not made:
            sweep(tmp_path)
        made.append(path)
        return path

    monkeypatch.setattr("nodegraph.base.partial._made", swept_once)
    with scratch(tmp_path) as path:
        assert path.exists() and names(tmp_path) == [path.name]
    assert names(tmp_path) == []


def test_a_folder_that_is_swept_as_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swept: list[str] = []
    really = os.open

    def opened(path: Any, *given: Any, **more: Any) -> int:
        if str(path).endswith("lock") and not swept:
            swept.extend(names(tmp_path))
            sweep(tmp_path)
        return really(path, *given, **more)

    monkeypatch.setattr(os, "open", opened)
    with scratch(tmp_path) as path:
        assert swept and path.name not in swept
        assert names(tmp_path) == [path.name]
    assert names(tmp_path) == []
