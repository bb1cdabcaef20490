"""The ladder: from no learning at all to the best we can do, each rung on the official and on a clean split.

Introduced on the results page. ``make results`` climbs it.
"""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from skinlib.audit.copies import audit
from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.files import write_json, write_table, written_whole
from skinlib.base.fingerprint import key_for, result_versions
from skinlib.base.settings import Settings
from skinlib.base.targets import check_file
from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.judge import calibration, evaluate
from skinlib.learn import baselines, extraction
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.pretrained import get_weights
from skinlib.learn.train import train

FINE_TUNED = Recipe(fine_tuning_epochs=3)
AUGMENTED = Recipe(fine_tuning_epochs=3, augmented_copies=2)

RESULT_COLUMNS = (
    "rung", "weights", "split", "files", "file_accuracy", "photos", "correct", "accuracy", "low", "high",
    "bootstrap_low", "bootstrap_high", "balanced_accuracy", "macro_f1", "top_2_accuracy", "log_loss", "brier", "ece",
)  # fmt: skip

Rung = Callable[[DataSet, Settings, str], pd.DataFrame]


def _no_network(baseline) -> Rung:
    return lambda data, settings, split: baseline(data, splits.SPLITTERS[split](data.photos, settings.seed))


def _nearest_neighbour(data: DataSet, settings: Settings, split: str) -> pd.DataFrame:
    features = extraction.features(data, get_weights(settings, data))
    return baselines.nearest_neighbour(data, splits.SPLITTERS[split](data.photos, settings.seed), features)


def _trained(recipe: Recipe) -> Rung:
    return lambda data, settings, split: train(prepare(data, settings, split, recipe)).predictions


def _calibrated(rung: Rung) -> Rung:
    def calibrated(*arguments) -> pd.DataFrame:
        predictions = rung(*arguments)
        temperature = calibration.fit_temperature(predictions[predictions.split == "validation"])
        return calibration.with_temperature(predictions, temperature)

    return calibrated


WITHOUT_WEIGHTS: dict[str, Rung] = {
    "majority": _no_network(baselines.majority),
    "file size only": _no_network(baselines.file_size),
    "colour histogram": _no_network(baselines.colour_histogram),
}
WITH_WEIGHTS: dict[str, Rung] = {
    "nearest neighbour": _nearest_neighbour,
    "recipe": _trained(Recipe()),
    "recipe, red and blue swapped": _trained(Recipe(swapped_channels=True)),
    "fine-tuned": _trained(FINE_TUNED),
    "fine-tuned, augmented, calibrated": _calibrated(_trained(AUGMENTED)),
}


def at_hand(data: DataSet, settings: Settings, weights: Sequence[str]) -> dict[str, Settings]:
    """Return the settings for each of ``weights`` that can be had, by the weights' name; ImageNet's may be missing.

    Raises InputError for a weights file that can't be used.
    """
    usable = {}
    for chosen in (replace(settings, weights=name) for name in weights):
        try:
            usable[get_weights(chosen, data).name] = chosen
        except SkinlibError:
            if chosen.weights != "imagenet":
                raise
    return usable


def climb(data: DataSet, settings: Settings, kinds: Mapping[str, Settings]) -> Iterator[dict]:
    """Yield one row of results for each rung, choice of weights and split; see :data:`RESULT_COLUMNS`.

    ``data`` needs the photo_id of its audit; ``kinds`` is what :func:`at_hand` returns. Photos have one vote each;
    ``files`` and ``file_accuracy`` count files, as the original did. Trained runs are kept in the cache, so an
    interrupted climb goes on where it stopped.
    """
    for rungs, settings_of in ((WITHOUT_WEIGHTS, {"none": settings}), (WITH_WEIGHTS, kinds)):
        for name, chosen in settings_of.items():
            for rung, predict in rungs.items():
                for split in splits.SPLITTERS:
                    yield {"rung": rung, "weights": name, "split": split} | judge(predict(data, chosen, split))


def check(data: DataSet, settings: Settings) -> None:
    """Raise InputError, before any work, where a split of the photos teaches or judges nothing."""
    for name, splitter in splits.SPLITTERS.items():
        side = splitter(data.photos, settings.seed)
        splits.check_teaching(data.photos, side, data.root)
        if not splits.judging(data.photos, side).any():
            raise InputError(
                f"{data.root}: nothing to judge on the split {name!r}, which has no test photo of one class alone: "
                "add photos"
            )


def judge(predictions: pd.DataFrame) -> dict:
    """Return the results on the test photos of a table of predictions: the numeric ones of :data:`RESULT_COLUMNS`."""
    test = predictions[predictions.split == "test"]
    judged = evaluate.metrics(test)
    if "test" not in judged:
        raise InputError("there are no test photos to judge a rung by: add some, or more photos of each class")
    numbers = judged["test"]
    numbers["low"], numbers["high"] = numbers["accuracy_interval"]
    numbers["bootstrap_low"], numbers["bootstrap_high"] = numbers["accuracy_bootstrap"]
    numbers["ece"] = calibration.expected_calibration_error(evaluate.one_vote_per_photo(test))
    return {name: numbers[name] for name in RESULT_COLUMNS[3:]}


