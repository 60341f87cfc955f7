"""Golden data: numbers of the reference implementations, from the repository's folder or one given by `--golden`.

A given folder may hold any part of the files, and other configurations in them: what there is to compare, how many rows and
steps it has, and how near it must come is read from the files. The repository's own data must be whole.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

HERE = Path(__file__).parent / "data"
INPUT = re.compile(
    r"(^|\.)in\.|\.(x|t|y|tokens|lens|mask|low_res|inpaint_image|inpaint_mask|x_T|step_noise|noise"
    r"|source_image\w*|source_mask\w*|first_timesteps|qkv|encoder_kv|sample_index|x_first8)$"
)
"""Names of tensors that are given, not computed; a file may list a tolerance for them too."""


@dataclass(frozen=True)
class Golden:
    folder: Path
    partial: bool
    seen: set[str] = field(default_factory=set)

    def path(self, name: str) -> Path:
        """A file or a folder of the data; one that is missing skips or fails the test."""
        path = self.folder / name
        if not path.exists():
            if self.partial:
                pytest.skip(f"{name} is not in {self.folder}")
            pytest.fail(f"{path} is missing: the repository's golden data must be whole")
        return path

    def record(self, name: str) -> dict[str, Any]:
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def meta(self, name: str) -> dict[str, Any]:
        return self.record(f"{name}.json")

    def load(self, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
        meta = self.meta(name)
        return load_file(self.path(f"{name}.safetensors")), meta

    def part(self, of: Mapping[str, Any], name: str) -> Any:
        """An entry of a file; one that a given folder leaves out skips the test."""
        if name not in of and self.partial:
            pytest.skip(f"there is no '{name}' in {self.folder}")
        return of[name]

    def close(
        self, name: str, actual: Tensor, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]
    ) -> None:
        """Compares a number that the file has, by its tolerance; what the file has not is not compared."""
        if name not in tensors:
            return
        self.seen.add(name)
        expected = tensors[name]
        actual = alike(name, actual, expected)
        listed = meta.get("tolerance", {}).get(name)
        if listed is None:
            torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
            return
        atol = torch.as_tensor(listed["atol"], dtype=torch.float64)
        atol = atol.reshape(-1, *[1] * (expected.ndim - 1)) if atol.ndim else atol
        difference = (actual.double() - expected.double()).abs()
        assert bool((difference <= atol).all()), (
            f"{name}: off by {difference.max():.3g}, allowed {atol.max():.3g}"
        )

    def whole(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> None:
        """Fails unless every number of the file was compared that has a tolerance and is no input."""
        listed = set(meta.get("tolerance", {})) & set(tensors)
        left = {name for name in listed - self.seen if not INPUT.search(name)}
        assert sorted(left) == []


def alike(name: str, actual: Tensor, expected: Tensor) -> Tensor:
    """The actual value in the shape of the expected one: what is one for all rows may stand there for each, or once."""
    if actual.shape == expected.shape:
        return actual
    shapes = f"{name}: {list(actual.shape)} for {list(expected.shape)}"
    assert actual.ndim == expected.ndim, shapes
    pairs = list(zip(actual.shape, expected.shape, strict=True))
    assert all(a == b or 1 in (a, b) for a, b in pairs), shapes
    return actual.expand(torch.broadcast_shapes(actual.shape, expected.shape))


def cases_of(config: pytest.Config, name: str, *entry: str) -> Iterable[str]:
    """Names of the cases of a file, as parameters of a test; none where it is not there."""
    given = config.getoption("--golden")
    path = (Path(given) if given else HERE) / f"{name}.json"
    found: Any = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for key in entry:
        found = found.get(key, {})
    return list(found)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked `cases(file, entry…)` and takes a `case` runs once for each case of the file."""
    marker = metafunc.definition.get_closest_marker("cases")
    if marker is not None:
        metafunc.parametrize("case", cases_of(metafunc.config, *marker.args))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    given = request.config.getoption("--golden")
    return Golden(Path(given), True) if given else Golden(HERE, False)
