"""A small photo as a large camera would have taken it: more pixels, and the detail that such pixels hold.

Introduced in chapter 2, Preprocessing.
"""

import cv2
import numpy as np

RELIEF = 8.0
"""Standard deviation of noise and pores, in levels of 255."""
HAIRS = 80
"""Hairs that lie across the photo."""


def enlarged(photo: np.ndarray, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Return a photo, uint8 (H, W, 3), RGB, with about so many pixels, and fine detail drawn over it.

    Enlarging invents no detail, and a camera of many megapixels sees some: the grain of its sensor, pores, hairs of a
    few pixels. It is drawn by ``rng``; the photo's own contents stay what they are.
    """
    scale = np.sqrt(pixels / (photo.shape[0] * photo.shape[1]))
    size = tuple(max(1, round(scale * side)) for side in photo.shape[1::-1])
    large = cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC)
    width, height = size
    side = 509  # of a tile, laid again and again, which is much quicker than as much noise
    grain, pores = rng.normal(size=(2, side, side)).astype(np.float32)
    pores = cv2.GaussianBlur(pores, (0, 0), 2)
    tile = RELIEF * (grain + pores / pores.std()) / np.sqrt(2)
    relief = np.tile(tile, (height // side + 1, width // side + 1))[:height, :width]
    for _ in range(HAIRS):
        root, length = rng.uniform(0, size), rng.uniform(0.05, 0.2) * width
        bends = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(-1, 1), 12)
        curve = root + np.cumsum(np.stack([np.cos(bends), np.sin(bends)], 1) * length / 12, axis=0)
        cv2.polylines(relief, [np.int32(curve)], False, -70.0, max(1, round(width / 1000)))
    return np.clip(large + relief[..., None], 0, 255).round().astype(np.uint8)
