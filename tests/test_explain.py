"""Grad-CAM against finite differences and by hand on a small network; the share of heat inside a mask by hand."""

import math
import warnings

import cv2
import numpy as np
import pytest

from skinlib import explain, model
from skinlib.model import keras

CHANNELS = 6


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Return a small network with the parts that Grad-CAM asks for: a last map by name, pooling, hidden, softmax."""
    model.set_seed(3)
    photo = keras.Input((None, None, 3), name="photo")
    x = keras.layers.Rescaling(1 / 255)(photo)
    x = keras.layers.Conv2D(CHANNELS, 32, strides=32, activation="relu", name=explain.LAST_MAP)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(16, activation="relu")(x)
    return keras.Model(photo, keras.layers.Dense(3, activation="softmax", bias_initializer="random_normal")(x))


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def last_map(network, photo) -> np.ndarray:
    """Return the last map of the small network, float64 (7, 7, 6), worked out without it."""
    kernel, bias = (each.astype(float) for each in network.get_layer(explain.LAST_MAP).get_weights())
    patches = (photo / 255).reshape(7, 32, 7, 32, 3)
    return np.maximum(np.einsum("iajbc,abck->ijk", patches, kernel) + bias, 0)


def logits(network, features) -> np.ndarray:
    """Return the logits for a last map, in float64, without Keras."""
    hidden, output = (layer.get_weights() for layer in network.layers if isinstance(layer, keras.layers.Dense))
    pooled = features.mean(axis=(0, 1))
    return np.maximum(pooled @ hidden[0].astype(float) + hidden[1], 0) @ output[0].astype(float) + output[1]


def test_the_map_it_starts_from_is_the_networks(network, photo):
    ours, _ = explain._gradient_at_last_map(network, photo, 0)
    np.testing.assert_allclose(ours, last_map(network, photo), atol=1e-4)
    probabilities = network.predict_on_batch(photo[None].astype(np.float32))[0]
    expected = np.exp(logits(network, last_map(network, photo)))
    np.testing.assert_allclose(probabilities, expected / expected.sum(), atol=1e-5)


@pytest.mark.parametrize("class_index", range(3))
def test_gradient_equals_finite_differences_of_the_logit(network, photo, class_index):
    features = last_map(network, photo)
    _, gradient = explain._gradient_at_last_map(network, photo, class_index)
    assert gradient.shape == (7, 7, CHANNELS) and np.abs(gradient).max() > 1e-4
    for row, column, channel in ((0, 0, 0), (3, 5, 1), (6, 6, 2), (2, 1, 3), (5, 0, 4), (4, 4, 5)):
        step = np.zeros_like(features)
        step[row, column, channel] = 1e-3
        difference = (logits(network, features + step) - logits(network, features - step))[class_index] / 2e-3
        assert gradient[row, column, channel] == pytest.approx(difference, rel=1e-3, abs=1e-7)


@pytest.mark.parametrize("class_index", range(3))
def test_map_is_the_weighted_sum_without_its_negative_part(network, photo, class_index):
    features, step = last_map(network, photo), 1e-4
    # The mean gradient of a channel, from the logit's change when the whole channel is raised.
    weights = [
        (logits(network, features + raised) - logits(network, features - raised))[class_index] / (2 * step) / 49
        for raised in step * np.eye(CHANNELS)
    ]
    cells = np.maximum(features @ weights, 0)
    expected = cv2.resize(cells.astype(np.float32), (224, 224), interpolation=cv2.INTER_LINEAR)
    expected = expected / expected.max() if expected.max() > 0 else expected
    np.testing.assert_allclose(explain.grad_cam(network, photo, class_index), expected, atol=1e-3)


def test_a_map_shows_something_for_at_least_one_class(network, photo):
    assert max(explain.grad_cam(network, photo, i).max() for i in range(3)) == 1


@pytest.mark.parametrize("size", [(128, 128), (300, 200), (90, 411), (1, 1)])
def test_map_has_the_photos_shape_and_lies_between_0_and_1(network, size):
    photo = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    for class_index in range(3):
        heat = explain.grad_cam(network, photo, class_index)
        assert heat.shape == size and heat.dtype == np.float32
        assert heat.min() >= 0 and heat.max() in (0, 1)


def by_hand(kernel_of_class_1: float) -> keras.Model:
    """Return a network that averages each place's brightness and gives class 1 the mean of it, times a number."""
    photo = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(1, 32, strides=32, name=explain.LAST_MAP, kernel_initializer="ones")(photo)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(photo, keras.layers.Dense(2, activation="softmax")(x))
    network.layers[-1].set_weights([np.array([[0.0, kernel_of_class_1]]), np.zeros(2)])
    return network


