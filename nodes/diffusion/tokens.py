"""Tokens drawn one after the other from what a network says of the next; no network is known here."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from nodes.diffusion.noise import NoiseSource


@dataclass(frozen=True, slots=True)
class Choice:
    """How a token is drawn. `temperature` divides the logits, 0 takes the likeliest; `top_p`: the share of probability that
    the likeliest tokens must reach together, the others are never drawn."""

    temperature: float = 1.0
    top_p: float = 1.0


def guided_logits(cond: Tensor, uncond: Tensor, scale: float) -> Tensor:
    """Logits moved away from those of no text: uncond + scale · (cond − uncond). Ref: Ho & Salimans 2022, eq. 6."""
    return torch.lerp(uncond, cond, scale)


def probabilities(logits: Tensor, choice: Choice) -> Tensor:
    """With what probability each token [B, V] is drawn. Ref: Holtzman et al. 2020, §3.1 (nucleus sampling)."""
    if choice.temperature == 0:
        return torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1.0)
    shares = (logits / choice.temperature).softmax(1)
    if choice.top_p >= 1:
        return shares
    ranked, order = torch.sort(shares, 1, True)
    before = ranked.cumsum(1) - ranked  # what the likelier tokens reach together, 0 for the first
    inside = (before < choice.top_p) | (before == 0)
    nucleus = torch.where(inside, ranked, torch.zeros_like(ranked))
    return shares.scatter(1, order, nucleus / nucleus.sum(1, keepdim=True))


def drawn(shares: Tensor, uniform: Tensor) -> Tensor:
    """Tokens int64 [B] of probabilities [B, V], where uniform numbers [B] in [0, 1) fall in their running sum."""
    sums = shares.double().cumsum(1)
    found = torch.searchsorted(sums, (uniform.double() * sums[:, -1])[:, None], right=True)
    return found.squeeze(1).clamp(max=shares.shape[1] - 1)


def uniforms(noise: NoiseSource, samples: int, number: int) -> Tensor:
    """Numbers in [0, 1) of the number-th draw for the first `samples`, float64 [B]: shares of the normal below its noise."""
    normal = noise.draw(range(samples), number, (1,)).squeeze(1)
    return 0.5 * (1 + torch.erf(normal.double() / 2**0.5))


Step = Callable[[Tensor | None], Tensor]
"""The tokens that were drawn last, int64 [B] (None before the first) → logits [B, V] of the next."""


def sample_tokens(
    step: Step, count: int, uniform: Callable[[int], Tensor], choice: Choice
) -> Generator[Tensor, None, None]:
    """Tokens so far, int64 [B, 1] to [B, count], after each that is drawn with `uniform(place)` [B]."""
    tokens: list[Tensor] = []
    for place in range(count):
        with torch.no_grad():
            logits = step(tokens[-1] if tokens else None)
            tokens.append(drawn(probabilities(logits, choice), uniform(place).to(logits.device)))
        yield torch.stack(tokens, 1)
