"""Train: features once, the head, then the last stage; write a run.

A *run* is a folder: ``model.keras``, ``labels.json``, ``history.csv``, ``predictions.csv``, ``metrics.json`` and
``provenance.json``. Everything after training reads it. Introduced in chapter 3, Training.
"""

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from skinlib import audit, conditions, evaluate, model, settings, splits, work
from skinlib.files import array_on_disk, code_fingerprint, key_of, write_json, written_whole
from skinlib.model import Weights, keras
from skinlib.photos import READER, DataSet, read
from skinlib.settings import InputError, Settings

EPOCHS = 12
BATCH_SIZE = 32
LEARNING_RATE = 1e-3
"""Adam's default, with which the recipe trains the head."""
FINE_TUNING_RATE = 1e-4
"""Low, so that the last stage is adjusted and not overwritten."""
KEEP_EVERY = 20.0
"""Seconds of training after which the next whole epoch is kept on disk: what an interrupt can cost."""


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are the original recipe's."""

    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    fine_tuning_epochs: int = 0
    """Epochs of training for the last stage, after the head's."""
    augmented_copies: int = 0
    """Altered versions of each training photo; epoch e shows version e modulo their number + 1, 0 being the photo."""
    swapped_channels: bool = False
    """Whether red and blue change places in every photo: the original's mistake of reading BGR and expecting RGB."""
    bits: int = 32
    """Bits of the backbone's arithmetic: 32, or 16 where the processor has bfloat16, several times faster."""

    def __post_init__(self):
        """Raise InputError for numbers that can't be."""
        for name, least in (("epochs", 1), ("batch_size", 1), ("fine_tuning_epochs", 0), ("augmented_copies", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name.replace('_', ' ')} is {getattr(self, name)}: use {least} or more")
        if self.bits not in (16, 32):
            raise InputError(f"bits is {self.bits}: use 32 or 16")


# --- features, once ------------------------------------------------------------------------------------------------


def augment(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo mirrored or not, turned by up to 20°, zoomed and its brightness changed by up to 15 %.

    ``photo`` and the result are uint8 (H, W, 3), RGB. What the turn uncovers is filled by reflection. Each change keeps
    the diagnosis; a change of hue would not, since redness is a sign.
    """
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-20, 20), rng.uniform(0.85, 1.15))
    photo = cv2.warpAffine(photo, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.5:
        photo = photo[:, ::-1]
    return np.clip(photo * rng.uniform(0.85, 1.15), 0, 255).astype(np.uint8)


def features(
    data: DataSet,
    weights: Weights,
    layer: str = "pool",
    paths: Sequence[str] | None = None,
    version: int = 0,
    swapped_channels: bool = False,
    bits: int = 32,
    run: Callable = work.threads,
) -> np.ndarray:
    """Return what the frozen network makes of each photo: float32, one row per path, all of ``data`` by default.

    Rows are (2048,) for ``layer`` "pool" and (7, 7, 1024) for the input of the last stage. ``version`` 0 is the photo,
    1, 2, … its augmented copies; ``swapped_channels`` and ``bits`` are as in :class:`Recipe`. Each distinct content is
    computed once, ever: rows are kept on disk under the SHA-256 of the photo's bytes, in a folder named after all else
    that shapes them. ``run`` is what calls the network for each photo: see :mod:`skinlib.work`. The rows that are
    returned lie on disk, too (:func:`skinlib.files.array_on_disk`), so there may be more than the memory holds.
    """
    by_path = data.photos.set_index("path").sha256
    contents = by_path if paths is None else by_path.loc[list(paths)]
    folder = _keep_features(data, weights, contents, version, swapped_channels, bits, run)
    rows = array_on_disk((len(contents), *model.SHAPES[layer]), np.float32, data.cache)
    for sha, places in contents.reset_index(drop=True).groupby(contents.to_numpy()):
        with np.load(_kept(folder, sha)) as file:
            rows[places.index] = file[layer]
    return rows


def _keep_features(data, weights, contents, version, swapped_channels, bits, run) -> Path:
    """Compute the features that are not kept yet of ``contents``, SHA-256 by path; return the folder of all."""
    shapers = [weights.sha256, model.SIZE, READER, cv2.__version__, keras.__version__, model.tf.__version__]
    shapers += [model.openvino.__version__, bits, version, swapped_channels]
    folder = data.cache / "features" / key_of(*shapers)
    distinct = {sha: path for path, sha in contents.items()}
    missing = [(data.path(path), sha) for sha, path in distinct.items() if not _kept(folder, sha).exists()]
    if missing:
        make = partial(KeptFeatures, weights, folder, version, swapped_channels, bits)
        for _ in tqdm(run(make, missing), "features", len(missing), disable=None):
            pass
    return folder


class KeptFeatures:
    """What computes one photo's features and keeps them: a worker of :func:`features`."""

    def __init__(self, weights: Weights, folder: Path, version: int, swapped_channels: bool, bits: int):
        self.folder, self.version, self.step = folder, version, -1 if swapped_channels else 1
        self.extract = model.extractor(model.build(weights), bits)

    def __call__(self, photo_and_sha: tuple[Path, str]) -> None:
        """Compute the features of the photo at a path, whose content has that SHA-256, and write them whole."""
        path, sha = photo_and_sha
        photo = read(path)
        if self.version:
            photo = augment(photo, np.random.default_rng([int(sha[:16], 16), self.version]))
        rows = self.extract.one(model.prepare(photo[..., :: self.step]))
        with written_whole(_kept(self.folder, sha)) as draft:
            np.savez(draft, **dict(zip(model.SHAPES, rows, strict=True)))


def _kept(folder: Path, sha256: str) -> Path:
    return folder / sha256[:2] / f"{sha256}.npz"


# --- training ------------------------------------------------------------------------------------------------------


class Progress:
    """Epochs done so far, kept in a folder so that an interrupted training goes on where it stopped."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, stage: str) -> tuple[list[dict], keras.Model | None]:
        """Return the finished epochs of a stage and the network as it was after the last of them."""
        kept = self.folder / f"{stage}.json"
        if not kept.exists():
            return [], None
        history = json.loads(kept.read_text())
        return history, keras.models.load_model(self.folder / f"{stage}-{len(history)}.keras")

    def save(self, stage: str, history: list[dict], network: keras.Model) -> None:
        """Keep the network, with its optimiser's state, and then say in one small file that it is there."""
        with written_whole(self.folder / f"{stage}-{len(history)}.keras") as draft:
            network.save(draft)
        with written_whole(self.folder / f"{stage}.json") as draft:
            draft.write_text(json.dumps(history))
        for older in self.folder.glob(f"{stage}-*.keras"):
            if older.name != f"{stage}-{len(history)}.keras":
                older.unlink()


def fit(
    network: keras.Model,
    versions: Sequence[np.ndarray],
    labels: np.ndarray,
    validation: tuple[np.ndarray, np.ndarray],
    epochs: int,
    batch_size: int,
    seed: int,
    stage: str = "head",
    progress: Progress | None = None,
) -> tuple[keras.Model, list[dict]]:
    """Train a compiled network; return it and one dict per epoch: stage, epoch, loss, accuracy, val_loss, val_accuracy.

    ``versions`` are inputs of one shape, (n, …), the first those of the photos themselves and the others of their
    augmented copies; ``labels`` is int (n,). Each epoch's order comes from the seed and the epoch's number alone, so an
    interrupted training that goes on from ``progress`` ends with the same numbers as one that never stopped. A network
    that was made in the scope of a strategy of ``tf.distribute`` is trained on all its replicas, in that scope again.
    """
    history, resumed = progress.load(stage) if progress else ([], None)
    network = resumed or network
    if network.distribute_strategy.num_replicas_in_sync > 1:
        # Keras builds its metrics from the first batch, which must not be in parts.
        _mean_over_batches(network.test_on_batch, versions[0], labels, [0], 1)
    kept_at = time.monotonic()
    with tqdm(total=epochs, initial=len(history), desc=stage, unit="epoch", disable=None) as bar:
        for epoch in range(len(history), epochs):
            order = np.random.default_rng([seed, epoch]).permutation(len(labels))
            inputs = versions[epoch % len(versions)]
            learned = _mean_over_batches(_on_replicas(network), inputs, labels, order, batch_size)
            row = {"stage": stage, "epoch": epoch + 1, **learned}
            if len(validation[1]):
                held_out = np.arange(len(validation[1]))
                judged = _mean_over_batches(network.test_on_batch, *validation, held_out, 8 * batch_size)
                row |= {f"val_{name}": value for name, value in judged.items()}
            history.append(row)
            if progress and time.monotonic() - kept_at >= KEEP_EVERY:
                progress.save(stage, history, network)
                kept_at = time.monotonic()
            bar.set_postfix(loss=f"{row['loss']:.3f}")
            bar.update()
    return network, history


def _on_replicas(network: keras.Model) -> Callable:
    """Return ``network.train_on_batch``, which then gives each replica its part of the batch.

    Left alone, Keras gives the whole batch to each, and two replicas do the same work twice. A batch that can't be
    shared out equally is left to it: with unequal parts the mean of the replicas' means is not the batch's.
    """
    strategy = network.distribute_strategy
    n = strategy.num_replicas_in_sync

    def step(*batch):
        if n > 1 and len(batch[0]) % n == 0:
            parts = [np.split(array, n) for array in batch]
            batch = strategy.experimental_distribute_values_from_function(
                lambda replica: tuple(model.tf.constant(part[replica.replica_id_in_sync_group]) for part in parts)
            )
        return network.train_on_batch(*batch)

    return step


def _mean_over_batches(step, inputs, labels, order, batch_size) -> dict[str, float]:
    """Call ``step`` on one batch after another; return the mean loss and accuracy over all photos."""
    one_hot = np.eye(len(conditions.KEYS), dtype=np.float32)
    total = np.zeros(2)
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        total += len(batch) * np.array(step(inputs[batch], one_hot[labels[batch]]))
    return dict(zip(("loss", "accuracy"), (total / len(order)).tolist(), strict=True))


def compile_recipe(network: keras.Model, learning_rate: float = LEARNING_RATE) -> keras.Model:
    """Compile a network as the recipe has it: Adam and categorical cross-entropy."""
    # Without XLA: compiling for it takes longer than such short trainings would save.
    adam, loss = keras.optimizers.Adam(learning_rate), "categorical_crossentropy"
    network.compile(adam, loss, metrics=["accuracy"], jit_compile=False)
    return network


def train(
    data: DataSet,
    choices: Settings,
    out: Path | None = None,
    recipe: Recipe | None = None,
    split: str = "official",
    run: Callable = work.threads,
    strategy: model.tf.distribute.Strategy | None = None,
) -> "Run":
    """Train by the recipe and write a run to ``out``, or into the cache. Returns the run.

    ``split`` is "official", the data set's own, or "grouped", which keeps all copies of a photo on one side. A run that
    is there already, of the same data, weights, seed, recipe and code, is returned as it is. Interrupted training goes
    on after the last epoch that was kept. ``run`` calls what is done for each photo (:mod:`skinlib.work`).
    ``strategy``, such as ``tf.distribute.MirroredStrategy()``, trains on several devices: each takes its share of every
    batch, and the losses stay those of one, to rounding. Raises InputError where ``out`` holds something else, where
    the data has no photos to train on, or for another ``split``.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    recipe = recipe or Recipe()
    if split not in splits.SPLITTERS:
        raise InputError(f"split {split!r} is not known: use {' or '.join(splits.SPLITTERS)}")
    data = audit.identified(data, run)
    side = splits.SPLITTERS[split](data.photos, choices.seed)
    if not (side == "train").any():
        raise InputError(f"{data.root} has no training photos: train_set/ must hold some")
    weights = model.get_weights(choices, data)
    identity = {
        "data": {"name": data.name, "fingerprint": data.fingerprint},
        "weights": {"name": weights.name, "sha256": weights.sha256},
        "seed": choices.seed,
        "settings": {"split": split, **asdict(recipe)},
        "versions": settings.versions(),
        "code": code_fingerprint("audit", "conditions", "evaluate", "model", "photos", "splits", "train"),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    out = Path(out) if out else choices.cache / "runs" / key[:16]
    if out.exists():
        return _existing(out, key)

    progress = Progress(out.parent / f".{out.name}.{key[:16]}.progress")
    network, history = _train_network(data, side, weights, choices.seed, recipe, progress, run, strategy)
    predictions = _predict_all(data, side, weights, network, recipe)
    provenance = identity | {
        "key": key,
        "weights": identity["weights"] | {"note": weights.note},  # why these is no part of what the run is
        "photos": {
            "files": len(data.photos),
            "contents": data.photos.sha256.nunique(),
            "photos": data.photos.photo_id.nunique(),
            "left_out": len(data.left_out),
        },
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "time": {"started": started.isoformat(timespec="seconds"), "seconds": round(time.perf_counter() - clock, 1)},
    }
    with written_whole(out) as draft:
        draft.mkdir()
        network.save(draft / "model.keras")
        write_json(draft / "labels.json", [asdict(condition) for condition in conditions.CONDITIONS])
        pd.DataFrame(history).to_csv(draft / "history.csv", index=False, float_format="%.6g")
        predictions.to_csv(draft / "predictions.csv", index=False, float_format="%.8g")
        # From the table as it is kept, so that whoever evaluates it again finds the same digits.
        write_json(draft / "metrics.json", evaluate.metrics(_read_predictions(draft / "predictions.csv")))
        write_json(draft / "provenance.json", provenance)
    shutil.rmtree(progress.folder)
    return Run(out)


def learning_curve(
    data: DataSet, choices: Settings, sizes: Sequence[int], n_repeats: int = 3, recipe: Recipe | None = None
) -> pd.DataFrame:
    """Train heads on more and more photos; judge each on the test photos of the clean split.

    Photos are counted, not files: all files of a drawn photo come along. Each repeat draws in an order of its own, the
    conditions in turn, so that a larger draw holds the smaller ones. Features are computed once and nothing is kept of
    the heads. Returns one row per size and repeat: photos, files, repeat, accuracy (one vote per test photo). Sizes
    above the number of training photos mean all of them. Raises InputError for a size below 1.
    """
    if min(sizes, default=0) < 1:
        raise InputError("a learning curve needs sizes of 1 photo or more")
    recipe = recipe or Recipe()
    data = audit.identified(data)
    weights = model.get_weights(choices, data)
    side = splits.grouped(data.photos, choices.seed)
    rows = features(data, weights, swapped_channels=recipe.swapped_channels, bits=recipe.bits)
    labels = data.photos.condition.map(conditions.KEYS.index).to_numpy()
    network = model.build(weights, seed=choices.seed)
    in_training = data.photos[side == "train"].drop_duplicates("photo_id")
    is_test, table = side == "test", []
    for repeat in range(n_repeats):
        shuffled = in_training.sample(frac=1, random_state=np.random.default_rng([choices.seed, repeat]))
        place = shuffled.groupby("condition").cumcount() + 0.5
        order = shuffled.photo_id.iloc[(place / shuffled.groupby("condition").photo_id.transform("size")).argsort()]
        for size in sizes:
            drawn = (data.photos.photo_id.isin(order.iloc[:size]) & (side == "train")).to_numpy()
            head = compile_recipe(model.part_after(network, "pool"))
            nothing = rows[:0], labels[:0]
            head, _ = fit(
                head, [rows[drawn]], labels[drawn], nothing, recipe.epochs, recipe.batch_size, choices.seed + repeat
            )
            answers = head.predict(rows[is_test], batch_size=BATCH_SIZE, verbose=0)
            votes = evaluate.one_vote_per_photo(
                evaluate.predictions_table(data.photos[is_test], side[is_test], answers)
            )
            table.append([min(size, len(order)), int(drawn.sum()), repeat, evaluate.accuracy(votes)])
    return pd.DataFrame(table, columns=["photos", "files", "repeat", "accuracy"])


def _train_network(data, split, weights, seed, recipe, progress, run, strategy):
    """Train the head on pooled features and then, if asked, the last stage; put both back into the whole network."""
    network = model.build(weights, seed=seed, swapped_channels=recipe.swapped_channels)
    labels = data.photos.condition.map(conditions.KEYS.index).to_numpy()
    is_train, is_validation = split == "train", split == "validation"

    def rows(*arguments):
        return features(data, weights, *arguments, swapped_channels=recipe.swapped_channels, bits=recipe.bits, run=run)

    # All photos at once: the network is made ready a single time, and no core waits between the parts.
    _keep_features(data, weights, data.photos.set_index("path").sha256, 0, recipe.swapped_channels, recipe.bits, run)

    def train_part(layer, epochs, rate, stage, bits=32):
        paths = data.photos.path[is_train]
        versions = [rows(layer, paths, k) for k in range(min(recipe.augmented_copies + 1, epochs))]
        validation = rows(layer, data.photos.path[is_validation]), labels[is_validation]
        with (strategy or model.tf.distribute.get_strategy()).scope():
            part = compile_recipe(model.part_after(network, layer, bits), rate)
            part, history = fit(
                part, versions, labels[is_train], validation, epochs, recipe.batch_size, seed, stage, progress
            )
        model.copy_weights(part, network)
        return history

    history = train_part("pool", recipe.epochs, LEARNING_RATE, "head")
    if recipe.fine_tuning_epochs:
        history += train_part(model.LAST_STAGE, recipe.fine_tuning_epochs, FINE_TUNING_RATE, "fine-tuning", recipe.bits)
    return network, history


def _predict_all(data, split, weights, network, recipe) -> pd.DataFrame:
    """Return the table of predictions for every photo of the catalogue."""
    layer = model.LAST_STAGE if recipe.fine_tuning_epochs else "pool"
    rows = features(data, weights, layer, swapped_channels=recipe.swapped_channels, bits=recipe.bits)
    part = model.part_after(network, layer)
    # Batch by batch: predict() would copy all rows into memory first.
    answers = [part.predict_on_batch(rows[start : start + BATCH_SIZE]) for start in range(0, len(rows), BATCH_SIZE)]
    return evaluate.predictions_table(data.photos, split, np.concatenate(answers))


def _existing(out: Path, key: str) -> "Run":
    try:
        run = Run(out)
        if run.provenance.get("key") == key:
            return run
    except InputError:
        pass
    raise InputError(f"{out} exists and is not this run: choose another folder, or remove it")


def _read_predictions(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"photo_id": str})  # sixteen hex digits may all be decimal ones


# --- a finished run ------------------------------------------------------------------------------------------------


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
        return _read_predictions(self.path / "predictions.csv")

    @cached_property
    def metrics(self) -> dict:
        """The headline numbers of each split, as :func:`skinlib.evaluate.metrics` makes them."""
        return self._json("metrics")

    @cached_property
    def provenance(self) -> dict:
        """What made this run: data, weights, seed, settings, versions, machine, time."""
        return self._json("provenance")

    @cached_property
    def labels(self) -> list[dict]:
        """The conditions, in the order of the model's outputs."""
        return self._json("labels")

    @cached_property
    def model(self) -> keras.Model:
        """The whole network: RGB photos in, probabilities out."""
        try:
            return keras.models.load_model(self.path / "model.keras")
        except Exception as error:  # Keras, zipfile and h5py each fail in their own way
            raise InputError(f"{self.path / 'model.keras'} cannot be opened ({error}): train the run again") from error

    def _json(self, name: str):
        try:
            return json.loads((self.path / f"{name}.json").read_text())
        except ValueError as error:
            raise InputError(f"{self.path / name}.json is damaged ({error}): train the run again") from error

    def predict(self, photos: Sequence[np.ndarray]) -> np.ndarray:
        """Return probabilities, float32 (n, 8), for uint8 RGB photos of any sizes, each (H, W, 3)."""
        answers = [np.empty((0, len(conditions.KEYS)), np.float32)]
        for start in range(0, len(photos), BATCH_SIZE):
            batch = np.stack([model.prepare(photo) for photo in photos[start : start + BATCH_SIZE]])
            answers.append(self.model.predict_on_batch(batch))
        return np.concatenate(answers)
