"""The command line, as people use it: a process, its two streams and its exit code."""

import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pandas as pd
import pytest

from skinlib.__main__ import main
from skinlib.base.settings import load_settings
from skinlib.data.conditions import CONDITIONS, KEYS
from skinlib.judge import evaluate
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.runs import Run
from skinlib.learn.train import train


def skinlib(*arguments, **environment):
    """Run a command in a process of its own; return its exit code, standard output and standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "skinlib", *map(str, arguments)],
        capture_output=True, text=True, env=os.environ | environment, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def images(sample, tmp_path_factory):
    """Make good and bad files, in an order that mixes them."""
    folder = tmp_path_factory.mktemp("images")
    good = sample.read(sample.photos.path[0])[..., ::-1]
    whole = cv2.imencode(".jpg", good)[1].tobytes()
    content = {
        "good.jpg": whole,
        "truncated.jpg": whole[: len(whole) // 2],
        "grey.png": cv2.imencode(".png", good[..., 0])[1].tobytes(),
        "empty.png": b"",
        "text.jpg": b"not a photo",
        "name is a lie.txt": cv2.imencode(".webp", good)[1].tobytes(),
    }
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in (*content, "absent.jpg")]


def test_predict_answers_every_file_in_order(run, images, capsys):
    code = main(["predict", str(run.path), *map(str, images), "--json"])
    out, err = capsys.readouterr()
    answers = json.loads(out)
    assert code == 2
    assert [answer["path"] for answer in answers] == [str(path) for path in images]
    good = [0, 2, 5]
    for i, answer in enumerate(answers):
        if i in good:
            assert set(answer) == {"path", "condition", "probabilities"}
            assert list(answer["probabilities"]) == list(KEYS)
            assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert answer["condition"] == max(answer["probabilities"], key=answer["probabilities"].get)
        else:
            assert set(answer) == {"path", "error"} and "\n" not in answer["error"]
    lines = err.strip().splitlines()
    assert len(lines) == len(images) - len(good) and "Traceback" not in err
    assert all(line.startswith("skinlib: ") for line in lines)


def test_predict_agrees_with_the_run(run, sample, capsys):
    rows = run.predictions.iloc[[0, 30]]
    assert main(["predict", str(run.path), *(str(sample.path(path)) for path in rows.path), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    for answer, (_, row) in zip(answers, rows.iterrows(), strict=True):
        assert answer["condition"] == row.predicted
        np.testing.assert_allclose(list(answer["probabilities"].values()), row[list(KEYS)].astype(float), atol=1e-4)


def test_predict_for_people(run, sample, capsys):
    assert main(["predict", str(run.path), str(sample.path(sample.photos.path[0]))]) == 0
    assert "not a diagnosis" in capsys.readouterr().out


def test_evaluate_writes_the_metrics(run, tmp_path, capsys):
    assert main(["evaluate", str(run.path), "--json", str(tmp_path / "metrics.json")]) == 0
    assert json.loads((tmp_path / "metrics.json").read_text()) == evaluate.metrics(run.predictions)
    out = capsys.readouterr().out
    assert f"{run.metrics['test']['correct']}/{run.metrics['test']['photos']}" in out


def test_evaluate_against_another_run(run, sample, tiny_settings, tmp_path, capsys):
    other = train(prepare(sample, tiny_settings, "official", Recipe(epochs=1)), tmp_path / "other")
    assert main(["evaluate", str(run.path), "--against", str(other.path), "--json", str(tmp_path / "both.json")]) == 0
    compared = json.loads((tmp_path / "both.json").read_text())["comparison"]
    assert compared == evaluate.compare_runs(other.predictions, run.predictions)
    assert f"{compared['only_b']} are right here alone and {compared['only_a']} there alone" in capsys.readouterr().out


def test_runs_without_a_photo_in_common_are_refused(run, tmp_path, capsys):
    shutil.copytree(run.path, tmp_path / "stranger")
    table = run.predictions.assign(photo_id=lambda table: "x" + table.photo_id)
    table.to_csv(tmp_path / "stranger" / "predictions.csv", index=False)
    assert main(["evaluate", str(run.path), "--against", str(tmp_path / "stranger")]) == 2
    error = capsys.readouterr().err
    assert "no test photo in common" in error and len(error.strip().splitlines()) == 1


def test_audit_reports_what_was_found(sample, sample_settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKINLIB_CACHE", str(sample_settings.cache))
    report, split_file = tmp_path / "audit.json", tmp_path / "splits.csv"
    call = ["audit", str(sample.root), "--json", str(report), "--splits", str(split_file)]
    assert main([*call, "--sheets", str(tmp_path / "sheets")]) == 0
    out = capsys.readouterr().out
    findings = json.loads(report.read_text())
    assert list(findings) == ["n_files", "n_photos", "groups", "damaged", "conflicts", "leaks", "seconds"]
    assert findings["n_files"] == len(sample.photos) + len(sample.damaged) and len(sample.damaged) > 0
    assert f"{findings['n_files']} files show {findings['n_photos']} photos" in out
    assert findings["leaks"]["of"] == (sample.photos.split == "test").sum()
    assert set(findings["leaks"]["paths"]) <= set(sample.photos.path[sample.photos.split == "test"])
    assert all(len(group) > 1 and set(group) <= set(sample.photos.path) for group in findings["groups"])
    assert list(pd.read_csv(split_file).columns) == ["sha256", "photo_id", "split", "fold"]
    assert list((tmp_path / "sheets").glob("joined-*.png"))
    assert main([*call, "--sheets", str(tmp_path / "sheets")]) == 2, "a folder in use is never written into"


def test_train_on_a_clean_split(sample, tiny_settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    call = ["train", str(sample.root), "--out", str(tmp_path / "run"), "--backbone", "tiny", "--epochs", "1"]
    assert main([*call, "--split", "grouped"]) == 0
    run = Run(tmp_path / "run")
    assert (run.predictions.groupby("photo_id").split.nunique() == 1).all()
    assert (run.provenance["backbone"], run.provenance["settings"]["epochs"]) == ("tiny", 1)
    out, err = capsys.readouterr()
    assert out.startswith("UNTRAINED") and out.endswith(f"the run is in {tmp_path / 'run'}\n")
    correct, photos = run.metrics["test"]["correct"], run.metrics["test"]["photos"]
    assert f"      test: {correct}/{photos} right, accuracy" in out
    assert all(line.startswith("left out") for line in err.splitlines())


def test_training_says_what_the_scores_leave_out(sample, tiny_settings, tmp_path, monkeypatch, capsys):
    """One condition has test photos, and another none: whoever reads the score must know."""
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    first, second = (CONDITIONS[key].folder for key in KEYS[:2])
    for place in (f"train_set/{first}", f"train_set/{second}", f"test_set/{first}"):
        shutil.copytree(sample.root / place, tmp_path / "photos" / place)
    call = ["train", str(tmp_path / "photos"), "--out", str(tmp_path / "run"), "--backbone", "tiny", "--epochs", "1"]
    assert main([*call, "--split", "official"]) == 0
    error = capsys.readouterr().err
    assert f"note: no test photos of {CONDITIONS[KEYS[1]].title}: their answers are not judged\n" in error


@pytest.mark.slow
def test_sample_then_train_in_a_pipe(tmp_path, sample_settings):
    """From nothing to a run: no progress bar in a pipe, nothing of TensorFlow's on standard error."""
    code, out, err = skinlib("sample", "--out", tmp_path / "photos", "--per-class", 5, "--seed", 3)
    assert (code, err) == (0, "") and "truth.csv" in out
    code, out, err = skinlib(
        "train", tmp_path / "photos", "--out", tmp_path / "run", "--weights", "untrained", "--epochs", 1,
        SKINLIB_CACHE=str(sample_settings.cache),
    )  # fmt: skip
    assert code == 0, err
    assert "UNTRAINED" in out and all(line.startswith("left out") for line in err.splitlines())
    assert Run(tmp_path / "run").provenance["settings"]["epochs"] == 1


