"""The *catalogue*: one row per photo file, each opened once to see that it is whole.

Introduced in chapter 1, Data exploration.
"""

import contextlib
import hashlib
import itertools
import json

import pandas as pd
from tqdm import tqdm

from skinlib.base.errors import InputError
from skinlib.base.fingerprint import key_for
from skinlib.base.runner import threads
from skinlib.base.settings import SPLITS, load_settings
from skinlib.base.store import Store
from skinlib.data.folders import Layout, list_files
from skinlib.data.reading import LEAST_SIDE, TOO_SMALL, PhotoError, decode_with_format, pillow_quiet, read_bytes
from skinlib.data.unseen import commonest, number
from skinlib.data.walking import missed

CATALOGUE_COLUMNS = (
    "path", "condition", "group", "split", "sha256", "bytes", "format", "width", "height", "content_id",
)  # fmt: skip
"""Columns of the catalogue. The audit adds ``photo_id``, which all copies of one photo share."""


def catalogue(layout: Layout, store: Store | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """List the photos of a folder, each decoded once to see that it is whole.

    Returns two tables:

    - photos, one row per file: path (relative to the folder, with "/"), condition (the key of its class), group, split
      ("train", "validation" or "test"; "train" where the folder has no splits), sha256 and bytes of the file, format,
      width and height (pixels, upright) and content_id (the first 16 digits of sha256: only files that are equal to the
      byte share it). By split, then by class and path.
    - left_out: path and reason of the others (see :func:`skinlib.data.folders.list_files`), in the same order: also
      photos too small to see anything.

    What decoding found is kept in ``store`` (by default that of :func:`skinlib.base.settings.load_settings`) under the
    sha256 of the content, so a second call only reads and hashes. Raises InputError where no photo can be used.
    """
    files, left_out = list_files(layout)
    store = store or load_settings().store
    before = _load_known(store)
    known = dict(before)
    rows = []
    with pillow_quiet():
        checked = threads(lambda: lambda file: _inspect(layout, file, known), files)
        for path, result in zip(files, tqdm(checked, "photos", len(files), disable=None, leave=False), strict=True):
            if isinstance(result, str):
                left_out.append((path, result))
            else:
                rows.append(result)
    if known != before:
        _save_known(store, known)
    if not rows:
        raise InputError(f"{layout.root}: {_nothing(left_out)}")

    photos = pd.DataFrame(rows, columns=list(CATALOGUE_COLUMNS))
    places = {place: number for number, place in enumerate(itertools.product(SPLITS, layout.classes.keys))}
    order = [places[place] for place in zip(photos.split, photos.condition, strict=True)]
    photos = photos.assign(order=order).sort_values(["order", "path"], kind="stable").drop(columns="order")
    # With "/" after it, since a folder that can't be opened has the place of what is in it.
    left_out.sort(key=lambda row: (places.get(layout.place(f"{row[0]}/") or ("", ""), len(places)), row[0]))
    return photos.reset_index(drop=True), pd.DataFrame(left_out, columns=["path", "reason"], dtype=str)


def _nothing(left_out: list[tuple[str, str]]) -> str:
    reasons = [reason for path, reason in left_out if missed(path, reason)]
    if not reasons:
        return "holds no photo: put photos into a folder for each class"
    return f"none of {number(reasons)} can be used; the commonest reason: {commonest(reasons)}"


def _inspect(layout: Layout, path: str, known: dict) -> tuple | str:
    """Return the catalogue's row of one file, or the reason to leave it out. Adds what it learns to ``known``."""
    try:
        data = read_bytes(layout.root / path)
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in known:
            photo, kind = decode_with_format(data, path)
            known[sha256] = [kind, photo.shape[1], photo.shape[0]]
    except PhotoError as error:
        return error.reason
    kind, width, height = known[sha256]
    if min(width, height) < LEAST_SIDE:
        return TOO_SMALL
    split, key = layout.place(path) or ("", "")  # which list_files has found
    # As CATALOGUE_COLUMNS has them.
    return path, key, layout.classes[key].group, split, sha256, len(data), kind, width, height, sha256[:16]


def _decoded_key() -> str:
    """Return the key of the list of decoded contents: what decoding found hangs on the reader alone."""
    return key_for("skinlib.data.reading")


def _load_known(store: Store) -> dict:
    """Return {sha256: [format, width, height]} of contents decoded before."""
    content = store.load("decoded", _decoded_key())
    return json.loads(content) if content is not None else {}


def _save_known(store: Store, known: dict) -> None:
    # Another process may have written meanwhile: keep what it found. A list that can't be kept only costs time.
    with contextlib.suppress(OSError):
        store.keep("decoded", _decoded_key(), json.dumps(_load_known(store) | known).encode())
