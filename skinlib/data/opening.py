"""Open the data that the settings choose. Introduced in chapter 1, Data exploration."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pandas as pd

from skinlib.base.errors import InputError
from skinlib.base.settings import Settings, home_expanded, load_settings
from skinlib.data.catalogue import catalogue
from skinlib.data.clinical import clinical_folder, clinical_hashes
from skinlib.data.conditions import CONDITIONS
from skinlib.data.dataset import DataSet
from skinlib.data.folders import find_root, look
from skinlib.data.sample import TRUTH_COLUMNS, sample_folder


def open_data(settings: Settings | None = None) -> DataSet:
    """Open the data that ``settings`` choose (by default those of :func:`skinlib.base.settings.load_settings`).

    ``settings.data`` is "sample" (drawn on first use), "clinical" (fetched before), or a folder: of class folders, or
    of splits that hold them (:mod:`skinlib.data.folders`), or the one above as archives unpack. What the photos are is
    told by their content, never by a folder's name: "drawn" are those that a ``truth.csv`` of this package lists with
    their SHA-256, "clinical" those of the shipped manifest, "own" all others. Raises InputError where there is no such
    folder, or no photo in it.
    """
    settings = settings or load_settings()
    if settings.data == "sample":
        root = sample_folder(settings)
    elif settings.data == "clinical":
        root = clinical_folder(settings)
        if not root.is_dir():
            raise InputError(
                f"{root}: the clinical photos are not here yet: run `python -m skinlib fetch`, "
                "or set SKINLIB_DATA to a folder that holds them"
            )
    else:
        root = find_root(home_expanded(settings.data))

    layout = look(root)
    photos, left_out = catalogue(layout, settings.store)
    truth = _truth(root, photos)
    if truth is not None:
        kind = "drawn"
        left_out = left_out[~left_out.path.isin(truth["mask"])].reset_index(drop=True)
    else:
        kind = "clinical" if photos.sha256.isin(clinical_hashes()).all() else "own"
    if kind != "own" and photos.condition.isin(CONDITIONS.keys).all():  # somebody may have sorted them anew
        layout = replace(layout, classes=CONDITIONS)  # those without a photo, too
    named = settings.data in ("sample", "clinical")
    name = settings.data if named else root.resolve().name
    return DataSet(name, kind, layout, photos, left_out, _fingerprint(photos), truth, settings.store)


def _truth(root: Path, photos: pd.DataFrame) -> pd.DataFrame | None:
    """Return what was planted in drawn photos; None unless truth.csv is ours and lists every photo by its content.

    People have files of that name, and a copy of ours beside other photos says nothing about them.
    """
    file = root / "truth.csv"
    try:
        # The first line alone, since a file of somebody's own may be large; and reading a pipe would wait for ever.
        if not file.is_file() or not set(TRUTH_COLUMNS) <= set(pd.read_csv(file, nrows=0).columns):
            return None
        truth = pd.read_csv(file, keep_default_na=False)
    except (OSError, ValueError):  # pandas' errors of parsing and decoding are ValueErrors
        return None
    listed = set(zip(truth["path"].astype(str), truth["sha256"].astype(str), strict=True))
    return truth if set(zip(photos.path, photos.sha256, strict=True)) <= listed else None


def _fingerprint(photos: pd.DataFrame) -> str:
    """Return sha256, 64 hex digits, over the rows' sha256 and path."""
    rows = "".join(f"{row.sha256}  {row.path}\n" for row in photos.itertuples())
    return hashlib.sha256(rows.encode()).hexdigest()
