"""Metrics against cases small enough to work out by hand, and against their definitions."""

import json
import math

import numpy as np
import pandas as pd
import predictions
import pytest
from predictions import N, certain, copied, table

from skinlib.data.conditions import KEYS
from skinlib.judge import evaluate

pytestmark = pytest.mark.filterwarnings("error")  # no library may complain of what a table may well be


@pytest.fixture(params=range(4))
def random_table(request) -> pd.DataFrame:
    return predictions.random(request.param)


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
    rows = evaluate.predictions_table(catalogue, np.array(["train", "test"]), np.eye(N)[[3, 5]], KEYS)
    assert list(rows.index) == [0, 1]
    assert list(rows.path) == ["a", "b"] and (rows.predicted == rows.condition).all()


def test_a_condition_that_is_no_class_is_refused():
    rows = certain([0, 1], [0, 1]).assign(condition=["cellulitis", "eczema"])
    with pytest.raises(ValueError, match="'eczema' is not one"):
        evaluate.accuracy(rows)


def test_classes_of_a_table_are_its_columns_of_probabilities():
    rows = table([0, 1], [[1, 0, 0], [0, 1, 0.0]]).assign(files=[1, 2])
    assert evaluate.keys_of(rows) == ["class 0", "class 1", "class 2"]
    assert evaluate.keys_of(rows.assign(photo_id=np.nan)) == ["class 0", "class 1", "class 2"]
    assert evaluate.keys_of(table([0], np.eye(N, dtype=np.float32)[[0]])) == list(KEYS)


def test_accuracy_agrees_with_the_column_predicted_when_probabilities_are_equal(random_table):
    assert evaluate.accuracy(random_table) == (random_table.predicted == random_table.condition).mean()


# ---- as they are defined ----------------------------------------------------------------------------------------


def test_areas_are_what_their_definitions_say(random_table):
    """Every pair is compared, and every threshold tried, by plain counting."""
    for key in KEYS:
        scores, is_key = random_table[key].to_numpy(float), (random_table.condition == key).to_numpy()
        pairs = [(a > b) + (a == b) / 2 for a in scores[is_key] for b in scores[~is_key]]
        assert evaluate.roc_auc(random_table, key) == pytest.approx(np.mean(pairs))

        thresholds = sorted(set(scores), reverse=True)
        true = np.array([(is_key & (scores >= t)).sum() for t in thresholds])
        false = np.array([(~is_key & (scores >= t)).sum() for t in thresholds])
        false_rate, true_rate, ours = evaluate.roc_curve(random_table, key)
        np.testing.assert_allclose(false_rate, np.r_[0, false] / (~is_key).sum())
        np.testing.assert_allclose(true_rate, np.r_[0, true] / is_key.sum())
        np.testing.assert_array_equal(ours, [math.inf, *thresholds])
        precision, recall, ours = evaluate.precision_recall_curve(random_table, key)
        np.testing.assert_allclose(precision, true / (true + false))
        np.testing.assert_allclose(recall, true / is_key.sum())
        np.testing.assert_array_equal(ours, thresholds)
        area = sum(p * (r - before) for p, r, before in zip(precision, recall, [0, *recall], strict=False))
        assert evaluate.average_precision(random_table, key) == pytest.approx(area)
        for array in (false_rate, true_rate, precision, recall, ours):
            assert array.dtype == np.float64


