"""Options of the test suite, and what several of its parts use."""

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether it is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", default=None, help="Folder of golden data in the same format.")


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the bundles `adm`, `glide` and `unclip` of tiny models with random weights."""
    from tiny import ADM, GLIDE, UNCLIP, write_bundle

    folder = tmp_path_factory.mktemp("models")
    write_bundle(folder / "unclip", UNCLIP)
    write_bundle(folder / "adm", ADM)
    write_bundle(folder / "glide", GLIDE)
    return folder
