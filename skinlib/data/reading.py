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
import PIL
from PIL import Image, ImageOps

from skinlib.base.errors import InputError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")
"""What a photo may be stored as. Pillow knows dozens more that no camera writes, and each is code open to attack."""

PIXEL_LIMIT = 100_000_000
"""Pixels above which a photo isn't decoded. A few kilobytes can claim a picture that fills the memory."""

SCAN_LIMIT = 100
"""Scans above which a JPEG isn't decoded. Cameras write one, web sites about ten; thousands keep a decoder busy for a
minute."""

SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*", b"BM")
"""First bytes of the formats above, to tell a photo cut short in its header from something else."""

SCANS = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
"""How each scan of a JPEG begins: its length and the number of its components."""


class PhotoError(InputError):
    """A photo that can't be used. ``path`` says which, ``reason`` why, in a few words."""

    def __init__(self, path, reason: str, remedy: str = "leave it out, or save it anew as JPEG or PNG"):
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
    16-bit channels keep their high byte; of an animation the first frame counts. Colour profiles are not applied,
    as in OpenCV and TensorFlow, so CMYK comes out as its plain complement.

    Raises PhotoError, with ``name`` as its path, when the bytes are no photo, are cut short or damaged, claim more than
    ``pixel_limit`` pixels (by default PIXEL_LIMIT), or are a JPEG of more than SCAN_LIMIT scans. A flipped bit inside
    the pixel data of a JPEG can't be noticed: the format has no checksum.
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
        if image.format in ("JPEG", "MPO") and len(SCANS.findall(data)) > SCAN_LIMIT:
            raise PhotoError(name, f"a JPEG of more than {SCAN_LIMIT} scans", "leave it out, or save it anew")
        # Two phone photos in one file are a JPEG to everyone but Pillow.
        kind = "JPEG" if image.format == "MPO" else str(image.format)
        return _to_rgb(image, name), kind
    except PhotoError:
        raise
    except Image.DecompressionBombError:
        limit = f"{pixel_limit // 10**6} million"
        raise PhotoError(name, f"too many pixels, more than {limit}", "leave it out, or make it smaller") from None
    except PIL.UnidentifiedImageError:
        known = data.startswith(SIGNATURES) or data[4:12] == b"ftypavif"
        raise PhotoError(name, "truncated or damaged" if known else "not an image in a format we read") from None
    except MemoryError:
        raise PhotoError(name, "does not fit into memory") from None
    except Exception:  # Pillow's decoders raise nearly every built-in exception on damaged bytes
        raise PhotoError(name, "truncated or damaged") from None


def _to_rgb(image: Image.Image, name) -> np.ndarray:
    """Decode an opened image to uint8 (height, width, 3), upright, RGB, over white."""
    image.load()
    # A damaged EXIF block says nothing about the pixels: such a photo stays as it is stored.
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode in ("I", "F"):
        raise PhotoError(name, "32-bit pixels, whose range is unknown")
    if image.mode.startswith("I;16"):
        # Pillow would clip these at 255. The high byte is what it takes of 16-bit colour, too.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    return np.array(image.convert("RGB"))


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
