"""R rows shared out over R·n samples."""

import pytest
import torch

from nodegraph import Mismatch
from nodes.library.rows import at_port
from nodes.rows import Uneven, level, share, spread

ROWS = torch.tensor([[1.0], [2.0]])


def test_each_row_stands_for_samples_in_a_row() -> None:
    assert spread(ROWS, 6).flatten().tolist() == [1, 1, 1, 2, 2, 2]
    assert share(2, 6) == 3


def test_rows_are_brought_to_those_of_the_longest() -> None:
    one, two, four = level(torch.zeros(1), ROWS, torch.zeros(4))
    assert (len(one), two.flatten().tolist(), len(four)) == (4, [1, 1, 2, 2], 4)


@pytest.mark.parametrize("rows", [0, 2])
def test_what_cannot_be_shared_out_is_told_with_its_numbers(rows: int) -> None:
    with pytest.raises(Uneven, match=f"3 pictures cannot be shared out over {rows} texts"):
        share(rows, 3, "texts", "pictures")


def test_what_cannot_be_laid_beside_each_other_is_told_with_its_numbers() -> None:
    with pytest.raises(Uneven, match="pictures of 2 and 3 rows cannot be laid beside each other"):
        level(ROWS, torch.zeros(3), what="pictures")


def test_a_node_tells_the_port() -> None:
    with pytest.raises(Mismatch, match="over 2 texts") as error, at_port("text"):
        spread(ROWS, 3, "texts")
    assert error.value.port == "text"
