"""Every operation of Gaussian diffusion against the references, for all parametrisations and variances."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from nodes.diffusion import losses, process
from nodes.diffusion.denoisers import DiffusionNetwork, Leaf, Prediction
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import guided_x0_eps, invert_step, reverse_step
from nodes.diffusion.schedule import Schedule, at, schedule

KINDS = {"linear": "linear", "squaredcos_cap_v2": "cosine", "cosine": "cosine"}
MEANS = {"PREVIOUS_X": "x_prev", "START_X": "x0", "EPSILON": "eps"}
LOSSES = {"MSE": "mse", "RESCALED_MSE": "hybrid", "KL": "kl", "RESCALED_KL": "scaled_kl"}
Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    name: str
    chain: Schedule
    kind: losses.OutputKind
    t: Tensor

    def output(self, tensors: Tensors) -> Tensor:
        six = tensors["in.model_output_6ch"]
        return six if self.kind.learned else six[:, :3]


def cases(tensors: Tensors, meta: dict) -> Iterator[Case]:
    for name, case in meta["cases"].items():
        chain = schedule(KINDS[case["schedule"]], case["steps"])
        spec = case.get("respacing") or case.get("timestep_respacing")
        mean = MEANS[case.get("mean_type", "EPSILON")]
        kind = losses.OutputKind(mean, case.get("var_type", "LEARNED_RANGE").lower())
        t_name = {"glide_respaced": "in.t_respaced", "adm_rescaled": "in.t_adm_rescaled"}.get(
            name, "in.t"
        )
        yield Case(name, respace(chain, spec) if spec else chain, kind, tensors[t_name])


def predict(
    case: Case, tensors: Tensors, clip: bool, change: Callable[[Tensor], Tensor] = lambda x: x
):
    mean, log_variance, x0 = losses.model_mean_log_variance(
        case.chain, case.kind, tensors["in.x"], case.t, case.output(tensors), clip=False
    )
    x0 = change(x0)
    x0 = x0.clamp(-1, 1) if clip else x0
    if case.kind.parametrisation != "x_prev":
        mean = process.posterior(case.chain, x0, tensors["in.x"], case.t)[0]
    return mean, log_variance, x0


def noisy(case: Case, mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    moving = (case.t != 0).float().reshape(-1, 1, 1, 1)
    return mean + moving * (0.5 * log_variance).exp() * noise


def ddim(case: Case, x: Tensor, x0: Tensor, eps: Tensor, eta: float, noise: Tensor) -> Tensor:
    before = at(case.chain.alphas_cumprod_prev, case.t, x)
    sigma = eta * at(case.chain.posterior_variance, case.t, x).sqrt()
    moving = (case.t != 0).float().reshape(-1, 1, 1, 1)
    return before.sqrt() * x0 + (1 - before - sigma**2).sqrt() * eps + moving * sigma * noise


def test_forward_process(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    chain = schedule(KINDS[meta["schedules"]["glide"]], meta["schedules"]["steps"])
    x0, noise, x, t = (tensors[f"in.{n}"] for n in ("x_start", "noise", "x", "t"))
    golden.close("glide.q_sample", process.q_sample(chain, x0, t, noise), tensors, meta)
    for name, part in zip(
        ("mean", "variance", "log_variance"), process.q_mean_variance(chain, x0, t), strict=True
    ):
        golden.close(f"glide.q_mean_variance.{name}", part.expand_as(x0), tensors, meta)
    names = ("mean", "variance", "log_variance_clipped")
    for name, part in zip(names, process.posterior(chain, x0, x, t), strict=True):
        golden.close(f"glide.q_posterior_mean_variance.{name}", part.expand_as(x0), tensors, meta)
    golden.close(
        "glide.predict_xstart_from_eps",
        process.x0_from_eps(chain, x, t, tensors["in.model_output_6ch"][:, :3]),
        tensors,
        meta,
    )
    clipped = process.x0_from_eps(chain, x, t, tensors["in.model_output_6ch"][:, :3]).clamp(-1, 1)
    golden.close(
        "glide.predict_eps_from_xstart", process.eps_from_x0(chain, x, t, clipped), tensors, meta
    )


@pytest.mark.parametrize("clip", [False, True])
def test_reverse_process(golden, clip: bool) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x, step_noise, gradient = (tensors[f"in.{n}"] for n in ("x", "step_noise", "cond_gradient"))
    for case in cases(tensors, meta):
        suffix = f"clip{int(clip)}"
        mean, log_variance, x0 = predict(case, tensors, clip)
        name = f"{case.name}.p_mean_variance.{suffix}"
        if f"{name}.mean" in tensors:
            golden.close(f"{name}.mean", mean, tensors, meta)
            golden.close(f"{name}.log_variance", log_variance.expand_as(x), tensors, meta)
        golden.close(f"{name}.pred_xstart", x0, tensors, meta)
        sample = noisy(case, mean, log_variance, step_noise)
        if f"{case.name}.p_sample.{suffix}.sample" not in tensors:
            continue
        golden.close(f"{case.name}.p_sample.{suffix}.sample", sample, tensors, meta)
        inverted = invert_step(case.chain, x, case.t, Prediction(x0))
        golden.close(f"{case.name}.ddim_reverse_sample.{suffix}.sample", inverted, tensors, meta)
        for eta in (0, 0.5):
            guided, eps = guided_x0_eps(case.chain, x, case.t, Prediction(x0))
            made = ddim(case, x, guided, eps, eta, step_noise)
            golden.close(f"{case.name}.ddim_sample_eta{eta}.{suffix}.sample", made, tensors, meta)
            key = f"{case.name}.ddim_sample_cond_eta{eta}.{suffix}.sample"
            if key in tensors:
                guided, eps = guided_x0_eps(case.chain, x, case.t, Prediction(x0, score=gradient))
                golden.close(key, ddim(case, x, guided, eps, eta, step_noise), tensors, meta)


def test_guided_means(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x, gradient = tensors["in.x"], tensors["in.cond_gradient"]
    for case in cases(tensors, meta):
        key = f"{case.name}.condition_mean.mean"
        if (
            key in tensors
            and case.kind.variance in ("learned_range", "fixed_small")
            and case.kind.parametrisation != "x_prev"
        ):
            _, _, x0 = predict(case, tensors, clip=False)
            raw = case.output(tensors).chunk(2, 1)[1] if case.kind.learned else None
            network = DiffusionNetwork(lambda *_: x, case.chain, tuple(x.shape[1:]))
            clipped = Prediction(x0.clamp(-1, 1), raw, gradient)
            mean, _ = reverse_step(Leaf(network), case.chain, x, case.t, clipped)
            golden.close(key, mean, tensors, meta)
            guided, _ = guided_x0_eps(case.chain, x, case.t, clipped)
            golden.close(f"{case.name}.condition_score.pred_xstart", guided, tensors, meta)


def test_clipping_comes_after_a_change_of_x0(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    for case in cases(tensors, meta):
        key = f"{case.name}.p_sample_denoised_fn.clip1"
        if f"{key}.sample" in tensors:
            mean, log_variance, x0 = predict(case, tensors, True, lambda value: 0.5 * value + 0.1)
            golden.close(f"{key}.pred_xstart", x0, tensors, meta)
            golden.close(
                f"{key}.sample",
                noisy(case, mean, log_variance, tensors["in.step_noise"]),
                tensors,
                meta,
            )


def test_likelihood_terms(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    kl = losses.normal_kl(
        *(tensors[f"in.kl_{n}"] for n in ("mean1", "logvar1", "mean2", "logvar2"))
    )
    golden.close("loss.normal_kl", kl, tensors, meta)
    cdf = losses.standard_normal_cdf(tensors["in.cdf_x"])
    golden.close("loss.approx_standard_normal_cdf", cdf, tensors, meta)
    for suffix, means in (("", "in.dgll_means"), ("_far", "in.dgll_means_far")):
        likelihood = losses.discretised_log_likelihood(
            tensors["in.x_start"], tensors[means], tensors["in.dgll_log_scales"]
        )
        golden.close(f"loss.discretized_gaussian_log_likelihood{suffix}", likelihood, tensors, meta)


def test_training_losses(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x0, noise, t = (tensors[f"in.{n}"] for n in ("x_start", "noise", "t"))
    chain = schedule(KINDS[meta["losses"]["schedule"]], meta["losses"]["steps"])
    x_t = process.q_sample(chain, x0, t, noise)
    compared = 0
    for name, case in meta["losses"]["cases"].items():
        if "mean_type" not in case:
            continue
        kind = losses.OutputKind(MEANS[case["mean_type"]], case["var_type"].lower())
        output = tensors[f"in.{case['model_output'].removesuffix('[:, :3]')}"]
        output = (output if kind.learned else output[:, :3]).clone().requires_grad_()
        terms = losses.training_loss(
            chain, kind, LOSSES[case["loss_type"]], (x0, noise), x_t, t, output
        )
        for term in case["terms"]:
            golden.close(f"{name}.{term}", terms[term].detach(), tensors, meta)
            compared += 1
        if f"{name}.grad_model_output" in tensors:
            (gradient,) = torch.autograd.grad(terms["loss"].sum(), output)
            golden.close(f"{name}.grad_model_output", gradient, tensors, meta)
    assert compared or not meta["losses"]["cases"]


def test_bound_terms(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x0, noise, t = (tensors[f"in.{n}"] for n in ("x_start", "noise", "t"))
    chain = schedule(KINDS[meta["losses"]["schedule"]], meta["losses"]["steps"])
    x_t = process.q_sample(chain, x0, t, noise)
    for name, case in meta["losses"]["cases"].items():
        if case.get("loss_type") != "MSE":
            continue
        kind = losses.OutputKind(MEANS[case["mean_type"]], case["var_type"].lower())
        output = tensors[f"in.{case['model_output'].removesuffix('[:, :3]')}"]
        output = output if kind.learned else output[:, :3]
        for clip in (False, True):
            key = f"loss.vb_terms.{name.removeprefix('loss.training.').removesuffix('.mse')}.clip{int(clip)}.output"
            golden.close(
                key, losses.vlb_terms(chain, kind, x0, x_t, t, output, clip)[0], tensors, meta
            )
    golden.close("loss.prior_bpd", losses.prior_bits(chain, x0), tensors, meta)


def test_recorded_noise_refuses_what_was_not_recorded(golden) -> None:
    tensors, _ = golden.load("diffusion_ops")
    noise = RecordedNoise(tensors["in.noise"])
    with pytest.raises(IndexError, match="not recorded"):
        noise.draw([0], 1, tuple(tensors["in.noise"].shape[1:]))
