"""What several tests of graphs use."""

import pytest
from torch import Tensor

from nodes.library.evaluation.scenes import held_out_scenes


@pytest.fixture(scope="session")
def reference() -> Tensor:
    """A picture of one thing that no training saw, [1, 3, 32, 32]."""
    return held_out_scenes(1, 1, 32, 4).images
