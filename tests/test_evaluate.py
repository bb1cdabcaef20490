"""Metrics against scikit-learn, against SciPy, and against cases small enough to work out by hand."""

import json
import math

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from scipy.stats import binom, binomtest

from skinlib.data.conditions import KEYS
from skinlib.judge import evaluate

N = len(KEYS)


def table(truth, probabilities, split="test") -> pd.DataFrame:
    """Return a table of predictions for conditions ``truth`` (keys or positions) and probabilities (n, 8)."""
    keys = [key if isinstance(key, str) else KEYS[key] for key in truth]
    catalogue = pd.DataFrame({"path": [f"{i}.jpg" for i in range(len(keys))], "condition": keys})
    catalogue["photo_id"] = catalogue.path
    return evaluate.predictions_table(catalogue, np.full(len(keys), split), np.asarray(probabilities, float))


def certain(truth, answers, split="test") -> pd.DataFrame:
    """Return a table of predictions in which each answer, a position in KEYS, is fully certain."""
    return table(truth, np.eye(N)[list(answers)], split)


def copied(predictions: pd.DataFrame, times) -> pd.DataFrame:
    """Return a table in which each row stands as often as ``times`` says, each time as another file of its photo."""
    rows = predictions.loc[predictions.index.repeat(times)].reset_index(drop=True)
    return rows.assign(path=[f"{i}-{path}" for i, path in enumerate(rows.path)])


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


def test_brier_score(random_table):
    theirs = sk.brier_score_loss(
        evaluate.truth(random_table), evaluate.probabilities(random_table), labels=range(N), scale_by_half=False
    )
    assert evaluate.brier_score(random_table) == pytest.approx(theirs)


@pytest.mark.filterwarnings("error")
def test_balanced_accuracy(random_table):
    for rows in (random_table, random_table[random_table.condition.isin(KEYS[2:5])]):  # five are not there
        theirs = np.mean(
            sk.recall_score(rows.condition, rows.predicted, labels=sorted(set(rows.condition)), average=None)
        )
        assert evaluate.balanced_accuracy(rows) == pytest.approx(theirs)


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


def test_brier_score_by_hand():
    # (1 - 0.5)² + 0.5² = 0.5 and 0.75² + (1 - 0.25)² = 1.125.
    rows = table([0, 1], [[0.5, 0.5] + [0] * 6, [0.75, 0.25] + [0] * 6])
    assert evaluate.brier_score(rows) == pytest.approx((0.5 + 1.125) / 2)
    assert evaluate.brier_score(certain([0], [0])) == 0 and evaluate.brier_score(certain([0], [1])) == 2


def test_balanced_accuracy_by_hand():
    # Nine of condition 0, all found; one of 1, missed. Answering 0 always is right in 90 % and worth one half.
    assert evaluate.balanced_accuracy(certain([0] * 9 + [1], [0] * 10)) == 0.5


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


# ---- one vote per photo -----------------------------------------------------------------------------------------


def test_one_vote_by_hand():
    rows = table([0, 0, 1], [[0.6, 0.4] + [0] * 6, [0.2, 0.8] + [0] * 6, [0, 1] + [0] * 6])
    rows["photo_id"] = ["a", "a", "b"]
    votes = evaluate.one_vote_per_photo(rows)
    assert list(votes) == [*rows, "files"]
    assert list(votes.photo_id) == ["a", "b"] and list(votes.files) == [2, 1] and list(votes.path) == ["0.jpg", "2.jpg"]
    assert evaluate.probabilities(votes)[0, :2] == pytest.approx([0.4, 0.6])
    assert list(votes.predicted) == [KEYS[1], KEYS[1]]  # the file that was right is outvoted
    assert evaluate.accuracy(votes) == 0.5 and evaluate.accuracy(rows) == pytest.approx(2 / 3)


