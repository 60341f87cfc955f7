"""A cuda device that is not there: its tensors have shapes, dtypes and a device, and no values.

What is computed on the CPU is computed. What meets a tensor of the device is followed by torch's own `FakeTensorMode`, which
refuses to mix devices as cuda does; mixed dtypes, which it lets pass, are refused here. A number that is read back from the
device is a stand-in, and what is copied from it to the CPU is zeros. Backward passes are not made, since torch cannot
follow them where there is no driver: what they would give is made from what they are taken in. So a tensor that is made on the
wrong device, or a network that is given another precision than its own, is found without a card.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode, unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

CUDA = torch.device("cuda", 0)
ONE_DTYPE = {
    "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::dot", "aten::mv", "aten::convolution", "aten::linear",
    "aten::native_layer_norm", "aten::native_group_norm", "aten::scaled_dot_product_attention",
    "aten::_scaled_dot_product_efficient_attention", "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_cudnn_attention", "aten::_scaled_dot_product_fused_attention_overrideable",
    "aten::_scaled_dot_product_attention_math", "aten::index_put", "aten::index_put_", "aten::scatter", "aten::scatter_",
}  # fmt: skip
"""Operations whose floating-point arguments are of one dtype, where cuda has them."""


class OnCuda(TorchDispatchMode):
    """Tensors of cuda are fake, those of the CPU are real. To be entered inside of the `FakeTensorMode`."""

    def __init__(self, fake: FakeTensorMode) -> None:
        super().__init__()
        self.fake = fake
        self.followed = 0
        """How many operations met the device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        tensors = tensors_of((*args, *kwargs.values()))
        fakes = [tensor for tensor in tensors if isinstance(tensor, FakeTensor)]
        name, device = func._schema.name, kwargs.get("device")
        if not fakes and (device is None or torch.device(device).type != "cuda"):
            with unset_fake_temporarily():
                return func(*args, **kwargs)
        self.followed += 1
        if name in ("aten::_local_scalar_dense", "aten::equal"):
            return stand_in(fakes[0])
        if name in ("aten::index", "aten::index_put", "aten::index_put_"):
            args = (args[0], taken(args[1]), *args[2:])
        if name == "aten::copy_" and not isinstance(args[0], FakeTensor):
            return args[0]
        same_dtype(name, tensors)
        with self.fake:
            made = func(*args, **kwargs)
        return landed(made)


def tensors_of(values: Sequence[Any]) -> list[Tensor]:
    """The tensors among what an operation is given, and in its lists."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [item for item in value if isinstance(item, Tensor)]
    return found


def same_dtype(name: str, tensors: Sequence[Tensor]) -> None:
    """Raises TypeError where an operation of one dtype is given several."""
    floats = {tensor.dtype for tensor in tensors if tensor.is_floating_point()}
    if name in ONE_DTYPE and len(floats) > 1:
        raise TypeError(f"{name} mixes {', '.join(sorted(map(str, floats)))}")


def stand_in(value: Tensor) -> bool | int | float:
    """Something to go on with in the place of a number that is read back."""
    return True if value.dtype is torch.bool else 1.0 if value.is_floating_point() else 1


def taken(indices: Sequence[Tensor | None]) -> list[Tensor | None]:
    """Indices without masks, whose entries are all taken: how many a mask takes, only its values know."""
    found: list[Tensor | None] = []
    for index in indices:
        if index is not None and index.dtype is torch.bool:
            place = torch.zeros(index.numel(), dtype=torch.int64, device=index.device)
            found += [place] * index.ndim
        else:
            found.append(index)
    return found


def landed(made: Any) -> Any:
    """What came to the CPU is real there."""
    if isinstance(made, FakeTensor) and made.device.type == "cpu":
        with unset_fake_temporarily():
            return torch.zeros(made.shape, dtype=made.dtype)
    return made


def no_gradients(outputs: Tensor | Sequence[Tensor], inputs: Any, *args: Any, **kwargs: Any) -> Any:
    """In the place of `torch.autograd.grad`: something of the form of each input."""
    wanted = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    connected(outputs)
    return tuple(torch.empty_like(tensor).detach() for tensor in wanted)


def connected(outputs: Tensor | Sequence[Tensor]) -> None:
    """Raises RuntimeError for what no gradient can be taken of."""
    for output in [outputs] if isinstance(outputs, Tensor) else outputs:
        if output.grad_fn is None:
            raise RuntimeError("element 0 of tensors does not require grad and has no grad_fn")


def leaves(output: Tensor) -> set[Tensor]:
    """The tensors that gradients of `output` are kept for."""
    found, seen, waiting = set[Tensor](), set[Any](), [output.grad_fn]
    while waiting:
        function = waiting.pop()
        if function is None or function in seen:
            continue
        seen.add(function)
        if hasattr(function, "variable"):
            found.add(function.variable)
        waiting += [after for after, _ in function.next_functions]
    return found


def backward(self: Tensor, *args: Any, **kwargs: Any) -> None:
    """In the place of `Tensor.backward`: every leaf gets something of its own form."""
    connected(self)
    for leaf in leaves(self):
        leaf.grad = torch.ones_like(leaf).detach()


@contextmanager
def fake_cuda() -> Iterator[OnCuda]:
    """Within, `cuda` can be used as a device, without gradients unless they are asked for."""
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    fake = FakeTensorMode(allow_non_fake_inputs=True)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch.autograd, "grad", no_gradients)
            patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
            patch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
            patch.setattr(Tensor, "backward", backward)
            with torch.no_grad(), fake, OnCuda(fake) as mode:
                yield mode
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def without_weights(module: nn.Module) -> dict[str, Tensor]:
    """A state of the form of a module's, which takes no memory."""
    held = module.state_dict()
    return {n: torch.zeros((), dtype=value.dtype).expand(value.shape) for n, value in held.items()}
