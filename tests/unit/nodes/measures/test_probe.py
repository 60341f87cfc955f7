"""A probe reads what vectors hold, and nothing that they do not."""

import torch

from nodes.library.evaluation.probing import NAMES, PARTS, _held, _right
from nodes.measures.probe import perceptron, standardised, trained_steps
from nodes.shapes.cases import held_out_scenes
from nodes.training.seeding import seeded

HELD = _held(held_out_scenes(600, 2, 0))


def read(vectors: torch.Tensor, hidden: int) -> list[float]:
    at_home = standardised(vectors)
    with seeded(0):
        network = perceptron(vectors.shape[1], len(NAMES), hidden)
    for _ in trained_steps(network, at_home(vectors[:400]), HELD[:400], 400, 0):
        pass
    with torch.no_grad():
        right = _right(network(at_home(vectors[400:])), HELD[400:])
    return right.mean(1).tolist()


def test_what_is_there_is_read() -> None:
    assert min(read(HELD, 0)) > 0.9


def test_what_is_not_there_is_not_read() -> None:
    noise = torch.randn(len(HELD), 80, generator=torch.Generator().manual_seed(0))
    assert max(read(noise, 64)) < 0.2


def test_colours_alone_do_not_tell_which_shape_has_which() -> None:
    colours = HELD[:, PARTS["colours"]]
    things, seen, shapes = read(colours, 64)
    assert seen > 0.9
    assert things < 0.2 and shapes < 0.3


def test_all_and_nothing_more_counts() -> None:
    right = torch.tensor(_right(HELD, HELD))
    assert right.all()
    less = HELD.clone()
    less[:, 0] = 2.0
    assert torch.tensor(_right(less, HELD))[0].mean() < 0.1
