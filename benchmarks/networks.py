"""unCLIP's networks and a whole call, beside diffusers on the same weights: CPU time, one thread, pairs in turn.

`OMP_NUM_THREADS=1 python benchmarks/networks.py [--pairs N] [--only WORD …]`: medians of ratios with their range, in Markdown.
A folder in Karlo's layout, of a middle size and with random weights, is made by diffusers and read by both. Then what of our
time is in the convolutions and linear layers, two threads beside one (wall time: on a quiet machine), and compiled blocks.
"""

import argparse
import itertools
import shutil
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH, CLIP, TOKENS = 512, 256, 77
DECODER = {
    "sample_size": 64,
    "in_channels": 3,
    "out_channels": 6,
    "block_out_channels": (128, 256, 384, 512),
    "layers_per_block": 3,
    "down_block_types": ("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "up_block_types": (*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
    "attention_head_dim": 64,
    "cross_attention_dim": WIDTH,
    "class_embed_type": "identity",
    "resnet_time_scale_shift": "scale_shift",
}
UPSAMPLER = {
    "sample_size": 256,
    "in_channels": 6,
    "out_channels": 3,
    "block_out_channels": (64, 128, 192, 256),
    "layers_per_block": 3,
    "down_block_types": ("ResnetDownsampleBlock2D",) * 4,
    "up_block_types": ("ResnetUpsampleBlock2D",) * 4,
    "add_attention": False,
}
PRIOR = {
    "num_attention_heads": 8,
    "attention_head_dim": 64,
    "num_layers": 10,
    "embedding_dim": CLIP,
    "num_embeddings": TOKENS,
    "additional_embeddings": 4,
}
TEXT = {
    "hidden_size": CLIP,
    "intermediate_size": 4 * CLIP,
    "num_attention_heads": 4,
    "num_hidden_layers": 6,
    "projection_dim": CLIP,
    "hidden_act": "quick_gelu",
    "vocab_size": 1026,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
SCHEDULERS = {
    "prior_scheduler": ("fixed_small_log", "sample", 5.0),
    "decoder_scheduler": ("learned_range", "epsilon", 1.0),
    "super_res_scheduler": ("fixed_small_log", "epsilon", 1.0),
}
TINY = Path(__file__).parents[1] / "tests/golden/data/unclip_tiny_karlo"
PRIOR_STEPS = 25
PROMPT = "a big red frog on a green leaf"
THREADS = "a second thread, 8 rows"
ASKED = {
    "decoder, 2 rows": 0.86,
    "decoder, 8 rows": 0.84,
    "super-resolution, 1 row": 0.84,
    "prior, 25 calls of 2 rows": 0.80,
    "text": 1.0,
    "whole call, 1 picture": 0.86,
    "whole call, 4 pictures": 0.84,
    "layers of the decoder alone, 2 rows": -0.80,
    "layers of the decoder alone, 8 rows": -0.80,
    "layers of super-resolution alone, 1 row": -0.80,
    THREADS: -1.8,
    "compiled blocks, 2 rows": 1.0,
}
"""What a ratio may be at most, or, below zero, what it has to be at least."""
Pair = tuple[Callable[[], Tensor], Callable[[], Tensor]]


def made(folder: Path) -> None:
    """Write the folder by diffusers' own `save_pretrained`."""
    from diffusers import PriorTransformer, UNet2DConditionModel, UNet2DModel
    from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
    from diffusers.schedulers.scheduling_unclip import UnCLIPScheduler
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    torch.manual_seed(0)
    projection = {"time_embed_dim": 4 * 128, "cross_attention_dim": WIDTH}
    parts = {
        "decoder": UNet2DConditionModel(**DECODER),
        "super_res_first": UNet2DModel(**UPSAMPLER),
        "super_res_last": UNet2DModel(**UPSAMPLER),
        "prior": PriorTransformer(**PRIOR),
        "text_encoder": CLIPTextModelWithProjection(CLIPTextConfig(**TEXT)),
        "text_proj": UnCLIPTextProjModel(clip_embeddings_dim=CLIP, **projection),
    }
    for name, (variance, predicts, bound) in SCHEDULERS.items():
        options = {"variance_type": variance, "prediction_type": predicts}
        parts[name] = UnCLIPScheduler(clip_sample_range=bound, **options)
    for name, part in parts.items():
        part.save_pretrained(folder / name)
    shutil.copytree(TINY / "tokenizer", folder / "tokenizer")
    shutil.copy(TINY / "model_index.json", folder / "model_index.json")


def decoder(folder: Path, rows: int, compiled: bool = False) -> Pair:
    from diffusers import UNet2DConditionModel

    from nodes import load_model
    from nodes.networks.text import bias_of, without_padding

    model = load_model(folder / "decoder")
    ours = replace(model, place=replace(model.place, compiled=compiled)).module()
    theirs = UNet2DConditionModel.from_pretrained(folder / "decoder").eval()
    x, t, tokens = torch.randn(rows, 3, 64, 64), torch.full((rows,), 500), TOKENS + 4
    e, words = torch.randn(rows, 4 * 128) / 10, torch.randn(rows, tokens, WIDTH)
    mask = torch.arange(tokens)[None].expand(rows, -1) < 20
    told = {"encoder_hidden_states": words, "encoder_attention_mask": mask, "class_labels": e}
    seen, read = without_padding(mask, words)
    kept = {"context": ours.projected(read), "bias": bias_of(seen, torch.float32)}
    return lambda: ours(x, t, e, **kept), lambda: theirs(x, t, **told).sample


def upsampler(folder: Path, rows: int) -> Pair:
    from diffusers import UNet2DModel

    from nodes import load_model

    ours = load_model(folder / "super_res_first").module()
    theirs = UNet2DModel.from_pretrained(folder / "super_res_first").eval()
    x, low = torch.randn(2, rows, 3, 256, 256).unbind()
    t = torch.full((rows,), 500)
    return lambda: ours(x, t, pixels=low), lambda: theirs(torch.cat([x, low], 1), t).sample


def prior(folder: Path, rows: int) -> Pair:
    from diffusers import PriorTransformer

    from nodes import load_model

    ours = load_model(folder / "prior").module()
    theirs = PriorTransformer.from_pretrained(folder / "prior").eval()
    x, e, words = torch.randn(rows, CLIP), torch.randn(rows, CLIP), torch.randn(rows, TOKENS, CLIP)
    t, mask = torch.full((rows,), 500), torch.arange(TOKENS)[None].expand(rows, -1) < 20
    told = {"proj_embedding": e, "encoder_hidden_states": words, "attention_mask": mask}

    def run() -> Tensor:
        kept = {"context": ours.projected(e, words, mask), "bias": ours.seen_by_last(mask)}
        return torch.stack([ours(x, t, **kept) for _ in range(PRIOR_STEPS)])

    return (
        run,
        lambda: torch.stack(
            [theirs(x, t, **told).predicted_image_embedding for _ in range(PRIOR_STEPS)]
        ),
    )


def text(folder: Path) -> Pair:
    from transformers import CLIPTextModelWithProjection

    from nodes import load_model
    from nodes.networks.clip.network import clip_tokenize

    model = load_model(folder / "clip")
    ours, read = model.module(), clip_tokenize(model.config, [PROMPT])
    theirs = CLIPTextModelWithProjection.from_pretrained(folder / "text_encoder").eval()
    ids = read.ids.where(read.mask, torch.tensor(TEXT["eos_token_id"]))
    return (
        lambda: ours.read(read).embedding,
        lambda: theirs(ids).text_embeds,
    )


def layers_alone(pair: Pair) -> Pair:
    """Each convolution and linear layer of ours with what it is given, one after the other; and all of ours."""
    from nodes.networks import winograd

    calls: list[tuple[Callable[..., Tensor], tuple[Any, ...]]] = []
    places = {"conv2d": F, "linear": F, "convolved": winograd}
    kept = {name: getattr(place, name) for name, place in places.items()}

    def recorded(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def call(*args: Any, **kwargs: Any) -> Tensor:
            calls.append((partial(function, **kwargs), args))
            return function(*args, **kwargs)

        return call

    for name, function in kept.items():
        setattr(places[name], name, recorded(function))
    pair[0]()
    for name, function in kept.items():
        setattr(places[name], name, function)

    def alone() -> Tensor:
        for function, args in calls:
            made = function(*args)
        return made

    return alone, pair[0]


def threads(pair: Pair) -> Pair:
    def with_threads(count: int) -> Tensor:
        torch.set_num_threads(count)
        return pair[0]()

    return lambda: with_threads(1), lambda: with_threads(2)


def compiled(folder: Path, rows: int) -> Pair:
    """The decoder with its blocks compiled, and as it is. How long the first call takes is printed, twice: the second time
    everything is in the cache of the compiler, as in another process."""
    for when in ("first call", "first call, kept"):
        torch._dynamo.reset()
        call = decoder(folder, rows, compiled=True)[0]
        started = time.perf_counter(), time.process_time()
        call()
        wall, own = time.perf_counter() - started[0], time.process_time() - started[1]
        print(
            f"| decoder, compiled, {when} | {own:.1f}; {wall:.1f} of the wall | | | | |", flush=True
        )
    return call, decoder(folder, rows)[0]


def whole(
    folder: Path,
    count: int,
    steps: tuple[int, int, int],
    only: int | None = None,
    low_memory: bool = False,
) -> Pair:
    """From a text to pictures at 256 px; each draws noise of its own. With `only`, nothing of the other is loaded."""
    nothing: Pair = (lambda: torch.empty(0), lambda: torch.empty(0))
    ours = nothing[0] if only == 1 else own_call(folder, count, steps, low_memory)
    theirs = nothing[1] if only == 0 else their_call(folder, count, steps)
    return ours, theirs


def own_call(
    folder: Path, count: int, steps: tuple[int, int, int], low_memory: bool
) -> Callable[[], Tensor]:
    import nodegraph

    options = {"cached": False, "readable": [folder], "low_memory": low_memory}
    graph = nodegraph.load("unclip/karlo", **options)
    names = ("prior", "decoder", "upsample")
    given = {f"{name}_steps": n for name, n in zip(names, steps, strict=True)}
    seeds = itertools.count()  # what was drawn is kept: each call is another
    told = {"prompt": PROMPT, "models": str(folder), "count": count, **given}
    return lambda: graph(**told, seed=next(seeds)).image


def their_call(folder: Path, count: int, steps: tuple[int, int, int]) -> Callable[[], Tensor]:
    import diffusers.pipelines
    from diffusers.pipelines.deprecated import unclip
    from diffusers.pipelines.deprecated.unclip import UnCLIPPipeline

    diffusers.pipelines.unclip = unclip  # where the pipeline of a folder is looked for
    pipeline = UnCLIPPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    names = ("prior", "decoder", "super_res")
    given = {f"{name}_num_inference_steps": n for name, n in zip(names, steps, strict=True)}
    return lambda: pipeline(PROMPT, num_images_per_prompt=count, output_type="np", **given).images


def seconds(call: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    started = clock()
    call()
    return clock() - started


def compared(pair: Pair, pairs: int, clock: Callable[[], float]) -> dict[str, float]:
    """Medians of both, and of their ratio with its range; each has run once before."""
    for call in pair:
        call()
    both = [(seconds(pair[0], clock), seconds(pair[1], clock)) for _ in range(pairs)]
    ratios = sorted(ours / theirs for ours, theirs in both)
    ours, theirs = (statistics.median(column) for column in zip(*both, strict=True))
    return {
        "ours": ours,
        "theirs": theirs,
        "ratio": statistics.median(ratios),
        "least": ratios[0],
        "most": ratios[-1],
    }


def cases(folder: Path, steps: tuple[int, int, int]) -> Iterator[tuple[str, Callable[[], Pair]]]:
    yield "decoder, 2 rows", lambda: decoder(folder, 2)
    yield "decoder, 8 rows", lambda: decoder(folder, 8)
    yield "super-resolution, 1 row", lambda: upsampler(folder, 1)
    yield "prior, 25 calls of 2 rows", lambda: prior(folder, 2)
    yield "text", lambda: text(folder)
    yield "whole call, 1 picture", lambda: whole(folder, 1, steps)
    yield "whole call, 4 pictures", lambda: whole(folder, 4, steps)
    yield "layers of the decoder alone, 2 rows", lambda: layers_alone(decoder(folder, 2))
    yield "layers of the decoder alone, 8 rows", lambda: layers_alone(decoder(folder, 8))
    yield "layers of super-resolution alone, 1 row", lambda: layers_alone(upsampler(folder, 1))
    yield THREADS, lambda: threads(decoder(folder, 8))
    yield "compiled blocks, 2 rows", lambda: compiled(folder, 2)


def line(what: str, f: dict[str, float]) -> str:
    """A row of the table: what was found, and whether it is as good as is asked."""
    asked = ASKED[what]
    met = f["ratio"] <= asked if asked > 0 else f["ratio"] >= -asked
    bound = f"{'≤' if asked > 0 else '≥'} {abs(asked)}"
    spread = f"{f['least']:.3f} … {f['most']:.3f}"
    numbers = f"{f['ours']:.3f} | {f['theirs']:.3f} | **{f['ratio']:.3f}** | {spread}"
    return f"| {what} | {numbers} | {bound} | {'yes' if met else 'no'} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, nargs=3, default=(25, 25, 7))
    parser.add_argument("--only", nargs="+", default=[""], help="what the names of cases hold")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as name:
        made(Path(name))
        print("| what | this, s | beside, s | ratio | range | asked | met |")
        print("|---|--:|--:|--:|---|--:|---|")
        for what, build in cases(Path(name), tuple(given.steps)):
            if any(word in what for word in given.only):
                clock = time.perf_counter if what == THREADS else time.process_time
                print(line(what, compared(build(), given.pairs, clock)), flush=True)


if __name__ == "__main__":
    main()
