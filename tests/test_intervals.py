"""Wilson's interval, the cluster bootstrap and the comparison of two runs: by hand, against SciPy and simulations."""

import json
import math

import numpy as np
import pandas as pd
import predictions
import pytest
from predictions import certain, copied
from scipy.stats import binom, binomtest

from skinlib.data.conditions import KEYS
from skinlib.judge import evaluate

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture(params=range(4))
def random_table(request) -> pd.DataFrame:
    return predictions.random(request.param)


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


@pytest.mark.long
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


@pytest.mark.long
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
