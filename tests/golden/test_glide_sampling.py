"""GLIDE's pipelines, from the first noise to the last picture, with the references' recorded noise.

Which pipelines there are, and how each is guided, conditioned and sampled, is read from the files.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from test_glide_networks import assert_weights, golden_unet
from test_noised_clip import golden_clip
from torch import Tensor

from nodes.checkpoints.openai import glide_config
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf
from nodes.diffusion.guidance import LogProbability, ScoreGuidance, text_log_probability
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.process import eps_from_x0
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Sampling, Start, ancestral, ddim
from nodes.diffusion.schedule import Schedule, schedule
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0, MaskInpainter
from nodes.networks.unet import UNet, masked, upsampled

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
        return DiffusionNetwork(unet, chain, shape, "eps", config.trained.learned_variance)

    def leaf(self, network: DiffusionNetwork, rows: slice = slice(None)) -> Leaf:
        unet = network.call
        assert isinstance(unet, UNet) and unet.text is not None
        encoding = unet.text(self["tokens"][rows], self["mask"][rows])
        conditions = {"embedding": encoding.pooled, "tokens": encoding.tokens}
        pixels = [masked(*self.known)] if self.inpaints else []
        if unet.config.low_resolution:
            low = self.tensors[f"{self.pipeline}.low_res"]
            pixels.append(upsampled(low, unet.config.image_size))
        return Leaf(network, conditions | ({"pixels": torch.cat(pixels, 1)} if pixels else {}))

    def finished(self, denoiser: Denoiser) -> Denoiser:
        """Known pixels are imposed on the predicted x_0 before it is clipped."""
        return ClipX0(MaskInpainter(denoiser, *self.known) if self.inpaints else denoiser)

    def chain(self, denoiser: Denoiser) -> Schedule:
        spaced = respace(denoiser.trained, self.field("options")["timestep_respacing"])
        assert spaced.timesteps.tolist() == self.field("timestep_map")
        return spaced

    def sampling(self, denoiser: Denoiser) -> Sampling:
        """The sampler that the file names, on the noise of the rows that it keeps."""
        rows, steps = len(self["samples"]), self.get("step_noise")
        noise = RecordedNoise(self["x_T"][:rows], None if steps is None else steps[:, :rows])
        text = str(self.field("sampler"))
        sampler, eta = text.split()[0], text.partition(" eta=")[2]
        start = Start(noise)
        if sampler == "p_sample_loop":
            return ancestral(denoiser, self.chain(denoiser), start)
        assert sampler == "ddim_sample_loop", f"{self.pipeline}: unknown sampler '{sampler}'"
        return ddim(denoiser, self.chain(denoiser), start, float(eta or 0))


def stages(tensors: Mapping[str, Tensor], meta: Mapping[str, Any], part: str) -> Iterator[Stage]:
    """That stage of every pipeline; its tensors are named after it, perhaps with more behind (`clip`: `clip_guided`)."""
    for name, case in meta["pipelines"].items():
        prefixes = {key.partition(".")[0] for key in tensors if key.endswith(f".{part}.x_T")}
        prefix = next(p for p in sorted(prefixes) if p.startswith(name))
        yield Stage(prefix, part, case, tensors)


def clip_guide(stage: Stage) -> LogProbability:
    """The similarity of the prompt to noisy pictures, by the noised CLIP of the pipeline."""
    clip = golden_clip(stage.case["clip_config"])
    text = clip.texts([stage.case["prompt"]])
    return text_log_probability(clip.images, text, clip.config.logit_scale)


def guided(stage: Stage) -> tuple[Denoiser, Denoiser, Denoiser]:
    """The guided, the conditional and the unconditional denoiser of a base stage."""
    network, rows = stage.network(), stage.case["batch_size"]
    cond, uncond = stage.leaf(network, slice(rows)), stage.leaf(network, slice(rows, None))
    return ClassifierFreeGuidance(cond, uncond, stage.case["guidance_scale"]), cond, uncond


def compare(golden, stage: Stage, found: Mapping[str, Tensor], meta: dict) -> set[str]:
    """Compares what the file has of `found`; the names of it."""
    names = {f"{stage.pipeline}.{stage.part}.{name}": value for name, value in found.items()}
    stored = {name: value for name, value in names.items() if name in stage.tensors}
    for name, value in stored.items():
        golden.close(name, value, stage.tensors, meta)
    return set(stored)


def states_of(stage: Stage, sampling: Sampling) -> dict[str, Tensor]:
    """What the file may have of a run: its steps, or their mean and deviation in each picture, and the last of them."""
    states = torch.stack([now.x_t for now in sampling])
    found = {
        "step_sample": states,
        "step_sample_mean": states.flatten(2).mean(2),
        "step_sample_std": states.flatten(2).std(2),
        "samples": states[-1],
    }
    middle = stage.case.get(f"{stage.part}_mid_visited_step")
    return found if middle is None else {**found, "sample_mid": states[middle]}


def small_pictures(golden) -> set[str]:
    tensors, meta = golden.load(FILE)
    compared: set[str] = set()
    for stage in stages(tensors, meta, "base"):
        if "clip_config" not in stage.case:
            denoiser = stage.finished(guided(stage)[0])
            found = states_of(stage, stage.sampling(denoiser))
            compared |= compare(golden, stage, found, meta)
    return compared


def small_pictures_by_clip(golden) -> set[str]:
    """Guided by a score, outside of clipping; and the same denoiser without its guide."""
    tensors, meta = golden.load(FILE)
    compared: set[str] = set()
    for stage in stages(tensors, meta, "base"):
        if "clip_config" in stage.case:
            free = stage.finished(stage.leaf(stage.network()))
            guide = clip_guide(stage)
            denoiser = ScoreGuidance(free, guide, stage.case["clip_grad_scale"])
            found = states_of(stage, stage.sampling(denoiser))
            *_, last = stage.sampling(free)
            found["samples_without_guidance"] = last.x_t
            compared |= compare(golden, stage, found, meta)
            compared |= compare_guide(golden, stage, denoiser, meta)
    return compared


def compare_guide(golden, stage: Stage, denoiser: Denoiser, meta: dict) -> set[str]:
    """The embedding of the prompt, and the first gradient."""
    clip, rows = golden_clip(stage.case["clip_config"]), len(stage["samples"])
    first = torch.full((rows,), stage.field("timestep_map")[-1])
    named = {
        f"{stage.pipeline}.text_z": clip.texts([stage.case["prompt"]]).expand(rows, -1),
        f"{stage.pipeline}.first_gradient": denoiser(stage["x_T"][:rows], first).score,
    }
    for name, value in named.items():
        golden.close(name, value, stage.tensors, meta)
    return set(named)


def large_pictures(golden) -> set[str]:
    tensors, meta = golden.load(FILE)
    compared: set[str] = set()
    for stage in stages(tensors, meta, "up"):
        denoiser = stage.finished(stage.leaf(stage.network()))
        found = states_of(stage, stage.sampling(denoiser))
        compared |= compare(golden, stage, found, meta)
    return compared


def first_predictions(golden) -> set[str]:
    """Guided ε for both halves of the references' batch, each with the variance of its own half."""
    tensors, meta = golden.load(FILE)
    compared: set[str] = set()
    for stage in stages(tensors, meta, "base"):
        if stage.get("first_model_fn_out") is None or "guidance_scale" not in stage.case:
            continue
        rows = stage.case["batch_size"]
        x, t = stage["x_T"][:rows], stage["first_timesteps"][:rows]
        both, cond, uncond = guided(stage)
        assert int(t[0]) == stage.field("timestep_map")[-1]
        eps = eps_from_x0(both.trained, x, t, both(x, t).x0)
        halves = [torch.cat([eps, half(x, t).variance], 1) for half in (cond, uncond)]
        compared |= compare(golden, stage, {"first_model_fn_out": torch.cat(halves)}, meta)
    return compared


def test_every_number_of_the_pipelines_is_compared(golden) -> None:
    comparisons: tuple[Callable[[Any], set[str]], ...] = (
        small_pictures,
        small_pictures_by_clip,
        large_pictures,
        first_predictions,
    )
    compared = set().union(*(comparison(golden) for comparison in comparisons))
    _, meta = golden.load(FILE)
    assert sorted(set(meta["tolerance"]) - compared) == []
