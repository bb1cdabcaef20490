"""What is chosen before a model meets strangers, from a few photos that can be counted."""

import math

import numpy as np
import pytest
from predictions import copied, sure, table

from skinlib.judge import abstention, calibration, evaluate, limits

pytestmark = pytest.mark.filterwarnings("error")


def directions(degrees) -> np.ndarray:
    """Return features of two numbers, float32 (n, 2), that point into these directions."""
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], np.float32)


def apart(degrees: float) -> float:
    """Return the distance of two points of the unit circle that are so many degrees apart."""
    return 2 * math.sin(math.radians(degrees) / 2)


TWENTY = sure([0.6] * 20, [1] * 12 + [0] * 8, n=2)  # 0.6 sure, and right six times in ten: as it should be
HALF_AND_HALF = sure([0.9] * 20 + [0.6] * 20, [1] * 18 + [0] * 2 + [1] * 12 + [0] * 8, n=2)  # and so is this


def test_limits_by_hand():
    """Every answer is calibrated; those of 0.9 keep the promise of 80 %, all together, 30 of 40, that of 75 %."""
    turned = [0] * 36 + [90] * 2 + [180] * 2  # 38 of 40 photos, 95 %, lie within 90 degrees of the training photo
    training = directions([0])
    found = limits.choose_limits(HALF_AND_HALF, directions(turned), training)
    assert found.temperature == pytest.approx(1, abs=1e-3)
    assert found.threshold == pytest.approx(0.9, abs=1e-3)
    assert found.strangeness == pytest.approx(apart(90))
    assert found.promise == limits.Promise(0.8, 40, 20, 18, evaluate.wilson_interval(18, 20)[0])
    assert limits.TARGET_ACCURACY == 0.8
    assert limits.choose_limits(HALF_AND_HALF, directions(turned), training, 0.75).threshold == pytest.approx(
        0.6, abs=1e-3
    )


def test_a_boaster_is_cooled_before_its_threshold_is_chosen():
    boaster = calibration.with_temperature(HALF_AND_HALF, 0.5)
    features = directions([0] * 40)
    assert evaluate.top_probability(boaster).max() == pytest.approx(0.81 / 0.82)
    found = limits.choose_limits(boaster, features, features)
    assert found.temperature == pytest.approx(2, abs=1e-3)
    assert found.threshold == pytest.approx(0.9, abs=1e-3)  # of the mended probabilities
    answers = calibration.with_temperature(boaster, found.temperature)
    assert (evaluate.top_probability(answers) >= found.threshold).sum() == 20


def test_a_promise_that_no_threshold_keeps_is_none():
    features = directions([0] * 20)
    found = limits.choose_limits(TWENTY, features, features)
    assert found.threshold is None and found.promise == limits.Promise(0.8, 20, 0, 0, 0)
    assert limits.choose_limits(TWENTY, features, features, target_accuracy=0.6).threshold == pytest.approx(
        0.6, abs=1e-3
    )


@pytest.mark.parametrize("n", [1, 5, 19, 20, 21])
def test_a_promise_rests_on_twenty_answers(n):
    """All of them right and sure: nineteen are no promise, whatever they say, and twenty are one with its lower end."""
    features = directions([0] * n)
    found = limits.choose_limits(sure([0.99] * n, [1] * n, n=2), features, features)
    assert (found.threshold is None) == (n < abstention.LEAST_ANSWERED == 20)
    assert found.promise.photos == n
    answered = n if n >= 20 else 0
    low = evaluate.wilson_interval(answered, answered)[0]
    assert (found.promise.answered, found.promise.correct, found.promise.low) == (answered, answered, low)


def test_copies_make_no_promise():
    """Forty files of ten photos are ten votes."""
    rows = copied(sure([0.99] * 10, [1] * 10, n=2), 4)
    found = limits.choose_limits(rows, directions([0] * 10), directions([0]))
    assert found.threshold is None and found.promise.photos == 10


def test_photos_as_sure_as_one_another_are_answered_together():
    """Nineteen surer ones alone are too few; with the twenty of a tie below them they miss the promise."""
    rows = sure([0.9] * 19 + [0.8] * 20, [1] * 19 + [1] * 12 + [0] * 8, n=2)
    found = limits.choose_limits(rows, directions([0] * 39), directions([0]))
    assert found.threshold is None and found.promise.photos == 39
    found = limits.choose_limits(rows, directions([0] * 39), directions([0]), target_accuracy=0.75)
    assert (found.promise.answered, found.promise.correct) == (39, 31)


def test_strangeness_is_the_distance_to_the_fifth_nearest_or_the_last_of_fewer():
    photos, training = directions([0] * 20), directions([10, 20, 30, 40, 50, 60])
    assert limits.NEIGHBOURS == 5
    assert limits.choose_limits(TWENTY, photos, training).strangeness == pytest.approx(apart(50))
    assert limits.choose_limits(TWENTY, photos, 7 * training[:3]).strangeness == pytest.approx(apart(30))


@pytest.mark.parametrize("n", [3, 40])
def test_more_classes(n):
    """One class is always certain and mostly right: what is right in 9 of 10 is answered, whatever the others are."""
    rows = table([0] * 18 + [1] * 2, np.eye(n)[[0] * 20], "validation")
    found = limits.choose_limits(rows, directions([0] * 20), directions([0]))
    assert found.temperature > 1 and found.strangeness == pytest.approx(0, abs=1e-6)
    answers = calibration.with_temperature(rows, found.temperature)
    assert evaluate.top_probability(answers) == pytest.approx(found.threshold) and found.threshold < 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_is_chosen_on_photos_of_another_split(split):
    features = directions([0] * 20)
    with pytest.raises(ValueError, match=f"among these are {split} photos"):
        limits.choose_limits(TWENTY.assign(split=["validation"] * 19 + [split]), features, features)
    with pytest.raises(ValueError, match="there are none"):
        limits.choose_limits(TWENTY[:0], features[:0], features)


def test_without_training_photos_nothing_is_strange_or_known():
    features = directions([0] * 20)
    with pytest.raises(ValueError, match="training photos"):
        limits.choose_limits(TWENTY, features, features[:0])
