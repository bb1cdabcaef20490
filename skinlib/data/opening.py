"""Open the data that the settings choose. Introduced in chapter 1, Data exploration."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from skinlib.base.errors import InputError
from skinlib.base.settings import Settings, home_expanded, load_settings
from skinlib.data import brushes
from skinlib.data.catalogue import catalogue
from skinlib.data.clinical import clinical_folder, clinical_hashes
from skinlib.data.conditions import CONDITIONS, SPLIT_FOLDERS
from skinlib.data.dataset import DataSet
from skinlib.data.folders import find_root, look
from skinlib.data.sample import COPY_KINDS, TRUTH_COLUMNS, sample_folder


def open_data(settings: Settings | None = None) -> DataSet:
    """Open the data that ``settings`` choose (by default those of :func:`skinlib.base.settings.load_settings`).

    ``settings.data`` is "sample" (drawn on first use), "clinical" (fetched before), or a folder: of class folders, or
    of splits that hold them (:mod:`skinlib.data.folders`), or the one above as archives unpack. What the photos are is
    told by their content, never by a folder's name: "drawn" are those that a ``truth.csv`` of this package lists with
    their names and their SHA-256, "clinical" those of the shipped manifest, "own" all others. Raises InputError where
    there is no such folder, or no photo in it.
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

    People have files of that name, and a copy of ours beside other photos says nothing about them. Nor does a table of
    somebody's own in our columns: each row must name its photo, and have its mask, as the simulation does.
    """
    file = root / "truth.csv"
    try:
        # The first line alone, since a file of somebody's own may be large; and reading a pipe would wait for ever.
        if not file.is_file() or not _has_our_columns(file):
            return None
        truth = pd.read_csv(file, keep_default_na=False)
        listed = truth.set_index("path").loc[photos.path]
        ours = bool((listed.sha256 == photos.sha256.to_numpy()).all()) and all(map(_is_drawn, listed.itertuples()))
        return truth if ours and all(os.path.isfile(root / mask) for mask in listed["mask"]) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # as pandas says it of a table of others
        return None


def _has_our_columns(file: Path) -> bool:
    with file.open("rb") as stream:
        first = stream.readline(1000)
    return set(TRUTH_COLUMNS) <= set(first.decode(errors="replace").strip().split(","))


def _is_drawn(row) -> bool:
    """Tell whether a row of a truth.csv names its photo as the simulation does, and shows what it can draw."""
    place = f"{SPLIT_FOLDERS[row.split]}/{CONDITIONS[row.label].folder}/{row.label}-"
    drawn = row.condition in CONDITIONS.keys and row.kind in ("original", *COPY_KINDS) and row.source.startswith("s")
    return drawn and int(row.tone) in brushes.TONES and row.Index.startswith(place)


def _fingerprint(photos: pd.DataFrame) -> str:
    """Return sha256, 64 hex digits, over the rows' sha256 and path."""
    rows = "".join(f"{row.sha256}  {row.path}\n" for row in photos.itertuples())
    return hashlib.sha256(rows.encode()).hexdigest()
