"""Careless nodes and callers: nobody changes what is kept, and nobody gets what was not promised."""

import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import careless
import numpy as np
import pytest
import torch
from torch import Tensor

from nodegraph.api import LoadedGraph
from nodegraph.base.diagnostics import GraphError, Mismatch, NodeFailed
from nodegraph.build import declared
from nodegraph.language.literals import BadLiteral
from nodegraph.language.program import Program
from nodegraph.language.source import SourceText
from nodegraph.library.registry import from_modules
from nodegraph.options import Options
from nodegraph.runtime.engine import Engine
from nodegraph.runtime.events import Cached, Completed, Event, Failed, Finished, Stepped, Warned
from nodegraph.runtime.recorded import Recorded
from nodegraph.session import Job, Session
from nodes.wires.pictures import to_bytes

REGISTRY = from_modules([careless], types=declared({}, str)[1])
OPTIONS = Options(cached=False)


def graph(nodes: str, outputs: str, inputs: str = "") -> LoadedGraph:
    text = f"graph: 1\ninputs: {{{inputs}}}\nnodes:\n{nodes}\noutputs: {{{outputs}}}\n"
    source = SourceText("careless.yaml", text, Path())
    return LoadedGraph(Recorded(source), Session(REGISTRY), OPTIONS)


def events(loaded: LoadedGraph, **inputs: Any) -> list[Event]:
    """What happens in a run that nothing is checked before."""
    return list(engine(loaded).run(program(loaded, **inputs)))


def engine(loaded: LoadedGraph) -> Engine:
    return loaded.session.engine(loaded.opened, OPTIONS)


def program(loaded: LoadedGraph, **inputs: Any) -> Program:
    return loaded.session.compiled(loaded.opened, Job(inputs)).checked()


RAMP = "  ramp: {type: ramp, size: 4, rows: 2}\n"


def arrays_of(value: Any) -> Iterator[Any]:
    from nodegraph.base.ownership import arrays

    return arrays(value)


def kept(array: Any) -> np.ndarray:
    """Its content now, as an array."""
    return torch.as_tensor(array).numpy().copy()


def alike(first: Any, second: Any) -> bool:
    """Whether the arrays of two values hold the same."""
    pairs = zip(arrays_of(first), arrays_of(second), strict=True)
    return all(np.array_equal(kept(a), kept(b)) for a, b in pairs)


MADE = {
    "Image": RAMP + "  out: {type: darker, image: $ramp}",
    "a view of another output": RAMP + "  out: {type: corner, image: $ramp}",
    "a list": RAMP + "  out: {type: crops, image: $ramp}",
    "an array": RAMP + "  out: {type: levels, image: $ramp}",
    "a dataclass": RAMP + "  out: {type: embedded, image: $ramp}",
    "a dataclass that can be changed": RAMP + "  out: {type: palette}",
    "the result of a generator": RAMP + "  out: {type: settle, image: $ramp}",
}


@pytest.mark.parametrize("nodes", MADE.values(), ids=MADE.keys())
def test_a_caller_changes_nothing_that_is_kept(nodes: str) -> None:
    loaded = graph(nodes, "ramp: $ramp, out: $out, same: $out")
    first = loaded()
    before = [kept(a) for a in arrays_of([first.ramp, first.out])]
    assert alike(first.out, first.same)
    for array in arrays_of([first.ramp, first.out]):
        array += 7
        array[0] = 1
    assert not alike(first.out, first.same)
    if isinstance(first.out, list):
        first.out.clear()
    if isinstance(first.out, careless.Palette):
        first.out.names.append("green")
        first.out.weights.clear()
    second = loaded()
    assert alike(before, [second.ramp, second.out])
    if isinstance(second.out, careless.Palette):
        assert second.out.names == ["red", "blue"]