def test_what_is_kept_is_listed_and_removed(own_cache, monkeypatch, capsys):
    store = load_settings().store
    store.keep("features", "0123456789abcdef", b"x" * 3_000_000)
    store.keep("weights", "fedcba9876543210", b"x")
    assert main(["cache"]) == 0
    features, weights, total = capsys.readouterr().out.splitlines()
    assert features.split()[:6] == ["features", "0123456789abcdef", "1", "files", "3.0", "MB"]
    assert weights.startswith("weights") and total == f"2 entries, 3.0 MB, in {own_cache}"
    assert main(["cache", "--prune", "1"]) == 0 and "removed 0 entries" in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0 and "removed 2 entries, 3.0 MB" in capsys.readouterr().out
    assert not store.entries()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["train", "/nowhere", "--out", "x"], "/nowhere"),
        (["train", "sample", "--out", "x", "--epochs", "0"], "epochs"),
        (["train", "sample", "--out", "x", "--seed", "-1"], "seed"),
        (["train", "sample", "--out", "x", "--seed", "many"], "many"),
        (["train", "sample", "--out", "x", "--bits", "8"], "bits"),
        (["evaluate", "/nowhere"], "/nowhere"),
        (["predict", "/nowhere", "a.jpg"], "/nowhere"),
        (["sample", "--out", "x", "--per-class", "1"], "1"),
    ],
)
def test_bad_input_is_one_line_and_code_2(arguments, words, tmp_path, monkeypatch, own_cache, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.strip().splitlines()) == 1
    assert err.startswith("skinlib: ") and words in err
    assert not (tmp_path / "x").exists()


def test_a_wrong_call_is_code_2(capsys):
    for arguments in ([], ["train"], ["fly"], ["train", "sample", "--out", "x", "--epochs", "many"]):
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
    capsys.readouterr()


def test_clinical_photos_that_are_not_there(tmp_path, own_cache, capsys):
    assert main(["train", "clinical", "--out", str(tmp_path / "run")]) == 2
    assert "python -m skinlib fetch" in capsys.readouterr().err
