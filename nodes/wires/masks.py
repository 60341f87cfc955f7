"""Masks on the wires: 1 = known, 0 = to be made."""

from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from nodegraph.base.framing import digest
from nodegraph.library.port import Context, PortType
from nodes.picture_files.given import given_greys
from nodes.picture_files.levels import Levels, greys, opacity
from nodes.wires.arrays import masks, write_masks
from nodes.wires.identities import of_file
from nodes.wires.pictures import example_image, levels_of, said
from nodes.wires.tensors import describe_tensor, dump_tensor, load_tensor, of_form

_check_plane = of_form(1, None, None)


def _check_mask(value: Tensor) -> str | None:
    wrong = _check_plane(value)
    if wrong is not None or value.is_meta or not value.numel():
        return wrong
    low, high = value.aminmax()
    return None if low >= 0 and high <= 1 else "float32 [B, 1, H, W] in [0, 1]"


def _mask_of(found: Levels, abstract: bool = False) -> Tensor:
    """Greys or opacities [H, W] as [1, 1, H, W] in [0, 1]."""
    values = found.values[None, None]
    if abstract:
        return torch.empty(values.shape, device="meta")
    scale = 255 if values.dtype == np.uint8 else 1
    return torch.from_numpy(values).float().div(scale)


def _read_mask(literal: Any, context: Context) -> Tensor:
    """The grey levels of a picture file as a mask: white (1) = known."""
    return _mask_of(levels_of(literal, context, greys), context.abstract)


def _read_opacity(literal: Any, context: Context) -> Tensor:
    """The opacity of a picture file as a mask: opaque (1) = known. Raises ValueError where it has none."""
    return _mask_of(levels_of(literal, context, opacity), context.abstract)


def _given_mask(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else _mask_of(said(given_greys(value)))


def _example_mask(context: Context) -> Tensor:
    return example_image(context)[:, :1]


Mask = Annotated[
    Tensor,
    PortType(
        "Mask",
        "float32 [B, 1, H, W] in [0, 1]; 1 = known, 0 = to be made.",
        literal="path",
        colour="#e5e7eb",
        shape="square",
        parse=_read_mask,
        identify=of_file,
        arrays=masks,
        given=_given_mask,
        digest=digest,
        dump=dump_tensor,
        load=load_tensor,
        write=write_masks,
        describe=describe_tensor,
        example=_example_mask,
        check=_check_mask,
    ),
]
AlphaFile = Annotated[
    Tensor,
    PortType(
        "AlphaFile",
        "A picture file with transparency.",
        literal="path",
        parse=_read_opacity,
        identify=of_file,
        digest=digest,
    ),
]
