"""The data of a run: a folder of photos with its catalogue, its classes, and what is known about it.

Introduced in chapter 1, Data exploration.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from skinlib.base.settings import SPLITS
from skinlib.base.store import Store
from skinlib.data.classes import Classes
from skinlib.data.folders import Layout, why_not
from skinlib.data.reading import read
from skinlib.data.walking import missed


@dataclass(frozen=True, eq=False)
class DataSet:
    """A folder of photos with its catalogue. Use :func:`skinlib.data.opening.open_data` to make one."""

    name: str
    """"sample", "clinical", or the name of the folder."""
    kind: str
    """"drawn" (by this package), "clinical" (the public collection of the eight conditions), or "own"."""
    layout: Layout
    photos: pd.DataFrame
    """One row per photo: see :func:`skinlib.data.catalogue.catalogue`."""
    left_out: pd.DataFrame
    """The files that are no usable photos: path and reason."""
    fingerprint: str
    """64 hex digits over path and content of every photo: two runs with the same one saw the same data."""
    truth: pd.DataFrame | None
    """What the simulation planted (see :mod:`skinlib.data.sample`), or None where nobody knows."""
    store: Store
    """Where what is computed from these photos is kept."""

    @property
    def root(self) -> Path:
        """The folder that the paths of ``photos`` start from."""
        return self.layout.root

    @property
    def classes(self) -> Classes:
        """The classes of these photos, in the order of the outputs of a model that learns them."""
        return self.layout.classes

    @property
    def has_test(self) -> bool:
        """Whether the data brings test photos of its own, as an official split needs."""
        return bool((self.photos.split == "test").any())

    @property
    def damaged(self) -> pd.DataFrame:
        """The rows of ``left_out`` that should be photos by place and name, and whose content can't be used."""
        files = [not why_not(self.layout, path) for path in self.left_out.path]
        return self.left_out[np.array(files, dtype=bool)].reset_index(drop=True)

    @property
    def missed(self) -> pd.DataFrame:
        """The rows of ``left_out`` that a person would miss: all but what an operating system leaves in folders."""
        rows = [missed(row.path, row.reason) for row in self.left_out.itertuples()]
        return self.left_out[np.array(rows, dtype=bool)].reset_index(drop=True)

    def path(self, row_path: str) -> Path:
        """Return the file of a row of ``photos``, given its path there."""
        return self.root / row_path

    def read(self, row_path: str) -> np.ndarray:
        """Return the photo as uint8 (height, width, 3), RGB. Raises PhotoError."""
        return read(self.path(row_path))

    def mask(self, row_path: str) -> np.ndarray | None:
        """Return the lesion mask, bool (height, width), True on the lesion; None where there is none."""
        if self.truth is None:
            return None
        mask = self.truth.loc[self.truth["path"] == row_path, "mask"]
        if mask.empty or not mask.iloc[0]:
            return None
        return read(self.path(mask.iloc[0]))[..., 0] > 127

    def labels(self) -> np.ndarray:
        """Return the class of each photo as its position in :attr:`classes`, int64 (n,)."""
        return self.photos.condition.map(self.classes.keys.index).to_numpy(np.int64)

    def counts(self) -> pd.DataFrame:
        """Return the number of photos: one row per class key, one column per split that there is, in their order."""
        splits = [split for split in SPLITS if split in ("train", "test") or (self.photos.split == split).any()]
        table = pd.crosstab(self.photos["condition"], self.photos["split"])
        return table.reindex(index=list(self.classes.keys), columns=splits, fill_value=0)
