"""Muon in float32, for CPUs that only imitate the bfloat16 of torch's own."""

from typing import Any

import torch
from torch import Tensor


class FullMuon(torch.optim.Muon):
    """torch's Muon (momentum of Nesterov, decoupled decay, its state and options) with another Newton-Schulz iteration.

    Its learning rate is that of `match_rms_adamw`. Ref: Jordan et al. 2024 (Muon); Liu et al. 2025, §2.2.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """Move the matrices by their gradients; those without a gradient stay."""
        for group in self.param_groups:
            moved: list[Tensor] = []
            grads: list[Tensor] = []
            buffers: list[Tensor] = []
            self._init_group(group, moved, grads, buffers)
            for matrix, grad, buffer in zip(moved, grads, buffers, strict=True):
                buffer.lerp_(grad, 1 - group["momentum"])
                ahead = grad.lerp(buffer, group["momentum"])
                update = orthogonal(ahead, group["ns_coefficients"], group["ns_steps"])
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-0.2 * group["lr"] * max(matrix.shape) ** 0.5)


def orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float = 1e-7
) -> Tensor:
    """A matrix [A, B] with its singular values brought near 1 by steps X ← (a + b·XXᵀ + c·(XXᵀ)²) X from X/‖X‖.

    The factors are multiplied up in the smaller of the two dimensions, and X by their product once.
    """
    wide = matrix if len(matrix) <= matrix.shape[1] else matrix.T
    x = wide / wide.norm().clamp(min=eps)
    a, b, c = coefficients
    gram = x @ x.T
    whole = one = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for _ in range(steps):
        factor = a * one + b * gram + c * (gram @ gram)
        whole = factor @ whole
        gram = factor @ gram @ factor
    found = whole @ x
    return found if wide is matrix else found.T
