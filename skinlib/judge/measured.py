"""Whose score is it? On which photos it was measured, and what they have to do with those the model learned from.

Everything is counted in a run's table of predictions. Introduced in chapter 6, Deployment.
"""

import pandas as pd

from skinlib.base.errors import InputError
from skinlib.judge.evaluate import one_vote_per_photo, photo_ids

CLEAN = "grouped"
"""The split that keeps all files of a photo on one side: the only one whose score may be shown to strangers."""


def learned_from(predictions: pd.DataFrame) -> set[str]:
    """Return the keys of the classes of which there was a training photo: of the others nothing was learned."""
    return set(predictions.condition[predictions.split == "train"])


def met_in_training(predictions: pd.DataFrame, split: str = "test") -> tuple[int, int]:
    """Return how many photos of a split show a photo of the training set, and how many photos it has.

    They are the photos that are judged: one vote for all files of a photo, none for those with two labels.
    """
    photos = one_vote_per_photo(predictions[predictions.split == split]).photo_id
    return int(photos.isin(_training_photos(predictions)).sum()), len(photos)


def check_clean(split_name: object, predictions: pd.DataFrame, run: object) -> None:
    """Raise InputError unless a run's score says how it does on photos that it never saw; ``run`` names it.

    Its split has to be the clean one by name, and by its photos: neither a photo that judges it nor one that its limits
    are chosen on may show what it learned from.
    """
    remedy = "train again with --split grouped, and take that run"
    if split_name != CLEAN:
        raise InputError(
            f"{run} was judged on the split {split_name!r}, where copies of training photos may be among the photos "
            f"that judge: its score is not for strangers: {remedy}"
        )
    for split in ("validation", "test"):
        rows = predictions[predictions.split == split]
        met = photo_ids(rows)[photo_ids(rows).isin(_training_photos(predictions))].nunique()
        if met:
            raise InputError(f"{run}: {met} {split} photos show photos that it learned from: {remedy}")


def in_words(split_name: str, predictions: pd.DataFrame, data: str) -> str:
    """Return a sentence on which photos the score on the test photos was measured; ``data`` is what they are called."""
    met, photos = met_in_training(predictions)
    if not photos:
        return "there were no test photos: no score says how it does on photos that it never saw"
    where = f"measured on {photos} photos of the same collection ({data})"
    if met:
        return (
            f"{where}, split {split_name}: {met} of them show a photo that it learned from, so the score is memory in "
            "part; train with --split grouped for one that isn't"
        )
    return (
        f"{where}, split {split_name}, among which the audit found no copy of a training photo; photos from elsewhere "
        "do worse"
    )


def _training_photos(predictions: pd.DataFrame) -> pd.Series:
    return photo_ids(predictions[predictions.split == "train"])
