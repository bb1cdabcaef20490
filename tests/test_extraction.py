"""Features: each photo by itself, once, kept under all that shapes it, and made anew where they are damaged."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from skinlib.base.errors import InputError
from skinlib.base.store import Store
from skinlib.learn import extraction, networks
from skinlib.learn.pretrained import Weights


@pytest.fixture(scope="module")
def network(weights):
    return networks.build(weights)


def kept(data):
    """Return the files of all features in a data set's store."""
    return [file for file in (data.store.root / "features").rglob("*") if file.is_file()]


def elsewhere(data, folder):
    """Return the same data with an empty store."""
    return replace(data, store=Store(folder))


def scaled(weights, factor):
    """Return other weights: all numbers times a factor."""
    return Weights("file", [array * factor for array in weights.arrays], "", weights.backbone)


# --- the extractor -------------------------------------------------------------------------------------------------


def test_extractor_answers_each_photo_alone(network):
    squares = np.random.default_rng(4).uniform(0, 255, (4, 224, 224, 3)).astype("float32")
    extract = extraction.extractor(network)
    together = extract(squares)
    for square, *rows in zip(squares, *together, strict=True):
        for row, alone in zip(rows, extract.one(square), strict=True):
            np.testing.assert_array_equal(row, alone)
    assert [rows.shape for rows in extract(squares[:0])] == [(0, 7, 7, 24), (0, 16)]


def test_extractor_keeps_the_weights_it_was_made_with(weights):
    network, photo = networks.build(weights), np.full((224, 224, 3), 99, np.float32)
    extract = extraction.extractor(network)
    before = extract.one(photo)
    network.set_weights([np.zeros_like(array) for array in network.get_weights()])
    del network
    assert any(rows.any() for rows in before) and all(map(np.array_equal, before, extract.one(photo)))


@pytest.mark.slow
def test_extractor_may_first_be_asked_by_many_threads_at_once():
    """OpenVINO's first array, handed over by two threads at a time, made it wait for itself for ever."""
    script = """
import numpy as np
from skinlib.base.runner import threads
from skinlib.learn import extraction, networks
extract = extraction.extractor(networks.build())
squares = [np.zeros((224, 224, 3), np.float32)] * 8
assert len(list(threads(lambda: extract.one, squares))) == 8
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=300)


@pytest.mark.slow
def test_openvino_reports_to_nobody(tmp_path):
    script = """
import socket, sys
def refused(*arguments):
    raise AssertionError(f"connected to {arguments}")
socket.socket.connect = socket.getaddrinfo = refused
from skinlib.learn import extraction
loaded = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module]
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", script], check=True, env=os.environ | {"HOME": str(tmp_path)})
    assert not (tmp_path / "intel").exists()


# --- features of photos --------------------------------------------------------------------------------------------


def test_features_are_computed_once_per_content(sample, weights, monkeypatch):
    by_content = sample.photos.groupby("sha256").path.apply(list)
    twins = next(paths for paths in by_content if len(paths) > 1)
    rows = extraction.features(sample, weights)
    assert rows.shape == (len(sample.photos), 16) and rows.dtype == np.float32
    first, second = (sample.photos.path.to_list().index(path) for path in twins[:2])
    np.testing.assert_array_equal(rows[first], rows[second])

    def never(*arguments):
        raise AssertionError("the network was asked again")

    monkeypatch.setattr(extraction, "extractor", never)
    np.testing.assert_array_equal(extraction.features(sample, weights), rows)
    few = extraction.features(sample, weights, "pool", sample.photos.path[[7, 3]])
    np.testing.assert_array_equal(few, rows[[7, 3]])


def test_features_of_no_photo_are_no_rows(sample, weights):
    assert extraction.features(sample, weights, "pool", []).shape == (0, 16)


