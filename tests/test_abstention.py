"""When to say "I don't know": curves counted by hand, and distances against SciPy's."""

import json
import math

import numpy as np
import pytest
from predictions import N, sure
from scipy.spatial.distance import cdist

from skinlib.data.conditions import KEYS
from skinlib.judge import abstention, evaluate

TEN = sure(np.linspace(0.95, 0.5, 10), [1, 1, 1, 0, 1, 1, 0, 1, 0, 0])


# ---- not sure enough --------------------------------------------------------------------------------------------


def test_curve_by_hand():
    curve = abstention.risk_coverage(sure([0.5, 0.9, 0.7, 0.8], [0, 1, 1, 0]))
    assert curve.threshold.tolist() == [0.9, 0.8, 0.7, 0.5]
    assert curve.answered.tolist() == [1, 2, 3, 4] and curve.correct.tolist() == [1, 1, 2, 2]
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    area = 0.25 * (0 + 1 / 2 + 1 / 3 + 1 / 2)
    assert abstention.area_under_risk_coverage(sure([0.5, 0.9, 0.7, 0.8], [0, 1, 1, 0])) == pytest.approx(area)


def test_equal_probabilities_are_answered_together_in_any_order():
    rows = sure([0.6] * 4 + [0.9], [1, 0, 0, 1, 1])
    for seed in range(3):
        curve = abstention.risk_coverage(rows.sample(frac=1, random_state=seed))
        assert curve.answered.tolist() == [1, 5] and curve.risk.tolist() == [0, 0.4]
    assert abstention.area_under_risk_coverage(sure([0.6] * 5, [1, 0, 0, 1, 1])) == pytest.approx(0.4)


def test_curve_of_a_model_that_knows_its_mistakes_rises_and_of_one_that_has_it_backwards_falls():
    confidences, right = np.linspace(0.99, 0.3, 200), np.arange(200) < 150
    knows, backwards = (abstention.risk_coverage(sure(confidences, mistakes)) for mistakes in (right, right[::-1]))
    assert knows.risk.is_monotonic_increasing and (knows.risk[:150] == 0).all()
    assert backwards.risk.is_monotonic_decreasing and backwards.risk[0] == 1
    for curve in (knows, backwards):
        assert curve.coverage.is_monotonic_increasing and curve.threshold.is_monotonic_decreasing
        assert curve.iloc[-1][["coverage", "risk"]].tolist() == [1, 0.25]


def test_area_tells_them_apart():
    confidences, right = np.linspace(0.99, 0.3, 200), np.arange(200) < 150
    best = abstention.area_under_risk_coverage(sure(confidences, right))
    worst = abstention.area_under_risk_coverage(sure(confidences, right[::-1]))
    shuffled = np.random.default_rng(0).permutation(right)
    between = abstention.area_under_risk_coverage(sure(confidences, shuffled))
    # With nothing but right answers up to 3/4, the area is the sum of (k − 150) / k over the last 50, over 200.
    assert best == pytest.approx(sum((k - 150) / k for k in range(151, 201)) / 200)
    assert best < between < worst and between == pytest.approx(0.25, abs=0.08)


def test_threshold_by_hand():
    # Right among the first k of TEN: 1, 2, 3, 3, 4, 5, 5, 6, 6, 6.
    for accuracy, answered in ((1.0, 3), (0.8, 6), (0.75, 8), (0.6, 10), (0.0, 10)):
        threshold = abstention.threshold_for(TEN, accuracy, least=1)
        assert len(abstention.answered(TEN, threshold)) == answered, accuracy
    assert abstention.threshold_for(sure([0.9, 0.5], [0, 1]), 0.9, least=1) == math.inf


def test_threshold_takes_a_share_at_its_word():
    rows = sure(np.linspace(0.99, 0.5, 10), [1] * 9 + [0])
    assert len(abstention.answered(rows, abstention.threshold_for(rows, 0.9, least=1))) == 10  # 9 of 10 are 90 %
    rows = sure(np.linspace(0.99, 0.5, 100), [1] * 93 + [0] * 7)
    assert len(abstention.answered(rows, abstention.threshold_for(rows, 0.93))) == 100


