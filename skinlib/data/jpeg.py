"""How a JPEG is built, as far as it decides whether a file can be read: its frame, its scans, its end.

Introduced in chapter 2, Preprocessing.
"""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

END = b"\xff\xd9"
"""The mark at the end of every JPEG."""
NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.S)
"""What ends the pixels of a scan: a marker, other than a restart within them."""
FILLINGS = (b"", b"\x55" * 64, b"\xaa" * 64)
"""What is put where a JPEG breaks off, to see whether its decoder still wants something there."""


@dataclass(frozen=True)
class Frame:
    """What the frame header of a JPEG says."""

    marker: int
    """Second byte of its marker: how the pixels are coded."""
    bits: int
    """Bits of each channel."""
    components: bytes
    """Number of each channel."""


def segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (second byte of the marker, content) of each segment of a JPEG, until they make no sense or end.

    The pixels behind a scan's header belong to no segment. The end mark is yielded with no content.
    """
    at = 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a byte that fills
            at += 1
            continue
        if marker == END[1]:
            yield marker, b""
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data) or end < at + 4:
            return
        yield marker, data[at + 4 : end]
        at = end
        if marker == 0xDA:
            following = NEXT_MARKER.search(data, at)
            at = following.start() if following else len(data)


def frame_of(data: bytes) -> Frame | None:
    """Return the frame of a JPEG; None where there is none."""
    for marker, content in segments(data):
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            return Frame(marker, content[0], content[6::3]) if len(content) >= 6 else None
    return None


def lacks_end_alone(data: bytes, decode: Callable[[bytes], np.ndarray]) -> np.ndarray | None:
    """Return the pixels of a JPEG that lacks its end mark and nothing else; None for any other.

    Where a file breaks off within its pixels, decoders fill up in silence. So it is decoded with other bytes behind it
    each time: where they change a pixel, one was missing. ``decode`` takes the bytes of a whole JPEG.
    """
    parts = list(segments(data))
    if (parts and parts[-1][0] == END[1]) or not _all_scans(parts, frame_of(data)):
        return None
    data = data.rstrip(b"\xff")  # the first half of the mark
    pixels = [decode(data + filling + END) for filling in FILLINGS]
    same = all(np.array_equal(pixels[0], other) for other in pixels[1:])
    return pixels[0] if same else None


def _all_scans(parts: list[tuple[int, bytes]], frame: Frame | None) -> bool:
    """Tell whether the scans bring every coefficient of every channel to its last bit: a progressive JPEG has many."""
    if frame is None:
        return False
    lacking = set(itertools.product(frame.components, range(64)))
    for marker, content in parts:
        if marker == 0xDA and len(content) >= 4 + 2 * content[0]:
            channels = content[1 : 1 + 2 * content[0] : 2]
            first, last, bits = content[1 + 2 * content[0] : 4 + 2 * content[0]]
            if bits & 15 == 0:
                lacking -= set(itertools.product(channels, range(first, last + 1)))
    return not lacking