def test_a_caller_may_change_a_preview() -> None:
    loaded = graph(RAMP + "  out: {type: settle, image: $ramp}", "out: $out")
    spoiled: Tensor | None = None
    for event in loaded.events():
        if isinstance(event, Stepped):
            event.preview.fill_(9)
        if isinstance(event, Completed):
            spoiled = event.outputs["out"]
    assert spoiled is not None
    assert torch.equal(spoiled, graph(RAMP, "out: $ramp")().out / 8)


def test_what_a_caller_gives_is_looked_at_in_each_call() -> None:
    loaded = graph("  out: {type: corner, image: $image}", "out: $out", "image: {type: Image}")
    image = torch.zeros(1, 3, 4, 4)
    assert loaded(image=image).out.max() == 0
    image.add_(1)
    assert loaded(image=image).out.max() == 1
    image.sub_(1)
    assert loaded(image=image).out.max() == 0  # and what was kept for it is no part of it


def test_what_a_caller_gives_may_change_while_the_graph_runs() -> None:
    nodes = RAMP + "  a: {type: settle, image: $ramp}\n  out: {type: corner, image: $image}"
    loaded = graph(nodes, "a: $a, out: $out", "image: {type: Image}")
    image = torch.zeros(1, 3, 4, 4)
    for event in loaded.events(image=image):
        image.add_(1)
        if isinstance(event, Completed):
            assert event.outputs["out"].max() == 0
    assert loaded(image=torch.zeros(1, 3, 4, 4)).out.max() == 0


WAYS = {
    "method": "darker", "index": "darker", "view": "darker", "out": "darker", "data": "darker", "numpy": "darker",
    "flipped by numpy": "darker", "shape": "darker", "gradient": "darker", "inside": "embedded", "item": "crops",
    "array": "levels", "dictionary": "palette",
}  # fmt: skip


def value_of(way: str) -> str:
    """A graph with the value that is going to be changed."""
    kind = WAYS.get(way, "darker")
    return (
        "" if kind == "palette" else RAMP
    ) + f"  value: {{type: {kind}{'' if kind == 'palette' else ', image: $ramp'}}}\n"


def careless_graph(way: str) -> str:
    return value_of(way) + f"  bad: {{type: change, value: $value, way: {way}}}"


@pytest.mark.parametrize("way", WAYS)
def test_a_node_that_works_in_place_is_refused(way: str) -> None:
    shown = "" if WAYS[way] == "palette" else ", ramp: $ramp"
    loaded = graph(careless_graph(way), f"out: $bad, value: $value{shown}")
    wanted = [kept(a) for a in arrays_of(graph(value_of(way), "out: $value")().out)]
    with pytest.raises((NodeFailed, GraphError)) as caught:
        loaded()
    assert "E406 changed-input: node 'bad' (change) changed its input 'value' in place" in str(
        caught.value
    )
    rest = LoadedGraph(graph(value_of(way), "out: $value").opened, loaded.session, OPTIONS)
    assert alike(wanted, rest().out)


def test_work_in_place_shows_in_the_check_where_it_needs_no_values() -> None:
    found = graph(careless_graph("method"), "out: $bad").check()
    assert [(f.code, f.node) for f in found] == [("E406", "bad")]
    assert found[0].hint is not None and "value.clone()" in found[0].hint


def test_a_node_that_fails_half_way_leaves_nothing_that_it_changed() -> None:
    loaded = graph(careless_graph("fails"), "out: $bad")
    with pytest.raises(NodeFailed, match="ArithmeticError: half-way"):
        events(loaded)
    fine = LoadedGraph(graph(value_of("fails"), "out: $value").opened, loaded.session, OPTIONS)
    assert torch.equal(fine().out, graph(RAMP, "out: $ramp")().out / 2)


BUFFERED = (
    RAMP
    + "  one: {type: buffered, image: $ramp, value: 0.25}\n  two: {type: buffered, image: $ramp, value: 0.5}\n"
)


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ("  both: {type: darkest, first: $one, second: $two}\n", "out: $both"),
        ("", "one: $one, two: $two"),
    ],
)
def test_a_node_that_gives_its_own_buffer_each_time_is_refused(nodes: str, outputs: str) -> None:
    loaded = graph(BUFFERED + nodes, outputs)
    with pytest.raises((NodeFailed, GraphError)) as caught:
        events(loaded)
    told = str(caught.value)
    assert "E406 changed-input: node 'one' (buffered) changed afterwards what it had given" in told
    assert isinstance(caught.value, NodeFailed)
    assert caught.value.diagnostic.hint == "give a new tensor each time: `buffer.clone()`"


