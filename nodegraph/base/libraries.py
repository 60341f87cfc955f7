"""Libraries of nodes and graphs as they are installed: their files, found by entry points without importing them."""

import hashlib
import importlib.util
import pkgutil
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points
from pathlib import Path
from traceback import extract_tb

from nodegraph.base.framing import framed

NODE_GROUP = "nodegraph.nodes"
TYPE_GROUP = "nodegraph.types"
GRAPH_GROUP = "nodegraph.graphs"
COMPOSITES = "composites"
OWN = "nodegraph"
_DECLARED = re.compile(r"^@(?:\w+\.)*node\b.*?^(?:async )?def (\w+)", re.MULTILINE | re.DOTALL)


class BrokenLibrary(RuntimeError):
    """An installed library that cannot be read: names it and what is wrong."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What of the installed libraries cannot be read (a library, a file, a function or a graph), why, and the node types
    that are missed for it, as far as they are known; `own`: it is a person's own node file, and nothing installed."""

    place: str
    reason: str
    names: tuple[str, ...] = ()
    own: bool = False

    def __str__(self) -> str:
        return f"{self.place} cannot be read: {self.reason}"

    @property
    def mend(self) -> str:
        """What to do."""
        return "mend that file" if self.own else "mend that library, or uninstall it"


def libraries(group: str) -> list[str]:
    """The packages that are registered in a group, each once: this program's own first, the others by name."""
    points = entry_points(group=group)
    own = {point.value for point in points if point.dist is not None and point.dist.name == OWN}
    return sorted({point.value for point in points}, key=lambda value: (value not in own, value))


def module_names(package: str) -> list[str]:
    """The modules of a package (or the module itself), without importing them. Raises BrokenLibrary.

    Of those in packages inside it only the ones whose text declares nodes: the others need not be fit to be imported.
    """
    places = _places(package)
    if not places:
        return [package]
    direct = [f"{package}.{m.name}" for m in pkgutil.iter_modules(places) if not m.ispkg]
    known = {package, *direct}
    inside = {name: path for name, path in sources(package).items() if name not in known}
    return [*direct, *(name for name, path in inside.items() if _declared(path))]


def category_of(module: str, package: str = "") -> str:
    """The category of the nodes of a module: its path inside its library (`training/datasets`), or its own name."""
    inside = module.removeprefix(f"{package}.")
    inside = inside if package and inside != module else module.rpartition(".")[2]
    return inside.replace(".", "/")


def _places(package: str) -> list[str]:
    return list(_found(package).submodule_search_locations or ())


def _found(package: str) -> ModuleSpec:
    try:
        spec = importlib.util.find_spec(package)
    except Exception as error:
        raise BrokenLibrary(why(error)) from error
    if spec is None:
        raise BrokenLibrary(f"the package '{package}' is registered but not installed")
    return spec


def why(error: BaseException, package: str = "", inside: tuple[str, ...] = ()) -> str:
    """What went wrong, in one line, with its place in the package, or in files `inside` some places."""
    text = str(error).strip().partition("\n")[0]
    if isinstance(error, BrokenLibrary):
        return text
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if not (package or inside) or isinstance(error, SyntaxError):
        return said
    frames = [
        frame
        for frame in extract_tb(error.__traceback__)
        if frame.filename.startswith(inside or _inside(package))
    ]
    return (
        f"{said} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else said
    )


def _inside(package: str) -> tuple[str, ...]:
    spec = _found(package)
    return tuple(spec.submodule_search_locations or (spec.origin or "",))


def declared_names(package: str, module: str = "") -> tuple[str, ...]:
    """The node types that the text of a package, or of one module in it, declares, whether it can be imported or not."""
    files = sources(package).items()
    return tuple(n for name, path in files if module in ("", name) for n in _declared(path))


def _declared(path: Path) -> list[str]:
    """The node types that the text of a file declares."""
    try:
        return declared_in(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return []


def declared_in(text: str) -> list[str]:
    """The node types that a text of Python declares."""
    return _DECLARED.findall(text)


def homes(package: str) -> dict[str, str]:
    """The modules of the node types of a package, by name, as its text declares them; none of it is imported."""
    modules = set(module_names(package))
    return {
        name: module
        for module, path in sources(package).items()
        if module in modules
        for name in _declared(path)
    }


def sources(package: str) -> dict[str, Path]:
    """The Python files of a package, or the one of a module, by the names of their modules; none where it cannot be found."""
    try:
        spec = _found(package)
    except BrokenLibrary:
        return {}
    if spec.submodule_search_locations is None:
        return {package: Path(spec.origin)} if spec.origin else {}
    return {
        _module(package, path.relative_to(place)): path
        for place in spec.submodule_search_locations
        for path in sorted(Path(place).rglob("*.py"))
    }


def _module(package: str, file: Path) -> str:
    inside = [part for part in file.with_suffix("").parts if part != "__init__"]
    return ".".join((package, *inside))


def sources_digest(packages: Iterable[str], graphs: Iterable[tuple[str, Path]]) -> str:
    """Digest of the names of libraries, and of the place and content of every source file of the packages that they lie in,
    of the engine, and of graphs by name: any edit, and any move, makes a new catalogue."""
    named = list(packages)
    digest = hashlib.blake2b(repr((sys.version, named)).encode(), digest_size=12)
    roots = dict.fromkeys(name.partition(".")[0] for name in (*named, OWN))
    files = {name: path for package in roots for name, path in sources(package).items()}
    for name, path in (*sorted(files.items()), *sorted(graphs)):
        try:
            content = path.read_bytes()
        except OSError:
            content = b""
        digest.update(framed((name, path.name, content)))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class GraphFiles:
    """The graphs of some packages by their path without suffix (`glide/text_to_image`), those of `composites/` by the name
    of the node type; `clashes`: names that several files claim; `broken`: packages that cannot be read."""

    graphs: Mapping[str, Path]
    composites: Mapping[str, Path]
    clashes: Mapping[str, tuple[str, ...]]
    broken: tuple[Broken, ...]

    @property
    def places(self) -> list[tuple[str, Path]]:
        """All of them, by their path in the package that has them."""
        inner = ((f"{COMPOSITES}/{name}", path) for name, path in self.composites.items())
        return [*self.graphs.items(), *inner]


def graph_files(packages: Iterable[str]) -> GraphFiles:
    """The YAML files of some packages."""
    claims: dict[str, list[Path]] = {}
    broken: list[Broken] = []
    for package in packages:
        try:
            roots = [Path(place) for place in _places(package)]
        except BrokenLibrary as error:
            broken.append(Broken(f"the graphs of '{package}'", str(error)))
            continue
        for root in roots:
            for path in sorted(root.rglob("*.yaml")):
                name = path.relative_to(root).with_suffix("").as_posix()
                claims.setdefault(name, []).append(path)
    single = {name: paths[0] for name, paths in claims.items() if len(paths) == 1}
    clashes = {_bare(n): tuple(map(str, p)) for n, p in claims.items() if len(p) > 1}
    inner = {n: p for n, p in single.items() if n != _bare(n)}
    graphs = {n: p for n, p in single.items() if n not in inner}
    return GraphFiles(graphs, {_bare(n): p for n, p in inner.items()}, clashes, tuple(broken))


def _bare(name: str) -> str:
    """The name of a graph; of a composite the name of the node type that it is."""
    return name.removeprefix(f"{COMPOSITES}/")
