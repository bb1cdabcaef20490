"""The network: a backbone with its preprocessing inside, and the head; how it is built, cut and put together again.

Introduced in chapter 2 (preprocessing) and chapter 3 (training).
"""

from skinlib.learn.backbones import PREFIX, RESNET50, backbone_of
from skinlib.learn.engines import keras, seeded, standard
from skinlib.learn.preprocessing import SIZE
from skinlib.learn.pretrained import Weights

HIDDEN = 512
"""Units in the head's hidden layer."""


@standard()
def build(
    weights: Weights | None = None,
    n_classes: int = 8,
    seed: int = 0,
    swapped_channels: bool = False,
) -> keras.Model:
    """Build the whole network: resize, preprocess, backbone without its top, pool, Dense 512, Dense ``n_classes``.

    Takes RGB photos, (n, height, width, 3), 0 to 255, of any size; gives probabilities, float32 (n, n_classes).
    Every part is a standard Keras layer or operation, so the saved file opens without this package. The model is flat:
    the backbone's layers are the model's own, which Grad-CAM needs. Without ``weights`` it is an untouched ResNet50.
    ``swapped_channels`` builds the original's mistake in: red and blue have changed places before the preprocessing.
    """
    with seeded(seed):
        return _built(weights, n_classes, swapped_channels)


def _built(weights: Weights | None, n_classes: int, swapped_channels: bool) -> keras.Model:
    backbone = weights.backbone if weights else RESNET50
    photo = keras.Input((None, None, 3), name="photo")
    x = keras.layers.Resizing(SIZE, SIZE, interpolation="bilinear", antialias=True, name="resize")(photo)
    if swapped_channels:
        x = keras.ops.flip(x, axis=-1)
    body = backbone.build(backbone.arrange(x))
    if weights is not None:
        body.set_weights(weights.arrays)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(body.output)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(photo, probabilities, name=f"{PREFIX}{backbone.name}")


@standard()
def part_after(model: keras.Model, layer: str, bits: int = 32) -> keras.Model:
    """Return a copy of what follows ``layer``, "pool" or its backbone's last stage, with its weights.

    It takes what :func:`extractor` returns for that layer. Batch-norm layers are frozen in it: a few hundred photos
    are too few to estimate their statistics anew. With 16 ``bits`` the last stage computes in bfloat16; its weights,
    the head and the answers stay float32.
    """
    backbone = backbone_of(model)
    part = keras.Model(model.get_layer(layer).output, model.output)

    def same_layer(original):
        config = original.get_config()
        if config.get("strides") == (2, 2):
            config["strides"] = (1, 1)  # extractor() has already dropped every other row and column
        if bits == 16 and original.name.startswith(backbone.last_stage_layers):
            config["dtype"] = "mixed_bfloat16"
        return type(original).from_config(config)

    entry = keras.Input(backbone.shapes[layer], name=layer)
    copy = keras.models.clone_model(part, input_tensors=entry, clone_function=same_layer)
    copy.set_weights(part.get_weights())
    for copied in copy.layers:
        copied.trainable = not isinstance(copied, keras.layers.BatchNormalization)
    return copy


@standard()
def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of every layer of ``source`` to the layer of the same name in ``target``."""
    for layer in source.layers:
        if layer.weights:
            target.get_layer(layer.name).set_weights(layer.get_weights())
