"""What is to be said of a graph before it runs, beside its faults."""

from collections.abc import Iterator

from nodegraph.base.codes import Code
from nodegraph.base.devices import computes_in
from nodegraph.base.diagnostics import Diagnostic, diagnostic
from nodegraph.runtime.keyed import Keyed
from nodegraph.runtime.recorded import Recorded

SLOWER = {"bfloat16": 8, "float16": 7}
"""Times as long as in float32 on a CPU without instructions for it: a 3×3 convolution 8.2 and 6.6, a linear layer 8.8 and
7.4 (one thread, AMD Zen 3, torch 2.15)."""


def doubts(opened: Recorded, keyed: Keyed, computes: bool) -> Iterator[Diagnostic]:
    """What is not as it was when a picture was made; and if anything computes, a precision that the CPU does not have."""
    yield from _other_device(opened, keyed)
    yield from _other_weights(opened, keyed)
    if computes:
        yield from _slow_precision(keyed)


def _other_device(opened: Recorded, keyed: Keyed) -> Iterator[Diagnostic]:
    kind = keyed.context.device.partition(":")[0]
    if opened.device is not None and opened.device != kind:
        message = f"the picture was made on {opened.device}, and this is {kind}; pixels may differ"
        yield diagnostic(Code.ANOTHER_DEVICE, message)


def _other_weights(opened: Recorded, keyed: Keyed) -> Iterator[Diagnostic]:
    for name, digest in keyed.models.items() if opened.models else ():
        if opened.models.get(name, digest) != digest:
            message = f"'{name}' has other weights than those that made the picture: it will differ"
            yield diagnostic(Code.OTHER_WEIGHTS, message)


def _slow_precision(keyed: Keyed) -> Iterator[Diagnostic]:
    device, precision = keyed.context.device, keyed.context.precision
    if device == "cpu" and keyed.models and not computes_in(precision):
        message = (
            f"this CPU has no instructions for {precision}: networks take about"
            f" {SLOWER[precision]} times as long as in float32"
        )
        hint = "take float32; it needs twice the memory for weights"
        yield diagnostic(Code.SLOW_PRECISION, message, hint=hint)
