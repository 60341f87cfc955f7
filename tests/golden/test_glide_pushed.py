"""GLIDE's golden networks as models of our own layout, pushed: OpenAI's names, options and outputs."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from fill import filled
from test_glide_networks import golden_unet, inputs_of, outputs, run
from test_noised_clip import golden_clip
from torch import Tensor, nn

from nodegraph.models.publishing import Publication, Pushed
from nodes import load_model
from nodes.checkpoints.openai import glide_config
from nodes.checkpoints.publishing.bundle import push
from nodes.checkpoints.weights import write_weights

NETWORKS = "glide_text2im_tiny"
UNREAD = {"xf_layers", "xf_heads", "xf_final_ln", "xf_padding", "text_ctx"}
"""Options of a text transformer that a network has not."""


def write(folder: Path, network: nn.Module, config: Any) -> None:
    folder.mkdir(parents=True)
    write_weights(folder, network.state_dict(), config, {})


def pushed(folder: Path, **how: str) -> Pushed:
    return push(str(folder / "own"), Publication(folder / "pushed", licence="MIT", **how))


def described(folder: Path, part: str) -> dict[str, Any]:
    (bundle,) = json.loads((folder / "pushed" / "bundle.json").read_text("utf-8")).values()
    return bundle["parts"][part]


def kept(path: Path) -> dict[str, Tensor]:
    return torch.load(path, weights_only=True)


def test_networks_have_openais_names_options_and_outputs(golden, tmp_path: Path) -> None:
    tensors, meta = golden.load(NETWORKS)
    cases = meta["cases"]
    for case, fields in cases.items():
        network = golden_unet(glide_config(fields["options"]))
        write(tmp_path / "own" / case, network, network.config)
    done = pushed(tmp_path)
    assert {part.layout for part in done.parts} == {"OpenAI's"}
    for case, fields in cases.items():
        check_names(kept(tmp_path / "pushed" / case / f"{case}.pt"), fields["weights"])
        check_options(described(tmp_path, case)["options"], fields["options"])
        module = load_model(tmp_path / "pushed" / case).module()
        for name in outputs(tensors, case):
            given = inputs_of(tensors, case, name)
            if "no_inpaint" in name:
                given = {k: v for k, v in given.items() if not k.startswith("inpaint")}
            golden.close(f"{case}.{name}", run(module, given), tensors, meta)


def check_names(found: dict[str, Tensor], expected: dict[str, Any]) -> None:
    """The reference made its weights of its own names: those of the file make the same."""
    made = filled({key: tuple(value.shape) for key, value in found.items()})
    assert all(torch.equal(found[key], value) for key, value in made.items())
    assert len(found) == expected["n_keys"]
    assert sum(value.numel() for value in found.values()) == expected["n_params"]
    squares = float(sum(value.double().square().sum() for value in found.values()))
    assert squares == pytest.approx(expected["sumsq_f64"], rel=1e-6)


def check_options(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Exactly those that the reference's factory takes."""
    assert found.keys() == expected.keys()
    unread = set() if expected["xf_width"] else UNREAD
    assert {k: v for k, v in found.items() if k not in unread} == {
        k: v for k, v in expected.items() if k not in unread
    }


def test_the_clip_has_openais_names_and_options(golden, tmp_path: Path) -> None:
    _, meta = golden.load("glide_clip_tiny")
    clip = golden_clip(meta["config"])
    write(tmp_path / "own" / "clip", clip, clip.config)
    pushed(tmp_path)
    for tower, name in (("image", "clip_image_enc"), ("text", "clip_text_enc")):
        found = kept(tmp_path / "pushed" / "clip" / f"{name}.pt")
        check_names(found, meta[f"{tower}_encoder"])
    options = described(tmp_path, "clip")["options"]
    assert options == {key: meta["config"][key] for key in options}
    loaded = load_model(tmp_path / "pushed" / "clip").module().state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in clip.state_dict().items())


def test_two_pushes_of_one_bundle_are_the_same_bytes(golden, tmp_path: Path) -> None:
    options = golden.meta(NETWORKS)["cases"]["base"]["options"]
    network = golden_unet(glide_config(options))
    write(tmp_path / "own" / "base", network, network.config)
    for name in ("one", "two"):
        push(str(tmp_path / "own"), Publication(tmp_path / name / "tiny", licence="MIT"))
    one, two = (tmp_path / name / "tiny" / "SHA256SUMS" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    assert zipfile.is_zipfile(tmp_path / "one" / "tiny" / "base" / "base.pt")
