"""From a checkpoint in OpenAI's layout to the references' pictures: `models add`, then `run` of a graph, on recorded noise."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fill import filled
from PIL import Image as PillowImage
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

import nodegraph
from nodegraph.cli import app
from nodes.checkpoints.catalogue import Part, PublishedFile
from nodes.checkpoints.layouts import LAYOUTS, published_shapes
from nodes.types import to_bytes

GRAPHS = Path(__file__).parent / "graphs"
KINDS = {"openai_adm_classifier": "Classifier", "openai_glide_clip": "Clip"}


@dataclass(frozen=True)
class Workplace:
    """A folder with models of one's own, noise and pictures; commands run as from a shell."""

    folder: Path

    def command(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    def publish(self, bundle: str, parts: Mapping[str, tuple[str, Mapping[str, Any]]]) -> None:
        """Writes the files of a bundle by the fill rule, its entry, and adds each file; `parts`: layout and options."""
        models = {name: self._part(name, *fields) for name, fields in parts.items()}
        entry = {"licence": "MIT", "source": "test", "card": "Tiny."}
        records = {
            name: {
                "kind": part.kind,
                "layout": part.layout,
                "options": part.options,
                "files": [{"url": f.url, "parameters": 1} for f in part.files],
            }
            for name, part in models.items()
        }
        catalogue = self.folder / "models" / "catalogue.json"
        catalogue.parent.mkdir(exist_ok=True)
        catalogue.write_text(json.dumps({bundle: {**entry, "parts": records}}), encoding="utf-8")
        for name, part in models.items():
            for file, shapes in zip(part.files, published_shapes(part), strict=True):
                torch.save(filled(shapes), self.folder / file.name)
                path = str(self.folder / file.name)
                self.command("models", "add", path, "--as", f"{bundle}/{name}")

    def _part(self, name: str, layout: str, options: Mapping[str, Any]) -> Part:
        count = len(LAYOUTS[layout].modules)
        files = [PublishedFile(f"https://127.0.0.1/{name}-{i}.pt", 1) for i in range(count)]
        return Part(KINDS.get(layout, "UNet"), layout, options, tuple(files))

    def noise(self, name: str, x_T: Tensor, steps: Tensor | None) -> str:
        path = self.folder / f"{name}.safetensors"
        tensors = {"initial": x_T} if steps is None else {"initial": x_T, "steps": steps}
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
        return str(path)

    def values(self, graph: str, **inputs: Any) -> Mapping[str, Tensor]:
        loaded = nodegraph.load(GRAPHS / graph, cached=False, readable=(self.folder,))
        return loaded(**inputs).outputs

    def pictures(self, graph: str, **inputs: Any) -> dict[str, np.ndarray]:
        """What `nodegraph run` writes: levels [B, H, W, 3] by the name of the output."""
        options = [f"--{key.replace('_', '-')}={value}" for key, value in inputs.items()]
        out = ["--out", str(self.folder / "out"), "--no-cache", "--json", "--device", "cpu"]
        done = json.loads(self.command("run", str(GRAPHS / graph), *options, *out))
        return {
            name: np.stack([np.asarray(PillowImage.open(path)) for path in paths])
            for name, paths in done["outputs"].items()
        }


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    return Workplace(tmp_path)


def same_levels(found: np.ndarray, expected: Tensor, beyond: float = 0.0) -> None:
    """Pictures within one level of 256 of the references', but for a share of pixels `beyond`."""
    apart = np.abs(found.astype(int) - to_bytes(expected).astype(int)) > 1
    assert apart.mean() <= beyond


def glide_inputs(
    workplace: Workplace, name: str, case: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    """Publishes the networks of a pipeline, and gives what its graph takes."""
    parts = {part: ("openai_glide", case[f"{part}_options"]) for part in ("base", "up")}
    workplace.publish("tiny/glide", parts)
    rows = case["batch_size"]
    noises = {}
    for part in parts:
        steps = tensors.get(f"{name}.{part}.step_noise")
        steps = None if steps is None else steps[:, :rows]
        x_T = tensors[f"{name}.{part}.x_T"][:rows]
        noises[f"{part}_noise"] = workplace.noise(f"{name}-{part}", x_T, steps)
    return {
        "models": "tiny/glide",
        "prompt": case["prompt"],
        "count": rows,
        "base_steps": case["base_options"]["timestep_respacing"],
        "up_steps": case["up_options"]["timestep_respacing"],
        **noises,
    }


def test_glide_text_to_image(golden, workplace: Workplace) -> None:
    tensors, meta = golden.load("glide_sampling_tiny")
    case = meta["pipelines"].get("text2im")
    if case is None:
        pytest.skip("no pipeline 'text2im'")
    inputs = glide_inputs(workplace, "text2im", case, tensors)
    inputs["guidance"] = case["guidance_scale"]
    found = workplace.values("text2im.yaml", **inputs)
    golden.close("text2im.base.samples", found["small"], tensors, meta)
    golden.close("text2im.up.samples", found["large"], tensors, meta)
    written = workplace.pictures("text2im.yaml", **inputs)
    same_levels(written["small"], tensors["text2im.base.samples"])
    same_levels(written["large"], tensors["text2im.up.samples"])
