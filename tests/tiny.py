"""A backbone of three stages and 12,000 weights: all of training, export and explanation in a fraction of the time."""

import re

import numpy as np

from skinlib.learn.backbones import BACKBONES, Backbone
from skinlib.learn.engines import keras, seeded, tf


def _convolution(x: keras.KerasTensor, channels: int, size: int, stride: int, name: str) -> keras.KerasTensor:
    x = keras.layers.Conv2D(channels, size, strides=stride, padding="same", name=f"{name}_conv")(x)
    return keras.layers.BatchNormalization(name=f"{name}_bn")(x)


def _build(entry: keras.KerasTensor | None = None) -> keras.Model:
    entry = keras.Input((224, 224, 3)) if entry is None else entry
    x = keras.layers.ReLU(name="stage0_out")(_convolution(entry, 16, 8, 8, "stage0"))  # (28, 28, 16)
    x = keras.layers.ReLU(name="stage1_out")(_convolution(x, 24, 3, 2, "stage1"))  # (14, 14, 24)
    # As in ResNet50 both branches begin with a stride of two and see every other row and column alone.
    shortcut = _convolution(x, 16, 1, 2, "stage2_0")
    x = keras.layers.ReLU(name="stage2_1_relu")(_convolution(x, 16, 1, 2, "stage2_1"))
    x = keras.layers.Add(name="stage2_add")([shortcut, _convolution(x, 16, 3, 1, "stage2_2")])
    x = keras.layers.ReLU(name="stage2_out")(x)  # (7, 7, 16)
    return keras.Model(keras.utils.get_source_inputs(entry), x)


def _arrange(photos: keras.KerasTensor) -> keras.KerasTensor:
    return keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="about_zero")(photos)


def _draw(photos: np.ndarray, seed: int) -> list[np.ndarray]:
    """Draw weights at random; take the statistics of batch norm from the photos in one pass."""
    with seeded(seed):
        network = _build()
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    tf.function(network)(tf.constant(photos / 127.5 - 1, tf.float32), training=True)
    return network.get_weights()


def _part(layer_name: str) -> str:
    stage = re.match(r"stage\d", layer_name)
    return stage.group() if stage else layer_name


TINY = Backbone(
    name="tiny",
    title="Tiny",
    build=_build,
    arrange=_arrange,
    draw=_draw,
    imagenet=None,
    last_stage="stage1_out",
    last_stage_shape=(7, 7, 24),
    last_stage_layers="stage2",
    last_map="stage2_out",
    n_features=16,
    part=_part,
)


def register() -> None:
    """Make it one of the package's backbones, for this process."""
    BACKBONES[TINY.name] = TINY
