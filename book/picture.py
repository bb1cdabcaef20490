"""Draw the picture of the README, from simulated photos only: python book/picture.py"""

from pathlib import Path

import cv2
import numpy as np

from skinlib.data import brushes, drawings
from skinlib.data.conditions import KEYS
from skinlib.figures import shared

SIDE, QUALITY = 120, 85
TARGET = Path(__file__).parent / "_static" / "sample.jpg"

if __name__ == "__main__":
    tones = list(brushes.TONES)
    columns = [
        np.vstack([shared.square(drawings.draw(key, np.random.default_rng([3, i]), tone)[0], SIDE) for tone in tones])
        for i, key in enumerate(KEYS)
    ]
    cv2.imwrite(str(TARGET), np.hstack(columns)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
