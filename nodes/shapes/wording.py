"""Texts as people type them, as captions of the shapes world: word order, counts, synonyms, articles that are left out."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from nodes.shapes.captions import with_article
from nodes.shapes.everyday import (
    BESIDE,
    COUNTS,
    FILLERS,
    GROUND,
    GROUND_AFTER,
    MOST,
    ON_COLOUR,
    RELATIONS,
    SIGNS,
    TOGETHER,
    TOKEN,
    WORDS,
)
from nodes.shapes.world import BACKGROUNDS, COLOURS, OPPOSITE, POSITIONS, RADII, SHAPES

_KINDS = {"size": tuple(RADII), "colour": tuple(COLOURS), "shape": SHAPES}
_ALIKE = 0.82
"""How alike a word has to be to one that is known, to be taken for it: two letters in another order, one too few."""


class NoScene(ValueError):
    """A text that is no scene of the shapes world; it says what is missing or too much."""


class _Strange(Exception):
    """A word that is none of the world's."""


@dataclass(frozen=True, slots=True)
class _Thing:
    """What is said of a thing so far; `several`: its shape stood in the plural."""

    size: str = ""
    colour: str = ""
    shape: str = ""
    count: int = 0
    several: bool = False
    places: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.size or self.colour or self.shape or self.count)

    def named(self) -> str:
        return with_article(" ".join(word for word in (self.size, self.colour, self.shape) if word))


@dataclass(slots=True)
class _Reading:
    """What was read of a text: its things, and what stands behind each of them, before the next."""

    things: list[_Thing] = field(default_factory=list[_Thing])
    joints: list[str] = field(default_factory=list[str])
    now: _Thing = _Thing()

    def say(self, word: str, several: bool) -> None:
        """Add a word to the thing that is read, or begin another where that has one of its kind already."""
        kind = next(k for k, words in _KINDS.items() if word in words)
        if getattr(self.now, kind):
            self.end("and")
        self.now = replace(self.now, **{kind: word}, several=self.now.several or several)

    def put(self, place: str) -> None:
        """Say where the thing stands that is read, or the one before."""
        if self.now or not self.things:
            self.now = replace(self.now, places=(*self.now.places, place))
        else:
            last = self.things[-1]
            self.things[-1] = replace(last, places=(*last.places, place))

    def end(self, joint: str) -> None:
        """The thing that is read is whole; `joint` is between it and the next."""
        if self.now:
            self.things.append(self.now)
            self.joints.append(joint)
            self.now = _Thing()
        elif self.joints and joint in OPPOSITE:
            self.joints[-1] = joint

    def turn(self) -> None:
        """What is next stands so beside the thing before, and not that beside it: *to the right of it*."""
        if not self.now and self.joints:
            self.joints[-1] = OPPOSITE.get(self.joints[-1], self.joints[-1])


def caption_of(text: str) -> str:
    """A text as a caption of the shapes world; one that is a caption, or empty, stays as it is.

    Raises NoScene where it says what no caption can, or names no shape. A text with words that are not known stays too: others
    tell of them.
    """
    clean = re.sub(r"\s+", " ", text.lower()).strip(" .!?")
    body, ground = _without_ground(clean)
    try:
        reading = _read(re.sub(TOGETHER, " ", body))
    except _Strange:
        return text
    return _said(reading, ground) if reading.things else text


def _without_ground(text: str) -> tuple[str, str]:
    """A text without what it says of the background, and that. Raises NoScene for a background that there is not."""
    for pattern in (GROUND, GROUND_AFTER, ON_COLOUR):
        if found := pattern.search(text):
            word = WORDS.get(found[1], found[1])
            if word in FILLERS:
                continue
            if word not in BACKGROUNDS:
                raise NoScene(f"there is no {found[1]} background, but {_either(BACKGROUNDS)}")
            return f"{text[: found.start()]} {text[found.end() :]}", word
    return text, ""


def _read(body: str) -> _Reading:
    body = re.sub(r"\bplus signs?\b", "cross", body)
    for number, (pattern, _) in enumerate(RELATIONS):
        body = re.sub(rf"(?<![^\s])(?:{pattern})(?![^\s.,])", f" <{number}> ", body)
    reading = _Reading()
    for match in TOKEN.finditer(body):
        _add(reading, match[0])
    reading.end("")
    return reading


