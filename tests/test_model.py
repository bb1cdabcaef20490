"""The network: its preprocessing, its parts, and where its weights come from."""

import hashlib
import http.server
import os
import subprocess
import sys
import threading
import time
from functools import partial

import numpy as np
import pytest

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.settings import load_settings
from skinlib.learn import backbones, extraction, networks
from skinlib.learn.engines import keras


@pytest.fixture(scope="module")
def network(weights):
    return networks.build(weights)


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (300, 180, 3), dtype=np.uint8)


def test_preprocessing_by_hand_equals_keras(photo):
    by_keras = keras.applications.resnet50.preprocess_input(photo.astype("float32"))
    np.testing.assert_allclose(backbones.preprocess(photo), by_keras, atol=1e-4)


def test_preprocessing_inside_the_model_equals_keras(network, photo):
    inside = keras.Model(network.inputs, network.get_layer("subtract_means").output)
    square = networks.prepare(photo)
    by_keras = keras.applications.resnet50.preprocess_input(square.copy())
    np.testing.assert_allclose(inside(square[None])[0], by_keras, atol=1e-4)
    np.testing.assert_allclose(inside.predict(photo[None], verbose=0)[0], by_keras, atol=1e-4)


def test_preparing_is_the_models_own_resizing(network, photo):
    layer = network.get_layer("resize")
    np.testing.assert_allclose(networks.prepare(photo), layer(photo[None].astype("float32"))[0], atol=1e-4)
    assert networks.prepare(photo).dtype == np.float32


def test_model_is_flat_and_has_the_recipes_head(network):
    assert not any(isinstance(layer, keras.Model) for layer in network.layers)
    kinds = [(type(layer).__name__, layer.name) for layer in network.layers[-3:]]
    assert kinds == [("GlobalAveragePooling2D", "pool"), ("Dense", "hidden"), ("Dense", "probabilities")]
    assert network.get_layer("hidden").units == 512 and network.get_layer("hidden").activation.__name__ == "relu"
    assert network.output_shape == (None, 8)
    assert network.get_layer("probabilities").activation.__name__ == "softmax"


def test_saved_model_opens_without_skinlib(network, photo, tmp_path):
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", custom_objects={})
    expected = network.predict(photo[None], verbose=0)
    np.testing.assert_array_equal(again.predict(photo[None], verbose=0), expected)
    assert expected.sum() == pytest.approx(1, abs=1e-5)


def test_extractor_and_parts_equal_the_whole_network(network):
    squares = np.random.default_rng(1).uniform(0, 255, (3, 224, 224, 3)).astype("float32")
    whole = network.predict(squares, verbose=0)
    last_stage, pooled = extraction.extractor(network)(squares)
    assert last_stage.shape == (3, 7, 7, 1024) and pooled.shape == (3, 2048)
    np.testing.assert_allclose(networks.part_after(network, "pool").predict(pooled, verbose=0), whole, atol=1e-5)
    part = networks.part_after(network, networks.LAST_STAGE)
    np.testing.assert_allclose(part.predict(last_stage, verbose=0), whole, atol=1e-5)
    assert not any(
        layer.trainable for layer in part.layers if isinstance(layer, keras.layers.BatchNormalization)
    ) and any(layer.trainable_weights for layer in part.layers if layer.name.startswith("conv5"))


def test_extractor_answers_each_photo_alone(network):
    squares = np.random.default_rng(4).uniform(0, 255, (4, 224, 224, 3)).astype("float32")
    extract = extraction.extractor(network)
    together = extract(squares)
    for square, *rows in zip(squares, *together, strict=True):
        for row, alone in zip(rows, extract.one(square), strict=True):
            np.testing.assert_array_equal(row, alone)
    assert [rows.shape for rows in extract(squares[:0])] == [(0, 7, 7, 1024), (0, 2048)]


def test_extractor_keeps_the_weights_it_was_made_with():
    network, photo = networks.build(), np.full((224, 224, 3), 99, np.float32)
    extract = extraction.extractor(network)
    before = extract.one(photo)
    network.set_weights([np.zeros_like(array) for array in network.get_weights()])
    del network
    assert all(map(np.array_equal, before, extract.one(photo)))


def test_extractor_may_first_be_asked_by_many_threads_at_once(tmp_path):
    """OpenVINO's first array, handed over by two threads at a time, made it wait for itself for ever."""
    script = """
import numpy as np
from skinlib import model
from skinlib.base.runner import threads
extract = model.extractor(model.build())
squares = [np.zeros((224, 224, 3), np.float32)] * 8
assert len(list(threads(lambda: extract.one, squares))) == 8
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


def test_openvino_reports_to_nobody(tmp_path):
    script = """
import socket, sys
def refused(*arguments):
    raise AssertionError(f"connected to {arguments}")
socket.socket.connect = socket.getaddrinfo = refused
from skinlib import model
loaded = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | {"HOME": str(tmp_path)})
    assert not (tmp_path / "intel").exists()


def test_copied_weights_arrive_by_name(network, weights):
    other = networks.build(weights, seed=1)
    assert not np.array_equal(other.get_layer("hidden").kernel, network.get_layer("hidden").kernel)
    networks.copy_weights(networks.part_after(network, "pool"), other)
    np.testing.assert_array_equal(other.get_layer("hidden").kernel, network.get_layer("hidden").kernel)


# --- untrained weights ---------------------------------------------------------------------------------------------


