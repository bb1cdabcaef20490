"""What is chosen before a model meets strangers, from a few photos that can be counted."""

import math

import numpy as np
import pytest
from predictions import sure, table

from skinlib.judge import calibration, evaluate, limits

pytestmark = pytest.mark.filterwarnings("error")


def directions(degrees) -> np.ndarray:
    """Return features of two numbers, float32 (n, 2), that point into these directions."""
    return np.array([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], np.float32)


def apart(degrees: float) -> float:
    """Return the distance of two points of the unit circle that are so many degrees apart."""
    return 2 * math.sin(math.radians(degrees) / 2)


TEN = sure([0.6] * 10, [1] * 6 + [0] * 4, n=2)  # 0.6 sure, and right six times in ten: as it should be
HALF_AND_HALF = sure([0.9] * 10 + [0.6] * 10, [1] * 9 + [0] + [1] * 6 + [0] * 4, n=2)  # and so is this


def test_limits_by_hand():
    """Every answer is calibrated; those of 0.9 keep the promise of 80 %, all together, 15 of 20, that of 75 %."""
    turned = [0] * 18 + [90, 180]  # 19 of 20 photos, 95 %, lie within 90 degrees of the training photo
    training = directions([0])
    found = limits.choose_limits(HALF_AND_HALF, directions(turned), training)
    assert found.temperature == pytest.approx(1, abs=1e-3)
    assert found.threshold == pytest.approx(0.9, abs=1e-3)
    assert found.strangeness == pytest.approx(apart(90))
    assert found.target_accuracy == limits.TARGET_ACCURACY == 0.8
    assert limits.choose_limits(HALF_AND_HALF, directions(turned), training, 0.75).threshold == pytest.approx(
        0.6, abs=1e-3
    )


def test_a_boaster_is_cooled_before_its_threshold_is_chosen():
    boaster = calibration.with_temperature(HALF_AND_HALF, 0.5)
    features = directions([0] * 20)
    assert evaluate.top_probability(boaster).max() == pytest.approx(0.81 / 0.82)
    found = limits.choose_limits(boaster, features, features)
    assert found.temperature == pytest.approx(2, abs=1e-3)
    assert found.threshold == pytest.approx(0.9, abs=1e-3)  # of the mended probabilities
    answers = calibration.with_temperature(boaster, found.temperature)
    assert (evaluate.top_probability(answers) >= found.threshold).sum() == 10


def test_a_promise_that_no_threshold_keeps_is_none():
    features = directions([0] * 10)
    assert limits.choose_limits(TEN, features, features).threshold is None
    assert limits.choose_limits(TEN, features, features, target_accuracy=0.6).threshold == pytest.approx(0.6, abs=1e-3)


def test_strangeness_is_the_distance_to_the_fifth_nearest_or_the_last_of_fewer():
    photos, training = directions([0] * 10), directions([10, 20, 30, 40, 50, 60])
    assert limits.NEIGHBOURS == 5
    assert limits.choose_limits(TEN, photos, training).strangeness == pytest.approx(apart(50))
    assert limits.choose_limits(TEN, photos, 7 * training[:3]).strangeness == pytest.approx(apart(30))


@pytest.mark.parametrize("n", [3, 40])
def test_more_classes(n):
    """One class is always certain and mostly right: what is right in 9 of 10 is answered, whatever the others are."""
    rows = table([0] * 9 + [1], np.eye(n)[[0] * 10], "validation")
    found = limits.choose_limits(rows, directions([0] * 10), directions([0]))
    assert found.temperature > 1 and found.strangeness == pytest.approx(0, abs=1e-6)
    answers = calibration.with_temperature(rows, found.temperature)
    assert evaluate.top_probability(answers) == pytest.approx(found.threshold) and found.threshold < 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_is_chosen_on_photos_of_another_split(split):
    features = directions([0] * 10)
    with pytest.raises(ValueError, match=f"among these are {split} photos"):
        limits.choose_limits(TEN.assign(split=["validation"] * 9 + [split]), features, features)
    with pytest.raises(ValueError, match="there are none"):
        limits.choose_limits(TEN[:0], features[:0], features)


def test_without_training_photos_nothing_is_strange_or_known():
    features = directions([0] * 10)
    with pytest.raises(ValueError, match="training photos"):
        limits.choose_limits(TEN, features, features[:0])
