"""A place with models of one's own in OpenAI's layouts, filled by the fill rule, where commands run as from a shell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fill import filled
from PIL import Image as PillowImage
from safetensors.torch import save_file
from torch import Tensor
from typer.testing import CliRunner

import nodegraph
from nodegraph.cli import app
from nodes.checkpoints.entries import Part, PublishedFile
from nodes.checkpoints.layouts import LAYOUTS, published_shapes

KINDS = {"openai_adm_classifier": "Classifier", "openai_glide_clip": "NoisedClip"}


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

    def values(self, graph: Path, **inputs: Any) -> Mapping[str, Tensor]:
        loaded = nodegraph.load(graph, cached=False, readable=(self.folder,))
        return loaded(**inputs).outputs

    def pictures(self, graph: Path, **inputs: Any) -> dict[str, np.ndarray]:
        """What `nodegraph run` writes: levels [B, H, W, 3] by the name of the output."""
        options = [f"--{key.replace('_', '-')}={_text(value)}" for key, value in inputs.items()]
        out = ["--out", str(self.folder / "out"), "--no-cache", "--json", "--device", "cpu"]
        done = json.loads(self.command("run", str(graph), *options, *out))
        return {
            name: np.stack([np.asarray(PillowImage.open(path)) for path in paths])
            for name, paths in done["outputs"].items()
        }


def _text(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
