"""The tiny Karlo through diffusers' own pipeline, and through the shipped graph with the noise that it drew."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

from nodegraph import load
from nodegraph.cli import app
from nodes.networks.clip import network

FOLDER = "unclip_tiny_karlo"
PROMPT = "a big red frog on a green leaf"
STEPS = {"prior": 6, "decoder": 5, "upsample": 7}


@contextmanager
def quiet() -> Iterator[None]:
    """The reference's imports and pipelines warn of what is about to change in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reference(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Tensor, list[Tensor]]:
    """The picture [1, H, W, 3] in [0, 1] of diffusers' pipeline, and everything it drew, in order."""
    drawn: list[Tensor] = []
    with quiet():
        from diffusers import UnCLIPPipeline
        from diffusers.pipelines.deprecated.unclip import pipeline_unclip
        from diffusers.schedulers import scheduling_unclip
        from diffusers.utils.torch_utils import randn_tensor

        def recorded(*args: Any, **options: Any) -> Tensor:
            drawn.append(randn_tensor(*args, **options))
            return drawn[-1]

        for module in (pipeline_unclip, scheduling_unclip):
            monkeypatch.setattr(module, "randn_tensor", recorded)
        pipeline = UnCLIPPipeline.from_pretrained(str(folder))
        pipeline.set_progress_bar_config(disable=True)
        made = pipeline(
            PROMPT,
            prior_num_inference_steps=STEPS["prior"],
            decoder_num_inference_steps=STEPS["decoder"],
            super_res_num_inference_steps=STEPS["upsample"],
            generator=torch.Generator().manual_seed(3),
            output_type="np",
        )
    return torch.from_numpy(made.images), drawn


def noise_files(drawn: list[Tensor], folder: Path) -> dict[str, str]:
    """The draws of each stage, as inputs of the graph: the first noise, then one for each step but the last."""
    draws = iter(drawn)
    files: dict[str, str] = {}
    for stage, steps in STEPS.items():
        first = next(draws)
        later = torch.stack([next(draws) for _ in range(steps - 1)])
        path = folder / f"{stage}.safetensors"
        save_file({"initial": first.clone(), "steps": later}, path)
        files[f"{stage}_noise"] = str(path)
    assert next(draws, None) is None
    return files


def test_the_graph_draws_what_the_pipeline_draws(golden, monkeypatch, tmp_path) -> None:
    folder = golden.path(FOLDER).resolve()
    expected, drawn = reference(folder, monkeypatch)
    inputs = {
        "prompt": PROMPT,
        "models": str(folder),
        **{f"{stage}_steps": str(steps) for stage, steps in STEPS.items()},
        **noise_files(drawn, tmp_path),
    }
    graph = load("unclip/karlo", out=tmp_path, cached=False, readable=(folder, tmp_path))
    made = (graph(**inputs).image / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    difference = (made - expected).abs()
    assert float((difference <= 1e-4).float().mean()) >= 0.995
    assert float(difference.max()) <= 0.05
    check_command_line(inputs, expected, tmp_path)


def test_prior_and_decoder_read_each_text_once(golden, monkeypatch, tmp_path) -> None:
    folder = golden.path(FOLDER).resolve()
    rows: list[int] = []
    read = network.Clip.read

    def counted(tower: network.Clip, tokens: Any) -> Any:
        rows.append(len(tokens.ids))
        return read(tower, tokens)

    monkeypatch.setattr(network.Clip, "read", counted)
    graph = load("unclip/karlo", out=tmp_path, cached=False, readable=(folder, tmp_path))
    steps = {f"{stage}_steps": 2 for stage in STEPS}
    graph(prompt=PROMPT, models=str(folder), **steps)
    assert rows == [1, 1]  # the prompt, and the text of no guidance


def check_command_line(inputs: dict[str, str], expected: Tensor, folder: Path) -> None:
    """The same by `nodegraph run`, as far as a PNG tells."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in inputs.items()]
    result = CliRunner().invoke(app, ["run", "unclip/karlo", *options, "--out", str(folder)])
    assert result.exit_code == 0, result.output
    (path,) = folder.rglob("*.png")
    with Image.open(path) as picture:
        levels = torch.from_numpy(np.asarray(picture).copy()).float() / 255
    off = (levels - expected[0]).abs()
    assert float((off <= 0.6 / 255).float().mean()) >= 0.995
