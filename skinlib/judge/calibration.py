"""Does 80 % sure mean right in 80 of 100 cases? Measure it, see how far a small set can tell, and mend it.

What is measured counts the rows it is given: give it :func:`skinlib.judge.evaluate.one_vote_per_photo`. What is fitted
is fitted on validation photos, gives every photo one vote by itself, and refuses anything else. Introduced in chapter
4, Evaluation.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import rankdata

from skinlib.judge.evaluate import (
    check_validation,
    conflicting,
    is_right,
    keys_of,
    photo_ids,
    probabilities,
    top_probability,
    truth,
    wilson_interval,
)

N_BINS = 15
"""Bins of a calibration error, as many as Guo et al. (2017) took."""
TEMPERATURES = (0.05, 100.0)
"""Between these a temperature is looked for."""


def expected_calibration_error(predictions: pd.DataFrame, n_bins: int = N_BINS) -> float:
    """Return how far confidence lies from accuracy, 0 to 1: the mean over bins of |accuracy − mean confidence|.

    Photos go into ``n_bins`` bins by the probability of their answer, and each bin counts by its photos (Guo et al.,
    2017). The bins hold as many photos each, not as wide a range (Nixon et al., 2019): most answers of a network are
    nearly certain, and would leave bins of equal width empty. Equal probabilities share a bin, so the order of rows
    doesn't matter. The error of a small set is too large even for a perfect model: see :func:`calibration_bias`. Raises
    ValueError without rows.
    """
    top = top_probability(predictions)
    return _error(is_right(predictions), top, _bins(top, n_bins))


def reliability_table(
    predictions: pd.DataFrame, n_bins: int = N_BINS, n_draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return what a reliability diagram shows: one row per bin, from the least to the most confident.

    Columns: photos, correct, confidence (the mean), accuracy, low and high (its 95 % Wilson interval), calibrated_low
    and calibrated_high. The last two hold the accuracies that the bin of a perfectly calibrated model would show in
    95 % of ``n_draws`` draws of the truth from its own probabilities (Bröcker and Smith, 2007).
    """
    top = top_probability(predictions)
    bins = _bins(top, n_bins)
    photos, rng = np.bincount(bins), np.random.default_rng(seed)
    correct = np.bincount(bins, is_right(predictions)).astype(np.int64)
    drawn = [np.bincount(bins, rng.random(len(top)) < top) / photos for _ in range(n_draws)]
    table: dict[str, np.ndarray] = {"photos": photos, "correct": correct}
    table |= {"confidence": np.bincount(bins, top) / photos, "accuracy": correct / photos}
    ends = [wilson_interval(int(k), int(n)) for k, n in zip(correct, photos, strict=True)]
    table["low"], table["high"] = np.transpose(ends)
    table["calibrated_low"], table["calibrated_high"] = np.quantile(drawn, [0.025, 0.975], axis=0)
    return pd.DataFrame(table)


def calibration_bias(predictions: pd.DataFrame, n_bins: int = N_BINS, n_draws: int = 1000, seed: int = 0) -> np.ndarray:
    """Return the calibration errors that a perfectly calibrated model would show on photos like these.

    Each of ``n_draws`` times the truth is drawn from the probabilities themselves, which are then exactly right; what
    error is left is chance. Float64 (n_draws,), never less than 0: its mean is the floor of
    :func:`expected_calibration_error` on a set of this size (Kumar et al., 2019, and Roelofs et al., 2022, on this
    bias), and an error among its values is no sign of bad calibration. Raises ValueError without rows.
    """
    top, rng = top_probability(predictions), np.random.default_rng(seed)
    bins = _bins(top, n_bins)
    # The truth is the answer with the answer's probability; which other condition it is else makes no difference.
    return np.array([_error(rng.random(len(top)) < top, top, bins) for _ in range(n_draws)])


def bias_by_size(
    predictions: pd.DataFrame, sizes: Sequence[int], n_bins: int = N_BINS, n_draws: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Return :func:`calibration_bias` for sets of other sizes, drawn with replacement from these photos.

    One row per size: photos, mean, low and high: the errors of a perfectly calibrated model, their mean and the middle
    95 % of them.
    """
    top, rng, rows = top_probability(predictions), np.random.default_rng(seed), []
    for size in sizes:
        errors = []
        for _ in range(n_draws):
            drawn = rng.choice(top, size)
            errors.append(_error(rng.random(size) < drawn, drawn, _bins(drawn, n_bins)))
        rows.append([size, np.mean(errors), *np.quantile(errors, [0.025, 0.975])])
    return pd.DataFrame(rows, columns=["photos", "mean", "low", "high"])


def _bins(top: np.ndarray, n_bins: int) -> np.ndarray:
    """Return each photo's bin, int (n,), 0 and on without a gap: equal numbers of photos, ties kept together."""
    if not len(top):
        raise ValueError("without photos there is no calibration to measure")
    places = (rankdata(top) - 0.5) * n_bins / len(top)
    return np.unique(places.astype(int), return_inverse=True)[1]


def _error(right: np.ndarray, top: np.ndarray, bins: np.ndarray) -> float:
    return float(np.abs(np.bincount(bins, right - top)).sum() / len(top))


def fit_temperature(validation: pd.DataFrame) -> float:
    """Return the temperature that makes the log loss of validation photos least (Guo et al., 2017).

    Above 1 the model was too sure, below 1 not sure enough. Each photo counts once, its files sharing the weight;
    photos with two labels don't count. It is sought between the :data:`TEMPERATURES`. Without any mistake among the
    photos nothing tells how sure is too sure, and the temperature comes out low and worthless. Raises ValueError unless
    all rows are of validation photos: a temperature fitted to training photos trusts memory, and one fitted to test
    photos makes the test a lie. Validation photos with copies among the training photos are memory too.
    """
    check_validation(validation)
    files = validation[~conflicting(validation)]
    if files.empty:
        raise ValueError("every validation photo has two labels: there is nothing to fit")
    shares = 1 / photo_ids(files).groupby(photo_ids(files)).transform("size").to_numpy()
    logits, rows, true = _logits(files), np.arange(len(files)), truth(files)

    def loss(log_temperature):
        return -shares @ log_softmax(logits / np.exp(log_temperature), axis=1)[rows, true]

    # In the logarithm of the temperature the loss has one valley: it is convex in 1 / temperature.
    lowest = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(lowest.x))


def with_temperature(predictions: pd.DataFrame, temperature: float) -> pd.DataFrame:
    """Return a copy of the table with softmax(logits / temperature) for its probabilities; no answer changes.

    The logits need not be kept: softmax(log p / temperature) is the same, because log p differs from the logits by one
    number per photo, which softmax ignores. Raises ValueError for a temperature that is not above 0.
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"a temperature of {temperature} cannot be: it must be above 0")
    scaled = softmax(_logits(predictions) / temperature, axis=1)
    return predictions.assign(**dict(zip(keys_of(predictions), scaled.T, strict=True)))


def _logits(predictions: pd.DataFrame) -> np.ndarray:
    """Return logits, each photo's up to one number, (n, classes); none below the least float32, which was lost as 0."""
    return np.log(np.maximum(probabilities(predictions), np.finfo(np.float32).tiny))