def _add(reading: _Reading, word: str) -> None:
    """Add a word, a sign or a relation to what was read. Raises _Strange, or NoScene."""
    known = _known(word)
    if word.startswith("<") and len(word) > 1:
        reading.end(RELATIONS[int(word[1])][1])
    elif word in (",", ";"):
        reading.end("and")
    elif word == "it":
        reading.turn()
    elif known in POSITIONS:
        reading.put(known)
    elif known in COUNTS:
        reading.end("and")
        reading.now = replace(reading.now, count=COUNTS[known])
    elif any(known in words for words in _KINDS.values()):
        reading.say(known, known in SHAPES and word not in WORDS and word.endswith("s"))
    elif known in BACKGROUNDS:
        raise NoScene(f"nothing is {word} but the background; things are {_either(COLOURS)}")
    elif known not in FILLERS and known not in SIGNS:
        raise _Strange


def _known(word: str) -> str:
    """The world's word for one: a synonym, one of several things, one that is misspelt."""
    forms = (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ed"))
    found = next((WORDS[form] for form in forms if form in WORDS), None)
    if found or word in FILLERS or word in COUNTS or len(word) < 4:
        return found or word
    close = get_close_matches(word, list(WORDS), 1, _ALIKE)
    return WORDS[close[0]] if close else word


def _said(reading: _Reading, ground: str) -> str:
    things, joints = _completed(_merged(reading.things)), reading.joints
    if len(things) == 1 and things[0].several and not things[0].count:
        things = [replace(things[0], count=2)]
    each = [thing for thing in things for _ in range(max(thing.count, 1))]
    places = [thing.places for thing in each]
    relations = {joint for joint in joints[:-1] if joint in OPPOSITE}
    if joints[-1] in OPPOSITE:  # with a blue heart underneath
        relations.add(OPPOSITE[joints[-1]])
    if len(each) == 2 and all(len(place) == 1 for place in places):
        beside = BESIDE.get((places[0][0], places[1][0]))
        relations |= {beside} if beside else set[str]()
        places = [] if beside else places
    if (problem := _problem(len(each), len(relations), sum(places, ()))) is not None:
        raise NoScene(problem)
    put = f" {POSITIONS[places[0][0]]}" if places and places[0] else ""
    text = _joined([thing.named() for thing in each], next(iter(relations), "and")) + put
    return text + (f" on a {ground} background" if ground else "")


def _problem(count: int, relations: int, places: tuple[str, ...]) -> str | None:
    """Why so many things are no scene, with what is said of where they are; None where they are one."""
    if count > MOST:
        return f"a picture has at most {MOST} things"
    if places and count > 1:
        return f"one thing alone is put somewhere; two stand {_either(OPPOSITE)} each other"
    if len(set(places)) > 1:
        return f"a thing stands {_either(POSITIONS.values())}, not between them"
    if relations > 1 or (relations and count != 2):
        return "of two things alone it is said where they stand, and once"
    return None


def _joined(names: Sequence[str], relation: str) -> str:
    if len(names) < MOST:
        return f" {relation} ".join(names)
    return f"{names[0]}, {names[1]} and {names[2]} in a row"


def _merged(things: Sequence[_Thing]) -> list[_Thing]:
    """A colour alone that follows a shape without one belongs to it: *rhombus, green*."""
    found: list[_Thing] = []
    for thing in things:
        before = found[-1] if found else _Thing()
        if before.shape and not before.colour and thing == _Thing(colour=thing.colour):
            found[-1] = replace(before, colour=thing.colour)
        else:
            found.append(thing)
    return found


def _completed(things: Sequence[_Thing]) -> list[_Thing]:
    """Things with the shape of the next where they have none, and the colour of the one before: *red and blue circles*."""
    found: list[_Thing] = []
    shape = colour = ""
    for thing in reversed(things):
        shape = thing.shape or shape
        if not shape:
            raise NoScene(f"it names no shape: {_either(SHAPES)}")
        found.insert(0, replace(thing, shape=shape))
    for number, thing in enumerate(found):
        colour = thing.colour or colour
        found[number] = replace(thing, colour=colour)
    return found


def _either(words: Iterable[str]) -> str:
    *names, last = words
    return f"{', '.join(names)} or {last}"
