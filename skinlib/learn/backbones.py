"""Backbones: the networks, trained elsewhere, whose features the head learns from. One object says all about one.

A further backbone is one more :class:`Backbone` in :data:`BACKBONES`. Introduced in chapter 3, Training.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skinlib.learn.engines import downloads, keras, seeded, standard, tf
from skinlib.learn.preprocessing import MEANS_BGR, preprocess

PREFIX = "skin_"
"""What the name of a whole network begins with; that of its backbone follows."""
RESIDUAL_SCALE = 0.5
"""How loud the residual branches of an untrained network are beside the shortcuts they are added to."""


@dataclass(frozen=True)
class Backbone:
    """A network without its top: how to build it, what it takes, and at which of its layers to cut."""

    name: str
    """Short name, for settings and files."""
    title: str
    """Name for people."""
    build: Callable[[keras.KerasTensor | None], keras.Model]
    """Makes its layers, weights as initialised, on an input; its last output is the last map."""
    arrange: Callable[[keras.KerasTensor], keras.KerasTensor]
    """Makes of resized photos, RGB, 0 to 255, what its first layer was trained on."""
    draw: Callable[[np.ndarray, int], list[np.ndarray]]
    """Draws weights at random: from photos, float32 (n, 224, 224, 3), RGB, 0 to 255, and a seed."""
    imagenet: Callable[[], list[np.ndarray]] | None
    """Downloads the weights that it learned on ImageNet; None where there are none."""
    last_stage: str
    """The layer whose output enters the last stage, which begins with a stride of two."""
    last_stage_shape: tuple[int, int, int]
    """Shape of that output once every other row and column is dropped."""
    last_stage_layers: str
    """What the names of the last stage's layers begin with."""
    last_map: str
    """The last layer that still has a place for everything."""
    n_features: int
    """Numbers per photo that it hands to the head: channels of the last map."""
    part: Callable[[str], str]
    """Gives the part that a layer belongs to, by the layer's name: parts are what a network forgets at a time."""

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one photo's row at the two layers that features are kept of: the last stage's input, and "pool"."""
        return {self.last_stage: self.last_stage_shape, "pool": (self.n_features,)}


def backbone_of(network: keras.Model) -> Backbone:
    """Return the backbone of a whole network, by the network's name. Raises KeyError for another network."""
    return BACKBONES[network.name.removeprefix(PREFIX)]


# ---------------------------------------------------------------- ResNet50


def _resnet50(entry: keras.KerasTensor | None = None) -> keras.Model:
    return keras.applications.ResNet50(include_top=False, weights=None, input_tensor=entry)


def _resnet50_arrange(photos: keras.KerasTensor) -> keras.KerasTensor:
    photos = keras.ops.flip(photos, axis=-1)  # RGB to BGR
    return keras.layers.Rescaling(1.0, offset=[-mean for mean in MEANS_BGR], name="subtract_means")(photos)


def _resnet50_imagenet() -> list[np.ndarray]:
    downloads()
    return keras.applications.ResNet50(include_top=False, weights="imagenet").get_weights()


@standard()
def draw_resnet50(photos: np.ndarray, seed: int) -> list[np.ndarray]:
    """Draw ResNet50's weights at random and set its batch-norm statistics from ``photos``.

    ``photos`` is float32 (n, 224, 224, 3), RGB, 0 to 255. Random filters tell textures apart under three conditions:

    - The filters of the first layer sum to zero, so they answer to edges and not to how light a place is.
    - The 3 × 3 filters blur. ResNet50 drops three of four places at each stage; blurred before, none goes unseen.
      Filter, rectify, blur, again: the scattering of Bruna and Mallat (2013), with random filters.
    - Residual branches are quiet, as batch norm makes them in any deep network (De and Smith, 2020), and more so: at
      full strength sixteen random ones drown the photo.

    Batch norm of a fresh network takes means for 0 and variances for 1, which they aren't. One pass in training mode,
    with no memory of the old values, measures them.
    """
    with seeded(seed):
        backbone = _resnet50()
    blur = np.outer([1, 2, 1], [1, 2, 1])[:, :, None, None] / 4
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
            if layer.name.endswith("_3_bn"):  # the last of each branch
                layer.gamma.assign(tf.fill(layer.gamma.shape, RESIDUAL_SCALE))
        elif layer.name == "conv1_conv":
            layer.kernel.assign(layer.kernel - tf.reduce_mean(layer.kernel, axis=(0, 1)))
        elif layer.name.endswith("_2_conv"):  # the 3 × 3 one of each branch
            layer.kernel.assign(tf.reduce_sum(layer.kernel, axis=(0, 1)) * blur)
    tf.function(backbone)(tf.constant(preprocess(photos)), training=True)
    return backbone.get_weights()


def _resnet50_part(layer_name: str) -> str:
    """Return the block of ResNet50 that a layer belongs to ("conv5_block3", "conv1"), or else the layer's own name."""
    block = re.match(r"conv\d+_block\d+(?=_)|conv\d+(?=_)", layer_name)
    return block.group() if block else layer_name


RESNET50 = Backbone(
    name="resnet50",
    title="ResNet50",
    build=_resnet50,
    arrange=_resnet50_arrange,
    draw=draw_resnet50,
    imagenet=_resnet50_imagenet,
    last_stage="conv4_block6_out",  # (14, 14, 1024)
    last_stage_shape=(7, 7, 1024),
    last_stage_layers="conv5",
    last_map="conv5_block3_out",  # (7, 7, 2048)
    n_features=2048,
    part=_resnet50_part,
)

BACKBONES = {RESNET50.name: RESNET50}
"""All backbones, by name."""
