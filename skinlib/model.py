"""The network: ResNet50 with its preprocessing inside, its weights, and the head.

Introduced in chapter 2 (preprocessing) and chapter 3 (training).
"""

import contextlib
import hashlib
import io
import os
import socket
import sys
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skinlib import conditions
from skinlib.files import key_of, silent, written_whole
from skinlib.photos import DataSet
from skinlib.settings import InputError, Settings, SkinlibError
from skinlib.work import cores, threads

sys.modules.setdefault("openvino_telemetry", None)  # absent: else importing OpenVINO is reported to its makers
import openvino  # noqa: E402

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever a user set for other work
with silent():  # TensorFlow talks there before anyone can ask it not to
    import keras
    import tensorflow as tf

    tf.config.list_physical_devices()  # the last of the start-up messages comes with the devices
tf.get_logger().setLevel("ERROR")  # it warns of tracing functions anew, which many short trainings have to do

SIZE = 224
"""Side of the square that the network sees, in pixels."""
FEATURES = 2048
"""Numbers per photo that ResNet50 hands to the head."""
HIDDEN = 512
"""Units in the head's hidden layer."""
MEANS_BGR = (103.939, 116.779, 123.68)
"""ImageNet's mean blue, green and red, on the scale 0 to 255, which ResNet50's first authors subtracted."""
LAST_STAGE = "conv4_block6_out"
"""The layer whose output enters ResNet50's last stage: (14, 14, 1024)."""
SHAPES = {LAST_STAGE: (7, 7, 1024), "pool": (FEATURES,)}
"""Shape of one photo's row at the two layers where :func:`extractor` reads and :func:`part_after` begins."""
RESIDUAL_SCALE = 0.5
"""How loud the residual branches of an untrained network are beside the shortcuts they are added to."""
CALIBRATION_PHOTOS = 64
"""Training photos from which an untrained network takes its batch-norm statistics."""
DOWNLOAD_TIMEOUT = 30
"""Seconds without a byte after which the download of ImageNet weights counts as failed."""


@dataclass(frozen=True)
class Weights:
    """The backbone's weights and where they came from."""

    name: str
    """``imagenet``, ``untrained``, or the name of the file."""
    arrays: list[np.ndarray]
    """float32 arrays, in the order of ``keras.Model.get_weights``."""
    note: str
    """One sentence for the page: which weights these are, and why."""

    @property
    def sha256(self) -> str:
        """SHA-256 over the numbers themselves, so it doesn't depend on the file that holds them."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array, dtype="<f4"))
        return digest.hexdigest()


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and Keras, and ask TensorFlow for operations that repeat exactly."""
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def preprocess(photos: np.ndarray) -> np.ndarray:
    """ResNet50's ImageNet preprocessing, by hand: swap red and blue, subtract ImageNet's mean of each channel.

    ``photos`` is uint8 or float, (…, 3), RGB, 0 to 255. Returns float32 of the same shape, BGR, mean-subtracted.
    Equal to ``keras.applications.resnet50.preprocess_input``; the original authors of ResNet (He et al., 2016)
    trained in Caffe, which reads BGR.
    """
    return photos[..., ::-1].astype(np.float32) - np.float32(MEANS_BGR)


def build(
    weights: Weights | None = None,
    n_classes: int = len(conditions.CONDITIONS),
    seed: int = 0,
    swapped_channels: bool = False,
) -> keras.Model:
    """Build the whole network: resize, preprocess, ResNet50 without its top, pool, Dense 512, Dense ``n_classes``.

    Takes RGB photos, (n, height, width, 3), 0 to 255, of any size; gives probabilities, float32 (n, n_classes).
    Every part is a standard Keras layer or operation, so the saved file opens without this package. The model is flat:
    ResNet50's layers are the model's own, which Grad-CAM needs. Without ``weights`` the backbone is as initialised.
    ``swapped_channels`` builds the original's mistake in: red and blue have changed places before the preprocessing.
    """
    set_seed(seed)
    photo = keras.Input((None, None, 3), name="photo")
    x = keras.layers.Resizing(SIZE, SIZE, interpolation="bilinear", name="resize")(photo)
    if not swapped_channels:  # swapped twice is not swapped at all
        x = keras.ops.flip(x, axis=-1)  # RGB to BGR
    x = keras.layers.Rescaling(1.0, offset=[-mean for mean in MEANS_BGR], name="subtract_means")(x)
    backbone = keras.applications.ResNet50(include_top=False, weights=None, input_tensor=x)
    if weights is not None:
        backbone.set_weights(weights.arrays)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(backbone.output)
    x = keras.layers.Dense(HIDDEN, activation="relu", name="hidden")(x)
    probabilities = keras.layers.Dense(n_classes, activation="softmax", name="probabilities")(x)
    return keras.Model(photo, probabilities, name="skin_resnet50")