def test_a_promise_made_on_validation_photos_is_kept_there_and_about_kept_on_others():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.3, 1, (2, 3000))
    validation, test = (sure(each, rng.random(3000) < each) for each in confidences)
    threshold = abstention.threshold_for(validation, 0.85)
    assert abstention.judge_at(validation, threshold)["accuracy"] >= 0.85
    assert abstention.judge_at(test, threshold)["accuracy"] == pytest.approx(0.85, abs=0.03)
    assert threshold == pytest.approx(0.7, abs=0.05)  # the mean of a confidence uniform from 0.7 to 1 is 0.85


def test_copies_do_not_count_in_the_threshold():
    many = TEN.loc[TEN.index.repeat([1, 1, 1, 9, 1, 1, 1, 1, 9, 1])].sample(frac=1, random_state=0)
    for accuracy in (1.0, 0.8, 0.75, 0.6):
        once = abstention.threshold_for(TEN, accuracy, least=1)
        assert abstention.threshold_for(many, accuracy, least=1) == pytest.approx(once)
    assert len(many) >= abstention.LEAST_ANSWERED and abstention.threshold_for(many, 0.6) == math.inf


def test_no_threshold_rests_on_fewer_than_twenty_answers():
    """Of thirty photos the surest nineteen are right, and no others: 20 of 20 is out of reach."""
    rows = sure(np.linspace(0.99, 0.6, 30), [1] * 19 + [0] * 11)
    assert abstention.threshold_for(rows, 0.99) == math.inf
    assert len(abstention.answered(rows, abstention.threshold_for(rows, 0.99, least=19))) == 19
    assert len(abstention.answered(rows, abstention.threshold_for(rows, 0.95))) == 20
    for n in (19, 20):
        right = sure([0.9] * n, [1] * n)
        assert math.isfinite(abstention.threshold_for(right, 0.8)) == (n >= abstention.LEAST_ANSWERED)


def test_threshold_wants_validation_photos_and_a_share():
    with pytest.raises(ValueError, match="among these are test photos"):
        abstention.threshold_for(TEN.assign(split="test"), 0.9)
    with pytest.raises(ValueError, match="there are none"):
        abstention.threshold_for(TEN[:0], 0.9)
    for accuracy in (-0.1, 1.1, math.nan, 95):
        with pytest.raises(ValueError, match="cannot be"):
            abstention.threshold_for(TEN, accuracy)


@pytest.mark.filterwarnings("error")
def test_judgement_by_hand():
    found = abstention.judge_at(TEN, TEN[KEYS[0]].iloc[5])
    interval = list(evaluate.wilson_interval(5, 6))
    assert found == {
        "threshold": TEN[KEYS[0]].iloc[5], "photos": 10, "answered": 6, "coverage": 0.6, "correct": 5,
        "accuracy": 5 / 6, "accuracy_interval": interval,
    }  # fmt: skip
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    silent = abstention.judge_at(TEN, math.inf)
    assert (silent["answered"], silent["coverage"], silent["accuracy"]) == (0, 0, None)
    assert silent["accuracy_interval"] == [0, 1]
    for measure in (abstention.area_under_risk_coverage, lambda rows: abstention.judge_at(rows, 0.5)):
        with pytest.raises(ValueError, match="without photos"):
            measure(TEN[:0])


@pytest.mark.parametrize("n", [2, 3, 40])
def test_any_number_of_classes(n):
    rows = sure([0.9, 0.8, 0.7, 1.0], [1, 0, 1, 1], n=n)
    curve = abstention.risk_coverage(rows)
    assert curve.threshold.tolist() == [1, 0.9, 0.8, 0.7] and curve.correct.tolist() == [1, 2, 2, 3]
    assert abstention.threshold_for(rows, 0.75, 1) == 0.7 and abstention.threshold_for(rows, 0.8, 1) == 0.9


def test_judgement_agrees_with_the_curve():
    curve = abstention.risk_coverage(TEN)
    for row in curve.itertuples():
        found = abstention.judge_at(TEN, row.threshold)
        assert (found["answered"], found["coverage"]) == (row.answered, row.coverage)
        assert found["accuracy"] == pytest.approx(1 - row.risk)


