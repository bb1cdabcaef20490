"""Photos with which every chapter of the book can be done, or one line on what they lack for that.

Introduced in chapter 1, Data exploration.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError
from skinlib.base.settings import Settings, load_settings
from skinlib.data.classes import Classes
from skinlib.data.dataset import DataSet
from skinlib.data.opening import open_data
from skinlib.data.splits import N_FOLDS, TEST_SHARE

LEAST = 4
"""Photos that each class needs, copies not counted: one to judge by, one to choose by, two to learn from."""
LEAST_FILES = {"train": 3, "test": 1}
"""Files that each class needs in a folder that is split: of three for training one becomes validation."""


def open_ready(settings: Settings | None = None) -> DataSet:
    """Open the data that ``settings`` choose, as :func:`skinlib.data.opening.open_data` does, ready for every chapter.

    Classes without a photo are left out, and so is what ``truth`` tells of files that are gone; without the photos'
    masks there is no truth. Where the folder brings no test photos, a fifth of each class's files become some, drawn by
    the seed: file by file, as most people would, copies or not. Raises InputError, naming what is lacking, where the
    photos are too few for the book. The sample that the book draws for itself suffices with every seed.
    """
    settings = settings or load_settings()
    data = open_data(settings)
    present = tuple(one for one in data.classes if (data.photos.condition == one.key).any())
    data = replace(data, layout=replace(data.layout, classes=Classes(present)), truth=_of_files(data))
    if not data.has_test:
        data = replace(data, photos=_with_test(data.photos, settings.seed))
    if settings.data != "sample" and (lacking := _lacking(data)):
        raise InputError(
            f"{data.root}: too few photos for the book, which needs at least {LEAST} of each of at least two classes, "
            f"copies not counted: {lacking}"
        )
    return data


def _of_files(data: DataSet) -> pd.DataFrame | None:
    if data.truth is None:
        return None
    truth = data.truth[data.truth.path.isin({*data.photos.path, *data.left_out.path})].reset_index(drop=True)
    masks = truth["mask"][truth.path.isin(data.photos.path)]
    # Where the masks stayed behind, half of what the chapters ask of the truth can't be answered: none of it is used.
    return truth if all((data.root / mask).is_file() for mask in masks) else None


def _with_test(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    split, rng = photos.split.to_numpy(dtype=object).copy(), np.random.default_rng(seed)
    for key in sorted(photos.condition.unique()):
        rows = np.flatnonzero((photos.split == "train") & (photos.condition == key))
        split[rng.permutation(rows)[: max(1, round(TEST_SHARE * len(rows)))]] = "test"
    return photos.assign(split=split)


def _lacking(data: DataSet) -> str:
    """Say what the photos lack, and what to do about it; "" where they suffice."""
    if len(data.classes) < 2:
        return f"all are of one class, {data.classes.keys[0]!r}: add a folder of another class"
    files = data.counts()
    photos = identified(data).photos.groupby("photo_id").condition.agg(["first", "nunique"])
    certain = photos["first"][photos["nunique"] == 1].value_counts().reindex(list(data.classes.keys), fill_value=0)
    remedy = "add some, or take the folders of that class away"
    for key in data.classes.keys:
        title = data.classes[key].title
        if certain[key] < LEAST:
            return f"{title} has {certain[key]}: {remedy}"
        for split, least in LEAST_FILES.items():
            if files[split][key] < least:
                return f"{title} has {files[split][key]} for {split}, where {least} are needed: {remedy}"
    if (most := int(files.sum(axis=1).max())) < N_FOLDS:
        return f"no class has more than {most} files, and one must have {N_FOLDS}: add some"
    return ""
