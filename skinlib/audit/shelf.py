"""Sketches kept in the store: none of them is made twice."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from skinlib.audit.sketch import FEATURES, SQUARE, Sketch, perceptual_hashes, sketch
from skinlib.base.fingerprint import key_for
from skinlib.base.store import Store
from skinlib.data.dataset import DataSet
from skinlib.data.reading import read

RECORD = np.dtype(
    [
        ("positions", "<f4", (FEATURES, 2)),
        ("descriptors", "i1", (FEATURES, 128)),
        ("mirrored", "?", FEATURES),
        ("square", "u1", (SQUARE, SQUARE)),
        ("count", "<u4"),
    ]
)
"""A sketch on disk, 60 kilobytes: its fields, with zeros after the last feature, and how many features there are."""


def _to_bytes(made: Sketch) -> bytes:
    """Return a sketch as bytes: one RECORD."""
    record = np.zeros((), RECORD)
    for field in ("positions", "descriptors", "mirrored"):
        record[field][: len(made.positions)] = getattr(made, field)
    record["square"], record["count"] = made.square, len(made.positions)
    return record.tobytes()


def _from_bytes(data: bytes) -> Sketch:
    """Return the sketch that these bytes are."""
    record = np.frombuffer(data, RECORD)[0]
    features = (record[field][: record["count"]] for field in ("positions", "descriptors", "mirrored"))
    return Sketch(record["square"], *features)


@dataclass(frozen=True)
class Shelf:
    """The sketches of a folder's photos, each under the sha256 of its photo's content."""

    store: Store
    root: Path
    """Folder of the photos."""
    key: str
    """Names all that shapes a sketch but the photo."""

    def sketch(self, sha256: str, path: str) -> Sketch:
        """Return the sketch of a photo: the one on the shelf, or else a new one, which is then put there.

        Raises PhotoError, and OSError where the disk is full.
        """
        return _from_bytes(
            self.store.value("sketches", self.key, lambda: _to_bytes(sketch(read(self.root / path))), sha256)
        )


def sketcher(shelf: Shelf) -> Callable[[tuple[str, str]], np.ndarray]:
    """Return the worker that puts the sketch of a photo, (sha256, path), on the shelf and returns its hashes."""
    cv2.setNumThreads(1)  # The runner has a worker for each core.
    return lambda content: perceptual_hashes(shelf.sketch(*content).square)


@contextlib.contextmanager
def open_shelf(data: DataSet) -> Iterator[tuple[Shelf, Path]]:
    """Give the shelf in the data's store for sketches made by this code, and a folder that lasts as long as the block.

    Where the store can't be written, the shelf lasts no longer either.
    """
    store = Store(data.store.root.absolute())
    with contextlib.ExitStack() as opened:
        try:
            scratch = opened.enter_context(store.scratch("sketches"))
        except OSError:
            scratch = Path(opened.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
            store = Store(scratch)
        yield Shelf(store, data.root.absolute(), key_for("skinlib.audit.sketch")), scratch
