"""Handles of models: every kind in our own layout and in the published ones, with and without weights."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nodegraph.base.paths import Sandbox
from nodegraph.models.catalogue import ModelFile
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.openai import CLIP_KEYS
from nodes.checkpoints.weights import BadConfig, write_model
from nodes.models.classifier import Classifier
from nodes.models.handle import MissingWeights, parsed
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet
from nodes.networks import noised_clip
from nodes.networks.config import ClassifierConfig, NoisedClipConfig, UNetConfig
from nodes.networks.unet.classifier import Classifier as ClassifierModule
from nodes.networks.unet.network import UNet as UNetModule
from nodes.wires.models import PORT_TYPES

TRUNK = UNetConfig(16, 3, 32, (1, 2), 1, (2,), head_channels=16)
CLIP_CONFIG = NoisedClipConfig(
    16, 4, 24, 1000, "cosine", 20.0, 16, 6, 2, 8, 2, 2, 8, 2, words=("red", "blue", "circle")
)
KINDS = {
    "UNet": (UNet, PORT_TYPES[UNet], UNetModule, TRUNK),
    "Classifier": (
        Classifier,
        PORT_TYPES[Classifier],
        ClassifierModule,
        ClassifierConfig(TRUNK, 5),
    ),
    "NoisedClip": (NoisedClip, PORT_TYPES[NoisedClip], noised_clip.NoisedClip, CLIP_CONFIG),
}


def context(folder: Path, **options) -> RunContext:
    return RunContext(Sandbox((folder,), folder), **options)


def random(network: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2, generator=generator)
    return network


@pytest.mark.parametrize("name", KINDS)
def test_a_folder_is_a_model_of_its_kind(name: str, tmp_path: Path) -> None:
    kind, port, network, config = KINDS[name]
    module = random(network(config))
    write_model(tmp_path / "mine", module, config, {})
    model = parsed(kind, tmp_path / "mine", context(tmp_path))
    assert (model.name, model.config, model.abstract) == ("mine", config, False)
    assert model.needs.here and model.needs.parameters == sum(
        p.numel() for p in module.parameters()
    )
    for key, value in model.module().state_dict().items():
        torch.testing.assert_close(value, module.state_dict()[key], atol=2e-3, rtol=1e-3)
    assert model.module() is model.module()
    assert port.digest(model) == model.identity and len(model.digest) == 64
    assert port.describe(model).startswith("mine: ")
    for other in set(KINDS) - {name}:
        with pytest.raises(BadConfig, match=f"this is a {name}, not a {other}"):
            parsed(KINDS[other][0], tmp_path / "mine", context(tmp_path))


@pytest.mark.parametrize(
    ("kind", "name", "parameters"),
    [
        (UNet, "openai/adm-64/diffusion", 295904454),
        (Classifier, "openai/adm-64/classifier", 65438568),
        (NoisedClip, "openai/glide/clip", 86443776 + 71679488),
    ],
)
def test_published_models_are_built_without_their_weights(
    kind, name: str, parameters: int, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path))
    model = parsed(kind, name, context(tmp_path, device="meta", abstract=True))
    assert (model.needs.parameters, model.needs.here) == (parameters, False)
    assert next(model.module().parameters()).is_meta
    here = parsed(kind, name, context(tmp_path))
    with pytest.raises(MissingWeights, match=f"models get {name}"):
        here.module()
    with pytest.raises(ValueError, match=f"is a {kind.__name__}, not a"):
        parsed(next(k for k in (UNet, NoisedClip) if k is not kind), name, context(tmp_path))


def test_both_files_of_a_published_clip_are_one_model(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path))
    model = parsed(NoisedClip, "openai/glide/clip", context(tmp_path, device="meta", abstract=True))
    for part, file in zip(("image", "text"), model.files, strict=True):
        half = getattr(model.module(), part)
        held = dict.fromkeys(CLIP_KEYS.theirs(half.state_dict()), torch.empty(0))
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.save(held, file)
    again = parsed(NoisedClip, "openai/glide/clip", context(tmp_path))
    assert set(again.weights()) == set(model.module().state_dict())
    assert again.digest != model.digest
    assert ModelFile("openai/glide/clip", again.files[0].name, 0).kept == again.files[0]


def test_a_clip_reads_a_closed_vocabulary() -> None:
    clip = random(noised_clip.NoisedClip(CLIP_CONFIG)).eval().requires_grad_(False)
    words = clip.texts(["a red circle", "A RED circle.", "a blue circle", "", "red " * 30])
    assert words.shape == (5, 24)
    torch.testing.assert_close(words[0], words[1])
    assert float((words[0] * words[2]).sum()) < 0.9999
    assert bool(words.isfinite().all())
    half = noised_clip.NoisedClip(CLIP_CONFIG).bfloat16()
    seen = half.images(torch.zeros(2, 3, 16, 16), torch.tensor([3, 900]))
    assert seen.dtype == torch.float32


def test_one_text_is_not_taken_for_several() -> None:
    model = parsed(UNet, "shapes/glide/base", RunContext(Sandbox((), Path())))
    with pytest.raises(TypeError, match=r"write \['a red circle'\]"):
        model.encode("a red circle")


@pytest.mark.parametrize(
    ("name", "mend"),
    [("shapes/glide/bas", "did you mean 'shapes/glide/base'"), ("nothing", "`nodegraph models`")],
)
def test_a_name_that_is_not_known_gets_the_nearest(
    name: str, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=mend):
        parsed(UNet, name, context(tmp_path))
