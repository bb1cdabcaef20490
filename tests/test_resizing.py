"""A photo and its smaller copies: one filter reduces them, everywhere the same, and passes over no pixel."""

import io
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from skinlib.data import reading
from skinlib.data.enlarging import enlarged
from skinlib.doubt import explain
from skinlib.learn import networks
from skinlib.learn.engines import keras, tf
from skinlib.learn.preprocessing import SIZE, prepare
from skinlib.serve import onnx_graph
from skinlib.serve.exported import ExportedModel

SHAPES = [(1, 1), (1, 300), (300, 1), (2, 1500), (9000, 31), (225, 31), (100, 100), (SIZE, SIZE), (223, 449)]
SHAPES += [(448, 447), (1200, 900), (2250, 3000)]


def noise(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def by_pillow(photo):
    """Reduce with Pillow, channel by channel in 32 bits: of whole bytes it rounds twice."""
    channels = [Image.fromarray(np.float32(photo[..., i])) for i in range(3)]
    return np.dstack([channel.resize((SIZE, SIZE), Image.Resampling.BILINEAR) for channel in channels])


@pytest.fixture(scope="module")
def in_keras():
    network = networks.build()
    return keras.Model(network.input, network.get_layer("resize").output)


@pytest.fixture(scope="module")
def in_onnx():
    """Return the exported graph as far as the square."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), tf.uint8, name="photo")])
    def square(photo):
        return {"square": onnx_graph._squared(photo)}

    proto = onnx_graph.to_onnx(square, SimpleNamespace(variables=[]))
    return onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shape", SHAPES)
def test_keras_onnx_and_pillow_reduce_alike(shape, in_keras, in_onnx):
    photo = noise(shape)
    ours = prepare(photo)
    ways = {
        "the model's layer": in_keras(photo[None].astype(np.float32), training=False)[0],
        "the exported graph": in_onnx.run(None, {"photo": photo})[0],
        "Pillow": by_pillow(photo),
    }
    for way, square in ways.items():
        assert np.abs(ours - square).max() < 1e-3 * 255, way
    assert ours.shape == (SIZE, SIZE, 3) and ours.dtype == np.float32


def test_a_square_of_the_networks_size_stays_as_it_is(in_keras):
    """What has been prepared may go through the model's own layer once more."""
    square = np.random.default_rng(0).uniform(0, 255, (SIZE, SIZE, 3)).astype(np.float32)
    np.testing.assert_array_equal(in_keras(square[None], training=False)[0], square)
    np.testing.assert_array_equal(prepare(square), square)


@pytest.mark.parametrize("axis", [0, 1])
def test_no_pixel_is_passed_over(axis):
    """One white line anywhere shows in the square, with the same weight wherever it lies."""
    lengths = [1500, 1500]
    seen = []
    for place in range(700, 713):  # two new pixels wide
        photo = np.zeros((*lengths, 3), np.uint8)
        photo[(slice(None),) * axis + (place,)] = 255
        seen.append(prepare(photo).sum())
    assert min(seen) == pytest.approx(max(seen), rel=0.02) and min(seen) > 0


def detailed():
    """Return a large photo, a red patch on skin: with noise and hairs, there is much that lies between new pixels."""
    patch = np.full((240, 320, 3), (205, 165, 145), np.uint8)
    cv2.circle(patch, (160, 120), 60, (180, 90, 80), -1)
    return enlarged(patch, 4_000_000, np.random.default_rng(1))


def test_an_enlarged_photo_is_the_photo_with_detail():
    small = noise((9, 12))
    large = enlarged(small, 3_000_000, np.random.default_rng(0))
    assert large.dtype == np.uint8 and large.size / 3 == pytest.approx(3_000_000, rel=0.01)
    assert np.abs(cv2.resize(large, (12, 9), interpolation=cv2.INTER_AREA) - small.astype(float)).mean() < 40
    smooth = cv2.GaussianBlur(large, (0, 0), 5).astype(float)
    assert 5 < (large - smooth).std() < 30
    np.testing.assert_array_equal(enlarged(small, 3_000_000, np.random.default_rng(0)), large)


def small_copies(photo, longest=512):
    """Return copies as programs make them: name and pixels."""
    scale = longest / max(photo.shape[:2])
    size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
    lanczos, stored = Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS), io.BytesIO()
    lanczos.save(stored, "JPEG", quality=85)
    return {
        "lanczos": np.asarray(lanczos),
        "jpeg": np.asarray(Image.open(stored)),
        "area": cv2.resize(photo, size, interpolation=cv2.INTER_AREA),
    }


def test_a_photo_and_its_small_copies_are_nearly_one_square():
    photo = detailed()
    square, dropping = prepare(photo), tf.image.resize(photo, (SIZE, SIZE)).numpy()
    for name, copy in small_copies(photo).items():
        gap = np.abs(prepare(copy) - square).mean()
        assert gap < 4, name
        assert np.abs(prepare(copy) - dropping).mean() > 3 * gap, "the photo has no detail that could be lost"


def test_a_photo_and_its_small_copies_get_one_answer_and_one_map(grouped_run, exported):
    """Of Keras and of the exported model: nearly the same probabilities, evidence and heat."""
    photo = detailed()
    large, probabilities = exported.answer(photo), grouped_run.predict([photo])[0]
    label = int(probabilities.argmax())
    heat = explain.grad_cam(grouped_run.model, photo, label)
    for name, copy in small_copies(photo).items():
        small = exported.answer(copy)
        assert small.condition == large.condition, name
        np.testing.assert_allclose(list(small.probabilities.values()), list(large.probabilities.values()), atol=0.05)
        np.testing.assert_allclose(grouped_run.predict([copy])[0], probabilities, atol=0.05)
        its = cv2.resize(explain.grad_cam(grouped_run.model, copy, label), (7, 7), interpolation=cv2.INTER_AREA)
        assert np.abs(its - cv2.resize(heat, (7, 7), interpolation=cv2.INTER_AREA)).mean() < 0.1


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted in another unit")
def test_a_large_photo_is_never_floats_as_a_whole(exported):
    """Twelve megapixels of three floats would be 144 MB; the model takes less than that besides the photo."""
    assert isinstance(exported, ExportedModel)
    script = f"""
import resource, numpy as np
from skinlib.serve.exported import ExportedModel
model = ExportedModel({str(exported.folder)!r})
photo = np.zeros((3000, 4000, 3), np.uint8) + np.uint8(1)
model.answer(photo[:300, :300])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
model.answer(photo)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1000 < 120  # megabytes


def test_a_thread_of_pixels_is_refused_before_it_fills_the_memory():
    """As a square, its rows would be repeated 224 times and more before its columns are reduced."""
    for side, refused in ((reading.LONGEST_SIDE, False), (reading.LONGEST_SIDE + 1, True)):
        for size in ((side, 1), (1, side)):
            stored = io.BytesIO()
            Image.new("RGB", size).save(stored, "PNG")
            if refused:
                with pytest.raises(
                    reading.PhotoError, match=r"^thread\.png: a side of more than 65,535 pixels: leave it"
                ):
                    reading.decode(stored.getvalue(), "thread.png")
            else:
                assert reading.decode(stored.getvalue()).shape == (*size[::-1], 3)
