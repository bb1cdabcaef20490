"""The whole network: its layers, its parts, the file it is saved in."""

import numpy as np
import pytest

from skinlib.learn import extraction, networks
from skinlib.learn.engines import keras
from skinlib.learn.preprocessing import prepare


@pytest.fixture(scope="module")
def network(weights):
    return networks.build(weights)


@pytest.fixture(scope="module")
def resnet(resnet_weights):
    return networks.build(resnet_weights)


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (300, 180, 3), dtype=np.uint8)


def answers(network, photos):
    """Ask a network without compiling it first, which takes longer than a few photos."""
    return np.asarray(network(photos.astype("float32"), training=False))


def test_preprocessing_inside_the_model_equals_keras(resnet, photo):
    inside = keras.Model(resnet.inputs, resnet.get_layer("subtract_means").output)
    by_keras = keras.applications.resnet50.preprocess_input(prepare(photo).copy())
    np.testing.assert_allclose(inside.predict(photo[None], verbose=0)[0], by_keras, atol=1e-4)


def test_preparing_is_the_models_own_resizing(network, photo):
    layer = network.get_layer("resize")
    np.testing.assert_allclose(prepare(photo), layer(photo[None].astype("float32"))[0], atol=1e-4)
    assert prepare(photo).dtype == np.float32


@pytest.mark.parametrize("name", ["network", "resnet"])
def test_model_is_flat_and_has_the_recipes_head(name, request):
    network = request.getfixturevalue(name)
    assert not any(isinstance(layer, keras.Model) for layer in network.layers)
    kinds = [(type(layer).__name__, layer.name) for layer in network.layers[-3:]]
    assert kinds == [("GlobalAveragePooling2D", "pool"), ("Dense", "hidden"), ("Dense", "probabilities")]
    assert network.get_layer("hidden").units == 512 and network.get_layer("hidden").activation.__name__ == "relu"
    assert network.output_shape == (None, 8)
    assert network.get_layer("probabilities").activation.__name__ == "softmax"


def test_a_network_has_as_many_outputs_as_there_are_classes(weights):
    assert networks.build(weights, n_classes=3).output_shape == (None, 3)


@pytest.mark.parametrize("name", ["network", "resnet"])
def test_saved_model_opens_without_skinlib(name, request, photo, tmp_path):
    network = request.getfixturevalue(name)
    network.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras", custom_objects={})
    expected = answers(network, photo[None])
    np.testing.assert_array_equal(answers(again, photo[None]), expected)
    assert expected.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["network", "resnet"])
def test_extractor_and_parts_equal_the_whole_network(name, request):
    network = request.getfixturevalue(name)
    backbone = networks.backbone_of(network)
    squares = np.random.default_rng(1).uniform(0, 255, (3, 224, 224, 3)).astype("float32")
    whole = answers(network, squares)
    last_stage, pooled = extraction.extractor(network)(squares)
    assert (last_stage.shape[1:], pooled.shape[1:]) == tuple(backbone.shapes.values())
    np.testing.assert_allclose(answers(networks.part_after(network, "pool"), pooled), whole, atol=1e-5)
    part = networks.part_after(network, backbone.last_stage)
    np.testing.assert_allclose(answers(part, last_stage), whole, atol=1e-5)
    assert not any(
        layer.trainable for layer in part.layers if isinstance(layer, keras.layers.BatchNormalization)
    ) and any(layer.trainable_weights for layer in part.layers if layer.name.startswith(backbone.last_stage_layers))


def test_a_part_of_sixteen_bits_keeps_weights_head_and_answers_in_thirty_two(network):
    backbone = networks.backbone_of(network)
    part = networks.part_after(network, backbone.last_stage, 16)
    short = {layer.name for layer in part.layers if layer.compute_dtype == "bfloat16"}
    assert short == {layer.name for layer in part.layers if layer.name.startswith(backbone.last_stage_layers)} != set()
    assert {str(weight.dtype) for weight in part.weights} == {"float32"} and part.output.dtype == "float32"
    rows = np.random.default_rng(0).random((3, *backbone.last_stage_shape), np.float32)
    plain = answers(networks.part_after(network, backbone.last_stage), rows)
    np.testing.assert_allclose(answers(part, rows), plain, atol=0.05)


def test_copied_weights_arrive_by_name(network, weights):
    other = networks.build(weights, seed=1)
    assert not np.array_equal(other.get_layer("hidden").kernel, network.get_layer("hidden").kernel)
    networks.copy_weights(networks.part_after(network, "pool"), other)
    np.testing.assert_array_equal(other.get_layer("hidden").kernel, network.get_layer("hidden").kernel)


def test_swapped_channels_are_built_in(weights, photo):
    plain, wrong = networks.build(weights), networks.build(weights, swapped_channels=True)
    np.testing.assert_allclose(answers(wrong, photo[None]), answers(plain, photo[None, ..., ::-1]), atol=1e-5)
