"""The exported model: it says what Keras says, in every size of photo, and the folders are whole."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import onnx
import pytest
import small_models
import yaml
from scipy.special import softmax

from skinlib.__main__ import main
from skinlib.base.errors import InputError
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.conditions import KEYS
from skinlib.data.opening import open_data
from skinlib.doubt import explain
from skinlib.judge import abstention, calibration
from skinlib.judge.limits import TARGET_ACCURACY
from skinlib.learn import extraction, preprocessing
from skinlib.learn.prepared import Recipe, prepare
from skinlib.learn.train import train
from skinlib.serve import app, export, onnx_graph, parity, publish, words
from skinlib.serve.exported import FORMAT, FULL, LABELS, SMALL, Answer, ExportedModel, laid_over, onnxruntime, percent


@pytest.fixture(scope="module")
def some(sample):
    """Return every third photo of the quick sample, decoded, with its row."""
    rows = sample.photos.drop_duplicates("sha256").iloc[::3]
    return rows, [sample.read(path) for path in rows.path]


def by_keras(run, temperature, pictures):
    return softmax(np.log(np.maximum(run.predict(pictures), 1e-38)) / temperature, axis=1)


# ---- parity


def check_parity(run, exported, pictures):
    keras = by_keras(run, exported.labels["temperature"], pictures)
    answers = {name: parity.answers(exported.folder / name, pictures) for name in (FULL, SMALL)}
    table = parity.parity(keras, answers)
    assert table.largest_difference[FULL] <= 1e-4
    assert table.same_answer[FULL] == 1
    assert table.same_answer[SMALL] >= 0.99
    assert table.largest_difference[SMALL] < 0.01
    return table


def test_it_says_what_keras_says(grouped_run, exported, some):
    check_parity(grouped_run, exported, some[1])


@pytest.mark.clinical
def test_it_says_what_keras_says_of_clinical_photos(clinical_folder, tmp_path):
    settings = load_settings(data=str(clinical_folder), weights="untrained")
    data = open_data(settings)
    run = train(prepare(data, settings, "grouped"))
    rows = data.photos.drop_duplicates("sha256").sample(250, random_state=0)
    check_parity(run, export.export(run, data, settings), [data.read(path) for path in rows.path])


def test_a_mistake_is_not_hidden_by_the_comparison(exported, some):
    """The comparison can fail: red and blue swapped before the model give other answers."""
    right = parity.answers(exported.path, some[1][:12])
    wrong = parity.answers(exported.path, [np.ascontiguousarray(photo[..., ::-1]) for photo in some[1][:12]])
    assert parity.parity(right, {"swapped": wrong}).largest_difference["swapped"] > 0.01


def test_the_original_channel_mistake_travels_with_the_run(sample, tiny_settings, some):
    """A run that learned from swapped channels is exported so that it, too, takes photos as they are."""
    run = train(prepare(sample, tiny_settings, "grouped", Recipe(swapped_channels=True)))
    known = export.pooled_features(run, sample, tiny_settings, "train")
    answer = onnx_graph.answering(run.model, 1.0, known)
    for photo, keras in zip(some[1][:3], run.predict(some[1][:3]), strict=True):
        assert np.abs(answer(photo)["probabilities"].numpy() - keras).max() < 1e-4


def test_features_of_a_tuned_network_are_its_own(sample, tiny_settings, weights):
    """After fine-tuning the kept features of the frozen backbone are not what the model sees."""
    run = train(prepare(sample, tiny_settings, "grouped", Recipe(epochs=1, fine_tuning_epochs=1)))
    rows = run.predictions[run.predictions.split == "validation"].drop_duplicates("photo_id")
    ours = export.pooled_features(run, sample, tiny_settings, "validation")
    pooled = extraction.extractor(run.model).one(preprocessing.prepare(sample.read(rows.path.iloc[0])))[1]
    np.testing.assert_allclose(ours[0], pooled, rtol=1e-3, atol=1e-4)
    assert np.abs(extraction.features(sample, weights, paths=rows.path) - ours).max() > 1e-3


# ---- what comes with the answer


def test_strangeness_is_the_neighbour_distance(grouped_run, exported, sample, tiny_settings):
    known = export.pooled_features(grouped_run, sample, tiny_settings, "train")
    held_out = export.pooled_features(grouped_run, sample, tiny_settings, "validation")
    rows = grouped_run.predictions[grouped_run.predictions.split == "validation"].drop_duplicates("photo_id")
    said = [exported.answer(sample.read(path)).strangeness for path in rows.path]
    np.testing.assert_allclose(said, abstention.neighbour_distance(held_out, known), atol=1e-3)


def test_evidence_is_grad_cam(grouped_run, exported, some):
    for photo in some[1][:6]:
        answer = exported.answer(photo)
        theirs = explain.grad_cam(grouped_run.model, photo, KEYS.index(answer.condition))
        ours = cv2.resize(answer.heat(), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(ours / max(ours.max(), 1e-9), theirs, atol=0.01)


def test_doubt_has_its_two_reasons(exported, some, monkeypatch):
    photo = some[1][0]
    monkeypatch.setattr(exported, "limit", 2.0)
    monkeypatch.setattr(exported, "threshold", 0.0)
    answer = exported.answer(photo)
    assert answer.doubt is None
    assert answer.as_dict()["condition"] == answer.condition
    monkeypatch.setattr(exported, "threshold", 1.1)
    assert exported.answer(photo).doubt == "unsure"
    monkeypatch.setattr(exported, "threshold", None)  # no threshold reached the target
    assert exported.answer(photo).doubt == "unsure"
    monkeypatch.setattr(exported, "limit", -1.0)
    assert exported.answer(photo).doubt == "strange"
    assert exported.answer(photo).as_dict()["condition"] is None


def test_limits_come_from_the_validation_photos(grouped_run, exported):
    validation = grouped_run.predictions[grouped_run.predictions.split == "validation"]
    temperature = calibration.fit_temperature(validation)
    assert exported.labels["temperature"] == pytest.approx(temperature)
    threshold = abstention.threshold_for(calibration.with_temperature(validation, temperature), TARGET_ACCURACY)
    assert (exported.threshold or np.inf) == pytest.approx(threshold)


def test_heat_without_evidence_is_nothing():
    answer = Answer({"a": 0.6, "b": 0.4}, "a", None, 0.1, np.full((2, 7, 7), -1, np.float32))
    assert not answer.heat().any()
    photo = np.full((30, 40, 3), 200, np.uint8)
    np.testing.assert_array_equal(laid_over(photo, answer.heat()), photo)


def test_the_colour_lies_where_the_heat_is():
    heat = np.zeros((7, 7), np.float32)
    heat[:, 0] = 1
    shown = laid_over(np.full((700, 1400, 3), 255, np.uint8), heat)
    assert shown.shape == (320, 640, 3)
    assert shown[:, 5, 2].mean() < 120 < 250 < shown[:, -5, 2].mean()


@pytest.mark.parametrize(
    ("probability", "shown"), [(0, 0), (0.004, 0), (0.005, 1), (0.125, 13), (0.995, 100), (1, 100)]
)
def test_percent(probability, shown):
    assert percent(probability) == shown


# ---- the folders


def test_the_folder_is_whole(exported):
    names = {file.name for file in exported.folder.glob("[!.]*")}  # the store keeps a list of its own beside them
    assert names == {FULL, SMALL, LABELS, "README.md", "provenance.json", "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (exported.folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == names - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == digest
    for file in (FULL, SMALL):
        onnx.checker.check_model(exported.folder / file)


def test_the_card_is_for_the_hub_and_for_people(exported, grouped_run):
    _, head, body = (exported.folder / "README.md").read_text("utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["library_name"] == "onnx" and told["pipeline_tag"] == "image-classification"
    assert words.NOTICE[:-1] in body
    assert f"{percent(grouped_run.metrics['test']['accuracy'])} % (95 % interval" in body
    assert grouped_run.provenance["weights"]["note"] in body


def test_it_is_made_once(exported, grouped_run, sample, tiny_settings, monkeypatch):
    monkeypatch.setattr(export, "write", lambda *_: pytest.fail("the export was made again"))
    assert export.export(grouped_run, sample, tiny_settings).folder == exported.folder


def test_what_is_lost_in_the_store_is_made_anew(exported, grouped_run, sample, tiny_settings, tmp_path):
    """Half of the files are gone, or damaged: nobody gets the rest. And the same run gives the same bytes."""
    settings = replace(tiny_settings, cache=tmp_path)
    again = export.export(grouped_run, sample, settings)
    files = {file.name: file.read_bytes() for file in exported.folder.glob("[!.]*")}
    for spoil in (lambda file: file.unlink(), lambda file: file.write_bytes(file.read_bytes()[:-9] + b"123456789")):
        for name in (SMALL, "README.md", "provenance.json"):
            spoil(again.folder / name)
        assert export.export(grouped_run, sample, settings).folder == again.folder
        assert {file.name: file.read_bytes() for file in again.folder.glob("[!.]*")} == files


def test_two_at_once_make_one(grouped_run, sample, tiny_settings, tmp_path, monkeypatch):
    settings, write, begun, folders = replace(tiny_settings, cache=tmp_path), export.write, [], []
    both = threading.Barrier(2)

    def writes(*arguments):
        begun.append(arguments)
        write(*arguments)

    def ask():
        both.wait()
        folders.append(export.export(grouped_run, sample, settings).folder)

    monkeypatch.setattr(export, "write", writes)
    monkeypatch.setattr(export, "key_for", lambda *_: "key")  # Python 3.11 cannot parse its sources in two threads
    asking = [threading.Thread(target=ask) for _ in range(2)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert len(begun) == 1 and folders[0] == folders[1]


def test_bad_folders_are_told_in_one_line(exported, tmp_path):
    with pytest.raises(InputError, match="is not an exported model"):
        ExportedModel(tmp_path)
    (tmp_path / SMALL).write_bytes(b"not a network")
    shutil.copy(exported.folder / LABELS, tmp_path)
    with pytest.raises(InputError, match=f"{SMALL} cannot be opened"):
        ExportedModel(tmp_path).answer(np.zeros((4, 4, 3), np.uint8))
    labels = json.loads((tmp_path / LABELS).read_text())
    (tmp_path / LABELS).write_text(json.dumps({"format": FORMAT + 1}))
    with pytest.raises(InputError, match=f"has format {FORMAT + 1}"):
        ExportedModel(tmp_path)
    for damaged in ("{", json.dumps({name: entry for name, entry in labels.items() if name != "words"})):
        (tmp_path / LABELS).write_text(damaged)
        with pytest.raises(InputError, match="is damaged"):
            ExportedModel(tmp_path)
    for assemble in (publish.web, publish.space):
        with pytest.raises(InputError, match="exists already"):
            assemble(exported, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": []}, {"conditions": 8}, {"conditions": ["eczema"]}, {"threshold": "high"}, {"limits": None},
        {"strangeness_limit": float("nan")}, {"strangeness_limit": float("inf")}, {"words": []}, {"model": "mine"},
    ],
    ids=str,
)  # fmt: skip
def test_labels_of_another_shape_are_told(exported, tmp_path, change):
    shutil.copytree(exported.folder, tmp_path / "model")
    (tmp_path / "model" / LABELS).write_text(json.dumps(exported.labels | change), "utf-8")
    with pytest.raises(InputError, match=r"is damaged|it knows 8 classes") as caught:
        _ = ExportedModel(tmp_path / "model").session
    assert "export the run again" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[1]", b"3", b"null", b"[" * 100_000])
def test_labels_that_are_none_are_told(exported, tmp_path, content):
    shutil.copytree(exported.folder, tmp_path / "model")
    (tmp_path / "model" / LABELS).write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        ExportedModel(tmp_path / "model")


def test_other_photos_than_the_runs_are_refused(grouped_run, tiny_settings, tmp_path):
    settings = replace(tiny_settings, data=str(small_models.write(tmp_path)))
    with pytest.raises(InputError, match="does not hold the photos that"):
        export.export(grouped_run, open_data(settings), settings)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_run_that_nobody_can_judge_is_refused(grouped_run, sample, tiny_settings, part):
    metrics = {name: numbers for name, numbers in grouped_run.metrics.items() if name != part}
    run = SimpleNamespace(path=grouped_run.path, provenance=grouped_run.provenance, metrics=metrics)
    with pytest.raises(InputError, match=f"has no {part} photos"):
        export.export(run, sample, tiny_settings)


def test_limits_on_what_strangers_send(exported, tmp_path, monkeypatch):
    file = tmp_path / "photo.png"
    cv2.imwrite(str(file), np.zeros((40, 50, 3), np.uint8))
    assert exported.read(file).shape == (40, 50, 3)
    monkeypatch.setitem(exported.labels["limits"], "pixels", 1999)
    with pytest.raises(reading.PhotoError, match="too many pixels"):
        exported.read(file)
    monkeypatch.setitem(exported.labels["limits"], "bytes", 10)
    with pytest.raises(reading.PhotoError, match="too large"):
        exported.read(file)
    with pytest.raises(reading.PhotoError, match="no such file"):
        exported.read(tmp_path / "none.jpg")


def test_the_page_and_the_app_have_all_they_need(exported, tmp_path):
    page = publish.web(exported, tmp_path / "web")
    scripts = {"try.js", "try-photo.js", "try-kinds.js", "try-worker.js", "try-decode.js"}
    assert {SMALL, LABELS, "index.html", "try.css", "README.md", *scripts} <= {file.name for file in page.iterdir()}
    listed = json.loads((page / "samples/samples.json").read_text())
    assert len(listed) == len(KEYS) + 2
    for entry in listed:
        assert exported.read(page / "samples" / entry["file"]).shape[2] == 3
    space = publish.space(exported, tmp_path / "space")
    assert {"app.py", "requirements.txt", "README.md", "model", "skinlib"} == {file.name for file in space.iterdir()}


def test_the_client_needs_no_tensorflow(exported, sample, tmp_path):
    """In the app's folder alone, with TensorFlow, Keras and OpenCV out of reach, the answer is the same."""
    space = publish.space(exported, tmp_path / "space")
    photo = sample.path(sample.photos.path.iloc[0])
    code = (
        "import sys, json\n"
        "for name in ('tensorflow', 'keras', 'cv2', 'sklearn', 'scipy', 'matplotlib'): sys.modules[name] = None\n"
        "from skinlib.serve.exported import ExportedModel\n"
        "model = ExportedModel('model')\n"
        "print(json.dumps(model.answer(model.read(sys.argv[1])).as_dict()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(space)}
    done = subprocess.run(
        [sys.executable, "-c", code, photo], cwd=space, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == exported.answer(exported.read(photo)).as_dict()


def test_however_many_ask_at_once_the_network_is_loaded_once(exported, sample, monkeypatch):
    """As many as there are cores ask for the first time: each would hold a network of its own."""
    loaded, load = [], onnxruntime.InferenceSession

    def count(*arguments, **keywords):
        loaded.append(arguments)
        time.sleep(0.05)  # for the others to come
        return load(*arguments, **keywords)

    monkeypatch.setattr(onnxruntime, "InferenceSession", count)
    model, both = ExportedModel(exported.folder), threading.Barrier(4)

    def ask():
        both.wait()
        return model.session

    with ThreadPoolExecutor(4) as pool:
        sessions = {id(asked.result()) for asked in [pool.submit(ask) for _ in range(4)]}
    assert len(sessions) == len(loaded) == 1


# ---- other classes


@pytest.fixture(
    scope="module", params=[("pets", small_models.PETS, 10), ("many", small_models.FORTY, 6)], ids=["2", "40"]
)
def own(request, tiny_settings):
    """Return a run of somebody's own photos, the photos, and its exported model: of two classes and of forty."""
    run, data, settings = small_models.trained(tiny_settings, *request.param)
    return run, data, export.export(run, data, settings)


def test_a_model_of_other_classes_says_what_keras_says(own):
    run, data, exported = own
    check_parity(run, exported, [data.read(path) for path in data.photos.path[::9]])
    answer = exported.answer(data.read(data.photos.path[0]))
    assert tuple(answer.probabilities) == data.classes.keys
    assert answer.evidence.shape == (len(data.classes), 7, 7)
    assert exported.labels["conditions"][0]["title"] == next(iter(data.classes)).title


def test_nothing_is_said_of_skin_where_none_is_known(own, tmp_path):
    """Whatever the app's and the page's folders say in words, and the model's own."""
    _, data, exported = own
    for name, make in (("model", publish.model), ("web", publish.web), ("space", publish.space)):
        make(exported, tmp_path / name)
    assert json.loads((tmp_path / "web/samples/samples.json").read_text()) == []
    said = [exported.labels["notice"], exported.labels["name"], *exported.words.values()]
    said += [file.read_text("utf-8") for file in tmp_path.rglob("*") if file.suffix in (".md", ".html", ".yaml")]
    assert len(said) > 10
    for text in said:
        assert not small_models.spoken_of_skin(text), text
    number = {2: "two", 40: "40"}[len(data.classes)]
    for page in ("web/index.html", "web/README.md", "space/README.md", "model/README.md"):
        assert f"{number} classes of photos" in (tmp_path / page).read_text("utf-8")


def test_names_of_folders_are_text_in_the_card(tiny_settings):
    exported = small_models.exported(tiny_settings, *small_models.OTHERS[1])
    card = (exported.folder / "README.md").read_text("utf-8")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head)["model-index"][0]["name"] == exported.labels["name"] == "many-tiny"
    assert "\\<b\\>long \\& odd\\<b\\>" in body and "<b>" not in body


@pytest.mark.parametrize("kind", ["drawn", "clinical", "own"])
def test_words_depend_on_the_kind_and_on_no_name(exported, kind):
    model = exported.labels["model"] | {"kind": kind, "data": "sample"}
    three = [{"key": key, "title": key.upper(), "learned": True} for key in "abc"]
    said = words.words_for(exported.labels | {"model": model, "conditions": three})
    assert ("drawings made by a program" in said["record"]) == (kind == "drawn")
    assert ("photos of the data called sample" in said["record"]) == (kind != "drawn")
    assert said["subject"] == ("three classes of photos" if kind == "own" else "three skin conditions")
    assert small_models.spoken_of_skin(" ".join(said.values())) == (kind != "own")


# ---- with the real backbone


@pytest.mark.slow
def test_resnet50_from_photos_to_the_app(sample_settings, served_uploads):
    """The whole way with the network of the book, and the answer is the same everywhere."""
    from gradio_client import Client, handle_file

    run, data, settings = small_models.trained(sample_settings, "pets")
    exported = export.export(run, data, settings)
    check_parity(run, exported, [data.read(path) for path in data.photos.path[::3]])
    assert (exported.folder / SMALL).stat().st_size < 0.51 * (exported.folder / FULL).stat().st_size
    served = app.launch(exported, port=None, wait=False, quiet=True)
    try:
        photo = data.path(data.photos.path[0])
        answer = Client(served.local_url, verbose=False).predict(handle_file(str(photo)), api_name="/predict")
    finally:
        served.close(verbose=False)
    assert answer == exported.answer(exported.read(photo)).as_dict()


@pytest.fixture
def served_uploads(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))