def test_shares_are_what_their_definitions_say(random_table):
    ours, matrix = evaluate.per_class(random_table), evaluate.confusion_matrix(random_table)
    for key in KEYS:
        true, predicted = random_table.condition == key, random_table.predicted == key
        precision, recall = true[predicted].mean(), predicted[true].mean()
        f1 = 2 * (true & predicted).sum() / (true.sum() + predicted.sum())
        assert ours.loc[key, ["photos", "precision", "recall", "f1"]].tolist() == pytest.approx(
            [true.sum(), precision, recall, f1], nan_ok=True
        )
        for other in KEYS:
            assert matrix.loc[key, other] == (true & (random_table.predicted == other)).sum()
    assert evaluate.balanced_accuracy(random_table) == pytest.approx(ours.recall.mean())
    true, probabilities = evaluate.truth(random_table), evaluate.probabilities(random_table)
    before = [  # of equal probabilities the first ranks higher
        sum(p > row[t] or (p == row[t] and i < t) for i, p in enumerate(row))
        for row, t in zip(probabilities, true, strict=True)
    ]
    for k in range(1, N + 1):
        assert evaluate.top_k_accuracy(random_table, k) == np.mean(np.array(before) < k)


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


def test_curves_of_a_condition_without_photos_or_without_others_are_nan_and_quiet():
    rows = certain([0, 0, 0], [0, 1, 0])
    assert math.isnan(evaluate.roc_auc(rows, KEYS[0]))  # nothing to tell it from
    assert math.isnan(evaluate.roc_auc(rows, KEYS[5]))
    assert math.isnan(evaluate.average_precision(rows, KEYS[5]))
    assert evaluate.average_precision(rows, KEYS[0]) == 1
    false_rate, true_rate, thresholds = evaluate.roc_curve(rows, KEYS[0])
    assert (
        np.isnan(false_rate).all() and true_rate.tolist() == [0, 2 / 3, 1] and thresholds.tolist() == [math.inf, 1, 0]
    )
    false_rate, true_rate, _ = evaluate.roc_curve(rows, KEYS[5])
    assert false_rate.tolist() == [0, 1] and np.isnan(true_rate).all()
    precision, recall, _ = evaluate.precision_recall_curve(rows, KEYS[5])
    assert precision.tolist() == [0] and np.isnan(recall).all()
    assert evaluate.balanced_accuracy(rows) == pytest.approx(2 / 3)  # of the one condition that is there


def test_auc_by_hand():
    # Of the six pairs, 3 is above 1, 2 and 2; 2 is above 1 and equal to two.
    assert evaluate.auc(np.array([True, False, False, False, True]), np.array([3, 1, 2, 2, 2])) == (3 + 1 + 1) / 6
    assert math.isnan(evaluate.auc(np.ones(3, bool), np.arange(3))) and math.isnan(
        evaluate.auc(np.zeros(0, bool), np.zeros(0))
    )


def test_confusion_matrix_by_hand():
    counts = evaluate.confusion_matrix(certain([0, 0, 0, 7], [0, 1, 1, 0]))
    assert list(counts.index) == list(counts.columns) == list(KEYS)
    assert (counts.index.name, counts.columns.name) == ("true", "predicted")
    assert counts.loc[KEYS[0], [KEYS[0], KEYS[1]]].tolist() == [1, 2] and counts.loc[KEYS[7], KEYS[0]] == 1
    assert counts.to_numpy().sum() == 4 and (counts.dtypes == np.int64).all()


def test_top_k_by_hand():
    rows = table([0, 1, 2], [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.4, 0.2, 0.4]])
    assert [evaluate.top_k_accuracy(rows, k) for k in (1, 2, 3, 4)] == pytest.approx([1 / 3, 1, 1, 1])


# ---- any number of classes --------------------------------------------------------------------------------------


def test_two_classes_by_hand():
    rows = table([0, 0, 1, 1], [[0.9, 0.1], [0.4, 0.6], [0.8, 0.2], [0.3, 0.7]])
    assert evaluate.confusion_matrix(rows).to_numpy().tolist() == [[1, 1], [1, 1]]
    assert [evaluate.top_k_accuracy(rows, k) for k in (1, 2, 3)] == [0.5, 1, 1]
    assert evaluate.log_loss(rows) == pytest.approx(-np.log([0.9, 0.4, 0.2, 0.7]).mean())
    assert evaluate.brier_score(rows) == pytest.approx(2 * np.square([0.1, 0.6, 0.8, 0.3]).mean())  # not its half
    for key in evaluate.keys_of(rows):
        assert evaluate.roc_auc(rows, key) == 3 / 4
        assert evaluate.average_precision(rows, key) == pytest.approx((1 + 2 / 3) / 2)
    assert evaluate.per_class(rows)[["precision", "recall", "f1"]].to_numpy().tolist() == [[0.5] * 3] * 2
    assert evaluate.metrics(rows)["test"]["balanced_accuracy"] == 0.5


