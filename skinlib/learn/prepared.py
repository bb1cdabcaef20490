"""What a training starts from: audited photos, a split, weights, features. Introduced in chapter 3, Training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np

from skinlib.audit.copies import identified
from skinlib.base.errors import InputError
from skinlib.base.fingerprint import code_digest, result_versions
from skinlib.base.runner import threads
from skinlib.base.settings import Settings
from skinlib.data import splits
from skinlib.data.dataset import DataSet
from skinlib.learn.extraction import features, keep_features
from skinlib.learn.pretrained import Weights, get_weights
from skinlib.learn.runs import BATCH_SIZE

EPOCHS = 12


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are the original recipe's."""

    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    fine_tuning_epochs: int = 0
    """Epochs of training for the last stage, after the head's."""
    augmented_copies: int = 0
    """Altered versions of each training photo; epoch e shows version e modulo their number + 1, 0 being the photo."""
    swapped_channels: bool = False
    """Whether red and blue change places in every photo: the original's mistake of reading BGR and expecting RGB."""
    bits: int = 32
    """Bits of the backbone's arithmetic: 32, or 16 where the processor has bfloat16, several times faster."""

    def __post_init__(self):
        """Raise InputError for numbers that can't be."""
        for name, least in (("epochs", 1), ("batch_size", 1), ("fine_tuning_epochs", 0), ("augmented_copies", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name.replace('_', ' ')} is {getattr(self, name)}: use {least} or more")
        if self.bits not in (16, 32):
            raise InputError(f"bits is {self.bits}: use 32 or 16")


@dataclass(frozen=True, eq=False)
class Prepared:
    """All that a training starts from. Use :func:`prepare` to make one."""

    data: DataSet
    """The photos, with the photo_id of their audit."""
    split_name: str
    """"official" or "grouped"."""
    split: np.ndarray
    """"train", "validation" or "test" for each row of ``data.photos``."""
    weights: Weights
    recipe: Recipe
    seed: int
    runner: Callable
    """What calls the network for each photo: see :mod:`skinlib.base.runner`."""

    def rows(self, part: str | None = None) -> np.ndarray:
        """Return which rows of ``data.photos`` a part of the split has, bool (n,): "train", say, or all of them."""
        return self.split == part if part else np.ones(len(self.split), dtype=bool)

    def features(self, layer: str, part: str | None = None, version: int = 0) -> np.ndarray:
        """Return the features of the photos of a part: see :func:`skinlib.learn.extraction.features`."""
        paths, recipe = self.data.photos.path[self.rows(part)], self.recipe
        return features(
            self.data, self.weights, layer, paths, version, recipe.swapped_channels, recipe.bits, self.runner
        )

    def keep_features(self) -> None:
        """Compute the features of all photos at once: the network is made once, and no core waits between parts."""
        contents, recipe = self.data.photos.set_index("path").sha256, self.recipe
        keep_features(self.data, self.weights, contents, 0, recipe.swapped_channels, recipe.bits, self.runner)

    def identity(self) -> dict:
        """Return, ready for JSON, all that decides what a training gives."""
        data, weights = self.data, self.weights
        return {
            "data": {"name": data.name, "kind": data.kind, "fingerprint": data.fingerprint},
            "classes": [asdict(one) for one in data.classes],
            "backbone": weights.backbone.name,
            "weights": {"name": weights.name, "sha256": weights.sha256},
            "seed": self.seed,
            "settings": {"split": self.split_name, **asdict(self.recipe)},
            "versions": result_versions(),
            "code": code_digest("skinlib.learn.train"),
        }


def prepare(
    data: DataSet,
    settings: Settings,
    split: str | None = None,
    recipe: Recipe | None = None,
    runner: Callable = threads,
) -> Prepared:
    """Audit the photos, divide them and fetch the weights. What comes after may begin at once.

    ``split`` is "grouped", which keeps all copies of a photo on one side and is the default, or "official", the data
    set's own, whose test photos may be copies of training photos. Raises InputError for another split, and where the
    photos can't teach a network anything: without training photos, or with photos of one class alone.
    """
    split = split or "grouped"
    if split not in splits.SPLITTERS:
        raise InputError(f"split {split!r} is not known: use {' or '.join(splits.SPLITTERS)}")
    data = identified(data, runner)
    side = splits.SPLITTERS[split](data.photos, settings.seed)
    splits.check_teaching(data.photos, side, data.root)
    # A folder of test photos alone brings no training photos of its own; the split made some of them.
    brought = (data.photos.split == "train").any()
    taught_on = data if brought else replace(data, photos=data.photos.assign(split=side))
    return Prepared(data, split, side, get_weights(settings, taught_on), recipe or Recipe(), settings.seed, runner)
