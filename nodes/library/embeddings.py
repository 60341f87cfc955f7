"""Nodes between embeddings, and between noises; embeddings in principal components, and back."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nodegraph import Doc, Mismatch, Range, node
from nodes.diffusion.noise import Noise
from nodes.measures import pca as pca_of
from nodes.measures.pca import Pca
from nodes.models.embeddings import Embedding, same_space
from nodes.wires.embeddings import ClipImage, ClipText
from nodes.wires.generic import X
from nodes.wires.tensors import Signal

STRAIGHT = 1e-12
"""Sine of an angle under which a great circle is not told from a line, or which one it is."""
Share = Annotated[
    float | list[float],
    Range(0, 1),
    Doc("0 = a, 1 = b; a list gives that many results for each row."),
]
Turn = Annotated[
    float | list[float],
    Range(0, 1),
    Doc("Share of the way to the difference, 0.25 to 0.5 in the paper; a list as in slerp."),
]


@node(words=("spherical interpolation",))
def slerp(a: X, b: X, t: Share = 0.5) -> X:
    """Spherical interpolation of rows [B, …]: along the great circle between their directions. t[T] on B rows gives B·T.

    Rows that are parallel, opposite or zero are interpolated on the straight line; all in float64, whatever the rows are.
    Noise keeps its place in the chain. Raises Mismatch on other shapes, two CLIPs, or noise of another place.
    Ref: Shoemake 1985; Ramesh et al. 2022, §3.2.
    """
    if isinstance(a, Noise) and isinstance(b, Noise):
        return replace(_at_one_level(a, b), x_t=slerp(a.x_t, b.x_t, t))  # type: ignore[return-value]
    first, second, shares = _rows(a, b, t)
    low, high = _exact(first), _exact(second)
    near, far = _weights(low, high, _exact(shares))
    return _like(a, (near * low + far * high).to(first))


def _exact(values: Tensor) -> Tensor:
    """In float64, which one kind of device does not know."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def _weights(a: Tensor, b: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """What of each row goes into the result, [B, 1, …]. Ref: Kahan 2006, §12: by atan2 the angle is right from 0 to π."""
    a, b = (v / _length(v).clamp(min=torch.finfo(v.dtype).tiny) for v in (a, b))
    difference, total = _length(a - b), _length(a + b)
    angle = 2 * torch.atan2(difference, total)
    sine = difference * total / 2
    straight = (sine < STRAIGHT) | (_length(a) * _length(b) == 0)
    sine = torch.where(straight, 1, sine)
    near = torch.where(straight, 1 - shares, ((1 - shares) * angle).sin() / sine)
    return near, torch.where(straight, shares, (shares * angle).sin() / sine)


def _length(rows: Tensor) -> Tensor:
    """[B, …] → [B, 1, …]."""
    return rows.flatten(1).norm(dim=1).reshape(-1, *[1] * (rows.ndim - 1))


@node(words=("linear interpolation", "mix"))
def lerp(a: X, b: X, t: Share = 0.5) -> X:
    """Linear interpolation of rows [B, …]; t[T] on B rows gives B·T. Raises Mismatch on other shapes."""
    first, second, shares = _rows(a, b, t)
    return _like(a, first + shares * (second - first))


@node(words=("text diff", "edit", "language-guided", "DALL·E 2"))
def text_difference(
    image: ClipImage,
    from_text: Annotated[ClipText, Doc("What the picture shows.")],
    to_text: Annotated[ClipText, Doc("What it shall show.")],
    theta: Turn = 0.35,
) -> ClipImage:
    """A picture's embedding [B, D] turned towards the direction from one text to another; theta[T] on B rows gives B·T.

    `theta` is the share of the angle between embedding and direction, as slerp counts it: about 90° in all, so 0.35 turns
    by some 30°. The length stays. Raises Mismatch for another CLIP, other numbers of rows, or texts that are one to CLIP.
    Ref: Ramesh et al. 2022, §3.3.
    """
    for port, text in (("from_text", from_text), ("to_text", to_text)):
        same_space(image.space, text, "the picture's space", port)
        if len(text.values) not in (1, len(image.values)):
            raise Mismatch(f"{len(text.values)} texts, {len(image.values)} pictures", port=port)
    difference = (to_text.values - from_text.values).to(image.values)
    if not difference.is_meta and not bool(difference.any(1).all()):
        raise Mismatch("the two texts are one to this CLIP", port="to_text")
    length = image.values.norm(dim=1, keepdim=True)
    direction = replace(image, values=length * F.normalize(difference, dim=1))
    return slerp(image, direction, theta)


@node(words=("batch", "copies"), rows=("value",))
def repeat_rows(value: X, times: Annotated[int, Range(1, 4096)] = 1) -> X:
    """Each row [B, …] `times` times, one after the other, [B·times, …]."""
    repeated: Any = _mapped(value, lambda rows: rows.repeat_interleave(times, 0))
    return repeated


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A tensor, or every tensor of an embedding, changed."""
    if isinstance(value, Tensor):
        return change(value)
    found = {f.name: getattr(value, f.name) for f in fields(value)}
    tensors = {name: change(v) for name, v in found.items() if isinstance(v, Tensor)}
    return replace(value, **tensors)


