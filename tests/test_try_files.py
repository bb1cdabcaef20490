"""Files that decoders like to disagree on, and files that are no photo: the page answers as Python does, or refuses."""

import functools
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

pytest.register_assert_rewrite("reader")

from reader import ROOT, same, stored  # noqa: E402
from strange import bmp, kinds, turned  # noqa: E402

from skinlib.data import reading  # noqa: E402
from skinlib.serve import publish  # noqa: E402

pytest_plugins = ["reader"]


@functools.cache  # each test takes one of them
def odd_photos():
    """Return photos stored in ways that decoders like to disagree on: (name, bytes)."""
    random = np.random.default_rng(0)
    smooth = random.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    photo = Image.fromarray(smooth).resize((301, 203), Image.Resampling.BICUBIC)
    clear = photo.convert("RGBA")
    clear.putalpha(Image.fromarray(np.tile(np.linspace(0, 255, 301).astype(np.uint8), (203, 1))))
    profile = _swapped_profile()
    return {
        "turned.jpg": turned(photo, "JPEG", 6),
        "turned.png": turned(photo, "PNG", 6),
        **{f"turned {way}.webp": turned(photo, "WEBP", way, lossless=True) for way in range(2, 9)},
        **{f"turned {way}.avif": turned(photo, "AVIF", way) for way in (2, 5, 6)},
        "mirrored.png": turned(photo, "PNG", 7),
        "clear, turned.webp": turned(clear, "WEBP", 6, lossless=True),
        "end.jpg": stored(photo, "JPEG")[:-2],
        "end, turned.jpg": turned(photo, "JPEG", 8)[:-1],
        "end, progressive.jpg": stored(photo, "JPEG", progressive=True)[:-2],
        "unused alpha.bmp": bmp(0),
        "alpha.bmp": bmp(128),
        "clear.png": stored(clear, "PNG"),
        "clear.webp": stored(clear, "WEBP", lossless=True),
        "palette.gif": stored(photo.quantize(32), "GIF"),
        "moving.gif": stored(photo, "GIF", save_all=True, append_images=[photo.rotate(180)]),
        "profile.jpg": stored(photo, "JPEG", icc_profile=profile),
        "grey.jpg": stored(photo.convert("L"), "JPEG"),
        "print.jpg": stored(photo.convert("CMYK"), "JPEG"),
        "progressive.jpg": stored(photo, "JPEG", progressive=True, subsampling=2),
        "deep.png": stored(Image.fromarray(random.integers(0, 65536, (40, 50)).astype(np.uint16)), "PNG"),
        "old.bmp": stored(photo, "BMP"),
        "new.avif": stored(photo, "AVIF"),
        "least.png": stored(photo.resize((16, 16)), "PNG"),
        "thin.png": stored(photo.resize((16, 1500)), "PNG"),
        "tail.jpg": stored(photo, "JPEG") + b"left by a phone" * 9,
        "wrong.txt": stored(photo, "JPEG"),
        "wrong.svg": stored(photo, "PNG"),
    }