# ---- none of the classes -----------------------------------------------------------------------------------------


def test_softmax_strangeness():
    probabilities = np.array([np.eye(N)[2], np.full(N, 1 / N), [0.6, 0.4] + [0] * 6])
    assert abstention.softmax_strangeness(probabilities) == pytest.approx([0, 7 / 8, 0.4])


def test_energy_by_hand():
    # Eight equal logits a have the energy −(a + log 8); one that towers over the others, its own negative.
    assert abstention.energy(np.full((1, N), 3.0)) == pytest.approx([-3 - math.log(8)])
    assert abstention.energy(1000 * np.eye(N)[:1]) == pytest.approx([-1000])
    logits = np.random.default_rng(0).normal(size=(5, N))
    np.testing.assert_allclose(abstention.energy(logits), -np.log(np.exp(logits).sum(axis=1)))
    np.testing.assert_allclose(abstention.energy(logits, 2), -2 * np.log(np.exp(logits / 2).sum(axis=1)))
    # A level common to all logits, which no probability shows, is energy.
    np.testing.assert_allclose(abstention.energy(logits + 7), abstention.energy(logits) - 7)


@pytest.mark.parametrize("k", [1, 5, 40])
def test_neighbour_distance(k):
    rng = np.random.default_rng(1)
    training, photos = rng.normal(size=(40, 30)).astype(np.float32), rng.normal(size=(25, 30)).astype(np.float32)
    ours = abstention.neighbour_distance(photos, training, k)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    theirs = np.sort(cdist(unit(photos.astype(float)), unit(training.astype(float))), axis=1)[:, k - 1]
    np.testing.assert_allclose(ours, theirs)
    np.testing.assert_allclose(abstention.neighbour_distance(100 * photos, training / 7, k), ours, atol=1e-6)


@pytest.mark.filterwarnings("error")
def test_neighbour_distance_by_hand():
    training = np.array([[1.0, 0], [0, 2], [-3, 0]])
    photos = np.array([[5.0, 0], [1, 1], [0, 0]])
    assert abstention.neighbour_distance(photos, training, 1) == pytest.approx(
        [0, math.sqrt(2 - math.sqrt(2)), math.sqrt(2)]
    )
    assert abstention.neighbour_distance(photos, training, 3)[0] == pytest.approx(2)
    for k in (0, 4):
        with pytest.raises(ValueError, match="training photos"):
            abstention.neighbour_distance(photos, training, k)


def test_auroc_is_the_share_of_pairs():
    rng = np.random.default_rng(2)
    known, others = rng.normal(size=80).round(1), rng.normal(loc=0.7, size=50).round(1)
    pairs = np.subtract.outer(others, known)
    share = ((pairs > 0) + (pairs == 0) / 2).mean()
    assert abstention.auroc(known, others) == pytest.approx(share)
    assert abstention.auroc(others, known) == pytest.approx(1 - share)


def test_auroc_by_hand():
    assert abstention.auroc([1, 2], [2, 3]) == (0.5 + 3) / 4
    assert abstention.auroc([1, 2], [3, 4]) == 1 and abstention.auroc([3, 4], [1, 2]) == 0
    assert math.isnan(abstention.auroc([], [1])) and math.isnan(abstention.auroc([1], []))


def test_limit_by_hand():
    known = np.arange(1, 21)  # 19 of 20 lie at or below 19
    assert abstention.limit_for(known) == 19
    assert abstention.limit_for(known, 0.5) == 10 and abstention.limit_for(known, 1) == 20


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.95, 0.99])
def test_limit_lets_the_share_pass_that_it_promises_and_no_photo_more(rate):
    known = np.random.default_rng(3).normal(size=137)
    limit = abstention.limit_for(known, rate)
    assert np.mean(known <= limit) >= rate > np.mean(known < limit)


def test_a_score_that_knows_nothing_gets_its_chance_level():
    rng = np.random.default_rng(4)
    known, others = rng.random(4000), rng.random(4000)
    assert abstention.auroc(known, others) == pytest.approx(0.5, abs=0.02)
    assert np.mean(others <= abstention.limit_for(known)) == pytest.approx(0.95, abs=0.01)
