"""What the audit remembers of a photo: a small grey square, its local features, its hashes under eight turns.

Introduced in chapter 1, How many photos?
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

WORKING_SIDE = 224
"""Short side, in pixels, to which a photo is resized before its features are found."""
STRONGEST = 1000
"""Features described of one photo, the strongest of it."""
FEATURES = 320
"""Features kept of these."""
CELLS = 4
"""Rows and columns of cells from which they are taken in turn, or a logo's crisp letters would be all that is kept."""
SQUARE = 128
"""Side of the small grey square, in pixels, on which photos are compared. All positions are given on it."""


@dataclass(frozen=True)
class Sketch:
    """What the audit remembers of a photo."""

    square: np.ndarray
    """The whole photo in grey, squeezed to uint8 (128, 128)."""
    positions: np.ndarray
    """Where its features are on the square, float32 (k, 2), x and y."""
    descriptors: np.ndarray
    """What they look like, int8 (k, 128), each of length 127, mirrored to the standard side."""
    mirrored: np.ndarray
    """Which of them had to be mirrored for that, bool (k,)."""


def sketch(photo: np.ndarray) -> Sketch:
    """Reduce a photo, uint8 (H, W, 3), to its :class:`Sketch`."""
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    scale = min(WORKING_SIDE / min(height, width), 2 * WORKING_SIDE / max(height, width))
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    working = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    points, descriptors = cv2.SIFT_create(STRONGEST, contrastThreshold=0.01).detectAndCompute(working, None)
    positions = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    order = _spread_out(positions / np.array(size), np.array([point.response for point in points]))
    positions = positions[order]
    descriptors, mirrored = _standard_side(np.zeros((0, 128)) if descriptors is None else descriptors[order])
    square = cv2.resize(working, (SQUARE, SQUARE), interpolation=cv2.INTER_AREA)
    positions = (positions + 0.5) * (SQUARE / np.array(size, np.float32)) - 0.5
    return Sketch(square, positions, descriptors, mirrored)


def _spread_out(positions: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Return the order of features, at (k, 2) from 0 to 1: the strongest of each cell, then the second of each, …"""
    column, row = np.clip((positions * CELLS).astype(int), 0, CELLS - 1).T
    cell = row * CELLS + column
    order = np.lexsort([-strength, cell])
    _, start, size = np.unique(cell[order], return_index=True, return_counts=True)
    rank = np.empty(len(order), int)
    rank[order] = np.arange(len(order)) - np.repeat(start, size)
    return np.lexsort([-strength, rank])[:FEATURES]


MIRROR = np.arange(128).reshape(4, 4, 8)[::-1][:, :, -np.arange(8)].ravel()
"""The order in which a descriptor's 4 × 4 cells of 8 directions come when the photo is mirrored."""


def _standard_side(descriptors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mirror each descriptor, (k, 128), whose gradients turn to the left more than to the right; take square roots."""
    turns = descriptors.reshape(-1, 16, 8).sum(axis=1)
    mirrored = turns[:, 1:4].sum(axis=1) < turns[:, 5:8].sum(axis=1)
    descriptors = np.where(mirrored[:, None], descriptors[:, MIRROR], descriptors)
    rooted = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1))
    return np.round(127 * rooted).astype(np.int8), mirrored


TURNS = tuple((a, b, c) for a, b, c in itertools.product((False, True), repeat=3))
"""The eight ways to lay a square on itself: (transposed, then mirrored left to right, then top to bottom)."""


def perceptual_hashes(square: np.ndarray) -> np.ndarray:
    """Return the hash of a grey square, (128, 128), under each of ``TURNS``: uint8 (8, 8), a row of 64 bits each.

    A bit is the sign of one of the 8 × 8 lowest frequencies (Zauner, 2010, who compares with their median; the sign has
    the advantage that a turned photo need not be hashed anew). Mirroring a photo changes the sign of every other
    frequency along that side, and transposing it transposes the frequencies.
    """
    small = cv2.resize(square, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    waves = cv2.dct(small - small.mean())[:8, :8]
    odd = (-1.0) ** np.arange(8)
    bits = []
    for transposed, left_right, top_bottom in TURNS:
        turned = waves.T if transposed else waves
        turned = turned * (odd if left_right else 1) * (odd[:, None] if top_bottom else 1)
        bits.append(turned.ravel() > 0)
    return np.packbits(bits, axis=1)


def turn_matrix(turn: tuple[bool, bool, bool]) -> np.ndarray:
    """Return the affine map, (2, 3), that lays a square on itself as one of ``TURNS`` says."""
    transposed, left_right, top_bottom = turn
    matrix = np.eye(3)[[1, 0, 2]] if transposed else np.eye(3)
    end = SQUARE - 1
    if left_right:
        matrix = np.array([[-1, 0, end], [0, 1, 0], [0, 0, 1]]) @ matrix
    if top_bottom:
        matrix = np.array([[1, 0, 0], [0, -1, end], [0, 0, 1]]) @ matrix
    return matrix[:2]
