"""Contact sheets: pictures are large enough to be seen, and where they lie."""

import io

import pytest
from PIL import Image, ImageColor

from nodegraph.runtime.sheet import GAP, LARGEST, LEAST, Labels, sheet

COLOURS = ("#dc1e23", "#2244dd", "#22aa44", "#ffcc00")


def encoded(colour: str, size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def across(*values: int) -> tuple[Labels, Labels]:
    return Labels("", ("",)), Labels("seed", tuple(map(str, values)))


@pytest.mark.parametrize(
    ("size", "shown"),
    [((32, 32), (96, 96)), ((20, 40), (40, 80)), ((64, 64), (64, 64)), ((300, 8), (300, 8))],
)
def test_small_pictures_are_enlarged_whole_times(
    size: tuple[int, int], shown: tuple[int, int]
) -> None:
    (page,) = sheet([encoded(colour, size) for colour in COLOURS], across(0, 1, 2, 3))
    seen = page.getcolors(page.width * page.height)
    assert seen is not None
    counts = {colour: count for count, colour in seen}
    for colour in COLOURS:
        assert counts[ImageColor.getrgb(colour)] == shown[0] * shown[1]
    assert page.width == max(240, GAP + 4 * (shown[0] + GAP))


def test_a_page_of_many_stays_as_large_as_it_is() -> None:
    count = LARGEST // LEAST
    one = encoded(COLOURS[0], (32, 32))
    (some,) = sheet([one] * count, across(*range(count)))
    (many,) = sheet([one] * 4 * count, across(*range(4 * count)))
    assert some.width == GAP + count * (96 + GAP)
    assert many.width == GAP + 4 * count * (32 + GAP)
