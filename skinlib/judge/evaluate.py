"""How good is it, and how sure may we be? Everything here comes from a table of predictions.

A table of predictions has one row per file: ``condition`` (the truth), ``split``, ``photo_id`` and one column of
probability for each condition's key. Several files can be copies of one photo, and copies are no new evidence:
:func:`one_vote_per_photo` makes one row of them. :func:`metrics` and :func:`compare_runs` do so by themselves; every
other function counts the rows it is given. The usual scores are scikit-learn's; what is written out here, it has not.
Introduced in chapter 4, Evaluation.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import NormalDist

import numpy as np
import pandas as pd
import sklearn.metrics
from scipy.stats import binomtest, mannwhitneyu
from sklearn.exceptions import UndefinedMetricWarning

from skinlib.base.settings import SPLITS

PREDICTION_COLUMNS = ("path", "photo_id", "split", "condition", "predicted", "files")
"""Columns of a table of predictions that are no class."""


def predictions_table(
    photos: pd.DataFrame, split: np.ndarray, probabilities: np.ndarray, keys: Sequence[str]
) -> pd.DataFrame:
    """Return a table of predictions: path, photo_id, split, condition, predicted, and a column for each key.

    ``photos`` is a catalogue of n rows, ``split`` (n,) as :func:`skinlib.data.splits.official` gives it,
    ``probabilities`` (n, classes) in the order of ``keys``. Where no audit gave the photos a photo_id, it is missing.
    """
    table = photos[["path"]].assign(photo_id=photos.get("photo_id"), split=split, condition=photos.condition)
    table["predicted"] = np.array(keys, dtype=object)[probabilities.argmax(axis=1)]
    columns = pd.DataFrame(probabilities, columns=list(keys), index=table.index)
    return pd.concat([table, columns], axis=1).reset_index(drop=True)


def keys_of(predictions: pd.DataFrame) -> list[str]:
    """Return the classes of a table of predictions, in the order of the model's outputs.

    They are its columns of floating-point numbers, but for those of :data:`PREDICTION_COLUMNS`.
    """
    return [
        name
        for name, kind in predictions.dtypes.items()
        if name not in PREDICTION_COLUMNS and pd.api.types.is_float_dtype(kind)
    ]


def probabilities(predictions: pd.DataFrame) -> np.ndarray:
    """Return the probabilities of all photos, float64 (n, classes), columns in the order of :func:`keys_of`."""
    return predictions[keys_of(predictions)].to_numpy(dtype=float)


def truth(predictions: pd.DataFrame) -> np.ndarray:
    """Return the true class of all photos as positions in :func:`keys_of`, int64 (n,). Raises ValueError for others."""
    positions = pd.Index(keys_of(predictions)).get_indexer(predictions.condition).astype(np.int64)
    if (positions < 0).any():
        raise ValueError(f"{predictions.condition[positions < 0].iloc[0]!r} is not one of the classes")
    return positions


def photo_ids(predictions: pd.DataFrame) -> pd.Series:
    """Return which photo each row shows, as strings: its photo_id, or its path where nobody looked for copies."""
    known = predictions.photo_id.notna()
    return predictions.photo_id.astype(str).where(known, predictions.path.astype(str))


def conflicting(predictions: pd.DataFrame) -> np.ndarray:
    """Tell which rows show a photo whose files have two labels in one split, bool (n,).

    Whatever is answered to such a photo, one of its labels calls it wrong, so nobody can judge the answer.
    """
    keys = [predictions.split.to_numpy(), photo_ids(predictions).to_numpy()]
    labels = pd.Series(truth(predictions)).groupby(keys).transform("nunique")
    return labels.to_numpy() > 1


def one_vote_per_photo(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a table of predictions with one row per split and photo_id: copies of a photo don't count twice.

    A photo's probabilities are the mean of its files', ``path`` is that of the first, and ``files``, a further column,
    counts them. A file without photo_id is a photo by itself. Photos that are :func:`conflicting` are left out;
    :func:`metrics` counts them. Photos stand in the order of their first files.
    """
    by, keys = ["split", "photo_id"], keys_of(predictions)
    files = predictions.assign(photo_id=photo_ids(predictions), files=predictions.get("files", 1))
    photos = files[~conflicting(files)].groupby(by, sort=False, as_index=False)
    ways = {"path": "first", "condition": "first", "files": "sum"} | dict.fromkeys(keys, "mean")
    votes = photos.agg(ways)
    votes["predicted"] = np.array(keys, dtype=object)[probabilities(votes).argmax(axis=1)]
    return votes[["path", "photo_id", "split", "condition", "predicted", *keys, "files"]]


