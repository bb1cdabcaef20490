"""Files that an app on the open web will meet: damaged, lying, oversized, of other kinds, or under odd names.

:func:`files` writes them. Nothing here is a test, and no file needs a network or shows a person: the photos are drawn.
"""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

from skinlib.data import brushes, drawings
from skinlib.data.conditions import KEYS

SHARES = {
    "bits flipped": 0.20,
    "cut short": 0.18,
    "bytes moved": 0.15,
    "lying header": 0.14,
    "bomb": 0.06,
    "nonsense EXIF": 0.08,
    "another format": 0.11,
    "odd name": 0.06,
    "odd path": 0.02,
}
"""The kinds, and the share of each."""


@dataclass(frozen=True)
class Hostile:
    """One of the files."""

    path: str
    """As a caller would give it: mostly a file in the folder, sometimes a path that leads elsewhere or nowhere."""
    kind: str
    """A key of ``SHARES``."""
    why: str
    """What is wrong with it, in a few words. Files of one kind and one why differ in their bytes only."""
    expected: str | None = None
    """ "answered" or "refused" where there is only one right way to treat it; None where damage may go unnoticed."""

    @property
    def sendable(self) -> bool:
        """Whether a browser or a client of the app can send it: a regular file whose name is text."""
        try:
            self.path.encode()
        except UnicodeEncodeError:
            return False
        return os.path.isfile(self.path) and not os.path.realpath(self.path).startswith("/proc/")


def files(folder: Path, n: int = 1000, seed: int = 0) -> list[Hostile]:
    """Write ``n`` hostile files into ``folder``, which is made, and return them in a mixed order.

    All kinds are among them where ``n`` is 50 or more. The same seed gives the same bytes under the same names. Links
    that lead out of the folder and a named pipe are among the odd paths: hand the folder to nothing that walks it.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    photos = _photos(seed)
    written = []
    for place, (kind, number) in enumerate(_numbers(n).items()):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, place)))
        maker = {
            "bits flipped": _flipped,
            "cut short": _cut,
            "bytes moved": _moved,
            "lying header": _lying,
            "bomb": _bombs,
            "nonsense EXIF": _exif,
            "another format": _others,
        }.get(kind)
        if maker:
            # Each yields (why, ending, bytes, expected) for ever, another variation in each round.
            made = (
                _write(folder / f"{place}{i:03d}{ending}", data, kind, why, expected)
                for i, (why, ending, data, expected) in enumerate(maker(photos, rng))
            )
        else:
            made = {"odd name": _odd_names, "odd path": _odd_paths}[kind](folder, photos)
        written += [file for file, _ in zip(made, range(number), strict=False)]
    order = np.random.default_rng(seed).permutation(len(written))
    return [written[i] for i in order]


def _numbers(n: int) -> dict[str, int]:
    """Share out ``n`` among the kinds; what rounding leaves over goes to the first."""
    numbers = {kind: int(share * n) for kind, share in SHARES.items()}
    first = next(iter(numbers))
    numbers[first] += n - sum(numbers.values())
    return numbers


def _write(path: Path, data: bytes, *rest) -> Hostile:
    path.write_bytes(data)
    return Hostile(str(path), *rest)


# ---------------------------------------------------------------- good photos, which the rest begins with


def _photos(seed: int) -> dict[str, list[bytes]]:
    """Return small good photos by ending, two or more of each format and of each way to store it."""
    made = {}
    for place, key in enumerate(KEYS):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, place)))
        image = Image.fromarray(drawings.draw(key, rng, brushes.TONES[place % len(brushes.TONES)])[0])
        image.thumbnail((112, 112))
        for ending, options in _STORED[place % 2 :: 2]:
            mode = options.get("mode", "RGB")
            picture = image.convert(mode)
            if mode == "RGBA":
                picture.putalpha(Image.linear_gradient("L").resize(image.size))
            made.setdefault(ending, []).append(_saved(picture, ending, **options))
    return made


_STORED = [
    (".jpg", {"quality": 88}),
    (".jpg", {"quality": 90, "progressive": True}),
    (".png", {}),
    (".png", {"mode": "RGBA"}),
    (".webp", {"quality": 85}),
    (".webp", {"lossless": True}),
    (".gif", {"mode": "P"}),
    (".gif", {"mode": "L"}),
    (".bmp", {}),
    (".bmp", {"mode": "L"}),
    (".tif", {}),
    (".tif", {"compression": "tiff_lzw"}),
    (".avif", {"quality": 80, "max_threads": 1}),
    (".avif", {"quality": 60, "speed": 8, "max_threads": 1}),
    (".jpg", {"mode": "L", "quality": 85}),
    (".jpg", {"mode": "CMYK", "quality": 85}),
    (".png", {"mode": "P"}),
    (".png", {"mode": "I;16"}),
]
"""Ending, mode and options of each way to store. Every second one goes to every second photo."""


def _saved(image: Image.Image, ending: str, mode: str = "RGB", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, Image.registered_extensions()[ending], **options)
    return buffer.getvalue()


def _in_turn(photos: dict[str, list[bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield (ending, bytes) of good photos for ever: the formats in turn, JPEG twice as often as each of the others."""
    for i in count():
        for ending in (".jpg", *photos):
            stored = photos[ending]
            yield ending, stored[(i + (ending == ".jpg")) % len(stored)]


