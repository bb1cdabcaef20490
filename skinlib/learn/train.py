"""Train by the recipe: the head, then the last stage; write a run. Introduced in chapter 3, Training."""

import os
import platform
import shutil
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.errors import SkinlibError
from skinlib.base.files import sha256_of, write_json, write_table, written_whole
from skinlib.base.fingerprint import key_of
from skinlib.judge import evaluate
from skinlib.learn import networks
from skinlib.learn.engines import keras, standard
from skinlib.learn.fitting import LEARNING_RATE, Progress, compile_recipe, fit
from skinlib.learn.prepared import Prepared
from skinlib.learn.runs import BATCH_SIZE, PARTS, Run, check_free, read_predictions

FINE_TUNING_RATE = 1e-4
"""Low, so that the last stage is adjusted and not overwritten."""


def train(prepared: Prepared, out: Path | None = None) -> Run:
    """Train by the recipe and return the run, which is kept in the store; with ``out``, a copy in that folder.

    A run of the same data, weights, seed, recipe and code is trained once. Interrupted training goes on after the last
    epoch that was kept. Raises InputError where ``out`` holds something else, or where another process is about to
    write something else there: before any work.
    """
    store, identity = prepared.data.store, prepared.identity()
    key = key_of(identity)
    if out is None:
        return Run(store.folder("runs", key, lambda draft: _train_into(draft, prepared, identity, key)))
    with store.claimed(Path(out), key):
        if not check_free(Path(out), key):
            entry = store.folder("runs", key, lambda draft: _train_into(draft, prepared, identity, key))
            with written_whole(Path(out)) as draft:
                store.copy(entry, draft)
    return Run(out)


@standard()
def _train_into(folder: Path, prepared: Prepared, identity: dict, key: str) -> None:
    started, clock = datetime.now(UTC), time.perf_counter()
    progress = Progress(prepared.data.store.root / "unfinished" / key)
    network, history = _train_network(prepared, progress)
    predictions = _predict_all(prepared, network)
    if not np.isfinite(evaluate.probabilities(predictions)).all():
        raise SkinlibError("the training diverged: its answers are no numbers: use other weights, or fewer epochs")
    photos = prepared.data.photos
    provenance = identity | {
        "key": key,
        "weights": identity["weights"] | {"note": prepared.weights.note},
        "photos": {
            "files": len(photos),
            "contents": photos.sha256.nunique(),
            "photos": photos.photo_id.nunique(),
            "left_out": len(prepared.data.missed),
        },
        "machine": {"system": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "time": {"started": started.isoformat(timespec="seconds"), "seconds": round(time.perf_counter() - clock, 1)},
    }
    folder.mkdir()
    network.save(folder / "model.keras")
    write_json(folder / "labels.json", [asdict(one) for one in prepared.data.classes])
    write_table(folder / "history.csv", pd.DataFrame(history), "%.6g")
    write_table(folder / "predictions.csv", predictions, "%.8g")
    # From the table as it is kept, so that whoever evaluates it again finds the same digits.
    written = read_predictions(folder / "predictions.csv", prepared.data.classes.keys)
    write_json(folder / "metrics.json", evaluate.metrics(written))
    provenance["files"] = {part: sha256_of(folder / part) for part in PARTS[:-1]}
    write_json(folder / "provenance.json", provenance)
    shutil.rmtree(progress.folder)


def _train_network(prepared: Prepared, progress: Progress) -> tuple[keras.Model, list[dict]]:
    """Train the head on pooled features and then, if asked, the last stage; put both back into the whole network."""
    recipe, weights, classes = prepared.recipe, prepared.weights, prepared.data.classes
    network = networks.build(weights, len(classes), prepared.seed, recipe.swapped_channels)
    labels = prepared.data.labels()
    learned, held_out = (labels[prepared.rows(part)] for part in ("train", "validation"))
    prepared.keep_features()

    def train_part(layer, epochs, rate, stage, bits=32):
        n_versions = min(recipe.augmented_copies + 1, epochs)
        versions = [prepared.features(layer, "train", version) for version in range(n_versions)]
        validation = prepared.features(layer, "validation"), held_out
        part = compile_recipe(networks.part_after(network, layer, bits), rate)
        part, history = fit(
            part, versions, learned, validation, epochs, recipe.batch_size, prepared.seed, stage, progress
        )
        networks.copy_weights(part, network)
        return history

    history = train_part("pool", recipe.epochs, LEARNING_RATE, "head")
    if recipe.fine_tuning_epochs:
        last_stage = weights.backbone.last_stage
        history += train_part(last_stage, recipe.fine_tuning_epochs, FINE_TUNING_RATE, "fine-tuning", recipe.bits)
    return network, history


def _predict_all(prepared: Prepared, network: keras.Model) -> pd.DataFrame:
    """Return the table of predictions for every photo of the catalogue."""
    layer = prepared.weights.backbone.last_stage if prepared.recipe.fine_tuning_epochs else "pool"
    rows, part = prepared.features(layer), networks.part_after(network, layer)
    data = prepared.data
    return evaluate.predictions_table(data.photos, prepared.split, predicted(part, rows), data.classes.keys)


@standard()
def predicted(network: keras.Model, rows: np.ndarray) -> np.ndarray:
    """Return a network's probabilities, float32 (n, classes), for ``rows``, (n, …)."""
    # Batch by batch: predict() would copy all rows into memory first.
    answers = [network.predict_on_batch(rows[start : start + BATCH_SIZE]) for start in range(0, len(rows), BATCH_SIZE)]
    return np.concatenate([np.empty((0, network.output_shape[-1]), np.float32), *answers])
