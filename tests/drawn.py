"""What tests draw for themselves: tiny pictures in every format, and data sets of classes that are no disease.

Nothing here is a test, and nothing shows a person.
"""

import hashlib
import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from skinlib.data.conditions import CONDITIONS

# ---------------------------------------------------------------- single pictures and their bytes


def smooth(height=48, width=64):
    """Return a photo-like uint8 (height, width, 3) that lossy formats keep nearly unchanged."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [120 + 100 * np.sin(x / 20), 130 + 90 * np.cos(y / 15), 90 + 60 * np.sin((x + y) / 25)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def noise(height=20, width=30, channels=3, dtype=np.uint8):
    """Return random pixels, (height, width, channels), or (height, width) for one channel: the same each time."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def encoded(image, kind, **options):
    """Return the bytes of a Pillow image or array, stored as ``kind``."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width, height, depth, colour_type, rows=b"", *chunks):
    """Return a PNG made by hand: what its header claims need not be what it holds."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [chunk(b"IHDR", header), *(chunk(*c) for c in chunks), chunk(b"IDAT", zlib.compress(rows))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


# ---------------------------------------------------------------- folders of classes


def tiny(name: str) -> bytes:
    """Return a picture of 24 × 32 pixels as PNG: another one for each name, the same for the same name."""
    rng = np.random.default_rng(list(hashlib.sha256(name.encode(errors="replace")).digest()))
    picture = np.full((24, 32, 3), rng.integers(40, 216, 3), np.uint8)
    x, y = int(rng.integers(6, 26)), int(rng.integers(6, 18))
    cv2.circle(picture, (x, y), int(rng.integers(3, 7)), rng.integers(0, 256, 3).tolist(), -1)
    return cv2.imencode(".png", picture)[1].tobytes()


def fill(folder: Path, files: Mapping[str, bytes] | list[str]) -> Path:
    """Write files below a folder: those given with their bytes, or, by their names alone, a tiny picture each."""
    for name in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(files[name] if isinstance(files, Mapping) else tiny(name))
    return folder


def write_eight(root: Path) -> Path:
    """Write two photos of each of the eight conditions into ``train_set/`` and one into ``test_set/``; return the root.

    They are a.png, b.jpg and c.webp, 48 × 64 pixels, all different.
    """
    for number, condition in enumerate(CONDITIONS):
        for place, name in (("train_set", "b.jpg"), ("train_set", "a.png"), ("test_set", "c.webp")):
            photo = np.roll(smooth(), 3 * number + ord(name[0]), axis=1)
            (root / place / condition.folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo).save(root / place / condition.folder / name)
    return root


def pet(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a cat (pointed ears) or a dog (hanging ears, a long snout): uint8 RGB, sides of 48 to 96 pixels."""
    height, width = (int(side) for side in rng.integers(48, 97, 2))
    # Drawn large and made small, so that edges are smooth; the wall is mottled, as no two rooms are alike.
    mottled = cv2.resize(rng.normal(0, 22, (9, 9, 3)).astype(np.float32), (192, 192), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(rng.integers(60, 200, 3) + mottled, 0, 255).astype(np.uint8)
    fur = rng.integers(40, 230, 3)
    ears, dark = (fur * 0.6).astype(int).tolist(), (fur * 0.25).astype(int).tolist()
    x, y = (int(place) for place in rng.integers(80, 113, 2))
    size = int(rng.integers(40, 56))
    for side in (-1, 1):
        if kind == "cat":
            corners = [(side * 0.95, -0.3), (side * 0.85, -1.5), (side * 0.2, -0.8)]
            ear = np.int32([(x + a * size, y + b * size) for a, b in corners])
            cv2.fillConvexPoly(picture, ear, ears, cv2.LINE_AA)
        else:
            place = (x + side * size, y + int(0.1 * size))
            cv2.ellipse(picture, place, (int(0.35 * size), size), side * -15, 0, 360, ears, -1, cv2.LINE_AA)
    head = (size, int(0.85 * size)) if kind == "cat" else (int(0.8 * size), int(1.05 * size))
    cv2.ellipse(picture, (x, y), head, 0, 0, 360, fur.tolist(), -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (5, 10) if kind == "cat" else (8, 8)
        cv2.ellipse(picture, (x + side * size // 3, y - size // 5), eye, 0, 0, 360, dark, -1, cv2.LINE_AA)
    nose = (6, 4) if kind == "cat" else (14, 18)
    cv2.ellipse(picture, (x, y + size // 3), nose, 0, 0, 360, dark, -1, cv2.LINE_AA)
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


PETS = {"cats": "cat", "dogs": "dog"}
"""Folders of the pets' classes, and what is drawn for each."""
COPIES = {
    "val": lambda photo: np.clip(photo * 1.2, 0, 255).astype(np.uint8),
    "test": lambda photo: np.ascontiguousarray(photo[:, ::-1]),
}
"""How the copies of training photos are made that lie in the other splits: brighter, and mirrored."""


def draw_pets(folder: Path, splits: bool = True, per_class: int = 14, seed: int = 0) -> dict[str, str]:
    """Draw a data set of cats and dogs into ``folder``; return {path: name of the photo that the file shows}.

    With ``splits``, 3 of 14 photos of a class lie in ``val/``, 3 in ``test/`` and the others in ``train/``; without,
    all lie in one folder for each class. Three files of a class are copies of its first three training photos: one to
    the byte, among the training photos, and one in each of the other splits, as :data:`COPIES` has them. Needs
    ``per_class`` of 8 or more.
    """
    shown = {}
    for number, (name, kind) in enumerate(PETS.items()):
        photos = [pet(kind, np.random.default_rng([seed, number, i])) for i in range(per_class - 3)]
        n_held_out = max(1, round(0.2 * len(photos)))
        places = ["train"] * (len(photos) - 2 * n_held_out) + ["val"] * n_held_out + ["test"] * n_held_out
        sources = [*range(len(photos)), 0, 1, 2]
        files = [_jpeg(photo) for photo in photos]
        files += [files[0], *(_jpeg(copied(photos[i])) for i, copied in enumerate(COPIES.values(), start=1))]
        for i, (place, source, content) in enumerate(zip([*places, "train", *COPIES], sources, files, strict=True)):
            path = f"{place}/{name}/{kind} {i:02d}.jpg" if splits else f"{name}/{kind} {i:02d}.jpg"
            fill(folder, {path: content})
            shown[path] = f"{kind} {source}"
    return shown


def _jpeg(photo: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", photo[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