# ---------------------------------------------------------------- damaged on the way


def _flipped(photos, rng):
    for i, (ending, data) in enumerate(_in_turn(photos)):
        number = (1, 2, 8, 64, 512)[i % 5]
        # Every second file is hit in its first bytes, where the headers are.
        reach = len(data) if i % 2 else min(len(data), 200)
        bits = rng.integers(0, 8 * reach, number)
        damaged = np.frombuffer(data, np.uint8).copy()
        np.bitwise_xor.at(damaged, bits // 8, np.uint8(1) << (bits % 8).astype(np.uint8))
        where = "anywhere" if i % 2 else "in the headers"
        yield f"{number} bits flipped {where}", ending, damaged.tobytes(), None


def _cut(photos, rng):
    for i, (ending, data) in enumerate(_in_turn(photos)):
        why, keep = (
            ("its signature only", 8),
            ("within its headers", int(rng.integers(9, 120))),
            ("a quarter of it", len(data) // 4),
            ("half of it", len(data) // 2),
            ("most of it", int(len(data) * rng.uniform(0.7, 0.99))),
            ("but its last 16 bytes", len(data) - 16),
            ("but its last byte", len(data) - 1),
        )[i % 7]
        # What is lost at the very end may be padding, or a mark that no decoder waits for.
        yield f"kept {why}", ending, data[:keep], None if "last" in why or "most" in why else "refused"


def _moved(photos, rng):
    for i, (ending, data) in enumerate(_in_turn(photos)):
        size = int(rng.integers(1, max(2, len(data) // 8)))
        start = int(rng.integers(0, len(data) - 2 * size))
        middle, end = start + size, start + 2 * size
        block, following = data[start:middle], data[middle:end]
        why, parts = (
            ("random bytes put in", (data[:start], rng.bytes(size), data[start:])),
            ("bytes taken out", (data[:start], data[middle:])),
            ("two blocks swapped", (data[:start], following, block, data[end:])),
            ("a block of zeros", (data[:start], bytes(size), data[middle:])),
            ("a block of random bytes", (data[:start], rng.bytes(size), data[middle:])),
            ("a block twice", (data[:middle], block, data[middle:])),
            ("the file twice", (data, data)),
            ("rubbish before it", (rng.bytes(size), data)),
            ("rubbish behind it", (data, rng.bytes(size))),
        )[i % 9]
        yield why, ending, b"".join(parts), "refused" if why == "rubbish before it" else None


# ---------------------------------------------------------------- headers that claim what is not there


def _lying(photos, rng):
    for i in count():
        for ending, lies in _LIES.items():
            why, lie = lies[i % len(lies)]
            data = bytearray(photos[ending][i % len(photos[ending])])
            lie(data)
            yield f"{ending[1:].upper()}: {why}", ending, bytes(data), None


def png_chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG, with its length before and its checksum behind."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """Return a PNG of ready chunks: what its header claims need not be what it holds."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join([png_chunk(b"IHDR", header), *chunks, png_chunk(b"IEND", b"")])


def _at(offset: int, form: str, *values):
    """Return a lie that writes ``values`` at a fixed place."""
    return lambda data: struct.pack_into(form, data, offset, *values)


def _png_header(offset: int, form: str, *values):
    """Return a lie in a PNG's first chunk, whose checksum is made to agree."""

    def lie(data):
        struct.pack_into(form, data, 16 + offset, *values)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))

    return lie


def _after(mark: bytes, offset: int, form: str, *values):
    """Return a lie some bytes after a mark; where the mark is absent it changes nothing."""

    def lie(data):
        place = data.find(mark)
        if place >= 0:
            struct.pack_into(form, data, place + offset, *values)

    return lie


def _jpeg_frame(offset: int, form: str, *values):
    """Return a lie in a JPEG's frame header, baseline or progressive."""

    def lie(data):
        place = 2
        while data[place + 1] not in (0xC0, 0xC2):
            place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        struct.pack_into(form, data, place + offset, *values)

    return lie


def _tiff_tag(tag: int, kind: int, number: int, value: int):
    """Return a lie in one entry of a TIFF's table."""

    def lie(data):
        table = struct.unpack_from("<I", data, 4)[0]
        for place in range(table + 2, table + 2 + 12 * struct.unpack_from("<H", data, table)[0], 12):
            if struct.unpack_from("<H", data, place)[0] == tag:
                struct.pack_into("<HHII", data, place, tag, kind, number, value)

    return lie


_LIES = {
    ".png": [
        ("60,000 × 60,000 pixels", _png_header(0, ">II", 60_000, 60_000)),
        ("no pixels", _png_header(0, ">II", 0, 0)),
        ("2,147,483,647 wide", _png_header(0, ">II", 2**31 - 1, 1)),
        ("4,294,967,295 high", _png_header(4, ">I", 2**32 - 1)),
        ("twice as high", _png_header(4, ">I", 224)),
        ("one pixel wider", _png_header(0, ">I", 113)),
        ("half as high", _png_header(4, ">I", 40)),
        ("3 bits a channel", _png_header(8, "B", 3)),
        ("32 bits a channel", _png_header(8, "B", 32)),
        ("another colour type", _png_header(9, "B", 6)),
        ("an unknown colour type", _png_header(9, "B", 5)),
        ("an unknown interlace", _png_header(12, "B", 9)),
        ("interlaced, which it isn't", _png_header(12, "B", 1)),
        ("a wrong checksum", _at(29, ">I", 1)),
        ("a chunk of 2 GB", _at(33, ">I", 2**31 - 1)),
    ],
    ".jpg": [
        ("65,500 × 65,500 pixels", _jpeg_frame(5, ">HH", 65_500, 65_500)),
        ("no height", _jpeg_frame(5, ">H", 0)),
        ("no width", _jpeg_frame(7, ">H", 0)),
        ("8,000 × 6,000 pixels", _jpeg_frame(5, ">HH", 6000, 8000)),
        ("twice as high", _jpeg_frame(5, ">H", 224)),
        ("half as wide", _jpeg_frame(7, ">H", 50)),
        ("12 bits a channel", _jpeg_frame(4, "B", 12)),
        ("no channels", _jpeg_frame(9, "B", 0)),
        ("200 channels", _jpeg_frame(9, "B", 200)),
        ("sampling 0 × 0", _jpeg_frame(11, "B", 0)),
        ("sampling 15 × 15", _jpeg_frame(11, "B", 0xFF)),
        ("a quantisation table that isn't there", _jpeg_frame(12, "B", 3)),
        ("a segment that ends in the next", _jpeg_frame(2, ">H", 30_000)),
        ("arithmetic coding, which it isn't", _jpeg_frame(1, "B", 0xC9)),
    ],
    ".gif": [
        ("65,535 × 65,535 pixels", _at(6, "<HH", 65_535, 65_535)),
        ("no pixels", _at(6, "<HH", 0, 0)),
        ("smaller than its frame", _at(6, "<HH", 3, 3)),
        ("no palette", _at(10, "B", 0)),
        ("a frame of 65,535 × 65,535", _after(b"\x2c\0\0\0\0", 5, "<HH", 65_535, 65_535)),
        ("a frame far outside", _after(b"\x2c\0\0\0\0", 1, "<HH", 60_000, 60_000)),
        ("GIF99a", _at(3, "3s", b"99a")),
    ],
    ".bmp": [
        ("its rows the other way round", _at(22, "<i", -40)),
        ("a height of -2,147,483,648", _at(22, "<i", -(2**31))),
        ("a width of -100", _at(18, "<i", -100)),
        ("60,000 × 60,000 pixels", _at(18, "<ii", 60_000, 60_000)),
        ("3 bits a pixel", _at(28, "<H", 3)),
        ("64 bits a pixel", _at(28, "<H", 64)),
        ("run lengths, which it isn't", _at(30, "<I", 1)),
        ("2 billion colours", _at(46, "<I", 2**31 - 1)),
        ("pixels behind its end", _at(10, "<I", 2**31 - 1)),
        ("a header of 4 GB", _at(14, "<I", 2**32 - 1)),
    ],
    ".webp": [
        ("16,383 × 16,383 pixels", _after(b"\x9d\x01\x2a", 3, "<HH", 16_383, 16_383)),
        ("16,384 × 16,384 pixels, lossless", _after(b"VP8L", 9, "<I", 0x0FFFFFFF)),
        ("no pixels", _after(b"\x9d\x01\x2a", 3, "<HH", 0, 0)),
        ("a container of 4 GB", _at(4, "<I", 2**32 - 1)),
        ("an empty container", _at(4, "<I", 0)),
        ("a chunk of 4 GB", _at(16, "<I", 2**32 - 1)),
        ("an unknown chunk", _at(12, "4s", b"VP9 ")),
    ],
    ".tif": [
        ("60,000 pixels wide", _tiff_tag(256, 4, 1, 60_000)),
        ("4,294,967,295 pixels high", _tiff_tag(257, 4, 1, 2**32 - 1)),
        ("64 bits a channel", _tiff_tag(258, 3, 1, 64)),
        ("no channels", _tiff_tag(277, 3, 1, 0)),
        ("200 channels", _tiff_tag(277, 3, 1, 200)),
        ("no rows in a strip", _tiff_tag(278, 4, 1, 0)),
        ("pixels behind its end", _tiff_tag(273, 4, 1, 2**31)),
        ("4 billion strips", _tiff_tag(273, 4, 2**32 - 1, 8)),
        ("a table behind its end", _at(4, "<I", 2**31)),
        ("compressed as fax", _tiff_tag(259, 3, 1, 4)),
        ("compressed in an unknown way", _tiff_tag(259, 3, 1, 65_000)),
    ],
    ".avif": [
        ("60,000 × 60,000 pixels", _after(b"ispe", 8, ">II", 60_000, 60_000)),
        ("no pixels", _after(b"ispe", 8, ">II", 0, 0)),
        ("a box of 4 GB", _after(b"meta", -4, ">I", 2**32 - 1)),
        ("pixels behind its end", _after(b"iloc", 18, ">I", 2**31)),
        ("another brand", _at(8, "4s", b"heic")),
    ],
}  # fmt: skip


# ---------------------------------------------------------------- small files that grow


def zeros(number: int) -> bytes:
    """Return ``number`` zero bytes as zlib would pack them, at once: a packed block of them is repeated."""
    step = 1 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(step)) + packer.flush(zlib.Z_FULL_FLUSH)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    rest = packer.compress(bytes(number % step)) + packer.flush()
    return b"\x78\xda" + block * (number // step) + rest + struct.pack(">HH", number % 65521, 1)


def black(width: int, height: int) -> bytes:
    """Return a black PNG of any size: whole and right, and about 1/8000 of its pixels in bytes."""
    return png(width, height, png_chunk(b"IDAT", zeros(height * (1 + (width + 7) // 8))), depth=1, colour=0)


def _bombs(photos, rng):
    """Each round is a little larger than the last."""
    for i in count():
        photo = {ending: stored[i % len(stored)] for ending, stored in photos.items()}
        head, rest = photo[".png"][:33], photo[".png"][33:]
        text = zeros((200 + 10 * i) << 20)
        side = 60_000 + i
        yield f"PNG of {side:,} × {side:,} pixels, whole", ".png", black(side, side), "refused"
        if i % 2 == 0:  # they cost most: everything is right about them, and they are as large as may be
            yield "PNG of 49 million pixels, whole", ".png", black(7000 + i, 7000 - i), "answered"
        yield "PNG, one pixel high and 60 million wide", ".png", black(60_000_000 + i, 1), "refused"
        yield "PNG with text of 200 MB", ".png", head + png_chunk(b"zTXt", b"a\0\0" + text) + rest, None
        yield "PNG with a note of 200 MB", ".png", head + png_chunk(b"iTXt", b"a\0\1\0\0\0" + text) + rest, None
        yield "PNG with a profile of 200 MB", ".png", head + png_chunk(b"iCCP", b"a\0\0" + text) + rest, None
        yield f"PNG with {50_000 + i:,} chunks", ".png", head + png_chunk(b"tEXt", b"a\0b") * (50_000 + i) + rest, None
        yield "PNG that holds 200 MB more than it shows", ".png", png(9, 9 + i, png_chunk(b"IDAT", text)), None
        frames = struct.pack(">II", 2**31 - 1 - i, 0)
        yield "PNG with 2 billion frames", ".png", head + png_chunk(b"acTL", frames) + rest, None
        yield "GIF with thousands of frames", ".gif", _many_frames(photo[".gif"], 5000 + i), None
        yield "TIFF whose tables go round", ".tif", _tables_go_round(photo[".tif"], i), None
        yield "TIFF with 65,535 entries", ".tif", _tiff(65_535, i), "refused"
        yield "TIFF entry of 4 billion values", ".tif", _with(photo[".tif"], _tiff_tag(258, 3, 2**32 - 1 - i, 8)), None
        yield "JPEG with thousands of scans", ".jpg", _many_scans(photos[".jpg"][1], 3000 + i), "refused"
        if i % 2 == 0:
            large = _grey(6000, 4000)
            yield "JPEG with thousands of scans, large", ".jpg", _many_scans(large, 2000 + i), "refused"
        yield "JPEG with restarts only", ".jpg", _restarts(photo[".jpg"], 500_000 + i), None
        segment = b"\xff\xe1\xff\xff" + bytes(65_533)
        yield "JPEG with 12 MB of segments", ".jpg", b"\xff\xd8" + segment * (190 + i) + photo[".jpg"][2:], None
        fill = b"\xff" * (1_000_000 + i)
        yield "JPEG behind a megabyte of fill", ".jpg", b"\xff\xd8" + fill + photo[".jpg"][2:], None
        yield "30 MB and one byte", ".jpg", photo[".jpg"] + bytes(30_000_001 + i - len(photo[".jpg"])), "refused"


def _with(data: bytes, lie) -> bytes:
    changed = bytearray(data)
    lie(changed)
    return bytes(changed)


def _many_frames(gif: bytes, number: int) -> bytes:
    """Return a GIF with a frame of one pixel many times behind its first."""
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return gif[:-1] + frame * number + b";"


def _tables_go_round(tiff: bytes, i: int) -> bytes:
    """Return a TIFF whose last table names its first as the next one; later rounds add an entry that does so too."""
    table = struct.unpack_from("<I", tiff, 4)[0]
    number = struct.unpack_from("<H", tiff, table)[0]
    data = bytearray(tiff)
    struct.pack_into("<I", data, table + 2 + 12 * number, table)
    if i % 2:
        struct.pack_into("<HHII", data, table + 2 + 12 * (number - 1), 34665, 4, 1, table)
    return bytes(data)


def _tiff(entries: int, i: int) -> bytes:
    return b"II*\0\x08\0\0\0" + struct.pack("<H", entries) + struct.pack("<HHII", 256 + i, 4, 1, 50) * entries


def _grey(width: int, height: int) -> bytes:
    return _saved(Image.new("L", (width, height), 140), ".jpg", progressive=True, quality=50)


def _many_scans(progressive: bytes, number: int) -> bytes:
    """Return a progressive JPEG with its last scan many times: each costs a pass over all pixels."""
    last = progressive.rfind(b"\xff\xda")
    return progressive[:last] + progressive[last:-2] * number + b"\xff\xd9"


def _restarts(jpeg: bytes, number: int) -> bytes:
    scan = jpeg.find(b"\xff\xda")
    interval = b"\xff\xdd\0\4\0\1"
    return jpeg[:scan] + interval + jpeg[scan : scan + 14] + b"\xff\xd0" * number + b"\xff\xd9"


# ---------------------------------------------------------------- EXIF


def _exif(photos, rng):
    """EXIF that says nothing or too much, in JPEG and PNG. The photo beside it is good, so it must be answered."""
    for i in count():
        for why, block in _exif_blocks(rng):
            jpeg = photos[".jpg"][i % len(photos[".jpg"])]
            segment = b"Exif\0\0" + block
            segment = b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment
            yield f"{why}, in a JPEG", ".jpg", jpeg[:2] + segment + jpeg[2:], "answered"
            if i % 2:
                stored = photos[".png"][i % len(photos[".png"])]
                yield f"{why}, in a PNG", ".png", stored[:33] + png_chunk(b"eXIf", block) + stored[33:], "answered"


def _exif_blocks(rng):
    for turned in range(1, 9):
        yield f"orientation {turned}", _orientation(turned)
    for wrong in (0, 9, 65_535):
        yield f"orientation {wrong}", _orientation(wrong)
    yield "orientation as text", _entries((0x0112, 2, 1, 0x36))
    yield "orientation as a fraction behind its end", _entries((0x0112, 5, 1, 60_000))
    yield "4 billion orientations", _entries((0x0112, 3, 2**32 - 1, 6))
    yield "two orientations", _entries((0x0112, 3, 1, 6), (0x0112, 3, 1, 3))
    yield "65,535 entries, one there", b"II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHII", 0x0112, 3, 1, 6)
    yield "tables that go round", _entries((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), following=8)
    yield "a table behind its end", b"II*\0" + struct.pack("<I", 2**31)
    yield "cut in its header", b"II*"
    yield "empty", b""
    yield "another byte order", b"XX*\0\x08\0\0\0"
    yield "random bytes", rng.bytes(200)
    yield "big-endian, orientation 6", b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)


def _orientation(value: int) -> bytes:
    return _entries((0x0112, 3, 1, value))


def _entries(*entries, following: int = 0) -> bytes:
    rows = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)


# ---------------------------------------------------------------- no photo at all


def _others(photos, rng):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr(zipfile.ZipInfo("photo.jpg"), photos[".jpg"][0])
    script = b"<script>fetch('/other')</script>"
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">'
    entity = b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    icon = photos[".png"][0]
    small = photos[".gif"][0]
    contents = {
        "HTML": b"<!DOCTYPE html><html><body><img src=x onerror=alert(1)>" + script + b"</body></html>",
        "SVG": svg + b'<rect width="90" height="90" fill="red"/></svg>',
        "SVG with a script": svg + script + b"</svg>",
        "SVG with an external entity": entity + svg + b"<text>&x;</text></svg>",
        "SVG that asks another host": svg + b'<image href="http://192.0.2.1/a.png" width="9" height="9"/></svg>',
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog/OpenAction<</S/JavaScript/JS(app.alert(1))>>>>endobj\n%%EOF",
        "ZIP with a photo": archive.getvalue(),
        "photo and ZIP": photos[".jpg"][0][:400] + archive.getvalue(),
        "ELF": b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 2, 62, 1) + rng.bytes(400),
        "EXE": b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + rng.bytes(300),
        "MP4": struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"mp41") + rng.bytes(300),
        "HEIC": struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"heic", 0, b"mif1", b"heic") + rng.bytes(300),
        "AVIF without pixels": struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"avif", 0, b"mif1", b"avif"),
        "pickle": pickle.dumps({"photo": [1, 2, 3]}, 4),
        "pickle that runs a command": b"cposix\nsystem\n(S'touch pickled'\ntR.",
        "ONNX": b"\x08\x0a\x12\x07skinlib:\x40" + rng.bytes(120),
        "NumPy array": b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128) + b"\n",
        "text": b"This is not a photo.\n" * 20,
        "JSON": json.dumps({"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}).encode(),
        "UTF-16 text": "Not a photo, either.".encode("utf-16") * 9,
        "nothing": b"",
        "one byte": b"\xff",
        "zeros": bytes(5000),
        "random bytes": rng.bytes(5000),
        "JPEG's signature and random bytes": b"\xff\xd8\xff\xe0" + rng.bytes(3000),
        "GIF that is a script": b"GIF89a/*" + rng.bytes(60).replace(b"*/", b"**") + b"*/=alert(1)//",
        "script in a GIF's comment": small[:-1] + b"\x21\xfe" + bytes([len(script)]) + script + b"\0;",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 90\n(%pipe%touch run) (w) file\n%%EOF\n",
        "icon": struct.pack("<HHHBBBBHHII", 0, 1, 1, 64, 64, 0, 0, 1, 32, len(icon), 22) + icon,
        "Photoshop": b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 64, 64, 8, 3) + bytes(12_400),
        "JPEG 2000": _saved(Image.new("RGB", (64, 64), "brown"), ".jp2"),
        "FITS": b"".join(
            line.ljust(80).encode() for line in ("SIMPLE  = T", "BITPIX  = 8", "NAXIS   = 2", "NAXIS1  = 64", "END")
        ).ljust(2880),
        "TGA": _saved(Image.new("RGB", (64, 64), "brown"), ".tga"),
        "PPM": b"P6 64 64 255\n" + rng.bytes(64 * 64 * 3),
        "XBM": b"#define a_width 64\n#define a_height 64\nstatic char a_bits[] = {\n" + b"0x00," * 512 + b"};",
        "XPM": b'/* XPM */\nstatic char *a[] = {"1 1 1 1", "a c red", "a"};\n',
        "PCX": _saved(Image.new("RGB", (64, 64), "brown"), ".pcx"),
        "cursor": b"\0\0\2\0" + struct.pack("<HBBBBHHII", 1, 64, 64, 0, 0, 1, 32, len(icon), 22) + icon,
    }
    answered = {"script in a GIF's comment": "answered", "photo and ZIP": None, "GIF that is a script": None}
    for endings in (".jpg", ".png", ".webp", ".gif", ".tif") * 1000:
        for why, data in contents.items():
            yield why, endings, data, answered.get(why, "refused")


# ---------------------------------------------------------------- odd names and paths


def _odd_names(folder: Path, photos) -> Iterator[Hostile]:
    names = [
        "🩹 knee 👍🏽.jpg", "photo\u202egpj.exe.jpg", "-rf.jpg", "--json.jpg", "  spaces  .jpg", "it's.jpg",
        'say "aah".jpg', "two\nlines.jpg", "tab\there.jpg", "a;touch b;.jpg", "$(touch b).jpg",
        "`touch b`.jpg", "a|b&c.jpg", "%2e%2e%2fa.jpg", "..jpg", "...", "con.jpg", "nul", "no ending",
        "photo.jpg.exe", "photo.svg", "photo.html", ".hidden.jpg", "<img src=x onerror=alert(1)>.jpg",
        "{{7*7}}.jpg", "%s%n%d.jpg", "*.jpg", "[a-z]?.jpg", "~.jpg", "#hash.jpg", "a?b=c.jpg", "' OR 1=1.jpg",
        "\u200b.jpg", "ﷺ" * 40 + ".jpg", "x" * 246 + ".jpg", "é" * 120 + ".jpg", "日本語の写真.jpg", "صورة.jpg",
        "e\u0301.jpg", "\x1b[31mred.jpg", "bell\x07.jpg", "back\\slash.jpg", "C:\\photo.jpg", "a:b.jpg",
        "NUL.txt.jpg", "a\rb.jpg", "line\u2028separator.jpg", "PHOTO.JPG", "photo.jpg.", "photo.PNG",
        "photo.tiff", "photo.heic", "photo.pdf", "null", "__proto__",
    ]  # fmt: skip
    for i in count():
        good, place = photos[".jpg"][i % 4], folder / f"names-{i}"
        (place / "damaged").mkdir(parents=True, exist_ok=True)
        for name in names:
            called = f"called {name if len(name) < 40 else name[:10] + '…'!a}"
            yield _write(place / name, good, "odd name", f"a photo {called}", "answered")
            if not name.isprintable():  # it must not reach a terminal or a log as it is
                yield _write(place / "damaged" / name, good[:500], "odd name", f"damaged, and {called}", "refused")


def _odd_paths(folder: Path, photos) -> Iterator[Hostile]:
    for i in count():
        place = folder / f"paths-{i}"
        place.mkdir(exist_ok=True)

        def link(name, target, place=place):
            if not (place / name).is_symlink():
                (place / name).symlink_to(target)
            return str(place / name)

        pipe = place / "pipe.jpg"
        if not pipe.exists():
            os.mkfifo(pipe)
        broken = os.fsencode(place) + b"/caf\xe9.jpg"
        with open(broken, "wb") as file:
            file.write(photos[".jpg"][0])
        for why, path, expected in (
            ("a path upwards", "../" * 20 + "etc/passwd", "refused"),
            ("a named pipe", str(pipe), "refused"),
            ("a link to an endless device", link("zero.jpg", "/dev/zero"), "refused"),
            ("an absolute path", "/etc/passwd", "refused"),
            ("the address of a file", "file:///etc/passwd", "refused"),
            ("a link to a file elsewhere", link("passwd.jpg", "/etc/passwd"), "refused"),
            ("a link to a folder", link("folder.jpg", "/etc"), "refused"),
            ("a link to itself", link("round.jpg", "round.jpg"), "refused"),
            ("a link to a file that grows as it is read", link("maps.jpg", "/proc/self/smaps"), "refused"),
            ("a device", "/dev/full", "refused"),
            ("a folder", str(place), "refused"),
            ("no path", "", "refused"),
            ("a null byte", str(place / "a\0.jpg"), "refused"),
            ("a name that is too long", str(place / ("x" * 5000)), "refused"),
            ("a web address", "http://127.0.0.1:9/photo.jpg", "refused"),
            ("an address that holds its data", "data:image/png;base64,iVBORw0KGgo=", "refused"),
            ("a path upwards, encoded", "..%2f..%2fetc%2fpasswd", "refused"),
            ("below a file", str(broken.decode(errors="surrogateescape")) + "/a.jpg", "refused"),
            ("a name that is not text", os.fsdecode(broken), "answered"),
            ("a Windows path", "\\\\192.0.2.1\\share\\photo.jpg", "refused"),
        ):
            yield Hostile(path, "odd path", why, expected)


def as_json(written: list[Hostile]) -> str:
    """Return the files as JSON, for another process. Its ASCII holds names that are no text, too."""
    return json.dumps([asdict(file) for file in written])
