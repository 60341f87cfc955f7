"""A command beside a tree that is small enough to travel to another machine that takes at most 64 MiB.

`python benchmarks/travel.py -- COMMAND`: what is not needed there (`ASIDE`) is set aside in git's own folder, the wheels that
a bare machine lacks (`WHEELS`) are gathered in `.travel`, COMMAND is run, and all is brought back, also when something fails
or it is interrupted. A call that was killed is mended by the next: `python benchmarks/travel.py` alone brings everything back.
"""

import argparse
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LIMIT = 64
"""MiB that travel."""
ASIDE = (
    "tests/golden/data",
    "docs/images",
    "nodes/shapes/weights/adm",
    "nodes/shapes/weights/glide/inpaint",
    "nodes/shapes/weights/glide/upsample_inpaint",
    "nodes/shapes/weights/unclip/autoregressive_prior",
)
WHEELS = (
    "annotated-doc", "annotated-types", "click", "editables", "filelock", "ftfy", "hatchling", "huggingface_hub", "hypothesis",
    "iniconfig", "pathspec", "trove-classifiers",
    "markdown-it-py", "mdurl", "networkx", "open_clip_torch", "packaging", "pillow", "platformdirs", "pluggy", "pydantic",
    "pydantic_core", "Pygments", "pytest", "PyYAML", "regex", "rich", "safetensors", "shellingham", "sortedcontainers", "tqdm",
    "typer", "typing-inspection", "typing_extensions", "wcwidth",
)  # fmt: skip
"""Of the versions in constraints.txt, where it names one. torchvision is not among them: it belongs to a build of torch, and
mostly comes with it; where it does not, `--also torchvision==VERSION` takes it along."""
WHEEL_FOLDER = Path(".travel/wheels")
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


class Stopped(Exception):
    """A signal that ends the program."""


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def store_of(root: Path) -> Path:
    """Where things are set aside: beside git's own files, so that they are no part of the tree."""
    return Path(git(root, "rev-parse", "--absolute-git-dir").strip()) / "travel"


def set_aside(root: Path, store: Path, paths: Sequence[str]) -> None:
    for path in paths:
        if (root / path).exists():
            (store / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).rename(store / path)


def bring_back(root: Path, store: Path, paths: Sequence[str]) -> list[str]:
    """The paths that were aside, each moved back whole. Raises FileExistsError where something else stands in its place."""
    back = [path for path in paths if (store / path).exists()]
    for path in back:
        if (root / path).exists():
            raise FileExistsError(f"{root / path} is in the way of what lies in {store / path}")
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (store / path).rename(root / path)
    return back


@contextmanager
def lightened(root: Path, paths: Sequence[str]) -> Iterator[None]:
    """The tree without these paths. What an earlier call left aside is brought back first."""
    store = store_of(root)
    store.mkdir(exist_ok=True)
    with FileLock(store / "lock", timeout=0):
        for path in bring_back(root, store, paths):
            print(f"brought back what a killed call had set aside: {path}", flush=True)
        try:
            set_aside(root, store, paths)
            yield
        finally:
            bring_back(root, store, paths)


def pinned(root: Path, names: Sequence[str]) -> list[str]:
    """Names with the versions of constraints.txt, as far as they stand there."""
    lines = (root / "constraints.txt").read_text(encoding="utf-8").splitlines()
    versions = dict(line.split("==", 1) for line in lines if "==" in line and line[0] != "#")
    known = {plain(name): version.strip() for name, version in versions.items()}
    return [f"{n}=={known[plain(n)]}" if plain(n) in known else n for n in names]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def gather(root: Path, python: str, also: Sequence[str]) -> None:
    """The wheels for another Python, without their dependencies."""
    places = [word for platform in PLATFORMS for word in ("--platform", platform)]
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
    ]
    where = ["--dest", str(root / WHEEL_FOLDER)]
    subprocess.run(
        [*command, "--python-version", python, *places, *where, *pinned(root, WHEELS), *also],
        check=True,
    )


def size(root: Path) -> int:
    """Bytes of the tree that are tracked, or neither tracked nor ignored, and of the wheels."""
    names = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = {root / name for name in names if name} | set((root / WHEEL_FOLDER).glob("*.whl"))
    return sum(file.stat().st_size for file in files if file.is_file())


def carried_out(command: Sequence[str]) -> int:
    """The exit status of a command, which is ended if this program is."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


def stop(number: int, frame: object) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise Stopped(signal.Signals(number).name)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--python", default="3.12", help="the other machine's")
    parser.add_argument("--limit", type=float, default=LIMIT, help="MiB that may travel")
    parser.add_argument("--also", action="append", default=[], help="one more wheel, NAME==VERSION")
    parser.add_argument("--no-wheels", action="store_true", help="leave the wheels as they are")
    parser.add_argument("command", nargs="*")
    given = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    try:
        with lightened(given.root, ASIDE):
            return within(given)
    except Stopped as signalled:
        print(f"stopped by {signalled}; everything is back", file=sys.stderr)
        return 130
    except Timeout:
        print("another call is under way", file=sys.stderr)
        return 2


def within(given: argparse.Namespace) -> int:
    if not given.command:
        return 0
    if not given.no_wheels:
        gather(given.root, given.python, given.also)
    mib = size(given.root) / 2**20
    print(f"{mib:.1f} MiB travel, of at most {given.limit:g}", flush=True)
    if mib > given.limit:
        print("that is too much", file=sys.stderr)
        return 1
    return carried_out(given.command)


if __name__ == "__main__":
    sys.exit(main())
