"""Clean splits: no photo on two sides, the promised sizes, the same from the same seed; the shipped one is in order."""

import csv
import hashlib
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError
from skinlib.base.settings import SPLITS
from skinlib.data import fetch, splits
from skinlib.data.classes import from_folders
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


def catalogue(classes):
    """Return a made-up catalogue: {class: (training, validation, test photos)}, one file for each photo."""
    rows = [
        (f"{key}-{split}-{number}", key, split)
        for key, counts in classes.items()
        for split, count in zip(SPLITS, counts, strict=True)
        for number in range(count)
    ]
    made = pd.DataFrame(rows, columns=["photo_id", "condition", "split"])
    return made.assign(sha256=[f"{number:064x}" for number in range(len(made))])


def test_official_validation_photos_are_used_as_such(pets):
    """No training photo is drawn for what the data set has brought, whatever the seed and share."""
    for seed in range(3):
        assert (splits.official(pets.photos, seed, 0.5) == pets.photos.split).all()
    own = catalogue({"cat": (10, 3, 3), "dog": (10, 0, 3)})
    assert (splits.official(own) == own.split).all(), "a class without any gets none"


def test_without_validation_photos_a_share_of_each_class_is_drawn():
    made = catalogue({"cat": (20, 0, 4), "dog": (10, 0, 2), "bird": (1, 0, 0)})
    split = splits.official(made, seed=3)
    assert made.split.tolist().count("validation") == 0, "the catalogue stays as it is"
    counts = pd.crosstab(made.condition, split)
    assert counts.validation.to_dict() == {"bird": 0, "cat": 4, "dog": 2}
    assert (split[made.split == "test"] == "test").all()
    assert not np.array_equal(split, splits.official(made, seed=4))
    assert np.array_equal(split, splits.official(made, seed=3))


def test_there_is_no_official_split_without_test_photos(plain_pets):
    for photos in (plain_pets.photos, catalogue({"cat": (5, 5, 0)})):
        with pytest.raises(InputError, match="no official test photos: use the split 'grouped', which draws its own"):
            splits.official(photos)


def test_what_needs_copies_looked_for_says_so(sample):
    for refuse in (splits.check_audited, splits.grouped, splits.table, lambda photos: next(splits.folds(photos))):
        with pytest.raises(InputError, match=r"nobody has looked for copies .*skinlib\.audit\.identified"):
            refuse(sample.photos)


@pytest.mark.parametrize(("count", "expected"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (2, 0, 1)), (5, (3, 1, 1))])
def test_grouped_splits_of_a_few_photos(count, expected):
    made = catalogue({"cat": (count, 0, 0), "dog": (20, 0, 0)})
    by_class = pd.crosstab(made.condition, splits.grouped(made)).reindex(columns=list(SPLITS), fill_value=0)
    assert tuple(by_class.loc["cat"]) == expected
    assert tuple(by_class.loc["dog"]) == (13, 3, 4)


CAT_AND_DOG = from_folders(["cat", "Great_dane"])


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ({"cat": (3, 1, 1), "great_dane": (3, 1, 1)}, []),
        ({"cat": (1, 0, 0), "great_dane": (3, 1, 1)}, ["no test photos of Cat: their answers are not judged"]),
        ({"cat": (3, 1, 1), "great_dane": (0, 0, 1)}, ["no train photos of Great dane: nothing is learned of them"]),
        ({"cat": (3, 1, 1), "great_dane": (3, 0, 1)}, []),
        (
            {"cat": (3, 1, 0), "great_dane": (0, 1, 0)},
            [
                "no train photos of Great dane: nothing is learned of them",
                "there are no test photos: nothing to judge",
            ],
        ),
        (
            {"cat": (3, 0, 1)},
            [
                "1 of 2 classes have no photos",
                "there are no validation photos: nothing can be chosen or calibrated on them",
            ],
        ),
        (
            {"cat": (0, 0, 2), "great_dane": (0, 0, 3)},
            [
                "no train photos of Cat, Great dane: nothing is learned of them",
                "there are no validation photos: nothing can be chosen or calibrated on them",
            ],
        ),
    ],
    ids=[
        "nothing to say", "a class of one photo", "a class to be judged only", "a class without validation photos",
        "no test photos", "an absent class", "test photos alone",
    ],
)  # fmt: skip
def test_notes(classes, expected):
    made = catalogue(classes)
    assert splits.notes(made, made.split.to_numpy(), CAT_AND_DOG) == expected


def test_notes_of_a_clean_split_with_a_class_of_one_photo():
    made = catalogue({"cat": (12, 0, 0), "great_dane": (1, 0, 0)})
    assert splits.notes(made, splits.grouped(made), CAT_AND_DOG) == [
        "no test photos of Great dane: their answers are not judged"
    ]


def test_notes_of_cats_and_dogs_are_none(pets, plain_pets):
    assert splits.notes(pets.photos, splits.official(pets.photos), pets.classes) == []
    clean = identified(plain_pets).photos
    assert splits.notes(clean, splits.grouped(clean), plain_pets.classes) == []


def test_folds_of_too_few_photos_are_refused():
    with pytest.raises(InputError, match="4 photos can't be dealt into 5 folds: a clean split needs 5 or more"):
        next(splits.folds(catalogue({"cat": (2, 0, 0), "dog": (2, 0, 0)})))
    with pytest.raises(
        InputError, match="classes of 3 files at most can't be dealt into 5 folds: a clean split needs 5"
    ):
        next(splits.folds(catalogue({"cat": (3, 0, 0), "dog": (3, 0, 0)})))


def test_folds_of_a_rare_class_are_dealt_without_a_word():
    made = catalogue({"cat": (9, 0, 0), "dog": (1, 0, 0)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masks = list(splits.folds(made))
    assert (np.sum(masks, axis=0) == 1).all() and all(held_out.any() for held_out in masks)


def test_table_has_each_content_once(pets):
    photos = identified(pets).photos
    made = splits.table(photos)
    assert list(made.columns) == ["sha256", "photo_id", "split", "fold"]
    assert made.sha256.tolist() == sorted(photos.sha256.unique())
    assert (made.groupby("photo_id")[["split", "fold"]].nunique() == 1).all(axis=None)


def test_the_shipped_split_names_the_clinical_photos_and_keeps_copies_together():
    shipped = pd.read_csv(splits.CLINICAL_SPLITS)
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
    assert hashlib.sha256(splits.CLINICAL_SPLITS.read_bytes()).hexdigest() == digests[splits.CLINICAL_VERSION]


def test_the_shipped_split_is_used_whatever_the_seed():
    shipped = pd.read_csv(splits.CLINICAL_SPLITS)
    rows = shipped.iloc[::-1].assign(condition=KEYS[0])
    assert (splits.grouped(rows, seed=4) == rows.split).all()


@pytest.mark.clinical
def test_the_shipped_split_is_what_the_audit_of_the_clinical_photos_gives(
    clinical_folder, sample_settings, monkeypatch
):
    data = open_data(replace(sample_settings, data=str(clinical_folder)))
    found = identified(data).photos
    monkeypatch.setattr(splits, "_shipped", lambda: pd.DataFrame({"split": []}, index=pd.Index([], dtype=str)))
    pd.testing.assert_frame_equal(splits.table(found), pd.read_csv(splits.CLINICAL_SPLITS))
