"""The catalogue against the networks: what it says of each file of OpenAI's is what its options build.

Karlo's entries are compared with the manifests of its checkpoints (tests/golden/test_unclip_manifests.py).
"""

import json
from math import prod
from pathlib import Path

import pytest

from nodes.checkpoints.catalogue import entries
from nodes.checkpoints.layouts import published_shapes
from nodes.checkpoints.verify import WrongFile, identified

PUBLISHED = {
    f"{entry.name}/{name}": part
    for entry in entries().values()
    for name, part in entry.parts.items()
    if part.files and entry.source == "openai"
}
NETWORKS = {name for name, part in PUBLISHED.items() if published_shapes(part) is not None}


def test_every_published_unet_has_a_network() -> None:
    assert {name for name, part in PUBLISHED.items() if part.kind == "UNet"} <= NETWORKS


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_keys_and_parameters(name: str) -> None:
    part = PUBLISHED[name]
    (file,) = part.files
    shapes = published_shapes(part)
    assert shapes is not None
    assert (len(shapes), sum(prod(s) for s in shapes.values())) == (file.keys, file.parameters)


def test_the_catalogue_covers_what_is_published() -> None:
    files = [file.name for part in PUBLISHED.values() for file in part.files]
    assert len(files) == len(set(files)) == 17
    for part in PUBLISHED.values():
        for file in part.files:
            assert file.url.startswith("https://")
            assert file.size is None or 0 <= file.size - 4 * file.parameters < 10**6
            assert file.sha256 is None or len(file.sha256) == 64


def test_the_golden_options_are_the_catalogues() -> None:
    golden = Path(__file__).parents[2] / "golden" / "data"
    glide = json.loads((golden / "glide_manifest.json").read_text())["models"]
    adm = json.loads((golden / "adm_manifest.json").read_text())["models"]
    assert PUBLISHED["openai/glide/upsample_inpaint"].options == glide["upsample_inpaint"]["config"]
    for size in (64, 128, 256, 512):
        for kind in ("diffusion", "classifier"):
            wanted = adm[f"{size}x{size}_{kind}"]["config"]
            assert PUBLISHED[f"openai/adm-{size}/{kind}"].options == wanted
    for size, name in ((64, "64_256_upsampler"), (128, "128_512_upsampler")):
        # The upsamplers' multipliers are fixed in their factory, not among their options.
        wanted = {**adm[name]["config"], "channel_mult": "1,1,2,2,4,4"}
        assert PUBLISHED[f"openai/adm-{size}/upsample"].options == wanted


def test_a_layout_without_a_network_is_judged_by_its_counts(tmp_path: Path) -> None:
    import torch

    torch.save({"a": torch.zeros(3)}, tmp_path / "x.pt")
    with pytest.raises(WrongFile, match=r"1 tensors with 3 parameters instead of"):
        identified("openai/glide/clip", tmp_path / "x.pt")
