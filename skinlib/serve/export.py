"""Export a run: everything from the decoded photo to the calibrated answer in one ONNX file, ready to be published.

No client can get the preprocessing wrong, for none is left to it. Introduced in chapter 6, Deployment.
"""

import contextlib
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import numpy as np
import onnx

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.files import sha256_of, write_json
from skinlib.base.fingerprint import key_for
from skinlib.base.runner import threads
from skinlib.base.settings import Settings
from skinlib.data.dataset import DataSet
from skinlib.data.reading import SCAN_LIMIT
from skinlib.judge.limits import Limits, choose_limits
from skinlib.judge.measured import check_clean, learned_from
from skinlib.learn.extraction import extractor, features
from skinlib.learn.preprocessing import prepare
from skinlib.learn.pretrained import get_weights
from skinlib.learn.runs import Run
from skinlib.serve.cards import card, model_name
from skinlib.serve.elsewhere import Elsewhere, from_elsewhere
from skinlib.serve.exported import FORMAT, FULL, LABELS, SMALL, ExportedModel
from skinlib.serve.onnx_graph import OPSET, answering, packed, to_onnx
from skinlib.serve.words import NOTICE, SKIN_NOTICE, words_for

MOST_KNOWN = 2000
"""Training photos whose features travel with the model, at most."""
LIMITS = {"bytes": 30_000_000, "pixels": 50_000_000, "scans": SCAN_LIMIT}
"""What a stranger may send: the photos of every phone, and nothing that fills the memory."""


def export(run: Run, data: DataSet, settings: Settings, elsewhere: DataSet | None = None) -> ExportedModel:
    """Return a run's exported model, which is made once and kept in the store.

    ``data`` are the photos that the run was trained on. What the model needs beside its weights comes from them: the
    limits (:func:`skinlib.judge.limits.choose_limits`) from the validation photos. With photos from ``elsewhere`` the
    model is judged on these, too (:mod:`skinlib.serve.elsewhere`), and says how it did. :func:`write` tells what the
    folder holds. Raises InputError where ``data`` are not the run's photos, the run has no validation or test photos or
    any that may be copies of training photos, or there are none from elsewhere.
    """
    if data.fingerprint != run.provenance["data"]["fingerprint"]:
        raise InputError(f"{data.root} does not hold the photos that {run.path} was trained on: name those with --data")
    for part, purpose in (("validation", "calibration needs"), ("test", "say how good it is")):
        if part not in run.metrics:
            raise InputError(f"{run.path} has no {part} photos, which {purpose}: train on more photos")
    check_clean(run.provenance["settings"]["split"], run.predictions, run.path)
    strangers = None if elsewhere is None else from_elsewhere(elsewhere, data, run.classes)

    def make(folder: Path) -> None:
        known = pooled_features(run, data, settings, "train")
        known = known[np.random.default_rng(run.provenance["seed"]).permutation(len(known))[:MOST_KNOWN]]
        validation = run.predictions[run.predictions.split == "validation"]
        limits = choose_limits(validation, pooled_features(run, data, settings, "validation"), known)
        write(run, limits, known, folder, strangers)

    names = [] if elsewhere is None else [elsewhere.name, elsewhere.fingerprint]
    key = key_for("skinlib.serve.export", run.provenance["key"], *names)
    return ExportedModel(settings.store.folder("exports", key, make))


def write(run: Run, limits: Limits, known: np.ndarray, folder: Path, elsewhere: Elsewhere | None = None) -> None:
    """Write a run with its limits to ``folder``, which must not exist: the same run gives the same bytes.

    ``known`` are the pooled features of training photos that strangeness is measured against, float32 (n, features);
    on photos from ``elsewhere`` it is judged. The folder holds the network in 32 and in 16 bits; classes, limits and
    words in ``labels.json``; a model card; where all of it comes from; and SHA-256 sums. Raises InputError where copies
    of training photos may have judged the run, and OSError where the disk is full.
    """
    check_clean(run.provenance["settings"]["split"], run.predictions, run.path)
    full = to_onnx(answering(run.model, limits.temperature, known), run.model)
    folder.mkdir()
    onnx.save(full, folder / FULL)
    onnx.save(packed(full, 16), folder / SMALL)
    model = _description(run)
    model["elsewhere"] = elsewhere.judge(folder / SMALL, run.classes.keys) if elsewhere else None
    learned = learned_from(run.predictions)
    labels = {
        "format": FORMAT,
        "name": model_name(run),
        "notice": NOTICE if model["kind"] == "own" else SKIN_NOTICE,
        "conditions": [asdict(one) | {"learned": one.key in learned} for one in run.classes],
        "temperature": limits.temperature,
        "threshold": limits.threshold,
        "strangeness_limit": limits.strangeness,
        "target_accuracy": limits.promise.target,
        "promise": asdict(limits.promise),
        "limits": LIMITS,
        "model": model,
        "files": {name: _file(folder / name) for name in (FULL, SMALL)},
    }
    labels["words"] = words_for(labels)
    write_json(folder / LABELS, labels)
    write_json(folder / "provenance.json", run.provenance | {"export": _made_with()})
    (folder / "README.md").write_text(card(run, labels), encoding="utf-8")
    _write_sums(folder)


def pooled_features(run: Run, data: DataSet, settings: Settings, split: str) -> np.ndarray:
    """Return the run's own pooled features of one file of each photo in a split, float32 (n, features)."""
    rows = run.predictions[run.predictions.split == split].drop_duplicates("photo_id")
    recipe = run.provenance["settings"]
    if not recipe["fine_tuning_epochs"]:
        with contextlib.suppress(SkinlibError):  # a weights file may have gone since; the run has its own copy
            weights = get_weights(replace(settings, backbone=run.backbone.name), data)
            if weights.sha256 == run.provenance["weights"]["sha256"]:  # then the features are kept already
                swapped = recipe["swapped_channels"]
                return features(data, weights, paths=rows.path, swapped_channels=swapped, bits=recipe["bits"])
    extract = extractor(run.model, recipe["bits"])
    return np.stack(list(threads(lambda: lambda path: extract.one(prepare(data.read(path)))[1], rows.path)))


def _description(run: Run) -> dict:
    """Return what a client says of the model it runs: data, weights, and how good it was on its test photos."""
    test, provenance = run.metrics["test"], run.provenance
    return {
        "data": provenance["data"]["name"],
        "kind": provenance["data"]["kind"],
        "fingerprint": provenance["data"]["fingerprint"],
        "split": provenance["settings"]["split"],
        "backbone": run.backbone.title,
        "weights": provenance["weights"]["name"],
        "weights_note": provenance["weights"]["note"],
        "seed": provenance["seed"],
        "skinlib": provenance["versions"]["skinlib"],
        "test_photos": test["photos"],
        "test_accuracy": test["accuracy"],
        "test_accuracy_interval": test["accuracy_interval"],
        "training_photos": run.metrics["train"]["photos"],
    }


def _made_with() -> dict:
    packages = ("tf2onnx", "onnx", "onnxruntime")
    return {"opset": OPSET, "versions": {package: metadata.version(package) for package in packages}}


def _file(path: Path) -> dict:
    return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def _write_sums(folder: Path) -> None:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    (folder / "SHA256SUMS").write_text("".join(f"{_file(file)['sha256']}  {file.name}\n" for file in files), "utf-8")
