"""The weights that a backbone starts from: downloaded, from a file, or drawn at random.

Introduced in chapter 3, Training.
"""

import contextlib
import hashlib
import io
import socket
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from skinlib.base.errors import InputError, SkinlibError
from skinlib.base.fingerprint import key_for
from skinlib.base.settings import Settings, home_expanded
from skinlib.base.store import pack, unpack
from skinlib.data.dataset import DataSet
from skinlib.learn.backbones import BACKBONES, RESNET50, Backbone
from skinlib.learn.engines import standard
from skinlib.learn.preprocessing import prepare

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
    """A sentence or two for the page: which weights these are. A run and an export made with them say it, too."""
    backbone: Backbone = RESNET50
    """The network that they belong to."""
    why: str = "The settings ask for them."
    """Why these: no part of what they are, so that nothing that is kept says it."""

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over the numbers themselves, so it doesn't depend on the file that holds them."""
        digest = hashlib.sha256()
        for array in self.arrays:
            digest.update(str(array.shape).encode())
            digest.update(np.ascontiguousarray(array, dtype="<f4").data)
        return digest.hexdigest()


@standard()
def get_weights(settings: Settings, data: DataSet) -> Weights:
    """Return the backbone's weights that ``settings.weights`` asks for, of the backbone ``settings.backbone``.

    ``imagenet`` downloads them once, through Keras. ``untrained`` draws them from the seed. ``auto`` is the first where
    it can be had and else the second. Anything else names a file, as Keras saves it. Raises InputError for a backbone
    that is not known and for a file that doesn't fit, and SkinlibError where ImageNet weights can't be had, naming the
    remedy.
    """
    backbone, choice = _chosen(settings.backbone), str(settings.weights)
    if choice == "untrained":
        return _untrained(backbone, settings, data)
    if choice in ("imagenet", "auto"):
        try:
            return _imagenet(backbone)
        except SkinlibError:
            if choice == "imagenet":
                raise
            untrained = _untrained(backbone, settings, data)
            return replace(untrained, why="ImageNet weights could not be downloaded here.")
    return _from_file(backbone, home_expanded(choice))


def _chosen(name: str) -> Backbone:
    if name not in BACKBONES:
        raise InputError(f"backbone {name!r} is not known: use {' or '.join(BACKBONES)}")
    return BACKBONES[name]


def _imagenet(backbone: Backbone) -> Weights:
    """Download a backbone's ImageNet weights through Keras, which checks them and keeps them for the next time."""
    if backbone.imagenet is None:
        raise SkinlibError(f"there are no ImageNet weights of {backbone.title}: name a weights file, or use untrained")
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_TIMEOUT)  # Keras itself would wait for ever
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            arrays = backbone.imagenet()
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise SkinlibError(
            f"ImageNet weights could not be downloaded ({error}): check the connection, name a weights file, "
            "or use untrained weights"
        ) from error
    finally:
        socket.setdefaulttimeout(patience)
    note = "ImageNet weights: the network has learned a thousand everyday classes, and none of these."
    return Weights("imagenet", arrays, note, backbone)


def _from_file(backbone: Backbone, path: Path) -> Weights:
    """Load a backbone's weights, without its top, from a file that Keras saved."""
    if not path.is_file():
        raise InputError(
            f"no weights file at {path}: name an existing .h5, .weights.h5 or .keras file, "
            "or use auto, imagenet or untrained"
        )
    network = backbone.build(None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns when it leaves layers as they were
            network.load_weights(path)
    except Exception as error:  # every reader fails in its own way
        reason = str(error).strip().split("\n")[0][:120]
        raise InputError(
            f"{path} does not hold the weights of {backbone.title} without its top ({reason}): "
            f"save them with keras.applications.{backbone.title}(include_top=False).save_weights"
        ) from error
    arrays = network.get_weights()
    if not all(np.isfinite(array).all() for array in arrays):
        raise InputError(f"{path} holds numbers that are not finite: use another weights file")
    return Weights(path.name, arrays, f"Weights from the file {path.name}.", backbone)


def _untrained(backbone: Backbone, settings: Settings, data: DataSet) -> Weights:
    """Draw random weights from the seed; set batch-norm statistics from training photos. Kept in the store."""
    train = data.photos[data.photos.split == "train"].drop_duplicates("sha256")
    if train.empty:
        raise InputError(f"{data.root} has no training photos: put some into its folder for training")
    rng = np.random.default_rng(settings.seed)
    chosen = train.iloc[rng.permutation(len(train))[:CALIBRATION_PHOTOS]]

    def draw() -> bytes:
        return pack(*backbone.draw(np.stack([prepare(data.read(path)) for path in chosen.path]), settings.seed))

    key = key_for("skinlib.learn.pretrained", backbone.name, settings.seed, list(chosen.sha256))
    arrays = list(unpack(settings.store.value("weights", key, draw)).values())
    note = (
        f"UNTRAINED weights: the backbone is random, its batch-norm statistics set from {len(chosen)} training photos. "
        "Scores are far below what ImageNet weights give."
    )
    return Weights("untrained", arrays, note, backbone)
