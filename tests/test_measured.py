"""Whose score is it: which photos of a table of predictions may judge, and what is said of them."""

import numpy as np
import pytest
from predictions import copied, table

from skinlib.base.errors import InputError
from skinlib.data.conditions import KEYS
from skinlib.judge import measured
from skinlib.serve import exported


def rows(split, photos, condition=0):
    """Return a table of one file for each of ``photos``, which are names, in one split."""
    given = table([condition] * len(photos), np.eye(8)[[0] * len(photos)], split)
    return given.assign(photo_id=photos, path=[f"{split}/{photo}.jpg" for photo in photos])


def together(*tables):
    import pandas as pd

    return pd.concat(tables, ignore_index=True)


CLEAN = together(rows("train", ["a", "b", "c"]), rows("validation", ["d"]), rows("test", ["e", "f"]))
LEAKY = together(rows("train", ["a", "b", "c"]), rows("validation", ["d"]), rows("test", ["a", "b", "f"]))


def test_the_client_and_the_judge_name_the_same_split():
    assert exported.CLEAN == measured.CLEAN == "grouped"


@pytest.mark.parametrize("split", ["official", "random", "Grouped", "", None, 3, ["grouped"]])
def test_only_the_clean_split_is_for_strangers(split):
    with pytest.raises(InputError, match="train again with --split grouped") as caught:
        measured.check_clean(split, CLEAN, "runs/mine")
    assert "runs/mine" in str(caught.value) and "\n" not in str(caught.value)


def test_a_clean_split_is_clean_by_its_photos_too():
    measured.check_clean("grouped", CLEAN, "run")
    with pytest.raises(InputError, match="2 test photos show photos that it learned from"):
        measured.check_clean("grouped", LEAKY, "run")
    validation = together(rows("train", ["a"]), rows("validation", ["a", "b"]), rows("test", ["c"]))
    with pytest.raises(InputError, match="1 validation photos show"):
        measured.check_clean("grouped", validation, "run")


def test_copies_are_one_photo():
    leaky = together(copied(LEAKY[LEAKY.split == "train"], 2), copied(LEAKY[LEAKY.split == "test"], [5, 1, 2]))
    assert measured.met_in_training(leaky) == (2, 3)
    assert measured.met_in_training(CLEAN) == (0, 2)
    assert measured.met_in_training(CLEAN[CLEAN.split == "train"]) == (0, 0)


def test_a_score_says_where_it_was_measured():
    said = measured.in_words("official", LEAKY, "sample")
    assert (
        "on 3 photos of the same collection (sample)" in said and "2 of them show a photo that it learned from" in said
    )
    assert "--split grouped" in said
    said = measured.in_words("grouped", CLEAN, "pets")
    assert "2 photos" in said and "found no copy of a training photo" in said and "elsewhere do worse" in said
    said = measured.in_words("grouped", CLEAN[CLEAN.split != "test"], "pets")
    assert said.startswith("there were no test photos")


def test_a_class_is_learned_from_its_training_photos():
    few = together(rows("train", ["a"], 2), rows("train", ["b"], 5), rows("test", ["c"], 7))
    assert measured.learned_from(few) == {KEYS[2], KEYS[5]}
