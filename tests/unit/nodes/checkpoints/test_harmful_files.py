"""Files that would run code when they are read, by every way in: nothing of theirs runs."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from file_server import Served, serving
from test_models_command import NAME, command, models, publish, state_dict  # noqa: F401
from torch import Tensor, nn

import nodegraph
from nodegraph.base.diagnostics import GraphError
from nodes.checkpoints.reading import tensor_shapes

GRAPH = """graph: 1
nodes:
  words: {{type: clip_text, clip: "{clip}", text: a frog}}
outputs: {{embedding: $words.embedding}}
"""


class Writing(nn.Module):
    """A script that writes a file where it is loaded; that is all that is in it."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.target = target

    @torch.jit.export
    def __getstate__(self) -> tuple[Tensor, str, bool]:
        return self.weight, self.target, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[Tensor, str, bool]) -> None:
        self.weight = state[0]
        self.target = state[1]
        self.training = state[2]
        torch.save(state[0], state[1])

    def forward(self, x: Tensor) -> Tensor:
        return x


class Around(nn.Module):
    """A script with weights, and one inside that writes a file."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.linear(x))


@pytest.fixture
def harm(tmp_path: Path) -> Path:
    """The file that must not be written; `script.pt` beside it writes it when it is loaded as scripts are."""
    target = tmp_path / "written"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Writing(str(target))).save(tmp_path / "script.pt")
        torch.jit.script(Around(Writing(str(target)))).save(tmp_path / "around.pt")
        torch.jit.load(tmp_path / "script.pt")
    assert target.exists()
    target.unlink()
    return target


def test_a_script_is_added(models: Path, harm: Path) -> None:  # noqa: F811
    publish(models, "http://127.0.0.1:9/base.pt")
    says = command("add", str(harm.with_name("script.pt")), "--as", NAME, code=1).stderr
    assert "only its own code finds" in says
    assert not harm.exists()


def test_a_script_is_fetched(models: Path, harm: Path) -> None:  # noqa: F811
    with serving(Served(harm.with_name("script.pt").read_bytes()), "base.pt") as served:
        publish(models, served.url)
        assert "only its own code finds" in command("get", NAME, code=1).stderr
    assert not harm.exists()


@pytest.mark.parametrize("name", ["script.pt", "around.pt"])
def test_a_script_beside_a_graph(tmp_path: Path, harm: Path, name: str) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH.format(clip=f"open_clip:RN50/{name}"), encoding="utf-8")
    with pytest.raises(GraphError, match=name) as told:
        nodegraph.load(tmp_path / "g.yaml", cached=False)()
    assert [fault.code for fault in told.value.diagnostics] == ["E404"]
    assert not harm.exists()


def test_a_script_in_a_folder_of_models(tmp_path: Path, harm: Path) -> None:
    """As Karlo's own files lie there, with a CLIP that is a script."""
    folder = tmp_path / "karlo"
    folder.mkdir()
    harm.with_name("script.pt").rename(folder / "ViT-B-32.pt")
    (tmp_path / "g.yaml").write_text(GRAPH.format(clip="karlo/clip"), encoding="utf-8")
    with pytest.raises(GraphError, match="only its own code finds"):
        nodegraph.load(tmp_path / "g.yaml", cached=False)()
    assert not harm.exists()


def test_what_is_beside_harm_is_read(tmp_path: Path, harm: Path) -> None:
    found = tensor_shapes(harm.with_name("around.pt"))
    assert found == {"linear.weight": (2, 2), "linear.bias": (2,)}
    assert not harm.exists()


def test_a_pickle_is_added_without_what_it_calls(
    models: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    class Harm:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.write_text, (tmp_path / "written", "harm")

    publish(models, "http://127.0.0.1:9/base.pt")
    torch.save({"state_dict": state_dict(), "hooks": Harm()}, tmp_path / "mine.pt")
    command("add", str(tmp_path / "mine.pt"), "--as", NAME)
    assert not (tmp_path / "written").exists()
