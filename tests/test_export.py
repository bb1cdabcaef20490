"""The exported model: it says what Keras says, in every size of photo, and the folders are whole."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import cv2
import numpy as np
import onnx
import pytest
import yaml
from scipy.special import log_softmax, softmax

from skinlib.base.errors import InputError
from skinlib.base.settings import load_settings
from skinlib.data import reading
from skinlib.data.conditions import KEYS
from skinlib.data.dataset import open_data
from skinlib.doubt import explain
from skinlib.judge import abstention, calibration
from skinlib.learn import backbones, extraction, networks, train
from skinlib.learn.runs import Run
from skinlib.serve import cards, export, onnx_graph, parity, publish
from skinlib.serve.exported import FORMAT, LABELS, SMALL, Answer, ExportedModel, laid_over, percent


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
    answers = {name: parity.answers(exported.folder / name, pictures) for name in (export.FULL, SMALL)}
    table = parity.parity(keras, answers)
    assert table.largest_difference[export.FULL] <= 1e-4
    assert table.same_answer[export.FULL] == 1
    assert table.same_answer[SMALL] >= 0.99
    assert table.largest_difference[SMALL] < 0.01
    return table


def test_it_says_what_keras_says(grouped_run, exported, some):
    check_parity(grouped_run, exported, some[1])


@pytest.mark.clinical
def test_it_says_what_keras_says_of_clinical_photos(clinical_folder, tmp_path):
    settings = load_settings(data=str(clinical_folder), weights="untrained")
    data = open_data(settings)
    run = train.train(data, settings, split="grouped")
    rows = data.photos.drop_duplicates("sha256").sample(250, random_state=0)
    check_parity(run, export.export(run, data, settings), [data.read(path) for path in rows.path])


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (224, 224), (223, 449), (225, 31), (1200, 900)])
def test_every_size_of_photo_is_squared_as_tensorflow_does_it(shape):
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    ours = onnx_graph._squared(photo).numpy()
    assert ours.shape == (networks.SIZE, networks.SIZE, 3)
    assert np.abs(ours - networks.prepare(photo)).max() < 0.01  # of 255


def test_a_mistake_is_not_hidden_by_the_comparison(exported, some):
    """The comparison can fail: red and blue swapped before the model give other answers."""
    right = parity.answers(exported.path, some[1][:12])
    wrong = parity.answers(exported.path, [np.ascontiguousarray(photo[..., ::-1]) for photo in some[1][:12]])
    assert parity.parity(right, {"swapped": wrong}).largest_difference["swapped"] > 0.01


def test_the_original_channel_mistake_travels_with_the_run(sample, sample_settings, some):
    """A run that learned from swapped channels is exported so that it, too, takes photos as they are."""
    run = train.train(sample, sample_settings, recipe=train.Recipe(swapped_channels=True), split="grouped")
    known = export.pooled_features(run, sample, sample_settings, "train")
    answer = onnx_graph.answering(run.model, 1.0, known)
    for photo, keras in zip(some[1][:3], run.predict(some[1][:3]), strict=True):
        assert np.abs(answer(photo)["probabilities"].numpy() - keras).max() < 1e-4


def test_features_of_a_tuned_network_are_its_own(sample, sample_settings):
    """After fine-tuning the kept features of the frozen backbone are not what the model sees."""
    run = train.train(sample, sample_settings, recipe=train.Recipe(epochs=1, fine_tuning_epochs=1), split="grouped")
    rows = run.predictions[run.predictions.split == "validation"].drop_duplicates("photo_id")
    ours = export.pooled_features(run, sample, sample_settings, "validation")
    pooled = extraction.extractor(run.model).one(networks.prepare(sample.read(rows.path.iloc[0])))[1]
    np.testing.assert_allclose(ours[0], pooled, rtol=1e-3, atol=1e-4)
    frozen = extraction.features(sample, backbones.get_weights(sample_settings, sample), paths=rows.path)
    assert np.abs(frozen - ours).max() > 1e-3


# ---- what comes with the answer


def test_strangeness_is_the_neighbour_distance(grouped_run, exported, sample, sample_settings):
    known = export.pooled_features(grouped_run, sample, sample_settings, "train")
    held_out = export.pooled_features(grouped_run, sample, sample_settings, "validation")
    rows = grouped_run.predictions[grouped_run.predictions.split == "validation"].drop_duplicates("photo_id")
    said = [exported.answer(sample.read(path)).strangeness for path in rows.path]
    np.testing.assert_allclose(said, abstention.neighbour_distance(held_out, known), atol=1e-3)


def test_evidence_is_grad_cam(grouped_run, exported, some):
    for photo in some[1][:6]:
        answer = exported.answer(photo)
        theirs = explain.grad_cam(grouped_run.model, photo, KEYS.index(answer.condition))
        ours = cv2.resize(answer.heat(), photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(ours / max(ours.max(), 1e-9), theirs, atol=0.01)


def test_evidence_adds_up_to_the_logits(grouped_run, some):
    """The mean of the evidence is the logit, less the biases' part, which the active hidden units tell."""
    network = grouped_run.model
    answer = onnx_graph.answering(network, 1.0, np.eye(8, networks.FEATURES, dtype=np.float32))
    hidden, output = network.get_layer("hidden"), network.get_layer("probabilities")
    for photo in some[1][:3]:
        pooled = extraction.extractor(network).one(networks.prepare(photo))[1]
        before = pooled @ hidden.kernel.numpy() + hidden.bias.numpy()
        rest = (hidden.bias.numpy() * (before > 0)) @ output.kernel.numpy() + output.bias.numpy()
        found = answer(photo)
        logits = found["evidence"].numpy().mean(axis=(1, 2)) + rest
        np.testing.assert_allclose(log_softmax(logits), np.log(found["probabilities"]), atol=1e-3)


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
    threshold = abstention.threshold_for(calibration.with_temperature(validation, temperature), export.TARGET_ACCURACY)
    assert (exported.threshold or np.inf) == pytest.approx(threshold)