def _swapped_profile() -> bytes:
    """Return a colour profile that swaps red and green: nobody overlooks that it was applied."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")


@pytest.mark.parametrize("name", odd_photos())
def test_it_decodes_as_pillow_does(reader, model, name):
    content = odd_photos()[name]
    same(reader.choose(name, content), model, content)
    upright = reading.decode(content).shape[:2]
    shown = reader.picture().shape[:2]
    assert (upright[0] > upright[1]) == (shown[0] > shown[1])


@pytest.mark.slow
def test_the_largest_photo_that_is_allowed(reader, model):
    pixels = model.labels["limits"]["pixels"]
    height = 6000
    content = stored(Image.linear_gradient("L").resize((pixels // height, height)).convert("RGB"), "JPEG")
    same(reader.choose("large.jpg", content), model, content)
    assert max(reader.picture().shape) <= 640


# ---- what cannot be read gets a line, and the page goes on


def png(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims a size."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


@functools.cache
def bad_files() -> dict[str, tuple[bytes, str]]:
    """Return files that are no photo for us, with what the reader has to be told."""
    photo = Image.linear_gradient("L").convert("RGB")
    whole = stored(photo, "JPEG")
    claim = whole.index(b"\xff\xc0") + 5
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    return {
        "half.jpg": (whole[: len(whole) // 2], "damaged"),
        "nearly.jpg": (whole[:-4], "damaged"),
        "last scan.jpg": (_without_last_scan(photo), "damaged"),
        "half.png": (stored(photo, "PNG")[:300], "damaged"),
        "flipped.png": (stored(photo, "PNG").replace(b"IDAT", b"IDAT\x00", 1), "damaged"),
        "head.jpg": (whole[:20], "damaged"),
        "empty.jpg": (b"", "empty"),
        "random.jpg": (b"\7\0\1\2", "JPEG, PNG or WebP"),
        "one.png": (stored(Image.new("RGB", (1, 1), (200, 100, 50)), "PNG"), "too small to see anything"),
        "line.png": (stored(photo.resize((2, 1500)), "PNG"), "too small to see anything"),
        "IMG_1.HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50), "Most Compatible"),
        "IMG_2.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(50), "Most Compatible"),
        "scan.tif": (stored(photo, "TIFF"), "TIFF"),
        "drawing.png": (svg, "JPEG or PNG"),
        "bomb.png": (png(65_535, 65_535), "million pixels"),
        "wide.png": (png(50_000, 1001), "million pixels"),
        "long.png": (stored(Image.new("L", (65_536, 16)), "PNG"), "a side of more than 65,535 pixels"),
        "longer.png": (png(200_000, 20), "a side of more than 65,535 pixels"),
        "bomb.jpg": (whole[:claim] + struct.pack(">HH", 65_500, 65_500) + whole[claim + 4 :], "million pixels"),
        "scans.jpg": (stored(photo, "JPEG", progressive=True)[:-2] + 200 * b"\xff\xda\0\x08\1\1\0\0\x3f\0", "scans"),
        "bomb.gif": (b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(50), "million pixels"),
    }


def _without_last_scan(photo) -> bytes:
    whole = stored(photo.resize((64, 64)), "JPEG", progressive=True)
    return whole[: [scan.start() for scan in reading.SCANS.finditer(whole)][-1]]


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_gets_a_line(reader, drawings, name):
    content, words = bad_files()[name]
    line = reader.choose(name, content)
    assert isinstance(line, str) and line.startswith(f"{name} ") and words in line
    assert not reader.page.locator(f"{ROOT} ol").is_visible()
    assert reader.choose(drawings[0])["name"] == drawings[0].name  # and the next photo is looked at


@pytest.mark.parametrize("name", kinds())
def test_what_it_is_instead_is_said_in_the_words_of_python(reader, name):
    content, reason = kinds()[name]
    line = reader.choose(name, content)
    assert isinstance(line, str)
    if reason == "truncated or damaged":
        assert line == f"{name} looks damaged: choose another, or save it anew."
    else:
        assert line.startswith(f"{name} is {reason}: ") and line.endswith(".")
        assert "damaged" not in line


def test_the_least_and_the_longest_side_are_those_of_python():
    script = (publish.SPACE / "web" / "try-photo.js").read_text("utf-8")
    assert f"const LEAST_SIDE = {reading.LEAST_SIDE};" in script
    assert f"const LONGEST_SIDE = {reading.LONGEST_SIDE:_};" in script


def test_a_photo_of_seventy_million_pixels_is_refused_unseen(reader):
    content = stored(Image.new("L", (10_000, 7_000), 128), "JPEG")
    assert "more than 50 million pixels" in reader.choose("huge.jpg", content)


def test_a_file_of_too_many_bytes_is_refused(reader, model, tmp_path, drawings):
    file = tmp_path / "heavy.jpg"
    limit = model.labels["limits"]["bytes"]
    whole = drawings[0].read_bytes()
    file.write_bytes(whole + bytes(limit - len(whole)))
    assert isinstance(reader.choose(file), dict)
    file.write_bytes(whole + bytes(limit - len(whole) + 1))
    assert "more than 30\u00a0MB" in reader.choose(file)


def test_a_name_is_shown_as_text(reader):
    line = reader.choose("<img src=x onerror=alert(1)>.jpg", b"nothing")
    assert "<img src=x" in line
    assert reader.page.locator(f"{ROOT} .status img").count() == 0
