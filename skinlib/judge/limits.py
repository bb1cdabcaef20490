"""When to answer, and how surely: what is chosen on validation photos before a model meets strangers.

Introduced in chapter 6, Deployment; each of the three numbers has its section in chapter 4.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skinlib.judge.abstention import judge_at, limit_for, neighbour_distance, threshold_for
from skinlib.judge.calibration import fit_temperature, with_temperature
from skinlib.judge.evaluate import one_vote_per_photo

TARGET_ACCURACY = 0.8
"""Share of the answers that has to be right, on validation photos, for the model to answer at all."""
KNOWN_SHARE = 0.95
"""Share of the validation photos that must not be taken for strangers."""
NEIGHBOURS = 5
"""Which nearest training photo says how strange a photo is."""


@dataclass(frozen=True)
class Promise:
    """That a share of the answers is right, and the validation photos that this rests on, one vote each."""

    target: float
    """Share of the answers that was to be right."""
    photos: int
    """Validation photos."""
    answered: int
    """How many of them get an answer; 0 where no threshold keeps the promise: then none is made."""
    correct: int
    """How many of these answers are right."""
    low: float
    """How small the share of right answers may be all the same: the lower end of its 95 % interval (Wilson, 1927)."""


@dataclass(frozen=True)
class Limits:
    """What a model needs beside its weights to give an answer, or none."""

    temperature: float
    """By which its logits are divided."""
    threshold: float | None
    """Calibrated probability from which on it answers; None where none keeps the promise: then it never does."""
    strangeness: float
    """Distance to the training photos above which a photo counts as a stranger."""
    promise: Promise
    """What the threshold keeps on the validation photos."""


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
    calibrated = with_temperature(validation, temperature)
    threshold = threshold_for(calibrated, target_accuracy)
    judged = judge_at(one_vote_per_photo(calibrated), threshold)
    promise = Promise(
        target_accuracy, judged["photos"], judged["answered"], judged["correct"], judged["accuracy_interval"][0]
    )
    distances = neighbour_distance(validation_features, training_features, min(NEIGHBOURS, len(training_features)))
    strangeness = limit_for(distances, KNOWN_SHARE)
    return Limits(temperature, threshold if np.isfinite(threshold) else None, strangeness, promise)
