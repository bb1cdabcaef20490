"""Which files show the same photo? Copies, leaks between the splits, conflicting labels; no trained network needed.

Two quick guesses, each answered by an index and not by comparing everything with everything, and one careful test:

- A *perceptual hash* (Zauner, 2010): 64 signs of a photo's lowest frequencies, tried under the eight flips and turns.
- *Local features*: SIFT (Lowe, 2004) with square roots taken (Arandjelović and Zisserman, 2012) and each descriptor
  mirrored to a standard side (Zhao and Ngo, 2013), so that a mirrored copy matches as well as an upright one. From the
  features that two photos share, RANSAC (Fischler and Bolles, 1981) finds how one photo lies on the other.
- *Agreement*: lay one photo on the other as guessed, cut both into blocks, and correlate block by block. Most blocks
  of a copy agree. A logo that two photos share fills a few blocks, and the median does not look at the few.

What is known of each photo, its *sketch*, lies on disk, and so do the indexes of features: the memory needed is that of
one index of PART photos and hardly grows from there.

Introduced in chapter 1, Data exploration.
"""

import contextlib
import functools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from skinlib.audit.compare import MIN_OVERLAP, Comparison, agreement, compare
from skinlib.audit.groups import Groups
from skinlib.audit.guess import NEAREST, PART, feature_guesses, feature_index, hash_guesses
from skinlib.audit.shelf import Shelf, open_shelf, sketcher
from skinlib.audit.sketch import TURNS, Sketch, turn_matrix
from skinlib.base.fingerprint import key_for
from skinlib.base.runner import cores, threads
from skinlib.data.dataset import DataSet
from skinlib.data.unseen import summary

CROWD = 4
"""Files of one photo in the index from which they may hide others, being each other's nearest neighbours."""
DOUBTFUL_AGREEMENT = 0.25
"""Median correlation from which two photos that don't count as the same are shown to a person."""


@dataclass(frozen=True)
class Audit:
    """What was found in a data set. Use :func:`audit` to make one."""

    photos: pd.DataFrame
    """The catalogue, with a ``photo_id`` that all copies of one photo share: 16 digits of the least of their sha256."""
    pairs: pd.DataFrame
    """The pairs of contents that joined the groups, the least sure first: path, other, how ("turned" or "altered"),
    agreement, overlap, inliers. Byte-identical files are not listed: they have one content."""
    doubtful: pd.DataFrame
    """Pairs that came close and were not joined, with the same columns: worth a look."""
    damaged: pd.DataFrame
    """Files that should be photos and can't be used: path and reason."""
    missed: pd.DataFrame
    """All files that were not looked at, these too: see :attr:`skinlib.data.dataset.DataSet.missed`."""
    seconds: float
    """How long it took; what was kept from an earlier call takes next to nothing."""

    @property
    def groups(self) -> list[list[str]]:
        """Paths of the files that show one photo, for each photo with two files or more; the largest group first."""
        groups = [list(paths) for _, paths in self.photos.groupby("photo_id", sort=False).path if len(paths) > 1]
        return sorted((sorted(paths) for paths in groups), key=lambda paths: (-len(paths), paths))

    @property
    def conflicts(self) -> list[list[str]]:
        """The groups whose files lie in folders of different conditions."""
        condition = self.photos.set_index("path").condition
        return [paths for paths in self.groups if condition[paths].nunique() > 1]

    @property
    def leaked(self) -> np.ndarray:
        """Whether each row of ``photos`` is a test file that shows a photo of the training set, bool (n,)."""
        is_test = self.photos.split == "test"
        return (is_test & self.photos.photo_id.isin(self.photos.photo_id[~is_test])).to_numpy()

    def report(self) -> dict:
        """Return the findings ready for JSON: n_files, n_photos, groups, damaged, left_out, conflicts, leaks, seconds.

        ``n_files`` counts the damaged files as well, ``n_photos`` the different photos that can be read. ``left_out``
        is what was not looked at, the damaged files too: see :func:`skinlib.data.unseen.summary`.
        """
        return {
            "n_files": len(self.photos) + len(self.damaged),
            "n_photos": int(self.photos.photo_id.nunique()),
            "groups": self.groups,
            "damaged": self.damaged.to_dict("records"),
            "left_out": summary(self.missed),
            "conflicts": self.conflicts,
            "leaks": {
                "test_files": int(self.leaked.sum()),
                "of": int((self.photos.split == "test").sum()),
                "paths": sorted(self.photos.path[self.leaked]),
            },
            "seconds": round(self.seconds, 2),
        }


