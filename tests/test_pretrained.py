"""Where a backbone's weights come from: drawn at random, from a file, or from a server on this machine."""

import hashlib
import http.server
import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.settings import load_settings
from skinlib.learn import backbones, pretrained
from skinlib.learn.engines import keras
from skinlib.learn.pretrained import get_weights

# --- untrained weights ---------------------------------------------------------------------------------------------


def test_untrained_weights_repeat_and_follow_the_seed(sample, tiny_settings, weights, own_cache, monkeypatch):
    elsewhere = replace(tiny_settings, cache=own_cache)
    again = get_weights(elsewhere, sample)
    assert again.sha256 == weights.sha256 and again.name == "untrained" and "UNTRAINED" in again.note
    assert get_weights(replace(elsewhere, seed=1), sample).sha256 != weights.sha256
    monkeypatch.setattr(type(sample), "read", None)  # drawing anew would read photos
    assert get_weights(elsewhere, sample).sha256 == weights.sha256


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_damaged_untrained_weights_are_drawn_anew(damage, sample, tiny_settings, weights, own_cache):
    elsewhere = replace(tiny_settings, cache=own_cache)
    get_weights(elsewhere, sample)
    (kept,) = (file for file in (own_cache / "weights").rglob("*") if file.is_file())
    content = kept.read_bytes()
    kept.write_bytes(bytes(content[:-5]) + b"wrong" if damage is None else damage)
    assert get_weights(elsewhere, sample).sha256 == weights.sha256
    assert kept.read_bytes() == content


def test_without_training_photos_nothing_can_be_drawn(sample, tiny_settings):
    bare = replace(sample, photos=sample.photos[sample.photos.split == "test"])
    with pytest.raises(InputError, match="has no training photos: put some into its folder for training"):
        get_weights(tiny_settings, bare)


def test_another_backbone_is_refused(sample, tiny_settings):
    with pytest.raises(InputError, match="backbone 'vgg' is not known: use resnet50"):
        get_weights(replace(tiny_settings, backbone="vgg"), sample)


# --- a weights file ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def from_file(tiny_settings, sample):
    """Return a function that gets the small backbone's weights from a file."""
    return lambda path: get_weights(replace(tiny_settings, weights=str(path)), sample)


@pytest.mark.parametrize("name", ["backbone.weights.h5", "backbone.keras"])
def test_weights_from_a_file(name, weights, from_file, tmp_path):
    backbone = weights.backbone.build(None)
    backbone.set_weights(weights.arrays)
    backbone.save_weights(tmp_path / name) if name.endswith(".weights.h5") else backbone.save(tmp_path / name)
    loaded = from_file(tmp_path / name)
    assert loaded.sha256 == weights.sha256 and loaded.name == name and loaded.backbone is weights.backbone


def test_weights_file_that_does_not_fit(from_file, tmp_path):
    small = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    small.save(tmp_path / "small.keras")
    (tmp_path / "text.weights.h5").write_text("not weights")
    (tmp_path / "odd.bin").write_bytes(b"\0" * 100)
    for name in ("small.keras", "text.weights.h5", "odd.bin"):
        with pytest.raises(InputError, match=name) as caught:
            from_file(tmp_path / name)
        assert "\n" not in str(caught.value) and "save" in str(caught.value)
    with pytest.raises(InputError, match="no weights file at"):
        from_file(tmp_path / "absent.h5")


def test_weights_that_are_not_numbers_are_refused(weights, from_file, tmp_path):
    backbone = weights.backbone.build(None)
    backbone.set_weights([np.full_like(array, np.nan) for array in weights.arrays])
    backbone.save_weights(tmp_path / "broken.weights.h5")
    with pytest.raises(InputError, match="not finite"):
        from_file(tmp_path / "broken.weights.h5")


# --- ImageNet weights, from a server on this machine ---------------------------------------------------------------

OFFICIAL_NAME = "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(scope="module")
def official_file(resnet_weights, tmp_path_factory):
    """Make a file like the official one, in the old format, with weights of our own."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    backbone = backbones.RESNET50.build(None)
    backbone.set_weights(resnet_weights.arrays)
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


def test_imagenet_weights_are_downloaded_once(server, resnet_weights, sample, capsys):
    for _ in range(2):
        loaded = get_weights(load_settings(weights="imagenet"), sample)
        assert loaded.name == "imagenet" and loaded.sha256 == resnet_weights.sha256
    assert server.asked == 1
    assert get_weights(load_settings(weights="auto"), sample).name == "imagenet"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("fault", ["missing", "wrong byte", "short", "silent"])
def test_imagenet_weights_that_cannot_be_had(fault, server, sample, sample_settings, resnet_weights, monkeypatch):
    from keras.src.applications import resnet

    monkeypatch.setattr(pretrained, "DOWNLOAD_TIMEOUT", 1)
    if fault == "missing":
        monkeypatch.setattr(resnet, "BASE_WEIGHTS_PATH", resnet.BASE_WEIGHTS_PATH + "nowhere/")
    elif fault == "wrong byte":
        monkeypatch.setitem(resnet.WEIGHTS_HASHES, "resnet50", ("", "0" * 32))
    else:
        server.mode = fault
    started = time.monotonic()
    with pytest.raises(SkinlibError, match="could not be downloaded") as caught:
        get_weights(load_settings(weights="imagenet"), sample)
    assert caught.value.exit_code == 1 and time.monotonic() - started < 20
    if fault == "missing":
        monkeypatch.setattr(pretrained, "CALIBRATION_PHOTOS", 8)  # as in the fixture, whose weights are kept
        fallback = get_weights(replace(sample_settings, weights="auto"), sample)
        assert fallback.name == "untrained" and "could not be downloaded" in fallback.why
        assert (fallback.note, fallback.sha256) == (resnet_weights.note, resnet_weights.sha256)


def test_a_backbone_that_never_saw_imagenet_says_so(sample, tiny_settings):
    with pytest.raises(SkinlibError, match="there are no ImageNet weights of Tiny: name a weights file"):
        get_weights(replace(tiny_settings, weights="imagenet"), sample)
    assert get_weights(replace(tiny_settings, weights="auto"), sample).name == "untrained"
