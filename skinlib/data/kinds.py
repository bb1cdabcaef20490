"""What a file is, told by its bytes alone: whoever gave a wrong one hears what it is, and what to do about it.

Introduced in chapter 1, Data exploration.
"""

import io
import re
from collections.abc import Mapping

from PIL.TiffImagePlugin import ImageFileDirectory_v2

from skinlib.data.jpeg import frame_of

DAMAGED = "truncated or damaged"
NO_IMAGE = "not an image in a format we read"
LEAVE_IT_OUT = "leave it out"
SAVE_ANEW = "leave it out, or save it anew as JPEG or PNG"

_RAW = "a camera's raw photo"
_HEIC = "an iPhone photo (HEIC)"
_VIDEO = "a video"
_ARCHIVE = "an archive"

OTHER_IMAGES = (
    (0, b"8BPS", "a Photoshop picture (PSD)"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
    (0, b"II\xbc\x01", "a JPEG XR"),
    (128, b"DICM", "a DICOM picture"),
    (0, b"FUJIFILMCCD-RAW", _RAW),
    (0, b"IIU\0", _RAW),
    (0, b"IIRO", _RAW),
    (0, b"IIRS", _RAW),
    (0, b"MMOR", _RAW),
    (0, b"FOVb", _RAW),
    (0, b"\0MRM", _RAW),
    (0, b"gimp xcf", "a GIMP picture (XCF)"),
    (0, b"v/1\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture (HDR)"),
    (0, b"SIMPLE  =", "a FITS picture"),
    (0, b"\0\0\1\0", "an icon (ICO)"),
    (0, b"icns", "an icon (ICNS)"),
    (0, b"DDS ", "a DDS picture"),
    (0, b"qoif", "a QOI picture"),
    (0, b"BPG\xfb", "a BPG picture"),
    (0, b"\x8aMNG", "a MNG picture"),
    (0, b"%!PS", "a PostScript drawing"),
    (0, b"\xd7\xcd\xc6\x9a", "a drawing (WMF)"),
    (40, b" EMF", "a drawing (EMF)"),
    (344, b"n+1\0", "a NIfTI picture"),
)
"""Pictures that are not read here: offset and first bytes, and what people call them."""

NO_PHOTOS = (
    (0, b"%PDF", "a PDF"),
    (0, b"PK\3\4", _ARCHIVE),
    (0, b"PK\5\6", _ARCHIVE),
    (0, b"\x1f\x8b", _ARCHIVE),
    (0, b"BZh", _ARCHIVE),
    (0, b"\xfd7zXZ\0", _ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (0, b"Rar!\x1a\x07", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (257, b"ustar", _ARCHIVE),
    (0, b"\x1aE\xdf\xa3", _VIDEO),
    (0, b"FLV\1", _VIDEO),
    (0, b"\0\0\1\xba", _VIDEO),
    (0, b"\0\0\1\xb3", _VIDEO),
    (0, b"ID3", "a sound"),
    (0, b"OggS", "a sound"),
    (0, b"fLaC", "a sound"),
    (0, b"\x93NUMPY", "a NumPy array"),
    (0, b"\x89HDF", "an HDF5 file"),
    (0, b"SQLite format 3\0", "a database"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (0, b"MZ", "a program"),
    (0, b"\x7fELF", "a program"),
    (0, b"bplist", "a property list"),
    (0, b"\0\5\x16\7", "a companion of a Mac's file"),
)
"""What is no picture at all."""

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1", b"mif2")
VIDEO_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
POINTERS = (
    (re.compile(rb"version https://git-lfs\.github\.com/"), "a Git LFS pointer, not the photo", "run git lfs pull"),
    (re.compile(rb"(/|\.\./)*(\.git/)?annex/objects/"), "a git-annex pointer, not the photo", "run git annex get"),
)
"""Texts that stand where a photo should: how they begin, what they are, and how to get the photo."""

WRITINGS = (
    (re.compile(r"\s*(<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE svg[^>]*>|\s)*<svg\b", re.I | re.S), "a drawing (SVG)"),
    (re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|script|meta)\b", re.I | re.S), "a web page (HTML)"),
    (re.compile(r"\s*<\?xml"), "an XML text"),
    (re.compile(r'\s*[\[{]\s*["\d\[{\]}-]'), "a JSON text"),
    (re.compile(r"P[1-7]\s"), "a PNM picture"),
)
"""What a text is, by how it begins."""

TIFF_COMPRESSIONS = (None, 1, 2, 3, 4, 5, 6, 7, 8, 32771, 32773, 32809, 32946, 34925, 50000, 50001)
"""Ways of packing a TIFF that Pillow may know."""


def why_unreadable(data: bytes) -> tuple[str, str]:
    """Return why the bytes of a file, which could not be decoded, are no photo that is read here, and what to do."""
    named = _tiff(data) if _is_tiff(data) else _jpeg(data) if data.startswith(b"\xff\xd8\xff") else _named(data)
    if named is None:
        return DAMAGED, SAVE_ANEW
    return named


def is_picture(head: bytes) -> bool:
    """Tell whether a file that begins with ``head`` is a picture of any kind, read here or not."""
    if _is_tiff(head) or head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return True
    named = _named(head)
    return (named is None and len(head) >= 12) or (named is not None and named[0].endswith(NOT_READ))


NOT_READ = ", which is not read here"


def not_read(what: str) -> tuple[str, str]:
    """Return reason and remedy for a picture of a kind that is not read here."""
    phone = "JPEG (on the phone: Settings > Camera > Formats > Most Compatible)"
    return f"{what}{NOT_READ}", f"leave it out, or save it as {phone if what == _HEIC else 'JPEG or PNG'}"


def _no_photo(what: str) -> tuple[str, str]:
    remedies = {_ARCHIVE: "unpack it", _VIDEO: "leave it out, or save a picture of it as JPEG"}
    return f"{what}, no photo", remedies.get(what, LEAVE_IT_OUT)


def _named(data: bytes) -> tuple[str, str] | None:
    """Return reason and remedy for a file that is neither JPEG nor TIFF; None where it is another format we read."""
    if data.startswith((b"\x89PNG", b"GIF87a", b"GIF89a")) or _is_bmp(data):
        return None
    if data.startswith(b"RIFF"):
        riffs = {b"WAVE": "a sound", b"AVI ": _VIDEO}
        form = data[8:12]
        return None if form == b"WEBP" or len(form) < 4 else _no_photo(riffs.get(form, "a RIFF file"))
    if data[4:8] in VIDEO_BOXES:
        return _boxes(data)
    for table, say in ((OTHER_IMAGES, not_read), (NO_PHOTOS, _no_photo)):
        for offset, first, what in table:
            if data.startswith(first, offset):
                return say(what)
    if not data.strip(b"\0"):
        return "nothing but zeros, as a broken download leaves", LEAVE_IT_OUT
    return _text(data)


def _is_bmp(data: bytes) -> bool:
    return data.startswith(b"BM") and (int.from_bytes(data[14:18], "little") in (12, 16, 40, 52, 56, 64, 108, 124))


def _boxes(data: bytes) -> tuple[str, str] | None:
    """Tell apart what has the shape of a QuickTime film: HEIC, AVIF, Canon's raw photos, films and sounds."""
    major, brands = data[8:12], data[8 : max(12, min(int.from_bytes(data[:4], "big"), 256))]
    if data[4:8] != b"ftyp":
        return _no_photo(_VIDEO)
    if major in (b"avif", b"avis") or len(major) < 4:
        return None
    if major == b"crx ":
        return not_read(_RAW)
    if any(brand in brands for brand in (b"avif", b"avis")) and not any(b in brands for b in HEIC_BRANDS[:8]):
        return None
    if any(brand in brands for brand in HEIC_BRANDS):
        return not_read(_HEIC)
    return _no_photo("a sound" if major in (b"M4A ", b"M4B ") else _VIDEO)


def _text(data: bytes) -> tuple[str, str]:
    """Say what a text is, or that the bytes are none."""
    for begins, reason, remedy in POINTERS:
        if begins.match(data) and len(data) < 10_000:
            return reason, remedy
    head = data[:2048]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head[: len(head) // 2 * 2].decode("utf-16", "replace")
    else:
        try:
            text = head.decode("utf-8-sig")
        except UnicodeDecodeError as error:  # a letter may be cut where the head ends
            if error.start < len(head) - 3 or len(data) <= len(head):
                text = "\0"
            else:
                text = head[: error.start].decode("utf-8-sig")
    if not all(character.isprintable() or character in "\t\n\r\f" for character in text):
        return (not_read("a PNM picture")) if re.match(rb"P[1-7]\s", head) else (NO_IMAGE, SAVE_ANEW)
    what = next((what for begins, what in WRITINGS if begins.match(text)), "a text")
    return not_read(what) if "picture" in what or "drawing" in what else _no_photo(what)


# ---------------------------------------------------------------- kinds of the formats that we do read


def _is_tiff(data: bytes) -> bool:
    return data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))


def _tiff(data: bytes) -> tuple[str, str] | None:
    """Return reason and remedy for a TIFF of a kind that is not read; None where it is damaged."""
    try:
        directory = ImageFileDirectory_v2(data[: 16 if data[2:3] == b"+" or data[3:4] == b"+" else 8])
        stream = io.BytesIO(data)
        stream.seek(directory.next)
        directory.load(stream)
        tags = dict(directory)
    except Exception:  # Pillow's parser raises nearly every built-in exception on damaged bytes
        return None
    return tiff_of_other_kind(data, tags)


def tiff_of_other_kind(data: bytes, tags: Mapping) -> tuple[str, str] | None:
    """Return reason and remedy for a TIFF that is no photo we can show, by its first page's ``tags``; else None.

    Cameras' raw photos are TIFFs whose first page is a thumbnail, or pixels behind a mosaic of filters: decoders that
    don't look show a stamp of a picture, and call it the photo.
    """
    photometric, bits, numbers = tags.get(262), tags.get(258, 1), tags.get(339, 1)
    bits, numbers = (max(value) if isinstance(value, tuple) and value else value for value in (bits, numbers))
    reduced = tags.get(254, 0)
    mosaic = photometric in (32803, 34892)
    if data[8:10] == b"CR" or 50706 in tags or mosaic or (isinstance(reduced, int) and reduced & 1):
        return not_read(_RAW)
    if numbers == 3 or (isinstance(bits, int) and bits > 16):
        name = "floating-point numbers" if numbers == 3 else "numbers"
        return f"a TIFF of {bits}-bit {name}, whose range is unknown", "leave it out, or save it with 8 bits a channel"
    if tags.get(259) not in TIFF_COMPRESSIONS or photometric not in (None, 0, 1, 2, 3, 5, 6, 8):
        return not_read("a TIFF of a rare kind")
    return None


def _jpeg(data: bytes) -> tuple[str, str] | None:
    """Return reason and remedy for a JPEG of a kind that is not read; None where it is damaged."""
    frame = frame_of(data)
    if frame is None:
        return None
    if frame.marker in (0xC3, 0xC5, 0xC6, 0xC7, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7) or frame.bits != 8:
        return not_read("a JPEG of a rare kind")
    return None


_REMEDIES = {reason: remedy for _, reason, remedy in POINTERS} | {_no_photo(_ARCHIVE)[0]: _no_photo(_ARCHIVE)[1]}


def remedy_of(reason: str) -> str:
    """Return what can be done about files that were left out for ``reason``; "" where there is nothing to do."""
    if reason.endswith(NOT_READ):
        return "save them as JPEG or PNG"
    return _REMEDIES.get(reason, "")
