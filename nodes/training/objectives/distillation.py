"""What a student of a denoiser learns: to do in one step, without guidance, what its guided teacher does in several."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from nodegraph.base.diagnostics import Mismatch
from nodes.diffusion.denoisers import Denoiser, DiffusionNetwork, Leaf, evaluator
from nodes.diffusion.losses import min_snr_weight, squared_error
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.process import eps_from_x0, q_sample
from nodes.diffusion.respacing import refined, respace
from nodes.diffusion.samplers import Start, ddim, ddim_step
from nodes.diffusion.schedule import Schedule, at
from nodes.diffusion.techniques import ClassifierFreeGuidance, ClipX0
from nodes.models.unet import UNet as Teacher
from nodes.networks.config import UNetConfig
from nodes.networks.unet.network import UNet
from nodes.training.dataset import Batch, Dataset, without
from nodes.training.draws import Draw, draw_for
from nodes.training.objectives.diffusion import DiffusionObjective, check_chain, shown_rows
from nodes.training.step import Objective


@dataclass(frozen=True, slots=True)
class DistillationObjective(Objective):
    """One step of DDIM along `steps` is to land where `substeps` of the guided teacher do.

    With one substep the student learns what both branches of the teacher say together (guidance distillation, Meng et al. 2023,
    §3.1), with two to take two steps at once (progressive distillation, Salimans & Ho 2022, Alg. 2). `gamma` > 0 weighs the
    error by min-SNR-γ; `dropout`: share of captions that are emptied. For networks conditioned on nothing but texts.
    """

    teacher: Teacher
    steps: str = "trailing4"
    substeps: int = 2
    guidance: float = 1.0
    gamma: float = 5.0
    dropout: float = 0.0

    def describe(self) -> dict[str, str | int | float]:
        return {
            "kind": "distillation",
            "teacher": self.teacher.identity,
            "steps": self.steps,
            "substeps": self.substeps,
            "guidance": self.guidance,
            "gamma": self.gamma,
            "dropout": self.dropout,
        }

    def check(self, config: object) -> None:
        """Raises Mismatch for what is no UNet of texts alone, learns a variance, or is of another size or chain."""
        if not isinstance(config, UNetConfig):
            raise Mismatch("only a UNet learns from a UNet", port="objective")
        for name, one in (("the teacher", self.teacher.config), ("the network", config)):
            if one.clip or one.classes or one.low_resolution or one.known_pixels:
                raise Mismatch(f"{name} takes other conditions than texts", port="objective")
        if config.trained.learned_variance:
            raise Mismatch("a student of DDIM learns no variance", port="objective")
        if config.image_size != self.teacher.config.image_size:
            raise Mismatch("the teacher draws pictures of another size", port="objective")
        check_chain(self.teacher.trained, config.trained)

    def draws(self, config: object) -> bool:
        return isinstance(config, UNetConfig)

    def sample(
        self, network: nn.Module, dataset: Dataset, captions: Sequence[str] = ()
    ) -> Tensor | None:
        """By the student's steps of DDIM, without guidance."""
        if not isinstance(network, UNet):
            return None
        batch = shown_rows(dataset, captions).to(str(next(network.parameters()).device))
        with torch.no_grad():
            student = self._leaf(network, batch)
            start = Start(SeededNoise(0), count=len(batch) // student.rows)
            *_, last = ddim(ClipX0(student), self.schedule, start)
        return last.x0.cpu()

    def loss(self, network: nn.Module, batch: Batch, draw: Draw) -> Tensor:
        """Loss of each row [B]: the error of what the student predicts, at one of its steps."""
        assert isinstance(network, UNet)
        dropped = draw.uniform() < self.dropout
        batch = replace(batch, captions=without(batch.captions or ("",) * len(batch), dropped))
        x0, schedule, target = batch.signal, self.schedule, network.config.trained
        step = draw.timesteps(len(schedule)).to(x0.device)
        t = schedule.timesteps.to(x0.device)[step]
        x_t = q_sample(schedule, x0, step, draw.normal(x0))
        taught = self.taught(batch, x_t, step)
        noise = eps_from_x0(schedule, x_t, step, taught)
        output = network(x_t, t, **self._conditions(network, batch)).float()
        error = squared_error(schedule, target, taught, x_t, step, noise, output)
        if not self.gamma:
            return error
        return min_snr_weight(schedule, target.parametrisation, step, self.gamma) * error

    def taught(self, batch: Batch, x_t: Tensor, step: Tensor) -> Tensor:
        """x_0 by which a step of DDIM leads from x_t, at steps [B] of the student, to where the teacher's substeps lead.

        Ref: Salimans & Ho 2022, Alg. 2.
        """
        with torch.no_grad(), torch.autocast(x_t.device.type, enabled=False):
            reached = self._led(self._teacher(batch), x_t, step)
        schedule = self.schedule
        signal = at(schedule.alphas_cumprod_prev.sqrt(), step, x_t)
        ratio = (1 - schedule.alphas_cumprod_prev).sqrt() / schedule.sqrt_one_minus_alphas_cumprod
        shrink = at(ratio, step, x_t)
        whole = signal - shrink * at(schedule.sqrt_alphas_cumprod, step, x_t)
        return (reached - shrink * x_t) / whole

    def _led(self, teacher: Denoiser[Any], x_t: Tensor, step: Tensor) -> Tensor:
        """Where the substeps lead from x_t."""
        fine = refined(self.schedule, self.substeps)
        predict = evaluator([teacher], len(x_t))
        for substep in range(self.substeps):
            now = (step + 1) * self.substeps - 1 - substep
            [prediction] = predict(x_t, fine.timesteps.to(x_t.device)[now])
            x_t = ddim_step(fine, x_t, now, prediction, None)
        return x_t

    def _teacher(self, batch: Batch) -> Denoiser[Any]:
        network = self.teacher.module()
        cond = self._leaf(network, batch)
        if self.guidance == 1:
            return ClipX0(cond)
        empty = replace(batch, captions=("",) * len(batch))
        uncond = replace(cond, conditions=self._conditions(network, empty))
        return ClipX0(ClassifierFreeGuidance(cond, uncond, self.guidance))

    def _leaf(self, network: UNet, batch: Batch) -> Leaf:
        shape, target = tuple(batch.signal.shape[1:]), network.config.trained
        diffusion = DiffusionNetwork(network, self.teacher.trained, shape, target)
        diffusion = replace(diffusion, device=batch.signal.device)
        return Leaf(diffusion, self._conditions(network, batch))

    def _conditions(self, network: UNet, batch: Batch) -> dict[str, Tensor]:
        reading = DiffusionObjective(self.teacher.trained, dropout=0.0)
        return reading.conditions(network, batch, draw_for(0, 0, len(batch)))

    @property
    def schedule(self) -> Schedule:
        """The steps that the student takes."""
        return respace(self.teacher.trained, self.steps)