def _like(value: Any, tensor: Tensor) -> Any:
    """The tensor as what `value` is: a picture, or an embedding of the same CLIP."""
    return tensor if isinstance(value, Tensor) else replace(value, values=tensor)


def _tensors(a: Any, b: Any) -> tuple[Tensor, Tensor]:
    if isinstance(a, Embedding) and isinstance(b, Embedding):
        same_space(a.space, b, "a", "b")
        return a.values, b.values
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return a, b
    raise Mismatch(f"a {type(a).__name__} cannot be interpolated", port="a")


def _at_one_level(a: Noise[Any], b: Noise[Any]) -> Noise[Any]:
    if (a.timestep, a.chain) != (b.timestep, b.chain):
        raise Mismatch("the two are at other places of their chains", port="b")
    return a


def _rows(first: Any, second: Any, t: float | list[float]) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of both, each repeated for each share, and the shares [B·T, 1, …]."""
    a, b = _tensors(first, second)
    if a.shape[1:] != b.shape[1:] or (len(a) != len(b) and 1 not in (len(a), len(b))):
        raise Mismatch(f"{list(a.shape)} and {list(b.shape)} cannot be interpolated", port="b")
    shares = torch.tensor(t if isinstance(t, list) else [t], dtype=a.dtype, device=a.device)
    rows = max(len(a), len(b))
    first, second = (v.expand(rows, *v.shape[1:]).repeat_interleave(len(shares), 0) for v in (a, b))
    return first, second, shares.repeat(rows).reshape(-1, *[1] * (a.ndim - 1))


Kept = Annotated[
    int | list[int] | None,
    Range(0),
    Doc("How many, from the first; a list gives that many results for each row; none given: all."),
]


@node(words=("principal components", "PCA", "dimensionality"))
def pca_fit(
    embeddings: Annotated[ClipImage, Doc("Of many pictures, thousands rather than hundreds.")],
    components: Annotated[int, Range(1)] = 32,
) -> Pca:
    """The directions in which embeddings [N, D] vary most, by decreasing eigenvalue, and the range along each.

    Raises Mismatch for more components than D, or than N − 1. Ref: Ramesh et al. 2022, §2.2 (319 of 1,024).
    """
    try:
        return pca_of.fit_pca(embeddings.values, components, embeddings.space)
    except ValueError as error:
        raise Mismatch(str(error), port="components") from None


@node(words=("principal components", "PCA", "coefficients"))
def pca_project(pca: Pca, embeddings: ClipImage) -> Signal:
    """Coefficients [B, K] of embeddings [B, D] along the components.

    Raises Mismatch for embeddings of another CLIP, or of another width.
    """
    same_space(pca.space, embeddings, "the components' space", "embeddings")
    width = pca.mean.shape[1]
    if embeddings.values.shape[1] != width:
        raise Mismatch(
            f"the components are of embeddings {width} wide, not {embeddings.values.shape[1]}",
            port="embeddings",
        )
    return pca_of.project(pca, embeddings.values)


@node(words=("principal components", "PCA", "probe"))
def pca_reconstruct(pca: Pca, coefficients: Signal, components: Kept = None) -> ClipImage:
    """Embeddings [B, D] from the first so many of coefficients [B, K]; T numbers on B rows give B·T, 0 gives the mean.

    Raises Mismatch for more components than there are. Ref: Ramesh et al. 2022, fig. 7.
    """
    most = len(pca.components)
    if coefficients.shape[1:] != (most,):
        raise Mismatch(
            f"coefficients are [B, {most}], not {list(coefficients.shape)}", port="coefficients"
        )
    counts = components if isinstance(components, list) else [components]
    counts = [most if count is None else count for count in counts]
    if max(counts, default=0) > most:
        raise Mismatch(f"{max(counts)} components of {most}", port="components")
    each = [pca_of.reconstruct(pca, coefficients, count) for count in counts]
    return Embedding(torch.stack(each, 1).flatten(0, 1), pca.space)