def test_three_classes_by_hand():
    rows = table([0, 1, 1, 2], [[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
    assert evaluate.confusion_matrix(rows).to_numpy().tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0]]
    assert evaluate.balanced_accuracy(rows) == pytest.approx((1 + 1 / 2 + 0) / 3)
    numbers = evaluate.metrics(rows)["test"]
    assert numbers["precision"] == {"class 0": 0.5, "class 1": 0.5, "class 2": None}
    assert numbers["recall"] == {"class 0": 1, "class 1": 0.5, "class 2": 0}
    assert numbers["macro_precision"] == 0.5 and numbers["macro_f1"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert evaluate.roc_auc(rows, "class 1") == 0.5  # 0.7 > 0.3, 0.7 = 0.7, 0.3 = 0.3, 0.3 < 0.7


def test_forty_classes_that_are_all_as_likely():
    rows = table([0, 1, 2, 39], np.full((4, 40), 1 / 40, np.float32))
    assert evaluate.log_loss(rows) == pytest.approx(math.log(40))
    assert evaluate.brier_score(rows) == pytest.approx((39 / 40) ** 2 + 39 / 40**2)
    assert [evaluate.top_k_accuracy(rows, k) for k in (1, 3, 39, 40)] == [0.25, 0.75, 0.75, 1]
    assert evaluate.confusion_matrix(rows).shape == (40, 40) and evaluate.confusion_matrix(rows)["class 0"].sum() == 4
    table_of_classes = evaluate.per_class(rows)
    assert table_of_classes.photos.sum() == 4 and table_of_classes.recall.notna().sum() == 4
    numbers = evaluate.metrics(rows)["test"]
    assert numbers["balanced_accuracy"] == 0.25 and len(numbers["recall"]) == 40
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers


@pytest.mark.parametrize("n", [2, 3, 40])
def test_a_class_that_is_certain_always_and_the_others_never(n):
    rows = table([0, 1, 1], np.eye(n, dtype=np.float32)[[0, 0, 0]])
    assert evaluate.accuracy(rows) == evaluate.top_k_accuracy(rows, 1) == pytest.approx(1 / 3)
    assert evaluate.log_loss(rows) == pytest.approx(-2 / 3 * math.log(1e-15))
    assert evaluate.brier_score(rows) == pytest.approx(2 * 2 / 3)
    for key, share in (("class 0", 1 / 3), ("class 1", 2 / 3)):
        assert evaluate.roc_auc(rows, key) == 0.5 and evaluate.average_precision(rows, key) == pytest.approx(share)
        false_rate, true_rate, _ = evaluate.roc_curve(rows, key)
        assert false_rate.tolist() == true_rate.tolist() == [0, 1]
    numbers = evaluate.metrics(rows)["test"]
    assert numbers["recall"]["class 0"] == 1 and numbers["recall"]["class 1"] == 0
    assert numbers["precision"]["class 1"] is None


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


# ---- headline numbers and pairs ---------------------------------------------------------------------------------


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
    ours = evaluate.per_class(test)
    for name in ("precision", "recall", "f1"):
        assert list(values[name]) == list(KEYS)
        assert [np.nan if v is None else v for v in values[name].values()] == pytest.approx(ours[name], nan_ok=True)
        assert values[f"macro_{name}"] == pytest.approx(np.nanmean(ours[name]))
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