def test_untrained_statistics_come_from_the_photos():
    photos = np.random.default_rng(2).uniform(0, 255, (4, 224, 224, 3)).astype("float32")
    backbone = keras.applications.ResNet50(include_top=False, weights=None)
    backbone.set_weights(backbones.draw_weights(photos, seed=3))
    first = keras.Model(backbone.input, backbone.get_layer("conv1_conv").output)
    seen = np.asarray(first(backbones.preprocess(photos)))
    layer = backbone.get_layer("conv1_bn")
    np.testing.assert_allclose(layer.moving_mean, seen.mean((0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.moving_variance, seen.var((0, 1, 2)), rtol=1e-3)


def test_untrained_weights_repeat_and_follow_the_seed(sample, sample_settings, weights, own_cache):
    elsewhere = load_settings(data="sample", speed="quick", cache=own_cache)
    again = backbones.get_weights(elsewhere, sample)
    assert again.sha256 == weights.sha256 and again.name == "untrained" and "UNTRAINED" in again.note
    kept = next((own_cache / "weights").iterdir())
    before = kept.stat().st_mtime_ns
    assert backbones.get_weights(elsewhere, sample).sha256 == weights.sha256
    assert kept.stat().st_mtime_ns == before  # taken from the disk
    other = backbones.get_weights(load_settings(data="sample", speed="quick", seed=1, cache=own_cache), sample)
    assert other.sha256 != weights.sha256


# --- a weights file ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backbone(weights):
    network = keras.applications.ResNet50(include_top=False, weights=None)
    network.set_weights(weights.arrays)
    return network


@pytest.mark.parametrize("name", ["backbone.weights.h5", "backbone.keras"])
def test_weights_from_a_file(name, backbone, weights, sample, sample_settings, tmp_path):
    path = tmp_path / name
    backbone.save_weights(path) if name.endswith(".weights.h5") else backbone.save(path)
    found = backbones.get_weights(load_settings(weights=str(path), cache=sample_settings.cache), sample)
    assert found.sha256 == weights.sha256 and found.name == name


def test_weights_file_that_does_not_fit(sample, tmp_path):
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    small.save(tmp_path / "small.keras")
    (tmp_path / "text.weights.h5").write_text("not weights")
    (tmp_path / "odd.bin").write_bytes(b"\0" * 100)
    for name in ("small.keras", "text.weights.h5", "odd.bin"):
        with pytest.raises(InputError, match=name) as caught:
            backbones.get_weights(load_settings(weights=str(tmp_path / name)), sample)
        assert "\n" not in str(caught.value) and "save" in str(caught.value)
    with pytest.raises(InputError, match="no weights file at"):
        backbones.get_weights(load_settings(weights=str(tmp_path / "absent.h5")), sample)


def test_weights_that_are_not_numbers_are_refused(backbone, sample, tmp_path):
    layer = backbone.get_layer("conv1_conv")
    kernel = layer.kernel.numpy()
    try:
        layer.kernel.assign(np.full_like(kernel, np.nan))
        backbone.save_weights(tmp_path / "broken.weights.h5")
    finally:
        layer.kernel.assign(kernel)
    with pytest.raises(InputError, match="not finite"):
        backbones.get_weights(load_settings(weights=str(tmp_path / "broken.weights.h5")), sample)


# --- ImageNet weights, from a server on this machine ---------------------------------------------------------------

OFFICIAL_NAME = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(scope="module")
def official_file(backbone, tmp_path_factory):
    """Make a file like the official one, in the old format, with weights of our own."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    path = tmp_path_factory.mktemp("official") / OFFICIAL_NAME
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, backbone)
    return path


class Handler(http.server.SimpleHTTPRequestHandler):
    asked = 0
    mode = "good"

    def do_GET(self):
        type(self).asked += 1
        if self.mode == "silent":
            time.sleep(3)
            return
        if self.mode == "short":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 1000)
            return
        super().do_GET()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(official_file, tmp_path, monkeypatch):
    """Serve the folder of the official file; send Keras there, with an empty home of its own."""
    from keras.src.applications import resnet
    from keras.src.backend import config

    handler = type("OwnHandler", (Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=official_file.parent)) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", f"http://127.0.0.1:{httpd.server_port}/")
        digest = hashlib.md5(official_file.read_bytes()).hexdigest()
        monkeypatch.setitem(resnet.WEIGHTS_HASHES, "resnet50", ("", digest))
        home = tmp_path / "keras"
        home.mkdir()  # Keras takes /tmp for a home that isn't there, and one test would find another's file
        monkeypatch.setattr(config, "_KERAS_DIR", str(home))
        yield handler
        httpd.shutdown()


def test_imagenet_weights_are_downloaded_once(server, weights, sample, capsys):
    for _ in range(2):
        found = backbones.get_weights(load_settings(weights="imagenet"), sample)
        assert found.name == "imagenet" and found.sha256 == weights.sha256
    assert server.asked == 1
    assert backbones.get_weights(load_settings(weights="auto"), sample).name == "imagenet"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("fault", ["missing", "wrong byte", "short", "silent"])
def test_imagenet_weights_that_cannot_be_had(fault, server, sample, sample_settings, monkeypatch, tmp_path):
    from keras.src.applications import resnet

    monkeypatch.setattr(backbones, "DOWNLOAD_TIMEOUT", 1)
    if fault == "missing":
        monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", resnet.BASE_WEIGHTS_PATH + "nowhere/")
    elif fault == "wrong byte":
        monkeypatch.setitem(resnet.WEIGHTS_HASHES, "resnet50", ("", "0" * 32))
    else:
        server.mode = fault
    started = time.monotonic()
    with pytest.raises(SkinlibError, match="could not be downloaded") as caught:
        backbones.get_weights(load_settings(weights="imagenet"), sample)
    assert caught.value.exit_code == 1 and time.monotonic() - started < 20
    fallback = backbones.get_weights(load_settings(weights="auto", cache=sample_settings.cache), sample)
    assert fallback.name == "untrained" and "could not be downloaded" in fallback.note
