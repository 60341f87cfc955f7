"""Which word looks where: the weights beside a direct computation, what the maps say, and what is refused."""

import math

import pytest
import torch
from tiny import Models
from torch import Tensor

from nodegraph.base.diagnostics import Mismatch
from nodes.diffusion.noise import INITIAL, SeededNoise
from nodes.library.evaluation.attention import attention_maps
from nodes.library.text import text_encoder
from nodes.models.unet import UNet
from nodes.networks.blocks import Attention
from nodes.networks.config import TextConfig, TokenizerConfig
from nodes.networks.tokenizer import pieces
from nodes.networks.unet.attention import watched, weights_on_tokens

TEXT = "a red circle a star"
PICTURE = torch.linspace(-1, 1, 3 * 16 * 16).reshape(1, 3, 16, 16)


def directly(attention: Attention, x: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Weights on tokens and what the module gives, one head and pixel after the other, in float64 from the weights as they lie."""
    state = {name: value.double() for name, value in attention.state_dict().items()}
    x, context = x.double(), context.double()
    batch, channels, high, wide = x.shape
    groups = attention.norm.num_groups
    parts = x.reshape(batch, groups, -1)
    mean, spread = parts.mean(2, keepdim=True), parts.var(2, unbiased=False, keepdim=True)
    normal = ((parts - mean) / (spread + 1e-5).sqrt()).reshape(x.shape)
    normal = normal * state["norm.weight"][:, None, None] + state["norm.bias"][:, None, None]
    pixels = normal.reshape(batch, channels, -1).transpose(1, 2)
    qkv = pixels @ state["qkv.weight"][..., 0].T + state["qkv.bias"]
    d, tokens = channels // attention.heads, context.shape[1]
    weights = torch.zeros(batch, attention.heads, high * wide, tokens, dtype=torch.float64)
    joined = torch.zeros_like(pixels)
    for row in range(batch):
        for head in range(attention.heads):
            first = 3 * d * head if attention.head_major else d * head
            step = d if attention.head_major else channels
            at = 2 * d * head if attention.head_major else d * head
            q, k, v = (qkv[row, :, first + n * step :][:, :d] for n in range(3))
            key, value = (context[row, :, at + n * step :][:, :d] for n in range(2))
            for pixel in range(high * wide):
                logits = [float(q[pixel] @ other) / math.sqrt(d) for other in (*key, *k)]
                powers = [math.exp(logit - max(logits)) for logit in logits]
                share = torch.tensor(powers, dtype=torch.float64) / sum(powers)
                weights[row, head, pixel] = share[:tokens]
                joined[row, pixel, d * head : d * head + d] = share @ torch.cat([value, v])
    given = joined @ state["proj.weight"][..., 0].T + state["proj.bias"]
    return weights, x + given.transpose(1, 2).reshape(x.shape)


@pytest.mark.parametrize("head_major", [True, False])
def test_weights_are_those_of_a_direct_computation(head_major: bool) -> None:
    generator = torch.Generator().manual_seed(4)
    attention = Attention(32, 2, 8, head_major, groups=8).eval().requires_grad_(False)
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, 0.3, 0.4, generator)
    x = torch.randn(2, 32, 3, 3, generator=generator)
    assert attention.context_kv is not None
    context = attention.context_kv(torch.randn(2, 5, 8, generator=generator))
    weights, output = directly(attention, x, context)
    torch.testing.assert_close(
        weights_on_tokens(attention, x, context), weights.float(), atol=1e-6, rtol=1e-5
    )
    torch.testing.assert_close(attention(x, context), output.float(), atol=1e-4, rtol=1e-4)


def test_maps_are_means_of_the_weights_in_a_whole_network(models: Models) -> None:
    model = models(UNet, "glide/base")
    looks = attention_maps(model, PICTURE, TEXT, t=[10, 800], seed=3)
    condition = text_encoder(model, TEXT)
    noise = SeededNoise(3, "forward").draw(range(2), INITIAL, (3, 16, 16))
    share = model.trained.alphas_cumprod[[10, 800]].float()[:, None, None, None]
    x_t = share.sqrt() * PICTURE + (1 - share).sqrt() * noise
    expected, network = [], model.module()

    def spied(attention: Attention, given: tuple[Tensor, ...], output: Tensor) -> None:
        weights, direct = directly(attention, given[0], given[1])
        torch.testing.assert_close(output, direct.float(), atol=1e-4, rtol=1e-4)
        expected.append(weights.mean(1).unflatten(1, tuple(given[0].shape[2:])))

    found = [m for m in network.modules() if isinstance(m, Attention)]
    handles = [module.register_forward_hook(spied) for module in found]
    assert condition.tokens is not None and condition.embedding is not None
    told = {
        "embedding": condition.embedding.repeat(2, 1),
        "tokens": condition.tokens.repeat(2, 1, 1),
    }
    network(x_t, torch.tensor([10, 800]), **told)
    for handle in handles:
        handle.remove()
    assert len(expected) == len(found) > 1
    whole = torch.stack(expected).mean(0).permute(0, 3, 1, 2)  # [T, L, h, w]
    torch.testing.assert_close(looks.maps, whole[:, :5].float(), atol=1e-6, rtol=1e-4)
    assert looks.shares.column("word")[:5] == ["a 1", "red", "circle", "a 2", "star"]
    assert looks.shares.column("t") == [10] * 5 + [800] * 5
    means = looks.maps.mean((2, 3)).flatten()
    assert looks.shares.numbers("share") == pytest.approx(means.tolist(), abs=1e-6)
    assert looks.figure.png.startswith(b"\x89PNG")


def test_watching_changes_nothing_and_ends(models: Models) -> None:
    model = models(UNet, "glide/base")
    network, told = model.module(), text_encoder(model, TEXT)
    call = {
        "x_t": PICTURE,
        "t": torch.tensor([5]),
        "embedding": told.embedding,
        "tokens": told.tokens,
    }
    plain = network(**call)
    with pytest.raises(RuntimeError, match="inside"), watched(network) as seen:
        assert torch.equal(network(**call), plain)
        raise RuntimeError("inside")
    held = len(seen)
    network(**call)
    assert len(seen) == held > 0


@pytest.mark.parametrize(
    ("image", "text", "t", "port"),
    [
        (PICTURE[..., :8], TEXT, [5], "image"),
        (PICTURE.repeat(2, 1, 1, 1), TEXT, [5], "image"),
        (PICTURE, "…", [5], "text"),
        (PICTURE, TEXT, [], "t"),
        (PICTURE, TEXT, [1000], "t"),
    ],
)
def test_what_does_not_fit_is_refused(
    models: Models, image: Tensor, text: str, t: list[int], port: str
) -> None:
    with pytest.raises(Mismatch) as refused:
        attention_maps(models(UNet, "glide/base"), image, text, t)
    assert refused.value.port == port


def test_a_network_that_reads_nothing_is_refused(models: Models) -> None:
    with pytest.raises(Mismatch, match="no text transformer"):
        attention_maps(models.unconditional, PICTURE, TEXT)


def test_pieces_of_a_byte_pair_encoding_make_up_the_text() -> None:
    config = TextConfig(50_257, 128, 16, 1, 2, tokenizer=TokenizerConfig("glide_bpe", ()))
    read = pieces(config, "A hedgehog using a calculator")
    assert "".join(read) == "a hedgehog using a calculator"
    assert len(read) > 5  # some words are several tokens
    assert pieces(config, "red " * 200) == ["red", *[" red"] * 127]
