"""Karlo's pipelines from the folders as they lie on disk, with the reference's noise: text to image, variations, interpolation.

Which runs there are, with which steps, guidance and noise, is read from the file.
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from test_unclip_networks import close
from torch import Tensor

from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ancestral
from nodes.library.conditioning import low_resolution, unclip_conditions
from nodes.library.denoising import clip_x0, unet_denoiser
from nodes.library.guidance import classifier_free_guidance, guidance_interval
from nodes.library.priors import prior_denoiser
from nodes.models.clip import Clip, parse_clip
from nodes.models.embeddings import ClipTokens, Embedding
from nodes.models.handle import parsed
from nodes.models.prior import Prior
from nodes.models.unet import UNet
from nodes.networks.clip.network import clip_pixels
from nodes.networks.unet.network import upsampled
from nodes.wires.conditions import Condition

FILE = "unclip_pipeline"
ATOL = 1e-4
TEXT_TO_IMAGE, VARIATIONS = "unclip_tiny_karlo", "unclip_tiny_karlo_variations"


@dataclass
class Run:
    """One run of the file. `draws` are its random draws in their order."""

    name: str
    case: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    folder: Path
    draws: Iterator[Tensor]
    compared: set[str] = field(default_factory=set)

    @property
    def context(self) -> RunContext:
        return RunContext(Sandbox((self.folder,), self.folder))

    def model(self, kind: type, part: str) -> Any:
        return parsed(kind, str(self.folder / part), self.context)

    @property
    def clip(self) -> Clip:
        return parse_clip(str(self.folder / "clip"), self.context)

    def get(self, name: str) -> Tensor | None:
        return self.tensors.get(f"{self.name}.{name}")

    def arg(self, name: str, default: Any = None) -> Any:
        return self.case["args"].get(name, default)

    def guidance(self, stage: str) -> float:
        """Of a stage. The reference guides both or none: where no scale is above 1 there is no unconditional half."""
        scales = {k: v for k, v in self.case["args"].items() if k.endswith("_guidance_scale")}
        return scales[f"{stage}_guidance_scale"] if max(scales.values()) > 1 else 1.0

    def compare(self, name: str, actual: Tensor) -> None:
        expected = self.get(name)
        if expected is not None:
            self.compared.add(name)
            if not expected.is_floating_point():
                assert torch.equal(actual, expected.to(actual.dtype)), f"{self.name}.{name}"
            elif "_latents_after_step" in name or name.startswith("out."):
                same_pictures(f"{self.name}.{name}", actual, expected)
            else:
                close(f"{self.name}.{name}", actual, expected, ATOL)

    def noise(self, stage: str, steps: int, rows: int) -> RecordedNoise:
        """The first noise of a stage, and one for each step but the last."""
        rule = self.case.get("latents_rule", {}).get(f"{stage}_latents")
        first = next(self.draws) if rule is None else named(rule["rule_noise_name"], rule["shape"])
        first = first.expand(rows, *first.shape[1:])
        later = [next(self.draws) for _ in range(steps - 1)]
        return RecordedNoise(first, torch.stack(later) if later else None)


def named(name: str, shape: list[int]) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(shape, generator=generator)


def prefix_of_noise(name: str, case: Mapping[str, Any]) -> str:
    """What the names of a run's draws begin with: the run's name, unless the rule of the file says another."""
    found = re.search(r"rule_noise\('([^']*)'\s*\+", case.get("noise_rule", ""))
    return found[1] if found else f"{name}."


def drawn(name: str, case: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Iterator[Tensor]:
    """The random draws of a run: by a rule, or from one generator; each is checked."""
    prefix, seed = prefix_of_noise(name, case), case["args"].get("generator_seed")
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    for number, about in enumerate(case["randn_draws"]):
        if generator is not None:
            value = torch.randn(about["shape"], generator=generator)
        else:
            value = named(f"{prefix}{number}", about["shape"])
        assert abs(float(value.sum()) - about["sum"]) < 1e-5 * value.numel() + 1e-3
        stored = tensors.get(f"{name}.noise.{number:02}")
        assert stored is None or torch.equal(stored, value)
        yield value


def runs(golden) -> list[Run]:
    tensors, meta = golden.load(FILE)
    found = []
    for name, case in meta["cases"].items():
        text = "prior_num_inference_steps" in case["args"]
        folder = golden.path(TEXT_TO_IMAGE if text else VARIATIONS)
        found.append(Run(name, case, tensors, folder, drawn(name, case, tensors)))
    return found


def words(run: Run) -> tuple[Embedding, ClipTokens]:
    """The texts of a run: its prompts, or what is stored of them."""
    given = run.get("in.text_model_output.text_embeds")
    if given is not None:
        states = run.tensors[f"{run.name}.in.text_model_output.last_hidden_state"]
        mask = run.tensors[f"{run.name}.in.text_attention_mask"]
        return Embedding(given), ClipTokens(states, mask)
    if run.arg("start_prompt") is not None:
        return interpolated(run)[1]
    prompt = run.arg("prompt", "")
    return unnamed(run.clip.read([prompt] if isinstance(prompt, str) else prompt))


def nothing(run: Run) -> tuple[Embedding, ClipTokens]:
    """The empty text."""
    if run.arg("start_prompt") is not None:
        return interpolated(run)[0]
    return unnamed(run.clip.read([""]))


def interpolated(run: Run) -> list[tuple[Embedding, ClipTokens]]:
    """Between two texts, what the reference made of them, by its own way of interpolating: without a text, and with one."""
    names = ("mid.prompt_embeds", "mid.text_hidden", "mid.decoder_mask")
    halves = zip(*(run.tensors[f"{run.name}.{name}"].chunk(2) for name in names), strict=True)
    return [
        (Embedding(e), ClipTokens(states, mask[:, mask.shape[1] - states.shape[1] :].bool()))
        for e, states, mask in halves
    ]


def unnamed(values: tuple[Embedding, ClipTokens]) -> tuple[Embedding, ClipTokens]:
    """Without the name of their CLIP: what the file stores has none."""
    embedding, tokens = values
    return Embedding(embedding.values), ClipTokens(tokens.values, tokens.mask)


def sampled(run: Run, stage: str, denoiser: Denoiser, count: int = 1) -> Tensor:
    """The last state of a stage, whose steps are compared."""
    steps = run.arg(f"{stage}_num_inference_steps")
    noise = run.noise(stage, steps, denoiser.rows * count)
    compare_steps(run, stage, denoiser, noise, count)
    return last_state(denoiser, steps, noise, count)


def last_state(denoiser: Denoiser, steps: int, noise: RecordedNoise, count: int = 1) -> Tensor:
    *_, last = ancestral(denoiser, respace(denoiser.trained, steps), Start(noise, count))
    return last.x_t


def compare_steps(
    run: Run, stage: str, denoiser: Denoiser, noise: RecordedNoise, count: int = 1
) -> None:
    """Every step whose result is stored, made from the stored one before it: what one pixel is off by must not add up."""
    spaced = respace(denoiser.trained, run.arg(f"{stage}_num_inference_steps"))
    x_t = noise.initial
    for number in range(len(spaced)):
        after = run.get(name := f"mid.{stage}_latents_after_step.{number}")
        if after is None:
            return
        rest = None if noise.steps is None else noise.steps[number:]
        left = replace(spaced, visits=spaced.visits[number:])
        start = Start(RecordedNoise(x_t, rest), count, x_t=x_t)
        run.compare(name, next(ancestral(denoiser, left, start)).x_t)
        x_t = after


def guided(cond: Denoiser, uncond: Denoiser, scale: float) -> Denoiser:
    return clip_x0(classifier_free_guidance(cond, uncond, scale))


def image_embeddings(run: Run) -> Embedding:
    """By the prior, or of the pictures of a variation."""
    if "prior_num_inference_steps" in run.case["args"]:
        return by_prior(run)
    given = run.get("in.image_embeddings")
    if given is None and run.get("mid.endpoint_image_embeds") is not None:
        # Between two pictures by the reference's own way of interpolating.
        run.compare("mid.endpoint_image_embeds", seen(run).values)
        given = run.get("mid.image_embeddings")
    pixels = run.get("in.pixel_values")
    if pixels is not None:
        given = run.clip.module().image(pixels)
    given = seen(run).values if given is None else given
    copies = run.arg("num_images_per_prompt", 1)
    run.compare("mid.image_embeddings", given.repeat_interleave(copies, 0))
    return Embedding(given)


def pictures(run: Run) -> list[Tensor]:
    found = []
    while (levels := run.get(f"in.image_uint8_hwc.{len(found)}")) is not None:
        found.append(levels.permute(2, 0, 1)[None].float() / 127.5 - 1)
    return found


def seen(run: Run) -> Embedding:
    clip = run.clip
    made = [clip.see(picture).values for picture in pictures(run)]
    pixels = [clip_pixels(picture, run.clip.config) for picture in pictures(run)]
    run.compare("mid.pixel_values", torch.cat(pixels))
    return Embedding(torch.cat(made))


def by_prior(run: Run) -> Embedding:
    prior, (embedding, tokens), (empty, no_tokens) = (
        run.model(Prior, "prior"),
        words(run),
        nothing(run),
    )
    cond = prior_denoiser(prior, tokens, embedding)
    uncond = prior_denoiser(prior, no_tokens, empty)
    compare_outputs(run, "prior", cond, uncond)
    denoiser = guided(cond, uncond, run.guidance("prior"))
    last = sampled(run, "prior", denoiser, run.arg("num_images_per_prompt", 1))
    made = denoiser.root.network.value(last)
    run.compare("mid.image_embeddings", made.values)
    return Embedding(made.values)


def compare_outputs(run: Run, stage: str, cond: Denoiser, uncond: Denoiser) -> None:
    """What the network gives at the states that are stored, without the text and with it."""
    steps = run.arg(f"{stage}_num_inference_steps")
    times = respace(cond.trained, steps).timesteps.tolist()[::-1]
    for number, t in enumerate(times):
        if run.get(f"mid.{stage}_model_output.{number}") is None:
            continue
        x = state_before(run, stage, number)
        network = cond.root.network
        outputs = []
        for leaf in (uncond.root, cond.root):
            given = {
                n: v.repeat_interleave(len(x) // len(v), 0) for n, v in leaf.conditions.items()
            }
            outputs.append(network.call(x, torch.full((len(x),), t), **given))
        run.compare(f"mid.{stage}_model_output.{number}", torch.cat(outputs))


def state_before(run: Run, stage: str, number: int) -> Tensor:
    if number:
        return run.tensors[f"{run.name}.mid.{stage}_latents_after_step.{number - 1}"]
    rows = len(run.tensors[f"{run.name}.mid.{stage}_latents_after_step.0"])
    rule = run.case.get("latents_rule", {}).get(f"{stage}_latents")
    first = (
        first_draw(run, stage) if rule is None else named(rule["rule_noise_name"], rule["shape"])
    )
    return first.expand(rows, *first.shape[1:])


def first_draw(run: Run, stage: str) -> Tensor:
    """The first draw of a stage in the stored ones, told by its shape."""
    like = run.tensors[f"{run.name}.mid.{stage}_latents_after_step.0"].shape
    draws = drawn(run.name, run.case, run.tensors)
    return next(draw for draw in draws if draw.shape == like)


def small_pictures(run: Run, images: Embedding) -> Tensor:
    decoder: UNet = run.model(UNet, "decoder")
    (empty, no_tokens), (embedding, tokens) = nothing(run), words(run)
    wanted = unclip_conditions(decoder, images, tokens, embedding)
    unwanted = unclip_conditions(decoder, None, no_tokens, empty)
    compare_conditions(run, unwanted, wanted)
    halves(run, "prompt_embeds", empty.values, embedding.values)
    halves(run, "text_hidden", no_tokens.values, tokens.values)
    cond, uncond = unet_denoiser(decoder, [wanted]), unet_denoiser(decoder, [unwanted])
    compare_outputs(run, "decoder", cond, uncond)
    denoiser = guided(cond, uncond, run.guidance("decoder"))
    by_text = "prior_num_inference_steps" in run.case["args"]
    count = 1 if by_text else run.arg("num_images_per_prompt", 1)
    return sampled(run, "decoder", denoiser, count)


def compare_conditions(run: Run, unwanted: Condition, wanted: Condition) -> None:
    for name, part in (("temb", "embedding"), ("ctx", "tokens"), ("decoder_mask", "mask")):
        halves(run, name, getattr(unwanted, part), getattr(wanted, part))


def halves(run: Run, name: str, unwanted: Tensor, wanted: Tensor) -> None:
    """Compares the reference's batch: the rows without the text, then those with it, one for each picture."""
    expected = run.get(f"mid.{name}")
    if expected is not None:
        rows = len(expected) // 2
        both = [v.repeat_interleave(rows // len(v), 0) for v in (unwanted, wanted)]
        run.compare(f"mid.{name}", torch.cat(both))


def large_pictures(run: Run, small: Tensor) -> Tensor:
    """Made of our small pictures; the steps are compared on those that are stored."""
    stored = run.tensors[f"{run.name}.out.image_small"]
    steps = run.arg("super_res_num_inference_steps")
    noise = run.noise("super_res", steps, len(stored))
    compare_steps(run, "super_res", enlarging(run, stored), noise)
    return last_state(enlarging(run, small), steps, noise)


def enlarging(run: Run, small: Tensor) -> Denoiser:
    first, last = (run.model(UNet, f"super_res_{name}") for name in ("first", "last"))
    condition, config = low_resolution(small), first.config
    if small is run.tensors[f"{run.name}.out.image_small"]:
        made = upsampled(condition.pixels, config.image_size, config.low_resolution_as)
        run.compare("mid.image_upscaled", made)
    early, final = (unet_denoiser(model, [condition]) for model in (first, last))
    return clip_x0(guidance_interval(final, early, 0, 0))


def same_pictures(name: str, actual: Tensor, expected: Tensor) -> None:
    """99.5 % of the values within 1e-4 and none off by more than 0.05: at t = 999 a few are divided by nearly nothing."""
    difference = (actual - expected).abs()
    assert float((difference <= ATOL).float().mean()) >= 0.995, f"{name}: {difference.max():.3g}"
    assert float(difference.max()) <= 0.05, f"{name}: {difference.max():.3g}"


def test_every_number_of_the_pipelines_is_compared(golden) -> None:
    for run in runs(golden):
        small = small_pictures(run, image_embeddings(run))
        if run.get("mid.decoder_latents_after_step.0") is None:
            run.compare("out.image_small", small)
        large = large_pictures(run, small)
        run.compare("out.image_nhwc", (large / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1))
        assert next(run.draws, None) is None, f"{run.name}: a draw is left over"
        stored = {
            key.removeprefix(f"{run.name}.")
            for key in run.tensors
            if key.startswith((f"{run.name}.mid.", f"{run.name}.out."))
        } - {"out.image_small"}
        assert sorted(stored - run.compared) == [], run.name
