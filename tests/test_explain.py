"""Grad-CAM against finite differences, occlusion, masks and forgetting networks, each where the answer is known."""

import math
import warnings

import cv2
import numpy as np
import pytest
from scipy.stats import spearmanr

from skinlib.doubt import explain
from skinlib.learn import networks
from skinlib.learn.engines import keras, seeded

CHANNELS = 6
NAME, LAST_MAP = "skin_tiny", "stage2_out"
"""By these a network says which backbone it has, and the backbone, which of its layers is the last map."""

pytestmark = pytest.mark.usefixtures("tiny")


@pytest.fixture(scope="module")
def network(tiny) -> keras.Model:
    """Return a small network with the parts that Grad-CAM asks for: a last map by name, pooling, hidden, softmax."""
    with seeded(3):
        photo = keras.Input((None, None, 3), name="photo")
        x = keras.layers.Rescaling(1 / 255)(photo)
        x = keras.layers.Conv2D(CHANNELS, 32, strides=32, activation="relu", name=LAST_MAP)(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = keras.layers.Dense(16, activation="relu")(x)
        x = keras.layers.Dense(3, activation="softmax", bias_initializer="random_normal")(x)
    return keras.Model(photo, x, name=NAME)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)


def last_map(network, photo) -> np.ndarray:
    """Return the last map of the small network, float64 (7, 7, 6), worked out without it."""
    kernel, bias = (each.astype(float) for each in network.get_layer(LAST_MAP).get_weights())
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
    x = keras.layers.Conv2D(1, 32, strides=32, name=LAST_MAP, kernel_initializer="ones")(photo)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(photo, keras.layers.Dense(2, activation="softmax")(x), name=NAME)
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


@pytest.fixture(scope="module")
def resnet() -> keras.Model:
    return networks.build(seed=0)


def test_resnet50_gives_a_map_without_a_warning_and_the_same_twice(resnet, photo):
    network = resnet
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


# ---- occlusion --------------------------------------------------------------------------------------------------


def brightness_of(place):
    """Return a predict function: class 1's probability is the mean brightness of one place, 0 to 1."""
    sizes = []

    def predict(photos):
        sizes.append(len(photos))
        bright = np.array([photo[place].mean() / 255 for photo in photos])
        return np.stack([1 - bright, bright], axis=1)

    return predict, sizes


def test_covering_the_only_place_that_counts_takes_what_it_gave():
    predict, _ = brightness_of(np.s_[:8, 24:])
    photo = np.zeros((32, 32, 3), np.uint8)
    photo[:8, 24:] = 160  # a mean of 10 over the whole photo, with which it is covered
    heat = explain.occlusion(predict, photo, 1, patch=8, stride=8)
    expected = np.zeros((32, 32))
    expected[:8, 24:] = (160 - 10) / 255
    assert heat.shape == (32, 32) and heat.dtype == np.float32
    np.testing.assert_allclose(heat, expected, atol=1e-6)


def test_what_lowers_the_probability_of_one_class_raises_that_of_the_other():
    predict, _ = brightness_of(np.s_[:8, 24:])
    photo = np.random.default_rng(0).integers(0, 128, (32, 40, 3), dtype=np.uint8)
    photo[:8, 24:] += 120
    ours, others = (explain.occlusion(predict, photo, index, patch=8, stride=4) for index in (1, 0))
    assert np.abs(ours).max() > 0.01
    np.testing.assert_allclose(ours, -others, atol=1e-6)


def test_each_pixel_has_the_mean_of_the_squares_that_covered_it():
    photo = np.zeros((1, 5, 3), np.uint8)
    photo[0, 2] = 100
    predict, _ = brightness_of(np.s_[:, 2])
    np.testing.assert_allclose(explain.occlusion(predict, photo, 1, patch=1, stride=1)[0], [0, 0, 80 / 255, 0, 0])

    photo = np.zeros((2, 4, 3), np.uint8)
    photo[:, 1] = 200  # its mean is 50
    predict, _ = brightness_of(np.s_[:, 1])
    heat = explain.occlusion(predict, photo, 1, patch=2, stride=1)
    fall = 150 / 255  # for the squares that begin at 0 and at 1, and none for that at 2
    np.testing.assert_allclose(heat, [[fall, fall, fall / 2, 0]] * 2, atol=1e-6)


