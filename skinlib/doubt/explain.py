"""Where did it look? Grad-CAM, occlusion as the slow referee, and the checks that a map must pass to be believed.

Introduced in chapter 5, Error analysis.
"""

import functools
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
from scipy.stats import spearmanr

from skinlib.learn.backbones import backbone_of
from skinlib.learn.engines import keras, seeded, standard, tf
from skinlib.learn.preprocessing import prepare

OCCLUSION_BATCH = 32
"""Covered photos held in memory at a time."""


@standard()
def grad_cam(network: keras.Model, photo: np.ndarray, class_index: int) -> np.ndarray:
    """Return a Grad-CAM heat map: how much each place of the photo speaks for a class, by the network's own account.

    ``photo`` is uint8 (H, W, 3), RGB; ``class_index`` counts the network's outputs from 0. Returns float32 (H, W), 0 to
    1, its maximum 1 unless no place speaks for the class, when it is 0 everywhere. The channels of the last map are
    summed, each weighted by the mean gradient of the class's logit, and negative sums are dropped (Selvaraju et al.,
    2017). The map has 7 × 7 cells; what lies between is interpolated.
    """
    if not 0 <= class_index < network.output_shape[-1]:
        raise ValueError(f"class {class_index} is not one of the network's {network.output_shape[-1]}")
    last_map, gradient = _gradient_at_last_map(network, photo, class_index)
    channel_weights = gradient.mean(axis=(0, 1))
    heat = np.maximum(last_map @ channel_weights, 0).astype(np.float32)
    heat = cv2.resize(heat, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return heat / heat.max() if heat.max() > 0 else heat


def _gradient_at_last_map(network, photo, class_index) -> tuple[np.ndarray, np.ndarray]:
    """Return the last map, (7, 7, 2048), and the gradient of one class's logit with respect to it."""
    below, above = _parts(network)
    last_map = below(prepare(photo)[None])
    output = network.layers[-1]
    with tf.GradientTape() as tape:
        tape.watch(last_map)
        # The logit, not the probability: a softmax that is nearly sure has hardly any gradient left.
        logit = (above(last_map, training=False) @ output.kernel + output.bias)[0, class_index]
    return last_map[0].numpy(), tape.gradient(logit, last_map)[0].numpy()


@functools.lru_cache(maxsize=2)
def _parts(network):
    """Cut a network at its last map: photos to the map, compiled, and the map to what the output layer is given.

    Kept, because cutting takes longer than using. The parts share the network's weights, so they follow its training.
    """
    last_layer = network.get_layer(backbone_of(network).last_map).output
    below, above = keras.Model(network.input, last_layer), keras.Model(last_layer, network.layers[-1].input)
    return tf.function(lambda photos: below(photos, training=False)), above


def occlusion(
    predict: Callable[[Sequence[np.ndarray]], np.ndarray],
    photo: np.ndarray,
    class_index: int,
    patch: int,
    stride: int,
) -> np.ndarray:
    """Return how far a class's probability falls when each place of the photo is covered (Zeiler and Fergus, 2014).

    ``predict`` takes a list of photos and returns probabilities, (n, classes): a run's ``predict``, say. ``photo`` is
    uint8 (H, W, 3). A square of ``patch`` pixels in the photo's mean colour moves on by ``stride`` pixels, and to the
    far edges last. Returns float32 (H, W), -1 to 1: the mean fall over all squares that covered the pixel, less than 0
    where covering it raised the probability. No gradient is asked, so it costs one answer for each square. Raises
    ValueError for a square that doesn't fit into the photo and for a stride that leaves gaps.
    """
    height, width = photo.shape[:2]
    if not 1 <= stride <= patch <= min(height, width):
        raise ValueError(
            f"a patch of {patch} pixels, {stride} apart, does not cover a photo of {width} × {height}: "
            "let 1 ≤ stride ≤ patch ≤ the shorter side"
        )
    colour = photo.mean(axis=(0, 1)).round().astype(np.uint8)
    tops, lefts = _starts(height, patch, stride), _starts(width, patch, stride)
    squares = [np.s_[top : top + patch, left : left + patch] for top in tops for left in lefts]

    def covered(square):
        copy = photo.copy()
        copy[square] = colour
        return copy

    before = float(predict([photo])[0, class_index])
    fall, times = np.zeros((height, width)), np.zeros((height, width))
    for start in range(0, len(squares), OCCLUSION_BATCH):
        batch = squares[start : start + OCCLUSION_BATCH]
        after = predict([covered(square) for square in batch])[:, class_index]
        for square, probability in zip(batch, after, strict=True):
            fall[square] += before - float(probability)
            times[square] += 1
    return (fall / times).astype(np.float32)


def _starts(length: int, patch: int, stride: int) -> list[int]:
    """Return where squares of ``patch`` begin along a side, the last of them at its end."""
    return sorted({*range(0, length - patch, stride), length - patch})


def share_inside(heat: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of a map's heat that falls inside a mask, 0 to 1; NaN where the map is 0 everywhere.

    ``heat`` is float (H, W), ``mask`` bool (H, W). What is less than 0 speaks against the class and does not count. A
    map that knows nothing scores the mask's own share of the area, ``mask.mean()``: compare with that.
    """
    _check_shapes(heat, mask)
    heat = np.maximum(heat, 0)
    total = heat.sum(dtype=float)
    return float(heat[mask].sum(dtype=float) / total) if total > 0 else float("nan")


def pointing_game(heat: np.ndarray, mask: np.ndarray) -> bool:
    """Tell whether a map's hottest place lies inside a mask (Zhang et al., 2018, here without their 15 pixels' grace).

    ``heat`` is float (H, W), ``mask`` bool (H, W). Where several pixels are the hottest, most of them must lie inside.
    A map without any heat points nowhere, and misses. A pixel chosen blindly hits with the mask's share of the area,
    ``mask.mean()``.
    """
    _check_shapes(heat, mask)
    hottest = heat.max()
    return bool(hottest > 0 and mask[heat == hottest].mean() > 0.5)


def _check_shapes(heat: np.ndarray, mask: np.ndarray) -> None:
    if heat.shape != mask.shape:
        raise ValueError(f"a map of shape {heat.shape} and a mask of shape {mask.shape} are not of one photo")


def against_other_masks(
    heats: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    measure: Callable[[np.ndarray, np.ndarray], float],
    n_shuffles: int = 2000,
    seed: int = 0,
) -> dict[str, float]:
    """Ask whether maps know their own photos: do they fit their own masks better than those of other photos?

    Lesions have places and sizes that they prefer, the middle above all. A map that knows these and nothing of its
    photo beats the masks' share of the area, and scores here as much on strangers' masks as on its own. ``measure``
    takes a map and a mask, as :func:`share_inside` and :func:`pointing_game` do; a stranger's mask is first stretched
    to the map's shape. Give one file of each ``photo_id``: the mask of a copy is no stranger's.

    Returns ``own``, the mean over maps with their own masks; ``chance``, the mean over all other pairs; and
    ``p_value``, the share of random pairings, the true one among them, that score as high as the true one. Maps
    without any heat are left out; fewer than two others raise ValueError.
    """
    with_heat = [(heat, mask) for heat, mask in zip(heats, masks, strict=True) if heat.max() > 0]
    if len(with_heat) < 2:
        raise ValueError(f"{len(with_heat)} maps with any heat: there must be two to exchange their masks")

    def fitted(mask, heat):
        return cv2.resize(mask.astype(np.uint8), heat.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0

    n = len(with_heat)
    scores = np.array([[measure(heat, fitted(mask, heat)) for _, mask in with_heat] for heat, _ in with_heat], float)
    own, rng = scores.diagonal().mean(), np.random.default_rng(seed)
    shuffled = np.array([scores[np.arange(n), rng.permutation(n)].mean() for _ in range(n_shuffles)])
    as_high = int((shuffled >= own - 1e-12).sum())
    return {
        "own": float(own),
        "chance": float(scores[~np.eye(n, dtype=bool)].mean()),
        "p_value": (as_high + 1) / (n_shuffles + 1),
    }


def randomised_copies(network: keras.Model, cascading: bool = True, seed: int = 0) -> Iterator[tuple[str, keras.Model]]:
    """Yield a network that forgets part by part: (name of the part, network), from the output down.

    These are the checks of Adebayo et al. (2018). A map that shows what a network has learned must change when the
    network forgets it. A part is a layer with weights, or a whole block of ResNet50; its weights are drawn anew, as
    they were drawn before any training. ``cascading`` parts stay forgotten; otherwise each part gets its weights back
    before the next one loses its own.

    ``network`` itself is never changed. It is one copy that is yielded each time: use it before asking for the next.
    The same seed draws the same weights.
    """
    # Not the seed itself: a network that was built from it would get back what it has, and forget nothing.
    with standard(), seeded(int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])):
        fresh, copy = keras.models.clone_model(network), keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    parts: dict[str, list[str]] = {}
    part_of = backbone_of(network).part
    for layer in reversed(network.layers):
        if layer.weights:
            parts.setdefault(part_of(layer.name), []).append(layer.name)
    for part, names in parts.items():
        for name in names:
            copy.get_layer(name).set_weights(fresh.get_layer(name).get_weights())
        yield part, copy
        if not cascading:
            for name in names:
                copy.get_layer(name).set_weights(network.get_layer(name).get_weights())


def map_similarity(a: np.ndarray, b: np.ndarray) -> float:
    """Return Spearman's rank correlation of two maps, float (H, W): 1 for the same order of places, about 0 for none.

    NaN where a map is the same everywhere, as an empty one is: it has no order.
    """
    if a.shape != b.shape:
        raise ValueError(f"maps of shapes {a.shape} and {b.shape} are not of one photo")
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(spearmanr(a, b, axis=None).statistic)