def command(name: str) -> str:
    """Return the command that climbs the ladder on the data of this name."""
    return "make results" if name == "sample" else f"RESULTS_DATA={name} make results"


def results(data: DataSet, settings: Settings, out: Path, weights: Sequence[str] = ("untrained", "imagenet")) -> Path:
    """Climb the ladder; write ``NAME.csv`` and ``NAME.json``, its provenance, into ``out``; return the former.

    NAME is "clinical" for the clinical photos, wherever they lie, and else the data's name. Both files hold figures
    only, no photo. Raises InputError, before any work, where the photos teach or judge nothing, and where another
    process is about to write other results there.
    """
    if not data.has_test:
        raise InputError(
            f"{data.root} has no test photos of its own, and the ladder sets their split beside a clean one: put some "
            "into a folder test/"
        )
    name = "clinical" if data.kind == "clinical" else data.name
    table = Path(out) / f"{name}.csv"
    for file in (table, Path(out) / f"{name}.json"):
        check_file(file)
    work = key_for("skinlib.learn.ladder", data.fingerprint, settings.seed, list(weights), settings.backbone)
    with data.store.claimed(table, work) as is_there:
        if not is_there:
            _write_results(data, settings, table, name, weights)
    return table


def _write_results(data: DataSet, settings: Settings, file: Path, name: str, weights: Sequence[str]) -> None:
    audited = audit(data)
    data = replace(data, photos=audited.photos)
    check(data, settings)
    kinds = at_hand(data, settings, weights)
    table = pd.DataFrame(climb(data, settings, kinds))[list(RESULT_COLUMNS)]
    used = {kind: get_weights(chosen, data) for kind, chosen in kinds.items()}
    provenance = {
        "data": {"name": name, "fingerprint": data.fingerprint},
        "weights": {kind: {"sha256": weights.sha256, "note": weights.note} for kind, weights in used.items()},
        "files": len(data.photos),
        "photos": int(data.photos.photo_id.nunique()),
        "leaked": int(audited.leaked.sum()),
        "test_files": int((data.photos.split == "test").sum()),
        "seed": settings.seed,
        "versions": result_versions(),
        "machine": {"system": platform.system(), "processor": platform.machine()},
        "command": command(name),
        "date": datetime.now(UTC).date().isoformat(),
    }
    with written_whole(file) as draft:
        write_table(draft, table.round(6))
    with written_whole(file.with_name(f"{name}.json")) as draft:
        write_json(draft, provenance)


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Return the ladder for a page: a row per rung and weights, official and clean accuracy beside each other."""

    def words(row):
        return f"{row.accuracy:.0%} ({100 * row.low:.0f}–{100 * row.high:.0f})"

    rows = {}
    for (rung, weights), part in table.groupby(["rung", "weights"], sort=False):
        official, clean = (part[part.split == split].iloc[0] for split in splits.SPLITTERS)
        right = f"{clean.correct} of {clean.photos}"
        rows[rung, weights] = [f"{official.file_accuracy:.0%}", words(official), words(clean), right]
    columns = ["official, score on files", "official", "clean", "clean, photos right"]
    shown = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    shown.index = pd.MultiIndex.from_tuples(shown.index, names=["rung", "weights"])
    return shown.reset_index(level="weights").rename_axis(None)


def in_words(table: pd.DataFrame) -> str:
    """Say for a page what the clean split took away, and which rungs the photos of each split can't tell apart.

    Rungs whose intervals overlap are not told apart. That is cautious: to compare two of them photo by photo, as
    :func:`skinlib.judge.evaluate.compare_runs` does, tells more.
    """
    wide = table.set_index(["rung", "weights", "split"]).accuracy.unstack("split", sort=False)
    fall = wide.official - wide.grouped
    ends = wide.loc[fall.idxmax()]
    words = [
        f"The rung that falls furthest is *{fall.idxmax()[0]}*: from {ends.official:.0%} to {ends.grouped:.0%} of the "
        "photos."
    ]
    for split, word in zip(splits.SPLITTERS, ("official", "clean"), strict=True):
        part = table[table.split == split].reset_index(drop=True)
        top = part.loc[part.accuracy.idxmax()]
        rivals = int((part.high >= top.low).sum()) - 1
        reach = "1 other rung reaches" if rivals == 1 else f"{rivals} other rungs reach"
        verdict = f"but {reach} into its interval: these photos do not say which is best" if rivals else "alone"
        words.append(f"On the {word} split *{top.rung}* has the most photos right, {top.accuracy:.0%}, {verdict}.")
    words.append("The highest of many scores flatters: it was chosen on the photos that judge it.")
    return " ".join(words)


def all_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """Return every number of the ladder for a page, to two digits."""
    shown = table.replace({"split": {"grouped": "clean"}}).set_index(["rung", "weights", "split"]).round(2)
    return shown.rename(columns=lambda name: name.replace("_", " "))