def test_a_result_that_was_written_to_later_is_made_again() -> None:
    alone = "  one: {type: buffered, image: $ramp, value: %s}\n"
    first = graph(RAMP + alone % 0.25, "out: $one")
    wanted = first().out
    again = LoadedGraph(graph(RAMP + alone % 0.5, "out: $one").opened, first.session, OPTIONS)
    assert not torch.equal(again().out, wanted)
    assert torch.equal(first().out, wanted)


def test_a_generator_that_is_stopped_leaves_nothing_that_it_changed() -> None:
    loaded = graph(RAMP + "  bad: {type: change_slowly, image: $ramp}", "out: $bad")
    running = iter(engine(loaded).run(program(loaded)))
    while not isinstance(next(running), Stepped):
        pass
    running.close()  # type: ignore[attr-defined]
    fine = LoadedGraph(graph(RAMP, "out: $ramp").opened, loaded.session, OPTIONS)
    assert torch.equal(fine().out, graph(RAMP, "out: $ramp")().out)
    with pytest.raises(NodeFailed, match="E406"):
        events(loaded)


def test_a_list_is_the_nodes_own() -> None:
    nodes = RAMP + "  all: {type: crops, image: $ramp, count: 3}\n"
    nodes += "  a: {type: count_items, images: $all}\n  b: {type: count_items, images: $all}"
    found = graph(nodes, "a: $a, b: $b, all: $all")()
    assert (found.a, found.b, len(found.all)) == (3, 3, 3)


def test_what_was_made_in_inference_mode_is_looked_at_too() -> None:
    loaded = graph(
        "  bad: {type: change, value: $image, way: data}", "out: $bad", "image: {type: Image}"
    )
    with torch.inference_mode():
        image = torch.zeros(1, 3, 4, 4)
    with pytest.raises(NodeFailed, match="E406"):
        events(loaded, image=image)
    assert image.max() == 0


