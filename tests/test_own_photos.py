"""Somebody's own photos from the folder to the answer: cats and dogs in splits, and cats and dogs in a plain folder.

Every step is a command, as a person would type it. The backbone is the tests' small one; no disease is named anywhere.
"""

import json
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from skinlib.__main__ import main
from skinlib.data.conditions import CONDITIONS
from skinlib.data.dataset import DataSet
from skinlib.serve.exported import LABELS, ExportedModel

DISEASES = re.compile("|".join(one.title for one in CONDITIONS) + "|skin|disease|dermat", re.IGNORECASE)


@pytest.fixture(scope="module", params=["in splits", "in a plain folder"])
def data(request) -> DataSet:
    return request.getfixturevalue("pets" if request.param == "in splits" else "plain_pets")


@pytest.fixture(scope="module")
def command(sample_settings, tiny):
    """Return a function that runs a command with the shared cache and the small backbone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKINLIB_CACHE", str(sample_settings.cache))
        patch.setenv("SKINLIB_BACKBONE", tiny.name)
        yield lambda *arguments: main([*map(str, arguments)])


@pytest.fixture(scope="module")
def run(data, command, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert command("train", data.root, "--out", folder) == 0
    return folder


@pytest.fixture(scope="module")
def published(data, run, command, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "out"
    assert command("export", run, "--data", data.root, "--out", folder) == 0
    return folder


def test_the_folder_brings_its_own_classes(data):
    assert data.kind == "own" and data.classes.keys == ("cats", "dogs")
    assert [one.title for one in data.classes] == ["Cats", "Dogs"]


def test_audit(data, command, tmp_path, capsys):
    report, splits = tmp_path / "report.json", tmp_path / "splits.csv"
    assert command("audit", data.root, "--json", report, "--splits", splits) == 0
    said, content = capsys.readouterr().out, json.loads(report.read_text("utf-8"))
    assert content["n_files"] == len(data.photos) and content["n_photos"] < content["n_files"]
    if data.has_test:
        assert content["leaks"]["test_files"] > 0 and "show a photo of the training set" in said
    else:
        assert "there are no official test files" in said
    table = pd.read_csv(splits)
    assert set(table.split) == {"train", "validation", "test"}
    assert (table.groupby("photo_id").split.nunique() == 1).all()


def test_a_plain_folder_has_no_official_split(plain_pets, command, tmp_path, capsys):
    assert command("train", plain_pets.root, "--split", "official", "--out", tmp_path / "run") == 2
    said = capsys.readouterr().err
    assert "no official test photos" in said and "grouped" in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_train_takes_the_clean_split(data, run):
    provenance = json.loads((run / "provenance.json").read_text("utf-8"))
    assert provenance["settings"]["split"] == "grouped", "also where there are test photos: copies may be among them"
    assert provenance["data"]["kind"] == "own"
    predictions = pd.read_csv(run / "predictions.csv")
    assert list(predictions)[-2:] == ["cats", "dogs"] and len(predictions) == len(data.photos)
    assert (predictions.groupby("photo_id").split.nunique() == 1).all()


def test_evaluate(run, command, tmp_path, capsys):
    assert command("evaluate", run, "--json", tmp_path / "metrics.json") == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text("utf-8"))
    assert set(metrics) == {"train", "validation", "test"} and set(metrics["test"]["recall"]) == {"cats", "dogs"}
    assert "test:" in capsys.readouterr().out


def test_predict(data, run, published, command, capsys):
    photos = [data.path(path) for path in data.photos.path[:3]]
    for asked in (run, published / "model"):
        assert command("predict", asked, *photos, "--json") == 0
        answers = json.loads(capsys.readouterr().out)
        assert len(answers) == 3 and all(set(answer["probabilities"]) == {"cats", "dogs"} for answer in answers)
    assert command("predict", run, photos[0]) == 0
    assert re.search(r": (Cats|Dogs) \(", capsys.readouterr().out)


def test_what_is_published_names_the_classes_and_no_disease(data, published):
    labels = json.loads((published / "model" / LABELS).read_text("utf-8"))
    assert [one["title"] for one in labels["conditions"]] == ["Cats", "Dogs"] and labels["model"]["kind"] == "own"
    card = (published / "model" / "README.md").read_text("utf-8")
    said = " ".join([card, json.dumps(labels["words"]), labels["notice"], labels["name"]]).replace("skinlib", "")
    assert "Cats, Dogs" in card and not DISEASES.search(said), DISEASES.search(said)
    assert json.loads((published / "web" / "samples" / "samples.json").read_text("utf-8")) == []
    assert not list((published / "web").rglob("*.jpg")), "nobody's own photos are published"


def test_the_app_answers_as_the_model_does(data, published, tmp_path):
    app = pytest.importorskip("skinlib.serve.app")
    client = pytest.importorskip("gradio_client")
    model = ExportedModel(published / "model")
    served = app.launch(model, port=None, wait=False, quiet=True)
    try:
        photo = shutil.copy(data.path(data.photos.path[0]), tmp_path / "photo.jpg")
        asked = client.Client(served.local_url, verbose=False)
        answer = asked.predict(client.handle_file(str(photo)), api_name="/predict")
    finally:
        served.close()
    assert answer == model.answer(model.read(photo)).as_dict()