# ---- the command line


def test_export_and_predict_commands(grouped_run, exported, sample, tiny_settings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKINLIB_CACHE", str(tiny_settings.cache))
    monkeypatch.setenv("SKINLIB_SPEED", "quick")

    def command(*arguments):
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    out = tmp_path / "out"
    code, _, errors = command("export", grouped_run.path, "--out", out)
    assert (code, errors) == (0, "")
    assert {folder.name for folder in out.iterdir()} == {"model", "web", "space"}
    photo, damaged = sample.path(sample.photos.path.iloc[0]), tmp_path / "damaged.jpg"
    damaged.write_bytes(photo.read_bytes()[:200])
    code, output, errors = command("predict", out / "model", photo, damaged, "--json")
    answer, refused = json.loads(output)
    assert code == 2 and len(errors.splitlines()) == 1
    assert answer == {"path": str(photo), **exported.answer(exported.read(photo)).as_dict()}
    assert refused == {"path": str(damaged), "error": "truncated or damaged"}
    code, output, _ = command("predict", out / "model", photo)
    assert f"{answer['percent'][answer['best_guess']]} %" in output and "not a diagnosis" in output
    code, _, errors = command("export", grouped_run.path, "--out", out)
    assert code == 2 and "exists already" in errors
    code, _, errors = command("export", tmp_path, "--out", tmp_path / "more")
    assert code == 2 and "is not a finished run" in errors
