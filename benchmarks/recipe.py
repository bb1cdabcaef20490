"""The whole recipe against the original procedure: the same weights, the same photos, one run, one machine.

    python benchmarks/recipe.py [--data sample] [--per-class N] [--samples DIR] [--cold 2] [--warm 3] [--json FILE]

The original procedure trains the frozen network end to end: every photo goes through all of ResNet50 in each of the
twelve epochs, and the test photos are predicted one by one. Ours computes features once for each distinct content and
trains the head on them. Both begin with the same head and see the photos in the same order, so their answers can be
compared. Weights are made, and copies found, before the clock starts: the original did neither, and the audit's time is
given apart. With ``--per-class`` a sample of N photos per condition (8) is drawn, and kept in DIR for the next time;
the original data set has 1,159 in all. Run it on a machine that has nothing else to do.

*Cold* is with nothing kept from before, *warm* with the features and what reading found. Their times are middle ones,
with the shortest and the longest. The original takes so long that it runs once, between the others; the spread of its
epochs stands for its own: all of them as fast as the fastest, or as slow as the slowest. ``profile`` says where the
time went, in seconds.
"""

import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import common
import numpy as np

from skinlib.audit.copies import audit
from skinlib.base import runner
from skinlib.base.settings import SPLITS, Settings, load_settings
from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.data.opening import open_data
from skinlib.judge import evaluate
from skinlib.learn import networks, preprocessing
from skinlib.learn.fitting import compile_recipe
from skinlib.learn.prepared import EPOCHS, Recipe, prepare
from skinlib.learn.pretrained import Weights, get_weights
from skinlib.learn.runs import BATCH_SIZE
from skinlib.learn.train import train


class Clock:
    """Tells how long each part took, by its name: ``clock("training")`` says what the time since the last call was."""

    def __init__(self):
        self.parts, self._since = {}, time.perf_counter()

    def __call__(self, name: str) -> float:
        """Book the time since the last call, or since the beginning, to a part; return it."""
        now = time.perf_counter()
        passed, self._since = now - self._since, now
        self.parts[name] = self.parts.get(name, 0) + passed
        return passed

    def seconds(self) -> float:
        """Return the time of all parts together."""
        return sum(self.parts.values())


def original(data: DataSet, weights: Weights, seed: int) -> tuple[np.ndarray, Clock, list[float]]:
    """Train as the original did, end to end.

    Returns the probabilities of the test photos, float32 (n, 8), where the time went, and the seconds of each epoch.
    """
    clock, epochs = Clock(), []
    split = splits.official(data.photos, seed)
    squares = np.stack([preprocessing.prepare(data.read(path)) for path in data.photos.path])
    clock("reading")
    one_hot = np.eye(len(data.classes), dtype=np.float32)[data.labels()]
    network = networks.build(weights, len(data.classes), seed)
    for layer in network.layers:
        layer.trainable = layer.name in ("hidden", "probabilities")
    compile_recipe(network)
    learning, validation, test = (np.flatnonzero(split == name) for name in SPLITS)
    clock("making the network")
    for epoch in range(EPOCHS):
        order = learning[np.random.default_rng([seed, epoch]).permutation(len(learning))]
        network.fit(
            squares[order],
            one_hot[order],
            BATCH_SIZE,
            shuffle=False,
            verbose=0,
            validation_data=(squares[validation], one_hot[validation]),
        )
        epochs.append(clock("training"))
    probabilities = np.concatenate([network.predict(squares[[i]], verbose=0) for i in test])
    clock("prediction")
    return probabilities, clock, epochs


def ours(settings: Settings) -> tuple[np.ndarray, Clock]:
    """Train as the book does; return the probabilities of the test photos, float64 (n, 8), and where the time went."""
    clock = Clock()
    data = open_data(settings)
    clock("reading")
    clock.parts |= {"making the network": 0.0, "features": 0.0}  # where all are kept, the runner below is not called

    def clocked(make, items):
        def made():
            worker = make()
            clock("making the network")
            return worker

        clock("head and predictions")
        yield from runner.threads(made, items)
        clock("features")

    predictions = train(prepare(data, settings, "official", Recipe(epochs=EPOCHS), clocked)).predictions
    clock("head and predictions")
    return evaluate.probabilities(predictions[predictions.split == "test"]), clock


