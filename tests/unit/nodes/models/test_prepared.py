"""What of a network does not depend on (x_t, t) is made once a run."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from nodegraph.base.paths import Sandbox
from nodegraph.runtime.context import RunContext
from nodes.diffusion.denoisers import Denoiser
from nodes.diffusion.noise import SeededNoise
from nodes.diffusion.respacing import respace
from nodes.diffusion.samplers import Start, ddim
from nodes.library.conditioning import unclip_conditions
from nodes.library.denoising import unet_denoiser
from nodes.library.guidance import classifier_free_guidance
from nodes.library.priors import prior_denoiser
from nodes.models.clip import Clip, parse_clip
from nodes.models.handle import parsed
from nodes.models.prior import Prior
from nodes.models.unet import UNet

KARLO = Path(__file__).parents[3] / "golden" / "data" / "unclip_tiny_karlo"
STEPS = 4
TEXTS = ["a big red frog on a green leaf", "a frog"]


@pytest.fixture
def context() -> RunContext:
    return RunContext(Sandbox((KARLO,), KARLO))


@pytest.fixture
def clip(context: RunContext) -> Clip:
    return parse_clip(str(KARLO / "clip"), context)


def prior_under(model: Prior, clip: Clip, texts: list[str]) -> Denoiser:
    embedding, tokens = clip.read(texts)
    return prior_denoiser(model, tokens, embedding)


def sampled(denoiser: Denoiser) -> torch.Tensor:
    start = Start(SeededNoise(0), count=2)
    *_, last = ddim(denoiser, respace(denoiser.trained, STEPS), start)
    return last.x_t


def calls(modules: dict[str, nn.Module], run: Callable[[], object]) -> Counter[tuple[str, int]]:
    """How often each module is called, by its name and the positions that it is given."""
    found: Counter[tuple[str, int]] = Counter()

    def listen(name: str) -> Callable[..., None]:
        def heard(_: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
            found[name, args[0].shape[1]] += 1

        return heard

    hooks = [m.register_forward_pre_hook(listen(name)) for name, m in modules.items()]
    run()
    for hook in hooks:
        hook.remove()
    return found


def test_a_prior_reads_its_texts_once(context: RunContext, clip: Clip) -> None:
    model = parsed(Prior, str(KARLO / "prior"), context)
    guided = classifier_free_guidance(
        prior_under(model, clip, TEXTS), prior_under(model, clip, [""]), 3.0
    )
    network = model.module()
    words = int(clip.read(TEXTS)[1].mask.sum(1).max())
    blocks = {f"block {n}": block for n, block in enumerate(network.blocks)}
    found = calls({"tokens": network.tokens_proj, **blocks}, lambda: sampled(guided))
    per_block = {(n, k): times for n in blocks for k, times in ((words + 1, 1), (3, STEPS))}
    assert found == {("tokens", model.config.tokens): 1, **per_block}


def test_a_decoder_makes_keys_and_values_once(context: RunContext, clip: Clip) -> None:
    model = parsed(UNet, str(KARLO / "decoder"), context)
    embedding, tokens = clip.read(TEXTS)
    image = unclip_conditions(model, embedding, tokens, embedding)
    empty, unread = clip.read([""])
    nothing = unclip_conditions(model, None, unread, empty)
    guided = classifier_free_guidance(
        unet_denoiser(model, [image]), unet_denoiser(model, [nothing]), 3.0
    )
    readers = {str(n): reader for n, reader in enumerate(model.module()._readers)}
    found = calls(readers, lambda: sampled(guided))
    seen = int(image.mask.any(0).sum())
    assert readers
    assert found == {(name, seen): 1 for name in readers}


@pytest.mark.parametrize("kind", ["prior", "decoder"])
def test_padding_that_others_need_changes_nothing(
    context: RunContext, clip: Clip, kind: str
) -> None:
    """A short text beside a long one is what it is alone."""

    def run(texts: list[str]) -> torch.Tensor:
        if kind == "prior":
            return sampled(prior_under(parsed(Prior, str(KARLO / kind), context), clip, texts))
        model = parsed(UNet, str(KARLO / kind), context)
        embedding, tokens = clip.read(texts)
        return sampled(
            unet_denoiser(model, [unclip_conditions(model, embedding, tokens, embedding)])
        )

    together, alone = run([TEXTS[1], TEXTS[0]]), run([TEXTS[1]])
    scale = (
        alone.abs().max()
    )  # nothing bounds these chains: from the last step on, roundings are as large as they are
    torch.testing.assert_close(together[:1] / scale, alone[:1] / scale, rtol=1e-4, atol=2e-5)
