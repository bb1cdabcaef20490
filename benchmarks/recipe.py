"""The whole recipe against the original procedure: the same weights, the same photos, one run, one machine.

    python benchmarks/recipe.py DATA [--json FILE]

The original procedure trains the frozen network end to end: every photo goes through all of ResNet50 in each of the
twelve epochs, and the test photos are predicted one by one. Ours computes features once for each distinct content and
trains the head on them. Both begin with the same head and see the photos in the same order, so their answers can be
compared. Weights are made, and copies found, before the clock starts: the original did neither, and the audit's time is
given apart. Run it on a machine that has nothing else to do.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from skinlib import audit, conditions, evaluate, model, photos, settings, splits, train


def original(data: photos.DataSet, weights: model.Weights, seed: int) -> np.ndarray:
    """Train as the original did, end to end; return probabilities of the test photos, float32 (n, 8)."""
    split = splits.official(data.photos, seed)
    squares = np.stack([model.prepare(data.read(path)) for path in data.photos.path])
    labels = data.photos.condition.map(conditions.KEYS.index).to_numpy()
    one_hot = np.eye(len(conditions.KEYS), dtype=np.float32)[labels]
    network = model.build(weights, seed=seed)
    for layer in network.layers:
        layer.trainable = layer.name in ("hidden", "probabilities")
    train.compile_recipe(network)
    learning, validation, test = (np.flatnonzero(split == name) for name in evaluate.SPLITS)
    for epoch in range(train.EPOCHS):
        order = learning[np.random.default_rng([seed, epoch]).permutation(len(learning))]
        network.fit(
            squares[order],
            one_hot[order],
            train.BATCH_SIZE,
            shuffle=False,
            verbose=0,
            validation_data=(squares[validation], one_hot[validation]),
        )
    return np.concatenate([network.predict(squares[[i]], verbose=0) for i in test])


def ours(data: photos.DataSet, choices: settings.Settings, out: Path) -> np.ndarray:
    """Train as the book does; return probabilities of the test photos, float64 (n, 8)."""
    predictions = train.train(data, choices, out).predictions
    return evaluate.probabilities(predictions[predictions.split == "test"])


def timed(function, *arguments):
    """Return what the function returns, and the seconds it took."""
    started = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        choices = settings.load(data=options.data, weights="untrained", cache=folder)
        data = photos.open_data(choices)
        n_photos, weights = len(data.photos), model.get_weights(choices, data)
        found = audit.audit(data)
        (Path(folder) / "photos").rename(Path(folder) / "photos.before")  # so that ours reads the photos anew

        def read_and_train(name):
            return ours(photos.open_data(choices), choices, Path(folder) / name)

        cold, cold_seconds = timed(read_and_train, "cold")
        warm, warm_seconds = timed(read_and_train, "warm")
        long_way, original_seconds = timed(original, data, weights, choices.seed)

    result = {
        "files": n_photos,
        "audit_seconds": round(found.seconds, 1),
        "original_seconds": round(original_seconds, 1),
        "ours_cold_seconds": round(cold_seconds, 1),
        "ours_warm_seconds": round(warm_seconds, 1),
        "ratio_cold": round(original_seconds / cold_seconds, 1),
        "ratio_warm": round(original_seconds / warm_seconds, 1),
        "largest_difference": float(np.abs(long_way - cold).max()),
        "same_top_answer": float((long_way.argmax(1) == cold.argmax(1)).mean()),
        "second_run_identical": bool((cold == warm).all()),
        "versions": settings.versions(),
    }
    print(json.dumps(result, indent=2))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
