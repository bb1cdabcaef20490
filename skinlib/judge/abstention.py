"""When should a model say "I don't know"? When it isn't sure enough, and when the photo is none of what it learned.

The first half reads tables of predictions: give it :func:`skinlib.judge.evaluate.one_vote_per_photo`. The second half,
on photos that show none of the classes, takes plain arrays and returns plain arrays. Introduced in chapter 4,
Evaluation, and used in chapter 5.
"""

import numpy as np
import pandas as pd
from scipy.special import logsumexp
from sklearn.neighbors import NearestNeighbors

from skinlib.judge.evaluate import auc, check_validation, is_right, one_vote_per_photo, top_probability, wilson_interval

LEAST_ANSWERED = 20
"""Answers to validation photos that a promise has to rest on, at least. Of fewer the true share could be nearly
anything: with 4 of 5 right, it may be 38 %."""


def risk_coverage(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return what a model risks if it answers only when it is sure: its risk–coverage curve.

    One row per distinct probability of an answer, from the greatest down: threshold; answered, the photos whose answer
    is at least as probable; correct, how many of these are right; coverage, the share of all photos that is answered;
    and risk, the share of the answered that is wrong (El-Yaniv and Wiener, 2010; Geifman and El-Yaniv, 2017). The last
    row answers every photo.
    """
    top, right = top_probability(predictions), is_right(predictions)
    order = np.argsort(-top, kind="stable")
    last = np.flatnonzero(np.diff(top[order], append=-np.inf))  # photos with equal probabilities go together
    count, correct = last + 1, np.cumsum(right[order])[last]
    table = {"threshold": top[order][last], "answered": count, "correct": correct}
    return pd.DataFrame(table | {"coverage": count / len(top), "risk": 1 - correct / count})


def area_under_risk_coverage(predictions: pd.DataFrame) -> float:
    """Return the mean risk over all coverages, 0 to 1 (Geifman et al., 2019), as a sum of steps.

    Lower is better: mistakes are few, and are the answers the model was least sure of. A model that is equally sure of
    everything gets its share of wrong answers. Raises ValueError without rows.
    """
    if predictions.empty:
        raise ValueError("without photos there is no risk to measure")
    curve = risk_coverage(predictions)
    return float((np.diff(curve.coverage, prepend=0) * curve.risk).sum())


def threshold_for(validation: pd.DataFrame, accuracy: float, least: int = LEAST_ANSWERED) -> float:
    """Return the probability from which on answers are to be given, so that a share ``accuracy`` of them is right.

    Of all thresholds that do it on the validation photos, one vote each, and answer ``least`` of them or more, it is
    the one that answers most. Infinity where none does: then nothing can be promised. It was chosen because it looked
    good on these photos, and will do worse on others, the more so the fewer they were: judge it on test photos, with
    :func:`judge_at`. Raises ValueError unless all rows are of validation photos, and for an ``accuracy`` outside 0 to
    1.
    """
    check_validation(validation)
    if not 0 <= accuracy <= 1:
        raise ValueError(f"an accuracy of {accuracy} cannot be: ask for 0 to 1")
    curve = risk_coverage(one_vote_per_photo(validation))
    # Nine in ten are 90 %, whatever 0.9 is in binary.
    good = curve[(curve.correct >= accuracy * curve.answered - 1e-9) & (curve.answered >= least)]
    return float(good.threshold.iloc[-1]) if len(good) else float("inf")


def answered(predictions: pd.DataFrame, threshold: float) -> pd.DataFrame:
    """Return the rows whose answer has at least the probability ``threshold``; the others get "I don't know"."""
    return predictions[top_probability(predictions) >= threshold]


def judge_at(predictions: pd.DataFrame, threshold: float) -> dict:
    """Return how a model does that answers only from ``threshold`` on; ready for JSON but for an infinite threshold.

    Keys: threshold, photos, answered, coverage (their share), correct, accuracy (among the answered; None without any)
    and accuracy_interval (Wilson, 95 %). Raises ValueError without rows.
    """
    if predictions.empty:
        raise ValueError("without photos there is nothing to judge")
    rows = answered(predictions, threshold)
    correct = int(is_right(rows).sum())
    return {
        "threshold": float(threshold),
        "photos": len(predictions),
        "answered": len(rows),
        "coverage": len(rows) / len(predictions),
        "correct": correct,
        "accuracy": correct / len(rows) if len(rows) else None,
        "accuracy_interval": list(wilson_interval(correct, len(rows))),
    }


def softmax_strangeness(probabilities: np.ndarray) -> np.ndarray:
    """Return 1 − the greatest probability, float (n,), 0 to 1 − 1 / classes, from probabilities (n, classes).

    The baseline of Hendrycks and Gimpel (2017): a model may be less sure of what it never saw.
    """
    return 1 - np.max(probabilities, axis=1)


def energy(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return −temperature · log Σ exp(logits / temperature), float (n,), any number, from logits (n, classes).

    After Liu et al. (2020): a strange photo may excite no output much. It wants the logits themselves. A table of
    predictions does not hold them: softmax forgets their level, and that level is what the energy measures.
    """
    return -temperature * logsumexp(np.asarray(logits, float) / temperature, axis=1)


def neighbour_distance(features: np.ndarray, training_features: np.ndarray, k: int = 5) -> np.ndarray:
    """Return the distance to the ``k``-th nearest training photo in the direction of features, float (n,), 0 to 2.

    ``features`` is (n, d), ``training_features`` (m, d); all are scaled to length 1 first (Sun et al., 2022). Give one
    file of each training photo: ``k`` copies of one photo are one neighbour. The other usual choice, a Mahalanobis
    distance (Lee et al., 2018), needs a covariance of d × d numbers; with 2,048 features and a few hundred photos most
    of it would come from the assumption that makes it invertible. This one assumes nothing but that near is alike.
    Raises ValueError for a ``k`` that is not 1 to m.
    """
    if not 1 <= k <= len(training_features):
        raise ValueError(f"of {len(training_features)} training photos none is the {k}-th nearest: use 1 or more")
    # Cosines, and not distances of unit rows: features of nothing but zeros have no direction, and are √2 from all.
    neighbours = NearestNeighbors(n_neighbors=k, metric="cosine").fit(np.asarray(training_features, float))
    return np.sqrt(2 * neighbours.kneighbors(np.asarray(features, float))[0][:, -1])


def auroc(known: np.ndarray, others: np.ndarray) -> float:
    """Return how often one of ``others`` is stranger than one of ``known``, ties counting half: 0.5 is chance.

    Both are scores, float (n,) and (m,), the higher the stranger. NaN where one side has no photos.
    """
    return auc(np.repeat([False, True], [len(known), len(others)]), np.r_[known, others])


def limit_for(known: np.ndarray, true_positive_rate: float = 0.95) -> float:
    """Return the strangeness up to which a share ``true_positive_rate`` of the ``known`` scores, or more, lies."""
    return float(np.quantile(known, true_positive_rate, method="inverted_cdf"))
