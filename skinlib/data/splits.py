"""Which photo is for learning, which for choosing, which for judging.

Introduced in chapter 3, Training. ``clinical_splits.csv`` beside this file is the clean split of the clinical photos:
anybody who uses it can compare with anybody else who does.
"""

import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.errors import InputError
from skinlib.base.settings import SPLITS
from skinlib.data.classes import Classes

VALIDATION_SHARE = 0.2
"""Share of the photos not kept for testing that become validation photos, as in the original recipe."""
TEST_SHARE = 0.2
"""Share of the photos that a clean split keeps for testing: as large as the official test set, counted in files."""
N_FOLDS = 5
CLINICAL_SPLITS = Path(__file__).with_name("clinical_splits.csv")
"""The clean split of the clinical photos: sha256, photo_id, split, fold. It was made by ``python -m skinlib audit
clinical --splits FILE``, with seed 0, before this file existed: where it does, its split is returned."""
CLINICAL_VERSION = 1
"""Version of that file. Name it beside any score; raise it when a row changes, for scores then can't be compared."""


def official(photos: pd.DataFrame, seed: int = 0, validation_share: float = VALIDATION_SHARE) -> np.ndarray:
    """Return "train", "validation" or "test" for each row of a catalogue, as an array of strings.

    The test photos are the data set's own, and so are the validation photos where it has some. Elsewhere a random share
    of each class's training photos becomes validation, as in the original recipe; here the draw has a seed. Nothing
    keeps copies of one photo together. Raises InputError where the data set has no test photos of its own.
    """
    if not (photos.split == "test").any():
        raise InputError("these photos have no official test photos: use the split 'grouped', which draws its own")
    split = photos.split.to_numpy(dtype=object).copy()
    rng = np.random.default_rng(seed)
    brought = (photos.split == "validation").any()
    for key in sorted(photos.condition.unique()) if not brought else ():
        rows = np.flatnonzero((photos.split == "train") & (photos.condition == key))
        held_out = rng.permutation(rows)[: round(validation_share * len(rows))]
        split[held_out] = "validation"
    return split


def grouped(photos: pd.DataFrame, seed: int = 0) -> np.ndarray:
    """Return "train", "validation" or "test" for each row of a catalogue; all files of a photo get the same.

    ``photos`` needs the ``photo_id`` of :func:`skinlib.audit.copies.identified`. The shares are counted in photos, of
    each condition apart. For the clinical photos the shipped split is returned, whatever the seed.

    A photo that lies in the folders of two conditions is for training: nobody can say which answer would be right, so
    it must not judge. Nor is it left out, for that would take the error out of the training that the split is to judge.
    So is a photo that is the only one of its class. Raises InputError where nobody has looked for copies yet.
    """
    check_audited(photos)
    shipped = _shipped()
    if photos.sha256.isin(shipped.index).all():
        return shipped.split.loc[photos.sha256].to_numpy(dtype=object)
    by_photo = photos.groupby("photo_id").condition.agg(["first", "nunique"])
    split_of = dict.fromkeys(by_photo.index, "train")
    rng = np.random.default_rng(seed)
    for key in sorted(by_photo["first"].unique()):
        certain = by_photo.index[(by_photo["first"] == key) & (by_photo["nunique"] == 1)]
        order = rng.permutation(certain.to_numpy(dtype=object))
        n_test = round(TEST_SHARE * len(order))
        n_validation = round(VALIDATION_SHARE * (len(order) - n_test))
        split_of |= dict.fromkeys(order[:n_test], "test")
        split_of |= dict.fromkeys(order[n_test : n_test + n_validation], "validation")
    return photos.photo_id.map(split_of).to_numpy(dtype=object)


SPLITTERS = {"official": official, "grouped": grouped}


def notes(photos: pd.DataFrame, split: np.ndarray, classes: Classes) -> list[str]:
    """Return what a reader of the scores on this split must know, a sentence each: what it has no photos of."""
    count = pd.crosstab(photos.condition, split).reindex(index=list(classes.keys), columns=list(SPLITS), fill_value=0)
    present = count[count.sum(axis=1) > 0]
    sentences = []
    if absent := len(classes) - len(present):
        sentences.append(f"{absent} of {len(classes)} classes have no photos")
    meaning = {"train": "nothing is learned of them", "test": "their answers are not judged"}
    for part, so in meaning.items():
        lacking = [classes[key].title for key in present.index[present[part] == 0]]
        if part == "test" and not present["test"].any():
            sentences.append("there are no test photos: nothing can be judged")
        elif lacking:
            sentences.append(f"no {part} photos of {', '.join(lacking)}: {so}")
    if not present["validation"].any():
        sentences.append("there are no validation photos: nothing can be chosen or calibrated on them")
    return sentences


def check_audited(photos: pd.DataFrame) -> None:
    """Raise InputError unless the catalogue has the ``photo_id`` of an audit: without it no split is a clean one."""
    if "photo_id" not in photos:
        raise InputError(
            "nobody has looked for copies among these photos yet, so no split of them is clean: use the photos of "
            "skinlib.audit.identified(data)"
        )


def folds(photos: pd.DataFrame, n_folds: int = N_FOLDS, n_repeats: int = 1, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield which rows are held out, bool (n,), fold after fold: repeated stratified group k-fold.

    In each repeat every row is held out once, all files of a photo together, and the folds have about the same mix of
    conditions. Raises InputError where nobody has looked for copies, where there are fewer photos than folds, or where
    no class has as many files.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # what else is here needs less

    check_audited(photos)
    if photos.photo_id.nunique() < n_folds:
        raise InputError(f"{photos.photo_id.nunique()} photos can't be dealt into {n_folds} folds: add some")
    if (most := photos.condition.value_counts().max()) < n_folds:
        raise InputError(f"classes of {most} files at most can't be dealt into {n_folds} folds: add some photos")
    for repeat in range(n_repeats):
        folding = StratifiedGroupKFold(n_folds, shuffle=True, random_state=(seed + repeat) % 2**32)
        with warnings.catch_warnings():
            # That a class is in fewer folds than there are is no news to whoever has so few photos of it.
            warnings.filterwarnings("ignore", "The least populated class", UserWarning)
            dealt = list(folding.split(photos, photos.condition, photos.photo_id))
        for _, rows in dealt:
            held_out = np.zeros(len(photos), dtype=bool)
            held_out[rows] = True
            yield held_out


def table(photos: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """Return a clean split to publish: sha256, photo_id, split and fold (0 to 4), one row per distinct content."""
    fold = np.zeros(len(photos), dtype=int)
    for number, held_out in enumerate(folds(photos, seed=seed)):
        fold[held_out] = number
    rows = photos[["sha256", "photo_id"]].assign(split=grouped(photos, seed), fold=fold)
    return rows.drop_duplicates("sha256").sort_values("sha256", kind="stable", ignore_index=True)


@cache
def _shipped() -> pd.DataFrame:
    if not CLINICAL_SPLITS.exists():
        return pd.DataFrame({"split": []}, index=pd.Index([], dtype=str))
    return pd.read_csv(CLINICAL_SPLITS, index_col="sha256")
