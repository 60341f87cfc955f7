"""Nodes that give held-out scenes of the shapes world, and pictures to be edited."""

from typing import Annotated, NamedTuple

import numpy as np
import torch

from nodegraph import Doc, Range, node
from nodes.shapes import cases
from nodes.shapes.render import render
from nodes.shapes.vocabulary import CLASSES
from nodes.training.dataset import pictures_to_signal
from nodes.wires.masks import Mask
from nodes.wires.pictures import Image
from nodes.wires.scalars import Seed, Text

Count = Annotated[int, Range(1, 10_000), Doc("Scenes.")]
Objects = Annotated[int, Range(1, 2), Doc("Objects in each.")]
Pixels = Annotated[int, Range(16, 512), Doc("Pixels.")]


class Scenes(NamedTuple):
    """Scenes as captions and pictures; of the first object of each, its name ("a red circle") and its class."""

    captions: list[Text]
    images: Image
    names: list[Text]
    classes: list[int]


def _abstract_scenes(count: int, objects: int, size: int, seed: int) -> Scenes:
    scenes = held_out_scenes(1, objects, 16, seed)
    images = torch.empty(count, 3, size, size, device="meta")
    return Scenes(scenes.captions * count, images, scenes.names * count, scenes.classes * count)


@node(words=("prompts", "captions", "test set"), abstract=_abstract_scenes)
def held_out_scenes(
    count: Count = 200,
    objects: Objects = 1,
    size: Pixels = 32,
    seed: Seed = 0,
    whole: Annotated[bool, Doc("The captions leave nothing out.")] = False,
) -> Scenes:
    """Held-out scenes of the shapes world, which no training data has; one caption and one picture each."""
    scenes = cases.held_out_scenes(count, objects, seed)
    first = [scene.things[0] for scene in scenes]
    return Scenes(
        cases.captions_of(scenes, seed, whole),
        pictures_to_signal(np.stack([render(scene, size) for scene in scenes])),
        [cases.named(thing) for thing in first],
        [CLASSES.index(f"{thing.colour} {thing.shape}") for thing in first],
    )


class Recolourings(NamedTuple):
    """Pictures of one thing each, its name ("a red circle"), and the name of the same in another colour."""

    images: Image
    before: list[Text]
    after: list[Text]


def _abstract_recolourings(count: int, size: int, seed: int) -> Recolourings:
    found = recolour_cases(1, 16, seed)
    images = torch.empty(count, 3, size, size, device="meta")
    return Recolourings(images, found.before * count, found.after * count)


@node(words=("text diff", "test set"), abstract=_abstract_recolourings)
def recolour_cases(count: Count = 100, size: Pixels = 32, seed: Seed = 0) -> Recolourings:
    """Held-out pictures of one object, with captions before and after a change of its colour."""
    scenes = cases.held_out_scenes(count, 1, seed)
    return Recolourings(
        pictures_to_signal(np.stack([render(scene, size) for scene in scenes])),
        [cases.named(scene.things[0]) for scene in scenes],
        cases.recoloured(scenes, seed),
    )


class Edits(NamedTuple):
    """Pictures, masks (1 = known), and captions of what the pictures shall become."""

    images: Image
    masks: Mask
    captions: list[Text]


def _abstract_edits(count: int, size: int, seed: int) -> Edits:
    images = torch.empty(count, 3, size, size, device="meta")
    captions = [case.caption for case in cases.edits(1, 16, seed)] * count
    return Edits(images, images[:, :1], captions)


@node(words=("inpainting", "test set"), abstract=_abstract_edits)
def edit_cases(count: Count = 200, size: Pixels = 32, seed: Seed = 0) -> Edits:
    """Pictures of two objects, one of them under a square mask, and captions with another object in its place."""
    found = cases.edits(count, size, seed)
    masks = torch.from_numpy(np.stack([case.known for case in found])).float()[:, None]
    pictures = pictures_to_signal(np.stack([case.picture for case in found]))
    return Edits(pictures, masks, [case.caption for case in found])