def audit(data: DataSet, runner: Callable = threads) -> Audit:
    """Find out which files of a data set show the same photo.

    What was found is kept under the data's fingerprint, and found again in no time. So is the sketch of each photo, 60
    kilobytes: when photos are added, only these are read. ``runner`` makes the sketches (see
    :mod:`skinlib.base.runner`); the pairs are compared by the threads of this process.
    """
    clock = time.perf_counter()
    key = key_for("skinlib.audit.copies", data.fingerprint)
    earlier = data.store.load("audits", key)
    if earlier is None:
        compared = _copies(data, runner)
        with contextlib.suppress(OSError):  # a result that can't be kept only costs time
            data.store.keep("audits", key, json.dumps(compared).encode())
    else:
        compared = json.loads(earlier)

    contents = data.photos.drop_duplicates("sha256").reset_index(drop=True)
    position = {sha: number for number, sha in enumerate(contents.sha256)}
    joined, rows = Groups(len(contents)), []
    for a, b, how, same, *numbers in compared:
        if same:
            joined.join(position[a], position[b])
        rows.append([contents.path[position[a]], contents.path[position[b]], how, same, *numbers])
    photo_id = dict(
        zip(contents.sha256, contents.sha256.groupby(joined.roots()).transform("min").str[:16], strict=True)
    )
    photos = data.photos.assign(photo_id=data.photos.sha256.map(photo_id))
    columns = ["path", "other", "how", "same", "agreement", "overlap", "inliers"]
    # Two files may be compared a second time, with the same outcome.
    pairs = pd.DataFrame(rows, columns=columns).drop_duplicates(["path", "other"])
    pairs = pairs.sort_values("agreement", kind="stable", ignore_index=True)
    same, id_of = pairs.pop("same").astype(bool), photos.set_index("path").photo_id
    apart = id_of[pairs.path].to_numpy() != id_of[pairs.other].to_numpy()
    return Audit(
        photos,
        pairs[same].reset_index(drop=True),
        pairs[apart].reset_index(drop=True),
        data.damaged,
        data.missed,
        time.perf_counter() - clock,
    )


def identified(data: DataSet, runner: Callable = threads) -> DataSet:
    """Return the data set with the ``photo_id`` of its audit."""
    return replace(data, photos=audit(data, runner).photos)


def _copies(data: DataSet, runner: Callable) -> list[list]:
    """Return pairs that are one photo, or nearly: [sha256, sha256, how, same, agreement, overlap, inliers]."""
    distinct = data.photos.drop_duplicates("sha256")
    contents = list(zip(distinct.sha256, distinct.path, strict=True))
    # Each thread has a core to itself: OpenCV and BLAS would start threads of their own, each for a job of a moment.
    n_threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with open_shelf(data) as (shelf, scratch), ThreadPoolExecutor(cores()) as pool, threadpool_limits(1):
            hashes = runner(functools.partial(sketcher, shelf), contents)
            hashes = tqdm(hashes, "sketches", len(contents), disable=None, leave=False)
            hashes = np.fromiter(hashes, np.dtype((np.uint8, (len(TURNS), 8))), len(contents))
            return _join(contents, hashes, shelf, pool, scratch)
    finally:
        cv2.setNumThreads(n_threads)


