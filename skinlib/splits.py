"""Which photo is for learning, which for choosing, which for judging.

Introduced in chapter 3, Training.
"""

import numpy as np
import pandas as pd

VALIDATION_SHARE = 0.2


def official(photos: pd.DataFrame, seed: int = 0, validation_share: float = VALIDATION_SHARE) -> np.ndarray:
    """Return "train", "validation" or "test" for each row of a catalogue, as an array of strings.

    The test photos are the data set's own ``test_set/``. Of each condition in ``train_set/`` a random share becomes
    validation, as in the original recipe; here the draw has a seed. Nothing keeps copies of one photo together.
    """
    split = photos.split.to_numpy(dtype=object).copy()
    rng = np.random.default_rng(seed)
    for key in sorted(photos.condition.unique()):
        rows = np.flatnonzero((photos.split == "train") & (photos.condition == key))
        held_out = rng.permutation(rows)[: round(validation_share * len(rows))]
        split[held_out] = "validation"
    return split
