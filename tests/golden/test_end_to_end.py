"""From a checkpoint in OpenAI's layout to the references' pictures: `models add`, then `run` of a graph, on recorded noise."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from workplace import Workplace

from nodes.tensors import to_bytes

GRAPHS = Path(__file__).parent / "graphs"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    return Workplace(tmp_path)


def same_levels(found: np.ndarray, expected: Tensor) -> None:
    """Pictures within one level of 256 of the references'."""
    assert np.abs(found.astype(int) - to_bytes(expected).astype(int)).max() <= 1


def glide(golden, workplace: Workplace, name: str) -> tuple[dict, dict, dict[str, Any]]:
    """Publishes the networks of a pipeline; the golden file, and what the pipeline's graph takes."""
    tensors, meta = golden.load("glide_sampling_tiny")
    case = meta["pipelines"].get(name)
    if case is None:
        pytest.skip(f"no pipeline '{name}'")
    start = next(key.partition(".")[0] for key in tensors if key.startswith(name))
    parts = {part: ("openai_glide", case[f"{part}_options"]) for part in ("base", "up")}
    if "clip_config" in case:
        parts["clip"] = ("openai_glide_clip", case["clip_config"])
    workplace.publish("tiny/glide", parts)
    rows = case["batch_size"]
    inputs = {"models": "tiny/glide", "prompt": case["prompt"], "count": rows}
    for part in ("base", "up"):
        steps = tensors.get(f"{start}.{part}.step_noise")
        steps = None if steps is None else steps[:, :rows]
        x_T = tensors[f"{start}.{part}.x_T"][:rows]
        inputs[f"{part}_noise"] = workplace.noise(f"{part}-noise", x_T, steps)
        inputs[f"{part}_steps"] = case[f"{part}_options"]["timestep_respacing"]
    return tensors, meta, inputs


def test_glide_text_to_image(golden, workplace: Workplace) -> None:
    tensors, meta, inputs = glide(golden, workplace, "text2im")
    inputs["guidance"] = meta["pipelines"]["text2im"]["guidance_scale"]
    found = workplace.values(GRAPHS / "text2im.yaml", **inputs)
    golden.close("text2im.base.samples", found["small"], tensors, meta)
    golden.close("text2im.up.samples", found["large"], tensors, meta)
    written = workplace.pictures(GRAPHS / "text2im.yaml", **inputs)
    same_levels(written["small"], tensors["text2im.base.samples"])
    same_levels(written["large"], tensors["text2im.up.samples"])


def test_glide_guided_by_clip(golden, workplace: Workplace) -> None:
    tensors, meta, inputs = glide(golden, workplace, "clip")
    inputs["scale"] = meta["pipelines"]["clip"]["clip_grad_scale"]
    found = workplace.values(GRAPHS / "clip_guided.yaml", **inputs)
    golden.close("clip_guided.base.samples", found["small"], tensors, meta)
    golden.close("clip_guided.up.samples", found["large"], tensors, meta)


def test_glide_inpainting(golden, workplace: Workplace) -> None:
    tensors, meta, inputs = glide(golden, workplace, "inpaint")
    inputs["guidance"] = meta["pipelines"]["inpaint"]["guidance_scale"]
    for end in ("", "_up"):
        inputs[f"image{end}"] = tensors[f"inpaint.source_image{end}"]
        inputs[f"mask{end}"] = tensors[f"inpaint.source_mask{end}"]
    found = workplace.values(GRAPHS / "inpaint.yaml", **inputs)
    golden.close("inpaint.base.samples", found["small"], tensors, meta)
    golden.close("inpaint.up.samples", found["large"], tensors, meta)
    known = inputs["mask_up"].expand_as(found["pasted"]) == 1
    assert torch.equal(found["pasted"][known], inputs["image_up"].expand_as(known)[known])


def test_guided_diffusion_by_a_classifier(golden, workplace: Workplace) -> None:
    tensors, meta = golden.load("adm_sampling_tiny")
    text = (GRAPHS / "classifier.yaml").read_text(encoding="utf-8")
    graph = workplace.folder / "classifier.yaml"
    for name, case in meta["runs"].items():
        workplace.publish(
            "tiny/adm",
            {
                "diffusion": ("openai_adm", case["model_options"]),
                "classifier": ("openai_adm_classifier", case["classifier_options"]),
            },
        )
        told = text if case["model_options"]["class_cond"] else text.replace("[$class]", "[]")
        ddim = case["sampler"].startswith("ddim")
        sampler = "ddim_sampler" if ddim else "ancestral_sampler"
        graph.write_text(told.replace("ancestral_sampler", sampler), encoding="utf-8")
        inputs = {
            "models": "tiny/adm",
            "labels": case["labels"],
            "scale": case["classifier_scale"],
            "steps": case["model_options"]["timestep_respacing"],
            "noise": workplace.noise(
                name, tensors[f"{name}.x_T"], tensors.get(f"{name}.step_noise")
            ),
        }
        found = workplace.values(graph, **inputs)["samples"]
        golden.close(f"{name}.samples", found, tensors, meta)
        if not ddim:
            same_levels(workplace.pictures(graph, **inputs)["samples"], tensors[f"{name}.samples"])
