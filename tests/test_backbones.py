"""Backbones: what each says of itself is so, and how ResNet50 is drawn at random."""

import numpy as np
import pytest

from skinlib.learn import backbones, networks
from skinlib.learn.engines import keras
from skinlib.learn.preprocessing import prepare, preprocess
from skinlib.learn.pretrained import Weights


@pytest.fixture(scope="module", params=["resnet50", "tiny"])
def backbone(request, tiny):
    return backbones.BACKBONES[request.param]


@pytest.fixture(scope="module")
def network(backbone):
    return networks.build(Weights("any", backbone.build(None).get_weights(), "", backbone), seed=1)


def test_what_a_backbone_says_of_itself_is_so(backbone, network):
    resized = keras.Model(network.get_layer("resize").output, network.output)
    shape = {layer.name: layer.output.shape[1:] for layer in resized.layers}
    height, width, channels = shape[backbone.last_stage]
    assert ((height + 1) // 2, (width + 1) // 2, channels) == backbone.last_stage_shape
    assert shape[backbone.last_map][-1] == backbone.n_features == shape["pool"][0]
    assert backbone.shapes == {backbone.last_stage: backbone.last_stage_shape, "pool": (backbone.n_features,)}
    assert network.name == f"skin_{backbone.name}" and backbones.backbone_of(network) is backbone


def test_the_last_stage_is_what_lies_between_its_input_and_the_last_map(backbone, network):
    stage = keras.Model(network.get_layer(backbone.last_stage).output, network.get_layer(backbone.last_map).output)
    learning = [layer.name for layer in stage.layers if layer.weights]
    assert learning and all(name.startswith(backbone.last_stage_layers) for name in learning)
    others = {layer.name for layer in network.layers} - {layer.name for layer in stage.layers}
    assert not any(name.startswith(backbone.last_stage_layers) for name in others)
    strided = [layer for layer in stage.layers if getattr(layer, "strides", None) == (2, 2)]
    assert strided and all(layer.kernel.shape[:2] == (1, 1) for layer in strided), "they drop every other place unseen"


def test_every_layer_belongs_to_a_part(backbone, network):
    parts = {backbone.part(layer.name) for layer in network.layers if layer.weights}
    assert {"hidden", "probabilities"} < parts
    assert all(any(layer.name.startswith(part) for part in parts) for layer in network.layers if layer.weights)


def test_another_network_has_no_backbone():
    with pytest.raises(KeyError):
        backbones.backbone_of(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


# --- ResNet50 ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (300, 180, 3), dtype=np.uint8)


def test_preprocessing_by_hand_equals_keras(photo):
    by_keras = keras.applications.resnet50.preprocess_input(photo.astype("float32"))
    np.testing.assert_allclose(preprocess(photo), by_keras, atol=1e-4)


def test_preprocessing_inside_the_network_equals_keras(photo):
    entry = keras.Input((None, None, 3))
    inside = keras.Model(entry, backbones.RESNET50.arrange(entry))
    square = prepare(photo)
    by_keras = keras.applications.resnet50.preprocess_input(square.copy())
    np.testing.assert_allclose(inside(square[None])[0], by_keras, atol=1e-4)


def test_untrained_statistics_come_from_the_photos():
    photos = np.random.default_rng(2).uniform(0, 255, (4, 224, 224, 3)).astype("float32")
    backbone = backbones.RESNET50.build(None)
    backbone.set_weights(backbones.draw_resnet50(photos, seed=3))
    first = keras.Model(backbone.input, backbone.get_layer("conv1_conv").output)
    seen = np.asarray(first(preprocess(photos)))
    layer = backbone.get_layer("conv1_bn")
    np.testing.assert_allclose(layer.moving_mean, seen.mean((0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(layer.moving_variance, seen.var((0, 1, 2)), rtol=1e-3)
