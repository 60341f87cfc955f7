"""The catalogue against the networks: what it says of each file of OpenAI's is what its options build.

Karlo's entries are compared with the manifests of its checkpoints (tests/golden/test_unclip_manifests.py).
"""

import json
import shutil
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch

from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.checkpoints.catalogue import SHIPPED, entries, part_kinds
from nodes.checkpoints.configs import CONFIGS, BadPart
from nodes.checkpoints.entries import kind_of, model_files, name_of
from nodes.checkpoints.layouts import CONVERTED, LAYOUTS, published_shapes
from nodes.checkpoints.verify import identified
from nodes.checkpoints.weights import BadConfig, read_config
from nodes.models.classifier import Classifier
from nodes.models.handle import parsed
from nodes.models.noised_clip import NoisedClip
from nodes.models.unet import UNet
from nodes.networks.config import ClipConfig, NoisedClipConfig

HANDLES = {"UNet": UNet, "Classifier": Classifier, "NoisedClip": NoisedClip}
PUBLISHED = {
    f"{entry.name}/{name}": part
    for entry in entries().values()
    for name, part in entry.parts.items()
    if part.files and entry.source == "openai"
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters(name: str) -> None:
    part = PUBLISHED[name]
    counted = [sum(prod(shape) for shape in file.values()) for file in published_shapes(part)]
    assert counted == [file.parameters for file in part.files]


def test_the_catalogue_covers_what_is_published() -> None:
    files = [file.name for part in PUBLISHED.values() for file in part.files]
    assert len(files) == len(set(files)) == 17
    for part in PUBLISHED.values():
        for file in part.files:
            assert file.url.startswith("https://")
            assert file.size is None or 0 <= file.size - 4 * file.parameters < 10**6
            assert file.sha256 is None or len(file.sha256) == 64


def manifest(name: str) -> dict[str, Any]:
    golden = Path(__file__).parents[3] / "golden" / "data"
    return json.loads((golden / f"{name}.json").read_text(encoding="utf-8"))["models"]


def published() -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """What the references' manifests say of each published model: its options, and the records of its files."""
    glide, adm = manifest("glide_manifest"), manifest("adm_manifest")
    clip = manifest("glide_clip_manifest")["glide_clip"]
    found = {
        "openai/glide/base": glide["base"],
        "openai/glide/upsample": glide["upsample"],
        "openai/glide/inpaint": glide["base_inpaint"],
        "openai/glide/upsample_inpaint": glide["upsample_inpaint"],
        "openai/adm-256/diffusion_uncond": adm["256x256_diffusion_uncond"],
    }
    for size in (64, 128, 256, 512):
        for kind in ("diffusion", "classifier"):
            found[f"openai/adm-{size}/{kind}"] = adm[f"{size}x{size}_{kind}"]
    for size, large in ((64, 256), (128, 512)):
        # The upsamplers' multipliers are fixed in their factory, not among their options.
        record = adm[f"{size}_{large}_upsampler"]
        options = {**record["config"], "channel_mult": "1,1,2,2,4,4"}
        found[f"openai/adm-{size}/upsample"] = {**record, "config": options}
    one = {name: (record["config"], [record]) for name, record in found.items()}
    both = [clip["image_encoder"], clip["text_encoder"]]
    return {**one, "openai/glide/clip": (clip["config"], both)}


def test_the_catalogues_options_are_the_references() -> None:
    assert {name: part.options for name, part in PUBLISHED.items()} == {
        name: options for name, (options, _) in published().items()
    }


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_key_loads_by_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files with every published key and shape, without values, are recognised, and fill the network of the handle."""
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path))
    part, records = PUBLISHED[name], published()[name][1]
    for file, record in zip(model_files(name, part), records, strict=True):
        state = {key: torch.empty(shape, device="meta") for key, shape in record["state_dict"]}
        file.place.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, file.place)
        assert identified(name, file.place) == file.name
    model = parsed(HANDLES[part.kind], name, RunContext(Sandbox((), tmp_path), device="meta"))
    assert model.needs.here
    model.module().load_state_dict(model.weights(), strict=True, assign=True)


def test_parts_that_describe_no_network() -> None:
    part = PUBLISHED["openai/glide/clip"]
    with pytest.raises(BadPart, match="there is no layout 'openai_clip'; there are openai_glide, "):
        published_shapes(replace(part, layout="openai_clip"))
    with pytest.raises(BadPart, match=r"options of layout 'openai_glide_clip' lack 'image_size'"):
        published_shapes(replace(part, options=None))
    with pytest.raises(BadPart, match=r"'openai_glide_clip' has 2 files, not 1"):
        published_shapes(replace(part, files=part.files[:1]))


def test_every_layout_has_a_configuration() -> None:
    assert {*LAYOUTS, *CONVERTED} == set(CONFIGS)


def test_files_name_kinds_as_they_always_did(tmp_path: Path) -> None:
    assert [kind_of(name) for name in ("Clip", "NoisedClip", "OpenClip", "UNet")] == [
        "NoisedClip", "NoisedClip", "Clip", "UNet",
    ]  # fmt: skip
    for kind in ("NoisedClip", "Clip", "UNet"):
        assert kind_of(name_of(kind)) == kind and name_of(kind) != "Clip"
    for part, kind in (("old", "Clip"), ("new", "NoisedClip"), ("clean", "OpenClip")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text(json.dumps({"kind": kind}), encoding="utf-8")
    kinds = {"clean": "Clip", "new": "NoisedClip", "old": "NoisedClip"}
    assert part_kinds(str(tmp_path)) == kinds


def test_a_model_of_an_older_version_loads(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "glide" / "clip", tmp_path / "clip")
    path = tmp_path / "clip" / "config.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(record | {"kind": "Clip"}), encoding="utf-8")
    assert read_config(tmp_path / "clip", NoisedClipConfig).embedding_width > 0
    with pytest.raises(BadConfig, match="a NoisedClip, not a Clip"):
        read_config(tmp_path / "clip", ClipConfig)
