"""Nodes that show where a network looks: which word of a text each place of a picture attends to."""

from contextlib import nullcontext
from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.denoisers import Leaf
from nodes.library.denoising import unet_denoiser
from nodes.library.evaluation.plots import drawing, png
from nodes.library.noise import forward_diffusion
from nodes.library.text import text_encoder
from nodes.models.reading import as_meant
from nodes.models.unet import UNet
from nodes.networks.tokenizer import pieces
from nodes.networks.unet.attention import watched
from nodes.wires.arrays import to_bytes
from nodes.wires.conditions import Condition
from nodes.wires.figures import Figure
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text
from nodes.wires.tables import Table
from nodes.wires.tensors import Signal

COLUMNS = ("t", "word", "share")


class Looks(NamedTuple):
    """A drawing, the maps [T, W, h, w], and the share of each word by timestep."""

    figure: Figure
    maps: Signal
    shares: Table


def _abstract_maps(model: UNet, image: Image, text: str, t: list[int]) -> Looks:
    words = _words(model, image, text, t)
    config = model.config
    down = min(config.attention, default=2 ** (len(config.widths) - 1))
    side = config.image_size // config.fold // down
    maps = torch.empty(len(t), len(words), side, side, device="meta")
    return Looks(Figure(b""), maps, Table(COLUMNS, ()))


def _words(model: UNet, image: Image, text: str, t: list[int]) -> dict[str, list[int]]:
    """The words of a text with their places among the tokens, numbered where one comes again."""
    if tuple(image.shape) != (1, *model.diffusion.sample_shape):
        raise Mismatch(
            f"'{model.name}' makes {[1, *model.diffusion.sample_shape]}, the picture is {list(image.shape)}",
            port="image",
            hint="resize the picture; one at a time",
        )
    if not t:
        raise Mismatch("no timestep is given", port="t")
    found: list[tuple[str, list[int]]] = []
    config = model.text_config()
    (meant,) = as_meant([text], config.tokenizer.words)
    for place, piece in enumerate(pieces(config, meant)):
        if piece.startswith(" ") or not found:
            found.append(("", []))
        word, places = found.pop()
        found.append((word + piece.strip(), [*places, place]))
    if not found:
        raise Mismatch(f"'{model.name}' reads no word in this text", port="text")
    words = [word for word, _ in found]
    names = [
        w if words.count(w) == 1 else f"{w} {words[: i + 1].count(w)}" for i, w in enumerate(words)
    ]
    return {name: places for name, (_, places) in zip(names, found, strict=True)}


@node(words=("cross-attention", "which word looks where", "explain"), abstract=_abstract_maps)
def attention_maps(
    model: UNet,
    image: Annotated[Image, Doc("One picture of the network's size, which is noised to each t.")],
    text: Text,
    t: Annotated[list[int], Range(0), Doc("Trained timesteps.")] = [100, 400, 700],  # noqa: B006
    conditions: Annotated[
        list[Condition], Doc("What else the network takes, such as known pixels.")
    ] = [],  # noqa: B006
    seed: Seed = 0,
) -> Looks:
    """How much each place of a picture takes from each word of a text, by the attention weights of the network at x_t.

    The weights are means over heads and attentions, those of coarse attentions brought to the finest, in [0, 1]; pieces of a
    word are summed. GLIDE's attention goes over words, padding and the places of the picture under one softmax, so the words
    have a share below 1. Raises Mismatch for a network without a text transformer, another size, or a text without words.
    Ref: Nichol et al. 2022 (GLIDE), §3; averaging as Tang et al. 2023 (DAAM).
    """
    words = _words(model, image, text, t)
    x_t = forward_diffusion(image.to(model.device), model.trained, t=t, seed=seed).image
    leaf = unet_denoiser(model, [text_encoder(model, text), *conditions]).root
    weights = _looked(model, leaf, x_t, torch.tensor(t, device=model.device))  # [T, L, h, w]
    maps = torch.stack([weights[:, places].sum(1) for places in words.values()], 1)
    shares = maps.mean((2, 3)).tolist()
    rows = [
        (s, w, round(x, 6))
        for s, row in zip(t, shares, strict=True)
        for w, x in zip(words, row, strict=True)
    ]
    return Looks(_drawn(x_t, maps, list(words), t), maps, Table(COLUMNS, tuple(rows)))


def _looked(model: UNet, leaf: Leaf, x_t: Tensor, t: Tensor) -> Tensor:
    """Weights on the tokens, [T, L, h, w]: means over heads, then over attentions at the size of the finest."""
    # A compiled block does not see that it is watched.
    plain = torch.compiler.set_stance("force_eager") if model.place.compiled else nullcontext()
    network = model.module()
    with torch.no_grad(), plain, watched(network) as seen:
        network(x_t, t, **leaf.prepared(len(x_t)))
    means = [weights.mean(1).permute(0, 3, 1, 2) for weights in seen]
    size = max((tuple(mean.shape[2:]) for mean in means), default=None)
    if size is None:
        raise Mismatch(f"'{model.name}' has no attention to words", port="model")
    return torch.stack([F.interpolate(mean, size, mode="nearest") for mean in means]).mean(0)


def _drawn(x_t: Tensor, maps: Tensor, words: list[str], t: list[int]) -> Figure:
    """A row for each timestep: x_t, then it lit by each word's map, the brightest where the map has its maximum."""
    rows, columns = len(t), 1 + len(words)
    canvas, axes = drawing((1.05 * columns, 1.2 * rows), 110, rows, columns)
    for row, (noisy, light, step) in enumerate(
        zip(to_bytes(x_t), maps.cpu().numpy(), t, strict=True)
    ):
        _tile(axes[row][0], noisy, f"t = {step}")
        for column, (word, one) in enumerate(zip(words, light, strict=True), 1):
            _tile(axes[row][column], noisy, f"{word}  {one.mean():.1%}", one / (one.max() or 1))
    return png(canvas)


def _tile(axes: Any, picture: np.ndarray, title: str, light: np.ndarray | None = None) -> None:
    high, wide = picture.shape[:2]
    axes.imshow(picture, extent=(0, wide, high, 0), interpolation="nearest")
    if light is not None:
        axes.imshow(
            light,
            cmap="magma",
            vmin=0,
            vmax=1,
            alpha=0.75,
            extent=(0, wide, high, 0),
            interpolation="bilinear",
        )
    axes.set_axis_off()
    axes.set_title(title, fontsize=7, pad=2, parse_math=False)
