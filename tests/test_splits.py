"""Clean splits: no photo on two sides, the promised sizes, the same from the same seed; the shipped one is in order."""

import csv
import hashlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlib.audit.copies import identified
from skinlib.data import fetch, splits
from skinlib.data.conditions import KEYS
from skinlib.data.opening import open_data


@pytest.fixture(scope="module")
def table(sample):
    """Return the quick sample's catalogue with the photo_id of its audit."""
    return identified(sample).photos


@pytest.fixture(scope="module")
def many():
    """Return a made-up catalogue: 8 conditions of 50 photos, each with 1 to 6 files."""
    rng = np.random.default_rng(3)
    rows = [(f"{key}-{i}", key) for key in KEYS for i in range(50) for _ in range(rng.integers(1, 7))]
    made = pd.DataFrame(rows, columns=["photo_id", "condition"])
    return made.assign(sha256=[f"{i:064x}" for i in made.index], split="train").sample(frac=1, random_state=1)


def sides(photos_table, split):
    return pd.Series(split, photos_table.index).groupby(photos_table.photo_id).nunique()


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_grouped_keeps_every_photo_on_one_side(seed, table, many):
    for rows in (table, many):
        assert (sides(rows, splits.grouped(rows, seed)) == 1).all()


def test_official_splits_copies_apart(table):
    """What the grouped split is for: the official one has photos on two sides."""
    assert (sides(table, splits.official(table)) > 1).any()


def test_grouped_counts_photos_and_has_the_promised_shares(many):
    by_photo = many.assign(side=splits.grouped(many, 5)).drop_duplicates("photo_id")
    counts = pd.crosstab(by_photo.condition, by_photo.side)
    assert (counts.test == 10).all() and (counts.validation == 8).all() and (counts.train == 32).all()


def test_grouped_repeats_and_depends_on_the_seed_and_not_on_the_order_of_files(many):
    first = pd.Series(splits.grouped(many, 0), many.sha256)
    shuffled = many.sample(frac=1, random_state=9)
    assert first.equals(pd.Series(splits.grouped(shuffled, 0), shuffled.sha256)[first.index])
    assert (first.to_numpy() != splits.grouped(many, 1)).any()


def test_photos_with_two_labels_are_for_training(table):
    conflicting = table.groupby("photo_id").condition.transform("nunique") > 1
    assert conflicting.any(), "the quick sample has none: choose another"
    assert (splits.grouped(table)[conflicting] == "train").all()


def test_folds_hold_out_every_row_once_a_repeat_and_every_photo_whole(many):
    masks = list(splits.folds(many, n_folds=5, n_repeats=2, seed=0))
    assert len(masks) == 10
    for repeat in (masks[:5], masks[5:]):
        assert (np.sum(repeat, axis=0) == 1).all()
    for held_out in masks:
        assert (sides(many, held_out) == 1).all()
        shares = many.condition[held_out].value_counts() / many.condition.value_counts()
        assert shares.between(0.1, 0.3).all()
    assert not all(np.array_equal(a, b) for a, b in zip(masks[:5], masks[5:], strict=True))


def test_the_shipped_split_names_the_clinical_photos_and_keeps_copies_together():
    shipped = pd.read_csv(splits.CLINICAL)
    assert list(shipped.columns) == ["sha256", "photo_id", "split", "fold"]
    with fetch.MANIFEST.open(newline="") as file:
        manifest = {row["sha256"] for row in csv.DictReader(file)}
    assert set(shipped.sha256) == manifest and shipped.sha256.is_unique
    assert (shipped.groupby("photo_id")[["split", "fold"]].nunique() == 1).all(axis=None)
    assert (shipped.groupby("photo_id").sha256.min().str[:16] == sorted(shipped.photo_id.unique())).all()
    by_photo = shipped.drop_duplicates("photo_id")
    shares = by_photo.split.value_counts(normalize=True)
    assert shares.test == pytest.approx(0.2, abs=0.01) and shares.validation == pytest.approx(0.16, abs=0.01)
    assert set(shipped.fold) == set(range(splits.N_FOLDS))


def test_the_shipped_split_does_not_change_under_one_version():
    digests = {1: "dfffff1eaf2ffcf4dd37cfa9e590d1859f755611dbc635c759a4c3441b495431"}
    assert hashlib.sha256(splits.CLINICAL.read_bytes()).hexdigest() == digests[splits.CLINICAL_VERSION]


def test_the_shipped_split_is_used_whatever_the_seed():
    shipped = pd.read_csv(splits.CLINICAL)
    rows = shipped.iloc[::-1].assign(condition=KEYS[0])
    assert (splits.grouped(rows, seed=4) == rows.split).all()


@pytest.mark.clinical
def test_the_shipped_split_is_what_the_audit_of_the_clinical_photos_gives(
    clinical_folder, sample_settings, monkeypatch
):
    data = open_data(replace(sample_settings, data=str(clinical_folder)))
    found = identified(data).photos
    monkeypatch.setattr(splits, "_shipped", lambda: pd.DataFrame({"split": []}, index=pd.Index([], dtype=str)))
    pd.testing.assert_frame_equal(splits.table(found), pd.read_csv(splits.CLINICAL))
