"""Where did it look? Grad-CAM, and how much of its heat falls on the lesion.

Introduced in chapter 5, Error analysis.
"""

import functools

import cv2
import numpy as np

from skinlib.model import keras, prepare, tf

LAST_MAP = "conv5_block3_out"
"""ResNet50's last layer that still has a place for everything: (7, 7, 2048)."""


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
    last_layer = network.get_layer(LAST_MAP).output
    below, above = keras.Model(network.input, last_layer), keras.Model(last_layer, network.layers[-1].input)
    return tf.function(lambda photos: below(photos, training=False)), above


def share_inside(heat: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of a map's heat that falls inside a mask, 0 to 1; NaN where the map is 0 everywhere.

    ``heat`` is float (H, W), 0 or more, ``mask`` bool (H, W). A map that knows nothing scores the mask's own share of
    the area, ``mask.mean()``: compare with that.
    """
    if heat.shape != mask.shape:
        raise ValueError(f"a map of shape {heat.shape} and a mask of shape {mask.shape} are not of one photo")
    total = heat.sum(dtype=float)
    return float(heat[mask].sum(dtype=float) / total) if total > 0 else float("nan")
