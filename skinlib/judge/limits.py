"""When to answer, and how surely: what is chosen on validation photos before a model meets strangers.

Introduced in chapter 6, Deployment; each of the three numbers has its section in chapter 4.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlib.judge.abstention import limit_for, neighbour_distance, threshold_for
from skinlib.judge.calibration import fit_temperature, with_temperature

TARGET_ACCURACY = 0.8
"""Share of the answers that has to be right, on validation photos, for the model to answer at all."""
KNOWN_SHARE = 0.95
"""Share of the validation photos that must not be taken for strangers."""
NEIGHBOURS = 5
"""Which nearest training photo says how strange a photo is."""


@dataclass(frozen=True)
class Limits:
    """What a model needs beside its weights to give an answer, or none."""

    temperature: float
    """By which its logits are divided."""
    threshold: float | None
    """Calibrated probability from which on it answers; None where none keeps the promise: then it never does."""
    strangeness: float
    """Distance to the training photos above which a photo counts as a stranger."""
    target_accuracy: float
    """Share of answers that were right on the validation photos, or more."""


def choose_limits(
    validation: pd.DataFrame,
    validation_features: np.ndarray,
    training_features: np.ndarray,
    target_accuracy: float = TARGET_ACCURACY,
) -> Limits:
    """Choose temperature, threshold and limit of strangeness, all on validation photos.

    ``validation`` is a table of predictions, ``validation_features`` float32 (n, features) of one file of each of its
    photos, ``training_features`` float32 (m, features) of the photos that strangeness is measured against. Raises
    ValueError where a row of ``validation`` is of another split.
    """
    temperature = fit_temperature(validation)
    threshold = threshold_for(with_temperature(validation, temperature), target_accuracy)
    distances = neighbour_distance(validation_features, training_features, min(NEIGHBOURS, len(training_features)))
    return Limits(
        temperature, threshold if np.isfinite(threshold) else None, limit_for(distances, KNOWN_SHARE), target_accuracy
    )