def check_validation(predictions: pd.DataFrame) -> None:
    """Raise ValueError unless there are rows and all are of validation photos: for whatever is chosen, not judged.

    What was chosen on training photos is chosen for memory, and what was chosen on test photos spoils the test.
    """
    others = sorted(set(predictions.split) - {"validation"})
    if others or predictions.empty:
        trouble = f"among these are {' and '.join(others)} photos" if others else "there are none"
        raise ValueError(f"choose on validation photos alone: {trouble}")


def answers(predictions: pd.DataFrame) -> np.ndarray:
    """Return the most probable class of all photos as positions in :func:`keys_of`, int64 (n,); of equals the first."""
    return probabilities(predictions).argmax(axis=1)


def is_right(predictions: pd.DataFrame) -> np.ndarray:
    """Tell for which rows the most probable condition is the true one, bool (n,)."""
    return answers(predictions) == truth(predictions)


def top_probability(predictions: pd.DataFrame) -> np.ndarray:
    """Return the probability of each row's answer, its greatest one: float64 (n,), 1 / classes to 1."""
    return probabilities(predictions).max(axis=1)


def accuracy(predictions: pd.DataFrame) -> float:
    """Return the share of photos whose most probable condition is the true one, 0 to 1."""
    return float(is_right(predictions).mean())


def balanced_accuracy(predictions: pd.DataFrame) -> float:
    """Return the mean over conditions of the share of their photos that were found, 0 to 1.

    Each condition that is there counts the same, however few its photos, so answering the most frequent one gains
    nothing.
    """
    true = truth(predictions)
    return float(sklearn.metrics.recall_score(true, answers(predictions), labels=np.unique(true), average="macro"))


def top_k_accuracy(predictions: pd.DataFrame, k: int) -> float:
    """Return the share of photos whose true condition is among the ``k`` most probable ones, 0 to 1.

    Of equal probabilities the first class ranks higher, as in :func:`answers`: in scikit-learn's score it is the last.
    """
    ranked = np.argsort(-probabilities(predictions), axis=1, kind="stable")
    return float((ranked[:, :k] == truth(predictions)[:, None]).any(axis=1).mean())


def log_loss(predictions: pd.DataFrame) -> float:
    """Return the mean of −log(probability given to the truth): categorical cross-entropy, in nats, from 0 up.

    A probability below 1e-15 counts as 1e-15, so that one certain mistake costs 34.5 and not infinity.
    """
    given = np.clip(probabilities(predictions), 1e-15, 1)
    with _without_warnings():
        return float(sklearn.metrics.log_loss(truth(predictions), given, labels=range(given.shape[1])))


def brier_score(predictions: pd.DataFrame) -> float:
    """Return the mean squared distance of the probabilities from the truth, summed over conditions (Brier, 1950).

    From 0 for a model that is certain and right to 2 for one that is certain and wrong, of two classes or of forty.
    Unlike the log loss, no single mistake can cost more than 2.
    """
    given = np.minimum(probabilities(predictions), 1)  # some softmax may round to just above it
    with _without_warnings():
        return sklearn.metrics.brier_score_loss(
            truth(predictions), given, labels=range(given.shape[1]), scale_by_half=False
        )


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Let scikit-learn give NaN where a class has no photos, and take float32 probabilities, whose sum is nearly 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", "The y_prob values do not sum to one|No positive class found")
        yield


def confusion_matrix(predictions: pd.DataFrame) -> pd.DataFrame:
    """Count photos by true condition (rows) and predicted one (columns): int64 (classes, classes), keys as labels."""
    keys = keys_of(predictions)
    counts = sklearn.metrics.confusion_matrix(truth(predictions), answers(predictions), labels=range(len(keys)))
    return pd.DataFrame(counts, index=pd.Index(keys, name="true"), columns=pd.Index(keys, name="predicted"))


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


