"""Optimisers: AdamW for everything, or Muon for kernels and matrices with AdamW for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nodes.training.muon import FullMuon
from nodes.training.precision import imitates_bfloat16
from nodes.training.recipe import Recipe

MATRICES = (nn.Linear, nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True, slots=True)
class Optimiser:
    """One or two optimisers as one. `views`: the matrix [out, in·k·k] that stands for a parameter of Muon, by name."""

    parts: tuple[torch.optim.Optimizer, ...]
    owners: Mapping[str, torch.optim.Optimizer]
    parameters: Mapping[str, nn.Parameter]
    views: Mapping[str, nn.Parameter]

    def step(self, rate: float) -> None:
        """Move the parameters by their gradients, at a learning rate. Those without a gradient stay."""
        for name, view in self.views.items():
            parameter = self.parameters[name]
            view.data = parameter.detach().flatten(1)
            view.grad = None if parameter.grad is None else parameter.grad.flatten(1)
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()

    def slots(self, name: str) -> dict[str, Tensor]:
        """What is remembered of a parameter's gradients, to be read or replaced; empty before its first step."""
        held = self.views.get(name, self.parameters[name])
        return self.owners[name].state[held]


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained, by name: of a network with adapters those of the adapters alone."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def optimiser(network: nn.Module, recipe: Recipe) -> Optimiser:
    """The optimiser of a recipe for a network. Matrices decay, gains and biases do not.

    Muon takes the kernels and matrices between the first and the last convolution; embeddings stay with AdamW.
    Ref: Loshchilov & Hutter 2019 (AdamW); Jordan et al. 2024 (Muon); Liu et al. 2025, §2.2 (its learning rate).
    """
    parameters = trained(network)
    inner = _inner(network) if recipe.optimiser == "muon" else []
    views = {name: nn.Parameter(parameters[name].detach().flatten(1)) for name in inner}
    rest = {name: p for name, p in parameters.items() if name not in views}
    adamw = _adamw(rest, recipe)
    owners: dict[str, torch.optim.Optimizer] = dict.fromkeys(rest, adamw)
    if not views:
        return Optimiser((adamw,), owners, parameters, views)
    device = next(iter(views.values())).device
    kind = FullMuon if imitates_bfloat16(device) else torch.optim.Muon
    muon = kind(
        views.values(),
        lr=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )
    return Optimiser((muon, adamw), owners | dict.fromkeys(views, muon), parameters, views)


def _inner(network: nn.Module) -> list[str]:
    """Names of the weights that Muon takes."""
    layers = {n: m for n, m in network.named_modules() if isinstance(m, MATRICES)}
    pictures = [name for name, layer in layers.items() if isinstance(layer, nn.Conv2d)]
    ends = {*pictures[:1], *pictures[-1:]}
    inner = (f"{name}.weight" for name in layers if name not in ends)
    return [name for name in inner if name in trained(network)]


def _adamw(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    matrices = [p for p in parameters.values() if p.ndim > 1]
    vectors = [p for p in parameters.values() if p.ndim <= 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.99), fused=True)
