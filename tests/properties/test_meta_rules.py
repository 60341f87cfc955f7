"""Shape rules say what torch's own kernels on the meta device say: shape, dtype, strides and bytes."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from nodegraph.runtime.meta.layout import META, Unknown
from nodegraph.runtime.meta.modes import FusedAttention, ShapesOnly
from nodegraph.runtime.meta.rules import by_rule, rule_of


def form(value: Any) -> Any:
    """What there is to a result; strides count where a dimension has several entries."""
    if isinstance(value, Tensor):
        steps = [s for s, n in zip(value.stride(), value.shape, strict=True) if n > 1]
        return tuple(value.shape), value.dtype, steps, value.untyped_storage().nbytes()
    return [form(one) for one in value] if isinstance(value, list | tuple) else value


class Compared(TorchDispatchMode):
    """Every operation by its rule and by torch's kernel. A rule says nothing where torch refuses."""

    def __init__(self) -> None:
        super().__init__()
        self.known: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, rule = kwargs or {}, rule_of(func)
        flat = [y for x in args for y in (x if isinstance(x, list | tuple) else [x])]
        tensors = [x for x in flat if isinstance(x, Tensor)]
        here = all(x.is_meta for x in tensors) and (tensors or kwargs.get("device") == META)
        if rule is None or not here:
            return func(*args, **kwargs)
        try:
            mine = by_rule(rule, args, kwargs)
        except Unknown:
            return func(*args, **kwargs)
        try:
            theirs = func(*args, **kwargs)
        except (RuntimeError, IndexError) as error:
            raise AssertionError(f"{func} has a rule where torch refuses: {error}") from error
        assert form(mine) == form(theirs), f"{func} of {form(list(args))}"
        self.known.add(func._name)
        return theirs


def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


@st.composite
def pictures(draw: st.DrawFn, dtype: torch.dtype = torch.float32) -> Tensor:
    """Four dimensions, in any order in memory, cut or not."""
    sizes = draw(st.tuples(*[st.sampled_from([1, 2, 4])] * 2, *[st.sampled_from([4, 6, 8])] * 2))
    order = draw(st.sampled_from([(0, 1, 2, 3), (0, 1, 2, 3), (0, 2, 3, 1), (1, 0, 2, 3)]))
    inverse = [order.index(i) for i in range(4)]
    x = empty(*(sizes[i] for i in order), dtype=dtype).permute(inverse)
    return draw(st.sampled_from([x, x, x[:, :1], x[..., ::2], x[:1].expand(3, -1, -1, -1)]))


def table(x: Tensor, fill: type = float) -> Tensor:
    dtype = {float: x.dtype, int: torch.int64, bool: torch.bool}[fill]
    return empty(5, x.shape[-1], dtype=dtype)


