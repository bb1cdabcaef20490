"""The ladder: what it judges, that it repeats and resumes, and that what the book ships is in order."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError, SkinlibError
from skinlib.data import fetch, splits
from skinlib.data.conditions import KEYS
from skinlib.data.opening import open_data
from skinlib.judge import evaluate
from skinlib.learn import ladder, pretrained, train
from skinlib.learn.prepared import Recipe, prepare

RESULTS = Path(__file__).parents[1] / "book" / "results"
PLAIN, NETWORKS = list(ladder.WITHOUT_WEIGHTS), list(ladder.WITH_WEIGHTS)  # before any test changes them
SHIPPED = sorted(RESULTS.glob("*.csv"))


@pytest.fixture(scope="module")
def few_rungs():
    """Leave a rung of each kind on the ladder, with one epoch of training."""
    quick = Recipe(epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "WITHOUT_WEIGHTS", {"majority": ladder.WITHOUT_WEIGHTS["majority"]})
        rungs = {
            "nearest neighbour": ladder.WITH_WEIGHTS["nearest neighbour"],
            "recipe": ladder._trained(quick),
            "recipe, calibrated": ladder._calibrated(ladder._trained(quick)),
        }
        patch.setattr(ladder, "WITH_WEIGHTS", rungs)
        yield rungs


@pytest.fixture(scope="module")
def climbed(few_rungs, sample, tiny_settings, tmp_path_factory):
    return ladder.results(sample, tiny_settings, tmp_path_factory.mktemp("results"), ["untrained"])


def test_every_rung_is_judged_on_both_splits(climbed, few_rungs, sample):
    table = pd.read_csv(climbed)
    assert tuple(table.columns) == ladder.RESULT_COLUMNS and table.notna().all(axis=None)
    assert list(zip(table.rung, table.split, strict=True)) == [
        (rung, split) for rung in ["majority", *few_rungs] for split in ("official", "grouped")
    ]
    assert list(table.weights) == ["none"] * 2 + ["untrained"] * 6
    assert (table.low <= table.accuracy).all() and (table.accuracy <= table.high).all()
    assert (table.photos <= table.files).all() and (table.correct / table.photos).round(6).equals(table.accuracy)
    official = table[table.split == "official"]
    assert (official.files == (sample.photos.split == "test").sum()).all()


def test_the_rows_are_those_of_the_runs(climbed, sample, tiny_settings):
    """A row of the table says what the run's own metrics say, and the baseline's what counting by hand gives."""
    table = pd.read_csv(climbed).set_index(["rung", "split"])
    run = train.train(prepare(sample, tiny_settings, "grouped", Recipe(epochs=1)))
    row, numbers = table.loc["recipe", "grouped"], run.metrics["test"]
    assert row.accuracy == pytest.approx(numbers["accuracy"]) and row.brier == pytest.approx(numbers["brier"], abs=1e-6)
    known = identified(sample).photos
    side = splits.grouped(known)
    commonest = known.condition[side == "train"].mode()[0]
    judged = known[side == "test"].drop_duplicates("photo_id")
    assert table.loc["majority", "grouped"].accuracy == pytest.approx((judged.condition == commonest).mean(), abs=1e-6)


def test_calibration_changes_no_answer_and_looks_at_validation_photos_alone(sample, tiny_settings, few_rungs):
    arguments = identified(sample), tiny_settings, "official"
    plain, cooled = (few_rungs[name](*arguments) for name in ("recipe", "recipe, calibrated"))
    assert (plain.predicted == cooled.predicted).all()
    assert not np.allclose(plain[list(KEYS)], cooled[list(KEYS)])

    def with_other_test_labels(*arguments):
        return few_rungs["recipe"](*arguments).assign(
            condition=lambda table: table.condition.where(table.split == "validation", KEYS[0])
        )

    again = ladder._calibrated(with_other_test_labels)(*arguments)
    pd.testing.assert_frame_equal(again[list(KEYS)], cooled[list(KEYS)])


def test_a_second_climb_trains_nothing_and_finds_the_same(climbed, sample, tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "fit", None)  # any training would fail
    again = ladder.results(sample, tiny_settings, tmp_path, ["untrained"])
    assert again.read_bytes() == climbed.read_bytes()


def test_provenance_says_what_made_the_table(climbed, sample, weights):
    provenance = json.loads(climbed.with_suffix(".json").read_text())
    assert provenance["data"] == {"name": "sample", "fingerprint": sample.fingerprint}
    assert provenance["weights"] == {"untrained": {"sha256": weights.sha256, "note": weights.note}}
    assert provenance["files"] == len(sample.photos)
    assert 0 < provenance["leaked"] < provenance["test_files"] < provenance["photos"]
    assert provenance["command"] == "make results"


def test_weights_that_cannot_be_had_are_left_out(sample, tiny_settings, monkeypatch):
    get_weights = pretrained.get_weights

    def offline(settings, data):
        if settings.weights == "imagenet":
            raise SkinlibError("no network")
        return get_weights(settings, data)

    monkeypatch.setattr(ladder, "get_weights", offline)
    assert list(ladder.at_hand(sample, tiny_settings, ["untrained", "imagenet"])) == ["untrained"]
    with pytest.raises(InputError, match="no weights file"):
        ladder.at_hand(sample, tiny_settings, ["nowhere.h5"])


def test_tables_for_the_page(climbed):
    table = pd.read_csv(climbed)
    shown = ladder.side_by_side(table)
    assert list(shown.index) == ["majority", "nearest neighbour", "recipe", "recipe, calibrated"]
    row = table[(table.rung == "recipe") & (table.split == "grouped")].iloc[0]
    assert shown.loc["recipe", "clean"] == f"{row.accuracy:.0%} ({100 * row.low:.0f}–{100 * row.high:.0f})"
    assert shown.loc["recipe", "clean, photos right"] == f"{row.correct} of {row.photos}"
    assert len(ladder.all_metrics(table)) == len(table)


def test_the_words_name_the_deepest_fall_and_no_winner_that_chance_may_have_chosen():
    rows = [
        ("a", "official", 0.9, 0.85, 0.94), ("a", "grouped", 0.3, 0.2, 0.4),
        ("b", "official", 0.5, 0.4, 0.6), ("b", "grouped", 0.45, 0.35, 0.55),
        ("c", "official", 0.6, 0.5, 0.7), ("c", "grouped", 0.55, 0.45, 0.65),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["rung", "split", "accuracy", "low", "high"]).assign(weights="none")
    words = ladder.in_words(table)
    assert "*a*: from 90% to 30%" in words
    assert "On the official split *a* has the most photos right, 90%, alone." in words
    assert "On the clean split *c* has the most photos right, 55%, but 1 other rung reaches into its interval" in words
    assert "flatters" in words


def test_photos_without_a_test_photo_are_told_before_any_work(sample, tiny_settings, tmp_path, monkeypatch):
    monkeypatch.setattr(ladder, "climb", lambda *_: pytest.fail("it began"))
    all_learn = {"official": lambda photos, seed: np.full(len(photos), "train")}
    monkeypatch.setattr(splits, "SPLITTERS", all_learn)
    with pytest.raises(InputError, match="nothing to judge on the split 'official'"):
        ladder.results(sample, tiny_settings, tmp_path)


# ---------------------------------------------------------------- the tables that the book ships


def test_the_book_ships_both_tables():
    assert [file.stem for file in SHIPPED] == ["clinical", "sample"]


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_tables_hold_every_rung_and_figures_alone(file):
    table, provenance = pd.read_csv(file), json.loads(file.with_suffix(".json").read_text())
    assert tuple(table.columns) == ladder.RESULT_COLUMNS
    assert list(table.rung[table.weights == "none"]) == [rung for rung in PLAIN for _ in splits.SPLITTERS]
    for name in provenance["weights"]:
        assert list(table.rung[table.weights == name]) == [rung for rung in NETWORKS for _ in splits.SPLITTERS]
    assert set(table.weights) == {"none", *provenance["weights"]}
    ends = zip(table.correct, table.photos, table.low, table.high, strict=True)
    for correct, n_photos, low, high in ends:
        assert (low, high) == pytest.approx(evaluate.wilson_interval(correct, n_photos), abs=1e-6)
    assert provenance["command"] == ladder.command(file.stem)
    assert not any("/" in str(value) for value in (provenance["data"]["name"], provenance["machine"]["processor"]))


def test_the_shipped_clinical_table_is_of_the_photos_in_the_manifest():
    provenance = json.loads((RESULTS / "clinical.json").read_text())
    manifest = pd.read_csv(fetch.MANIFEST).sort_values("path")
    in_test = manifest.path.str.startswith("test_set/")  # a catalogue begins with the training photos
    rows = "".join(
        f"{row.sha256}  {row.path}\n" for row in pd.concat([manifest[~in_test], manifest[in_test]]).itertuples()
    )
    assert provenance["data"]["fingerprint"] == hashlib.sha256(rows.encode()).hexdigest()


@pytest.mark.slow
def test_the_shipped_sample_table_is_of_the_sample_that_the_chapters_draw(sample_settings):
    """The full sample has the fingerprint that the table names, or somebody changed the drawings and not the table."""
    provenance = json.loads((RESULTS / "sample.json").read_text())
    full = replace(sample_settings, speed="full")
    assert provenance["data"]["fingerprint"] == open_data(full).fingerprint
