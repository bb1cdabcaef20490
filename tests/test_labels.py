"""Wrong labels that were planted on purpose: in probabilities made up for it, and in the sample."""

import numpy as np
import pandas as pd
import pytest

from skinlib.audit import copies
from skinlib.data.conditions import KEYS
from skinlib.doubt import labels
from skinlib.judge import evaluate
from skinlib.learn import extraction

N = len(KEYS)


def catalogue(conditions, photo_ids=None) -> pd.DataFrame:
    table = pd.DataFrame({"path": [f"{i}.jpg" for i in range(len(conditions))], "condition": conditions})
    return table.assign(photo_id=table.path if photo_ids is None else photo_ids)


def made_up(n=800, n_flipped=40, sure=4.0, seed=0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return predictions by a model that is right as far as it is ``sure``, and the truth: some labels are flipped."""
    rng = np.random.default_rng(seed)
    true = np.arange(n) % N
    given = true.copy()
    flipped = rng.permutation(n)[:n_flipped]
    given[flipped] = (given[flipped] + rng.integers(1, N, n_flipped)) % N
    logits = rng.normal(size=(n, N)) + sure * np.eye(N)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    photos = catalogue(np.array(KEYS)[given])
    table = evaluate.predictions_table(photos, np.full(n, "test"), probabilities, KEYS)
    truth = pd.DataFrame({"path": photos.path, "condition": np.array(KEYS)[true], "mislabelled": given != true})
    return table, truth


@pytest.mark.parametrize("seed", range(3))
def test_planted_flips_are_found_by_a_model_that_knows(seed):
    table, truth = made_up(sure=6.0, seed=seed)
    score = labels.score_suspects(labels.suspect_labels(table), truth).loc["suspect"]
    assert (score.labels, score.mistakes) == (800, 40)
    assert score.recall > 0.8 and score.precision > 0.9 and score.auc > 0.99
    assert score.chance_precision == pytest.approx(0.05)
    assert score.chance_recall == pytest.approx(score.flagged / 800)


def test_a_model_that_knows_nothing_finds_nothing():
    table, truth = made_up(sure=0.0)
    score = labels.score_suspects(labels.suspect_labels(table), truth).loc["suspect"]
    assert score.auc == pytest.approx(0.5, abs=0.12)
    assert score.precision == pytest.approx(score.chance_precision, abs=0.04)
    assert score.recall == pytest.approx(score.chance_recall, abs=0.2)


def test_the_true_condition_is_suggested():
    table, truth = made_up(sure=8.0)
    suspects = labels.suspect_labels(table)
    wrong = suspects[suspects.path.isin(truth.path[truth.mislabelled])]
    suggested = wrong.suggested.to_numpy() == truth.set_index("path").condition[wrong.path].to_numpy()
    assert suggested.mean() > 0.95 and wrong.flagged.mean() > 0.95


def test_the_list_is_ranked_and_holds_every_label_once():
    table, _ = made_up()
    suspects = labels.suspect_labels(table)
    assert list(suspects) == list(labels.SUSPECT_COLUMNS)
    assert sorted(suspects.path) == sorted(table.path)
    assert suspects.score.is_monotonic_increasing and suspects.score.between(0, 1).all()
    given = evaluate.probabilities(table)[np.arange(len(table)), evaluate.truth(table)]
    expected = pd.Series(given, index=table.path)[suspects.path]
    np.testing.assert_allclose(suspects.score, expected, atol=1e-9)


def test_the_order_of_rows_does_not_matter():
    table, _ = made_up(n=200, n_flipped=10)
    first = labels.suspect_labels(table)
    again = labels.suspect_labels(table.sample(frac=1, random_state=1))
    pd.testing.assert_frame_equal(first, again)


def test_copies_have_one_vote():
    table, _ = made_up(n=200, n_flipped=10)
    table.loc[1, ["condition", "photo_id"]] = table.loc[0, ["condition", "photo_id"]].to_list()
    suspects = labels.suspect_labels(table)
    assert len(suspects) == 199 and not (suspects.kind == "conflict").any()
    row = suspects[suspects.photo_id == table.photo_id[0]].iloc[0]
    assert row.paths == ["0.jpg", "1.jpg"]
    assert row.score == pytest.approx(table.loc[:1, table.condition[0]].mean())


def test_a_photo_with_two_labels_is_a_conflict_and_no_suspect():
    table, truth = made_up(n=200, n_flipped=0)
    table.loc[[3, 11, 19], "photo_id"] = "copied"  # three files of one photo, two with the label KEYS[3]
    table.loc[19, "condition"] = KEYS[5]
    truth.loc[19, "mislabelled"] = True
    suspects = labels.suspect_labels(table)
    conflict = suspects[suspects.photo_id == "copied"].set_index("condition")
    assert list(conflict.kind.unique()) == ["conflict"] and list(suspects.kind[:2]) == ["conflict"] * 2
    assert conflict.paths.to_dict() == {KEYS[3]: ["3.jpg", "11.jpg"], KEYS[5]: ["19.jpg"]}
    assert conflict.flagged.to_dict() == {KEYS[3]: False, KEYS[5]: True}
    assert conflict.score.to_dict() == pytest.approx({KEYS[3]: 2 / 3, KEYS[5]: 1 / 3})
    assert set(conflict.suggested) == {KEYS[3]}
    score = labels.score_suspects(suspects, truth)
    assert score.loc["conflict", ["labels", "mistakes", "found", "recall", "precision"]].tolist() == [2, 1, 1, 1, 1]
    assert score.loc["suspect", "mistakes"] == 0 and np.isnan(score.loc["suspect", "recall"])


def test_the_model_decides_between_two_labels_of_one_file_each():
    table, _ = made_up(n=200, n_flipped=0, sure=8.0)
    table.loc[19, ["photo_id", *KEYS]] = table.loc[3, ["photo_id", *KEYS]].to_list()  # an exact copy
    table.loc[19, "condition"] = KEYS[5]
    conflict = labels.suspect_labels(table)[:2].set_index("condition")
    assert conflict.flagged.to_dict() == {KEYS[3]: False, KEYS[5]: True} and (conflict.score == 0.5).all()


def test_a_condition_without_a_photo_is_no_obstacle():
    table, truth = made_up()
    kept = table.condition != KEYS[2]
    suspects = labels.suspect_labels(table[kept])
    assert len(suspects) == kept.sum() and KEYS[2] not in set(suspects.suggested)
    assert labels.score_suspects(suspects, truth).loc["suspect", "recall"] > 0.5


def test_conflicts_alone_and_nothing_at_all_make_a_list():
    table, _ = made_up(n=2, n_flipped=0)
    both = labels.suspect_labels(table.assign(photo_id="same"))
    assert list(both.kind) == ["conflict"] * 2
    assert list(labels.suspect_labels(table[:0])) == list(labels.SUSPECT_COLUMNS)


# ---- on the sample ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identified(sample):
    return copies.identified(sample)


@pytest.fixture(scope="module")
def held_out(identified, weights) -> pd.DataFrame:
    return labels.out_of_fold(identified, extraction.features(identified, weights))


def test_out_of_fold_predictions_are_whole_and_repeat(identified, weights, held_out):
    assert list(held_out.path) == list(identified.photos.path) and set(held_out.split) == {"test"}
    np.testing.assert_allclose(evaluate.probabilities(held_out).sum(axis=1), 1, atol=1e-6)
    again = labels.out_of_fold(identified, extraction.features(identified, weights))
    pd.testing.assert_frame_equal(held_out, again)


def test_no_photo_is_judged_by_a_model_that_saw_a_copy_of_it(identified):
    """A copy's features lead to its label in no time: features that name the photo must not help."""
    ids = pd.factorize(identified.photos.photo_id)[0]
    names_of_photos = np.eye(ids.max() + 1, dtype=np.float32)[ids] * 10
    table = labels.out_of_fold(identified, names_of_photos)
    assert evaluate.accuracy(evaluate.one_vote_per_photo(table)) < 0.35
    told = labels.out_of_fold(identified, np.eye(N, dtype=np.float32)[evaluate.truth(table)])
    assert evaluate.accuracy(told) == 1


def test_repeats_are_averaged(identified):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(identified.photos), 5)).astype(np.float32)
    first = labels.out_of_fold(identified, features, seed=0)
    second = labels.out_of_fold(identified, features, seed=1)
    both = labels.out_of_fold(identified, features, n_repeats=2, seed=0)
    expected = (evaluate.probabilities(first) + evaluate.probabilities(second)) / 2
    np.testing.assert_allclose(evaluate.probabilities(both), expected, atol=1e-6)


def test_conflicts_of_the_sample_are_those_that_were_planted(sample, held_out):
    """A copy that strayed into another folder has a twin elsewhere; the audit finds it without any model."""
    suspects = labels.suspect_labels(held_out)
    truth = sample.truth[sample.truth.damage == ""]
    score = labels.score_suspects(suspects, sample.truth)
    strays = truth[truth.mislabelled & (truth.kind != "original")]
    assert score.loc["conflict", "mistakes"] == strays.groupby(["source", "label"]).ngroups > 0
    assert score.loc["all", "mistakes"] == score.loc["conflict", "mistakes"] + score.loc["suspect", "mistakes"]
    assert score.loc["conflict", "precision"] >= 0.5
