"""What colours and shapes there are, and the classes of single things. Imports nothing: labels are read with it."""

Rgb = tuple[int, int, int]

COLOURS: dict[str, Rgb] = {
    "red": (220, 30, 35),
    "orange": (250, 135, 10),
    "yellow": (250, 225, 30),
    "green": (30, 160, 50),
    "cyan": (30, 205, 215),
    "blue": (30, 60, 220),
    "purple": (130, 40, 175),
    "pink": (250, 120, 190),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "ring", "cross", "diamond")
CLASSES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)
"""Single things: colour and shape, numbered colour by colour."""
