"""From a checkpoint in OpenAI's layout to the references' pictures: `models add`, then `run` of a graph, on recorded noise."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from recorded import eta_of
from test_glide_sampling import prefix_of
from torch import Tensor
from workplace import Workplace

from nodes.wires.pictures import to_bytes

GRAPHS = Path(__file__).parent / "graphs"


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("NODEGRAPH_MODELS", str(tmp_path / "models"))
    return Workplace(tmp_path)


def same_levels(found: np.ndarray, expected: Tensor) -> None:
    """Pictures within one level of 256 of the references'."""
    assert np.abs(found.astype(int) - to_bytes(expected).astype(int)).max() <= 1


def graph_of(
    workplace: Workplace, name: str, samplers: Mapping[str, str], conditional: bool = True
) -> Path:
    """The graph of that name with the samplers that the file names, by the node that samples."""
    graph = yaml.safe_load((GRAPHS / name).read_text(encoding="utf-8"))
    for node, sampler in samplers.items():
        eta = eta_of(sampler)
        kind = (
            {"type": "ancestral_sampler"} if eta is None else {"type": "ddim_sampler", "eta": eta}
        )
        graph["nodes"][node] |= kind
    if not conditional:
        graph["nodes"]["network"]["conditions"] = []
    path = workplace.folder / name
    path.write_text(yaml.safe_dump(graph, sort_keys=False), encoding="utf-8")
    return path


def inputs_of(
    workplace: Workplace, prefix: str, case: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> dict[str, Any]:
    """What the graph of a GLIDE pipeline takes; its networks are published for it."""
    parts = {part: ("openai_glide", case[f"{part}_options"]) for part in ("base", "up")}
    inputs: dict[str, Any] = {"models": "tiny/glide", "prompt": case["prompt"]}
    inputs["count"] = rows = len(tensors[f"{prefix}.base.samples"])
    if "clip_config" in case:
        parts["clip"] = ("openai_glide_clip", case["clip_config"])
        inputs["scale"] = case["clip_grad_scale"]
    else:
        inputs["guidance"] = case.get("guidance_scale", 1.0)
    workplace.publish("tiny/glide", parts)
    for part in ("base", "up"):
        steps = tensors.get(f"{prefix}.{part}.step_noise")
        steps = None if steps is None else steps[:, :rows]
        x_T = tensors[f"{prefix}.{part}.x_T"][:rows]
        inputs[f"{part}_noise"] = workplace.noise(f"{part}-noise", x_T, steps)
        inputs[f"{part}_steps"] = case[f"{part}_options"]["timestep_respacing"]
    if case["base_options"]["inpaint"]:
        for end in ("", "_up"):
            inputs[f"image{end}"] = tensors[f"{prefix}.source_image{end}"]
            inputs[f"mask{end}"] = tensors[f"{prefix}.source_mask{end}"]
        inputs["count"] = rows // max(len(inputs["image"]), len(inputs["mask"]))
    return inputs


def short_of_noise(case: Mapping[str, Any], prefix: str, tensors: Mapping[str, Tensor]) -> bool:
    """Whether a stage draws more noise than there is of it; its last step draws none."""
    for part in ("base", "up"):
        noise, sampler = tensors.get(f"{prefix}.{part}.step_noise"), case[f"{part}_sampler"]
        wanted = 0 if eta_of(sampler) == 0 else len(case[f"{part}_timestep_map"]) - 1
        if wanted > (0 if noise is None else len(noise)):
            return True
    return False


def graph_name(case: Mapping[str, Any]) -> str:
    if "clip_config" in case:
        return "clip_guided.yaml"
    return "inpaint.yaml" if case["base_options"]["inpaint"] else "text2im.yaml"


def enlarging(workplace: Workplace, graph: Path) -> Path:
    """The same graph, whose upsampler enlarges a picture that is given."""
    text = yaml.safe_load(graph.read_text(encoding="utf-8"))
    text["inputs"]["given"] = {"type": "Image"}
    for node in text["nodes"].values():
        if node.get("image") == "$small":
            node["image"] = "$given"
    path = workplace.folder / "enlarging.yaml"
    path.write_text(yaml.safe_dump(text, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.cases("glide_sampling_tiny", "pipelines")
def test_glide(golden, workplace: Workplace, case: str) -> None:
    tensors, meta = golden.load("glide_sampling_tiny")
    about, prefix = meta["pipelines"][case], prefix_of(case, tensors, meta)
    ends = {"small": f"{prefix}.base.samples", "large": f"{prefix}.up.samples"}
    if not set(ends.values()) <= set(tensors) or short_of_noise(about, prefix, tensors):
        pytest.skip(f"'{case}' was not recorded to its end")
    inputs = inputs_of(workplace, prefix, about, tensors)
    samplers = {"small": about["base_sampler"], "large": about["up_sampler"]}
    graph = graph_of(workplace, graph_name(about), samplers)
    found = dict(workplace.values(graph, **inputs))
    golden.close(ends["small"], found["small"], tensors, meta)
    small = tensors[ends["small"]]
    if not np.array_equal(to_bytes(found["small"]), to_bytes(small)):
        # A value at the edge of two levels was rounded the other way, and the upsampler sees levels: it gets the references'.
        graph = enlarging(workplace, graph)
        inputs["given"] = small
        found |= workplace.values(graph, **inputs)
    golden.close(ends["large"], found["large"], tensors, meta)
    if "pasted" in found:
        known = inputs["mask_up"].expand_as(found["pasted"]) == 1
        assert torch.equal(found["pasted"][known], inputs["image_up"].expand_as(known)[known])
    if graph_name(about) == "text2im.yaml" and "given" not in inputs:
        written = workplace.pictures(graph, **inputs)
        for output, name in ends.items():
            same_levels(written[output], tensors[name])


@pytest.mark.cases("adm_sampling_tiny", "runs")
def test_guided_diffusion_by_a_classifier(golden, workplace: Workplace, case: str) -> None:
    tensors, meta = golden.load("adm_sampling_tiny")
    about = meta["runs"][case]
    if f"{case}.samples" not in tensors or not about.get("clip_denoised", True):
        pytest.skip(f"'{case}' was not recorded to its end, or was not clipped")
    chain = {key: about["model_options"][key] for key in ("diffusion_steps", "noise_schedule")}
    parts = {
        "diffusion": ("openai_adm", about["model_options"]),
        "classifier": ("openai_adm_classifier", about["classifier_options"] | chain),
    }
    workplace.publish("tiny/adm", parts)
    told = about["model_options"]["class_cond"]
    graph = graph_of(workplace, "classifier.yaml", {"samples": about["sampler"]}, told)
    x_T = tensors[f"{case}.x_T"]
    inputs = {
        "models": "tiny/adm",
        "labels": tensors[f"{case}.y"].tolist(),
        "scale": about["classifier_scale"],
        "steps": about["model_options"]["timestep_respacing"],
        "noise": workplace.noise(case, x_T, tensors.get(f"{case}.step_noise")),
    }
    found = workplace.values(graph, **inputs)["samples"]
    golden.close(f"{case}.samples", found, tensors, meta)
    if about["sampler"].startswith("p_sample"):
        same_levels(workplace.pictures(graph, **inputs)["samples"], tensors[f"{case}.samples"])
