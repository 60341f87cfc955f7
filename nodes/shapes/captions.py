"""Captions: what a scene is called, and what a caption says."""

import re
from dataclasses import dataclass

import numpy as np

from nodes.shapes.world import (
    BACKGROUNDS,
    COLOURS,
    OPPOSITE,
    POSITIONS,
    RADII,
    SHAPES,
    Scene,
    Thing,
)

_THING = rf"an? (?:(?P<size>{'|'.join(RADII)}) )?(?P<colour>{'|'.join(COLOURS)}) (?P<shape>{'|'.join(SHAPES)})"
_GROUND = rf"(?: on an? (?P<background>{'|'.join(BACKGROUNDS)}) background)?"
_ONE = re.compile(rf"(?P<a>an? .+?)(?: (?P<position>{'|'.join(POSITIONS.values())}))?{_GROUND}")
_TWO = re.compile(rf"(?P<a>an? .+?) (?P<relation>{'|'.join(OPPOSITE)}|and) (?P<b>an? .+?){_GROUND}")
_THREE = re.compile(rf"(?P<a>an? .+?) ?, (?P<b>an? .+?) and (?P<c>an? .+?) in a row{_GROUND}")
_PHRASE = re.compile(_THING)


class NotACaption(ValueError):
    """A text outside the grammar of the shapes world."""


@dataclass(frozen=True, slots=True)
class WantedThing:
    """A thing as a caption names it; `size` is None where it is not said."""

    colour: str
    shape: str
    size: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Exactly what a caption says; None = not said. `relation` joins the first thing to the second."""

    things: tuple[WantedThing, ...]
    position: str | None = None
    relation: str | None = None
    background: str | None = None


def caption(scene: Scene, rng: np.random.Generator, whole: bool = False) -> str:
    """A caption of a scene; sizes, positions, relations and backgrounds are said or left out at random, or all are said."""

    def says(share: float) -> bool:
        return whole or rng.random() < share

    names = [_named(thing, thing.size != "medium" and says(0.6)) for thing in scene.things]
    if len(names) == 1:
        text = names[0] + (f" {POSITIONS[scene.position or 'center']}" if says(0.6) else "")
    elif len(names) == 2:
        text = f"{names[0]} {scene.relation if says(0.85) else 'and'} {names[1]}"
    else:
        text = f"{names[0]}, {names[1]} and {names[2]} in a row"
    return text + (f" on a {scene.background} background" if says(0.6) else "")


def _named(thing: Thing, said: bool) -> str:
    words = f"{thing.size + ' ' if said else ''}{thing.colour} {thing.shape}"
    return with_article(words)


def with_article(words: str) -> str:
    """`red circle` → `a red circle`, `orange star` → `an orange star`."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def parse_caption(text: str) -> Wanted:
    """What a caption says. Case, a final full stop and extra blanks don't matter. Raises NotACaption."""
    clean = re.sub(r"\s+", " ", text).strip().rstrip(".").strip().lower()
    for pattern in (_THREE, _TWO, _ONE):
        found = pattern.fullmatch(clean)
        things = _things(found) if found else None
        if found and things:
            return _wanted(found.groupdict(), things)
    raise NotACaption(
        f"'{text}' is not a caption of the shapes world, such as 'a red circle above a blue square'"
    )


def _things(found: re.Match[str]) -> tuple[WantedThing, ...] | None:
    phrases = [_PHRASE.fullmatch(p) for key in "abc" if (p := found.groupdict().get(key))]
    if not all(phrases):
        return None
    return tuple(WantedThing(p["colour"], p["shape"], p["size"]) for p in phrases if p)


def _wanted(said: dict[str, str | None], things: tuple[WantedThing, ...]) -> Wanted:
    places = {words: name for name, words in POSITIONS.items()}
    relation = said.get("relation")
    position = said.get("position")
    return Wanted(
        things,
        places[position] if position else None,
        None if relation == "and" else relation,
        said.get("background"),
    )
