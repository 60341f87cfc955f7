"""Picture files as people have them: every format, orientation, mode, depth and profile; bounds; damage."""

import io
import struct
import tempfile
import zlib
from pathlib import Path

import colour_profiles
import numpy as np
import pytest
from finishing import finished
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile

from nodes.picture_files.jpeg import scans
from nodes.picture_files.levels import colours, greys, opacity
from nodes.picture_files.opening import Picture, opened
from nodes.training.folder import folder_pictures

RED, BLUE = (255, 0, 0), (0, 0, 255)
ORIENTATIONS = range(1, 9)


def halves(width: int = 24, height: int = 16) -> Image.Image:
    """Red on the left, blue on the right, green in the upper left corner."""
    picture = Image.new("RGB", (width, height), BLUE)
    picture.paste(RED, (0, 0, width // 2, height))
    picture.paste((0, 255, 0), (0, 0, width // 4, height // 4))
    return picture


def lying(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture as a camera stores it that says so. Ref: TIFF 6.0, tag 274: where row 0 and column 0 are seen."""
    seen = np.asarray(picture)
    if orientation in (3, 4, 7, 8):
        seen = seen[::-1]
    if orientation in (2, 3, 6, 7):
        seen = seen[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(seen.swapaxes(0, 1) if orientation > 4 else seen))


def written(folder: Path, picture: Image.Image, name: str, **options: object) -> Path:
    path = folder / name
    picture.save(path, **options)
    return path


def read(path: Path) -> np.ndarray:
    return colours(opened(path)).values


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, depth: int, colour: int, extra: bytes = b"") -> bytes:
    """A PNG of samples [H, W, C] that no library rounds on the way."""
    height, width = samples.shape[:2]
    if depth == 16:
        rows = samples.astype(">u2").tobytes()
    elif depth == 8:
        rows = samples.astype("u1").tobytes()
    else:
        shifts = np.arange(8 // depth)[::-1] * depth
        grouped = samples.reshape(height, -1, 8 // depth).astype("u1")
        rows = (grouped << shifts.astype("u1")).sum(-1).astype("u1").tobytes()
    stride = len(rows) // height
    packed = b"".join(b"\0" + rows[i * stride : (i + 1) * stride] for i in range(height))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(packed)), (b"IEND", b"")
    first, *rest = (chunk(*part) for part in parts)
    return b"\x89PNG\r\n\x1a\n" + first + extra + b"".join(rest)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {"quality": 95, "subsampling": 0}),
        ("a.png", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("a.avif", {"quality": 95}),
    ],
)
def test_every_format_is_turned_upright(
    tmp_path: Path, name: str, options: dict, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = written(tmp_path, lying(halves(), orientation), name, exif=exif, **options)
    seen = read(path)
    assert seen.shape == (16, 24, 3)
    assert np.abs(seen[8:, [2, -3]].astype(int) - [[RED, BLUE]]).max() < 8
    assert np.abs(seen[:3, :5].astype(int) - (0, 255, 0)).max() < 40


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "form", ['tiff:Orientation="{}"', "<tiff:Orientation>{}</tiff:Orientation>"]
)
def test_xmp_turns_a_picture_too(tmp_path: Path, orientation: int, late: bool, form: str) -> None:
    stored = np.asarray(lying(halves(), orientation))
    text = f"<x:xmpmeta {form.format(orientation)}/>"
    packet = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + text.encode())
    content = png(stored, 8, 2, b"" if late else packet)
    end = chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(content.replace(end, packet + end) if late else content)
    assert np.array_equal(read(tmp_path / "a.png"), np.asarray(halves()))


def test_a_damaged_exif_costs_no_picture_and_adobe_rgb_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, halves(), "a.png", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\1")
    picture = opened(path)
    assert np.array_equal(colours(picture).values, np.asarray(halves()))
    exif = Image.Exif()
    exif[274] = 6
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    path = written(tmp_path, halves(), "b.png", exif=exif)
    assert any("Adobe RGB" in note for note in opened(path).notes)


RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(4, 16)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_greys_of_any_depth_are_scaled(tmp_path: Path, depth: int) -> None:
    most = 2**depth - 1
    levels = (RAMP.astype(np.uint64) * most // 65535)[..., None]
    (tmp_path / "a.png").write_bytes(png(levels, depth, 0))
    wanted = levels / most
    for read_levels in (colours, greys):
        found = read_levels(opened(tmp_path / "a.png")).values
        scale = 255 if found.dtype == np.uint8 else 1
        assert np.abs(found.reshape(4, 16, -1) / scale - wanted).max() < 1e-6


@pytest.mark.parametrize("name", ["a.tif", "big.tif", "a.pgm", "a.jp2"])
def test_sixteen_bits_of_other_formats(tmp_path: Path, name: str) -> None:
    picture = Image.fromarray(RAMP.astype(">u2" if name == "big.tif" else "<u2"))
    if name == "a.pgm":
        (tmp_path / name).write_bytes(b"P5 16 4 65535 " + RAMP.astype(">u2").tobytes())
    else:
        written(tmp_path, picture, name)
    found = greys(opened(tmp_path / name)).values
    assert np.abs(found - RAMP / 65535).max() < 1e-6


def test_a_short_range_of_a_pgm_is_scaled(tmp_path: Path) -> None:
    levels = np.array([[0, 500, 1000]], ">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5 3 1 1000 " + levels.tobytes())
    assert np.abs(greys(opened(tmp_path / "a.pgm")).values - levels / 1000).max() < 1e-4


def tiff(
    samples: bytes, bits: int, height: int, width: int, white_is_zero: bool, kind: int = 1
) -> bytes:
    """A TIFF of one strip. `kind`: 1 without a sign, 2 with one, 3 float."""
    tags = {
        256: width, 257: height, 258: bits, 259: 1, 262: int(not white_is_zero),
        273: 8, 277: 1, 278: height, 279: len(samples), 339: kind,
    }  # fmt: skip
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    place = 8 + len(samples)
    return (
        b"II*\0" + struct.pack("<I", place) + samples
        + struct.pack("<H", len(tags)) + table + b"\0\0\0\0"
    )  # fmt: skip


@pytest.mark.parametrize("white_is_zero", [False, True])
def test_a_tiff_says_what_is_white(tmp_path: Path, white_is_zero: bool) -> None:
    for samples, bits, kind in ((RAMP.astype("<u2"), 16, 1), ((RAMP / 65535).astype("<f4"), 32, 3)):
        content = tiff(samples.tobytes(), bits, 4, 16, white_is_zero, kind)
        (tmp_path / "a.tif").write_bytes(content)
        found = greys(opened(tmp_path / "a.tif")).values
        wanted = 1 - RAMP / 65535 if white_is_zero else RAMP / 65535
        assert np.abs(found - wanted).max() < 1e-6


def test_twelve_bits_fill_the_range(tmp_path: Path) -> None:
    a, b = 0, 4095
    packed = bytes((a >> 4, (a & 15) << 4 | b >> 8, b & 255))
    (tmp_path / "a.tif").write_bytes(tiff(packed, 12, 1, 2, False))
    assert greys(opened(tmp_path / "a.tif")).values.tolist() == [[0.0, 1.0]]


@pytest.mark.parametrize(
    ("samples", "bits", "kind", "says"),
    [
        (np.array([[0, 200]], "<u4"), 32, 1, "32 bits"),
        (np.array([[-3, 200]], "<i2"), 16, 2, "with a sign"),
        (np.array([[3, 7]], "<i1"), 8, 2, "with a sign"),
        (np.array([[0, 255]], "<f4"), 32, 3, "from 0 to 255"),
        (np.array([[-0.5, 0]], "<f4"), 32, 3, "from -0.5 to 0"),
        (np.array([[0, np.nan]], "<f4"), 32, 3, "not numbers"),
        (np.array([[0, np.inf]], "<f4"), 32, 3, "not numbers"),
    ],
)
def test_levels_without_a_known_white_are_refused(
    tmp_path: Path, samples: np.ndarray, bits: int, kind: int, says: str
) -> None:
    (tmp_path / "a.tif").write_bytes(tiff(samples.tobytes(), bits, 1, 2, False, kind))
    for read_levels in (colours, greys):
        with pytest.raises(ValueError, match=says):
            read_levels(opened(tmp_path / "a.tif"))


@pytest.mark.parametrize("alpha", [False, True])
def test_colours_of_sixteen_bits_keep_them(tmp_path: Path, alpha: bool) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (4, 5, 4 if alpha else 3))
    (tmp_path / "a.png").write_bytes(png(samples, 16, 6 if alpha else 2))
    shares = samples / 65535
    wanted = shares if not alpha else 1 - shares[..., 3:] * (1 - shares[..., :3])
    found = opened(tmp_path / "a.png")
    assert np.abs(colours(found).values - wanted).max() < 1e-6
    grey = shares[..., :3] @ [0.299, 0.587, 0.114]
    assert np.abs(greys(found).values - grey).max() < 1e-6
    if alpha:
        assert np.abs(opacity(found).values - shares[..., 3]).max() < 1e-6


def test_colours_of_sixteen_bits_are_turned_too(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (4, 5, 3))
    exif = Image.Exif()
    exif[0x0112] = 6
    body = chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))
    content = png(samples, 16, 2)
    (tmp_path / "a.png").write_bytes(content[:33] + body + content[33:])
    wanted = np.rot90(samples / 65535, -1)
    assert np.abs(colours(opened(tmp_path / "a.png")).values - wanted).max() < 1e-6


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV", "LAB"])
def test_opaque_modes(tmp_path: Path, mode: str) -> None:
    picture = Image.new("RGB", (2, 1), (255, 255, 255))
    picture.putpixel((1, 0), (0, 0, 0) if mode in ("1", "L") else (200, 30, 60))
    if mode == "LAB":
        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        made = ImageCms.profileToProfile(picture, *spaces, outputMode="LAB")
    else:
        made = picture.quantize(4) if mode == "P" else picture.convert(mode)
    path = written(tmp_path, made, "a.tif") if mode != "HSV" else None
    found = read(path) if path else colours(Picture(made)).values
    assert np.abs(found.astype(int) - np.asarray(picture)).max() <= 6


def test_ink_in_a_jpeg_is_not_inverted(tmp_path: Path) -> None:
    path = written(tmp_path, Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "a.jpg", quality=100)
    assert np.abs(read(path)[4, 4].astype(int) - RED).max() < 6


@pytest.mark.parametrize("mode", ["LA", "RGBA", "PA", "La", "RGBa"])
def test_opacity_is_laid_on_white(mode: str) -> None:
    picture = Image.new("RGBA", (3, 1), (40, 40, 40, 255))
    picture.putpixel((1, 0), (40, 40, 40, 0))
    picture.putpixel((2, 0), (40, 40, 40, 128))
    made = {"LA": picture.convert("LA"), "RGBA": picture, "RGBa": picture.convert("RGBa")}
    if mode == "PA":
        found = picture.convert("RGB").quantize(4).convert("PA")
        found.putalpha(picture.getchannel("A"))
    else:
        found = made[mode] if mode != "La" else made["LA"].convert("La")
    levels = colours(Picture(found)).values
    assert np.abs(levels[0, :, 0].astype(int) - [40, 255, 147]).max() <= 1
    assert opacity(Picture(found)).values.tolist() == [[255, 0, 128]]


KEYS = [
    (1, 0, [[0, 1]], b"\0\1", [0, 255]),
    (2, 0, [[1, 2]], b"\0\2", [85, 255]),
    (4, 0, [[5, 9]], b"\0\x09", [85, 255]),
    (8, 0, [[50, 90]], b"\0\x5a", [50, 255]),
    (16, 0, [[0x3232, 0x1234]], b"\x12\x34", [50, 255]),
]


@pytest.mark.parametrize(("depth", "colour", "levels", "key", "wanted"), KEYS)
def test_a_grey_may_stand_for_transparency(
    tmp_path: Path, depth: int, colour: int, levels: list, key: bytes, wanted: list[int]
) -> None:
    samples = np.tile(np.array(levels)[..., None], (1, 4, 1))
    (tmp_path / "a.png").write_bytes(png(samples, depth, colour, chunk(b"tRNS", key)))
    found = read(tmp_path / "a.png")
    scale = 255 if found.dtype != np.uint8 else 1
    assert np.allclose(found[0, :2, 0] * scale, wanted)
    seen = opacity(opened(tmp_path / "a.png")).values
    assert (seen[0, :2] > 0).tolist() == [True, False]


@pytest.mark.parametrize("depth", [8, 16])
def test_a_colour_may_stand_for_transparency(tmp_path: Path, depth: int) -> None:
    step = 1 if depth == 8 else 257
    samples = np.array([[[10, 20, 30], [40, 50, 60]]]) * step
    key = struct.pack(">3H", *(np.array([40, 50, 60]) * step))
    (tmp_path / "a.png").write_bytes(png(samples, depth, 2, chunk(b"tRNS", key)))
    assert read(tmp_path / "a.png").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_a_palette_may_have_transparency(tmp_path: Path) -> None:
    picture = Image.frombytes("P", (3, 1), bytes((0, 1, 2)))
    picture.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    single = written(tmp_path, picture, "a.png", transparency=1)
    assert read(single).tolist() == [[[10, 20, 30], [255, 255, 255], [70, 80, 90]]]
    several = written(tmp_path, picture, "b.png", transparency=bytes((255, 0, 128)))
    assert read(several)[0, :2].tolist() == [[10, 20, 30], [255, 255, 255]]
    assert opacity(opened(several)).values.tolist() == [[255, 0, 128]]
    image = written(tmp_path, picture, "a.gif", transparency=1)
    assert read(image)[0, 1].tolist() == [255, 255, 255]


def test_a_palette_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(np.zeros((1, 4, 1), int), 8, 3))
    with pytest.raises(ValueError, match="palette, which it lacks"):
        opened(tmp_path / "a.png")


def test_a_mask_is_its_greys(tmp_path: Path) -> None:
    picture = Image.new("RGBA", (2, 1), (255, 255, 255, 255))
    picture.putpixel((1, 0), (0, 0, 0, 10))
    found = greys(opened(written(tmp_path, picture, "a.png")))
    assert found.values.tolist() == [[255, 0]]
    assert "mask_from_alpha reads it" in found.notes[0]
    picture.putalpha(255)
    assert greys(opened(written(tmp_path, picture, "b.png"))).notes == ()
    profile = colour_profiles.of_grey(1.0)
    path = written(tmp_path, Image.new("L", (1, 1), 100), "c.png", icc_profile=profile)
    assert greys(opened(path)).values.tolist() == [[100]]
    with pytest.raises(ValueError, match="no transparency"):
        opacity(opened(path))


def in_srgb(levels: tuple[int, ...], points: colour_profiles.Points, gamma: float) -> np.ndarray:
    """What a colour under a profile is in sRGB, 0 … 255. Ref: IEC 61966-2-1; primaries of sRGB under D50."""
    srgb = np.array([[0.4361, 0.2225, 0.0139], [0.3851, 0.7169, 0.0971], [0.1431, 0.0606, 0.7139]])
    light = (np.array(levels) / 255) ** gamma @ np.array(points) @ np.linalg.inv(srgb)
    light = light.clip(0, 1)
    seen = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return seen * 255


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp", "p.png", "rgba.png"])
def test_a_wide_space_is_turned_to_srgb(tmp_path: Path, name: str) -> None:
    profile, colour = colour_profiles.of_colours(), (200, 120, 60)
    picture = Image.new("RGB", (16, 16), colour)
    if name == "p.png":
        picture = picture.quantize(2)
    if name == "rgba.png":
        picture.putalpha(255)
    options = {"quality": 100} if name == "a.jpg" else {"lossless": True}
    path = written(tmp_path, picture, name, icc_profile=profile, **options)
    wanted = in_srgb(colour, colour_profiles.WIDE, 563 / 256)
    assert np.abs(read(path)[8, 8] - wanted).max() < 2.5


def test_greys_and_inks_have_profiles_too(tmp_path: Path) -> None:
    grey = Image.new("L", (4, 4), 128)
    path = written(tmp_path, grey, "a.png", icc_profile=colour_profiles.of_grey(1.0))
    assert read(path)[0, 0].tolist() == [188, 188, 188]
    deep = Image.fromarray(np.full((4, 4), 0x8080, np.uint16))
    path = written(tmp_path, deep, "b.png", icc_profile=colour_profiles.of_grey(1.0))
    assert read(path)[0, 0].tolist() == [188, 188, 188]
    path = written(tmp_path, grey, "c.png", icc_profile=colour_profiles.of_colours(gamma=1.0))
    assert read(path)[0, 0].tolist() == [188, 188, 188]
    inks = Image.new("CMYK", (4, 4), (255, 10, 50, 51))
    path = written(tmp_path, inks, "a.tif", icc_profile=colour_profiles.of_inks())
    assert np.abs(read(path)[0, 0].astype(int) - 198).max() <= 1  # L* = 80


def test_srgb_under_any_name_stays_as_it_is(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = written(tmp_path, Image.fromarray(levels), "a.png", icc_profile=profile)
    assert np.array_equal(read(path), levels)
    deep = written(tmp_path, Image.fromarray(RAMP), "b.png", icc_profile=profile)
    assert read(deep).dtype == np.float32


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        (b"nonsense", "broken"),
        (colour_profiles.of_colours()[:300], "broken"),
        (colour_profiles.of_inks(), "of another kind"),
        (colour_profiles.of_grey(2.0), "of another kind"),
    ],
)
def test_a_profile_that_does_not_fit_is_said(tmp_path: Path, profile: bytes, says: str) -> None:
    found = colours(opened(written(tmp_path, halves(), "a.png", icc_profile=profile)))
    assert np.array_equal(found.values, np.asarray(halves()))
    assert any(says in note for note in found.notes)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (chunk(b"gAMA", struct.pack(">I", 100_000)), "gamma is 1 "),
        (chunk(b"cICP", bytes((9, 16, 0, 1))), "cICP"),
        (
            chunk(
                b"cHRM",
                struct.pack(">8I", *[31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000]),
            ),
            "cHRM",
        ),
        (chunk(b"gAMA", struct.pack(">I", 45_455)), None),
        (chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 100_000)), None),
        (chunk(b"cICP", bytes((1, 13, 0, 1))), None),
    ],
)
def test_colour_spaces_without_a_profile_are_said(
    tmp_path: Path, extra: bytes, says: str | None
) -> None:
    (tmp_path / "a.png").write_bytes(png(np.zeros((1, 1, 3), int), 8, 2, extra))
    notes = opened(tmp_path / "a.png").notes
    assert (says in notes[0]) if says else notes == ()


def test_a_large_profile_of_a_png_is_read(tmp_path: Path) -> None:
    profile = colour_profiles.of_colours(gamma=1.0)
    padded = struct.pack(">I", len(profile) + (2 << 20)) + profile[4:] + b"\0" * (2 << 20)
    body = b"wide\0\0" + zlib.compress(padded)
    (tmp_path / "a.png").write_bytes(png(np.full((1, 1, 3), 128), 8, 2, chunk(b"iCCP", body)))
    assert read(tmp_path / "a.png")[0, 0].tolist() == [188, 188, 188]


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp", "a.tif"])
def test_the_first_of_several_pictures_is_taken_and_said(tmp_path: Path, name: str) -> None:
    first, second = Image.new("RGB", (8, 8), RED), Image.new("RGB", (8, 8), BLUE)
    options = {"lossless": True} if name == "a.webp" else {}
    path = written(tmp_path, first, name, save_all=True, append_images=[second], **options)
    found = colours(opened(path))
    assert (found.values == RED).all()
    assert found.notes == ("it holds several pictures; the first is taken",)
    assert opened(written(tmp_path, first, f"one{path.suffix}", **options)).notes == ()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt"])
def test_a_long_text_does_not_hide_the_picture(tmp_path: Path, kind: str, late: bool) -> None:
    text = b"a" * (3 << 20)
    bodies = {
        "tEXt": b"note\0" + text,
        "zTXt": b"note\0\0" + zlib.compress(text),
        "iTXt": b"note\0\1\0\0\0" + zlib.compress(text),
    }
    content, end = png(np.full((2, 2, 3), 9), 8, 2), chunk(b"IEND", b"")
    note = chunk(kind.encode(), bodies[kind])
    place = content.index(end) if late else 33
    (tmp_path / "a.png").write_bytes(content[:place] + note + content[place:])
    assert (read(tmp_path / "a.png") == 9).all()


def test_a_bomb_among_the_texts_that_are_read(tmp_path: Path) -> None:
    bomb = chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"a" * (8 << 20)))
    (tmp_path / "a.png").write_bytes(png(np.full((2, 2, 3), 9), 8, 2, bomb))
    assert (read(tmp_path / "a.png") == 9).all()


HUGE = 20_000


def huge(name: str) -> bytes:
    """A file that announces 20,000 × 20,000 pixels, and has none of them."""
    side = struct.pack(">I", HUGE)
    if name.endswith("png"):
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", side + side + bytes((8, 2, 0, 0, 0)))
    if name.endswith("bmp"):
        head = struct.pack("<IiiHHIIiiII", 40, HUGE, HUGE, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head
    if name.endswith("tif"):
        return tiff(b"", 8, HUGE, HUGE, False)
    small = io.BytesIO()
    halves().save(small, name[2:])
    short = struct.pack(">H", HUGE)
    return small.getvalue().replace(struct.pack(">HH", 16, 24), short + short)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.jpeg"])
def test_pixels_are_bounded_before_they_are_decoded(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    (tmp_path / name).write_bytes(huge(name))
    with pytest.raises(
        ValueError, match=r"20000 × 20000 pixels, 400.0 megapixels.*most 64 "
    ) as told:
        opened(tmp_path / name)
    assert "--max-megapixels" in str(told.value)
    for form in ("WEBP", "GIF", "AVIF"):
        halves().save(tmp_path / form, form)
        with pytest.raises(ValueError, match="24 × 16 pixels"):
            opened(tmp_path / form, 1e-6)


def test_the_bound_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.png", "a.jpg", "a.tif", "a.webp", "a.gif"):
        path = written(tmp_path, halves(), name)
        whole = read(path)
        with pytest.raises(ValueError, match="megapixels"):
            opened(path, 383e-6)
        assert opened(path, 384e-6).image.size == (24, 16)
        with monkeypatch.context() as patch:
            patch.setattr(Image, "MAX_IMAGE_PIXELS", 1)
            assert np.array_equal(read(path), whole)
            assert Image.MAX_IMAGE_PIXELS == 1


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.bmp", "a.gif", "a.webp"])
def test_a_cut_file_is_refused_whatever_others_allow(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    path = written(tmp_path, Image.fromarray(noise), name)
    content = path.read_bytes()
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    for length in (0, 1, len(content) // 3, len(content) * 2 // 3):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=name):
            opened(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_png_is_held_to_its_check_sums(tmp_path: Path) -> None:
    content = png(np.arange(48).reshape(4, 4, 3), 8, 2)
    place = content.index(b"IDAT") + 12
    (tmp_path / "a.png").write_bytes(
        content[:place] + bytes((content[place] ^ 1,)) + content[place + 1 :]
    )
    with pytest.raises(ValueError, match="check sum of its chunk IDAT"):
        opened(tmp_path / "a.png")


def lie(content: bytes, place: int, form: str, rows: int) -> bytes:
    """A file with another number of rows at a place."""
    return content[:place] + struct.pack(form, rows) + content[place + struct.calcsize(form) :]


def taller(name: str, content: bytes) -> bytes:
    """A file that announces more rows than it holds."""
    if name.endswith("png"):
        head = lie(content[16:29], 4, ">I", 400)
        return content[:8] + chunk(b"IHDR", head) + content[33:]
    if name.endswith("jpg"):
        frame = max(content.find(b"\xff\xc0"), content.find(b"\xff\xc2"))
        return lie(content, frame + 5, ">H", 400)
    if name.endswith("tif"):
        table = struct.unpack("<I", content[4:8])[0]
        entries = (table + 2 + 12 * i for i in range(struct.unpack_from("<H", content, table)[0]))
        place = next(e for e in entries if struct.unpack_from("<H", content, e)[0] == 257)
        return content[:place] + struct.pack("<HHII", 257, 4, 1, 400) + content[place + 12 :]
    if name.endswith("gif"):
        return lie(lie(content, 8, "<H", 400), content.index(b",\0\0\0\0") + 7, "<H", 400)
    return lie(content, 22, "<i", 400)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {}),
        ("grey.jpg", {}),
        ("later.jpg", {"progressive": True}),
        ("a.tif", {}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("a.gif", {}),
        ("a.bmp", {}),
    ],
)
def test_rows_that_are_not_there_are_not_made_up(tmp_path: Path, name: str, options: dict) -> None:
    picture = halves().convert("L") if name == "grey.jpg" else halves()
    path = written(tmp_path, picture, name, **options)
    path.write_bytes(taller(name, path.read_bytes()))
    with pytest.raises(ValueError, match=f"'{name}' cannot be read as a picture"):
        opened(path)


def test_a_grey_corner_of_a_jpeg_is_no_lie(tmp_path: Path) -> None:
    path = written(tmp_path, Image.new("RGB", (40, 40), (128, 128, 128)), "a.jpg")
    assert (read(path) == 128).all()


@pytest.mark.parametrize(("depth", "colour"), [(1, 0), (4, 3), (8, 2), (16, 6)])
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (8, 8), (17, 4)])
def test_interlaced_pictures_hold_every_row(
    tmp_path: Path, depth: int, colour: int, size: tuple[int, int]
) -> None:
    """The seven passes written one after the other. Ref: PNG, third edition, §8.2."""
    width, height = size
    samples = {0: 1, 2: 3, 3: 1, 6: 4}[colour]
    rows = b""
    starts = (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    )
    for left, top, across, down in starts:
        columns = len(range(left, width, across))
        for _ in range(top, height, down):
            rows += (b"\0" + b"\0" * ((columns * samples * depth + 7) // 8)) if columns else b""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 1))
    palette = chunk(b"PLTE", b"\0\0\0") if colour == 3 else b""
    start, end = b"\x89PNG\r\n\x1a\n" + head + palette, chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(start + chunk(b"IDAT", zlib.compress(rows)) + end)
    assert read(tmp_path / "a.png").shape == (height, width, 3)
    (tmp_path / "b.png").write_bytes(start + chunk(b"IDAT", zlib.compress(rows[:-1])) + end)
    with pytest.raises(ValueError, match="more rows than it holds"):
        opened(tmp_path / "b.png")


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello", encoding="utf-8")
    (tmp_path / "b.eps").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    for name in ("a.png", "b.eps"):
        with pytest.raises(ValueError, match="it is none of PNG, JPEG"):
            opened(tmp_path / name)
    with pytest.raises(ValueError, match="no file"):
        opened(tmp_path)
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(2 << 30)
    with pytest.raises(ValueError, match="more than a picture of 64 megapixels"):
        opened(tmp_path / "large.png")


def test_pictures_of_a_folder_are_read_the_same_way(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    written(tmp_path, lying(halves(16, 16), 6), "a.png", exif=exif)
    deep = Image.fromarray(np.full((8, 8), 0x8080, np.uint16))
    written(tmp_path, deep, "b.png")
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    written(tmp_path, clear, "c.png")
    folder = finished(folder_pictures(tmp_path, 16))
    batch = folder.batch(np.random.default_rng(0), 32)
    seen = {tuple(((p[:, 12, 2] + 1) * 127.5).round().int().tolist()) for p in batch.signal}
    assert seen == {RED, (128, 128, 128), (255, 255, 255)}


def _seeds() -> list[tuple[str, bytes]]:
    found = []
    for name, options in (
        ("PNG", {}),
        ("JPEG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {"lossless": True}),
        ("GIF", {}),
        ("BMP", {}),
    ):
        content = io.BytesIO()
        exif = Image.Exif()
        exif[274] = 6
        halves().save(content, name, exif=exif, icc_profile=colour_profiles.of_colours(), **options)
        found.append((name, content.getvalue()))
    return found


SEEDS = _seeds()
CHANGES = st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SEEDS), CHANGES, st.integers(0, 4000))
def test_damage_is_a_refusal_and_nothing_else(
    seed: tuple[str, bytes], changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(seed[1])
    for place, value in changes:
        content[place % len(content)] = value
    del content[max(1, len(content) - cut % (2 * len(content))) if cut % 3 == 0 else len(content) :]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(bytes(content))
        for read_levels in (colours, greys, opacity):
            try:
                found = read_levels(opened(path, 1)).values
            except ValueError:
                continue
            assert found.size and np.isfinite(found).all()


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, halves(), "a.jpg", progressive=True)
    content = path.read_bytes()
    assert scans(content) == 10
    last = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + last * 90 + b"\xff\xd9")
    assert scans(path.read_bytes()) == 100
    assert opened(path).image.size == (24, 16)
    path.write_bytes(content[:-2] + last * 91 + b"\xff\xd9")
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    with pytest.raises(ValueError, match="more than 100 scans"):
        opened(path)