def test_features_of_a_run_from_before_bits_could_be_chosen(run, sample, sample_settings):
    older = Run(run.path)
    older.provenance["settings"].pop("bits")
    features = export.pooled_features(older, sample, sample_settings, "validation")
    np.testing.assert_array_equal(features, export.pooled_features(run, sample, sample_settings, "validation"))


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


# ---- packing


def test_packing_keeps_weights_to_half_a_step():
    weights = np.random.default_rng(0).normal(size=(64, 8, 3, 3)).astype(np.float32)
    weights[0] *= 1e-6  # a channel so small that 16-bit floats would lose it
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"])],
        "one",
        [onnx.helper.make_tensor_value_info("x", 1, [1, 8, 3, 3])],
        [onnx.helper.make_tensor_value_info("y", 1, [1, 64, 1, 1])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", onnx_graph.OPSET)], ir_version=10)
    for bits, top in ((8, 127), (16, 32767)):
        arrays = {t.name: onnx.numpy_helper.to_array(t) for t in onnx_graph.packed(proto, bits).graph.initializer}
        error = np.abs(arrays["w/packed"] * arrays["w/scale"] - weights)
        largest = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
        assert (error <= largest / top * 0.51).all()
    assert onnx.numpy_helper.to_array(proto.graph.initializer[0]).dtype == np.float32  # the original is untouched
    with pytest.raises(ValueError, match="4 bits: use 8 or 16"):
        onnx_graph.packed(proto, 4)


# ---- the folders


def test_the_folder_is_whole(exported):
    names = {file.name for file in exported.folder.iterdir()}
    assert names == {export.FULL, SMALL, LABELS, "README.md", "provenance.json", "SHA256SUMS"}
    sums = dict(line.split("  ")[::-1] for line in (exported.folder / "SHA256SUMS").read_text().splitlines())
    assert set(sums) == names - {"SHA256SUMS"}
    for name, digest in sums.items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == digest
    assert (exported.folder / SMALL).stat().st_size < 0.51 * (exported.folder / export.FULL).stat().st_size
    for file in (export.FULL, SMALL):
        onnx.checker.check_model(exported.folder / file)


def test_the_card_is_for_the_hub_and_for_people(exported, grouped_run):
    _, head, body = (exported.folder / "README.md").read_text("utf-8").split("---\n", 2)
    told = yaml.safe_load(head)
    assert told["library_name"] == "onnx" and told["pipeline_tag"] == "image-classification"
    assert cards.NOTICE in body
    assert f"{grouped_run.metrics['test']['accuracy']:.1%}" in body
    assert grouped_run.provenance["weights"]["note"] in body


def test_it_is_made_once(exported, grouped_run, sample, sample_settings, monkeypatch):
    monkeypatch.setattr(onnx_graph, "to_onnx", lambda _: pytest.fail("the export was made again"))
    assert export.export(grouped_run, sample, sample_settings).folder == exported.folder


def test_bad_folders_are_told_in_one_line(exported, grouped_run, sample, sample_settings, tmp_path):
    with pytest.raises(InputError, match="is not an exported model"):
        ExportedModel(tmp_path)
    (tmp_path / SMALL).write_bytes(b"not a network")
    shutil.copy(exported.folder / LABELS, tmp_path)
    with pytest.raises(InputError, match=f"{SMALL} cannot be opened"):
        ExportedModel(tmp_path).answer(np.zeros((4, 4, 3), np.uint8))
    labels = json.loads((tmp_path / LABELS).read_text())
    (tmp_path / LABELS).write_text(json.dumps(labels | {"format": FORMAT + 1}))
    with pytest.raises(InputError, match="has format 2"):
        ExportedModel(tmp_path)
    (tmp_path / LABELS).write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        ExportedModel(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        export.export(grouped_run, sample, sample_settings, tmp_path)
    for assemble in (publish.web, publish.space):
        with pytest.raises(InputError, match="exists already"):
            assemble(exported, tmp_path)


def test_other_photos_than_the_runs_are_refused(grouped_run, sample_settings):
    other = open_data(load_settings(data="sample", speed="quick", seed=1, cache=sample_settings.cache))
    with pytest.raises(InputError, match="does not hold the photos that"):
        export.export(grouped_run, other, sample_settings)


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
    assert {SMALL, LABELS, "index.html", "try.js", "try.css", "README.md"} <= {file.name for file in page.iterdir()}
    listed = json.loads((page / "samples/samples.json").read_text())
    assert len(listed) == len(KEYS) + 2
    for entry in listed:
        assert exported.read(page / "samples" / entry["file"]).shape[2] == 3
    app = publish.space(exported, tmp_path / "space")
    assert {"app.py", "requirements.txt", "README.md", "model", "skinlib"} == {file.name for file in app.iterdir()}
    assert {file.stem for file in (app / "skinlib").iterdir()} == set(publish.SERVED)


def test_the_client_needs_no_tensorflow(exported, sample, tmp_path):
    """In the app's folder alone, with TensorFlow, Keras and OpenCV out of reach, the answer is the same."""
    app = publish.space(exported, tmp_path / "space")
    photo = sample.path(sample.photos.path.iloc[0])
    code = (
        "import sys, json\n"
        "for name in ('tensorflow', 'keras', 'cv2', 'sklearn', 'scipy', 'matplotlib'): sys.modules[name] = None\n"
        "from skinlib.serve.exported import ExportedModel\n"
        "model = ExportedModel('model')\n"
        "print(json.dumps(model.answer(model.read(sys.argv[1])).as_dict()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(app)}
    done = subprocess.run(
        [sys.executable, "-c", code, photo], cwd=app, env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == exported.answer(exported.read(photo)).as_dict()


# ---- the command line


def skinlib_command(*arguments, environment):
    command = [sys.executable, "-m", "skinlib", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


def test_export_and_predict_commands(grouped_run, exported, sample, sample_settings, tmp_path):
    environment = {"SKINLIB_CACHE": str(sample_settings.cache), "SKINLIB_SPEED": "quick"}
    out = tmp_path / "out"
    done = skinlib_command("export", grouped_run.path, "--out", out, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert {folder.name for folder in out.iterdir()} == {"model", "web", "space"}
    photo, damaged = sample.path(sample.photos.path.iloc[0]), tmp_path / "damaged.jpg"
    damaged.write_bytes(photo.read_bytes()[:200])
    done = skinlib_command("predict", out / "model", photo, damaged, "--json", environment=environment)
    answer, refused = json.loads(done.stdout)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert answer == {"path": str(photo), **exported.answer(exported.read(photo)).as_dict()}
    assert refused == {"path": str(damaged), "error": "truncated or damaged"}
    done = skinlib_command("predict", out / "model", photo, environment=environment)
    assert f"{answer['percent'][answer['best_guess']]} %" in done.stdout and "not a diagnosis" in done.stdout
    done = skinlib_command("export", grouped_run.path, "--out", out, environment=environment)
    assert done.returncode == 2 and "exists already" in done.stderr
    done = skinlib_command("export", tmp_path, "--out", tmp_path / "more", environment=environment)
    assert done.returncode == 2 and "is not a finished run" in done.stderr


def test_two_exports_are_the_same(exported, grouped_run, sample, sample_settings, tmp_path):
    """Byte for byte, so that a published sum can be checked by anybody who trains the run again."""
    again = export.export(grouped_run, sample, sample_settings, tmp_path / "again")
    for name in (export.FULL, SMALL, LABELS, "README.md", "provenance.json"):
        assert (again.folder / name).read_bytes() == (exported.folder / name).read_bytes(), name