FORWARD: dict[str, Callable[[Tensor], Any]] = {
    "numbers": lambda x: ((x + 1) * 2.5 - 3) / (1 - x),
    "small": lambda x: (x + x[:1], x * x[:, :1], x[..., :1] - x, x[0, 0] / x),
    "promotion": lambda x: (x.long() + 1.5, x.long() * x, x.bool() & x.bool(), x.long() / 2, x > 1),
    "functions": lambda x: (x.exp(), x.sqrt(), x.clamp(-1, 1), x.pow(2), x.round(), x.abs()),
    "activations": lambda x: (F.silu(x), F.gelu(x), F.relu(x), torch.sigmoid(x), x.tanh()),
    "choice": lambda x: (torch.where(x > 0, x, 0.0), x.contiguous().masked_fill(x > 0, 1.0)),
    "in place": lambda x: x.clone().add_(1).mul_(x).clamp_(0, 1).masked_fill_(x > 0, 0.0),
    "random": lambda x: (torch.randn_like(x), x.clone().normal_(), x.clone().uniform_()),
    "likes": lambda x: (torch.zeros_like(x), torch.ones_like(x), torch.full_like(x, 2), x.clone()),
    "contiguous": lambda x: (x.contiguous(), x.reshape(-1), x.permute(0, 2, 3, 1).contiguous()),
    "products": lambda x: (x @ x.transpose(-1, -2), x[0, 0] @ x[0, 0].T, F.linear(x, table(x))),
    "addmm": lambda x: torch.addmm(empty(5), x[0, 0], table(x).T),
    "addmm row": lambda x: torch.addmm(empty(7, 5), x[0, 0], table(x).T),
    "convolution": lambda x: F.conv2d(x, empty(6, x.shape[1], 3, 3), empty(6), 2, 1),
    "dilated": lambda x: F.conv2d(x, empty(6, x.shape[1], 2, 2), None, 1, (1, 2), 2),
    "grouped": lambda x: F.conv2d(x, empty(4, x.shape[1] // 2, 1, 1), groups=2),
    "transposed": lambda x: F.conv_transpose2d(x, empty(x.shape[1], 3, 3, 3), empty(3), 2, 1, 1),
    "sequence": lambda x: F.conv1d(x[0], empty(6, x.shape[2], 3), padding=1),
    "wrong channels": lambda x: F.conv2d(x, empty(6, 3, 3, 3)),
    "group norm": lambda x: F.group_norm(x, x.shape[1], empty(x.shape[1]), empty(x.shape[1])),
    "layer norm": lambda x: F.layer_norm(x, x.shape[2:], empty(*x.shape[2:]), empty(*x.shape[2:])),
    "softmax": lambda x: (x.softmax(-1), x.log_softmax(1)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "sums": lambda x: (x.sum(), x.mean(), x.sum(1), x.mean((2, 3), keepdim=True), x.long().sum(0)),
    "extremes": lambda x: (x.max(), x.amax((0, 1)), x.max(2), x.argmax(1), x.argmax()),
    "truths": lambda x: ((x > 0).all(), (x > 0).any(1), (x > 0).all(-1, keepdim=True)),
    "deviations": lambda x: (x.var(1), x.std((2, 3)), x.norm(), F.normalize(x), x.logsumexp(1)),
    "no such dimension": lambda x: x.sum(7),
    "cat": lambda x: (torch.cat([x, x], 1), torch.cat([x, x.long()]), torch.cat([x, x[:, :1]], -3)),
    "cat of others": lambda x: torch.cat([x, empty(3)], 1),
    "stack": lambda x: (torch.stack([x, x]), torch.stack([x, x], -1)),
    "repeat": lambda x: (x.repeat(2, 1, 1, 3), x.repeat(2, 1, 1, 1, 1), x.repeat_interleave(2, 1)),
    "index": lambda x: (x[table(x, int) * 0], x[:, empty(2, 3, dtype=torch.int64)]),
    "two indices": lambda x: x[empty(3, dtype=torch.int64), empty(1, dtype=torch.int64)],
    "embedding": lambda x: F.embedding(table(x, int), x[0, 0]),
    "gather": lambda x: x.gather(1, empty(1, 3, 2, 2, dtype=torch.int64)),
    "scatter": lambda x: x.scatter_add(0, empty(1, 1, 2, 2, dtype=torch.int64), x),
    "orders": lambda x: (x.flip(1), x.roll(1, 2), x.tril(), x.cumsum(1), x.sort(), x.topk(2)),
    "nearest": lambda x: F.interpolate(x, scale_factor=2.0, mode="nearest"),
    "bilinear": lambda x: F.interpolate(x, (5, 7), mode="bilinear", antialias=True),
    "bicubic": lambda x: (F.interpolate(x, (5, 7), mode="bicubic"), F.interpolate(x, (3, 3))),
    "pooled": lambda x: (F.avg_pool2d(x, 2), F.avg_pool2d(x, 3, 1, 1)),
    "pooled away": lambda x: F.avg_pool2d(x, 9),
    "folded": lambda x: (F.pixel_unshuffle(x, 2), F.pixel_shuffle(x, 2)),
    "factories": lambda x: (
        torch.linspace(0, 1, 5, device="meta"),
        torch.eye(3, 4, device="meta"),
        torch.randn(2, 3, device="meta"),
        torch.full((2,), 1.0, dtype=torch.float64, device="meta"),
    ),
    "eigenvectors": lambda x: torch.linalg.eigh(x[0, 0] @ x[0, 0].T),
}
REFUSED = (
    "addmm row",
    "wrong channels",
    "no such dimension",
    "cat of others",
    "pooled away",
)


@pytest.mark.parametrize("name", FORWARD)
@settings(max_examples=25, deadline=None)
@given(x=pictures())
def test_a_rule_gives_what_torch_gives(name: str, x: Tensor) -> None:
    refusals = suppress(RuntimeError, IndexError, ValueError)
    with Compared(), torch.no_grad(), refusals:
        FORWARD[name](x)


BACKWARD: dict[str, Callable[[Tensor], Tensor]] = {
    "convolution": lambda x: F.conv2d(x, empty(6, x.shape[1], 3, 3).requires_grad_(), padding=1),
    "group norm": lambda x: F.group_norm(x, 1, empty(x.shape[1]).requires_grad_()),
    "group norm, read in another order": lambda x: F.linear(
        F.group_norm(x, 1, empty(x.shape[1]).requires_grad_()).flatten(2).mT, empty(5, x.shape[1])
    ),
    "layer norm": lambda x: F.layer_norm(x, x.shape[2:], empty(*x.shape[2:]).requires_grad_()),
    "softmax": lambda x: x.softmax(-1) * x.log_softmax(1),
    "activations": lambda x: F.silu(x) + F.gelu(x) + x.tanh(),
    "resized": lambda x: F.interpolate(F.interpolate(x, scale_factor=2.0), (5, 5), mode="bilinear"),
    "smoothed": lambda x: F.interpolate(x, (5, 5), mode="bilinear", antialias=True),
    "pooled": lambda x: F.avg_pool2d(x, 2),
    "parts": lambda x: x[:, 0] + x[:, -1:].squeeze(1),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "fused attention": lambda x: fused(x),
    "fused attention of others": lambda x: fused(x.transpose(1, 2), torch.cat([x, x], 1)),
    "embedding": lambda x: F.embedding(table(x, int), x[0, 0].reshape(-1, 1)),
}


def fused(x: Tensor, others: Tensor | None = None) -> Tensor:
    """Attention as abstract runs call it: [B, heads, N, d], or [B, heads, N, d] to [B, M, heads, d]."""
    others = x if others is None else others.transpose(1, 2)
    mask = torch.ones(x.shape[0], 1, 1, others.shape[2], dtype=torch.bool, device="meta")
    with FusedAttention():
        return F.scaled_dot_product_attention(x, others, others, mask)


@pytest.mark.parametrize("name", BACKWARD)
@settings(max_examples=15, deadline=None)
@given(shape=st.tuples(*[st.sampled_from([1, 2, 3])] * 2, *[st.sampled_from([4, 6])] * 2))
def test_a_rule_of_a_backward_pass_gives_what_torch_gives(name: str, shape: Any) -> None:
    x = empty(*shape).requires_grad_()
    with Compared():
        (F.silu(BACKWARD[name](x)) ** 2).mean().backward()
    assert x.grad is not None and x.grad.shape == x.shape


HALF = ("numbers", "small", "functions", "promotion", "products", "group norm", "layer norm", "cat")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", HALF)
def test_dtypes_are_those_of_torch(name: str, dtype: torch.dtype) -> None:
    x = empty(2, 4, 6, 6, dtype=dtype)
    refusals = suppress(RuntimeError)  # the weights in `FORWARD` are float32
    with Compared(), torch.no_grad(), refusals:
        FORWARD[name](x)


@pytest.mark.parametrize("name", REFUSED)
def test_what_torch_refuses_no_rule_allows(name: str) -> None:
    x = empty(2, 4, 8, 8)
    with torch.no_grad():
        with pytest.raises((RuntimeError, IndexError)) as by_torch:
            FORWARD[name](x)
        with pytest.raises((RuntimeError, IndexError)) as by_rules, ShapesOnly():
            FORWARD[name](x)
    assert str(by_rules.value) == str(by_torch.value)


def test_what_the_networks_use_has_a_rule() -> None:
    with Compared() as compared, torch.no_grad():
        for name, function in FORWARD.items():
            if name not in REFUSED:
                function(empty(2, 4, 8, 8))
    assert {"aten::convolution", "aten::native_group_norm", "aten::addmm", "aten::cat"} < (
        compared.known
    )
    assert len(compared.known) > 80
