"""Metrics against scikit-learn, against SciPy, and against cases small enough to work out by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from scipy.stats import binom, binomtest

from skinlib import evaluate
from skinlib.conditions import KEYS

N = len(KEYS)


def table(truth, probabilities, split="test") -> pd.DataFrame:
    """Return a table of predictions for conditions ``truth`` (keys or positions) and probabilities (n, 8)."""
    keys = [key if isinstance(key, str) else KEYS[key] for key in truth]
    catalogue = pd.DataFrame({"path": [f"{i}.jpg" for i in range(len(keys))], "condition": keys})
    catalogue["photo_id"] = catalogue.path
    return evaluate.predictions_table(catalogue, np.full(len(keys), split), np.asarray(probabilities, float))


def certain(truth, answers) -> pd.DataFrame:
    """Return a table of predictions in which each answer, a position in KEYS, is fully certain."""
    return table(truth, np.eye(N)[list(answers)])


@pytest.fixture(params=range(4))
def random_table(request) -> pd.DataFrame:
    """Return 200 random predictions, better than chance; a half of the tables have many equal probabilities."""
    rng = np.random.default_rng(request.param)
    truth = rng.choice(N, 200, p=rng.dirichlet(np.full(N, 3)))
    logits = rng.normal(size=(200, N)) + 1.2 * np.eye(N)[truth]
    if request.param % 2:
        logits = np.round(logits)
    return table(truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


# ---- the table --------------------------------------------------------------------------------------------------


def test_table_has_its_columns_in_order_and_the_most_probable_condition():
    probabilities = np.array([[0.1, 0.6, 0.3] + [0] * 5, [0.2, 0.2, 0.6] + [0] * 5])
    rows = table([1, 0], probabilities)
    assert list(rows) == ["path", "photo_id", "split", "condition", "predicted", *KEYS]
    assert list(rows.predicted) == [KEYS[1], KEYS[2]]
    assert np.array_equal(evaluate.probabilities(rows), probabilities)
    assert list(evaluate.truth(rows)) == [1, 0]


def test_table_keeps_each_row_with_its_photo_whatever_the_index():
    catalogue = pd.DataFrame(
        {"path": ["a", "b"], "photo_id": ["1", "2"], "condition": [KEYS[3], KEYS[5]]}, index=[7, 2]
    )
    rows = evaluate.predictions_table(catalogue, np.array(["train", "test"]), np.eye(N)[[3, 5]])
    assert list(rows.index) == [0, 1]
    assert list(rows.path) == ["a", "b"] and (rows.predicted == rows.condition).all()


def test_a_condition_that_is_none_of_the_eight_is_refused():
    rows = certain([0, 1], [0, 1]).assign(condition=["cellulitis", "eczema"])
    with pytest.raises(ValueError, match="'eczema' is not one"):
        evaluate.accuracy(rows)


# ---- against scikit-learn ---------------------------------------------------------------------------------------


def test_accuracy_and_top_k(random_table):
    truth, probabilities = evaluate.truth(random_table), evaluate.probabilities(random_table)
    assert evaluate.accuracy(random_table) == pytest.approx(sk.accuracy_score(truth, probabilities.argmax(axis=1)))
    for k in range(1, N):
        # scikit-learn prefers the last of equal probabilities and we prefer the first: turn the columns round for it.
        theirs = sk.top_k_accuracy_score(N - 1 - truth, probabilities[:, ::-1], k=k, labels=range(N))
        assert evaluate.top_k_accuracy(random_table, k) == pytest.approx(theirs)
    assert evaluate.top_k_accuracy(random_table, N) == 1


def test_accuracy_agrees_with_the_column_predicted_when_probabilities_are_equal(random_table):
    assert evaluate.accuracy(random_table) == (random_table.predicted == random_table.condition).mean()


def test_log_loss(random_table):
    theirs = sk.log_loss(evaluate.truth(random_table), evaluate.probabilities(random_table), labels=range(N))
    assert evaluate.log_loss(random_table) == pytest.approx(theirs)


def test_confusion_matrix(random_table):
    counts = evaluate.confusion_matrix(random_table)
    theirs = sk.confusion_matrix(random_table.condition, random_table.predicted, labels=KEYS)
    assert np.array_equal(counts, theirs)
    assert list(counts.index) == list(counts.columns) == list(KEYS)
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")


def test_per_class(random_table):
    ours = evaluate.per_class(random_table)
    precision, recall, f1, photos = sk.precision_recall_fscore_support(
        random_table.condition, random_table.predicted, labels=KEYS, zero_division=np.nan
    )
    for name, theirs in (("precision", precision), ("recall", recall), ("f1", f1), ("photos", photos)):
        np.testing.assert_allclose(ours[name], theirs, err_msg=name)


@pytest.mark.parametrize("key", KEYS)
def test_curves_and_areas(random_table, key):
    is_key, scores = random_table.condition == key, random_table[key]
    false_rate, true_rate, thresholds = evaluate.roc_curve(random_table, key)
    for ours, theirs in zip(
        (false_rate, true_rate, thresholds), sk.roc_curve(is_key, scores, drop_intermediate=False), strict=True
    ):
        np.testing.assert_allclose(ours, theirs)
    assert evaluate.roc_auc(random_table, key) == pytest.approx(sk.roc_auc_score(is_key, scores))

    theirs = sk.precision_recall_curve(is_key, scores)  # they go the other way and add the point (1, 0)
    ours = evaluate.precision_recall_curve(random_table, key)
    np.testing.assert_allclose(ours[0], theirs[0][:-1][::-1])
    np.testing.assert_allclose(ours[1], theirs[1][:-1][::-1])
    np.testing.assert_allclose(ours[2], theirs[2][::-1])
    assert evaluate.average_precision(random_table, key) == pytest.approx(sk.average_precision_score(is_key, scores))


# ---- by hand ----------------------------------------------------------------------------------------------------


def test_per_class_by_hand():
    # Truth: four of condition 0, two of 1. Answers: 0 0 0 1 and 1 0.
    ours = evaluate.per_class(certain([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0]))
    assert ours.loc[KEYS[0], ["photos", "precision", "recall", "f1"]].tolist() == [4, 3 / 4, 3 / 4, 3 / 4]
    assert ours.loc[KEYS[1], ["photos", "precision", "recall", "f1"]].tolist() == [2, 1 / 2, 1 / 2, 1 / 2]
    low, high = evaluate.wilson_interval(3, 4)
    assert ours.loc[KEYS[0], ["recall_low", "recall_high"]].tolist() == [low, high]


def test_per_class_tells_what_was_not_measured_from_zero():
    # Condition 0 is there and never predicted, 1 is predicted and never there, 2 is neither.
    ours = evaluate.per_class(certain([0, 0], [1, 1]))
    assert math.isnan(ours.precision[KEYS[0]]) and ours.recall[KEYS[0]] == 0 and ours.f1[KEYS[0]] == 0
    assert ours.precision[KEYS[1]] == 0 and math.isnan(ours.recall[KEYS[1]]) and ours.f1[KEYS[1]] == 0
    assert ours.loc[KEYS[2], ["precision", "recall", "f1"]].isna().all()
    assert tuple(ours.loc[KEYS[2], ["recall_low", "recall_high"]]) == (0, 1)


def test_leaving_a_condition_out_does_not_raise_the_mean_f1():
    # Half of the photos are of a condition that is never predicted: the other's F1 is 2/3, so the mean is 1/3.
    numbers = evaluate.metrics(certain([0, 0, 1, 1], [0, 0, 0, 0]))["test"]
    assert numbers["macro_f1"] == pytest.approx(1 / 3)
    assert numbers["macro_recall"] == pytest.approx(1 / 2)


def test_log_loss_by_hand():
    rows = table([0, 1], [[0.5, 0.5] + [0] * 6, [0.75, 0.25] + [0] * 6])
    assert evaluate.log_loss(rows) == pytest.approx((math.log(2) + math.log(4)) / 2)


def test_log_loss_of_a_certain_mistake_is_large_and_finite():
    assert evaluate.log_loss(certain([0], [1])) == pytest.approx(-math.log(1e-15))


def test_curves_by_hand():
    # Scores for condition 0, from the highest: yes, no, yes, no.
    rows = table([0, 1, 0, 1], [[p, 1 - p] + [0] * 6 for p in (0.9, 0.8, 0.7, 0.2)])
    false_rate, true_rate, thresholds = evaluate.roc_curve(rows, KEYS[0])
    assert false_rate.tolist() == [0, 0, 0.5, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 0.5, 1, 1]
    assert thresholds.tolist() == [math.inf, 0.9, 0.8, 0.7, 0.2]
    assert evaluate.roc_auc(rows, KEYS[0]) == 0.75  # of the four pairs, yes is above no in three
    precision, recall, _ = evaluate.precision_recall_curve(rows, KEYS[0])
    assert precision.tolist() == [1, 1 / 2, 2 / 3, 1 / 2]
    assert recall.tolist() == [0.5, 0.5, 1, 1]
    assert evaluate.average_precision(rows, KEYS[0]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_equal_scores_are_chance_in_any_order():
    for truth in ([0, 0, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1]):
        rows = table(truth, np.full((4, N), 1 / N))
        assert evaluate.roc_auc(rows, KEYS[0]) == 0.5
        assert evaluate.average_precision(rows, KEYS[0]) == 0.5


@pytest.mark.filterwarnings("error")
def test_curves_of_a_condition_without_photos_or_without_others_are_nan_and_quiet():
    rows = certain([0, 0, 0], [0, 1, 0])
    assert math.isnan(evaluate.roc_auc(rows, KEYS[0]))  # nothing to tell it from
    assert math.isnan(evaluate.roc_auc(rows, KEYS[5]))
    assert math.isnan(evaluate.average_precision(rows, KEYS[5]))
    assert evaluate.average_precision(rows, KEYS[0]) == 1


# ---- Wilson's interval ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [1, 2, 7, 20, 234, 1159])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
def test_wilson_interval_equals_scipys(trials, confidence):
    for successes in sorted({0, 1, trials // 3, trials // 2, trials - 1, trials}):
        theirs = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
        assert evaluate.wilson_interval(successes, trials, confidence) == pytest.approx((theirs.low, theirs.high))


def test_wilson_interval_by_hand():
    # With no success in n trials the interval ends at z² / (n + z²), here with z = 1.96.
    low, high = evaluate.wilson_interval(0, 10)
    assert low == 0 and high == pytest.approx(1.96**2 / (10 + 1.96**2), abs=1e-4)
    # With a half, it is centred on a half, and its width is z / √(n + z²).
    low, high = evaluate.wilson_interval(50, 100)
    assert low + high == pytest.approx(1) and high - low == pytest.approx(1.96 / math.sqrt(100 + 1.96**2), abs=1e-4)
    # The original's score.
    assert evaluate.wilson_interval(221, 234) == pytest.approx((0.9073, 0.9672), abs=5e-5)


def test_wilson_interval_solves_its_equation():
    # Its ends are the proportions from which what was seen is 1.96 of their own standard errors away.
    for successes, trials in ((3, 10), (9, 10), (200, 234)):
        for end in evaluate.wilson_interval(successes, trials):
            distance = abs(successes / trials - end) / math.sqrt(end * (1 - end) / trials)
            assert distance == pytest.approx(1.959964, abs=1e-5)


def test_wilson_interval_stays_inside_holds_the_share_and_mirrors():
    for trials in (1, 3, 10, 79):
        for successes in range(trials + 1):
            low, high = evaluate.wilson_interval(successes, trials)
            assert 0 <= low <= successes / trials <= high <= 1 and low < high
            mirrored = evaluate.wilson_interval(trials - successes, trials)
            assert mirrored == pytest.approx((1 - high, 1 - low))


def test_wilson_interval_keeps_its_promise_where_the_textbook_one_does_not():
    def coverage(interval, p, n=20):
        chances = binom.pmf(np.arange(n + 1), n, p)
        return sum(c for k, c in enumerate(chances) if interval(k, n)[0] <= p <= interval(k, n)[1])

    def textbook(k, n):
        half = 1.96 * math.sqrt(k / n * (1 - k / n) / n)
        return k / n - half, k / n + half

    shares = np.linspace(0.02, 0.98, 97)
    wilson = np.array([coverage(evaluate.wilson_interval, p) for p in shares])
    assert wilson.min() > 0.83 and abs(wilson.mean() - 0.95) < 0.01
    assert coverage(textbook, 0.97) < 0.5 < 0.85 < coverage(evaluate.wilson_interval, 0.97)


def test_wilson_interval_knows_nothing_without_trials_and_refuses_what_cannot_be():
    assert evaluate.wilson_interval(0, 0) == (0, 1)
    for successes, trials in ((-1, 10), (11, 10), (1, 0)):
        with pytest.raises(ValueError, match="cannot be"):
            evaluate.wilson_interval(successes, trials)


# ---- headline numbers and pairs ---------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error")
def test_metrics_of_each_split_are_ready_for_json(random_table):
    rows = random_table.copy()
    rows["split"] = np.where(np.arange(len(rows)) % 2, "train", "test")
    rows.loc[0, "split"] = "validation"  # one photo: most conditions have none
    numbers = evaluate.metrics(rows)
    assert list(numbers) == ["train", "validation", "test"]
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers
    for split, values in numbers.items():
        part = rows[rows.split == split]
        assert values["photos"] == len(part)
        assert values["accuracy"] == pytest.approx(values["correct"] / len(part)) == evaluate.accuracy(part)
        assert tuple(values["accuracy_interval"]) == evaluate.wilson_interval(values["correct"], len(part))
    test = rows[rows.split == "test"]
    assert numbers["test"]["macro_recall"] == pytest.approx(sk.balanced_accuracy_score(test.condition, test.predicted))
    assert numbers["test"]["top_2_accuracy"] == evaluate.top_k_accuracy(test, 2)
    assert numbers["test"]["log_loss"] == evaluate.log_loss(test)


def test_metrics_leave_out_a_split_without_photos():
    assert list(evaluate.metrics(certain([0], [0]))) == ["test"]


def test_confused_pairs_by_hand():
    # Of 0: one right, two called 1, one called 2. Of 3: both called 1.
    pairs = evaluate.confused_pairs(certain([0, 0, 0, 0, 3, 3], [0, 1, 1, 2, 1, 1]))
    assert pairs.to_dict("records") == [
        {"true": KEYS[3], "predicted": KEYS[1], "photos": 2, "share": 1.0},
        {"true": KEYS[0], "predicted": KEYS[1], "photos": 2, "share": 0.5},
        {"true": KEYS[0], "predicted": KEYS[2], "photos": 1, "share": 0.25},
    ]


def test_confused_pairs_are_all_the_mistakes(random_table):
    pairs = evaluate.confused_pairs(random_table)
    assert pairs.photos.sum() == (random_table.predicted != random_table.condition).sum()
    assert pairs.photos.is_monotonic_decreasing


def test_accuracy_table_by_hand():
    rows = certain([0, 0, 1, 1], [0, 0, 1, 5])
    compared = evaluate.accuracy_table({"all": rows, "first": rows[:2], "none": rows[:0]})
    assert list(compared.index) == ["all", "first", "none"]
    assert compared.photos.tolist() == [4, 2, 0] and compared.correct.tolist() == [3, 2, 0]
    assert compared.accuracy.tolist()[:2] == [0.75, 1.0] and math.isnan(compared.accuracy["none"])
    assert tuple(compared.loc["all", ["low", "high"]]) == evaluate.wilson_interval(3, 4)
    assert tuple(compared.loc["none", ["low", "high"]]) == (0, 1)
    assert evaluate.accuracy_table({}).empty


def test_no_mistake_is_no_pair():
    assert evaluate.confused_pairs(certain(range(N), range(N))).empty
