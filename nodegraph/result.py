"""The outputs of a run in Python: as attributes, as pictures of PIL and numpy, as PNG files, in a notebook."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from nodegraph.base import markup
from nodegraph.base.diagnostics import nearest
from nodegraph.base.partial import scratch
from nodegraph.base.paths import expanded
from nodegraph.library.holding import shown
from nodegraph.library.port import PortType
from nodegraph.runtime.writing import kind_of
from nodegraph.session import Prepared, Session

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

KINDS = {".png": "picture", ".gif": "film in GIF", ".mp4": "film in MP4"}
"""What is written to files, by their endings."""
LONGEST = 100
"""Characters of a value in one line."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a result comes from: title and inputs of the graph, the types of the outputs, the text chunks of its pictures."""

    title: str
    inputs: Mapping[str, Any]
    ports: Mapping[str, PortType | None]
    chunks: Callable[[], Mapping[str, str]]


@dataclass(frozen=True, repr=False)
class Result:
    """The outputs of a run, by name (`result.outputs["image"]`) and as attributes (`result.image`).

    One that is named like a method is only in `outputs`.

    Pictures are those outputs that the command line writes as PNG: pictures, masks, drawings, and lists of them.
    """

    outputs: Mapping[str, Any]
    origin: Origin = field(compare=False)

    def __getattr__(self, name: str) -> Any:
        outputs = vars(self).get("outputs", {})  # none yet in a copy that is being made
        if name not in outputs:
            raise AttributeError(f"no output '{name}'; there are {', '.join(outputs)}")
        return outputs[name]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.outputs]

    def __repr__(self) -> str:
        lines = (f"\n  {name}: {self._line(name)}" for name in self.outputs)
        return f"<result of '{self.origin.title}'{''.join(lines)}>"

    def to_pil(self, name: str | None = None) -> "list[Image]":
        """The pictures of an output as `PIL.Image`s in RGB, with the pixels that the command line writes.

        Without a name, of the one output that is a picture. Raises ValueError where there is none, or are several.
        """
        from PIL import Image

        with TemporaryDirectory() as folder:
            paths = self._pictures(name, Path(folder), {})
            return [Image.open(path).convert("RGB") for path in paths]

    def to_numpy(self, name: str | None = None) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        """The pictures of an output, uint8 [B, H, W, 3]; chosen as in `to_pil`.

        Raises ValueError also where there are none in it, or they differ in size.
        """
        import numpy as np

        pictures = self.to_pil(name)
        sizes = {picture.size for picture in pictures}
        if len(sizes) != 1:
            found = ", ".join(f"{w} × {h}" for w, h in sorted(sizes)) or "no pictures"
            raise ValueError(f"one array holds pictures of one size, not {found}; use to_pil")
        return np.stack([np.asarray(picture) for picture in pictures])

    def save(self, path: str | PathLike[str], name: str | None = None) -> list[Path]:
        """Write the pictures of an output as PNG, with the graph that made them inside, as the command line does; a film to a
        path that ends with its format, .gif or .mp4.

        One picture is written to `path`; of several, each to a file of its own: `path-0.png`, `path-1.png`, … What was there is
        replaced. Gives the paths. The output is chosen as in `to_pil`. Raises ValueError for another ending, and OSError.
        """
        place = expanded(Path(path))
        ending = place.suffix.lower()
        if ending not in KINDS:
            why = "pictures are written as PNG, and films as GIF or MP4"
            raise ValueError(f"{why}, so '{place}' must end with .png, .gif or .mp4")
        with scratch(place.parent) as beside:
            made = self._pictures(name, beside, self.origin.chunks(), ending)
            if not made:
                raise ValueError("there are no pictures in this output")
            several = len(made) > 1
            places = [place.with_stem(f"{place.stem}-{n}") for n in range(len(made))]
            return [a.replace(b) for a, b in zip(made, places if several else [place], strict=True)]

    def _repr_html_(self) -> str:
        parts = [(name, self._html(name)) for name in self.outputs]
        seed = self.origin.inputs.get("seed")
        told = [self.origin.title, "" if seed is None else f"seed {seed}"]
        return markup.figure(parts, ", ".join(filter(None, told)))

    def _html(self, name: str) -> str:
        """An output in a notebook; one that cannot be drawn in a line."""
        value = self.outputs[name]
        if hasattr(value, "_repr_html_"):
            return value._repr_html_()
        with TemporaryDirectory() as folder:
            try:
                pictures = self._files(name, Path(folder), {})
            except (ValueError, TypeError):
                pictures = None
            if pictures:
                return markup.grid([path.read_bytes() for path in pictures], name)
        return markup.paragraph(value if isinstance(value, str) else self._line(name))

    def _line(self, name: str) -> str:
        """An output in a few words."""
        value, port = self.outputs[name], self.origin.ports.get(name)
        items = cast("list[Any]", value)[:4] if isinstance(value, list) else [value]
        line = ", ".join(_told(item, port) for item in items)
        if isinstance(value, list):
            line = f"[{line}{', …' if len(cast('list[Any]', value)) > 4 else ''}]"
        return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

    def _pictures(
        self, name: str | None, folder: Path, chunks: Mapping[str, str], ending: str = ".png"
    ) -> list[Path]:
        """The files of the output of a name, or of the one that is a picture (of that ending), in order."""
        kind = KINDS[ending]
        if name is not None and name not in self.outputs:
            hint = nearest(name, self.outputs)
            raise ValueError(f"no output '{name}'" + (f"; {hint}" if hint else ""))
        files = {
            n: self._files(n, folder, chunks, ending) for n in self.outputs if name in (None, n)
        }
        drawn = {n: found for n, found in files.items() if found is not None}
        if name is not None and name not in drawn:
            raise ValueError(f"output '{name}' is no {kind}: it is {self._line(name)}")
        if not drawn:
            raise ValueError(f"no output is a {kind}; there are: {', '.join(self.outputs)}")
        if len(drawn) > 1:
            raise ValueError(f"say which {kind} is meant; there are: {', '.join(drawn)}")
        return next(iter(drawn.values()))

    def _files(
        self, name: str, folder: Path, chunks: Mapping[str, str], ending: str = ".png"
    ) -> list[Path] | None:
        """An output as PNG files, or as files of another ending, in order; None where it is none."""
        value, port = self.outputs[name], self.origin.ports.get(name)
        if port is None or port.write is None:
            return None
        items = cast("list[Any]", value) if isinstance(value, list) else [value]
        inside = folder / str(len(list(folder.iterdir())))
        inside.mkdir()
        made = [p for n, i in enumerate(items) for p in port.write(i, inside, f"{n}", chunks)]
        return made if all(path.suffix == ending for path in made) else None


def _told(value: Any, port: PortType | None) -> str:
    """A value in a few words; nothing is printed of what arrays hold."""
    if isinstance(value, str | int | float | bool | None):
        return repr(value)
    return port.describe(value) if port is not None and port.describe else shown(value)


def result_of(session: Session, prepared: Prepared, outputs: Mapping[str, Any]) -> Result:
    """The result of a run."""
    program, known = prepared.program, session.registry
    ports = {name: known.port_type(kind_of(program, name)) for name in outputs}
    origin = Origin(program.title, program.inputs, ports, prepared.keyed.provenance)
    return Result(outputs, origin)
