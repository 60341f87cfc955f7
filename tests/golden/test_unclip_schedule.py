"""Karlo's chain against the reference's scheduler, which keeps its tables in float32."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nodes.checkpoints.diffusers import trained_for
from nodes.diffusion.denoisers import Prediction
from nodes.diffusion.process import (
    fixed_log_variance,
    learned_log_variance,
    predicted_x0,
    q_sample,
)
from nodes.diffusion.respacing import respace, spaced_timesteps, visiting
from nodes.diffusion.samplers import ancestral_step
from nodes.diffusion.schedule import Schedule, schedule
from nodes.networks.config import TrainedFor

FILE = "unclip_components"
RTOL, ATOL = 1e-5, 1e-5


@cache
def chain(train_steps: int) -> Schedule:
    return schedule("cosine_float32", train_steps)


def length(meta: Mapping[str, Any]) -> int:
    """Of the chain of what is stored without a configuration: that of the schedulers."""
    return next(iter(meta["scheduler"].values()))["config"]["num_train_timesteps"]


def pair(whole: Schedule, t: int, before: int | None) -> tuple[Schedule, Tensor]:
    """The chain in which `before` precedes t (None: t − 1, −1: nothing), and the step of t in it."""
    if before is None:
        return whole, torch.tensor([t])
    if before < 0:
        return visiting(whole, torch.tensor([t])), torch.tensor([0])
    return visiting(whole, torch.tensor([before, t])), torch.tensor([1])


def test_betas(golden) -> None:
    tensors, _ = golden.load(FILE)
    for key, expected in tensors.items():
        kind, _, rest = key.partition(".")
        if kind == "scheduler":
            name, _, steps = rest.partition(".")
            found = getattr(chain(int(steps)), name).float()
            torch.testing.assert_close(found, expected, rtol=RTOL, atol=1e-12)


def test_timesteps(golden) -> None:
    """diffusers multiplies strides; the original respacing adds them up, and differs by one at some counts."""
    meta = golden.meta(FILE)
    for stage in meta["scheduler"].values():
        train_steps = stage["config"]["num_train_timesteps"]
        other = differing(meta, train_steps)
        for count, expected in stage["timesteps"].items():
            found = respace(chain(train_steps), count).timesteps.flip(0)
            assert found.tolist() == expected, count
            if other is not None:
                added_up = spaced_timesteps(train_steps, count)[::-1]
                assert (added_up == expected) == (int(count) not in other), count


def differing(meta: Mapping[str, Any], train_steps: int) -> list[int] | None:
    """The counts at which the two spacings of such a chain differ, where the file says them."""
    facts = meta.get("set_timesteps_facts", {})
    return facts.get(f"differs_from_karlo_space_timesteps_for_n_in_2_{train_steps}")


def test_steps(golden) -> None:
    tensors, meta = golden.load(FILE)
    for case in meta["scheduler_steps"]:
        config = meta["scheduler"][case["scheduler"]]["config"]
        learned = config["variance_type"] == "learned_range"
        check_step(case, trained_for(config, learned), tensors)


def check_step(case: Mapping[str, Any], trained: TrainedFor, tensors: Mapping[str, Tensor]) -> None:
    given = {n: tensors[f"{case['name']}.in.{n}"] for n in ("sample", "model_output", "noise")}
    x_t, output, variance = given["sample"], given["model_output"], None
    if trained.learned_variance:
        output, variance = output.chunk(2, 1)
    whole, rows = chain(trained.train_steps), torch.full((len(x_t),), case["t"])
    x0 = predicted_x0(whole, trained.parametrisation, x_t, rows, output)
    if case["clip_sample"]:
        x0 = x0.clamp(-trained.x0_bound, trained.x0_bound)
    # Of x_t − √(1 − ᾱ) ε little is left at the last timesteps: its rounding is divided by √ᾱ.
    rounding = torch.finfo(torch.float32).eps * float(x_t.abs().max())
    rounding *= float(whole.sqrt_recip_alphas_cumprod[case["t"]])
    expected = tensors[f"{case['name']}.out.pred_original_sample"]
    close(case["name"], x0, expected, rounding if trained.parametrisation == "eps" else 0.0)
    spaced, step = pair(whole, case["t"], case["prev_timestep"])
    noise = given["noise"] if case["noise_used"] else None
    found = ancestral_step(
        spaced,
        x_t,
        step.expand(len(x_t)),
        Prediction(expected, variance),
        noise,
        trained.fixed_variance,
    )
    close(case["name"], found, tensors[f"{case['name']}.out.prev_sample"])


def close(name: str, actual: Tensor, expected: Tensor, rounding: float = 0.0) -> None:
    atol = ATOL + rounding
    torch.testing.assert_close(actual, expected, rtol=RTOL, atol=atol, msg=lambda m: f"{name}: {m}")


def test_variances(golden) -> None:
    tensors, meta = golden.load(FILE)
    start = "scheduler_variance."
    steps = golden.part(tensors, f"{start}t").tolist()
    stored = {key.rpartition(".")[2] for key in tensors if key.startswith(start)}
    befores = {name: tensors[f"{start}{name}"] for name in stored if f"{start}{name}" in tensors}
    whole = chain(length(meta))
    for name in stored - {"t"}:
        before = befores[name].tolist() if name in befores else [None] * len(steps)
        pairs = enumerate(zip(steps, before, strict=True))
        rows = [(i, *pair(whole, t, b)) for i, (t, b) in pairs if t]
        for kind, log_variance in kinds(tensors, name).items():
            expected = tensors[f"{start}{kind}.{name}"]
            for i, spaced, step in rows:
                close(f"{kind} {name} {steps[i]}", log_variance(spaced, step), expected[i])


def kinds(tensors: Mapping[str, Tensor], name: str) -> dict[str, Any]:
    """Variances by the names of the file: of the fixed kind, and at a raw fraction of the learned range."""
    ends = {"min_log": -1.0, "max_log": 1.0}
    found: dict[str, Any] = {}
    for key in tensors:
        kind = key.removeprefix("scheduler_variance.").removesuffix(f".{name}")
        if (
            not key.startswith("scheduler_variance.")
            or not key.endswith(f".{name}")
            or "." not in key
        ):
            continue
        if kind == "fixed_small_log_std":
            found[kind] = lambda s, t: (
                (0.5 * fixed_log_variance(s, "fixed_small_log", t, t)).exp().squeeze()
            )
        elif kind.startswith("learned_range"):
            rest = kind.removeprefix("learned_range_")
            fraction = torch.tensor([ends[rest] if rest in ends else float(rest.split("_")[-1])])
            found[kind] = lambda s, t, f=fraction: learned_log_variance(s, f, t).squeeze()
    assert found
    return found


def test_noising(golden) -> None:
    tensors, meta = golden.load(FILE)
    given = {n: golden.part(tensors, f"scheduler_add_noise.in.{n}") for n in ("x0", "t", "noise")}
    found = q_sample(chain(length(meta)), given["x0"], given["t"], given["noise"])
    close("add_noise", found, tensors["scheduler_add_noise.out"])
