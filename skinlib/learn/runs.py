"""A finished *run*, read from its folder: ``model.keras``, ``labels.json``, ``history.csv``, ``predictions.csv``,
``metrics.json`` and ``provenance.json``. Everything after training reads it. Introduced in chapter 3, Training.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.errors import InputError
from skinlib.base.files import check_shape, sha256_of
from skinlib.base.settings import SPLITS
from skinlib.base.targets import end_of_links, is_free
from skinlib.data.classes import Class, Classes
from skinlib.judge import evaluate
from skinlib.learn.backbones import BACKBONES, Backbone
from skinlib.learn.engines import keras, standard
from skinlib.learn.preprocessing import prepare

BATCH_SIZE = 32
PARTS = ("model.keras", "labels.json", "history.csv", "predictions.csv", "metrics.json", "provenance.json")
"""The files of a run. The last one holds SHA-256 of the others."""
PROVENANCE = {
    "key": str,
    "backbone": str,
    "seed": int,
    "data": {"name": str, "kind": str, "fingerprint": str},
    "weights": {"name": str, "sha256": str, "note": str},
    "settings": {"split": str, "fine_tuning_epochs": int, "swapped_channels": bool, "bits": int},
    "versions": {"skinlib": str},
    "photos": {"files": int},
}
"""What is read of a run's provenance, and of which types it is."""


def check_free(out: Path, key: str) -> bool:
    """Tell whether the run of this key is in ``out`` already. Raises InputError where something else is."""
    place = end_of_links(out)
    if isinstance(place, Path) and is_free(place):
        return False
    reason = "exists and is not this run"
    if (out / "provenance.json").exists():
        try:
            if Run(out).provenance["key"] == key:
                return True
        except InputError as error:
            reason = f"exists, and {error}"
    raise InputError(f"{out} {reason}: choose another folder, or remove it")


@contextmanager
def _damaged(file: Path) -> Iterator[None]:
    """Have whatever goes wrong with a file of a run raise InputError: the file, the reason and the remedy."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(f"{file} is damaged ({reason}): train the run again") from error


def read_predictions(path: Path, keys: Sequence[str]) -> pd.DataFrame:
    """Read a table of predictions of the classes ``keys``. Raises InputError where it can't be one."""
    texts = ("path", "photo_id", "split", "condition", "predicted")
    # A photo_id or the name of a class may look like a number, and a class called "NA" is one.
    types = dict.fromkeys(texts, str) | dict.fromkeys(keys, float)
    with _damaged(path):
        table = pd.read_csv(path, dtype=types, keep_default_na=False, encoding="utf-8")
        if list(table.columns) != [*texts, *keys]:
            raise ValueError(f"its columns are {', '.join(map(str, table.columns))}")
        given = table[list(keys)].to_numpy(float)
        rank = table[list(keys)].columns.get_indexer(table.predicted)
        for trouble, rows in {
            "lacks a path or a photo_id": (table[["path", "photo_id"]] == "").any(axis=1),
            "has a path that another has": table.path.duplicated(),
            f"has a split that is none of {', '.join(SPLITS)}": ~table.split.isin(SPLITS),
            "has a condition that is no class": ~table.condition.isin(keys) | (rank < 0),
            "has probabilities that are none": ~(np.isfinite(given) & (given >= 0)).all(axis=1),
            "has probabilities whose sum is not 1": np.abs(given.sum(axis=1) - 1) > 0.01,
            "has an answer that is not its most probable": given.max(axis=1) - given[range(len(given)), rank] > 1e-6,
        }.items():
            if np.any(rows):
                raise ValueError(f"row {int(np.argmax(rows)) + 1} {trouble}")
        if table.empty:
            raise ValueError("it has no rows")
    return table


