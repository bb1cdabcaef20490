"""Features, once: what the frozen part of the network makes of each photo.

Introduced in chapter 3, Training.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from skinlib.base.errors import InputError
from skinlib.base.files import array_on_disk
from skinlib.base.fingerprint import key_for
from skinlib.base.runner import cores, threads
from skinlib.base.store import Store
from skinlib.data.dataset import DataSet
from skinlib.data.reading import read
from skinlib.learn import networks
from skinlib.learn.backbones import Backbone, backbone_of
from skinlib.learn.engines import keras, openvino, standard, tf
from skinlib.learn.preprocessing import SIZE, prepare
from skinlib.learn.pretrained import Weights


def has_bfloat16() -> bool:
    """Return whether this processor has arithmetic of 16 bits (bfloat16), as OpenVINO sees it."""
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class Extractor:
    """The frozen part of a network as a fast function: prepared photos in, two layers' outputs out.

    It runs in OpenVINO, the fastest here of the engines that benchmarks/extraction.py compares. Each photo goes through
    alone and on one core, so what comes out never depends on its neighbours, on the order, or on the number of cores;
    several threads may call it at a time, and keep all cores busy that way. Use :func:`extractor` to make one.
    """

    def __init__(self, graph: openvino.Model, bits: int, backbone: Backbone):
        precision = {32: "f32", 16: "bf16"}[bits]
        if bits == 16 and not has_bfloat16():
            raise InputError("this processor has no arithmetic of 16 bits (bfloat16): use 32 bits")
        streams = {"NUM_STREAMS": cores(), "INFERENCE_NUM_THREADS": cores()}  # one thread to a stream
        self._compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": precision, **streams})
        self._shapes = backbone.shapes.values()
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
        stage_shape, pooled_shape = self._shapes
        return np.reshape(last_stage, (-1, *stage_shape)), np.reshape(pooled, (-1, *pooled_shape))


@standard()
def extractor(network: keras.Model, bits: int = 32) -> Extractor:
    """Return the frozen part of a network, as :func:`build` makes it, as an :class:`Extractor`.

    It takes float32 (224, 224, 3), as :func:`prepare` gives it, and returns

    - the input of the last stage, float32 (7, 7, 1024). The last stage begins with a stride of two and so looks at
      every other row and column; the rest is dropped here, which saves three quarters of the space and loses nothing.
    - the pooled features, float32 (2048,).

    With 16 ``bits`` the sums are done in bfloat16, which some processors do several times faster; raises InputError
    where this one can't.
    """
    backbone = backbone_of(network)
    layers = [network.get_layer(name).output for name in backbone.shapes]
    frozen = keras.Model(network.get_layer("resize").output, layers)
    # As constants, which are traced sooner than variables are made constant afterwards.
    weights = [
        [variable.numpy() for variable in some] for some in (frozen.trainable_variables, frozen.non_trainable_variables)
    ]

    @tf.function(input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)], autograph=False)
    def extract(photo):
        (last_stage, pooled), _ = frozen.stateless_call(*weights, photo, training=False)
        return last_stage[:, ::2, ::2], pooled

    return Extractor(openvino.convert_model(extract.get_concrete_function()), bits, backbone)


def augment(photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the photo mirrored or not, turned by up to 20°, zoomed and its brightness changed by up to 15 %.

    ``photo`` and the result are uint8 (H, W, 3), RGB. What the turn uncovers is filled by reflection. Each change keeps
    the diagnosis; a change of hue would not, since redness is a sign.
    """
    height, width = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-20, 20), rng.uniform(0.85, 1.15))
    photo = cv2.warpAffine(photo, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.5:
        photo = photo[:, ::-1]
    return np.clip(photo * rng.uniform(0.85, 1.15), 0, 255).astype(np.uint8)


def features(
    data: DataSet,
    weights: Weights,
    layer: str = "pool",
    paths: Sequence[str] | None = None,
    version: int = 0,
    swapped_channels: bool = False,
    bits: int = 32,
    runner: Callable = threads,
) -> np.ndarray:
    """Return what the frozen network makes of each photo: float32, one row per path, all of ``data`` by default.

    Rows have the shape of ``layer`` in ``weights.backbone.shapes``: of ResNet50 (2048,) for "pool" and (7, 7, 1024) for
    the input of the last stage. ``version`` 0 is the photo, 1, 2, … its augmented copies; ``swapped_channels`` and
    ``bits`` are as in :class:`skinlib.learn.prepared.Recipe`. Each distinct content is computed once, ever: rows are
    kept in the data's store under the SHA-256 of the photo's bytes and all else that shapes them. ``runner`` calls the
    network for each photo: see :mod:`skinlib.base.runner`. The rows that are returned lie on disk, too
    (:func:`skinlib.base.files.array_on_disk`), so there may be more than the memory holds.
    """
    by_path = data.photos.set_index("path").sha256
    contents = by_path if paths is None else by_path.loc[list(paths)]
    key = keep_features(data, weights, contents, version, swapped_channels, bits, runner)
    rows = array_on_disk((len(contents), *weights.backbone.shapes[layer]), np.float32, data.store.root)
    damaged = _fill(rows, data.store, key, layer, contents)
    if len(damaged):
        keep_features(data, weights, damaged, version, swapped_channels, bits, runner, anew=True)
        _fill(rows, data.store, key, layer, contents)
    return rows


def keep_features(
    data: DataSet,
    weights: Weights,
    contents: pd.Series,
    version: int,
    swapped_channels: bool,
    bits: int,
    runner: Callable,
    anew: bool = False,
) -> str:
    """Compute the features that are not kept yet of ``contents``, SHA-256 by path; return the key they are kept under.

    With ``anew`` all of them are computed.
    """
    key = key_for("skinlib.learn.extraction", weights.backbone.name, weights.sha256, bits, version, swapped_channels)
    distinct = {sha: path for path, sha in contents.items()}
    missing = [
        (data.path(path), sha)
        for sha, path in distinct.items()
        if anew or not all(data.store.has("features", key, _name(sha, layer)) for layer in weights.backbone.shapes)
    ]
    if missing:
        make = partial(FeatureMaker, weights, Store(data.store.root.absolute()), key, version, swapped_channels, bits)
        for _ in tqdm(runner(make, missing), "features", len(missing), disable=None):
            pass
    return key


class FeatureMaker:
    """What computes one photo's features and keeps them: a worker of :func:`features`."""

    def __init__(self, weights: Weights, store: Store, key: str, version: int, swapped_channels: bool, bits: int):
        self.store, self.key, self.version, self.step = store, key, version, -1 if swapped_channels else 1
        self.layers, self.extract = tuple(weights.backbone.shapes), extractor(networks.build(weights), bits)

    def __call__(self, photo_and_sha: tuple[Path, str]) -> None:
        """Compute the features of the photo at a path, whose content has that SHA-256, and keep them."""
        path, sha = photo_and_sha
        photo = read(path)
        if self.version:
            photo = augment(photo, np.random.default_rng([int(sha[:16], 16), self.version]))
        rows = self.extract.one(prepare(photo[..., :: self.step]))
        for layer, row in zip(self.layers, rows, strict=True):
            self.store.keep("features", self.key, row.tobytes(), _name(sha, layer))


def _name(sha256: str, layer: str) -> str:
    return f"{sha256}.{layer}"


def _fill(rows: np.ndarray, store: Store, key: str, layer: str, contents: pd.Series) -> pd.Series:
    """Fill ``rows`` with what is kept of ``contents``, SHA-256 by path; return those that are damaged."""
    damaged = []
    for sha, places in contents.reset_index(drop=True).groupby(contents.to_numpy()):
        value = store.load("features", key, _name(sha, layer))
        if value is None:
            damaged.append(sha)
        else:
            rows[places.index] = np.frombuffer(value, np.float32).reshape(rows.shape[1:])
    return contents[contents.isin(damaged)]
