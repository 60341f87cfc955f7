"""GLIDE's pipelines, from the first noise to the last picture, with the references' recorded noise.

Which pipelines there are, and how each is guided, conditioned and sampled, is read from the files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from recorded import first_of, recorded, sampling
from test_glide_networks import assert_weights, golden_unet
from test_noised_clip import golden_clip
from torch import Tensor

from nodes.checkpoints.openai import glide_config
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.process import eps_from_x0
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Sampling, Start
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.score_guidance import LogProbability, ScoreGuidance, text_log_probability
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0, MaskInpainter
from nodes.networks.unet.network import UNet, masked, upsampled

FILE = "glide_sampling_tiny"


@dataclass(frozen=True)
class Stage:
    """One network of a pipeline: `part` is `base` or `up`."""

    pipeline: str
    part: str
    case: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[f"{self.pipeline}.{self.part}.{name}"]

    def get(self, name: str) -> Tensor | None:
        return self.tensors.get(f"{self.pipeline}.{self.part}.{name}")

    def field(self, name: str) -> Any:
        return self.case[f"{self.part}_{name}"]

    @property
    def rows(self) -> int:
        """Pictures that the file keeps: of a guided stage the first half of the batch, which has the condition."""
        kept = self.get("samples")
        return self.case["batch_size"] if kept is None else len(kept)

    @property
    def inpaints(self) -> bool:
        return bool(self.field("options")["inpaint"])

    @property
    def known(self) -> tuple[Tensor, Tensor]:
        """The picture to complete [1, 3, H, W] and its mask [1, 1, H, W], at the size of this stage."""
        end = "" if self.part == "base" else f"_{self.part}"
        names = (f"source_image{end}", f"source_mask{end}")
        image, mask = (self.tensors[f"{self.pipeline}.{name}"] for name in names)
        return image, mask

    def network(self) -> DiffusionNetwork:
        unet = golden_unet(glide_config(self.field("options")))
        if weights := self.case.get(f"{self.part}_weights"):
            assert_weights(unet, weights)
        config = unet.config
        chain = schedule(config.trained.schedule, config.trained.train_steps)
        shape = (config.channels, config.image_size, config.image_size)
        return DiffusionNetwork(unet, chain, shape, config.trained)

    def leaf(self, network: DiffusionNetwork, rows: slice = slice(None)) -> Leaf:
        unet = network.call
        assert isinstance(unet, UNet)
        conditions = {}
        if unet.text is not None:
            encoding = unet.text(self["tokens"][rows], self["mask"][rows])
            conditions = {"embedding": encoding.pooled, "tokens": encoding.tokens}
        pixels = [masked(*self.known)] if self.inpaints else []
        if unet.config.low_resolution:
            low = self.tensors[f"{self.pipeline}.low_res"]
            pixels.append(upsampled(low, unet.config.image_size))
        if pixels:
            count = max(map(len, pixels))
            beside = [part.expand(count, -1, -1, -1) for part in pixels]
            conditions["pixels"] = torch.cat(beside, 1)
        return Leaf(network, conditions)

    def finished(self, denoiser: Denoiser) -> Denoiser:
        """Known pixels are imposed on the predicted x_0 before it is clipped."""
        imposed = MaskInpainter(denoiser, *self.known) if self.inpaints else denoiser
        return ClipX0(imposed) if self.case.get("clip_denoised", True) else imposed

    def chain(self, denoiser: Denoiser) -> Schedule:
        spaced = respace(denoiser.trained, self.field("options")["timestep_respacing"])
        assert spaced.timesteps.tolist() == self.field("timestep_map")
        return spaced

    def sampling(self, denoiser: Denoiser) -> Sampling:
        """The sampler that the file names, on the noise of the rows that it keeps."""
        steps = self.get("step_noise")
        kept = None if steps is None else steps[:, : self.rows]
        start = Start(RecordedNoise(self["x_T"][: self.rows], kept), self.rows // denoiser.rows)
        return sampling(str(self.field("sampler")), self.chain(denoiser), denoiser, start)


def stages(tensors: Mapping[str, Tensor], meta: Mapping[str, Any], part: str) -> Iterator[Stage]:
    """That stage of every pipeline that has it."""
    for name, case in meta["pipelines"].items():
        prefix = prefix_of(name, tensors, meta)
        if f"{prefix}.{part}.x_T" in tensors:
            yield Stage(prefix, part, case, tensors)


def prefix_of(name: str, tensors: Mapping[str, Tensor], meta: Mapping[str, Any]) -> str:
    """What the names of a pipeline's tensors begin with: its name, perhaps with more behind (`clip`: `clip_guided`)."""
    begun = {key.partition(".")[0] for key in tensors if key.endswith(".x_T")}
    others = begun & set(meta["pipelines"]) - {name}
    longer = sorted(p for p in begun - others if p.startswith(f"{name}_"))
    return name if name in begun or not longer else longer[0]