def test_one_vote_in_each_split_and_none_of_a_photo_with_two_labels_in_one():
    rows = certain([0, 1, 0, 1, 2], [0, 0, 0, 1, 2])
    rows["photo_id"], rows["split"] = ["a", "a", "b", "b", "c"], ["test", "test", "train", "test", "test"]
    assert list(evaluate.conflicting(rows)) == [True, True, False, False, False]
    votes = evaluate.one_vote_per_photo(rows)
    assert votes[["photo_id", "split", "condition"]].to_numpy().tolist() == [
        ["b", "train", KEYS[0]], ["b", "test", KEYS[1]], ["c", "test", KEYS[2]]
    ]  # fmt: skip
    numbers = evaluate.metrics(rows)
    assert (numbers["test"]["files"], numbers["test"]["photos"], numbers["test"]["conflicts"]) == (4, 2, 1)
    assert numbers["test"]["file_accuracy"] == 0.75 and numbers["test"]["accuracy"] == 1
    assert (numbers["train"]["photos"], numbers["train"]["conflicts"]) == (1, 0)


@pytest.mark.filterwarnings("error")
def test_a_split_that_holds_only_photos_with_two_labels_is_left_out():
    rows = certain([0, 1], [0, 0]).assign(photo_id="a")
    assert evaluate.metrics(rows) == {} and evaluate.one_vote_per_photo(rows).empty
    assert evaluate.one_vote_per_photo(rows[:0]).empty and evaluate.metrics(rows[:0]) == {}


