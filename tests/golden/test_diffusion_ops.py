"""Every operation of Gaussian diffusion against the references, for all parametrisations and variances.

Which cases there are, and which tensors they have, is read from the files; the last test fails if one was not compared.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nodes.diffusion import likelihood, losses, process, samplers
from nodes.diffusion.denoisers import Prediction
from nodes.diffusion.noise import RecordedNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.schedule import Schedule, schedule
from nodes.target import Target

KINDS = {"linear": "linear", "squaredcos_cap_v2": "cosine", "cosine": "cosine"}
MEANS = {"PREVIOUS_X": "x_prev", "START_X": "x0", "EPSILON": "eps"}
VARIANCES = {
    "FIXED_SMALL": (False, "fixed_small"),
    "FIXED_LARGE": (False, "fixed_large"),
    "LEARNED_RANGE": (True,),
    "LEARNED": ("log",),
}
LOSSES = {"MSE": "mse", "RESCALED_MSE": "hybrid", "KL": "kl", "RESCALED_KL": "scaled_kl"}
Tensors = dict[str, Tensor]
Options = Mapping[str, Any]


def chain_of(options: Options) -> Schedule:
    """The chain that a case's options describe: those of a diffusion class, or of ADM's factory."""
    kind = options.get("schedule") or options.get("noise_schedule", "linear")
    whole = schedule(KINDS[kind], options["steps"])
    spec = options.get("respacing") or options.get("timestep_respacing")
    return respace(whole, spec) if spec else whole


def target_of(options: Options) -> Target:
    """What the model's output means, by the names of the classes, or by the flags of ADM's factory."""
    if "mean_type" in options:
        return Target(MEANS[options["mean_type"]], *VARIANCES[options["var_type"]])
    mean = "x0" if options.get("predict_xstart") else "eps"
    fixed = "fixed_small" if options.get("sigma_small") else "fixed_large"
    return Target(mean, options.get("learn_sigma", True), fixed)


def loss_of(options: Options) -> str:
    if "loss_type" in options:
        return LOSSES[options["loss_type"]]
    if options.get("use_kl"):
        return "scaled_kl"
    return "hybrid" if options.get("rescale_learned_sigmas") else "mse"


@dataclass(frozen=True)
class Case:
    name: str
    options: Options
    tensors: Tensors

    @property
    def chain(self) -> Schedule:
        return chain_of(self.options)

    @property
    def target(self) -> Target:
        return target_of(self.options)

    @property
    def drawn(self) -> bool:
        """Whether samples are drawn from p(x_{t−1} | x_t) at all: no network says its log-variance as it is."""
        return self.target.learned_variance != "log"

    @property
    def t(self) -> Tensor:
        """The stored steps at which the model gets the timesteps it got; `in.t` where the file does not tell those."""
        received = self.tensors.get(f"{self.name}.model_ts")
        if received is None:
            return self.tensors["in.t"]
        stored = (t for name, t in self.tensors.items() if re.fullmatch(r"in\.t(_.+)?", name))
        within = (t for t in stored if int(t.max()) < len(self.chain))
        found = next((t for t in within if torch.equal(self.timesteps(t), received)), None)
        assert found is not None, f"{self.name}: no in.t* gives the timesteps that the model got"
        return found

    def timesteps(self, t: Tensor) -> Tensor:
        """What a model of this case gets at steps t: trained timesteps, scaled to 1000 if so trained."""
        trained = self.chain.timesteps[t]
        scale = 1000 / self.options["steps"]
        return (trained * scale).float() if self.options.get("rescale_timesteps") else trained

    @property
    def etas(self) -> list[str]:
        """The η of the case's DDIM steps, as they are written in the names."""
        steps = (
            re.match(rf"{re.escape(self.name)}\.ddim_.*_eta([\d.]+)\.clip", n) for n in self.tensors
        )
        return sorted({found[1] for found in steps if found})

    def output(self, name: str = "model_output_6ch") -> Tensor:
        given = str(self.options.get("model_output", name)).partition("[")[0]
        both = self.tensors[f"in.{given}"]
        return both if self.target.learned_variance else both[:, : both.shape[1] // 2]

    def tensor(self, name: str) -> bool:
        return f"{self.name}.{name}" in self.tensors


def cases(tensors: Tensors, meta: dict) -> Iterator[Case]:
    return (Case(name, options, tensors) for name, options in meta["cases"].items())


def predicted(
    case: Case, x: Tensor, clip: bool, change: Callable[[Tensor], Tensor] = lambda x0: x0
) -> tuple[Tensor, Tensor, Prediction]:
    """Mean, log-variance, and the prediction as the denoiser algebra has it."""
    output = case.output()
    mean, log_variance, x0 = likelihood.model_mean_log_variance(
        case.chain, case.target, x, case.t, output, clip
    )
    x0 = change(x0).clamp(-1, 1) if clip else change(x0)
    raw = output.chunk(2, 1)[1] if case.target.learned_variance is True else None
    return mean, log_variance, Prediction(x0, raw)


def of_mean(case: Case, x: Tensor, prediction: Prediction) -> Prediction:
    """With the x_0 that the mean has: of a model of x_{t−1} the mean is its output, whatever was done to x_0."""
    if case.target.parametrisation != "x_prev":
        return prediction
    return replace(prediction, x0=predicted(case, x, clip=False)[2].x0)


def owners(meta: dict) -> dict[str, Schedule]:
    """The chains that the file names beside its cases, whole."""
    kinds = {name: kind for name, kind in meta["schedules"].items() if name != "steps"}
    return {name: schedule(KINDS[kind], meta["schedules"]["steps"]) for name, kind in kinds.items()}


def forward_process(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x0, noise, x, t = (tensors[f"in.{n}"] for n in ("x_start", "noise", "x", "t"))
    for owner, chain in owners(meta).items():
        golden.close(f"{owner}.q_sample", process.q_sample(chain, x0, t, noise), tensors, meta)
        marginal = process.q_mean_variance(chain, x0, t)
        for name, part in zip(("mean", "variance", "log_variance"), marginal, strict=True):
            golden.close(f"{owner}.q_mean_variance.{name}", part.expand_as(x0), tensors, meta)
        names = ("mean", "variance", "log_variance_clipped")
        for name, part in zip(names, process.posterior(chain, x0, x, t), strict=True):
            key = f"{owner}.q_posterior_mean_variance.{name}"
            golden.close(key, part.expand_as(x0), tensors, meta)
        found = process.x0_from_eps(chain, x, t, tensors["in.model_output_6ch"].chunk(2, 1)[0])
        golden.close(f"{owner}.predict_xstart_from_eps", found, tensors, meta)
        eps = process.eps_from_x0(chain, x, t, found.clamp(-1, 1))
        golden.close(f"{owner}.predict_eps_from_xstart", eps, tensors, meta)


def conversions(golden) -> None:
    """`predict_xstart_from_xprev`, wherever the file has it: of a whole chain, or of a case."""
    tensors, meta = golden.load("diffusion_ops")
    known = {owner: (chain, tensors["in.t"]) for owner, chain in owners(meta).items()}
    known |= {case.name: (case.chain, case.t) for case in cases(tensors, meta)}
    x_prev = tensors["in.model_output_6ch"].chunk(2, 1)[0]
    for owner, (chain, t) in known.items():
        found = process.x0_from_x_prev(chain, tensors["in.x"], t, x_prev)
        golden.close(f"{owner}.predict_xstart_from_xprev", found, tensors, meta)


def means_and_variances(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x = tensors["in.x"]
    for case in cases(tensors, meta):
        for clip in (False, True):
            key = f"p_mean_variance.clip{int(clip)}"
            if not case.tensor(f"{key}.mean"):
                continue
            mean, log_variance, prediction = predicted(case, x, clip)
            variance = log_variance.exp()
            if not case.target.learned_variance:
                fixed = case.target.fixed_variance
                variance = process.fixed_variance(case.chain, fixed, case.t, x)
            parts = {
                "mean": mean,
                "log_variance": log_variance.expand_as(x),
                "variance": variance.expand_as(x),
                "pred_xstart": prediction.x0,
            }
            for name, part in parts.items():
                golden.close(f"{case.name}.{key}.{name}", part, tensors, meta)


def moves(golden) -> None:
    """One step of each sampler, guided and not, by the functions that the samplers call."""
    tensors, meta = golden.load("diffusion_ops")
    x, noise, gradient = (tensors[f"in.{n}"] for n in ("x", "step_noise", "cond_gradient"))
    for case in cases(tensors, meta):
        for clip in (False, True):
            _, _, free = predicted(case, x, clip)
            for suffix, prediction in (
                ("", free),
                ("_cond", Prediction(free.x0, free.variance, gradient)),
            ):
                made = {
                    f"p_sample{suffix}": samplers.ancestral_step(
                        case.chain,
                        x,
                        case.t,
                        of_mean(case, x, prediction),
                        noise,
                        case.target.fixed_variance,
                    ),
                    f"ddim_reverse_sample{suffix}": samplers.invert_step(
                        case.chain, x, case.t, prediction
                    ),
                }
                for eta in case.etas:
                    made[f"ddim_sample{suffix}_eta{eta}"] = samplers.ddim_step(
                        case.chain, x, case.t, prediction, noise, float(eta)
                    )
                guided = samplers.guided_x0_eps(case.chain, x, case.t, prediction)[0]
                for name, sample in made.items():
                    key, ancestral = f"{case.name}.{name}.clip{int(clip)}", "p_sample" in name
                    if case.drawn or not ancestral:
                        golden.close(f"{key}.sample", sample, tensors, meta)
                    golden.seen.add(f"{key}.sample")
                    shown = free.x0 if ancestral else guided
                    golden.close(f"{key}.pred_xstart", shown, tensors, meta)


def guided_means(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x, gradient = tensors["in.x"], tensors["in.cond_gradient"]
    for case in cases(tensors, meta):
        if not case.tensor("condition_mean.mean"):
            continue
        _, _, free = predicted(case, x, clip=True)
        guided = Prediction(free.x0, free.variance, gradient)
        mean, _ = samplers.reverse_step(
            case.chain, x, case.t, of_mean(case, x, guided), case.target.fixed_variance
        )
        golden.close(f"{case.name}.condition_mean.mean", mean, tensors, meta)
        x0, _ = samplers.guided_x0_eps(case.chain, x, case.t, guided)
        golden.close(f"{case.name}.condition_score.pred_xstart", x0, tensors, meta)
        mean, _ = samplers.reverse_step(
            case.chain, x, case.t, Prediction(x0, free.variance), case.target.fixed_variance
        )
        golden.close(f"{case.name}.condition_score.mean", mean, tensors, meta)


def clipping_after_a_change_of_x0(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x, noise = tensors["in.x"], tensors["in.step_noise"]
    change = re.search(r"denoised_fn .* x -> ([\d.]+)\*x \+ ([\d.]+)", meta["models"])
    factor, offset = (float(change[1]), float(change[2])) if change else (0.5, 0.1)
    for case in cases(tensors, meta):
        key = "p_sample_denoised_fn.clip1"
        if not case.drawn:
            golden.seen.update(f"{case.name}.{key}.{n}" for n in ("sample", "pred_xstart"))
        elif case.tensor(f"{key}.sample"):
            _, _, free = predicted(case, x, False)
            x0 = factor * free.x0 + offset
            changed = Prediction(x0.clamp(-1, 1), free.variance)
            golden.close(f"{case.name}.{key}.pred_xstart", changed.x0, tensors, meta)
            sample = samplers.ancestral_step(
                case.chain, x, case.t, of_mean(case, x, changed), noise, case.target.fixed_variance
            )
            golden.close(f"{case.name}.{key}.sample", sample, tensors, meta)


def timesteps_that_the_network_gets(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    for case in cases(tensors, meta):
        for name in ("model_ts", "cond_fn_ts"):
            if case.tensor(name):
                golden.close(f"{case.name}.{name}", case.timesteps(case.t), tensors, meta)


def densities(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    if "in.kl_mean1" in tensors:
        mean, log_variance, *other = (
            tensors[f"in.kl_{n}"] for n in ("mean1", "logvar1", "mean2", "logvar2")
        )
        found = likelihood.normal_kl(mean, log_variance, *other)
        golden.close("loss.normal_kl", found, tensors, meta)
        zero = torch.zeros(())
        scalar = likelihood.normal_kl(mean, log_variance, zero, zero)
        golden.close("loss.normal_kl_scalar2", scalar, tensors, meta)
    if "in.cdf_x" in tensors:
        cdf = likelihood.standard_normal_cdf(tensors["in.cdf_x"])
        golden.close("loss.approx_standard_normal_cdf", cdf, tensors, meta)
    for means in (n for n in tensors if n.startswith("in.dgll_means")):
        found = likelihood.discretised_log_likelihood(
            tensors["in.x_start"], tensors[means], tensors["in.dgll_log_scales"]
        )
        suffix = means.removeprefix("in.dgll_means")
        golden.close(f"loss.discretized_gaussian_log_likelihood{suffix}", found, tensors, meta)


def loss_cases(tensors: Tensors, meta: dict) -> Iterator[Case]:
    for name, case in meta["losses"]["cases"].items():
        if "terms" in case:
            shared = {key: meta["losses"][key] for key in ("schedule", "steps")}
            yield Case(
                name, {**shared, **case, **case.get("create_gaussian_diffusion", {})}, tensors
            )


def training_losses(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x0, noise = tensors["in.x_start"], tensors["in.noise"]
    for case in loss_cases(tensors, meta):
        t = tensors.get(f"{case.name}.t", tensors["in.t"])
        default = (
            "model_output_6ch" if case.target.parametrisation == "eps" else "model_output_x_6ch"
        )
        output = case.output(default).clone().requires_grad_()
        x_t = process.q_sample(case.chain, x0, t, noise)
        terms = losses.training_loss(
            case.chain, case.target, loss_of(case.options), (x0, noise), x_t, t, output
        )
        for term in case.options["terms"]:
            golden.close(f"{case.name}.{term}", terms[term].detach(), tensors, meta)
        if case.tensor("grad_model_output"):
            (gradient,) = torch.autograd.grad(terms["loss"].sum(), output)
            golden.close(f"{case.name}.grad_model_output", gradient, tensors, meta)


def bound_terms(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    x0, noise, t = (tensors[f"in.{n}"] for n in ("x_start", "noise", "t"))
    chain = chain_of(meta["losses"])
    x_t = process.q_sample(chain, x0, t, noise)
    for case in loss_cases(tensors, meta):
        short = case.name.removeprefix("loss.training.").removesuffix(".mse")
        for clip in (False, True):
            key = f"loss.vb_terms.{short}.clip{int(clip)}.output"
            if key in tensors:
                found = likelihood.vlb_terms(chain, case.target, x0, x_t, t, case.output(), clip)[0]
                golden.close(key, found, tensors, meta)
    golden.close("loss.prior_bpd", likelihood.prior_bits(chain, x0), tensors, meta)


def whole_bound(golden) -> None:
    tensors, meta = golden.load("diffusion_ops")
    for name, case in meta["losses"]["cases"].items():
        if f"{name}.total_bpd" not in tensors:
            continue
        options, x0 = case["create_gaussian_diffusion"], tensors["in.x_start"]

        noise = RecordedNoise(torch.zeros_like(x0), tensors[f"{name}.noise"])
        network = linear_model(case["model"])
        bits = likelihood.bits_per_dim(chain_of(options), target_of(options), network, x0, noise)
        named = {
            "total_bpd": bits.total,
            "prior_bpd": bits.prior,
            "vb": bits.bound,
            "xstart_mse": bits.x0_error,
            "mse": bits.eps_error,
        }
        for term, value in named.items():
            golden.close(f"{name}.{term}", value, tensors, meta)


def linear_model(told: str) -> Callable[[Tensor, Tensor], Tensor]:
    """The model that the file describes: `cat([a*x + b*ts, c*x - d], dim=1)`."""
    number = r"([-+]? ?[\d.]+(?:e-?\d+)?)"
    found = re.search(rf"\[{number}\*x {number}\*ts, {number}\*x {number}\]", told)
    assert found, told
    a, b, c, d = (float(text.replace(" ", "")) for text in found.groups())

    def network(x: Tensor, t: Tensor) -> Tensor:
        return torch.cat([a * x + b * t.float().reshape(-1, 1, 1, 1), c * x + d], 1)

    return network


COMPARED = (
    forward_process,
    conversions,
    means_and_variances,
    moves,
    guided_means,
    clipping_after_a_change_of_x0,
    timesteps_that_the_network_gets,
    densities,
    training_losses,
    bound_terms,
    whole_bound,
)


@pytest.mark.parametrize("compare", COMPARED, ids=lambda function: function.__name__)
def test_against_the_references(golden, compare: Callable[[Any], None]) -> None:
    compare(golden)


def test_every_number_of_the_file_is_compared(golden) -> None:
    for compare in COMPARED:
        compare(golden)
    golden.whole(*golden.load("diffusion_ops"))


def test_recorded_noise_refuses_what_was_not_recorded(golden) -> None:
    tensors, _ = golden.load("diffusion_ops")
    noise = RecordedNoise(tensors["in.noise"])
    with pytest.raises(IndexError, match="not recorded"):
        noise.draw([0], 1, tuple(tensors["in.noise"].shape[1:]))