RIGHT = {
    "image": ("picture",), "mask": ("mask", "grey"), "signal": ("picture", "flat", "grey", "mask", "beyond", "below", "broken mask"), "text": ("word",),
    "seed": ("number", "numpy int"), "int": ("number", "numpy int"), "float": ("number", "half", "numpy float", "numpy int"),
    "bool": ("yes", "numpy bool"), "maybe": ("picture", "nothing"), "texts": ("words",), "either": ("number", "numpy int", "words"),
    "embedding": ("embedding",), "table": ("table",), "condition": ("condition",), "three": ("three",), "none": ("nothing",),
    "any": tuple(w for w in careless.GIVEN if w != "only a shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_a_node_gives_is_what_it_promised(name: str) -> None:
    for what in careless.GIVEN:
        loaded = graph(
            f"{RAMP}  n: {{type: gives_{name}, what: {what}}}",
            "ramp: $ramp" + (", n: $n" if name != "none" else ""),
        )
        if what in RIGHT[name]:
            events(loaded)
            continue
        with pytest.raises(NodeFailed) as caught:
            events(loaded)
        told = caught.value.diagnostic
        assert (told.code, told.node, str(told.span)) == ("E405", "n", "careless.yaml:5:3"), what
        assert told.message.startswith(f"node 'n' (gives_{name}) promised ")


def promised(node: str) -> str:
    with pytest.raises(NodeFailed) as caught:
        events(graph(f"{RAMP}  n: {{type: {node}}}", "n: $n"))
    told = caught.value.diagnostic
    assert told.code == "E405"
    return told.message.removeprefix("node 'n' ") + (f"; {told.hint}" if told.hint else "")


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ("gives_image, what: word", "(gives_image) promised Image and gave str 'hello'"),
        ("gives_image, what: flat", "(gives_image) promised Image, float32 [B, 3, H, W], and gave float32[3, 4, 4] in [0, 0]"),
        ("gives_image, what: array", "(gives_image) promised Image and gave numpy's float32[1, 3, 4, 4]"),
        ("gives_mask, what: beyond", "(gives_mask) promised Mask, float32 [B, 1, H, W] in [0, 1], and gave float32[1, 1, 4, 4] in [1.5, 1.5]"),
        ("gives_three, what: pair", "(gives_three) promised 3 outputs (low, high, energy) and gave 2"),
        ("gives_three, what: wrong three", "(gives_three) promised high: Image, float32 [B, 3, H, W], and gave float32[3, 4, 4] in [0, 0]"),
        ("gives_three, what: other names", "(gives_three) promised 3 outputs (low, high, energy) and gave 3 (high, low, energy)"),
        ("gives_image, what: sparse", "(gives_image) promised Image, a dense tensor, and gave float32[1, 3, 4, 4], torch.sparse_coo"),
        ("gives_image, what: only a shape", "(gives_image) promised values and gave a tensor on 'meta', which has none"),
        ("gives_texts, what: word and number", "(gives_texts) promised Text and gave int 1"),
        ("gives_share, what: half", "(gives_share) promised a number from 0 to 0.4 and gave float 0.5"),
        ("gives_choice, what: word", "(gives_choice) promised one of 'hallo', 'hullo' and gave str 'hello'"),
        ("gives_int, what: nothing", "(gives_int) promised int and gave None; return the result, or say `| None` in the signature"),
        ("forgets, image: $ramp", "(forgets) promised Image and gave None; a generator gives its result by `return`, after its last `yield`"),
        ("yields, image: $ramp", "(yields) promised Image and gave generator; a function that yields is annotated `-> Generator[Progress, None, …]`"),
    ],
)  # fmt: skip
def test_what_is_said_of_a_wrong_result(node: str, told: str) -> None:
    assert promised(node) == told


def test_steps_are_held_against_their_declaration() -> None:
    assert "promised steps and yielded int 1; " in promised("yields_numbers, image: $ramp")
    assert "promised a generator and gave float32[2, 3, 4, 4]" in promised("no_steps, image: $ramp")


def test_a_number_has_the_class_of_its_type() -> None:
    nodes = "".join(
        f"  {name}: {{type: gives_{name}, what: {what}}}\n"
        for name, what in (("int", "numpy int"), ("float", "number"), ("bool", "numpy bool"))
    )
    found = graph(nodes, "int: $int, float: $float, bool: $bool")()
    assert [type(found.outputs[name]) for name in ("int", "float", "bool")] == [int, float, bool]


@pytest.mark.parametrize("what", ["word", "array", "flat", "grey", "half precision"])
def test_a_wrong_result_is_found_in_the_check(what: str) -> None:
    found = graph(f"  n: {{type: gives_image, what: {what}}}", "n: $n").check()
    assert [(f.code, f.node) for f in found] == [("E405", "n")]


@pytest.mark.parametrize("kind", ["forgets", "yields", "yields_numbers", "no_steps"])
def test_generators_are_held_against_their_declaration_in_the_check(kind: str) -> None:
    (found,) = graph(f"{RAMP}  n: {{type: {kind}, image: $ramp}}", "n: $n").check()
    assert (found.code, found.node) == ("E405", "n")
    assert found.message.removeprefix("node 'n' ") in promised(f"{kind}, image: $ramp")


def test_an_error_that_cannot_say_what_it_is_is_told_by_its_name() -> None:
    (found,) = graph("  n: {type: fails, way: speechless}", "n: $n").check()
    assert "Speechless" in found.message and found.raised is not None
    loaded = graph("  n: {type: fails, way: speechless}", "n: $n")
    with pytest.raises(NodeFailed, match="Speechless"):
        events(loaded)


