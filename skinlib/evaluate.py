"""How good is it, and how sure may we be? Everything here comes from a table of predictions.

A table of predictions has one row per photo: ``condition`` (the truth), ``split``, and one column of probability for
each condition's key. Introduced in chapter 4, Evaluation.
"""

import math
from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pandas as pd

from skinlib.conditions import KEYS

SPLITS = ("train", "validation", "test")


def predictions_table(photos: pd.DataFrame, split: np.ndarray, probabilities: np.ndarray) -> pd.DataFrame:
    """Return a table of predictions: path, photo_id, split, condition, predicted, and a column for each key.

    ``photos`` is a catalogue of n rows, ``split`` (n,) as :func:`skinlib.splits.official` gives it, ``probabilities``
    (n, 8).
    """
    table = photos[["path", "photo_id"]].assign(split=split, condition=photos.condition)
    table["predicted"] = np.array(KEYS)[probabilities.argmax(axis=1)]
    table[list(KEYS)] = probabilities
    return table.reset_index(drop=True)


def probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Return the probabilities of all photos, float64 (n, 8), columns in the order of ``KEYS``."""
    return predictions[list(KEYS)].to_numpy(dtype=float)


def truth(predictions: pd.DataFrame) -> np.ndarray:
    """Return the true condition of all photos as positions in ``KEYS``, int64 (n,). Raises ValueError for others."""
    positions = pd.Index(KEYS).get_indexer(predictions.condition).astype(np.int64)
    if (positions < 0).any():
        raise ValueError(f"{predictions.condition[positions < 0].iloc[0]!r} is not one of the conditions")
    return positions


def accuracy(predictions: pd.DataFrame) -> float:
    """Return the share of photos whose most probable condition is the true one, 0 to 1."""
    return top_k_accuracy(predictions, 1)


def top_k_accuracy(predictions: pd.DataFrame, k: int) -> float:
    """Return the share of photos whose true condition is among the ``k`` most probable ones, 0 to 1."""
    ranked = np.argsort(-probabilities(predictions), axis=1, kind="stable")
    return float((ranked[:, :k] == truth(predictions)[:, None]).any(axis=1).mean())


def log_loss(predictions: pd.DataFrame) -> float:
    """Return the mean of −log(probability given to the truth): categorical cross-entropy, in nats, from 0 up."""
    given = probabilities(predictions)[np.arange(len(predictions)), truth(predictions)]
    return float(-np.log(np.clip(given, 1e-15, 1)).mean())


def confusion_matrix(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count photos by true condition (rows) and predicted condition (columns): int64 (8, 8), keys as labels."""
    counts = np.zeros((len(KEYS), len(KEYS)), dtype=np.int64)
    np.add.at(counts, (truth(predictions), probabilities(predictions).argmax(axis=1)), 1)
    return pd.DataFrame(counts, index=pd.Index(KEYS, name="true"), columns=pd.Index(KEYS, name="predicted"))


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds a proportion with the given confidence (Wilson, 1927), both ends 0 to 1.

    It stays inside 0 to 1 and keeps its promise for small samples and extreme proportions, where the textbook
    interval p ± 1.96·√(p(1−p)/n) does not. It takes the trials to be independent: copies of one photo are not.
    Without trials nothing is known, and the interval is (0, 1).
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials cannot be")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    p = successes / trials
    centre = (p + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * math.sqrt(p * (1 - p) / trials + z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else centre - half  # exact ends, free of rounding
    high = 1.0 if successes == trials else centre + half
    return low, high


def accuracy_table(tables: Mapping[str, pd.DataFrame], confidence: float = 0.95) -> pd.DataFrame:
    """Compare the accuracy of several tables of predictions, each with its Wilson interval.

    One row per name in ``tables``: photos, correct, accuracy, low, high. Without photos accuracy is NaN.
    """
    rows = {}
    for name, table in tables.items():
        correct = int((truth(table) == probabilities(table).argmax(axis=1)).sum())
        share = correct / len(table) if len(table) else float("nan")
        rows[name] = [len(table), correct, share, *wilson_interval(correct, len(table), confidence)]
    result = pd.DataFrame.from_dict(rows, orient="index", columns=["photos", "correct", "accuracy", "low", "high"])
    return result.astype({"photos": "int64", "correct": "int64"})


def per_class(predictions: pd.DataFrame, confidence: float = 0.95) -> pd.DataFrame:
    """Return precision, recall and F1 of each condition, with the Wilson interval of its recall.

    One row per key: photos, precision, recall, f1, recall_low, recall_high. Precision is NaN where nothing was
    predicted as the condition, recall where no photo shows it: nothing was measured there. F1 is NaN only where both
    are; a condition that is there and never predicted has an F1 of 0, or leaving it out would raise the mean.
    """
    counts = confusion_matrix(predictions).to_numpy()
    right, true, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        precision, recall, f1 = right / predicted, right / true, 2 * right / (true + predicted)
    intervals = [wilson_interval(int(k), int(n), confidence) for k, n in zip(right, true, strict=True)]
    table = {"photos": true, "precision": precision, "recall": recall, "f1": f1}
    table["recall_low"], table["recall_high"] = np.transpose(intervals)
    return pd.DataFrame(table, index=pd.Index(KEYS, name="condition"))


def roc_curve(predictions: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ROC curve of one condition against the rest: false-positive rate, true-positive rate, threshold.

    Three float64 arrays of one length, from (0, 0) at threshold infinity to (1, 1). NaN where one side has no photos.
    """
    false, true, thresholds, positives, negatives = _counts_by_threshold(predictions, key)
    with np.errstate(invalid="ignore"):
        rates = np.r_[0, false] / negatives, np.r_[0, true] / positives
    return *rates, np.r_[np.inf, thresholds]


def roc_auc(predictions: pd.DataFrame, key: str) -> float:
    """Return the area under the ROC curve: how often a photo of ``key`` scores above one that isn't. 0.5 is chance."""
    false_rate, true_rate, _ = roc_curve(predictions, key)
    widths, heights = np.diff(false_rate), (true_rate[1:] + true_rate[:-1]) / 2
    return float((widths * heights).sum())


def precision_recall_curve(predictions: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the precision–recall curve of one condition against the rest: precision, recall, threshold.

    Three float64 arrays of one length, in the order of falling threshold and rising recall.
    """
    false, true, thresholds, positives, _ = _counts_by_threshold(predictions, key)
    with np.errstate(invalid="ignore"):
        return true / (true + false), true / positives, thresholds


def average_precision(predictions: pd.DataFrame, key: str) -> float:
    """Return the area under the precision–recall curve as a sum of steps. Chance is the share of ``key``'s photos."""
    precision, recall, _ = precision_recall_curve(predictions, key)
    return float((np.diff(np.r_[0, recall]) * precision).sum())


def _counts_by_threshold(predictions: pd.DataFrame, key: str):
    """Count false and true positives at each distinct score, from the highest score down."""
    scores = predictions[key].to_numpy(dtype=float)
    is_key = (predictions.condition == key).to_numpy()
    order = np.argsort(-scores, kind="stable")
    scores, is_key = scores[order], is_key[order]
    last = np.r_[np.flatnonzero(np.diff(scores)), len(scores) - 1]  # photos with equal scores go together
    true = np.cumsum(is_key)[last]
    return last + 1 - true, true, scores[last], is_key.sum(), (~is_key).sum()


def metrics(predictions: pd.DataFrame) -> dict:
    """Return the headline numbers of each split, ready for JSON.

    Per split: photos, correct, accuracy with its Wilson interval, top-2 accuracy, log loss, macro-averaged precision,
    recall (balanced accuracy) and F1 over the conditions where they are defined, and recall and F1 of each condition.
    """
    return {
        split: _metrics_of(rows) for split in SPLITS if len(rows := predictions[predictions.split == split])
    }  # fmt: skip


def _metrics_of(predictions: pd.DataFrame) -> dict:
    table = per_class(predictions)
    correct = int(np.diag(confusion_matrix(predictions)).sum())

    def number(value):
        return None if math.isnan(value) else float(value)

    return {
        "photos": len(predictions),
        "correct": correct,
        "accuracy": correct / len(predictions),
        "accuracy_interval": list(wilson_interval(correct, len(predictions))),
        "top_2_accuracy": top_k_accuracy(predictions, 2),
        "log_loss": log_loss(predictions),
        "macro_precision": number(table.precision.mean()),
        "macro_recall": number(table.recall.mean()),
        "macro_f1": number(table.f1.mean()),
        "recall": {key: number(value) for key, value in table.recall.items()},
        "f1": {key: number(value) for key, value in table.f1.items()},
    }


def confused_pairs(predictions: pd.DataFrame) -> pd.DataFrame:
    """List the pairs of conditions that are taken for one another, most frequent first.

    Columns: true, predicted, photos, share (of the true condition's photos, 0 to 1).
    """
    counts = confusion_matrix(predictions)
    pairs = counts.stack().rename("photos").reset_index()
    pairs["share"] = pairs.photos / pairs.true.map(counts.sum(axis=1)).clip(lower=1)
    pairs = pairs[(pairs.true != pairs.predicted) & (pairs.photos > 0)]
    return pairs.sort_values(["photos", "share"], ascending=False, kind="stable", ignore_index=True)
