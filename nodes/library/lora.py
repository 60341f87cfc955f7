"""Nodes that add low-rank adapters to models."""

from typing import Annotated, Any, TypeVar

from nodegraph import Doc, Range, node
from nodes.models.handle import Model
from nodes.models.lora import Lora, with_lora

H = TypeVar("H", bound=Model[Any, Any])


@node(words=("LoRA", "adapter", "low rank", "fine-tune", "PEFT"))
def lora(
    model: H,
    file: Annotated[Lora, Doc("As PEFT, diffusers or kohya's trainers write it.")],
    weight: Annotated[
        float, Range(-8, 8), Doc("How much of it is added; 0: the model itself.")
    ] = 1.0,
) -> H:
    """A model with low-rank adapters: W + weight · alpha/r · B·A for each layer that the file names. Several follow each other.

    Names of layers are those of the model's own files, or ours. Raises Mismatch for adapters of another network.
    Ref: Hu et al. 2022, §4.1.
    """
    return with_lora(model, file, weight)