def cluster_bootstrap(
    predictions: pd.DataFrame,
    statistic: Callable[[pd.DataFrame], float | np.ndarray],
    n_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return an interval for any statistic of a table of predictions, drawing whole photos again and again.

    All files of a photo are drawn together, so copies don't pass for evidence (the cluster bootstrap of Field and
    Welsh, 2007); the interval holds the middle of what the drawn sets give (the percentile method of Efron, 1979). It
    asks nothing of the statistic's shape. But where every photo gives the same, so does every drawn set, and the
    interval is a point: for a share near 0 or 1 trust :func:`wilson_interval` more.

    ``statistic`` takes a table and returns a number, such as :func:`balanced_accuracy`; or one value per row, such as
    :func:`is_right`, of which the mean is meant, and which is asked only once. A photo drawn twice has two photo_ids.
    Drawn sets for which the statistic is NaN are left out. Raises ValueError without rows.
    """
    if predictions.empty:
        raise ValueError("without photos there is nothing to draw")
    # The order of photo_ids and not of rows, so that a table in another order gives the same interval.
    photo = np.unique(photo_ids(predictions).to_numpy(dtype=str), return_inverse=True)[1]
    files = np.bincount(photo)
    values = np.asarray(statistic(predictions))
    if values.ndim:
        sums = np.bincount(photo, values)

        def of(drawn):
            return sums[drawn].sum() / files[drawn].sum()
    else:
        rows_of = np.split(np.argsort(photo, kind="stable"), np.cumsum(files)[:-1])

        def of(drawn):
            rows = predictions.iloc[np.concatenate([rows_of[one] for one in drawn])]
            return statistic(rows.assign(photo_id=np.repeat(np.arange(len(drawn)), files[drawn])))

    rng = np.random.default_rng(seed)
    results = [of(rng.integers(len(files), size=len(files))) for _ in range(n_resamples)]
    low, high = np.nanquantile(results, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def accuracy_table(tables: Mapping[str, pd.DataFrame], confidence: float = 0.95) -> pd.DataFrame:
    """Compare the accuracy of several tables of predictions, each with its Wilson interval.

    One row per name in ``tables``: photos, correct, accuracy, low, high. Without photos accuracy is NaN.
    """
    rows = {}
    for name, table in tables.items():
        correct = int(is_right(table).sum())
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
    keys = keys_of(predictions)
    precision, recall, f1, _ = sklearn.metrics.precision_recall_fscore_support(
        truth(predictions), answers(predictions), labels=range(len(keys)), zero_division=np.nan
    )
    counts = confusion_matrix(predictions).to_numpy()
    right, photos = np.diag(counts), counts.sum(axis=1)
    ends = [wilson_interval(int(k), int(n), confidence) for k, n in zip(right, photos, strict=True)]
    table = {"photos": photos, "precision": precision, "recall": recall, "f1": f1}
    table["recall_low"], table["recall_high"] = np.transpose(ends)
    return pd.DataFrame(table, index=pd.Index(keys, name="condition"))


def roc_curve(predictions: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the ROC curve of one condition against the rest: false-positive rate, true-positive rate, threshold.

    Three float64 arrays of one length, from (0, 0) at threshold infinity to (1, 1). NaN where one side has no photos.
    """
    with _without_warnings():
        return sklearn.metrics.roc_curve(*_one_against_rest(predictions, key), drop_intermediate=False)


def roc_auc(predictions: pd.DataFrame, key: str) -> float:
    """Return the area under the ROC curve: how often a photo of ``key`` scores above one that isn't. 0.5 is chance."""
    return auc(*_one_against_rest(predictions, key))


