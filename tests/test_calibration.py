"""Calibration against bins counted by hand, and against models whose true probabilities are known."""

import math

import numpy as np
import pandas as pd
import pytest
from predictions import N, sure, table
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from scipy.stats import binom

from skinlib.data.conditions import KEYS
from skinlib.judge import calibration, evaluate


def calibrated(n: int, rng, spread: float = 1.5, classes: int = N) -> pd.DataFrame:
    """Return a table whose truths are drawn from its own probabilities."""
    probabilities = softmax(spread * rng.normal(size=(n, classes)), axis=1)
    truth = (probabilities.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return table(truth, probabilities, "validation")


EIGHT = sure([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0], [0, 0, 1, 0, 1, 1, 0, 1])


# ---- the error --------------------------------------------------------------------------------------------------


def test_error_by_hand():
    # Four bins of two: 0.35 sure and 0 right, 0.55 and 1/2, 0.75 and 1, 0.95 and 1/2.
    assert calibration.expected_calibration_error(EIGHT, n_bins=4) == pytest.approx((0.35 + 0.05 + 0.25 + 0.45) / 4)
    # One bin: 0.65 sure and 1/2 right. Eight bins: each photo by itself.
    assert calibration.expected_calibration_error(EIGHT, n_bins=1) == pytest.approx(0.15)
    alone = np.mean([0.3, 0.4, 0.5, 0.6, 0.3, 0.2, 0.9, 0])
    assert calibration.expected_calibration_error(EIGHT, n_bins=8) == pytest.approx(alone)
    assert calibration.expected_calibration_error(EIGHT, n_bins=100) == pytest.approx(alone)
    assert calibration.expected_calibration_error(sure([1.0], [False])) == 1


def test_error_equals_equal_counts_in_order_of_confidence():
    rows = calibrated(150, np.random.default_rng(0))
    top, right = evaluate.top_probability(rows), evaluate.is_right(rows)
    bins = np.array_split(np.argsort(top), 15)
    theirs = sum(abs(right[b].mean() - top[b].mean()) * len(b) for b in bins) / 150
    assert calibration.expected_calibration_error(rows) == pytest.approx(theirs)


def test_equal_confidence_shares_a_bin_in_any_order():
    # Half of the answers are right, all with probability 0.5: nothing is wrong with that, in whatever order.
    rows = sure([0.5] * 40, [1] * 20 + [0] * 20)
    assert calibration.expected_calibration_error(rows, n_bins=10) == pytest.approx(0)
    mixed = sure([0.5] * 10 + [0.9] * 10, [1, 0] * 10)
    for seed in range(3):
        shuffled = mixed.sample(frac=1, random_state=seed)
        assert calibration.expected_calibration_error(shuffled, n_bins=7) == pytest.approx(0.2)


@pytest.mark.filterwarnings("error")
def test_table_by_hand():
    found = calibration.reliability_table(EIGHT, n_bins=4)
    assert found.photos.tolist() == [2, 2, 2, 2] and found.correct.tolist() == [0, 1, 2, 1]
    assert found.confidence.tolist() == pytest.approx([0.35, 0.55, 0.75, 0.95])
    assert found.accuracy.tolist() == [0, 0.5, 1, 0.5]
    assert tuple(found.loc[1, ["low", "high"]]) == evaluate.wilson_interval(1, 2)
    error = (found.photos * (found.accuracy - found.confidence).abs()).sum() / found.photos.sum()
    assert calibration.expected_calibration_error(EIGHT, n_bins=4) == pytest.approx(error)
    assert len(calibration.reliability_table(sure([0.5] * 9, [1] * 9))) == 1


def test_band_is_that_of_the_binomial_distribution():
    found = calibration.reliability_table(sure([0.8] * 50, [1] * 40 + [0] * 10), n_draws=20_000)
    ends = binom.ppf([0.025, 0.975], 50, 0.8) / 50
    assert found.loc[0, ["calibrated_low", "calibrated_high"]].tolist() == pytest.approx(ends, abs=0.021)


def test_band_holds_a_calibrated_models_bins():
    rng, inside = np.random.default_rng(2), []
    for seed in range(20):
        found = calibration.reliability_table(calibrated(450, rng), n_draws=300, seed=seed)
        inside += [*found.accuracy.between(found.calibrated_low - 1e-9, found.calibrated_high + 1e-9)]
    assert 0.92 < np.mean(inside) <= 0.99


def test_nothing_is_measured_without_photos():
    for measure in (
        calibration.expected_calibration_error,
        calibration.reliability_table,
        calibration.calibration_bias,
    ):
        with pytest.raises(ValueError, match="without photos"):
            measure(EIGHT[:0])


# ---- its bias ---------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_bias_is_what_calibrated_models_show():
    rng = np.random.default_rng(0)
    rows = calibrated(100, rng)
    probabilities = evaluate.probabilities(rows)
    errors = []
    for _ in range(300):
        truth = (probabilities.cumsum(axis=1) > rng.random((100, 1))).argmax(axis=1)
        errors.append(calibration.expected_calibration_error(table(truth, probabilities)))
    bias = calibration.calibration_bias(rows)
    assert bias.shape == (1000,) and bias.dtype == np.float64
    assert bias.mean() == pytest.approx(np.mean(errors), rel=0.05)
    assert np.quantile(bias, 0.95) == pytest.approx(np.quantile(errors, 0.95), rel=0.08)


def test_bias_by_hand():
    # One photo, answered with 0.75: the error is 0.25 with chance 0.75 and else 0.75, so 0.375 in the mean.
    bias = calibration.calibration_bias(sure([0.75], [True]), n_draws=4000)
    assert set(bias.round(9)) == {0.25, 0.75} and bias.mean() == pytest.approx(0.375, abs=0.02)


def test_bias_does_not_depend_on_the_truth_and_comes_from_the_seed():
    flipped = EIGHT.assign(condition=EIGHT.condition.to_numpy()[::-1])
    np.testing.assert_array_equal(calibration.calibration_bias(EIGHT), calibration.calibration_bias(flipped))
    assert not np.array_equal(calibration.calibration_bias(EIGHT), calibration.calibration_bias(EIGHT, seed=1))


def test_bias_falls_as_the_set_grows():
    rows = calibrated(300, np.random.default_rng(1))
    found = calibration.bias_by_size(rows, [50, 300, 2000], n_draws=200)
    assert list(found.photos) == [50, 300, 2000]
    assert found["mean"].is_monotonic_decreasing and (found.low < found["mean"]).all()
    assert (found["mean"] < found.high).all()
    assert found["mean"][1] == pytest.approx(calibration.calibration_bias(rows).mean(), rel=0.1)
    # The error of a share falls with the square root of its trials: 40 times the photos, about a sixth of the error.
    assert found["mean"][2] / found["mean"][0] == pytest.approx(1 / math.sqrt(40), rel=0.25)


def test_error_of_a_calibrated_model_is_the_bias_and_that_of_a_boaster_is_not():
    rows = calibrated(400, np.random.default_rng(3))
    assert calibration.expected_calibration_error(rows) < np.quantile(calibration.calibration_bias(rows), 0.99)
    boaster = calibration.with_temperature(rows, 0.4)
    bias = calibration.calibration_bias(boaster)
    assert calibration.expected_calibration_error(boaster) > bias.max()


# ---- temperature ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_temperature_is_recovered(temperature):
    """Of probabilities sharpened (or blunted) by a known temperature, which is the one that gives them back."""
    rows = calibrated(6000, np.random.default_rng(4))
    distorted = calibration.with_temperature(rows, 1 / temperature)
    found = calibration.fit_temperature(distorted)
    assert found == pytest.approx(temperature, rel=0.05)
    again = calibration.with_temperature(distorted, found)
    np.testing.assert_allclose(evaluate.probabilities(again), evaluate.probabilities(rows), atol=0.02)
    assert evaluate.log_loss(again) <= evaluate.log_loss(distorted) + 1e-9
    assert calibration.expected_calibration_error(again) < 0.03


def test_temperature_is_where_the_loss_is_least():
    rows = calibration.with_temperature(calibrated(200, np.random.default_rng(5)), 0.5)
    theirs = minimize_scalar(
        lambda t: evaluate.log_loss(calibration.with_temperature(rows, t)), bounds=(0.1, 10), method="bounded"
    )
    assert calibration.fit_temperature(rows) == pytest.approx(theirs.x, rel=1e-3)


def test_temperature_from_probabilities_is_that_of_the_logits():
    logits = 5 * np.random.default_rng(6).normal(size=(30, N)) + 17
    rows = table([0] * 30, softmax(logits, axis=1), "validation")
    for temperature in (0.5, 1, 3):
        ours = evaluate.probabilities(calibration.with_temperature(rows, temperature))
        np.testing.assert_allclose(ours, softmax(logits / temperature, axis=1))


def test_no_answer_changes_and_the_table_given_stays():
    rows = calibrated(100, np.random.default_rng(7))
    before = rows.copy()
    for temperature in (0.1, 0.9, 30):
        after = calibration.with_temperature(rows, temperature)
        assert list(after) == list(rows)
        assert np.array_equal(evaluate.probabilities(after).argmax(1), evaluate.probabilities(rows).argmax(1))
        np.testing.assert_allclose(evaluate.probabilities(after).sum(axis=1), 1)
    pd.testing.assert_frame_equal(rows, before)


@pytest.mark.filterwarnings("error")
def test_certain_answers_get_a_finite_temperature():
    # 60 of 100 certain answers are right: the best is to give them 0.6, whatever that takes.
    rows = table([0] * 60 + [1, 2, 3, 4, 5] * 8, np.eye(N)[[0] * 100], "validation")
    blunted = calibration.with_temperature(rows, calibration.fit_temperature(rows))
    np.testing.assert_allclose(evaluate.top_probability(blunted), 0.6, atol=1e-3)
    always_right = sure([0.9] * 10, [1] * 10)
    found = calibration.fit_temperature(always_right)
    assert calibration.TEMPERATURES[0] <= found < 0.2
    assert evaluate.log_loss(calibration.with_temperature(always_right, found)) < 1e-6


def test_copies_do_not_weigh_in_the_temperature():
    rng = np.random.default_rng(8)
    rows = calibration.with_temperature(calibrated(150, rng), 0.5)
    many = rows.loc[rows.index.repeat(rng.integers(1, 8, len(rows)))].sample(frac=1, random_state=0)
    assert calibration.fit_temperature(many) == pytest.approx(calibration.fit_temperature(rows), rel=1e-4)
    conflict = rows.iloc[[0, 0]].assign(photo_id="two labels", condition=[KEYS[0], KEYS[1]])
    assert calibration.fit_temperature(pd.concat([rows, conflict])) == calibration.fit_temperature(rows)
    with pytest.raises(ValueError, match="two labels"):
        calibration.fit_temperature(conflict)


def test_temperature_wants_validation_photos_alone():
    rows = calibrated(10, np.random.default_rng(9))
    for split in ("train", "test"):
        with pytest.raises(ValueError, match=f"among these are {split} photos"):
            calibration.fit_temperature(rows.assign(split=["validation"] * 9 + [split]))
    with pytest.raises(ValueError, match="there are none"):
        calibration.fit_temperature(rows[:0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("classes", [2, 3, 40])
def test_any_number_of_classes(classes):
    rng = np.random.default_rng(10)
    rows = calibrated(4000, rng, classes=classes)
    boaster = calibration.with_temperature(rows, 0.5)
    assert calibration.fit_temperature(boaster) == pytest.approx(2, rel=0.1)
    assert calibration.expected_calibration_error(rows) < 0.04 < calibration.expected_calibration_error(boaster)
    # 60 of 100 certain answers are right; the classes that never were answered share the rest. With only one to take
    # it, no temperature below the highest that is tried would do.
    certain = table([0] * 60 + [1] * 40, np.eye(classes)[[0] * 100], "validation")
    assert calibration.expected_calibration_error(certain) == pytest.approx(0.4)
    temperature = calibration.fit_temperature(certain)
    if classes == 2:
        assert temperature == pytest.approx(calibration.TEMPERATURES[1], rel=1e-4)
    else:
        blunted = calibration.with_temperature(certain, temperature)
        np.testing.assert_allclose(evaluate.top_probability(blunted), 0.6, atol=1e-3)


@pytest.mark.parametrize("temperature", [0, -1, math.nan, math.inf])
def test_impossible_temperatures_are_refused(temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        calibration.with_temperature(EIGHT, temperature)
