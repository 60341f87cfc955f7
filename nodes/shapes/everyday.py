"""Everyday words for what stands in a picture of the shapes world, and how people put them."""

import re

from nodes.shapes.world import BACKGROUNDS, COLOURS

MOST = 3
"""Things that stand in a picture."""
COUNTS = {"one": 1, "single": 1, "two": 2, "pair": 2, "couple": 2, "three": 3, "trio": 3}
COUNTS |= {str(number): number for number in range(1, 11)}
_MORE = "four five six seven eight nine ten many several lots dozen"
COUNTS |= dict.fromkeys(_MORE.split(), MOST + 1)
_SYNONYMS = {
    "small": "tiny little mini minuscule wee",
    "medium": "normal mid middling average",
    "large": "big huge giant enormous great massive gigantic",
    "red": "scarlet crimson",
    "yellow": "gold golden",
    "cyan": "turquoise aqua teal",
    "purple": "violet",
    "pink": "rose",
    "gray": "grey",
    "beige": "cream",
    "circle": "disc disk dot ball",
    "square": "box",
    "triangle": "",
    "star": "",
    "heart": "",
    "ring": "donut doughnut hoop annulus",
    "cross": "plus x",
    "diamond": "rhombus lozenge",
    "center": "centre middle",
    "top": "upper",
    "bottom": "lower",
}
WORDS = {other: word for word, others in _SYNONYMS.items() for other in (word, *others.split())}
WORDS |= {other: other for other in (*COLOURS, *BACKGROUNDS, "left", "right")}
_SAYS_NOTHING = """
a an the some of please draw show make paint put create generate me i want need would like could can you see to give is are
there that which it its s d thank thanks picture image photo drawing painting icon illustration shape shapes shaped coloured
colored color colour sized size side part corner edge only just simple near in at on with thing things object objects background
"""
FILLERS = frozenset(_SAYS_NOTHING.split())
RELATIONS = (
    (r"(?:to|on|at) the left (?:side )?of|left of|left to", "to the left of"),
    (r"(?:to|on|at) the right (?:side )?of|right of|right to", "to the right of"),
    (r"on top of|above|over|atop", "above"),
    (r"underneath|beneath|below|under", "below"),
    (
        r"and|then|next to|beside|besides|alongside|together with|along with|(?:with|plus)(?= an? )|&|\+",
        "and",
    ),
)
TOGETHER = r"\b(?:(?:all )?in a (?:row|line)|side by side|next to each other|from left to right)\b"
GROUND = re.compile(
    r"(?:(?:on|with|against|over|in|and) )?(?:an? |the )?(?:plain |solid |pure |dark (?=black)|light (?=gr[ae]y))?"
    r"(\w+)(?:[- ]colou?red)? (?:background|ground|backdrop|bg|canvas)\b"
)
GROUND_AFTER = re.compile(r"(?:with |on )?(?:an? |the )?background (?:is |of |in |: ?)?(\w+)")
ON_COLOUR = re.compile(
    r"\b(?:on|against|over) (?:an? )?(?:plain )?(white|black|gr[ae]y|beige|cream|gradient)\b"
)
TOKEN = re.compile(r"<\d>|[^\W_]+|\S")
SIGNS = frozenset(".!?:'\"()-/’")
"""Signs that say nothing."""
BESIDE = {
    ("left", "right"): "to the left of",
    ("right", "left"): "to the right of",
    ("top", "bottom"): "above",
    ("bottom", "top"): "below",
}
"""How two things stand that are put somewhere each."""