def clip_guide(stage: Stage) -> LogProbability:
    """The similarity of the prompt to noisy pictures, by the noised CLIP of the pipeline."""
    clip = golden_clip(stage.case["clip_config"])
    text = clip.texts([stage.case["prompt"]])
    return text_log_probability(clip.images, text, clip.config.logit_scale)


def guided(stage: Stage) -> tuple[Denoiser, Denoiser, Denoiser]:
    """The guided, the conditional and the unconditional denoiser of a base stage, which come one below the other."""
    network, half = stage.network(), len(stage["tokens"]) // 2
    cond, uncond = stage.leaf(network, slice(half)), stage.leaf(network, slice(half, None))
    return ClassifierFreeGuidance(cond, uncond, stage.case["guidance_scale"]), cond, uncond


def compare(golden, stage: Stage, found: Mapping[str, Tensor], meta: dict) -> None:
    """Compares what the file has of `found`, of its steps the first where there are no others."""
    for name, value in found.items():
        kept = first_of(value, stage.get(name))
        golden.close(f"{stage.pipeline}.{stage.part}.{name}", kept, stage.tensors, meta)


def states_of(stage: Stage, denoiser: Denoiser) -> dict[str, Tensor]:
    """What the file may have of a run: its steps, or their mean and deviation in each picture, and the last of them."""
    visited = [now.x_t for now in recorded(stage.sampling(denoiser))]
    if not visited:
        return {}
    states = torch.stack(visited)
    found = {
        "step_sample": states,
        "step_sample_mean": states.flatten(2).mean(2),
        "step_sample_std": states.flatten(2).std(2),
    }
    if len(states) == len(stage.field("timestep_map")):
        found["samples"] = states[-1]
    middle = stage.case.get(f"{stage.part}_mid_visited_step", len(states))
    return {**found, "sample_mid": states[middle]} if middle < len(states) else found


def small_pictures(golden) -> None:
    tensors, meta = golden.load(FILE)
    for stage in stages(tensors, meta, "base"):
        if "clip_config" not in stage.case:
            free = "guidance_scale" not in stage.case
            denoiser = stage.finished(stage.leaf(stage.network()) if free else guided(stage)[0])
            found = states_of(stage, denoiser)
            compare(golden, stage, found, meta)


def small_pictures_by_clip(golden) -> None:
    """Guided by a score, outside of clipping; and the same denoiser without its guide."""
    tensors, meta = golden.load(FILE)
    for stage in stages(tensors, meta, "base"):
        if "clip_config" in stage.case:
            free = stage.finished(stage.leaf(stage.network()))
            guide = clip_guide(stage)
            denoiser = ScoreGuidance(free, guide, stage.case["clip_grad_scale"])
            found = states_of(stage, denoiser)
            if stage.get("samples_without_guidance") is not None:
                *_, last = stage.sampling(free)
                found["samples_without_guidance"] = last.x_t
            compare(golden, stage, found, meta)
            compare_guide(golden, stage, denoiser, meta)


def compare_guide(golden, stage: Stage, denoiser: Denoiser, meta: dict) -> None:
    """The embedding of the prompt, and the first gradient."""
    clip, rows = golden_clip(stage.case["clip_config"]), stage.rows
    first = torch.full((rows,), stage.field("timestep_map")[-1])
    named = {
        f"{stage.pipeline}.text_z": clip.texts([stage.case["prompt"]]),
        f"{stage.pipeline}.first_gradient": denoiser(stage["x_T"][:rows], first).score,
    }
    for name, value in named.items():
        golden.close(name, value, stage.tensors, meta)


def large_pictures(golden) -> None:
    tensors, meta = golden.load(FILE)
    for stage in stages(tensors, meta, "up"):
        denoiser = stage.finished(stage.leaf(stage.network()))
        found = states_of(stage, denoiser)
        compare(golden, stage, found, meta)


def first_predictions(golden) -> None:
    """Guided ε for both halves of the references' batch, each with the variance of its own half."""
    tensors, meta = golden.load(FILE)
    for stage in stages(tensors, meta, "base"):
        if stage.get("first_model_fn_out") is None or "guidance_scale" not in stage.case:
            continue
        both, cond, uncond = guided(stage)
        x = stage["x_T"][: stage.rows]
        t = torch.full((stage.rows,), stage.field("timestep_map")[-1])
        eps = eps_from_x0(both.trained, x, t, both(x, t).x0)
        halves = [torch.cat([eps, half(x, t).variance], 1) for half in (cond, uncond)]
        compare(golden, stage, {"first_model_fn_out": torch.cat(halves)}, meta)


def test_every_number_of_the_pipelines_is_compared(golden) -> None:
    for comparison in (small_pictures, small_pictures_by_clip, large_pictures, first_predictions):
        comparison(golden)
    golden.whole(*golden.load(FILE))
