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


def glide(job: Mapping[str, Any]) -> Callable[[str, int], Drawn]:
    """glide-text2im's two networks, sampled as its documentation does it: guided ancestral steps, then DDIM."""
    from glide_text2im import model_creation as creation

    def network(part: str, defaults: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
        options = {**defaults, "use_fp16": False, **job.get("options", {}).get(part, {})}
        options["timestep_respacing"] = str(job["steps"][part])
        model, diffusion = creation.create_model_and_diffusion(**options)
        model.load_state_dict(torch.load(job["files"][part], map_location="cpu", weights_only=True))
        return model.eval().to(job["device"]), diffusion, options

    base, chain, small = network("base", creation.model_and_diffusion_defaults())
    upper, upper_chain, large = network(
        "upsample", creation.model_and_diffusion_defaults_upsampler()
    )
    device, scale = torch.device(job["device"]), float(job["guidance"])

    def words(model: Any, options: Mapping[str, Any], texts: list[str]) -> dict[str, Tensor]:
        tokenizer = model.tokenizer
        read = [
            tokenizer.padded_tokens_and_mask(tokenizer.encode(text), options["text_ctx"])
            for text in texts
        ]
        tokens, masks = zip(*read, strict=True)
        return {
            "tokens": torch.tensor(tokens, device=device),
            "mask": torch.tensor(masks, dtype=torch.bool, device=device),
        }

    def guided(x: Tensor, t: Tensor, **conditions: Any) -> Tensor:
        """Rows: with the prompt, and without; both see the first row's x_t."""
        told = base(torch.cat([x[:1], x[:1]]), t, **conditions)
        with_text, without = told[:1, :3], told[1:, :3]
        eps = without + scale * (with_text - without)
        return torch.cat([torch.cat([eps, eps]), told[:, 3:]], 1)

    def draw(prompt: str, seed: int) -> Drawn:
        generator = torch.Generator().manual_seed(seed)
        x_T, second = (
            torch.randn(1, 3, o["image_size"], o["image_size"], generator=generator)
            for o in (small, large)
        )
        torch.manual_seed(seed)
        with recorded(torch, "randn_like") as steps:
            shape = (2, *x_T.shape[1:])
            start = torch.cat([x_T, x_T]).to(device)
            conditions = words(base, small, [prompt, ""])
            found = chain.p_sample_loop(
                guided,
                shape,
                noise=start,
                device=device,
                clip_denoised=True,
                model_kwargs=conditions,
            )[:1]
        conditions = {
            **words(upper, large, [prompt]),
            "low_res": ((found + 1) * 127.5).round() / 127.5 - 1,
        }
        image = upper_chain.ddim_sample_loop(
            upper,
            second.shape,
            noise=second.to(device) * job["temperature"],
            device=device,
            clip_denoised=True,
            model_kwargs=conditions,
        )
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