def measure(options, folder: Path) -> dict:
    """Measure, with what is kept below ``folder``; return the figures as --json writes them."""
    drawn = str(common.sample(options.samples or folder, options.per_class)) if options.per_class else options.data
    first = load_settings(data=drawn, weights=options.weights, seed=options.seed)
    root = open_data(first).root  # drawn or unpacked by now
    settings = replace(first, data=str(root), cache=folder)
    data = open_data(settings)
    weights = get_weights(settings, data)
    found = audit(data)
    answers, clocks = {"cold": [], "warm": []}, {"cold": [], "warm": []}

    def run(kind):
        for kept in ("decoded", "features", "runs") if kind == "cold" else ("runs",):
            shutil.rmtree(folder / kept, ignore_errors=True)
        probabilities, clock = ours(settings)
        answers[kind].append(probabilities)
        clocks[kind].append(clock)

    run("cold")
    run("warm")
    long_way, clock, epochs = original(data, weights, settings.seed)
    for kind, times in (("cold", options.cold), ("warm", options.warm)):
        for _ in range(times - 1):
            run(kind)

    total, training = clock.seconds(), clock.parts["training"]
    long_times = [total - training + len(epochs) * least_or_most(epochs) for least_or_most in (min, max)]
    times = {
        "original": {
            "seconds": round(total, 2),
            "shortest": round(long_times[0], 2),
            "longest": round(long_times[1], 2),
        },
        **{kind: common.spread([each.seconds() for each in some]) for kind, some in clocks.items()},
    }
    cold = answers["cold"][0]
    everyone = [each for some in answers.values() for each in some]
    return {
        "files": len(data.photos),
        "audit_seconds": round(found.seconds, 1),
        "times": times,
        "ratios": {
            kind: {
                "ratio": round(total / times[kind]["seconds"], 2),
                "low": round(long_times[0] / times[kind]["longest"], 2),
                "high": round(long_times[1] / times[kind]["shortest"], 2),
            }
            for kind in clocks
        },
        "epochs": [round(seconds, 2) for seconds in epochs],
        "profile": {"original": _rounded(clock.parts)} | {kind: _middle(some) for kind, some in clocks.items()},
        "largest_difference": float(np.abs(long_way - cold).max()),
        "same_top_answer": float((long_way.argmax(1) == cold.argmax(1)).mean()),
        "all_runs_identical": bool(all((each == cold).all() for each in everyone)),
        "machine": common.machine(),
        "versions": common.versions(),
    }


def _rounded(parts: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds, 2) for name, seconds in parts.items()}


def _middle(clocks: list[Clock]) -> dict[str, float]:
    return _rounded({name: statistics.median(each.parts[name] for each in clocks) for name in clocks[0].parts})


def main(arguments: list[str] | None = None) -> dict:
    """Measure, print and return the figures."""
    parser = common.parser(__doc__)
    parser.add_argument("--per-class", type=common.at_least_one, metavar="N", help="draw so many for each condition")
    parser.add_argument("--samples", type=Path, metavar="DIR", help="keep what is drawn here, for the next time")
    parser.add_argument("--cold", type=common.at_least_one, default=2, help="runs with nothing kept (default: 2)")
    parser.add_argument("--warm", type=common.at_least_one, default=3, help="runs with features kept (default: 3)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(options, Path(folder))
    print(f"{result['files']} files; the audit, which the original did not have: {result['audit_seconds']} s\n")
    rows = [{"way": name} | each | result["ratios"].get(name, {}) for name, each in result["times"].items()]
    print(common.table(rows))
    print("\nwhere the time went, in seconds:")
    print(common.table([{"way": name} | parts for name, parts in result["profile"].items()]))
    print(f"\nlargest difference of a probability from the original: {result['largest_difference']:.1e}")
    print(f"all runs of ours gave the same numbers: {'yes' if result['all_runs_identical'] else 'no'}")
    return common.finish(result, options)


if __name__ == "__main__":
    common.run(main)