@pytest.mark.parametrize(("height", "width", "patch", "stride"), [(20, 30, 7, 5), (9, 9, 9, 9), (40, 13, 4, 4)])
def test_every_pixel_is_covered_and_answers_are_asked_in_batches(height, width, patch, stride):
    photo = np.full((height, width, 3), 90, np.uint8)
    predict, sizes = brightness_of(np.s_[:])
    heat = explain.occlusion(predict, photo, 1, patch, stride)
    assert np.isfinite(heat).all() and not heat.any(), "covering an even photo with its own colour changes nothing"
    assert max(sizes) <= explain.OCCLUSION_BATCH
    across, down = (1 + -(-(side - patch) // stride) for side in (width, height))
    assert sum(sizes) == 1 + across * down


def test_occlusion_leaves_the_photo_as_it_was():
    photo = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    before = photo.copy()
    explain.occlusion(brightness_of(np.s_[:])[0], photo, 0, 8, 8)
    np.testing.assert_array_equal(photo, before)


@pytest.mark.parametrize(("patch", "stride"), [(8, 9), (0, 0), (8, 0), (21, 4)])
def test_squares_that_leave_gaps_or_do_not_fit_are_refused(patch, stride):
    with pytest.raises(ValueError, match="does not cover a photo of 30 × 20"):
        explain.occlusion(brightness_of(np.s_[:])[0], np.zeros((20, 30, 3), np.uint8), 0, patch, stride)


def test_grad_cam_and_occlusion_point_to_the_same_corner():
    network = by_hand(1e-4)

    def predict(photos):
        return network.predict_on_batch(np.stack(photos).astype(np.float32))

    fall = explain.occlusion(predict, bright_corner(), 1, patch=32, stride=32)
    heat = explain.grad_cam(network, bright_corner(), 1)
    assert np.unravel_index(fall.argmax(), fall.shape) == (0, 192)
    corner = np.zeros((224, 224), bool)
    corner[:32, 192:] = True
    assert explain.pointing_game(fall, corner) and explain.pointing_game(heat, corner)


# ---- pointing, and strangers' masks -----------------------------------------------------------------------------


def test_pointing_by_hand():
    heat = np.array([[0.2, 0.9], [0.1, 0.0]], np.float32)
    mask = np.array([[False, True], [False, False]])
    assert explain.pointing_game(heat, mask) is True
    assert explain.pointing_game(heat, ~mask) is False
    assert explain.pointing_game(np.zeros((2, 2)), np.ones((2, 2), bool)) is False, "no heat points nowhere"


def test_several_hottest_pixels_point_where_most_of_them_lie():
    heat = np.array([[1.0, 1.0, 1.0, 0.5]])
    assert explain.pointing_game(heat, np.array([[True, True, False, False]]))
    assert not explain.pointing_game(heat, np.array([[True, False, False, True]]))


def test_pointing_blindly_hits_as_often_as_the_mask_is_large():
    rng = np.random.default_rng(0)
    mask = np.zeros((40, 40), bool)
    mask[:10] = True
    hits = [explain.pointing_game(rng.random((40, 40)), mask) for _ in range(2000)]
    assert np.mean(hits) == pytest.approx(0.25, abs=0.04)


def test_pointing_game_refuses_a_mask_of_another_shape():
    with pytest.raises(ValueError, match="not of one photo"):
        explain.pointing_game(np.zeros((2, 3)), np.zeros((3, 2), bool))


def test_what_speaks_against_a_class_is_no_heat():
    heat = np.array([[1.0, -5.0], [3.0, -1.0]])
    mask = np.array([[True, True], [False, False]])
    assert explain.share_inside(heat, mask) == pytest.approx(0.25)


def strips(n: int) -> list[np.ndarray]:
    """Return n masks, (n, n): the first has its first row, the second its second row, and so on."""
    masks = np.zeros((n, n, n), bool)
    masks[np.arange(n), np.arange(n)] = True
    return list(masks)


def test_maps_that_know_their_photos_fit_no_other_mask():
    masks = strips(8)
    result = explain.against_other_masks([mask.astype(float) for mask in masks], masks, explain.share_inside)
    assert (result["own"], result["chance"]) == (1, 0)
    assert result["p_value"] < 0.01


def test_a_map_that_is_always_the_same_does_not_beat_chance():
    """It lies on every mask's common place, well above their share of the area, and knows nothing of any photo."""
    masks = [np.zeros((20, 20), bool) for _ in range(10)]
    for i, mask in enumerate(masks):
        mask[8:12, 8 : 12 + i // 4] = True
    blob = np.zeros((20, 20))
    blob[9:11, 9:11] = 1
    for measure in (explain.share_inside, explain.pointing_game):
        result = explain.against_other_masks([blob] * 10, masks, measure)
        assert result["own"] > masks[-1].mean() and result["chance"] == pytest.approx(result["own"])
        assert result["p_value"] == 1


def test_p_value_is_the_exact_one_for_two_maps():
    masks = strips(2)
    heats = [mask.astype(float) for mask in masks]
    result = explain.against_other_masks(heats, masks, explain.share_inside, n_shuffles=4000)
    assert result["p_value"] == pytest.approx(0.5, abs=0.03)  # of two pairings one is the true one


def test_masks_of_other_shapes_are_stretched():
    masks = [np.zeros((10, 20), bool), np.zeros((40, 8), bool)]
    masks[0][:, :10] = True  # the left half
    masks[1][:, 4:] = True  # the right half
    result = explain.against_other_masks([mask.astype(float) for mask in masks], masks, explain.share_inside)
    assert (result["own"], result["chance"]) == (1, 0)


def test_maps_without_heat_are_left_out():
    masks = strips(4)
    heats = [mask.astype(float) for mask in masks]
    heats[1][:] = 0
    assert explain.against_other_masks(heats, masks, explain.share_inside)["own"] == 1
    with pytest.raises(ValueError, match="1 maps with any heat"):
        explain.against_other_masks([heats[0], heats[1]], masks[:2], explain.share_inside)


# ---- randomised networks ----------------------------------------------------------------------------------------


def weights_of(network) -> dict[str, list[np.ndarray]]:
    return {layer.name: [w.copy() for w in layer.get_weights()] for layer in network.layers if layer.weights}


def changed(before, after) -> set[str]:
    return {
        name
        for name in before
        if any(not np.array_equal(*pair) for pair in zip(before[name], after[name], strict=True))
    }


def names(network) -> list[str]:
    return [layer.name for layer in reversed(network.layers) if layer.weights]


def parts_of(names) -> list[str]:
    """Return the parts that the small network's layers are: by its name its last map belongs to a stage."""
    return [name.removesuffix("_out") for name in names]


def test_cascading_forgets_from_the_top_and_remembers_nothing(network):
    before, top_down = weights_of(network), names(network)
    for i, (part, copy) in enumerate(explain.randomised_copies(network, seed=1)):
        assert part == parts_of(top_down)[i]
        assert changed(before, weights_of(copy)) == set(top_down[: i + 1])
    assert i == len(top_down) - 1
    assert not changed(before, weights_of(network)), "the network itself has been changed"


def test_independent_parts_forget_one_at_a_time(network):
    before, top_down = weights_of(network), names(network)
    parts = []
    for part, copy in explain.randomised_copies(network, cascading=False, seed=1):
        assert parts_of(changed(before, weights_of(copy))) == [part]
        parts.append(part)
    assert parts == parts_of(top_down)
    assert not changed(before, weights_of(network))


def test_the_same_seed_forgets_in_the_same_way(network):
    def last(seed):
        *_, (_, copy) = explain.randomised_copies(network, seed=seed)
        return weights_of(copy)

    assert not changed(last(1), last(1))
    assert changed(last(1), last(2))


def test_a_network_forgets_what_the_same_seed_gave_it(weights):
    network = networks.build(weights, seed=0)
    before = weights_of(network)
    part, copy = next(explain.randomised_copies(network, seed=0))
    assert changed(before, weights_of(copy)) == {part}


def test_a_copy_that_forgot_nothing_yet_answers_as_the_network_does(network, photo):
    """The copy's untouched part is the network's: below the forgotten output, the last map is the same."""
    _, copy = next(explain.randomised_copies(network))
    assert copy is not network
    ours, theirs = (explain._gradient_at_last_map(each, photo, 0)[0] for each in (network, copy))
    np.testing.assert_array_equal(ours, theirs)


def test_a_map_changes_when_the_output_is_forgotten(photo):
    """The one place that counts stays bright, and the class that it speaks for may change."""
    network = by_hand(1.0)
    _, copy = next(explain.randomised_copies(network, seed=0))
    kernel = copy.layers[-1].get_weights()[0]
    assert not np.array_equal(kernel, network.layers[-1].get_weights()[0])
    assert explain.grad_cam(copy, bright_corner(), 1).any() == (kernel[0, 1] > 0)


def test_a_whole_network_forgets_stage_by_stage(weights, photo):
    network = networks.build(weights, seed=0)
    before = weights_of(network)
    parts = []
    for part, copy in explain.randomised_copies(network, cascading=False):
        touched = changed(before, weights_of(copy))
        assert touched and all(name == part or name.startswith(part + "_") for name in touched)
        parts.append(part)
    assert parts == ["probabilities", "hidden", "stage2", "stage1", "stage0"]
    heat = explain.grad_cam(copy, photo, 2)
    assert np.isfinite(heat).all()
    assert not changed(before, weights_of(network))


@pytest.mark.slow
def test_resnet50_forgets_block_by_block(resnet):
    before = weights_of(resnet)
    parts = []
    for part, copy in explain.randomised_copies(resnet, cascading=False):
        touched = changed(before, weights_of(copy))
        assert touched and all(name == part or name.startswith(part + "_") for name in touched)
        parts.append(part)
    blocks = [f"conv{stage}_block{i}" for stage, n in ((5, 3), (4, 6), (3, 4), (2, 3)) for i in range(n, 0, -1)]
    assert parts == ["probabilities", "hidden", *blocks, "conv1"]
    assert not changed(before, weights_of(resnet))


# ---- likeness of maps -------------------------------------------------------------------------------------------


def test_rank_correlation_by_hand_and_against_scipy():
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 2.0], [4.0, 3.0]])
    assert explain.map_similarity(a, b) == pytest.approx(1 - 6 * 2 / (4 * 15))  # 1 − 6 Σd² / (n (n² − 1))
    rng = np.random.default_rng(0)
    a, b = rng.random((30, 20)), rng.integers(0, 5, (30, 20)).astype(float)  # ties among them
    assert explain.map_similarity(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_rank_correlation_knows_order_only():
    heat = np.random.default_rng(0).random((12, 9))
    assert explain.map_similarity(heat, np.exp(5 * heat)) == pytest.approx(1)
    assert explain.map_similarity(heat, -heat) == pytest.approx(-1)


def test_maps_of_two_photos_are_not_compared():
    with pytest.raises(ValueError, match="not of one photo"):
        explain.map_similarity(np.zeros((2, 3)), np.zeros((3, 2)))


def test_an_empty_map_resembles_nothing_and_nothing_is_said_about_it():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert math.isnan(explain.map_similarity(np.zeros((4, 4)), np.random.default_rng(0).random((4, 4))))


# ---- on the sample ----------------------------------------------------------------------------------------------


def test_masks_of_the_sample_fit_their_photos_maps(sample, run):
    path = sample.photos.path[sample.photos.split == "test"].iloc[0]
    photo, mask = sample.read(path), sample.mask(path)
    heat = explain.grad_cam(run.model, photo, 0)
    assert math.isnan(share := explain.share_inside(heat, mask)) or 0 <= share <= 1
