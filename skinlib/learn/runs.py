"""A finished *run*, read from its folder: ``model.keras``, ``labels.json``, ``history.csv``, ``predictions.csv``,
``metrics.json`` and ``provenance.json``. Everything after training reads it. Introduced in chapter 3, Training.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.errors import InputError
from skinlib.base.targets import end_of_links, is_free
from skinlib.data.classes import Class, Classes
from skinlib.learn.backbones import BACKBONES, Backbone
from skinlib.learn.engines import keras
from skinlib.learn.preprocessing import prepare

BATCH_SIZE = 32


def check_free(out: Path, key: str) -> bool:
    """Tell whether the run of this key is in ``out`` already. Raises InputError where something else is."""
    place = end_of_links(out)
    if isinstance(place, Path) and is_free(place):
        return False
    try:
        if Run(out).provenance.get("key") == key:
            return True
    except InputError:
        pass
    raise InputError(f"{out} exists and is not this run: choose another folder, or remove it")


def read_predictions(path: Path, keys: Sequence[str]) -> pd.DataFrame:
    """Read a table of predictions of the classes ``keys``."""
    # A photo_id or the name of a class may look like a number, and a class called "NA" is one.
    texts = dict.fromkeys(("path", "photo_id", "split", "condition", "predicted"), str)
    return pd.read_csv(path, dtype=texts | dict.fromkeys(keys, float), keep_default_na=False)


class Run:
    """A finished run, read from its folder. Raises InputError where the folder is not one."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        parts = ("model.keras", "labels.json", "history.csv", "predictions.csv", "metrics.json", "provenance.json")
        lacking = [part for part in parts if not (self.path / part).is_file()]
        if lacking:
            raise InputError(
                f"{self.path} is not a finished run ({lacking[0]} is missing): train one with skinlib train"
            )

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy."""
        return pd.read_csv(self.path / "history.csv")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per photo: path, photo_id, split, condition, predicted, and a probability for each condition."""
        return read_predictions(self.path / "predictions.csv", self.classes.keys)

    @cached_property
    def metrics(self) -> dict:
        """The headline numbers of each split, as :func:`skinlib.judge.evaluate.metrics` makes them."""
        return self._json("metrics")

    @cached_property
    def provenance(self) -> dict:
        """What made this run: data, weights, seed, settings, versions, machine, time."""
        return self._json("provenance")

    @cached_property
    def classes(self) -> Classes:
        """The classes, in the order of the model's outputs."""
        return Classes(tuple(Class(**one) for one in self._json("labels")))

    @property
    def backbone(self) -> Backbone:
        """The backbone of the network. Raises InputError where this package does not know it."""
        name = self.provenance.get("backbone")
        if name not in BACKBONES:
            raise InputError(f"{self.path} was trained with the backbone {name!r}, which is not known here")
        return BACKBONES[name]

    @cached_property
    def model(self) -> keras.Model:
        """The whole network: RGB photos in, probabilities out."""
        try:
            return keras.models.load_model(self.path / "model.keras")
        except Exception as error:  # Keras, zipfile and h5py each fail in their own way
            raise InputError(f"{self.path / 'model.keras'} cannot be opened ({error}): train the run again") from error

    def _json(self, name: str):
        try:
            return json.loads((self.path / f"{name}.json").read_text("utf-8"))
        except ValueError as error:
            raise InputError(f"{self.path / name}.json is damaged ({error}): train the run again") from error

    def predict(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        """Return probabilities, float32 (n, classes), for uint8 RGB photos of any sizes, each (H, W, 3)."""
        answers = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(photos), BATCH_SIZE):
            batch = np.stack([prepare(photo) for photo in photos[start : start + BATCH_SIZE]])
            answers.append(self.model.predict_on_batch(batch))
        return np.concatenate(answers)
