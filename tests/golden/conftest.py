"""Golden data: numbers of the reference implementations, from the repository's folder or one given by `--golden`."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

HERE = Path(__file__).parent / "data"


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
        return load_file(self.folder / f"{name}.safetensors"), meta

    def close(
        self, name: str, actual: Tensor, tensors: dict[str, Tensor], meta: dict[str, Any]
    ) -> None:
        self.seen.add(name)
        expected = tensors[name]
        assert actual.shape == expected.shape, (
            f"{name}: {list(actual.shape)} for {list(expected.shape)}"
        )
        if name not in meta["tolerance"]:
            torch.testing.assert_close(actual, expected, rtol=1e-6, atol=0)
            return
        atol = torch.as_tensor(meta["tolerance"][name]["atol"], dtype=torch.float64)
        atol = atol.reshape(-1, *[1] * (expected.ndim - 1)) if atol.ndim else atol
        difference = (actual.double() - expected.double()).abs()
        assert bool((difference <= atol).all()), (
            f"{name}: off by {difference.max():.3g}, allowed {atol.max():.3g}"
        )


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    given = request.config.getoption("--golden")
    return Golden(Path(given), True) if given else Golden(HERE, False)