def _join(
    contents: list[tuple[str, str]], hashes: np.ndarray, shelf: Shelf, pool: ThreadPoolExecutor, scratch: Path
) -> list[list]:
    """Follow up every guess about two photos not joined yet; return the pairs that pass the test, or nearly.

    ``contents`` has sha256 and path of each photo, ``hashes``, uint8 (n, 8, 8), its hashes under each of ``TURNS``.
    """
    joined = Groups(len(contents))
    pairs: list[list] = []

    def sketch_of(i: int) -> Sketch:
        return shelf.sketch(*contents[i])

    def follow_up(guesses: np.ndarray, how: str, test) -> None:
        with tqdm(total=len(guesses), desc=f"pairs, {how}", disable=None, leave=False) as bar:
            for start in range(0, len(guesses), 256):
                part = guesses[start : start + 256].tolist()
                part = [guess for guess in part if not joined.together(*guess[:2])]
                for (a, b, *_), result in zip(part, pool.map(lambda guess: test(*guess), part), strict=True):
                    if result.same:
                        joined.join(a, b)
                    if result.agreement >= DOUBTFUL_AGREEMENT and result.overlap >= MIN_OVERLAP:
                        numbers = round(result.agreement, 4), round(result.overlap, 4), result.inliers
                        pairs.append([contents[a][0], contents[b][0], how, result.same, *numbers])
                bar.update(len(guesses[start : start + 256]))

    def turned(a: int, b: int, turn: int) -> Comparison:
        return Comparison(*agreement(sketch_of(a).square, sketch_of(b).square, turn_matrix(TURNS[turn])))

    def altered(a: int, b: int) -> Comparison:
        return compare(sketch_of(a), sketch_of(b))

    follow_up(hash_guesses(hashes), "turned", turned)
    photos = np.unique(joined.roots(), return_index=True)[1]
    parts = [photos[start : start + PART] for start in range(0, len(photos), PART)]
    indexes = [feature_index(sketch_of, part, scratch / f"{number}.index") for number, part in enumerate(parts)]
    guesses = feature_guesses(indexes, sketch_of, photos, joined.roots(), NEAREST)
    follow_up(guesses, "altered", altered)
    # Many files of one photo are each other's nearest neighbours and hide the rest: for these, ask for more.
    group = joined.roots()
    in_group = pd.Series(photos).groupby(group[photos])
    sizes = in_group.transform("size").to_numpy()
    crowded = photos[(sizes > CROWD) & (in_group.cumcount() < CROWD)]
    if len(crowded):
        count = NEAREST + min(int(sizes.max()), 20 * NEAREST)
        follow_up(feature_guesses(indexes, sketch_of, crowded, group, count), "altered", altered)
    return pairs


HARDNESS = ("original", "exact", "dihedral", "augmented")


def score(audited: Audit, truth: pd.DataFrame) -> pd.DataFrame:
    """Score the audit against what was planted, pair by pair.

    ``truth`` is the table of :func:`skinlib.data.sample.write_sample`. A pair of files is of the kind of the harder
    copy in it. One row per kind and one for "all": pairs (that show one photo), found (of these), false (pairs joined
    that show two), recall and precision, NaN where there is nothing to count.
    """
    table = audited.photos.merge(truth[["path", "source", "kind"]], on="path")
    hardness = table.kind.map(HARDNESS.index)

    def pairs(columns: list[str]) -> np.ndarray:
        """Count the pairs with equal ``columns`` by the harder copy in them: without a list of them, which is long."""
        sizes = [table[hardness <= limit].groupby(columns).size() for limit in range(len(HARDNESS))]
        counts = [int((size * (size - 1) // 2).sum()) for size in sizes]
        return np.array([*np.diff(counts), counts[-1]])

    same, joined, hits = (pairs(columns) for columns in (["source"], ["photo_id"], ["source", "photo_id"]))
    with np.errstate(invalid="ignore"):
        shares = {"recall": hits / same, "precision": hits / joined}
    numbers = {"pairs": same, "found": hits, "false": joined - hits, **shares}
    return pd.DataFrame(numbers, index=[*HARDNESS[1:], "all"])