class Run:
    """A finished run, read from its folder. Raises InputError where the folder is not one, or a part is damaged."""

    def __init__(self, path: Path | str):
        self.path = Path(path)
        lacking = [part for part in PARTS if not (self.path / part).is_file()]
        if lacking:
            raise InputError(
                f"{self.path} is not a finished run ({lacking[0]} is missing): train one with skinlib train"
            )
        written = self.provenance.get("files", {})  # none in runs of version 0.1
        with _damaged(self.path / "provenance.json"):
            check_shape(written, {}, "files")
        for part in written:
            with _damaged(self.path / part):
                if part not in PARTS or sha256_of(self.path / part) != written[part]:
                    raise ValueError("it is not what was written")
        with _damaged(self.path / "predictions.csv"):
            rows, files = len(self.predictions), self.provenance["photos"]["files"]
            if rows != files:
                raise ValueError(f"it has {rows} rows, of {files} photos")
        self._written_metrics()
        self.history  # noqa: B018  # read it now: a damaged run is told before any work

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy."""
        with _damaged(self.path / "history.csv"):
            numbers = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy")
            types = {"stage": str} | dict.fromkeys(numbers, float)
            table = pd.read_csv(self.path / "history.csv", dtype=types, encoding="utf-8")
            if table.empty or tuple(table.columns) not in (("stage", *numbers), ("stage", *numbers[:3])):
                raise ValueError(f"its columns are {', '.join(map(str, table.columns))}, of {len(table)} rows")
            return table.astype({"epoch": int})

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One row per photo: path, photo_id, split, condition, predicted, and a probability for each condition."""
        return read_predictions(self.path / "predictions.csv", self.classes.keys)

    @cached_property
    def metrics(self) -> dict:
        """The headline numbers of each split, as :func:`skinlib.judge.evaluate.metrics` makes them of the table.

        Raises InputError where ``metrics.json`` counts other photos.
        """
        metrics, written = evaluate.metrics(self.predictions), self._written_metrics()
        with _damaged(self.path / "metrics.json"):
            for split in metrics.keys() | written.keys():
                for count in ("files", "photos", "correct"):
                    if metrics[split][count] != written[split][count]:
                        raise ValueError(f"its {count} in {split} are not those of predictions.csv")
        return metrics

    def _written_metrics(self) -> dict:
        written = self._json("metrics", {})
        with _damaged(self.path / "metrics.json"):
            for split in written:
                check_shape(written[split], {"files": int, "photos": int, "correct": int}, repr(split))
        return written

    @cached_property
    def provenance(self) -> dict:
        """What made this run: data, weights, seed, settings, versions, machine, time."""
        return self._json("provenance", PROVENANCE)

    @cached_property
    def classes(self) -> Classes:
        """The classes, in the order of the model's outputs."""
        with _damaged(self.path / "labels.json"):
            members = [Class(**one) for one in self._json("labels", list)]
            for one in members:
                check_shape(vars(one), dict.fromkeys(vars(one), str))
            if len({one.key for one in members}) < max(len(members), 1):
                raise ValueError("two classes have one key, or there are none")
        return Classes(tuple(members))

    @property
    def backbone(self) -> Backbone:
        """The backbone of the network. Raises InputError where this package does not know it."""
        name = self.provenance["backbone"]
        if name not in BACKBONES:
            raise InputError(f"{self.path} was trained with the backbone {name!r}, which is not known here")
        return BACKBONES[name]

    @cached_property
    def model(self) -> keras.Model:
        """The whole network: RGB photos in, probabilities out."""
        try:
            with standard():
                network = keras.models.load_model(self.path / "model.keras")
            if network.output_shape[-1] != len(self.classes):
                raise ValueError(f"it knows {network.output_shape[-1]} classes, labels.json {len(self.classes)}")
            return network
        except Exception as error:  # Keras, zipfile and h5py each fail in their own way
            reason = " ".join(str(error).split())[:120]
            raise InputError(f"{self.path / 'model.keras'} is damaged ({reason}): train the run again") from error

    def _json(self, name: str, shape):
        file = self.path / f"{name}.json"
        with _damaged(file):
            content = json.loads(file.read_text("utf-8"))
            check_shape(content, shape)
        return content

    @standard()
    def predict(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        """Return probabilities, float32 (n, classes), for uint8 RGB photos of any sizes, each (H, W, 3)."""
        answers = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, len(photos), BATCH_SIZE):
            batch = np.stack([prepare(photo) for photo in photos[start : start + BATCH_SIZE]])
            answers.append(self.model.predict_on_batch(batch))
        return np.concatenate(answers)