def prepare(photo: np.ndarray) -> np.ndarray:
    """Resize one photo, uint8 (H, W, 3), to float32 (224, 224, 3), as the model's own ``resize`` layer does."""
    return tf.image.resize(photo, (SIZE, SIZE), method="bilinear").numpy()


def has_bfloat16() -> bool:
    """Return whether this processor has arithmetic of 16 bits (bfloat16), as OpenVINO sees it."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Extractor:
    """The frozen part of a network as a fast function: prepared photos in, two layers' outputs out.

    It runs in OpenVINO, the fastest here of the engines that benchmarks/extraction.py compares. Each photo goes through
    alone and on one core, so what comes out never depends on its neighbours, on the order, or on the number of cores;
    several threads may call it at a time, and keep all cores busy that way. Use :func:`extractor` to make one.
    """

    def __init__(self, graph: openvino.Model, bits: int):
        precision = {32: "f32", 16: "bf16"}[bits]
        if bits == 16 and not has_bfloat16():
            raise InputError("this processor has no arithmetic of 16 bits (bfloat16): use 32 bits")
        streams = {"NUM_STREAMS": cores(), "INFERENCE_NUM_THREADS": cores()}  # one thread to a stream
        self._compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision, **streams})
        self._mine = threading.local()
        # Once from here: where two threads are the first to hand it an array, OpenVINO waits for itself for ever.
        self.one(np.zeros((SIZE, SIZE, 3), np.float32))

    def one(self, photo: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both layers' outputs, float32 (7, 7, 1024) and (2048,), of one photo, float32 (224, 224, 3)."""
        if not hasattr(self._mine, "request"):
            self._mine.request = self._compiled.create_infer_request()
        self._mine.request.infer([photo[None]])
        last_stage, pooled = (self._mine.request.get_output_tensor(i).data[0].copy() for i in (0, 1))
        return last_stage, pooled

    def __call__(self, photos: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return both layers' outputs, float32 (n, 7, 7, 1024) and (n, 2048), of n prepared photos."""
        outputs = list(threads(lambda: self.one, photos))
        last_stage, pooled = zip(*outputs, strict=True) if outputs else ([], [])
        return np.reshape(last_stage, (-1, *SHAPES[LAST_STAGE])), np.reshape(pooled, (-1, FEATURES))


def extractor(network: keras.Model, bits: int = 32) -> Extractor:
    """Return the frozen part of a network, as :func:`build` makes it, as an :class:`Extractor`.

    It takes float32 (224, 224, 3), as :func:`prepare` gives it, and returns

    - the input of the last stage, float32 (7, 7, 1024). The last stage begins with a stride of two and so looks at
      every other row and column; the rest is dropped here, which saves three quarters of the space and loses nothing.
    - the pooled features, float32 (2048,).

    With 16 ``bits`` the sums are done in bfloat16, which some processors do several times faster; raises InputError
    where this one can't.
    """
    layers = [network.get_layer(name).output for name in (LAST_STAGE, "pool")]
    frozen = keras.Model(network.get_layer("resize").output, layers)
    # As constants, which are traced sooner than variables are made constant afterwards.
    weights = [
        [variable.numpy() for variable in some] for some in (frozen.trainable_variables, frozen.non_trainable_variables)
    ]

    @tf.function(input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)], autograph=False)
    def extract(photo):
        (last_stage, pooled), _ = frozen.stateless_call(*weights, photo, training=False)
        return last_stage[:, ::2, ::2], pooled

    return Extractor(openvino.convert_model(extract.get_concrete_function()), bits)


