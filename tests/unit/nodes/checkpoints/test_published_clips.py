"""CLIPs by their names in open_clip: whatever form the file has that it fetches, none of its code runs."""

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from test_harmful_files import Writing
from torch import Tensor, nn

import nodes.checkpoints.open_clip
import nodes.models.clip
from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.adapters import write_adapter
from nodes.library.lora import lora
from nodes.models.clip import Clip, parse_clip
from nodes.models.handle import MissingWeights
from nodes.models.lora import parse_lora
from nodes.networks.lora import Factors

TINY: Mapping[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
NAME = "open_clip:ViT-B-32-quickgelu/openai"


class Holder(nn.Module):
    """Modules within modules that hold a state dict, as a script has them."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name in dict.fromkeys(key.partition(".")[0] for key in state):
            if name in state:
                self.register_parameter(name, nn.Parameter(state[name]))
            else:
                below = {
                    k[len(name) + 1 :]: v for k, v in state.items() if k.startswith(f"{name}.")
                }
                self.add_module(name, Holder(below))

    def forward(self, x: Tensor) -> Tensor:
        return x


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What open_clip would fetch."""
    monkeypatch.setattr(nodes.checkpoints.open_clip, "architecture_options", lambda _: dict(TINY))
    monkeypatch.setattr(nodes.models.clip, "fetched", lambda *_: tmp_path / "weights.pt")
    return tmp_path / "weights.pt"


@pytest.fixture(scope="module")
def network() -> nn.Module:
    from open_clip import CLIP

    torch.manual_seed(0)
    options = {"vision_cfg": TINY["vision_cfg"], "text_cfg": TINY["text_cfg"]}
    return CLIP(TINY["embed_dim"], quick_gelu=True, **options).eval()


def handle() -> Clip:
    return parse_clip(NAME, RunContext(Sandbox((), Path())))


def script(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(module).save(path)


@pytest.mark.parametrize("form", ["script", "torch", "training", "safetensors"])
def test_every_form(file: Path, network: Any, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same embeddings as open_clip's own network; a script in half precision, as OpenAI publishes it."""
    import open_clip

    monkeypatch.setattr(torch.jit, "load", None)
    state = {k: v.detach() for k, v in network.state_dict().items()}
    if form == "script":
        sizes = {"input_resolution": 32, "context_length": 77, "vocab_size": 49408}
        halves = {k: v.half() for k, v in state.items()}
        script(Holder({**halves, **{k: torch.tensor(float(v)) for k, v in sizes.items()}}), file)
        network.load_state_dict({k: v.half().float() for k, v in state.items()})
    elif form == "safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, file)
    else:
        wrapped = {f"module.{k}": v for k, v in state.items()}
        torch.save(state if form == "torch" else {"epoch": 1, "state_dict": wrapped}, file)
    clip = handle()
    clip.verify()
    texts = ["a frog", "a large blue star"]
    with torch.no_grad():
        expected = network.encode_text(open_clip.tokenize(texts))
        found = clip.read(texts)[0].values
    network.load_state_dict(state)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_adapters_of_weights_that_open_clip_turns_into_its_own(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file({"of.another.program": torch.ones(1)}, file)
    clip = handle()
    made = clip.build().eval()
    monkeypatch.setattr(nodes.models.clip.clip, "pretrained", lambda *_: copy.deepcopy(made))
    layer = "text.transformer.resblocks.0.mlp.c_fc"
    factors = Factors(torch.randn(2, 32), torch.randn(128, 2), 2.0)
    write_adapter(tmp_path / "lora", {layer: factors}, NAME)
    context = RunContext(Sandbox((tmp_path,), tmp_path))
    found = lora(clip, parse_lora(str(tmp_path / "lora"), context), 0.5).module()
    added = found.get_submodule(layer).weight - made.get_submodule(layer).weight
    torch.testing.assert_close(added, 0.5 * factors.difference())


@pytest.mark.parametrize("around", [True, False])
def test_a_script_that_writes_a_file(file: Path, tmp_path: Path, around: bool) -> None:
    target = tmp_path / "written"
    inner = Writing(str(target))
    script(nn.Sequential(nn.Linear(2, 2), inner) if around else inner, file)
    with pytest.raises(ValueError, match=r"weights\.pt"):
        handle().read(["a frog"])
    assert not target.exists()


def test_weights_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Path] = []

    def offline(_: Any, folder: Path) -> Path:
        folders.append(folder)
        raise RuntimeError("no route to host\nat all")

    monkeypatch.setattr(nodes.models.clip, "fetched", offline)
    context = RunContext(Sandbox((), Path()), models=Path("models"))
    clip = parse_clip("open_clip:ViT-B-32/openai", context)
    with pytest.raises(MissingWeights, match=r"cannot be fetched: no route to host$") as told:
        clip.verify()
    assert folders == [Path("models/open_clip")]
    assert told.value.hint is not None
    assert "open_clip:ViT-B-32/FILE" in told.value.hint
