"""A reference program draws the prompts of a job, and everything that it drew at random is kept. Knows nothing of nodegraph.

`python references.py JOB.json`, in an environment that has the program: diffusers for Karlo, glide-text2im for GLIDE. What is
called is their public interface, as their documentation shows it; they are installed from where they are published.
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

Drawn = tuple[Tensor, Mapping[str, tuple[Tensor, Tensor | None]]]
"""A picture [1, 3, H, W] in [-1, 1]; by stage the first noise, and that of its steps [S, B, …]."""


def karlo(job: Mapping[str, Any]) -> Callable[[str, int], Drawn]:
    """diffusers' UnCLIPPipeline of a folder."""
    import diffusers.pipelines
    from diffusers.pipelines.deprecated import unclip
    from diffusers.pipelines.deprecated.unclip import UnCLIPPipeline, pipeline_unclip
    from diffusers.schedulers import scheduling_unclip

    diffusers.pipelines.unclip = unclip  # where the pipeline of a folder is looked for
    pipeline = UnCLIPPipeline.from_pretrained(job["folder"], torch_dtype=torch.float32)
    pipeline = pipeline.to(job["device"])
    pipeline.set_progress_bar_config(disable=True)
    steps = job["steps"]

    def draw(prompt: str, seed: int) -> Drawn:
        with (
            recorded(pipeline_unclip, "randn_tensor") as first,
            recorded(scheduling_unclip, "randn_tensor") as later,
        ):
            made = pipeline(
                prompt,
                prior_num_inference_steps=steps["prior"],
                decoder_num_inference_steps=steps["decoder"],
                super_res_num_inference_steps=steps["upsample"],
                generator=torch.Generator().manual_seed(seed),
                output_type="np",
            )
        image = torch.from_numpy(made.images).permute(0, 3, 1, 2) * 2 - 1
        draws = iter(later)
        noise = {
            stage: (start, torch.stack([next(draws) for _ in range(steps[stage] - 1)]))
            for stage, start in zip(("prior", "decoder", "upsample"), first, strict=True)
        }
        return image, noise

    return draw


@dataclass(frozen=True, slots=True)
class _Network:
    """One of glide-text2im's networks, with its chain and the options that it was made with."""

    model: Any
    chain: Any
    options: Mapping[str, Any]
    device: torch.device

    def words(self, texts: list[str]) -> dict[str, Tensor]:
        """The conditions that the texts are for it."""
        encode, padded = self.model.tokenizer.encode, self.model.tokenizer.padded_tokens_and_mask
        read = [padded(encode(text), self.options["text_ctx"]) for text in texts]
        tokens, masks = zip(*read, strict=True)
        mask = torch.tensor(masks, dtype=torch.bool, device=self.device)
        return {"tokens": torch.tensor(tokens, device=self.device), "mask": mask}

    def first_noise(self, generator: torch.Generator) -> Tensor:
        side = self.options["image_size"]
        return torch.randn(1, 3, side, side, generator=generator)


def _network(job: Mapping[str, Any], part: str, defaults: Mapping[str, Any]) -> _Network:
    from glide_text2im import model_creation as creation

    options = {**defaults, "use_fp16": False, **job.get("options", {}).get(part, {})}
    options["timestep_respacing"] = str(job["steps"][part])
    model, chain = creation.create_model_and_diffusion(**options)
    model.load_state_dict(torch.load(job["files"][part], map_location="cpu", weights_only=True))
    return _Network(model.eval().to(job["device"]), chain, options, torch.device(job["device"]))


def _guided(model: Any, scale: float) -> Callable[..., Tensor]:
    """The model under guidance, for rows with the prompt and without; both see the first row's x_t."""

    def call(x: Tensor, t: Tensor, **conditions: Any) -> Tensor:
        told = model(torch.cat([x[:1], x[:1]]), t, **conditions)
        with_text, without = told[:1, :3], told[1:, :3]
        eps = without + scale * (with_text - without)
        return torch.cat([torch.cat([eps, eps]), told[:, 3:]], 1)

    return call


