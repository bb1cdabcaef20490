"""Read one photo: from a file that anybody may have made to an array that everything here understands.

Introduced in chapter 2, Preprocessing.
"""

import contextlib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from skinlib.base.errors import InputError
from skinlib.data.jpeg import lacks_end_alone
from skinlib.data.kinds import SAVE_ANEW, tiff_of_other_kind, why_unreadable

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
"""What a photo may be stored as. Pillow knows dozens more that no camera writes, and each is code open to attack."""

PIXEL_LIMIT = 100_000_000
"""Pixels above which a photo isn't decoded. A few kilobytes can claim a picture that fills the memory."""

LONGEST_SIDE = 65_535
"""Pixels along a side above which a photo isn't decoded: no camera takes as many, and no JPEG can hold them. Made to a
square, a row of pixels takes a hundred times its memory and more."""

SCAN_LIMIT = 100
"""Scans above which a JPEG isn't decoded. Cameras write one, web sites about ten; thousands keep a decoder busy for a
minute."""

LEAST_SIDE = 16
"""Pixels that a photo needs in height and in width to show anything. Small data sets have 28 or 32."""

TOO_SMALL = f"too small to see anything, less than {LEAST_SIDE} pixels wide or high"

SCANS = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""How each scan of a JPEG begins: its length and the number of its components."""


class PhotoError(InputError):
    """A photo that can't be used. ``path`` says which, ``reason`` why, in a few words."""

    def __init__(self, path, reason: str, remedy: str = SAVE_ANEW):
        self.path = str(path)
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"{printable(self.path)}: {reason}: {remedy}")

    def __reduce__(self):
        """Be made anew from the three parts in another process: an error's own way hands over the line alone."""
        return type(self), (self.path, self.reason, self.remedy)


def printable(name: str) -> str:
    """Return a file's name for a line of text: line breaks, a terminal's commands and the like become "?".

    Strangers choose the names of their files, and one name may be meant to write over what was said of another.
    """
    return "".join(character if character.isprintable() else "?" for character in name)


def read(path, pixel_limit: int | None = None) -> np.ndarray:
    """Read the photo at ``path`` as uint8 (height, width, 3), RGB, 0 to 255. See :func:`decode`.

    Raises PhotoError when there is no such file or it can't be decoded.
    """
    return decode(read_bytes(Path(path)), path, pixel_limit)


def decode(data: bytes, name="photo", pixel_limit: int | None = None) -> np.ndarray:
    """Decode an image file's bytes to uint8 (height, width, 3), RGB, 0 to 255.

    The content decides the format, never the name. EXIF orientation is applied; transparency is laid over white;
    16-bit channels keep their high byte; of an animation the first frame counts. A JPEG that lacks its end mark alone,
    and no pixel, is read. Colour profiles are not applied, as in OpenCV and TensorFlow, so CMYK comes out as its plain
    complement.

    Raises PhotoError, with ``name`` as its path, when the bytes are no photo, are cut short or damaged, claim more than
    ``pixel_limit`` pixels (by default PIXEL_LIMIT) or more than LONGEST_SIDE along a side, or are a JPEG of more than
    SCAN_LIMIT scans. A flipped bit inside the pixel data of a JPEG can't be noticed: the format has no checksum.
    """
    with pillow_quiet():
        return decode_with_format(data, name, pixel_limit)[0]


def decode_with_format(data: bytes, name, pixel_limit: int | None = None) -> tuple[np.ndarray, str]:
    """Return (pixels as :func:`decode` gives them, name of the format)."""
    if not data:
        raise PhotoError(name, "empty file")
    pixel_limit = PIXEL_LIMIT if pixel_limit is None else pixel_limit
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        if image.width * image.height > pixel_limit:
            raise Image.DecompressionBombError
        if max(image.size) > LONGEST_SIDE:
            raise PhotoError(name, f"a side of more than {LONGEST_SIDE:,} pixels", "leave it out, or make it smaller")
        # Two phone photos in one file are a JPEG to everyone but Pillow.
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        if kind == "JPEG" and len(SCANS.findall(data)) > SCAN_LIMIT:
            raise PhotoError(name, f"a JPEG of more than {SCAN_LIMIT} scans", "leave it out, or save it anew")
        if kind == "TIFF" and (refused := tiff_of_other_kind(data, image.tag_v2)):  # type: ignore[attr-defined]
            raise PhotoError(name, *refused)
        return _to_rgb(image), kind
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        limit = f"{pixel_limit // 10**6} million"
        raise PhotoError(name, f"too many pixels, more than {limit}", "leave it out, or make it smaller") from None
    except MemoryError:
        raise PhotoError(name, "does not fit into memory") from None
    except Exception:  # Pillow's decoders raise nearly every built-in exception on damaged bytes
        photo = _without_end(data)
        if photo is None:
            raise PhotoError(name, *why_unreadable(data)) from None
        return photo, "JPEG"


def _without_end(data: bytes) -> np.ndarray | None:
    """Return a JPEG that lacks its end mark but none of its pixels, as :func:`decode` would; None for any other."""
    if not data.startswith(b"\xff\xd8\xff"):
        return None
    try:
        return lacks_end_alone(data, lambda whole: _to_rgb(Image.open(io.BytesIO(whole), formats=("JPEG",))))
    except Exception:  # as above: damaged
        return None


def large_enough(photo: np.ndarray, name) -> np.ndarray:
    """Return ``photo``, uint8 (H, W, 3), as it is. Raises PhotoError where nobody could see anything in it."""
    if min(photo.shape[:2]) < LEAST_SIDE:
        raise PhotoError(name, TOO_SMALL, "leave it out, or use the photo in its full size")
    return photo


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Decode an opened image to uint8 (height, width, 3), upright, RGB, over white."""
    image.load()
    # Pillow would take the turn from there, too; no browser does.
    for other in ("xmp", "XML:com.adobe.xmp", "Raw profile type exif"):
        image.info.pop(other, None)
    # A damaged EXIF block says nothing about the pixels: such a photo stays as it is stored.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I;16"):
        # Pillow would clip these at 255. The high byte is what it takes of 16-bit colour, too.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data and not _unused_alpha(image):
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    return np.array(image.convert("RGB"))


def _unused_alpha(image: Image.Image) -> bool:
    """Tell whether a BMP has a place for transparency that its maker left at zero: people see it opaque."""
    return image.format == "BMP" and image.mode == "RGBA" and not image.getchannel("A").getbbox()


_QUIETING = threading.Lock()
_quiet = 0
_PILLOW_S = ("ignore", None, Warning, re.compile(r"PIL\b"), 0)
"""The filter that :func:`pillow_quiet` sets, as Python writes it down."""


@contextlib.contextmanager
def pillow_quiet() -> Iterator[None]:
    """Keep Pillow's warnings off the page: large photos we check ourselves, the others are about metadata."""
    global _quiet
    with _QUIETING:
        if not _quiet:
            warnings.filterwarnings("ignore", module=r"PIL\b")
        _quiet += 1
    try:
        yield
    finally:
        with _QUIETING:
            _quiet -= 1
            if not _quiet:
                # Python's own catch_warnings puts all filters back, those of other threads among them.
                with contextlib.suppress(ValueError):
                    warnings.filters.remove(_PILLOW_S)  # type: ignore[attr-defined]  # it is a list


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises PhotoError where it is absent or can't be opened."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise PhotoError(path, "no such file", "check the path") from None
    except OSError as error:
        raise PhotoError(path, f"cannot be opened ({error.strerror})", "check the path and its permissions") from None
