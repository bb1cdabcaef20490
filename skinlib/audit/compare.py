"""The careful test: lay one photo on the other, cut both into blocks, and correlate block by block.

Introduced in chapter 1, How many photos?
"""

from dataclasses import dataclass

import cv2
import numpy as np

from skinlib.audit.sketch import SQUARE, Sketch

BLOCK = 16
"""Side of the blocks in which they are compared."""
MIN_INLIERS = 8
"""Shared features that must lie on the same affine map."""
MIN_AGREEMENT = 0.55
"""Median correlation of the blocks from which two photos count as the same."""
MIN_SEEN = 0.4
"""Share of the blocks laid on each other that must have something to see: a logo on two blank photos says nothing."""
MIN_OVERLAP = 0.25
"""Share of one of the two photos that must lie on the other."""


@dataclass(frozen=True)
class Comparison:
    """How well one photo, laid on another, agrees with it."""

    agreement: float = 0.0
    """Median correlation of the blocks, -1 to 1."""
    overlap: float = 0.0
    """Share of one photo that lies on the other, the greater of the two, 0 to 1."""
    inliers: int = 0
    """Features on the same map; 0 where the map came from the hashes."""

    @property
    def same(self) -> bool:
        """Whether the two are one photo."""
        return self.agreement >= MIN_AGREEMENT and self.overlap >= MIN_OVERLAP


def _without_light(square: np.ndarray) -> np.ndarray:
    """Return the details of a grey square, float32: noise and slow changes of light are taken away."""
    square = square.astype(np.float32)
    return cv2.GaussianBlur(square, (0, 0), 0.7) - cv2.GaussianBlur(square, (0, 0), 6)


def agreement(a: np.ndarray, b: np.ndarray, matrix: np.ndarray) -> tuple[float, float]:
    """Lay square ``a`` on square ``b`` by an affine map, (2, 3); return (median correlation of the blocks, overlap).

    Of the blocks that are covered, only those count that have something to see in one of the two. Where they are fewer
    than four, or than a share of MIN_SEEN, nothing can be told, and the first number is 0.
    """
    covered = cv2.warpAffine(np.ones((SQUARE, SQUARE), np.float32), matrix, (SQUARE, SQUARE)) > 0.99
    laid = cv2.warpAffine(_without_light(a), matrix, (SQUARE, SQUARE))
    laid_on = _blocks(covered).mean(axis=1) > 0.9
    x, y = _blocks(laid)[laid_on], _blocks(_without_light(b))[laid_on]
    x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    x_spread, y_spread = x.std(axis=1), y.std(axis=1)
    seen = np.maximum(x_spread, y_spread) > 1  # grey levels; below that there is only the noise of compression
    overlap = min(covered.mean() / min(1.0, max(abs(np.linalg.det(matrix[:, :2])), 1e-6)), 1.0)
    if seen.sum() < max(4, MIN_SEEN * len(seen)):
        return 0.0, float(overlap)
    correlation = (x * y).mean(axis=1) / np.maximum(x_spread * y_spread, 0.5)
    return float(np.median(correlation[seen])), float(overlap)


def _blocks(square: np.ndarray) -> np.ndarray:
    """Cut a square, (128, 128), into its blocks: (64, 256)."""
    count = SQUARE // BLOCK
    return square.reshape(count, BLOCK, count, BLOCK).swapaxes(1, 2).reshape(count * count, -1)


def _matches(a: Sketch, b: Sketch) -> tuple[np.ndarray, np.ndarray]:
    """Return positions in the features of ``a`` and ``b`` of those that match: each other's best, and clearly so."""
    cosine = (a.descriptors.astype(np.float32) @ b.descriptors.astype(np.float32).T) / 127**2
    best = cosine.argmax(axis=1)
    first = cosine[np.arange(len(best)), best]
    rows = np.flatnonzero(first == cosine.max(axis=0)[best])
    first = first[rows]
    cosine[rows, best[rows]] = -1
    clear = 1 - first < 0.85**2 * (1 - cosine[rows].max(axis=1, initial=-1))  # Lowe's ratio test
    return rows[clear], best[rows[clear]]


@dataclass(frozen=True)
class Match:
    """Features that two photos share, and the map that most of them obey."""

    places: np.ndarray
    """Where they are on the first square, float32 (k, 2)."""
    other_places: np.ndarray
    """Where they are on the second."""
    matrix: np.ndarray | None = None
    """The affine map, (2, 3), from the first square to the second; None where no map fits MIN_INLIERS of them."""
    inliers: int = 0
    """How many of them lie on that map."""


def match(a: Sketch, b: Sketch) -> Match:
    """Find the features that two photos share, all upright or all mirrored, and how the first lies on the second."""
    best = Match(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))
    if min(len(a.positions), len(b.positions)) < MIN_INLIERS:
        return best
    of_a, of_b = _matches(a, b)
    one_mirrored = a.mirrored[of_a] != b.mirrored[of_b]
    for rows in (one_mirrored, ~one_mirrored):
        if rows.sum() < max(MIN_INLIERS, best.inliers):
            continue
        places, other_places = a.positions[of_a[rows]], b.positions[of_b[rows]]
        matrix, on_map = cv2.estimateAffine2D(
            places, other_places, ransacReprojThreshold=2.0, maxIters=1000, confidence=0.999
        )
        if matrix is None or on_map.sum() < max(MIN_INLIERS, best.inliers + 1):
            continue
        large, small = np.linalg.svd(matrix[:, :2], compute_uv=False)
        if large < 6 and small > 1 / 6 and large < 4 * small:  # no copy is squeezed more than that
            best = Match(places, other_places, matrix, int(on_map.sum()))
    return best


def compare(a: Sketch, b: Sketch) -> Comparison:
    """Find how ``a`` lies on ``b`` from the features they share, and how well the two then agree."""
    matched = match(a, b)
    if matched.matrix is None:
        return Comparison()
    return Comparison(*agreement(a.square, b.square, matched.matrix), matched.inliers)