def _one_against_rest(predictions: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows show ``key``, bool (n,), and its probabilities, float64 (n,)."""
    return (predictions.condition == key).to_numpy(), predictions[key].to_numpy(float)


def auc(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return how often a positive has a higher score than a negative, ties counting half: 0.5 is chance.

    ``positive`` is bool (n,), ``scores`` float (n,). It is the area under the ROC curve; NaN where one side is empty.
    """
    above, below = scores[positive], scores[~positive]
    if not len(above) or not len(below):
        return float("nan")
    # Mann and Whitney's U counts these pairs. It takes a third of scikit-learn's time, and is asked thousands of times
    # where an area is bootstrapped.
    return float(mannwhitneyu(above, below, method="asymptotic").statistic / (len(above) * len(below)))


def precision_recall_curve(predictions: pd.DataFrame, key: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the precision–recall curve of one condition against the rest: precision, recall, threshold.

    Three float64 arrays of one length, in the order of falling threshold and rising recall; recall is NaN where no
    photo shows ``key``.
    """
    is_key, scores = _one_against_rest(predictions, key)
    with _without_warnings():
        precision, recall, thresholds = sklearn.metrics.precision_recall_curve(is_key, scores)
    recall = recall if is_key.any() else np.full_like(recall, np.nan)  # scikit-learn would say 1
    return precision[-2::-1], recall[-2::-1], thresholds[::-1]  # without its last point, which no threshold reaches


def average_precision(predictions: pd.DataFrame, key: str) -> float:
    """Return the area under the precision–recall curve as a sum of steps. Chance is the share of ``key``'s photos.

    NaN where no photo shows ``key``.
    """
    is_key, scores = _one_against_rest(predictions, key)
    return sklearn.metrics.average_precision_score(is_key, scores) if is_key.any() else float("nan")


def metrics(predictions: pd.DataFrame) -> dict:
    """Return the headline numbers of each split, ready for JSON. Every photo has one vote, however many its files.

    Per split: files and file_accuracy, which count copies, as the original did; conflicts, the photos left out because
    they have two labels; and of the other photos: photos, correct, accuracy, its Wilson and its bootstrap interval,
    balanced accuracy, top-2 accuracy, log loss, Brier score, and macro-averaged precision, recall (that is, balanced
    accuracy) and F1 over the conditions where they are defined; then recall, precision and F1 of each condition. A
    split without any photo that can be judged is left out.
    """
    parts = {split: predictions[predictions.split == split] for split in SPLITS}
    return {split: _metrics_of(rows) for split, rows in parts.items() if not conflicting(rows).all()}


def _metrics_of(predictions: pd.DataFrame) -> dict:
    votes = one_vote_per_photo(predictions)
    table = per_class(votes)
    correct = int(is_right(votes).sum())

    def number(value):
        return None if math.isnan(value) else float(value)

    return {
        "files": len(predictions),
        "file_accuracy": accuracy(predictions),
        "conflicts": int(photo_ids(predictions)[conflicting(predictions)].nunique()),
        "photos": len(votes),
        "correct": correct,
        "accuracy": correct / len(votes),
        "accuracy_interval": list(wilson_interval(correct, len(votes))),
        "accuracy_bootstrap": list(cluster_bootstrap(votes, is_right)),
        "balanced_accuracy": balanced_accuracy(votes),
        "top_2_accuracy": top_k_accuracy(votes, 2),
        "log_loss": log_loss(votes),
        "brier": brier_score(votes),
        "macro_precision": number(table.precision.mean()),
        "macro_recall": number(table.recall.mean()),
        "macro_f1": number(table.f1.mean()),
        **{name: {key: number(value) for key, value in table[name].items()} for name in ("recall", "precision", "f1")},
    }


def compare_runs(
    a: pd.DataFrame,
    b: pd.DataFrame,
    split: str = "test",
    n_resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict:
    """Compare two models on the photos that both judged, photo by photo; ready for JSON.

    ``a`` and ``b`` are tables of predictions; every photo has one vote. Hard photos are hard for both models, so the
    pairs tell more than two separate intervals do. Returns

    - photos, those compared, and left_out, those that only one judged or that have another label in each;
    - both_right, only_a, only_b (right), both_wrong: they add up to photos;
    - p_value: if neither were better, how often only_a and only_b would differ as much or more: McNemar's test (1947)
      in its exact form, a two-sided sign test on the photos on which the models disagree;
    - difference, the accuracy of ``b`` less that of ``a``, and difference_interval, from :func:`cluster_bootstrap`.

    Raises ValueError where they share no photo.
    """
    first, second = (
        votes.assign(right=is_right(votes))[["photo_id", "path", "condition", "right"]]
        for votes in (one_vote_per_photo(table[table.split == split]) for table in (a, b))
    )
    pairs = first.merge(second, on=["photo_id", "condition"], suffixes=("", "_b"))
    if pairs.empty:
        raise ValueError(f"the two have no {split} photo in common: compare models that judged the same photos")
    either = len(set(first.photo_id) | set(second.photo_id))
    pairs["gain"] = pairs.right_b.astype(int) - pairs.right.astype(int)
    only_a, only_b = int((pairs.gain < 0).sum()), int((pairs.gain > 0).sum())
    interval = cluster_bootstrap(pairs, lambda rows: rows.gain.to_numpy(), n_resamples, confidence, seed)
    return {
        "photos": len(pairs),
        "left_out": either - len(pairs),
        "both_right": int((pairs.right & pairs.right_b).sum()),
        "only_a": only_a,
        "only_b": only_b,
        "both_wrong": int((~pairs.right & ~pairs.right_b).sum()),
        "p_value": float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0,
        "difference": (only_b - only_a) / len(pairs),
        "difference_interval": list(interval),
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