def test_features_of_other_weights_and_versions_are_kept_apart(sample, weights):
    path = sample.photos.path[:1]
    plain = extraction.features(sample, weights, "pool", path)
    altered = extraction.features(sample, weights, "pool", path, version=1)
    assert not np.array_equal(plain, altered)
    np.testing.assert_array_equal(extraction.features(sample, weights, "pool", path, version=1), altered)
    assert not np.array_equal(extraction.features(sample, weights, "pool", path, swapped_channels=True), plain)
    assert not np.array_equal(extraction.features(sample, scaled(weights, 1.01), "pool", path), plain)


def test_interrupted_features_go_on(sample, weights, monkeypatch):
    fresh = scaled(weights, 0.99)
    paths = sample.photos.path[:40]
    distinct = sample.photos.sha256[:40].nunique()
    whole, asked = extraction.Extractor.one, []

    def stops_at_the_tenth(self, photo):
        if photo.any():  # a new extractor asks itself once, for nothing
            asked.append(1)
            if len(asked) == 10:
                raise KeyboardInterrupt
        return whole(self, photo)

    monkeypatch.setattr(extraction.Extractor, "one", stops_at_the_tenth)
    with pytest.raises(KeyboardInterrupt):
        extraction.features(sample, fresh, "pool", paths)
    before = len(asked)
    assert before < distinct, "the rest was not begun"
    assert extraction.features(sample, fresh, "pool", paths).shape == (40, 16)
    assert len(asked) == distinct + 1, "what was finished was kept, and the tenth was done again"


def test_features_do_not_depend_on_the_other_photos(sample, weights, tmp_path):
    data = elsewhere(sample, tmp_path)
    paths = sample.photos.path[:5]
    alone = np.stack([extraction.features(data, weights, "pool", [path])[0] for path in paths])
    np.testing.assert_array_equal(extraction.features(sample, weights, "pool", paths), alone)


def test_features_by_another_runner_are_the_same(sample, weights, tmp_path):
    data = elsewhere(sample, tmp_path)
    paths = sample.photos.path[:5]
    rows = extraction.features(data, weights, "stage1_out", paths, runner=lambda make, items: map(make(), items))
    np.testing.assert_array_equal(rows, extraction.features(sample, weights, "stage1_out", paths))


@pytest.mark.parametrize("layer", ["pool", "stage1_out"])
def test_damaged_features_are_made_anew(layer, sample, weights, tmp_path):
    """Emptied, cut, written over with as many other bytes, gone: the numbers are those of before."""
    data, paths = elsewhere(sample, tmp_path), list(sample.photos.path[:6])
    before = extraction.features(data, weights, layer, paths)
    files = sorted(file for file in kept(data) if file.name.endswith(layer))
    content = [file.read_bytes() for file in files]
    files[0].write_bytes(b"")
    files[1].write_bytes(content[1][:-8])
    files[2].write_bytes(bytes(len(content[2])))
    files[3].unlink()
    np.testing.assert_array_equal(extraction.features(data, weights, layer, paths), before)
    assert [file.read_bytes() for file in files] == content


def test_sixteen_bits_are_kept_apart_or_refused(sample, weights):
    paths = sample.photos.path[:8]
    plain = extraction.features(sample, weights, "pool", paths)
    if extraction.has_bfloat16():
        short = extraction.features(sample, weights, "pool", paths, bits=16)
        assert not np.array_equal(short, plain)
        assert np.corrcoef(short.ravel(), plain.ravel())[0, 1] > 0.95
        np.testing.assert_array_equal(extraction.features(sample, weights, "pool", paths), plain)
    else:
        with pytest.raises(InputError, match="use 32 bits"):
            extraction.features(sample, weights, "pool", paths, bits=16)


def test_augmentation_keeps_shape_and_repeats(sample):
    photo = sample.read(sample.photos.path[0])
    once, again = (extraction.augment(photo, np.random.default_rng(4)) for _ in range(2))
    assert once.shape == photo.shape and once.dtype == np.uint8
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, photo)
    # Hue is a sign of disease: the mean colour may get lighter or darker, never redder or bluer.
    share = lambda image: image.mean((0, 1)) / image.mean()  # noqa: E731
    np.testing.assert_allclose(share(once), share(photo), atol=0.05)