def glide(job: Mapping[str, Any]) -> Callable[[str, int], Drawn]:
    """glide-text2im's two networks, sampled as its documentation does it: guided ancestral steps, then DDIM."""
    from glide_text2im import model_creation as creation

    base = _network(job, "base", creation.model_and_diffusion_defaults())
    upper = _network(job, "upsample", creation.model_and_diffusion_defaults_upsampler())
    ways: dict[str, Any] = {"device": base.device, "clip_denoised": True}
    guided = _guided(base.model, float(job["guidance"]))

    def draw(prompt: str, seed: int) -> Drawn:
        generator = torch.Generator().manual_seed(seed)
        x_T, second = base.first_noise(generator), upper.first_noise(generator)
        torch.manual_seed(seed)
        with recorded(torch, "randn_like") as steps:
            start = torch.cat([x_T, x_T]).to(base.device)
            told = base.words([prompt, ""])
            sample = base.chain.p_sample_loop
            found = sample(guided, start.shape, noise=start, model_kwargs=told, **ways)[:1]
        low_res = ((found + 1) * 127.5).round() / 127.5 - 1
        told = {**upper.words([prompt]), "low_res": low_res}
        noise = second.to(upper.device) * job["temperature"]
        sample = upper.chain.ddim_sample_loop
        image = sample(upper.model, second.shape, noise=noise, model_kwargs=told, **ways)
        later = torch.stack([step[:1] for step in steps])
        return image, {"base": (x_T, later), "upsample": (second, None)}

    return draw


PROGRAMS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], Callable[[str, int], Drawn]]]] = {
    "karlo": ("diffusers", karlo),
    "glide": ("glide-text2im", glide),
}


@contextmanager
def recorded(module: Any, name: str) -> Iterator[list[Tensor]]:
    """What a function gives meanwhile, on the CPU, in order."""
    function, drawn = getattr(module, name), list[Tensor]()

    def wrapped(*arguments: Any, **options: Any) -> Tensor:
        given = function(*arguments, **options)
        drawn.append(given.detach().cpu().clone())
        return given

    setattr(module, name, wrapped)
    try:
        yield drawn
    finally:
        setattr(module, name, function)


def named(package: str) -> str:
    """A package with its version, or the commit that it was installed from."""
    try:
        found = distribution(package)
    except PackageNotFoundError:
        return package
    record = json.loads(found.read_text("direct_url.json") or "{}")
    commit = record.get("vcs_info", {}).get("commit_id", "")[:7]
    return f"{package} {commit or found.version}"


def exactly() -> None:
    """float32 in full, on cards too."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def peak(device: str) -> int:
    """Bytes: of a card the most that was allocated, else the most that the process held."""
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(path: str) -> None:
    """Draw every prompt: `N.safetensors` with the picture, `N-STAGE.safetensors` with the noise, and what it cost."""
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    out = Path(job["out"])
    out.mkdir(parents=True, exist_ok=True)
    package, program = PROGRAMS[job["program"]]
    exactly()
    warnings.simplefilter("ignore")
    seconds: list[float] = []
    with torch.no_grad():
        draw = program(job)
        for number, prompt in enumerate(job["prompts"]):
            started = time.perf_counter()
            image, noise = draw(prompt, job["seed"] + number)
            image = image.float().cpu()
            seconds.append(time.perf_counter() - started)
            save_file({"image": image.contiguous()}, out / f"{number}.safetensors")
            for stage, (first, later) in noise.items():
                kept = {"initial": first.cpu().contiguous()}
                kept |= {} if later is None else {"steps": later.contiguous()}
                save_file(kept, out / f"{number}-{stage}.safetensors")
    told = {
        "program": named(package),
        "seconds": seconds,
        "memory": peak(job["device"]),
    }
    (out / "cost.json").write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
