"""Files of other kinds than photos, and photos stored in ways that people meet: bytes, and what is to be said of them.

Nothing here is a test.
"""

import functools
import io
import struct
import zipfile

import cv2
import numpy as np
from drawn import encoded, smooth
from PIL import Image, TiffImagePlugin


def box(brand: bytes, *others: bytes) -> bytes:
    """Return the head of a file with the shape of a QuickTime film, and some bytes behind it."""
    brands = b"".join((brand, b"\0\0\0\0", *others))
    return struct.pack(">I", 8 + len(brands)) + b"ftyp" + brands + bytes(64)


def tiff(photo=None, **tags) -> bytes:
    """Return a TIFF with tags of its own, given as ``t254=1``."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[int(name[1:])] = value
    return encoded(smooth() if photo is None else photo, "TIFF", tiffinfo=directory)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("cat/1.jpg", encoded(smooth(), "JPEG"))
    return stream.getvalue()


def bmp(alpha: int) -> bytes:
    """Return a BMP of the fifth version, 30 × 20 pixels of one green, whose alpha is ``alpha`` everywhere."""
    pixels = np.tile(np.array([30, 200, 10, alpha], np.uint8), (20, 30, 1))
    header = struct.pack("<IiiHHIIiiII", 124, 30, 20, 1, 32, 3, pixels.nbytes, 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(64)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + pixels.nbytes, 0, 0, start) + header + pixels.tobytes()


def lossless_jpeg() -> bytes:
    """Return a JPEG whose frame says that it is coded in the lossless way, which hardly anything reads."""
    return encoded(smooth(), "JPEG").replace(b"\xff\xc0", b"\xff\xc3", 1)


RAW = "a camera's raw photo, which is not read here"
HEIC = "an iPhone photo (HEIC), which is not read here"
TEXT = "a text, no photo"
ARCHIVE = "an archive, no photo"
VIDEO = "a video, no photo"
DAMAGED = "truncated or damaged"
NO_IMAGE = "not an image in a format we read"


@functools.cache
def kinds() -> dict[str, tuple[bytes, str]]:
    """Return files that are no photo that is read here: by a name, the bytes and the reason."""
    return {
        "photo.heic": (box(b"heic", b"mif1", b"heic"), HEIC),
        "sequence.heif": (box(b"msf1", b"hevc"), HEIC),
        "mif1.jpg": (box(b"mif1", b"mif1", b"heic"), HEIC),
        "photo.cr3": (box(b"crx ", b"crx ", b"isom"), RAW),
        "photo.cr2": (b"II*\0\x10\0\0\0CR\2\0" + bytes(200), RAW),
        "photo.raf": (b"FUJIFILMCCD-RAW 0201FF" + bytes(100), RAW),
        "photo.rw2": (b"IIU\0\x18\0\0\0" + bytes(100), RAW),
        "photo.orf": (b"IIRO\x08\0\0\0" + bytes(100), RAW),
        "photo.jxl": (b"\xff\x0a\xfa\x1f\x41\x91", "a JPEG XL, which is not read here"),
        "box.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20), "a JPEG XL, which is not read here"),
        "photo.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20), "a JPEG 2000, which is not read here"),
        "photo.j2k": (b"\xff\x4f\xff\x51\0\x29", "a JPEG 2000, which is not read here"),
        "scan.dcm": (bytes(128) + b"DICM\2\0\0\0UL", "a DICOM picture, which is not read here"),
        "layers.psd": (b"8BPS\0\1" + bytes(20), "a Photoshop picture (PSD), which is not read here"),
        "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "a drawing (SVG), which is not read here"),
        "inkscape.svg": (
            b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg>',
            "a drawing (SVG), which is not read here",
        ),
        "photo.ppm": (encoded(smooth(), "PPM"), "a PNM picture, which is not read here"),
        "favicon.ico": (b"\0\0\1\0\1\0" + bytes(30), "an icon (ICO), which is not read here"),
        "paper.pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF, no photo"),
        "page.jpg": (b"\n<!DOCTYPE html><html><head><title>404", "a web page (HTML), no photo"),
        "login.png": (b"<!-- sorry -->\n<HTML>", "a web page (HTML), no photo"),
        "error.jpg": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML text, no photo"),
        "answer.jpg": (b'{"error": "not found"}', "a JSON text, no photo"),
        "list.json": (b'[{"a": 1}]', "a JSON text, no photo"),
        "BMI.bmp": (b"BMI of the patient: 24\n", TEXT),
        "BM.txt": (b"BM", TEXT),
        "GIF.gif": (b"GIF is how this text begins", TEXT),
        "notes.txt": ("Größe: 3 cm\n".encode() * 300, TEXT),
        "notes-16.txt": ("Größe: 3 cm\n".encode("utf-16"), TEXT),
        "photos.zip": (zipped(), ARCHIVE),
        "photos.tar": (b"cat/1.jpg" + bytes(248) + b"ustar\x0000" + bytes(300), ARCHIVE),
        "photos.tgz": (b"\x1f\x8b\x08\0\0\0\0\0", ARCHIVE),
        "photos.7z": (b"7z\xbc\xaf\x27\x1c\0\4", ARCHIVE),
        "film.mp4": (box(b"isom", b"isom", b"mp42"), VIDEO),
        "IMG_1.mov": (box(b"qt  ", b"qt  "), VIDEO),
        "old.mov": (b"\0\0\0\x08wide\0\0\x10\0mdat" + bytes(40), VIDEO),
        "film.webm": (b"\x1aE\xdf\xa3\x9fB\x86\x81\1", VIDEO),
        "film.avi": (b"RIFF\0\1\0\0AVI LIST" + bytes(40), VIDEO),
        "voice.wav": (b"RIFF\0\1\0\0WAVEfmt " + bytes(40), "a sound, no photo"),
        "other.riff": (b"RIFF\0\1\0\0ACONLIST" + bytes(40), "a RIFF file, no photo"),
        "pointer.jpg": (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "a Git LFS pointer, not the photo",
        ),
        "annexed.jpg": (b"/annex/objects/MD5E-s33--d1f.jpg\n", "a git-annex pointer, not the photo"),
        "zeros.jpg": (bytes(1000), "nothing but zeros, as a broken download leaves"),
        "letters.bin": ("Größe".encode("latin-1") + b"\0\1\2", NO_IMAGE),
        "random.bin": (b"\x07" + np.random.default_rng(0).bytes(500), NO_IMAGE),
        "head.png": (b"\x89PNG\r\n\x1a\n", DAMAGED),
        "head.webp": (b"RIFF\0\1\0", DAMAGED),
        "head.avif": (box(b"avif", b"mif1", b"avif"), DAMAGED),
        "head.bmp": (bmp(255)[:60], DAMAGED),
    }


def of_our_formats() -> dict[str, tuple[bytes, str]]:
    """Return the same of files in formats that are read, but for their kind: a browser may read some of them."""
    high = np.full((20, 20, 3), 0.5, np.float32)
    return {
        "float.tif": (encoded(high[..., 0], "TIFF"), "a TIFF of 32-bit floating-point numbers, whose range is unknown"),
        "colours.tif": (
            cv2.imencode(".tif", high)[1].tobytes(),
            "a TIFF of 32-bit floating-point numbers, whose range is unknown",
        ),
        "double.tif": (
            cv2.imencode(".tif", high[..., 0].astype(float))[1].tobytes(),
            "a TIFF of 64-bit floating-point numbers, whose range is unknown",
        ),
        "whole.tif": (
            encoded(np.full((20, 20), 70000, np.int32), "TIFF"),
            "a TIFF of 32-bit numbers, whose range is unknown",
        ),
        "photo.dng": (tiff(t50706=b"\1\4\0\0"), RAW),
        "photo.nef": (tiff(t254=1), RAW),
        "photo.pef": (tiff(np.zeros((20, 20), np.uint8), t262=32803), RAW),
        "cut.tif": (tiff()[:300], DAMAGED),
        "lossless.jpg": (lossless_jpeg(), "a JPEG of a rare kind, which is not read here"),
        "deep.jpg": (_deep_jpeg(), "a JPEG of a rare kind, which is not read here"),
        "cut.jpg": (encoded(smooth(), "JPEG")[:-40], DAMAGED),
        "head.jpg": (encoded(smooth(), "JPEG")[:20], DAMAGED),
    }


def _deep_jpeg() -> bytes:
    """Return a JPEG whose frame says that it has 12 bits a channel."""
    data = bytearray(encoded(smooth(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    return bytes(data)


def turned(photo: Image.Image, kind: str, orientation: int, **options) -> bytes:
    """Return a photo whose EXIF says how it was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo, kind, exif=exif, **options)