def test_one_vote_per_photo_twice_is_once(random_table):
    rows = random_table.assign(photo_id=[str(i // 2) for i in range(len(random_table))])
    votes = evaluate.one_vote_per_photo(rows)
    pd.testing.assert_frame_equal(evaluate.one_vote_per_photo(votes), votes)
    assert votes.files.sum() == len(rows) - evaluate.conflicting(rows).sum()


def test_files_that_nobody_grouped_are_photos(random_table):
    rows = random_table.assign(photo_id=np.nan)
    votes = evaluate.one_vote_per_photo(rows)
    assert list(votes.photo_id) == list(rows.path) and (votes.files == 1).all()
    np.testing.assert_array_equal(evaluate.probabilities(votes), evaluate.probabilities(rows))
    # A photo_id read as a number is a photo_id all the same.
    numbers = random_table[:4].assign(photo_id=[7.0, 7.0, np.nan, np.nan], condition=KEYS[0])
    assert list(evaluate.one_vote_per_photo(numbers).files) == [2, 1, 1]


def test_copies_change_nothing_but_the_counts_of_files(random_table):
    times = np.random.default_rng(0).integers(1, 6, len(random_table))
    many = copied(random_table, times).sample(frac=1, random_state=0)
    ours, theirs = evaluate.metrics(random_table)["test"], evaluate.metrics(many)["test"]
    assert theirs.pop("files") == times.sum() != ours.pop("files")
    assert theirs.pop("file_accuracy") == evaluate.accuracy(many) != ours.pop("file_accuracy")
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value), name


def test_what_is_chosen_is_chosen_on_validation_photos():
    evaluate.check_validation(certain([0], [0], split="validation"))
    with pytest.raises(ValueError, match="among these are test and train photos"):
        evaluate.check_validation(certain([0, 0, 0], [0, 0, 0]).assign(split=["train", "test", "validation"]))
    with pytest.raises(ValueError, match="there are none"):
        evaluate.check_validation(certain([], []))


# ---- the cluster bootstrap --------------------------------------------------------------------------------------


def test_bootstrap_of_values_and_of_a_number_draw_the_same_sets(random_table):
    rows = random_table.assign(photo_id=[str(i // 3) for i in range(len(random_table))])
    by_row = evaluate.cluster_bootstrap(rows, evaluate.is_right, n_resamples=50, seed=3)
    as_number = evaluate.cluster_bootstrap(rows, evaluate.accuracy, n_resamples=50, seed=3)
    assert by_row == pytest.approx(as_number)
    assert by_row != evaluate.cluster_bootstrap(rows, evaluate.is_right, n_resamples=50, seed=4)
    shuffled = rows.sample(frac=1, random_state=1)
    assert evaluate.cluster_bootstrap(shuffled, evaluate.is_right, n_resamples=50, seed=3) == pytest.approx(by_row)


def test_bootstrap_by_hand():
    # Two photos, one right and one wrong: a drawn pair is wrong twice with chance 1/4, right twice with chance 1/4.
    rows = certain([0, 0], [0, 1])
    assert evaluate.cluster_bootstrap(rows, evaluate.is_right) == (0, 1)
    assert evaluate.cluster_bootstrap(rows, evaluate.is_right, confidence=0.4) == (0.5, 0.5)
    assert evaluate.cluster_bootstrap(certain([0, 0], [0, 0]), evaluate.is_right) == (1, 1)
    with pytest.raises(ValueError, match="nothing to draw"):
        evaluate.cluster_bootstrap(rows[:0], evaluate.is_right)


def test_bootstrap_draws_whole_photos():
    # Files of a photo are right or wrong together, so a drawn set's accuracy counted in photos is a multiple of 1/4.
    rows = copied(certain([0] * 4, [0, 1, 0, 1]), [5] * 4)
    shares, photos = [], []

    def statistic(drawn):
        assert drawn.photo_id.nunique() == 4 and (drawn.groupby("photo_id").size() == 5).all()
        shares.append(evaluate.accuracy(drawn))
        photos.append(len(evaluate.one_vote_per_photo(drawn)))
        return shares[-1]

    evaluate.cluster_bootstrap(rows, statistic, n_resamples=200)
    assert set(shares[1:]) == {0, 0.25, 0.5, 0.75, 1} and set(photos) == {4}


def test_bootstrap_leaves_out_sets_without_the_statistic():
    rows = certain([0, 0, 0, 1], [0, 0, 1, 1])
    low, high = evaluate.cluster_bootstrap(rows, lambda drawn: evaluate.roc_auc(drawn, KEYS[1]), n_resamples=200)
    assert 0 <= low <= high <= 1


def test_bootstrap_interval_keeps_its_promise_where_one_of_files_does_not():
    """Simulated test sets of 60 photos with 1 to 9 files each, which are right or wrong together."""
    rng = np.random.default_rng(0)
    accuracy, hits, naive = 0.7, 0, 0
    for _ in range(300):
        right = rng.random(60) < accuracy
        rows = copied(certain([0] * 60, np.where(right, 0, 1)), rng.integers(1, 10, 60))
        low, high = evaluate.cluster_bootstrap(rows, evaluate.is_right, n_resamples=300)
        hits += low <= accuracy <= high
        low, high = evaluate.wilson_interval(int(evaluate.is_right(rows).sum()), len(rows))
        naive += low <= accuracy <= high
    assert 0.90 < hits / 300 < 0.98
    assert naive / 300 < 0.75


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
        assert values["files"] == values["photos"] == len(part) and values["conflicts"] == 0
        assert values["accuracy"] == pytest.approx(values["correct"] / len(part)) == evaluate.accuracy(part)
        assert values["file_accuracy"] == values["accuracy"]
        assert tuple(values["accuracy_interval"]) == evaluate.wilson_interval(values["correct"], len(part))
        assert tuple(values["accuracy_bootstrap"]) == evaluate.cluster_bootstrap(part, evaluate.is_right)
        assert values["balanced_accuracy"] == pytest.approx(values["macro_recall"])
    test, values = rows[rows.split == "test"], numbers["test"]
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        test.condition, test.predicted, labels=KEYS, zero_division=np.nan
    )
    assert values["macro_recall"] == pytest.approx(sk.balanced_accuracy_score(test.condition, test.predicted))
    assert values["macro_precision"] == pytest.approx(np.nanmean(precision))
    assert values["macro_f1"] == pytest.approx(np.nanmean(f1))
    for name, theirs in (("precision", precision), ("recall", recall), ("f1", f1)):
        assert list(values[name]) == list(KEYS)
        ours = [np.nan if value is None else value for value in values[name].values()]
        np.testing.assert_allclose(ours, theirs)
    assert values["top_2_accuracy"] == evaluate.top_k_accuracy(test, 2)
    assert values["log_loss"] == pytest.approx(evaluate.log_loss(test))
    assert values["brier"] == pytest.approx(evaluate.brier_score(test))


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


# ---- two runs ---------------------------------------------------------------------------------------------------


def test_comparison_by_hand():
    # Ten photos: both right on 3, only a on 1, only b on 5, neither on 1. McNemar: of 6 disagreements 1 or fewer, or 5
    # or more, go one way with chance 2 · (1 + 6) / 2⁶.
    a = certain([0] * 10, [0] * 4 + [1] * 6)
    b = certain([0] * 10, [0] * 3 + [1] + [0] * 5 + [1])
    found = evaluate.compare_runs(a, b)
    assert [found[name] for name in ("photos", "left_out")] == [10, 0]
    assert [found[name] for name in ("both_right", "only_a", "only_b", "both_wrong")] == [3, 1, 5, 1]
    assert found["p_value"] == pytest.approx(14 / 64)
    assert found["difference"] == pytest.approx(0.4) == evaluate.accuracy(b) - evaluate.accuracy(a)
    low, high = found["difference_interval"]
    assert -0.2 < low < 0.4 < high < 1
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_comparison_turned_round(random_table):
    other = random_table.assign(**random_table[list(KEYS)].sample(frac=1, random_state=0, ignore_index=True))
    there, back = evaluate.compare_runs(random_table, other), evaluate.compare_runs(other, random_table)
    assert there["p_value"] == back["p_value"] and there["difference"] == pytest.approx(-back["difference"])
    assert (there["only_a"], there["only_b"]) == (back["only_b"], back["only_a"])
    low, high = back["difference_interval"]
    assert there["difference_interval"] == pytest.approx([-high, -low])
    ends = {
        tuple(evaluate.compare_runs(random_table, other, "test", 20, seed=n)["difference_interval"]) for n in range(5)
    }
    assert len(ends) > 1


def test_a_run_is_as_good_as_itself(random_table):
    found = evaluate.compare_runs(random_table, random_table)
    assert (found["p_value"], found["difference"], found["difference_interval"]) == (1, 0, [0, 0])


def test_comparison_counts_photos_that_both_judged_under_one_label():
    a = certain([0, 0, 0, 1], [0, 0, 1, 1]).assign(photo_id=["a", "b", "c", "d"])
    b = certain([0, 1, 0, 2], [0, 1, 0, 2]).assign(photo_id=["a", "b", "c", "e"])  # b is labelled otherwise
    found = evaluate.compare_runs(a, b)
    assert (found["photos"], found["left_out"]) == (2, 3)
    assert (found["both_right"], found["only_b"]) == (1, 1)


def test_copies_do_not_count_in_a_comparison(random_table):
    other = random_table.assign(**random_table[list(KEYS)].sample(frac=1, random_state=0, ignore_index=True))
    rng = np.random.default_rng(1)
    many = [copied(rows, rng.integers(1, 5, len(rows))) for rows in (random_table, other)]
    ours, theirs = evaluate.compare_runs(random_table, other), evaluate.compare_runs(*many)
    assert theirs.pop("difference_interval") == pytest.approx(ours.pop("difference_interval"))
    assert theirs == ours


def test_strangers_cannot_be_compared():
    rows = certain([0], [0])
    with pytest.raises(ValueError, match="no test photo in common"):
        evaluate.compare_runs(rows, rows.assign(photo_id="another"))
    with pytest.raises(ValueError, match="no validation photo in common"):
        evaluate.compare_runs(rows, rows, split="validation")


def test_comparison_sees_what_two_intervals_do_not():
    """Of 100 photos the better model gets 10 more right, and loses none: the intervals overlap, the pairs decide."""
    a, b = certain([0] * 100, [0] * 70 + [1] * 30), certain([0] * 100, [0] * 80 + [1] * 20)
    apart = evaluate.accuracy_table({"a": a, "b": b})
    assert apart.high["a"] > apart.low["b"]
    found = evaluate.compare_runs(a, b)
    assert found["p_value"] == pytest.approx(2 / 2**10) and found["difference_interval"][0] > 0