@pytest.mark.parametrize("way", ["key", "helper", "library", "exit", "stop", "chained"])
def test_a_failure_names_the_line_of_the_nodes_own_code(way: str) -> None:
    loaded = graph(f"{RAMP}  n: {{type: fails, image: $ramp, way: {way}}}", "n: $n")
    said: list[Event] = []
    with pytest.raises(NodeFailed) as caught:
        for event in engine(loaded).run(program(loaded)):
            said.append(event)
    told = caught.value.diagnostic
    assert (told.code, told.node, str(told.span)) == ("E501", "n", "careless.yaml:5:3")
    assert told.hint is not None and "image: float32[2, 3, 4, 4] in [-1, 1] on cpu" in told.hint
    lines = Path(careless.__file__).read_text(encoding="utf-8").splitlines()
    (line,) = (i for i, text in enumerate(lines, 1) if text.endswith(f"# here: {way}"))
    assert told.raised is not None and told.raised.endswith(f"careless.py:{line}")
    assert isinstance(said[-1], Failed) and said[-1].diagnostic == told
    assert f"# here: {way}" in "".join(traceback.format_exception(caught.value))
    assert told.raised in str(caught.value) and "image = float32[2, 3, 4, 4]" in str(caught.value)


def test_a_mismatch_at_run_is_told_as_in_the_check() -> None:
    loaded = graph("  n: {type: fails, way: mismatch}", "n: $n")
    with pytest.raises(NodeFailed) as caught:
        events(loaded)
    (checked,) = loaded.check()
    assert caught.value.diagnostic == checked
    assert (checked.code, checked.hint, checked.span.column) == ("E402", "take one world", 25)  # type: ignore[union-attr]


def test_failures_can_be_sent_to_another_process() -> None:
    loaded = graph(
        "  n: {type: fails, way: key}\n  m: {type: fails, way: mismatch}", "n: $n, m: $m"
    )
    with pytest.raises(NodeFailed) as failed:
        events(loaded)
    with pytest.raises(GraphError) as refused:
        loaded()
    for error in (failed.value, refused.value, failed.value.__cause__):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
    assert pickle.loads(pickle.dumps(failed.value)).diagnostic == failed.value.diagnostic
    assert pickle.loads(pickle.dumps(refused.value)).diagnostics == refused.value.diagnostics
    literal = pickle.loads(pickle.dumps(BadLiteral("E208", "no number", "write 1")))
    assert (str(literal), literal.code, literal.hint) == ("no number", "E208", "write 1")
    mismatch = pickle.loads(pickle.dumps(Mismatch("two worlds", port="a", hint="b")))
    assert (str(mismatch), mismatch.port, mismatch.hint) == ("two worlds", "a", "b")


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
def test_a_picture_that_is_not_finite_is_told_where_it_was_made(value: str) -> None:
    nodes = RAMP + f"  bad: {{type: broken_pictures, image: $ramp, value: {value}, row: 1}}\n"
    loaded = graph(nodes + "  out: {type: darker, image: $bad}", "out: $out")
    for _ in range(2):
        (warned,) = (e.diagnostic for e in loaded.events() if isinstance(e, Warned))
        assert (warned.code, warned.node, str(warned.span)) == ("W402", "bad", "careless.yaml:5:3")
    loaded.session.memory.clear()


def test_a_kept_picture_that_is_not_finite_is_told_each_time() -> None:
    loaded = graph(RAMP + "  bad: {type: broken_pictures, image: $ramp}", "bad: $bad")
    for kind in (Finished, Cached):
        found = list(loaded.events())
        assert [e.node for e in found if isinstance(e, Warned)] == ["bad"]
        assert any(isinstance(e, kind) and e.node == "bad" for e in found)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_not_finite_is_written_in_magenta(value: float) -> None:
    image = torch.zeros(2, 3, 2, 2)
    image[1, 2, 0, 1] = value
    found = to_bytes(image)
    assert (found[1, 0, 1] == (255, 0, 255)).all()
    assert (found.reshape(-1, 3) == 128).all(1).sum() == 7
