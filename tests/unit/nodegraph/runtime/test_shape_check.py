"""The shape check of nodes as people write them: what needs values is unknown, what does not fit is a fault."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image as PillowImage
from torch import Tensor

from nodegraph import PortType, node
from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphError
from nodegraph.build import declared
from nodegraph.language.compile import compile_graph
from nodegraph.language.source import SourceText, from_file
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime.abstract import ShapeReport, check_shapes
from nodegraph.runtime.meta.abstract import Recall, abstract_run
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Session
from nodes.library import pictures
from nodes.tensors import Tensors
from nodes.wires.pictures import Image

TYPES = declared({}, str)[1]
ran: list[str] = []


@node(category="test")
def by_numpy(image: Image) -> Image:
    """Through an array."""
    return torch.from_numpy(image.numpy() * 0.5)


@node(category="test")
def by_list(image: Image) -> Image:
    """Through a list."""
    return torch.tensor(image.tolist())


@node(category="test")
def by_unique(image: Image) -> int:
    """Counts values."""
    return len(torch.unique(image))


@node(category="test")
def by_generator(image: Image) -> Image:
    """Adds noise of its own."""
    generator = torch.Generator(image.device).manual_seed(1)
    return image + torch.randn(image.shape, generator=generator)


@node(category="test")
def by_question(image: Image) -> Image:
    """Looks at a value."""
    return image if image.max() > 1 else image / 2


@node(category="test")
def by_constant(image: Image) -> Image:
    """Meets a tensor that it makes itself."""
    return torch.cat([image * torch.ones(3, 1, 1), torch.zeros(1, *image.shape[1:])])


@node(category="test")
def wrong(image: Image) -> Image:
    """Cannot work."""
    ran.append("wrong")
    return image @ torch.ones(7, 7)


@dataclass(frozen=True, eq=False)
class Palette(Tensors):
    """Colours [N, 3]."""

    colours: Tensor


def _parsed(literal: str, context: object) -> Palette:
    return Palette(torch.tensor([[float(n) for n in word.split(",")] for word in literal.split()]))


def _wide(value: Palette) -> str | None:
    return None if value.colours.shape[1] == 3 else "float32 [N, 3]"


PORT_TYPES = {Palette: PortType("Palette", literal="text", parse=_parsed, check=_wide)}


@node(category="test")
def by_distance(image: Image, palette: Palette) -> Image:
    """The nearest colours, by an operation that looks at devices before any mode is asked."""
    pixels = image.movedim(1, -1)
    nearest = torch.cdist(pixels.reshape(-1, 3), palette.colours).argmin(1)
    return palette.colours[nearest].reshape(pixels.shape).movedim(-1, 1)


def checked(folder: Path, nodes: str) -> ShapeReport:
    PillowImage.new("RGB", (8, 6)).save(folder / "a.png")
    names = [line.split(":")[0].strip() for line in nodes.splitlines()]
    outputs = ", ".join(f"{name}: ${name}" for name in names)
    text = f"graph: 1\nnodes:\n  p: {{type: load_image, file: a.png}}\n{nodes}\noutputs: {{{outputs}}}\n"
    (folder / "g.yaml").write_text(text, encoding="utf-8")
    registry = from_modules([sys.modules[__name__], pictures], types=TYPES)
    source = from_file(folder / "g.yaml")
    engine = Session(registry).engine(Recorded(source), Options(cached=False))
    return check_shapes(compile_graph(source, registry).checked(), engine)


@pytest.mark.parametrize(
    "kind", ["by_numpy", "by_list", "by_unique", "by_generator", "by_question"]
)
def test_a_node_that_needs_values_is_unknown(tmp_path: Path, kind: str) -> None:
    report = checked(tmp_path, f"  a: {{type: {kind}, image: $p}}")
    assert report.diagnostics == ()
    assert report.unknown == 1


def test_it_is_told_where_shapes_are_lost(tmp_path: Path) -> None:
    report = checked(tmp_path, "  a: {type: by_list, image: $p}\n  b: {type: by_list, image: $a}")
    assert report.unknown == 2
    assert list(report.lost) == ["a"]
    assert report.lost["a"].startswith("it cannot run on shapes: tolist()")


def test_a_literal_of_tensors_is_on_shapes_too(tmp_path: Path) -> None:
    report = checked(tmp_path, "  a: {type: by_distance, image: $p, palette: '0,0,1 1,0,0'}")
    assert report.diagnostics == ()
    assert report.steps[-1].outputs == ("float32[1, 3, 6, 8] on meta",)


def test_a_literal_is_held_against_its_type(tmp_path: Path) -> None:
    report = checked(tmp_path, "  a: {type: by_distance, image: $p, palette: '0,0 1,0'}")
    [fault] = report.diagnostics
    assert fault.code == "E403" and "'0,0 1,0' makes no Palette, float32 [N, 3]" in fault.message


def test_constants_of_a_node_meet_shapes(tmp_path: Path) -> None:
    report = checked(tmp_path, "  a: {type: by_constant, image: $p}")
    assert report.diagnostics == ()
    assert "2, 3, 6, 8" in report.steps[-1].outputs[0]


def test_shapes_that_do_not_fit_stop_a_run_before_it_begins(tmp_path: Path) -> None:
    report = checked(tmp_path, "  a: {type: wrong, image: $p}")
    assert [(d.code, d.span.line) for d in report.diagnostics if d.span] == [("E401", 4)]
    registry = from_modules([sys.modules[__name__], pictures], types=TYPES)
    source = from_file(tmp_path / "g.yaml")
    graph = LoadedGraph(Recorded(source), Session(registry), Options(cached=False))
    ran.clear()
    with pytest.raises(GraphError, match="E401"):
        graph()
    assert ran == ["wrong"]


def test_values_from_python_are_checked_by_their_shapes() -> None:
    text = 'graph: 1\ninputs: {images: {type: "list[Image]"}}\nnodes: {g: {type: grid, images: $images}}\noutputs: {g: $g}\n'
    registry = from_modules([pictures], types=TYPES)
    source = SourceText("g.yaml", text)
    graph = LoadedGraph(Recorded(source), Session(registry), Options(cached=False))
    pair = [torch.zeros(1, 3, 4, 4), torch.ones(1, 3, 4, 4)]
    assert graph(images=pair).g.shape == (1, 3, 4, 10)
    with pytest.raises(GraphError, match=r"E402.*4 × 4 pixels and 5 × 5"):
        graph(images=[pair[0], torch.zeros(1, 3, 5, 5)])


def test_calls_on_equal_shapes_are_made_once_and_cost_each_time() -> None:
    calls: list[torch.Size] = []

    def product(a: torch.Tensor, *, b: torch.Tensor) -> torch.Tensor:
        calls.append(a.shape)
        return (a @ b) @ b

    recall = Recall(product)
    costs = []
    for function in (product, recall, recall):
        with abstract_run() as cost:
            made = [
                function(torch.empty(n, 8, device="meta"), b=torch.empty(8, 8, device="meta"))
                for n in (2, 2, 3)
            ]
            costs.append(cost())
        assert [tuple(m.shape) for m in made] == [(2, 8), (2, 8), (3, 8)]
    assert costs[0] == costs[1] == costs[2]
    assert [s[0] for s in calls] == [2, 2, 3, 2, 3]
