"""Graphs as Python scripts: what a script makes is what the graph makes, bit for bit; and nodes called without an engine."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import nodegraph
from nodegraph.cli import app
from nodegraph.session import registry

FEW = {
    "steps": 3,
    "prior_steps": 3,
    "decoder_steps": 3,
    "upsample_steps": 2,
    "count": 1,
    "train_steps": 2,
}
KINDS = ("glide/", "unclip/", "guidance/", "variations/", "ddpm/")
NEEDS_FILES = ("karlo",)
SHIPPED = [n for n in registry().listed if n.startswith(KINDS) and not n.endswith(NEEDS_FILES)]
REST = [n for n in registry().listed if n not in SHIPPED]


def exported(name: str, *options: str) -> str:
    done = CliRunner().invoke(app, ["export", name, "--python", *options])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of the size that the shipped networks know; beside it a mask, and the picture with it as its alpha."""
    from nodes import shapes_scene

    place = tmp_path_factory.mktemp("given") / "given.png"
    levels = ((shapes_scene("a red circle", 64)[0] + 1) * 127.5).round().byte()
    image = Image.fromarray(levels.permute(1, 2, 0).numpy())
    mask = Image.linear_gradient("L").resize(image.size).point(lambda v: 255 * (v > 128))
    image.save(place)
    mask.save(place.with_name("mask.png"))
    image.putalpha(mask)
    image.save(place.with_name("clear.png"))
    return place


def options(name: str, picture: Path) -> dict[str, Any]:
    """Few steps, and the picture where an input of files has no default."""
    session = nodegraph.load(name).session
    graph = session.read(session.open(name))
    given: dict[str, Any] = {}
    for declared in graph.inputs.values():
        if declared.name in FEW:
            given[declared.name] = 6 if name.endswith("training_free") else FEW[declared.name]
        elif declared.default is None and declared.type in ("Image", "Mask", "AlphaFile"):
            file = {"Image": "given.png", "Mask": "mask.png", "AlphaFile": "clear.png"}[
                declared.type
            ]
            given[declared.name] = str(picture.with_name(file))
    return given


@pytest.mark.parametrize("name", SHIPPED)
def test_a_script_makes_what_its_graph_makes(
    name: str, picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = options(name, picture)
    flags = [part for n, v in given.items() for part in (f"--{n.replace('_', '-')}", str(v))]
    text = exported(name, *flags)
    wanted = nodegraph.load(name, device="cpu", cached=False)(**given).outputs
    space: dict[str, Any] = {}
    gradients = torch.is_grad_enabled()
    try:
        exec(compile(text, name, "exec"), space)
    finally:
        torch.set_grad_enabled(gradients)
    last = [line for line in text.splitlines() if line.startswith(("save_image(", "print("))]
    assert len(last) == len(wanted)
    for line, value in zip(last, wanted.values(), strict=True):
        inside = line.partition("(")[2]
        code = (
            inside.partition(", value(")[0]
            if line.startswith("save")
            else inside.split(", ", 1)[1][:-1]
        )
        made = eval(code, space)
        assert type(made) is type(value)
        if isinstance(value, torch.Tensor):
            assert torch.equal(made, value)


@pytest.mark.parametrize("name", REST)
def test_the_scripts_of_the_others_compile(name: str) -> None:
    session = nodegraph.load(name).session
    compiled = session.read(session.open(name))
    if any(i.default is None and not i.optional for i in compiled.inputs.values()):
        pytest.skip("it needs an input")
    if "karlo" in name or "real" in name:
        pytest.skip("its weights are not here")
    compile(exported(name), name, "exec")


def test_pyright_finds_nothing_in_a_script(tmp_path: Path) -> None:
    found = []
    for number, name in enumerate(
        ["evaluate/guidance_sweep", "train/glide", "glide/text_to_image"]
    ):
        (tmp_path / f"script_{number}.py").write_text(exported(name), "utf-8")
        found.append(str(tmp_path / f"script_{number}.py"))
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, *found]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_script_is_written_to_a_file_and_says_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = CliRunner().invoke
    assert run(app, ["export", "ddpm/unconditional", "--python", "--out", "s.py"]).exit_code == 0
    compile(Path("s.py").read_text("utf-8"), "s.py", "exec")
    assert run(app, ["export", "ddpm/unconditional"]).exit_code == 2
    assert "did you mean" in run(app, ["export", "ddpm/unconditionl", "--python"]).output
    assert run(app, ["export", "ddpm/unconditional", "--python", "--out", "no/s.py"]).exit_code in (
        0,
        1,
    )


def test_glide_from_imports() -> None:
    from nodegraph import finished
    from nodes import (
        ancestral_sampler,
        classifier_free_guidance,
        load_model,
        noise_scheduler,
        text_encoder,
        unet_denoiser,
    )

    unet = load_model("shapes/glide/base")
    text, empty = text_encoder(unet, "a red circle"), text_encoder(unet, "")
    guided = classifier_free_guidance(
        unet_denoiser(unet, [text]), unet_denoiser(unet, [empty]), 3.0
    )
    seen = []
    image = finished(ancestral_sampler(guided, noise_scheduler(unet, steps=3), seed=1), seen.append)
    assert image.shape == (1, 3, 32, 32)
    assert [now.done for now in seen] == [1, 2, 3]
    assert not image.requires_grad


@pytest.mark.parametrize(
    "name",
    [
        "shapes/glide/base",
        "shapes/unclip/prior",
        "shapes/adm/classifier",
        "shapes/glide/clip",
        "shapes/unclip/clip",
    ],
)
def test_models_are_loaded_by_name_whatever_their_kind(name: str) -> None:
    from nodes import load_model

    assert load_model(name).name == name


def test_a_model_that_is_none_and_a_type_that_is_none() -> None:
    from nodes import load_model

    with pytest.raises((OSError, ValueError), match="base"):
        load_model("shapes/glide/bas")
    with pytest.raises(LookupError, match="no port type"):
        nodegraph.value("Imagge", "x.png")
