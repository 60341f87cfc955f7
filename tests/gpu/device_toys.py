"""Nodes that mind the device of what they are given, and nodes that do not."""

import torch
from torch import nn

from nodegraph import node
from nodes.wires.tensors import Signal


@node(category="test")
def careful(x: Signal, y: Signal) -> Signal:
    """The sum of two tensors and one."""
    return x + y + torch.ones(3, device=x.device)


@node(category="test")
def at_home(x: Signal) -> Signal:
    """A result that is left on the CPU."""
    return x.cpu()


@node(category="test")
def beside(x: Signal) -> Signal:
    """A tensor made without regard to the device."""
    return x + torch.ones(3)


@node(category="test")
def in_half(x: Signal) -> Signal:
    """A network of half precision that is given single precision."""
    return nn.Linear(3, 3).half().to(x.device)(x)
