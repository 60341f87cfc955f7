"""What the tests of nodes share."""

from pathlib import Path

import pytest
from tiny import Models


@pytest.fixture(scope="session")
def models(bundles: Path) -> Models:
    return Models(bundles)