def bright_corner() -> np.ndarray:
    photo = np.zeros((224, 224, 3), np.uint8)
    photo[:32, 192:] = 200  # the top right of the 7 × 7 cells
    return photo


def test_heat_lies_where_the_evidence_lies():
    heat = explain.grad_cam(by_hand(1e-4), bright_corner(), 1)
    assert heat[8, 216] == 1
    assert heat[48:].max() == 0 and heat[:, :176].max() == 0


def test_heat_lies_there_however_sure_the_network_is():
    """The gradient of a saturated softmax is 0 in float32; the logit's is not."""
    network = by_hand(100.0)
    assert network.predict_on_batch(bright_corner()[None].astype(np.float32))[0, 1] == 1
    np.testing.assert_allclose(
        explain.grad_cam(network, bright_corner(), 1), explain.grad_cam(by_hand(1e-4), bright_corner(), 1), atol=1e-5
    )


def test_no_place_speaks_for_a_class_that_everything_speaks_against():
    heat = explain.grad_cam(by_hand(-1.0), bright_corner(), 1)
    assert heat.shape == (224, 224) and not heat.any()


def test_a_class_without_any_gradient_has_an_empty_map():
    assert not explain.grad_cam(by_hand(1.0), bright_corner(), 0).any()


def test_map_follows_the_network_when_its_weights_change():
    network = by_hand(1.0)
    assert explain.grad_cam(network, bright_corner(), 1).any()
    network.layers[-1].set_weights([np.array([[1.0, -1.0]]), np.zeros(2)])
    assert not explain.grad_cam(network, bright_corner(), 1).any()
    assert explain.grad_cam(network, bright_corner(), 0).any()


@pytest.mark.parametrize("class_index", [-1, 3, 8])
def test_a_class_that_is_not_there_is_refused(network, photo, class_index):
    with pytest.raises(ValueError, match=f"class {class_index} is not one of the network's 3"):
        explain.grad_cam(network, photo, class_index)


def test_whole_network_gives_a_map_without_a_warning_and_the_same_twice(photo):
    network = model.build(seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = explain.grad_cam(network, photo[:, :180], 2)
        again = explain.grad_cam(network, photo[:, :180], 2)
    assert first.shape == (224, 180)
    np.testing.assert_array_equal(first, again)


# ---- the share inside -------------------------------------------------------------------------------------------


def test_share_inside_by_hand():
    heat = np.array([[1.0, 0.5], [0.25, 0.25]], np.float32)
    mask = np.array([[True, False], [True, False]])
    assert explain.share_inside(heat, mask) == pytest.approx(1.25 / 2)
    assert explain.share_inside(heat, ~mask) == pytest.approx(0.75 / 2)
    assert explain.share_inside(heat, np.zeros((2, 2), bool)) == 0
    assert explain.share_inside(heat, np.ones((2, 2), bool)) == 1


def test_share_inside_does_not_depend_on_the_scale_of_the_heat():
    rng = np.random.default_rng(0)
    heat, mask = rng.random((40, 30)), rng.random((40, 30)) < 0.3
    assert explain.share_inside(7 * heat, mask) == pytest.approx(explain.share_inside(heat, mask))


def test_a_map_that_knows_nothing_scores_the_masks_share_of_the_area():
    mask = np.zeros((50, 40), bool)
    mask[10:30, 5:20] = True
    assert explain.share_inside(np.full((50, 40), 0.3, np.float32), mask) == pytest.approx(mask.mean())


def test_share_inside_of_a_large_photo_is_exact():
    heat = np.ones((6000, 4000), np.float32)  # a sum that float32 cannot hold
    mask = np.zeros((6000, 4000), bool)
    mask[::3] = True
    assert explain.share_inside(heat, mask) == pytest.approx(1 / 3, rel=1e-12)


def test_share_inside_is_nan_where_there_is_no_heat():
    assert math.isnan(explain.share_inside(np.zeros((2, 2), np.float32), np.ones((2, 2), bool)))


def test_share_inside_refuses_a_mask_of_another_shape():
    with pytest.raises(ValueError, match="not of one photo"):
        explain.share_inside(np.zeros((2, 3), np.float32), np.zeros((3, 2), bool))


# ---- on the sample ----------------------------------------------------------------------------------------------


def test_masks_of_the_sample_fit_their_photos_maps(sample):
    path = sample.photos.path[sample.photos.split == "test"].iloc[0]
    photo, mask = sample.read(path), sample.mask(path)
    heat = explain.grad_cam(model.build(seed=1), photo, 0)
    assert math.isnan(share := explain.share_inside(heat, mask)) or 0 <= share <= 1