def part_after(model: keras.Model, layer: str, bits: int = 32) -> keras.Model:
    """Return a copy of what follows ``layer``, "pool" or :data:`LAST_STAGE`, with its weights.

    It takes what :func:`extractor` returns for that layer. Batch-norm layers are frozen in it: a few hundred photos
    are too few to estimate their statistics anew. With 16 ``bits`` the last stage computes in bfloat16; its weights,
    the head and the answers stay float32.
    """
    part = keras.Model(model.get_layer(layer).output, model.output)

    def same_layer(original):
        config = original.get_config()
        if config.get("strides") == (2, 2):
            config["strides"] = (1, 1)  # extractor() has already dropped every other row and column
        if bits == 16 and original.name.startswith("conv5"):
            config["dtype"] = "mixed_bfloat16"
        return type(original).from_config(config)

    entry = keras.Input(SHAPES[layer], name=layer)
    copy = keras.models.clone_model(part, input_tensors=entry, clone_function=same_layer)
    copy.set_weights(part.get_weights())
    for each in copy.layers:
        each.trainable = not isinstance(each, keras.layers.BatchNormalization)
    return copy


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Copy the weights of every layer of ``source`` to the layer of the same name in ``target``."""
    for layer in source.layers:
        if layer.weights:
            target.get_layer(layer.name).set_weights(layer.get_weights())


def get_weights(settings: Settings, data: DataSet) -> Weights:
    """Return the backbone's weights that ``settings.weights`` asks for.

    ``imagenet`` downloads them once, through Keras. ``untrained`` draws them from the seed. ``auto`` is the first where
    it can be had and else the second. Anything else names a file, as Keras saves it. Raises InputError for a file that
    doesn't fit and SkinlibError where ImageNet weights can't be had, naming the remedy.
    """
    choice = str(settings.weights)
    if choice == "untrained":
        return _untrained(settings, data, "asked for by the settings")
    if choice in ("imagenet", "auto"):
        try:
            return _imagenet()
        except SkinlibError:
            if choice == "imagenet":
                raise
            return _untrained(settings, data, "since ImageNet weights could not be downloaded here")
    return _from_file(Path(choice).expanduser())


def _imagenet() -> Weights:
    """Download ResNet50's ImageNet weights through Keras, which checks them and keeps them for the next time."""
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # Keras itself would wait for ever
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            backbone = keras.applications.ResNet50(include_top=False, weights="imagenet")
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise SkinlibError(
            f"ImageNet weights could not be downloaded ({error}): check the connection, name a weights file, "
            "or use untrained weights"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    note = "ImageNet weights: the network has learned a thousand everyday classes, and none of skin."
    return Weights("imagenet", backbone.get_weights(), note)


def _from_file(path: Path) -> Weights:
    """Load ResNet50's weights, without its top, from a file that Keras saved."""
    if not path.is_file():
        raise InputError(
            f"no weights file at {path}: name an existing .h5, .weights.h5 or .keras file, "
            "or use auto, imagenet or untrained"
        )
    backbone = keras.applications.ResNet50(include_top=False, weights=None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns when it leaves layers as they were
            backbone.load_weights(path)
    except Exception as error:  # every reader fails in its own way
        reason = str(error).strip().split("\n")[0][:120]
        raise InputError(
            f"{path} does not hold the weights of ResNet50 without its top ({reason}): "
            "save them with keras.applications.ResNet50(include_top=False).save_weights"
        ) from error
    arrays = backbone.get_weights()
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError(f"{path} holds numbers that are not finite: use another weights file")
    return Weights(path.name, arrays, f"Weights from the file {path.name}, named in the settings.")


def _untrained(settings: Settings, data: DataSet, why: str) -> Weights:
    """Draw random weights from the seed; set batch-norm statistics from training photos. Kept on disk."""
    train = data.photos[data.photos.split == "train"].drop_duplicates("sha256")
    if train.empty:
        raise InputError(f"{data.root} has no training photos: train_set/ must hold some")
    rng = np.random.default_rng(settings.seed)
    chosen = train.iloc[rng.permutation(len(train))[:CALIBRATION_PHOTOS]]
    key = key_of(3, settings.seed, SIZE, keras.__version__, tf.__version__, list(chosen.sha256))
    kept = settings.cache / "weights" / f"untrained-{key}.npz"
    if kept.exists():
        with np.load(kept) as file:
            arrays = [file[name] for name in file.files]
    else:
        photos = np.stack([prepare(data.read(path)) for path in chosen.path])
        arrays = draw_weights(photos, settings.seed)
        with written_whole(kept) as draft:
            np.savez(draft, *arrays)
    note = (
        f"UNTRAINED weights, {why}: the backbone is random, its batch-norm statistics set from "
        f"{len(chosen)} training photos. Scores are far below what ImageNet weights give."
    )
    return Weights("untrained", arrays, note)


def draw_weights(photos: np.ndarray, seed: int) -> list[np.ndarray]:
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
    set_seed(seed)
    backbone = keras.applications.ResNet50(include_top=False, weights=None)
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
